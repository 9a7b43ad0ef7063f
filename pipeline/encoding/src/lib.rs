//! From a record in some encoding to the same record in JSON.
//!
//! A topic has one [`Encoding`]. [`Encoding::open`] takes off what stands around a value (compression, the frame of a schema
//! registry), and writes what is inside as JSON text; the formats of `ingest-mapping` then read it as they read a producer's own JSON.
//! Values that are JSON already are not copied.
//!
//! It is pure: a schema is asked for by its id, and where it is not known yet, [`Opened::Needs`] says which one is missing. Whoever can wait
//! fetches it and opens the record again. Bytes are not trusted: depth, output and expansion have limits, and every loop
//! either reads input or writes output.

mod avro;
mod encoding;
mod expand;
mod fault;
mod frame;
mod json;
mod protobuf;
mod schema;
mod source;
mod texts;

pub use self::encoding::{Compression, Encoding, Kind, Opened};
pub use self::fault::{Fault, SchemaFault};
pub use self::frame::SchemaId;
pub use self::schema::{Found, NoSchemas, Schema, SchemaType, Schemas};
pub use self::source::Source;

#[cfg(test)]
mod tests;
