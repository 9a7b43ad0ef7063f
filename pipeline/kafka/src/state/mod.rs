//! The state topic in Kafka: inspecting it, reading slices back, writing entries with acknowledgement.
//!
//! What entries mean is not known here; `ingest_model::state_log` encodes and decodes them.

mod inspect;
mod restore;
mod writer;

pub use self::inspect::{StateTopic, inspect, lay_out};
pub use self::restore::restore;
pub use self::writer::StateProducer;
