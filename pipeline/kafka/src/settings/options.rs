//! Settings as they are read, not yet checked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::client::tokens::TokenSource;

/// Settings as read from the configuration, not yet checked.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `kafka.brokers`: `host:port`, separated by commas.
    pub brokers: String,
    /// `kafka.group`: the consumer group that all replicas share.
    pub group: String,
    /// `kafka.instance_id`: makes this process a static member of the group; must be unique among processes.
    pub instance_id: Option<String>,
    /// The names in `kafka.topics`.
    pub topics: Vec<String>,
    /// `kafka.dead_letter_topic`.
    pub dead_letter_topic: String,
    /// `kafka.hold_topic`.
    pub hold_topic: Option<String>,
    /// `kafka.properties`: raw client settings.
    pub properties: BTreeMap<String, String>,
    /// The part of the budget that prefetched records may take.
    pub prefetch: Prefetch,
    /// The client id that this process sends to the brokers.
    pub client_id: String,
    /// How long a revoked partition may take to be handed back.
    pub drain_deadline: Duration,
    /// How often offsets are reported.
    pub statistics_interval: Duration,
    /// The time limit for the acknowledgement of a produced record.
    pub delivery_timeout: Duration,
    /// `state.topic`. If set, a new partition delivers nothing until it is resumed: its state is restored first.
    pub state_topic: Option<String>,
    /// `kafka.on_lost_position`.
    pub on_lost_position: OnLostPosition,
    /// Gives tokens where `sasl.mechanism` is OAUTHBEARER.
    pub tokens: Option<Arc<dyn TokenSource>>,
}

/// What to do with a partition whose committed offset lies below the start of its log, and where a group without one begins. An
/// offset above the end leads to the start, or with `Latest` to the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnLostPosition {
    /// It is not read until a person has decided. A group without an offset begins at the start of the log.
    #[default]
    Hold,
    /// It is read from the start of its log.
    Earliest,
    /// It is read from the end of its log; what is in it is not read.
    Latest,
}

/// How much may be prefetched in total: client queue, broker answers and event channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefetch {
    /// Records.
    pub records: usize,
    /// Bytes of keys, values and headers.
    pub bytes: usize,
}

/// Whether a property's value must never be shown.
pub(super) fn is_secret(property: &str) -> bool {
    let name = property.to_ascii_lowercase();
    [
        "password",
        "secret",
        ".pem",
        "token",
        "credential",
        "oauthbearer.config",
        "jaas",
    ]
    .iter()
    .any(|part| name.contains(part))
}

pub(super) fn group_protocol_is_consumer(properties: &BTreeMap<String, String>) -> bool {
    properties
        .get("group.protocol")
        .is_some_and(|value| value.eq_ignore_ascii_case("consumer"))
}

// === impl OnLostPosition ===

impl OnLostPosition {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Hold, Self::Earliest, Self::Latest];

    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Earliest => "earliest",
            Self::Latest => "latest",
        }
    }
}

// === impl KafkaOptions ===

impl KafkaOptions {
    /// Options with the documented defaults: a drain deadline of 20 s, statistics every 5 s, a delivery time-out of 30 s,
    /// a prefetch of 16 MiB and 10,000 records.
    #[must_use]
    pub fn new(brokers: &str, group: &str, topics: &[&str], dead_letter_topic: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            group: group.to_owned(),
            instance_id: None,
            topics: topics.iter().map(|name| (*name).to_owned()).collect(),
            dead_letter_topic: dead_letter_topic.to_owned(),
            hold_topic: None,
            on_lost_position: OnLostPosition::default(),
            properties: BTreeMap::new(),
            prefetch: Prefetch {
                records: 10_000,
                bytes: 16 * 1024 * 1024,
            },
            client_id: "kustomer-ingest".to_owned(),
            drain_deadline: Duration::from_secs(20),
            statistics_interval: Duration::from_secs(5),
            delivery_timeout: Duration::from_secs(30),
            state_topic: None,
            tokens: None,
        }
    }
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: BTreeMap<&str, &str> = self
            .properties
            .iter()
            .map(|(name, value)| {
                let shown = if is_secret(name) {
                    "[secret]"
                } else {
                    value.as_str()
                };
                (name.as_str(), shown)
            })
            .collect();
        f.debug_struct("KafkaOptions")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("instance_id", &self.instance_id)
            .field("topics", &self.topics)
            .field("dead_letter_topic", &self.dead_letter_topic)
            .field("hold_topic", &self.hold_topic)
            .field("properties", &properties)
            .field("prefetch", &self.prefetch)
            .field("client_id", &self.client_id)
            .field("drain_deadline", &self.drain_deadline)
            .field("statistics_interval", &self.statistics_interval)
            .field("delivery_timeout", &self.delivery_timeout)
            .field("state_topic", &self.state_topic)
            .field("tokens", &self.tokens)
            .finish()
    }
}

// === impl Prefetch ===

impl Prefetch {
    /// Records that may wait in the event channel.
    #[must_use]
    pub fn channel_records(self) -> usize {
        (self.records / 4).clamp(1, 4096)
    }

    /// Bytes that may wait in the event channel, overshot by at most one record.
    #[must_use]
    pub fn channel_bytes(self) -> usize {
        self.bytes / 4
    }
}
