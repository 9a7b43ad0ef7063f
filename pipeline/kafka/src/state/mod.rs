//! The state topic at the brokers: what it looks like, reading slices back, writing entries acknowledged.
//!
//! What entries mean is not known here; `ingest_model::state_log` reads and writes them.

mod inspect;
mod restore;
mod writer;

pub use self::inspect::{StateTopic, inspect, lay_out};
pub use self::restore::restore;
pub use self::writer::StateProducer;
