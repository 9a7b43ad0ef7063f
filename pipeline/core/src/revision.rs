//! The optimistic lock: which revision an update of an object may name, and when the lock is of no use.
//!
//! An update that names the revision last seen is refused when somebody else wrote in between, so an older state never
//! lands on a newer one, not even from a job that was thought lost. Organisations begin to count at 0 or at 1, which bulk
//! results do not show: the first number is learnt from an answer that shows one. Where conflicts keep coming although
//! nobody else writes, the organisation counts differently, and the lock is given up for that klass.

use std::collections::HashMap;

use crate::operation::Klass;

/// Updates of a klass after which the share of conflicts means something.
const ENOUGH: u64 = 100;
/// Conflicts above one in this many updates turn the lock off.
const ONE_IN: u64 = 20;

/// What is known of revisions.
#[derive(Debug, Default)]
pub struct Revisions {
    start: Option<i64>,
    never_shown: bool,
    klasses: HashMap<Klass, Conflicts>,
}

/// The revision of an object as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// It was shown, or shown and counted on.
    Known(i64),
    /// The object was created by this process and updated that often since.
    SinceCreate(i64),
    /// Nothing is known.
    Unknown,
}

#[derive(Debug, Default)]
struct Conflicts {
    updates: u64,
    conflicts: u64,
    off: bool,
}

impl Revision {
    /// The revision after one more write of this process.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Known(rev) => Self::Known(rev.saturating_add(1)),
            Self::SinceCreate(updates) => Self::SinceCreate(updates.saturating_add(1)),
            Self::Unknown => Self::Unknown,
        }
    }
}

impl Revisions {
    /// The revision that an update names; `None` leaves the lock out.
    #[must_use]
    pub fn lock(&self, klass: &Klass, revision: Revision) -> Option<i64> {
        if self
            .klasses
            .get(klass)
            .is_some_and(|conflicts| conflicts.off)
        {
            return None;
        }
        match revision {
            Revision::Known(rev) => Some(rev),
            Revision::SinceCreate(updates) => Some(self.start?.saturating_add(updates)),
            Revision::Unknown => None,
        }
    }

    /// Whether an object has to be read before it is updated: the lock would be of use, but the revision is not known.
    #[must_use]
    pub fn needs_look(&self, klass: &Klass, revision: Revision) -> bool {
        let is_off = self.klasses.get(klass).is_some_and(|one| one.off);
        !is_off && !self.never_shown && self.lock(klass, revision).is_none()
    }

    /// An object was read and showed no revision: there is nothing to learn.
    pub fn note_unshown(&mut self) {
        self.never_shown = true;
    }

    /// An object of which the number of own writes is known shows this revision.
    pub fn learn(&mut self, before: Revision, shown: i64) {
        if let Revision::SinceCreate(updates) = before
            && self.start.is_none()
        {
            self.start = Some(shown.saturating_sub(updates));
        }
    }

    /// An update of a klass succeeded, or met a conflict although nobody else had written. `true` if the lock was turned off
    /// by it. Conflicts with what others wrote are what the lock is for, and count for nothing.
    pub fn count(&mut self, klass: &Klass, conflict: bool) -> bool {
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
        assert_eq!(revisions.lock(&order(), twice), None);
        assert!(revisions.needs_look(&order(), twice));
        revisions.learn(Revision::SinceCreate(3), 4);
        assert!(!revisions.needs_look(&order(), twice));
        assert!(revisions.needs_look(&order(), Revision::Unknown));
        assert_eq!(revisions.lock(&order(), twice), Some(3));
        assert_eq!(revisions.lock(&order(), Revision::Known(7).next()), Some(8));
        assert_eq!(revisions.lock(&order(), Revision::Unknown), None);
    }

    #[test]
    fn too_many_conflicts_turn_the_lock_off() {
        let mut revisions = Revisions::default();
        for n in 0..99 {
            assert!(!revisions.count(&order(), n % 10 == 0));
        }
        assert!(revisions.count(&order(), true), "said once");
        assert!(!revisions.count(&order(), true));
        assert_eq!(revisions.lock(&order(), Revision::Known(1)), None);
        assert!(!revisions.needs_look(&order(), Revision::Unknown));
    }

    #[test]
    fn a_few_conflicts_are_ordinary() {
        let mut revisions = Revisions::default();
        for n in 0..1_000 {
            assert!(!revisions.count(&order(), n % 50 == 0));
        }
        assert_eq!(revisions.lock(&order(), Revision::Known(1)), Some(1));
    }
}
