//! Integration tests: one binary, so that the Kafka client is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, wherever the line stands"
)]

mod crash;
mod dataset;
mod documents;
mod embedded;
mod peers;
mod real_kafka;
mod real_registry;
mod reliability;
mod structure;
mod virtual_time;
mod vocabulary;
