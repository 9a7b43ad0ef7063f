//! Decides what the write of an object may do next: a function of what is known, without side effects.

use std::time::Instant;

use super::history::History;
use super::revisions::{Revisions, Trust};
use ingest_model::batch::{GroupKey, Verb};
use ingest_model::known::{KnownObject, Revision};
use ingest_model::operation::{KObject, Version};
use ingest_model::outcome::SkipReason;

/// What a write does when it is its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Look at the object first.
    Look,
    /// Update the object, at the revision noted in the history.
    Update,
    /// Update the object alone, naming a revision that is known to be old: the answer shows whether revisions are checked.
    TestLock,
    /// Create the object, once its customer is known.
    Create,
    /// Wait: what other writes are asking will tell how this one has to be made.
    AwaitAnswers,
    /// Delete the object.
    Delete,
    /// End: there is nothing to write.
    Skip(SkipReason),
    /// End: its version and the object's are of different kinds.
    Mixed(String),
}

/// What a decision depends on besides the object and its history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The object's present state, as far as known.
    pub(crate) standing: Option<&'a KnownObject>,
    /// All its changes were made before, and the present state includes them.
    pub(crate) made: bool,
    /// All records of the object are in one partition.
    pub(crate) keyed: bool,
    /// Nobody else writes what this replica writes.
    pub(crate) alone: bool,
    /// Writes of the klass are held.
    pub(crate) held: bool,
    /// It exists, though nothing else is known of it: a customer whose id is known.
    pub(crate) exists: bool,
}

/// Decides what is done next for an object.
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
    if object.deletes {
        return deletion(object, history, known);
    }
    // An update of a customer has to name the company that it has, so nobody may have given it another one since.
    let guards_company = object.klass.is_customer();
    let guarded = object.version.is_some() || guards_company;
    let Some(standing) = known.standing else {
        return match &history.object_id {
            None if known.exists => Decision::Look,
            None => Decision::Create,
            // It was found before, and its state was forgotten since: it still exists. If versions have to be compared, it has
            // to be read again.
            Some(_) if guarded => Decision::Look,
            Some(_) => Decision::Update,
        };
    };
    if let Some(decided) = beside(object, known, standing) {
        return decided;
    }
    if standing.gone {
        return Decision::Create;
    }
    let same = || standing.fingerprint == Some(fingerprint(object));
    if known.keyed && !history.is_doubted() && same() {
        return Decision::Skip(SkipReason::Unchanged);
    }
    let half_known = guards_company && standing.company.is_unknown();
    if standing.id.is_none() || half_known {
        return Decision::Look;
    }
    if !guarded {
        return Decision::Update;
    }
    // Agents write customers, too.
    let others = !known.alone || standing.doubtful || guards_company;
    if others && (!known.keyed || guards_company) {
        match (revisions.trust(&object.klass), history.has_looked()) {
            (Trust::Honoured, looked) => {
                let lock = revisions.lock(&object.klass, standing.revision, looked);
                if lock.is_none() && !looked {
                    let counted = matches!(standing.revision, Revision::SinceCreate(_));
                    let learns = guards_company && counted && revisions.is_learning(now);
                    return if learns {
                        Decision::AwaitAnswers
                    } else {
                        Decision::Look
                    };
                }
            }
            // What was just read is current, except for changes until the write runs.
            (Trust::Useless, false) => return Decision::Look,
            (Trust::Useless, true) => return Decision::Update,
            // The probe of a held klass, and a write refused in a test, name the right revision, so the answer is unambiguous.
            (Trust::Unknown, true) if history.was_refused_in_test() || known.held => {
                return Decision::Update;
            }
            (Trust::Unknown, _) if revisions.is_tested(now, &object.klass) => {
                return Decision::AwaitAnswers;
            }
            // Every update of a customer needs to know, so one of them finds out.
            (Trust::Unknown, false)
                if guards_company && revisions.is_probed(now, &object.klass) =>
            {
                return Decision::AwaitAnswers;
            }
            (Trust::Unknown, false) => return Decision::Look,
            (Trust::Unknown, true) => return Decision::TestLock,
        }
    }
    // Without a revision, an update could overwrite a newer state. The first look teaches where this organisation starts
    // counting, for all objects created here.
    if revisions.needs_look(&object.klass, standing.revision) {
        return if revisions.is_learning(now) {
            Decision::AwaitAnswers
        } else {
            Decision::Look
        };
    }
    Decision::Update
}

/// What the known state alone decides, whatever is to be done with the object.
fn beside(object: &KObject, known: Known<'_>, standing: &KnownObject) -> Option<Decision> {
    if known.made {
        return Some(Decision::Skip(SkipReason::Repeat));
    }
    if standing.is_newer_than(object.version.as_ref()) {
        return Some(Decision::Skip(SkipReason::Stale));
    }
    mixed(object, standing.version.as_ref()).map(Decision::Mixed)
}

/// Decides what is done next for an object that is to go. Nothing can be said to the API that would keep it from deleting a newer
/// state, so where others write, the object is looked at right before.
fn deletion(object: &KObject, history: &History, known: Known<'_>) -> Decision {
    let Some(standing) = known.standing else {
        return Decision::Look;
    };
    if let Some(decided) = beside(object, known, standing) {
        return decided;
    }
    // A request to delete names no revision, and what is known may be from before the partition was elsewhere: so even of a
    // topic with keys only a replica that is alone believes it.
    let others = standing.doubtful || !known.alone;
    let compares = object.version.is_some() && others;
    match &standing.id {
        _ if compares && !history.has_looked() => Decision::Look,
        None if standing.gone => Decision::Skip(SkipReason::NotThere),
        None => Decision::Look,
        Some(_) => Decision::Delete,
    }
}

impl Decision {
    /// The group in which this is written.
    pub(crate) fn group(&self, object: &KObject) -> Option<GroupKey> {
        let verb = match self {
            Self::Update | Self::TestLock => Verb::Update,
            Self::Create => Verb::Create,
            Self::Delete => Verb::Delete,
            Self::Look | Self::AwaitAnswers | Self::Skip(_) | Self::Mixed(_) => return None,
        };
        let klass = object.klass.clone();
        Some(GroupKey { klass, verb })
    }
}

/// What is wrong if an object has a version of another kind than the one to be written.
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

/// A hash of what a write would say, the same in every process.
#[must_use]
pub fn fingerprint(object: &KObject) -> u64 {
    object.fingerprint()
}
