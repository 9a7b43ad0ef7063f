//! What one replica may use of the fleet's target.

/// What one replica may use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cap {
    /// The part of the fleet's target that goes with its partitions.
    pub guaranteed: f64,
    /// What of it is lent to others.
    pub lent: f64,
    /// What others lend to it.
    pub borrowed: f64,
}

impl Cap {
    /// The part of the fleet's target that the replica may use.
    #[must_use]
    pub fn part(&self) -> f64 {
        (self.guaranteed - self.lent + self.borrowed).clamp(0.0, 1.0)
    }
}
