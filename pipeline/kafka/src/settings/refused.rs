//! Raw properties that are reserved for the worker, each with the reason and what to do instead.

use super::ask::ask_one;
use super::fetch::prefetch_limit;
use super::oauth;
use super::options::{KafkaOptions, group_protocol_is_consumer};
use crate::error::SettingsError;

/// Properties refused whatever their value.
pub(super) const REFUSED: [(&str, &str); 23] = [
    ("bootstrap.servers", "set kafka.brokers instead"),
    ("metadata.broker.list", "set kafka.brokers instead"),
    ("group.id", "set kafka.group instead"),
    (
        "group.instance.id",
        "set kafka.instance_id instead, which may differ between replicas that share this file",
    ),
    (
        "group.protocol.type",
        "the worker is an ordinary consumer group; leave it out",
    ),
    (
        "enable.auto.commit",
        "only settled records are committed, and the worker does that itself; leave it out",
    ),
    (
        "auto.commit.enable",
        "only settled records are committed, and the worker does that itself; leave it out",
    ),
    (
        "auto.commit.interval.ms",
        "the worker commits by itself; its own commit interval is the setting to change",
    ),
    (
        "auto.offset.reset",
        "kafka.on_lost_position says what happens without a usable offset: hold, earliest or latest",
    ),
    (
        "enable.auto.offset.store",
        "an offset counts when its record is settled, not when it was fetched; leave it out",
    ),
    (
        "offset.store.method",
        "offsets are kept by the consumer group; leave it out",
    ),
    (
        "enable.partition.eof",
        "the ends of partitions would arrive as errors; leave it out",
    ),
    (
        "statistics.interval.ms",
        "the lag metrics come from these statistics; their interval is fixed, leave it out",
    ),
    (
        "request.required.acks",
        "a dead letter counts when all in-sync replicas have it; leave it out",
    ),
    (
        "acks",
        "a dead letter counts when all in-sync replicas have it; leave it out",
    ),
    (
        "enable.idempotence",
        "a retry must not write a dead letter twice; it is always on, leave it out",
    ),
    (
        "enable.gapless.guarantee",
        "one letter that fails must not fail the others; leave it out",
    ),
    (
        "transactional.id",
        "dead letters are not written in transactions; leave it out",
    ),
    (
        "delivery.report.only.error",
        "a dead letter is settled by its acknowledgement, which this silences; leave it out",
    ),
    (
        "message.timeout.ms",
        "the delivery time-out of dead letters is the worker's; leave it out",
    ),
    (
        "delivery.timeout.ms",
        "the delivery time-out of dead letters is the worker's; leave it out",
    ),
    (
        "test.mock.num.brokers",
        "it replaces the brokers with simulated ones; use the demo command instead",
    ),
    (
        "log.queue",
        "client logs are taken through it; leave it out",
    ),
];

/// Properties on which the brokers decide with `group.protocol: consumer`.
const NOT_WITH_CONSUMER_PROTOCOL: [(&str, &str); 3] = [
    ("session.timeout.ms", "group.consumer.session.timeout.ms"),
    (
        "heartbeat.interval.ms",
        "group.consumer.heartbeat.interval.ms",
    ),
    ("partition.assignment.strategy", "group.consumer.assignors"),
];

/// Refuses properties that are reserved for the worker.
pub(super) fn check(options: &KafkaOptions) -> Result<(), SettingsError> {
    let consumer_protocol = group_protocol_is_consumer(&options.properties);
    for (property, value) in &options.properties {
        let refuse = |reason: String| SettingsError::Refused {
            property: property.clone(),
            reason,
        };
        if let Some((_, reason)) = REFUSED.iter().find(|(name, _)| name == property) {
            return Err(refuse((*reason).to_owned()));
        }
        let brokers_decide = NOT_WITH_CONSUMER_PROTOCOL
            .iter()
            .find(|(name, _)| name == property);
        if let Some((_, at_broker)) = brokers_decide
            && consumer_protocol
        {
            return Err(refuse(format!(
                "with group.protocol `consumer` the brokers decide; set {at_broker} there"
            )));
        }
        match property.as_str() {
            "group.remote.assignor" if !consumer_protocol => {
                return Err(refuse(
                    "it is for group.protocol `consumer` only; set that too, or leave it out"
                        .to_owned(),
                ));
            }
            "partition.assignment.strategy" if value.trim() != "cooperative-sticky" => {
                return Err(refuse(
                    "partitions are handed back one rebalance at a time, which only \
                     `cooperative-sticky` allows; leave it out, or set group.protocol to `consumer`"
                        .to_owned(),
                ));
            }
            "sasl.oauthbearer.config" | "enable.sasl.oauthbearer.unsecure.jwt" => {
                return Err(refuse(
                    "tokens that nobody has signed are for tests of brokers; set sasl.oauthbearer.token.endpoint.url".to_owned(),
                ));
            }
            _ => {}
        }
        if oauth::is_one(property) {
            oauth::check(property, value)?;
            continue;
        }
        ask_one(property, value)?;
        if let Some(limit) = prefetch_limit(options.prefetch, property) {
            let asked: u64 = value.trim().parse().unwrap_or(u64::MAX);
            if asked > limit {
                return Err(refuse(format!(
                    "{asked} is more than the {limit} that fits the part of the budget kept for \
                     records fetched ahead; lower it, or raise budget.records and budget.bytes"
                )));
            }
        }
    }
    Ok(())
}
