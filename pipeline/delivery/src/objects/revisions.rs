//! The optimistic lock: which revision an update of an object may name, and when the lock is of no use.
//!
//! An update that names the revision last seen is refused if somebody else wrote in between, so an older state never
//! overwrites a newer one, not even from a job that was believed lost. Organisations start counting at 0 or at 1, which bulk
//! results do not show: the first number is learnt from an answer that shows one. If conflicts keep coming although nobody
//! else writes, the organisation counts differently, and the lock is given up for that klass.

use std::collections::BTreeMap;
use std::time::Instant;

use ingest_model::known::Revision;
use ingest_model::operation::{Klass, KlassKind};

use crate::seam::beliefs::Beliefs;

/// From this many updates of a klass on, the share of conflicts is judged.
const ENOUGH: u64 = 100;
/// More conflicts than one in this many updates turn the lock off. An organisation that counts differently refuses every second
/// update of an object that is written again and again, and one in three for objects that are written three times. Replicas
/// that write the same state one after the other, when answers are lost, stay far below. Keeping a useless lock costs reads.
const ONE_IN: u64 = 4;
/// So many looks must agree before an organisation is believed to start at 1, because somebody else writing the same state once
/// more looks the same. A number that is too low is refused; one that is too high may match the result of another's write.
const AGREED: u32 = 3;

/// What is known of revisions.
#[derive(Debug, Default)]
pub(crate) struct Revisions {
    start: Option<i64>,
    /// How many looks suggested that the organisation starts at 1.
    seemed_one: u32,
    never_shown: bool,
    /// Looks that may teach where the organisation starts: when each is given up.
    learning: Vec<Instant>,
    klasses: BTreeMap<Klass, Conflicts>,
    /// What is believed of klasses of custom objects until an answer shows it.
    believed: Option<bool>,
}

/// What the lock is worth for a klass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Not known yet: nobody has tried.
    Unknown,
    /// An update that names an old revision is refused.
    Honoured,
    /// Such an update is written, or revisions are not shown, or they are counted in an unknown way.
    Useless,
}

#[derive(Debug, Default)]
struct Conflicts {
    updates: u64,
    conflicts: u64,
    off: bool,
    honoured: Option<bool>,
    /// An update with an old revision is in flight, at the latest until then.
    tested_until: Option<Instant>,
    /// An object is looked at, to be updated with an old revision then, at the latest until then.
    probed_until: Option<Instant>,
}

/// Updates of companies have no field for a revision.
fn is_unlocked(klass: &Klass) -> bool {
    klass.kind() == KlassKind::Companies
}

impl Revisions {
    /// Begins with what was found out beforehand.
    pub(super) fn believing(beliefs: Beliefs) -> Self {
        Self {
            start: beliefs
                .first_revision
                .filter(|first| (0..=1).contains(first)),
            believed: beliefs.minds_revisions,
            ..Self::default()
        }
    }

    /// The revision that an update names; `None` leaves the lock out. Where counting has proved wrong, only a revision that was
    /// `just_read` is named.
    pub(crate) fn lock(&self, klass: &Klass, revision: Revision, just_read: bool) -> Option<i64> {
        if is_unlocked(klass) {
            return None;
        }
        let off = self.klasses.get(klass).is_some_and(|klass| klass.off);
        if off && !just_read {
            return None;
        }
        match revision {
            Revision::Known(rev) => Some(rev),
            Revision::SinceCreate(updates) => Some(self.start?.saturating_add(updates)),
            Revision::Unknown => None,
        }
    }

    /// What the lock is worth for a klass.
    pub(crate) fn trust(&self, klass: &Klass) -> Trust {
        if self.never_shown || is_unlocked(klass) {
            return Trust::Useless;
        }
        let seen = self.klasses.get(klass);
        if seen.is_some_and(|seen| seen.off) {
            return Trust::Useless;
        }
        let is_object = klass.kind() == KlassKind::Objects;
        let believed = self.believed.filter(|_| is_object);
        match seen.and_then(|seen| seen.honoured).or(believed) {
            Some(true) => Trust::Honoured,
            Some(false) => Trust::Useless,
            None => Trust::Unknown,
        }
    }

    /// Whether an update with an old revision is in flight.
    pub(crate) fn is_tested(&self, now: Instant, klass: &Klass) -> bool {
        self.klasses
            .get(klass)
            .and_then(|klass| klass.tested_until)
            .is_some_and(|until| now < until)
    }

    /// An update with an old revision is sent; its answer is waited for until then.
    pub(crate) fn test(&mut self, klass: &Klass, until: Instant) {
        self.klasses.entry(klass.clone()).or_default().tested_until = Some(until);
    }

    /// Whether somebody is finding out what the lock is worth for a klass.
    pub(crate) fn is_probed(&self, now: Instant, klass: &Klass) -> bool {
        let until = self.klasses.get(klass).and_then(|klass| klass.probed_until);
        until.is_some_and(|until| now < until)
    }

    /// An object of a klass is looked at, to find out then what the lock is worth; that may take until then.
    pub(crate) fn probe(&mut self, klass: &Klass, until: Instant) {
        if self.trust(klass) == Trust::Unknown {
            self.klasses.entry(klass.clone()).or_default().probed_until = Some(until);
        }
    }

    /// The test was answered: refused (`true`), written (`false`), or neither.
    pub(crate) fn tested(&mut self, klass: &Klass, honoured: Option<bool>) {
        let klass = self.klasses.entry(klass.clone()).or_default();
        klass.tested_until = None;
        klass.probed_until = None;
        klass.honoured = honoured.or(klass.honoured);
    }

    /// Whether an object has to be read before it is updated: the lock would help, but the revision is not known.
    pub(crate) fn needs_look(&self, klass: &Klass, revision: Revision) -> bool {
        let is_off = self.klasses.get(klass).is_some_and(|one| one.off);
        !is_off
            && !self.never_shown
            && !is_unlocked(klass)
            && self.lock(klass, revision, false).is_none()
    }

    /// An object is looked at; the answer is waited for until then. While it is not known where the organisation starts, it
    /// may teach that.
    pub(crate) fn look(&mut self, now: Instant, until: Instant) {
        if self.start.is_none() && !self.never_shown {
            self.learning.retain(|given_up| *given_up > now);
            self.learning.push(until);
        }
    }

    /// A look was answered, in whatever way.
    pub(crate) fn looked(&mut self) {
        self.learning.pop();
    }

    /// Whether as many looks are under way as it takes to learn where the organisation starts: others need not be paid for.
    pub(crate) fn is_learning(&self, now: Instant) -> bool {
        let under_way = self.learning.iter().filter(|given_up| **given_up > now);
        under_way.count() >= AGREED as usize
    }

    /// An object was read and showed no revision: there is nothing to learn.
    pub(crate) fn note_unshown(&mut self) {
        self.never_shown = true;
    }

    /// An object shows this revision and, going by its version, is as this process left it.
    pub(crate) fn learn(&mut self, before: Revision, shown: i64) {
        let Revision::SinceCreate(updates) = before else {
            return;
        };
        match shown.saturating_sub(updates) {
            0 => self.start = Some(0),
            1 if self.start.is_none() => {
                self.seemed_one += 1;
                if self.seemed_one >= AGREED {
                    self.start = Some(1);
                }
            }
            // Somebody else has written it too.
            _ => {}
        }
    }

    /// The answer to a create shows the revision at which objects start.
    pub(crate) fn learn_first(&mut self, shown: i64) {
        if (0..=1).contains(&shown) {
            self.start = Some(self.start.map_or(shown, |known| known.min(shown)));
        }
    }

    /// An update of a klass succeeded, or met a conflict although nobody else had written. `true` if this turned the lock off.
    /// Conflicts with the writes of others are what the lock is for, and are not counted.
    pub(crate) fn count(&mut self, klass: &Klass, conflict: bool) -> bool {
        let conflicts = self.klasses.entry(klass.clone()).or_default();
        conflicts.updates += 1;
        conflicts.conflicts += u64::from(conflict);
        let enough = conflict && conflicts.updates >= ENOUGH;
        let many = enough && conflicts.conflicts * ONE_IN > conflicts.updates;
        let turned = many && !conflicts.off;
        conflicts.off |= many;
        turned
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn order() -> Klass {
        Klass(Arc::from("order"))
    }

    #[test]
    fn the_start_is_learnt_once_and_counted_on() {
        let mut revisions = Revisions::default();
        let twice = Revision::SinceCreate(0).next().next();
        assert_eq!(revisions.lock(&order(), twice, false), None);
        assert!(revisions.needs_look(&order(), twice));
        revisions.learn(Revision::SinceCreate(3), 9);
        assert!(
            revisions.needs_look(&order(), twice),
            "others have written, too"
        );
        revisions.learn_first(1);
        assert!(!revisions.needs_look(&order(), twice));
        assert!(revisions.needs_look(&order(), Revision::Unknown));
        assert_eq!(revisions.lock(&order(), twice, false), Some(3));
        assert_eq!(
            revisions.lock(&order(), Revision::Known(7).next(), false),
            Some(8)
        );
        assert_eq!(revisions.lock(&order(), Revision::Unknown, false), None);
    }

    #[test]
    fn what_is_believed_counts_until_answers_show_otherwise() {
        let believing = |first_revision, minds_revisions| {
            Revisions::believing(Beliefs {
                first_revision,
                minds_revisions,
                ..Beliefs::default()
            })
        };
        let twice = Revision::SinceCreate(2);
        let mut revisions = believing(Some(1), Some(true));
        assert_eq!(revisions.lock(&order(), twice, false), Some(3));
        assert_eq!(revisions.trust(&order()), Trust::Honoured);
        assert_eq!(revisions.trust(&Klass::customer()), Trust::Unknown);
        revisions.learn_first(0);
        assert_eq!(revisions.lock(&order(), twice, false), Some(2));
        revisions.tested(&order(), Some(false));
        assert_eq!(revisions.trust(&order()), Trust::Useless);
        let mut revisions = believing(Some(7), Some(false));
        assert!(revisions.needs_look(&order(), twice), "nobody counts so");
        assert_eq!(revisions.trust(&order()), Trust::Useless);
        revisions.tested(&order(), Some(true));
        assert_eq!(revisions.trust(&order()), Trust::Honoured);
    }

    #[test]
    fn one_look_is_not_enough_for_the_higher_start() {
        let mut revisions = Revisions::default();
        let twice = Revision::SinceCreate(2);
        for _ in 1..AGREED {
            revisions.learn(Revision::SinceCreate(3), 4);
            assert_eq!(revisions.lock(&order(), twice, false), None);
        }
        revisions.learn(Revision::SinceCreate(0), 1);
        assert_eq!(revisions.lock(&order(), twice, false), Some(3));
        // No write of this process is missing, so the higher start came from somebody else's write.
        revisions.learn(Revision::SinceCreate(1), 1);
        assert_eq!(revisions.lock(&order(), twice, false), Some(2));
        revisions.learn(Revision::SinceCreate(1), 2);
        assert_eq!(revisions.lock(&order(), twice, false), Some(2));
    }

    #[test]
    fn too_many_conflicts_turn_the_lock_off() {
        let mut revisions = Revisions::default();
        for n in 0..99 {
            assert!(!revisions.count(&order(), n % 3 == 0));
        }
        assert!(revisions.count(&order(), true), "said once");
        assert!(!revisions.count(&order(), true));
        assert_eq!(revisions.lock(&order(), Revision::Known(1), false), None);
        assert!(!revisions.needs_look(&order(), Revision::Unknown));
    }

    #[test]
    fn a_few_conflicts_are_ordinary() {
        let mut revisions = Revisions::default();
        for n in 0..1_000 {
            assert!(!revisions.count(&order(), n % 10 == 0));
        }
        assert_eq!(revisions.lock(&order(), Revision::Known(1), false), Some(1));
    }
}
