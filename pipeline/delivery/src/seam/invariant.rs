//! The system's invariants, by id. A broken one panics in debug builds and is counted in release builds.
//!
//! Each is constructed (the code that keeps it cannot do otherwise) and audited (by a check that does not share that code).
//! This module serves the audit.

/// What must always be true. The statements are in `docs/ARCHITECTURE.md`.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// No offset is committed while a lower one of the same epoch is unsettled.
    I1,
    /// Operations of one lane are sent in order and never overlap.
    I2,
    /// Every record is settled exactly once per epoch.
    I3,
    /// A dead-lettered record is settled only after its dead letter was acknowledged.
    I4,
    /// Budget used is charged less refunded, and zero when drained.
    I5,
    /// No more permits in any minute than the allowance for that time.
    I6,
    /// Nothing is sent for a partition after it was handed back.
    I7,
    /// Issued commits per partition and epoch only increase.
    I8,
    /// The guaranteed shares of all replicas never add up to more than 1.
    I9,
    /// A frontier that does not move has a cause that can be named.
    I10,
}

/// Violations since they were last taken.
#[derive(Debug, Default)]
pub struct Audit {
    broken: Vec<Invariant>,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: &'static [Self] = &[
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
    ];

    /// The id in metrics and documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::I1 => "I1",
            Self::I2 => "I2",
            Self::I3 => "I3",
            Self::I4 => "I4",
            Self::I5 => "I5",
            Self::I6 => "I6",
            Self::I7 => "I7",
            Self::I8 => "I8",
            Self::I9 => "I9",
            Self::I10 => "I10",
        }
    }
}

impl Audit {
    /// Notes a violation when `holds` is false.
    ///
    /// # Panics
    /// In debug builds, so that no test overlooks a broken invariant.
    pub fn check(&mut self, invariant: Invariant, holds: bool) {
        if !holds {
            debug_assert!(holds, "invariant {} is broken", invariant.as_str());
            self.broken.push(invariant);
        }
    }

    /// The violations since the last call.
    pub fn take(&mut self) -> Vec<Invariant> {
        std::mem::take(&mut self.broken)
    }
}
