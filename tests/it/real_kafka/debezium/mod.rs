//! Rows that Debezium itself has written, from a real PostgreSQL through a real Kafka.
//!
//! The image is built by `.ci/debezium-image`. Without it these tests say that they did not run.

mod connect;
mod erased;
mod modes;
mod rows;

use std::ops::ControlFlow;
use std::time::Duration;

use ingest_kafka::{KafkaOptions, KafkaSettings};
use ingest_model::record::{Record, Topic};

use super::broker::Broker;
use super::wait_for;

/// All records of a topic, when there are at least so many.
async fn records(broker: &Broker, topic: &str, wanted: usize) -> Vec<Record> {
    let kafka = KafkaOptions::new(&broker.address, "debezium-judge", &[topic], "none");
    let kafka = KafkaSettings::try_new(kafka).unwrap();
    wait_for(
        &format!("{wanted} records in {topic}"),
        String::new,
        async || {
            let (kafka, topic) = (kafka.clone(), Topic::new(topic));
            let read = tokio::task::spawn_blocking(move || {
                let mut records = Vec::new();
                let read = ingest_kafka::reader::read_topic(
                    &kafka,
                    &topic,
                    Duration::from_secs(10),
                    |record| {
                        records.push(record);
                        ControlFlow::Continue(())
                    },
                );
                read.is_ok().then_some(records)
            });
            read.await
                .unwrap()
                .filter(|records| records.len() >= wanted)
        },
    )
    .await
}
