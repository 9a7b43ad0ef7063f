//! From the bytes of a record to operations: decoding, identity, mapping files, bodies.
//!
//! The functions are pure: nothing here waits, locks, logs or reads a clock.

pub mod body;
pub mod decode;
pub mod event;
pub mod identity;
pub mod mapping;
pub mod route;
pub mod testing;
pub mod value;
