//! What has happened to the write of an object so far: what was found out, and what is in doubt.
//!
//! A write goes through rounds: it is sent, its answer leads to a look, the look to the next write or to the end. What a round
//! has to know of the one before is kept here. It changes by reporting what happened, not by setting flags.

use std::sync::Arc;
use std::time::Instant;

use ingest_model::batch::OperationId;
use ingest_model::digest::Session;
use ingest_model::known::Revision;
use ingest_model::lookup::Lookup;
use uuid::Uuid;

/// How often a look at an object may lead back to a write.
const ROUNDS: u32 = 3;

/// The history of one operation that writes an object.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The hash that stands for the object.
    object: Uuid,
    /// The customer's Kustomer id, once known.
    pub(crate) customer_id: Option<Arc<str>>,
    /// The object's Kustomer id, once an update of it was decided.
    pub(crate) object_id: Option<Arc<str>>,
    /// The object's revision when an update of it was decided: the lock names the revision that was compared.
    pub(crate) decided: Revision,
    /// When it was last sent as a write; attempts also count looks.
    pub(crate) last_write: Option<Instant>,
    /// That was together with others.
    pub(crate) in_bulk: bool,
    /// An earlier owner of the partition had begun to write it.
    pub(crate) begun: bool,
    /// A write of it may have arrived.
    doubted: bool,
    /// The object has to be looked at before anything else is sent.
    look_first: bool,
    /// The object was read, and no write was sent since.
    looked: bool,
    /// The write was refused because of its revision; whether somebody else wrote in between is not known yet.
    conflicted: bool,
    /// The object or its customer was gone once, and was looked up again.
    gone_once: bool,
    /// How often a look at the object led back to a write.
    looks: u32,
    test: LockTest,
    /// A customer: its company, and by what else it is looked for.
    customer: Option<Box<CustomerWrite>>,
    /// A digest: until when its first round waits for more events.
    gathers: Option<Instant>,
    /// A digest: what its object has without the events that this adds, once that is known.
    base: Option<Arc<Session>>,
    /// A digest: what was sent last.
    sent: Option<Arc<Session>>,
}

/// A write with a revision that is known to be old: its answer shows whether the organisation checks revisions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LockTest {
    #[default]
    None,
    Due,
    /// It was refused, but not as a conflict: the write is now made with the right revision.
    Refused,
}

/// What the write of a customer knows besides what every object has.
#[derive(Debug, Default)]
struct CustomerWrite {
    link: Link,
    /// The company that the customer has, when an update of it was decided: it keeps that.
    keeps: Option<Arc<str>>,
    /// The API said that the customer exists.
    duplicate: bool,
    /// How many of its contacts it is looked for by, because nobody has its external id.
    contacts: usize,
}

/// The company that a customer is to be given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// None, or nobody has asked for it.
    #[default]
    Unasked,
    /// The next look is at the company.
    Asked,
    /// This one.
    Found(Arc<str>),
    /// There is none of that name, whose hash this is: the customer keeps the one it has.
    Missing(u128),
}

/// What was open when a look found the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// A write may have arrived.
    pub(crate) doubted: bool,
    /// A write without an answer led to the look, not one that the API refused.
    pub(crate) unanswered: bool,
    /// A write was refused because of its revision.
    pub(crate) conflicted: bool,
}

impl History {
    /// The hash that stands for the object, computed once because it costs as much as all else that is looked up.
    pub(crate) fn object_hash(&self) -> u128 {
        self.object.as_u128()
    }

    /// Whether it is of a digest that has been the head of its lane.
    pub(crate) fn is_digest(&self) -> bool {
        self.gathers.is_some()
    }

    /// What a digest's object has without the events that are added.
    pub(crate) fn base(&self) -> Option<&Arc<Session>> {
        self.base.as_ref()
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted
    }

    pub(crate) fn is_to_look(&self) -> bool {
        self.look_first
    }

    /// Whether looks have led back to a write more than once: somebody else writes at the same time.
    pub(crate) fn is_contested(&self) -> bool {
        self.looks > 1
    }

    pub(crate) fn has_looked(&self) -> bool {
        self.looked
    }

    /// The company that a customer is to be given.
    pub(crate) fn link(&self) -> &Link {
        const UNASKED: &Link = &Link::Unasked;
        self.customer.as_ref().map_or(UNASKED, |one| &one.link)
    }

    /// The company that the write of a customer names: the one that it is given, or the one that it has.
    pub(crate) fn company(&self) -> Option<&Arc<str>> {
        match self.link() {
            Link::Found(company) => Some(company),
            Link::Unasked | Link::Asked | Link::Missing(_) => {
                self.customer.as_ref()?.keeps.as_ref()
            }
        }
    }

    /// How many of its contacts a customer is looked for by; none while it is looked for by its external id.
    pub(crate) fn contacts(&self) -> usize {
        self.customer.as_ref().map_or(0, |one| one.contacts)
    }

    /// Whether the API said that the customer exists.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.customer.as_ref().is_some_and(|one| one.duplicate)
    }

    pub(crate) fn is_lock_test(&self) -> bool {
        self.test == LockTest::Due
    }

    pub(crate) fn was_refused_in_test(&self) -> bool {
        self.test == LockTest::Refused
    }
}

/// The histories of all operations that write objects and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    of: Lookup<OperationId, History>,
    /// The history of an operation that has none.
    none: History,
}

impl Histories {
    /// An operation arrives that writes the object with that hash.
    pub(crate) fn begin(&mut self, id: OperationId, object: u128, begun: bool) {
        let history = History {
            object: Uuid::from_u128(object),
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

    /// The operation is to be an update of the object with that id, at that revision.
    pub(crate) fn decided(&mut self, id: OperationId, object: Option<Arc<str>>, at: Revision) {
        self.change(id, |one| {
            one.object_id = object;
            one.decided = at;
        });
    }

    /// What the company is that a customer is to be given.
    pub(crate) fn link(&mut self, id: OperationId, link: Link) {
        self.change(id, |one| {
            one.customer.get_or_insert_default().link = link;
        });
    }

    /// The customer keeps the company that it has, if it is not given another one.
    pub(crate) fn keeps(&mut self, id: OperationId, company: Option<Arc<str>>) {
        self.change(id, |one| {
            one.customer.get_or_insert_default().keeps = company;
        });
    }

    /// The API says that the customer exists.
    pub(crate) fn customer_exists(&mut self, id: OperationId) {
        self.change(id, |one| {
            one.customer.get_or_insert_default().duplicate = true;
        });
    }

    /// The customer is looked for by its next contact.
    pub(crate) fn next_contact(&mut self, id: OperationId) {
        self.change(id, |one| {
            one.look_first = true;
            one.customer.get_or_insert_default().contacts += 1;
        });
    }

    /// The customer is looked for by its external id again.
    pub(crate) fn no_contact(&mut self, id: OperationId) {
        self.change(id, |one| {
            if let Some(customer) = &mut one.customer {
                customer.contacts = 0;
                customer.duplicate = false;
            }
        });
    }

    /// The object was found before, but its state is no longer known.
    pub(crate) fn forget_revision(&mut self, id: OperationId) {
        self.change(id, |one| one.decided = Revision::Unknown);
    }

    /// Notes whether the next write tests the lock. A planned test that was not made is dropped: its revision may no longer
    /// be old.
    pub(crate) fn plan_test(&mut self, id: OperationId, tests: bool) {
        self.change(id, |one| match (tests, one.test) {
            (true, _) => one.test = LockTest::Due,
            (false, LockTest::Due) => one.test = LockTest::None,
            (false, LockTest::None | LockTest::Refused) => {}
        });
    }

    /// A write was answered. `true` if it was a test of the lock.
    pub(crate) fn test_answered(&mut self, id: OperationId) -> bool {
        let due = self.of(id).is_lock_test();
        if due {
            self.change(id, |one| one.test = LockTest::None);
        }
        due
    }

    /// A test was refused as a conflict, as it should be: nothing was written.
    pub(crate) fn test_conflicted(&mut self, id: OperationId) {
        self.change(id, |one| one.looked = true);
    }

    /// A test was refused for its revision or its content: only a write with the right revision can tell which.
    pub(crate) fn test_refused(&mut self, id: OperationId) {
        self.change(id, |one| {
            one.looked = true;
            one.test = LockTest::Refused;
        });
    }

    /// A write of it is sent.
    pub(crate) fn left(&mut self, id: OperationId, now: Instant, bulk: bool) {
        self.change(id, |one| {
            one.looked = false;
            one.in_bulk = bulk;
            one.last_write = Some(now);
        });
    }

    /// A write of it may have arrived.
    pub(crate) fn doubt(&mut self, id: OperationId) {
        self.change(id, |one| one.doubted = true);
    }

    /// Its object has to be looked at before anything else is sent.
    pub(crate) fn look_first(&mut self, id: OperationId) {
        self.change(id, |one| one.look_first = true);
    }

    /// The write was refused because of its revision.
    pub(crate) fn conflict(&mut self, id: OperationId) {
        self.change(id, |one| one.conflicted = true);
    }

    /// The object or its customer does not exist. `true` if that happened before.
    pub(crate) fn gone(&mut self, id: OperationId) -> bool {
        let mut before = false;
        self.change(id, |one| {
            before = std::mem::replace(&mut one.gone_once, true);
            one.customer_id = None;
        });
        before
    }

    /// The id of its object is no longer known.
    pub(crate) fn forget_object(&mut self, id: OperationId) {
        self.change(id, |one| one.object_id = None);
    }

    /// A look found no object. `true` if a write was in doubt: then it did not arrive.
    pub(crate) fn found_nothing(&mut self, id: OperationId) -> bool {
        let mut doubted = false;
        self.change(id, |one| {
            one.look_first = false;
            one.object_id = None;
            doubted = std::mem::take(&mut one.doubted);
        });
        doubted
    }

    /// A look found the object. Returns what was open until then.
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

    /// A look leads back to a write. `false` after more than a few rounds: then the answers to writes and looks contradict each
    /// other.
    pub(crate) fn another_round(&mut self, id: OperationId) -> bool {
        let mut ordinary = true;
        self.change(id, |one| {
            ordinary = one.looks < ROUNDS;
            one.looks += u32::from(ordinary);
        });
        ordinary
    }

    /// After a pause the object is looked at again, and what is found then is written at once.
    pub(crate) fn look_again(&mut self, id: OperationId) {
        self.change(id, |one| {
            one.looks = 1;
            one.look_first = true;
        });
    }

    /// A digest is its lane's head: until when it waits for more events, from the first time on.
    pub(crate) fn gathers_until(&mut self, id: OperationId, until: Instant) -> Instant {
        let mut ends = until;
        self.change(id, |one| ends = *one.gathers.get_or_insert(until));
        ends
    }

    /// What a digest's object has is known, or not.
    pub(crate) fn based_on(&mut self, id: OperationId, base: Option<Arc<Session>>) {
        self.change(id, |one| one.base = base);
    }

    /// A digest leaves with this state.
    pub(crate) fn leaves_as(&mut self, id: OperationId, session: Arc<Session>) {
        self.change(id, |one| one.sent = Some(session));
    }

    /// What of a digest was sent is stored.
    pub(crate) fn take_sent(&mut self, id: OperationId) -> Option<Arc<Session>> {
        let mut sent = None;
        self.change(id, |one| sent = one.sent.take());
        sent
    }

    fn change(&mut self, id: OperationId, change: impl FnOnce(&mut History)) {
        if let Some(history) = self.of.get_mut(&id) {
            change(history);
        }
    }
}
