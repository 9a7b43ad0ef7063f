//! Integration tests: one binary, so that the Kafka client is linked once.

mod virtual_time;
mod vocabulary;
