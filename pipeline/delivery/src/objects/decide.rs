//! What the write of an object may do next: a function of what is known, without side effects.

use std::time::Instant;

use uuid::Uuid;

use super::history::History;
use super::revisions::{Revisions, Trust};
use ingest_model::batch::{GroupKey, Verb};
use ingest_model::known::KnownObject;
use ingest_model::operation::{KObject, Version};
use ingest_model::outcome::SkipReason;

/// What a write that has its turn does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The object is looked at first.
    Look,
    /// The object is updated. At which revision stands in the history.
    Update,
    /// The object is updated alone, with a revision that is known to be old: the answer tells whether the organisation minds.
    TestLock,
    /// The object is made, once its customer is known.
    Create,
    /// Another write of the klass is testing the lock.
    AwaitTest,
    /// There is nothing to be written.
    Skip(SkipReason),
    /// Its version and the object's are of two kinds.
    Mixed(String),
}

/// What a decision depends on besides the object and its history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// What stands, as far as known.
    pub(crate) standing: Option<&'a KnownObject>,
    /// All that it changes was made before, to the state that stands.
    pub(crate) made: bool,
    /// All records of the object reach one partition.
    pub(crate) keyed: bool,
    /// Nobody else writes what this replica writes.
    pub(crate) alone: bool,
    /// Writes of the klass are held.
    pub(crate) held: bool,
}

/// Decides what goes next for an object.
pub(crate) fn decide(
    now: Instant,
    object: &KObject,
    history: &History,
    known: Known<'_>,
    revisions: &Revisions,
) -> Decision {
    if history.is_to_look() {
        return Decision::Look;
    }
    let Some(standing) = known.standing else {
        return match &history.object_id {
            None => Decision::Create,
            // It was found before and has been forgotten since: it is there all the same. What is to be compared with it has
            // to be read again.
            Some(_) if object.version.is_some() => Decision::Look,
            Some(_) => Decision::Update,
        };
    };
    if known.made {
        return Decision::Skip(SkipReason::Repeat);
    }
    if standing.is_newer_than(object.version.as_ref()) {
        return Decision::Skip(SkipReason::Stale);
    }
    if let Some(detail) = mixed(object, standing.version.as_ref()) {
        return Decision::Mixed(detail);
    }
    let same = || standing.fingerprint == Some(fingerprint(object));
    if known.keyed && !history.is_doubted() && same() {
        return Decision::Skip(SkipReason::Unchanged);
    }
    if standing.id.is_none() {
        return Decision::Look;
    }
    if object.version.is_none() {
        return Decision::Update;
    }
    let company = !known.alone || standing.doubtful;
    if !known.keyed && company {
        match (revisions.trust(&object.klass), history.has_looked()) {
            (Trust::Honoured, looked) => {
                let lock = revisions.lock(&object.klass, standing.revision, looked);
                if lock.is_none() && !looked {
                    return Decision::Look;
                }
            }
            // What is read last is what stands, but for the time until the write has run.
            (Trust::Useless, false) => return Decision::Look,
            (Trust::Useless, true) => return Decision::Update,
            // What a held klass is tried with, and what was refused in a test, has to mean what it says.
            (Trust::Unknown, true) if history.was_refused_in_test() || known.held => {
                return Decision::Update;
            }
            (Trust::Unknown, _) if revisions.is_tested(now, &object.klass) => {
                return Decision::AwaitTest;
            }
            (Trust::Unknown, false) => return Decision::Look,
            (Trust::Unknown, true) => return Decision::TestLock,
        }
    }
    // Without a revision an update could land on a newer state. The first look teaches where this organisation begins to
    // count, for all objects made here.
    if revisions.needs_look(&object.klass, standing.revision) {
        return Decision::Look;
    }
    Decision::Update
}

impl Decision {
    /// The group that a write goes with.
    pub(crate) fn group(&self, object: &KObject) -> Option<GroupKey> {
        let verb = match self {
            Self::Update | Self::TestLock => Verb::Update,
            Self::Create => Verb::Create,
            Self::Look | Self::AwaitTest | Self::Skip(_) | Self::Mixed(_) => return None,
        };
        let klass = object.klass.clone();
        Some(GroupKey { klass, verb })
    }
}

/// What is wrong where an object stands with a version of another kind than is to be written.
pub(crate) fn mixed(object: &KObject, standing: Option<&Version>) -> Option<String> {
    let (ours, theirs) = (object.version.as_ref()?, standing?);
    ours.compare(theirs).is_none().then(|| {
        format!(
            "the version is {}, and the {} stands with one that is {}: between the two nobody can tell which is newer; all \
             routes of a klass need versions of one kind",
            ours.kind().as_str(),
            object.klass,
            theirs.kind().as_str()
        )
    })
}

/// The namespace of fingerprints. Fixed: they are compared with what an earlier process wrote.
const FINGERPRINTS: Uuid = Uuid::from_u128(0x6b75_7374_6f6d_6572_2d69_6e67_6573_7403);

/// A hash of what a write would say, the same in every process.
#[must_use]
pub fn fingerprint(object: &KObject) -> u64 {
    let body = serde_json::to_vec(object.body.as_ref()).unwrap_or_default();
    Uuid::new_v5(&FINGERPRINTS, &body).as_u64_pair().0
}
