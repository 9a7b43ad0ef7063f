//! The words of the seam: what goes into the machine, what it wants done, and what it tells of itself.

pub mod charge;
pub mod fact;
pub mod hold;
pub mod invariant;
pub mod port;
