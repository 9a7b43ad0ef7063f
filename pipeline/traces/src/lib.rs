//! Traces: the contexts that records carry, which of them are followed, spans, and their export by OTLP over HTTP.
//!
//! Nothing here knows what a span is about. A caller makes a [`Span`] from plain values when it has ended, and hands it to
//! [`Spans`], which never waits: what does not fit into the queue is dropped and counted. A task of its own sends batches.
//! Whatever becomes of them is told to the caller ([`Told`]) and has no other effect.
//!
//! * [`context`]: W3C trace context, read from headers of records;
//! * [`sampler`]: which records are followed, and how many spans a second there may be;
//! * [`span`]: a finished span;
//! * [`resource`]: who sends it;
//! * `wire`: its form as OTLP has it, in Protobuf;
//! * [`exporter`]: the queue and the task; `client`: one request; `settings`: where it goes.

mod client;
pub mod context;
pub mod exporter;
pub mod resource;
pub mod sampler;
mod settings;
pub mod span;
#[cfg(test)]
mod tests;
mod wire;

pub use self::client::{Collector, CollectorError, ExportError, traces_of};
pub use self::context::{Context, Ids, SpanId, TraceId};
pub use self::exporter::{Reason, Service, Spans, Told, start};
pub use self::resource::Resource;
pub use self::sampler::Sampler;
pub use self::settings::{ExportSettings, Headers};
pub use self::span::{Kind, Link, Span, Value};
