//! Integration tests: one binary, so that the Kafka client is linked once.

mod real_kafka;
mod virtual_time;
mod vocabulary;
