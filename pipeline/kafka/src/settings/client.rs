//! Converts checked options to client configurations.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::fetch::FetchLimits;
use super::oauth;
use super::options::{KafkaOptions, OnLostPosition, group_protocol_is_consumer};
use super::security::Protocol;
use crate::client::topic_ids::DEBUG_CONTEXT;

/// How often the partition counts of the topics are refreshed.
pub const TOPOLOGY_INTERVAL: Duration = Duration::from_secs(60);
/// The smallest value that the client accepts for its largest message.
const MESSAGE_BYTES_MIN: usize = 1_000;
/// The client's own default for a consumer's largest message; larger records are fetched all the same.
const MESSAGE_BYTES_DEFAULT: usize = 1_000_000;
/// The largest record that a topic may reasonably carry, and so the largest dead letter; a broker with a smaller limit
/// refuses it.
const PRODUCED_BYTES_MAX: usize = 100_000_000;
/// The group's consumer.
pub(super) fn consumer(options: &KafkaOptions, protocol: Protocol) -> ClientConfig {
    let limits = FetchLimits::of(options.prefetch);
    let mut config = base(options, protocol);
    let reset = match options.on_lost_position {
        OnLostPosition::Hold | OnLostPosition::Earliest => "earliest",
        OnLostPosition::Latest => "latest",
    };
    if !group_protocol_is_consumer(&options.properties) {
        config.set("partition.assignment.strategy", "cooperative-sticky");
    }
    config
        .set("auto.offset.reset", reset)
        .set("isolation.level", "read_committed")
        // Added partitions are handed out when the client sees them.
        .set("topic.metadata.refresh.interval.ms", TOPOLOGY_INTERVAL.as_millis().to_string())
        .set("queued.max.messages.kbytes", limits.queued_kbytes.to_string())
        .set("queued.min.messages", limits.queued_records.to_string())
        .set("fetch.max.bytes", limits.fetch_bytes.to_string())
        .set("fetch.message.max.bytes", limits.partition_bytes.to_string())
        // The client insists that its largest message fits into one answer. That does not exclude larger ones: a broker
        // always sends the first record of a partition whole.
        .set("message.max.bytes", limits.fetch_bytes.min(MESSAGE_BYTES_DEFAULT).to_string())
        // How soon a full queue is filled again; the client's default of one second would starve small budgets.
        .set("fetch.queue.backoff.ms", "50");
    pass_through(&mut config, options);
    for alias in ["fetch.message.max.bytes", "max.partition.fetch.bytes"] {
        if let Some(value) = options.properties.get(alias) {
            config.remove("max.partition.fetch.bytes");
            config.set("fetch.message.max.bytes", value);
        }
    }
    let message_bytes = config
        .get("fetch.max.bytes")
        .and_then(|bytes| bytes.trim().parse::<usize>().ok())
        .map_or(MESSAGE_BYTES_DEFAULT, |bytes| {
            bytes.clamp(MESSAGE_BYTES_MIN, MESSAGE_BYTES_DEFAULT)
        });
    config
        .set("message.max.bytes", message_bytes.to_string())
        .set("group.id", &options.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "false")
        .set(
            "statistics.interval.ms",
            options.statistics_interval.as_millis().to_string(),
        );
    if let Some(id) = &options.instance_id {
        config.set("group.instance.id", id);
    }
    let debug = match options.properties.get("debug") {
        Some(asked) => format!("{asked},{DEBUG_CONTEXT}"),
        None => DEBUG_CONTEXT.to_owned(),
    };
    config.set("debug", debug);
    config.set_log_level(RDKafkaLogLevel::Debug);
    config
}

/// The producer of dead letters and of everything else that must not be lost.
pub(super) fn producer(options: &KafkaOptions, protocol: Protocol) -> ClientConfig {
    let mut config = base(options, protocol);
    config
        .set("message.max.bytes", PRODUCED_BYTES_MAX.to_string())
        .set("compression.type", "zstd")
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "10000")
        .set("queue.buffering.max.kbytes", "131072")
        // Puts a key into the same partition as Java producers do.
        .set("partitioner", "murmur2_random");
    pass_through(&mut config, options);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set(
            "message.timeout.ms",
            options.delivery_timeout.as_millis().max(1).to_string(),
        );
    config
}

/// A consumer outside any group: reads topics, partition counts and offsets.
pub(super) fn reader(options: &KafkaOptions, protocol: Protocol) -> ClientConfig {
    let mut config = consumer(options, protocol);
    for property in [
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.remote.assignor",
        "partition.assignment.strategy",
        "debug",
    ] {
        config.remove(property);
    }
    if let Some(debug) = options.properties.get("debug") {
        config.set("debug", debug);
    }
    config
        .set("enable.partition.eof", "true")
        .set("statistics.interval.ms", "0");
    config
}

fn base(options: &KafkaOptions, protocol: Protocol) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", &options.client_id)
        // A commit that reaches no broker fails after about twice this time, so that a drain can go on.
        .set("socket.timeout.ms", "10000")
        // A broker that comes back is found within this time.
        .set("reconnect.backoff.max.ms", "2000")
        .set("security.protocol", protocol.as_str());
    if protocol.is_tls() && !options.properties.contains_key("ssl.ca.pem") {
        // The library that is built in would look for authorities where it was built.
        config.set("ssl.ca.location", "probe");
    }
    config
}

fn pass_through(config: &mut ClientConfig, options: &KafkaOptions) {
    for (property, value) in &options.properties {
        if !oauth::is_one(property) {
            config.set(property, value);
        }
    }
}
