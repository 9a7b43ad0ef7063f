//! The machine's interface: what goes into it, what it asks for, and what it reports.

pub mod beliefs;
pub mod charge;
pub mod fact;
pub mod hold;
pub mod invariant;
pub mod port;
pub(crate) mod rider;
pub mod settled;
