//! What has happened to the write of an object so far: what was found out, and what is in doubt.
//!
//! A write goes through rounds: it leaves, its answer leads to a look, the look to the next write or to the end. What one
//! round has to know of the one before stands here, and changes by what happened, not by flags.

use std::sync::Arc;
use std::time::Instant;

use ingest_model::batch::OperationId;
use ingest_model::known::Revision;
use ingest_model::lookup::Lookup;

/// How often a look at an object leads straight back to a write.
const ROUNDS: u32 = 3;

/// Of one operation that writes an object.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The customer's Kustomer id, once known.
    pub(crate) customer_id: Option<Arc<str>>,
    /// The object's Kustomer id, once an update of it was decided.
    pub(crate) object_id: Option<Arc<str>>,
    /// The object's revision when an update of it was decided: what was compared is what is locked.
    pub(crate) decided: Revision,
    /// When a write of it left last: looks are attempts, too.
    pub(crate) last_write: Option<Instant>,
    /// An earlier owner of the partition began to write it.
    pub(crate) begun: bool,
    /// A write of it may have arrived.
    doubted: bool,
    /// Look at the object before anything else is sent.
    look_first: bool,
    /// The object was read and not written since.
    looked: bool,
    /// The write was refused because of its revision; whether that was somebody else's write is not known yet.
    conflicted: bool,
    /// What led to the write was gone once, and was looked up again.
    gone_once: bool,
    /// Looks at the object that led back to a write.
    looks: u32,
    test: LockTest,
}

/// A write whose revision is known to be old: its answer tells whether the organisation minds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LockTest {
    #[default]
    None,
    Due,
    /// It was refused, and not as a conflict: the write is made with the right revision now.
    Refused,
}

/// What a look at an object found out about the write that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// The write may have arrived.
    pub(crate) doubted: bool,
    /// A write without an answer led to the look, not one that the API contradicted.
    pub(crate) unanswered: bool,
    /// The write was refused because of its revision.
    pub(crate) conflicted: bool,
}

impl History {
    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted
    }

    pub(crate) fn is_to_look(&self) -> bool {
        self.look_first
    }

    pub(crate) fn has_looked(&self) -> bool {
        self.looked
    }

    pub(crate) fn is_lock_test(&self) -> bool {
        self.test == LockTest::Due
    }

    pub(crate) fn was_refused_in_test(&self) -> bool {
        self.test == LockTest::Refused
    }
}

/// Of all operations that write objects and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    of: Lookup<OperationId, History>,
    /// What is known of an operation that has no history.
    none: History,
}

impl Histories {
    /// An operation arrives.
    pub(crate) fn begin(&mut self, id: OperationId, begun: bool) {
        let history = History {
            begun,
            ..History::default()
        };
        self.of.insert(id, history);
    }

    pub(crate) fn of(&self, id: OperationId) -> &History {
        self.of.get(&id).unwrap_or(&self.none)
    }

    /// It has ended.
    pub(crate) fn end(&mut self, id: OperationId) -> History {
        self.of.remove(&id).unwrap_or_default()
    }

    /// Its customer is known.
    pub(crate) fn found_customer(&mut self, id: OperationId, customer: Arc<str>) {
        self.change(id, |one| one.customer_id = Some(customer));
    }

    /// An update of the object with that id, at that revision, is what is to be written.
    pub(crate) fn decided(&mut self, id: OperationId, object: Option<Arc<str>>, at: Revision) {
        self.change(id, |one| {
            one.object_id = object;
            one.decided = at;
        });
    }

    /// The object was found before, and nothing is known of it any more.
    pub(crate) fn forget_revision(&mut self, id: OperationId) {
        self.change(id, |one| one.decided = Revision::Unknown);
    }

    /// Whether the write that goes next tests the lock. A test that was not made is forgotten: what it named is no longer
    /// known to be old.
    pub(crate) fn plan_test(&mut self, id: OperationId, tests: bool) {
        self.change(id, |one| match (tests, one.test) {
            (true, _) => one.test = LockTest::Due,
            (false, LockTest::Due) => one.test = LockTest::None,
            (false, LockTest::None | LockTest::Refused) => {}
        });
    }

    /// The answer to a test is here. `true` if this was one.
    pub(crate) fn test_answered(&mut self, id: OperationId) -> bool {
        let due = self.of(id).is_lock_test();
        if due {
            self.change(id, |one| one.test = LockTest::None);
        }
        due
    }

    /// A test was refused as it should be: nothing was written.
    pub(crate) fn test_conflicted(&mut self, id: OperationId) {
        self.change(id, |one| one.looked = true);
    }

    /// A test was refused for its revision or for itself: only the right revision can tell.
    pub(crate) fn test_refused(&mut self, id: OperationId) {
        self.change(id, |one| {
            one.looked = true;
            one.test = LockTest::Refused;
        });
    }

    /// A write of it leaves.
    pub(crate) fn left(&mut self, id: OperationId, now: Instant) {
        self.change(id, |one| {
            one.looked = false;
            one.last_write = Some(now);
        });
    }

    /// A write of it may have arrived.
    pub(crate) fn doubt(&mut self, id: OperationId) {
        self.change(id, |one| one.doubted = true);
    }

    /// Before anything else is sent, its object is looked at.
    pub(crate) fn look_first(&mut self, id: OperationId) {
        self.change(id, |one| one.look_first = true);
    }

    /// The write was refused because of its revision.
    pub(crate) fn conflict(&mut self, id: OperationId) {
        self.change(id, |one| one.conflicted = true);
    }

    /// The object, or its customer, is not there. `true` if that happened before.
    pub(crate) fn gone(&mut self, id: OperationId) -> bool {
        let mut before = false;
        self.change(id, |one| {
            before = std::mem::replace(&mut one.gone_once, true);
            one.customer_id = None;
        });
        before
    }

    /// Its object is known by no id any more.
    pub(crate) fn forget_object(&mut self, id: OperationId) {
        self.change(id, |one| one.object_id = None);
    }

    /// A look found no object. `true` if a write was in doubt: it has not arrived.
    pub(crate) fn found_nothing(&mut self, id: OperationId) -> bool {
        let mut doubted = false;
        self.change(id, |one| {
            one.look_first = false;
            one.object_id = None;
            doubted = std::mem::take(&mut one.doubted);
        });
        doubted
    }

    /// A look found the object.
    pub(crate) fn looked(&mut self, id: OperationId) -> Looked {
        let mut looked = Looked {
            doubted: false,
            unanswered: false,
            conflicted: false,
        };
        self.change(id, |one| {
            looked.doubted = std::mem::take(&mut one.doubted);
            looked.unanswered = std::mem::take(&mut one.look_first) && looked.doubted;
            looked.conflicted = std::mem::take(&mut one.conflicted);
            one.looked = true;
        });
        looked
    }

    /// A look leads back to a write. A few rounds are ordinary; more mean that a write and a look contradict each other:
    /// `false` then.
    pub(crate) fn another_round(&mut self, id: OperationId) -> bool {
        let mut ordinary = true;
        self.change(id, |one| {
            ordinary = one.looks < ROUNDS;
            one.looks += u32::from(ordinary);
        });
        ordinary
    }

    fn change(&mut self, id: OperationId, change: impl FnOnce(&mut History)) {
        if let Some(history) = self.of.get_mut(&id) {
            change(history);
        }
    }
}
