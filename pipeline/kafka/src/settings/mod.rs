//! Settings that cannot be wrong: [`KafkaOptions`] as read, [`KafkaSettings`] as checked.
//!
//! Raw client properties pass through, except those on whose values the worker's guarantees rest: each of these is
//! refused with the reason and what to do instead (`refused`). The client library itself is asked whether a property
//! exists and whether its value is legal.
//!
//! Prefetched records are part of the worker's memory budget. Of [`Prefetch`], half goes to the client's queue, a quarter
//! to one answer of a broker (which may overshoot the queue, per broker), a quarter to the event channel. Brokers count
//! compressed bytes, so by default an answer is limited to what fits that quarter even if compressed sixteen times; raw
//! properties may raise that to what fits uncompressed.

use std::fmt;
use std::time::Duration;

use ingest_model::record::Topic;
use rdkafka::ClientConfig;

use crate::client::tokens::Tokens;
use crate::error::SettingsError;

mod ask;
mod client;
mod fetch;
pub mod oauth;
mod options;
mod refused;
pub mod security;
mod stalls;
#[cfg(test)]
mod tests;

pub use self::client::TOPOLOGY_INTERVAL;
use self::options::group_protocol_is_consumer;
pub use self::options::{KafkaOptions, OnLostPosition, Prefetch};
use self::security::{Connection, Protocol};
pub use self::stalls::KnownStall;

/// The longest name that Kafka allows a topic.
const TOPIC_NAME_MAX: usize = 249;
/// With less, not even an ordinary record would fit.
const PREFETCH_BYTES_MIN: usize = 64 * 1024;
/// One for each of the places that hold records.
const PREFETCH_RECORDS_MIN: usize = 4;

/// Checked settings, ready for creating clients.
#[derive(Clone)]
pub struct KafkaSettings {
    options: KafkaOptions,
    topics: Vec<Topic>,
    consumer: ClientConfig,
    producer: ClientConfig,
    reader: ClientConfig,
    session_timeout: Option<Duration>,
    max_poll_interval: Duration,
}

// === impl KafkaSettings ===

impl KafkaSettings {
    /// Checks everything that can be checked without a broker.
    ///
    /// # Errors
    /// Names the setting or raw property that cannot be used, with the reason and what to do.
    pub fn try_new(options: KafkaOptions) -> Result<Self, SettingsError> {
        let known = options.properties.iter();
        let known = known.map(|(name, value)| (name.clone(), Some(value.clone())));
        let connection = Connection::of(&options.brokers, &known.collect());
        // Whatever is wrong with a single setting is the better message.
        let settings = Self::apart(
            options,
            connection
                .as_ref()
                .map_or(Protocol::Plaintext, |one| one.protocol),
        )?;
        connection.map(|_| settings)
    }

    /// Checks a raw property on its own: whether it may be set at all, and whether its value is legal.
    ///
    /// # Errors
    /// As [`Self::try_new`], for that property.
    pub fn check_property(name: &str, value: &str) -> Result<(), SettingsError> {
        let mut options = KafkaOptions::new("localhost:9092", "g", &["t"], "d");
        options.properties.insert(name.to_owned(), value.to_owned());
        Self::apart(options, Protocol::Plaintext).map(drop)
    }

    /// Checks everything except how connections are secured, which depends on secrets, too.
    ///
    /// # Errors
    /// As [`Self::try_new`].
    pub fn check_apart(options: KafkaOptions) -> Result<(), SettingsError> {
        Self::apart(options, Protocol::Plaintext).map(drop)
    }

    fn apart(options: KafkaOptions, protocol: Protocol) -> Result<Self, SettingsError> {
        check_brokers(&options.brokers)?;
        not_blank("group", &options.group)?;
        not_blank("client_id", &options.client_id)?;
        if let Some(id) = &options.instance_id {
            check_instance_id(id)?;
        }
        let topics = check_topics(&options)?;
        check_prefetch(options.prefetch)?;
        refused::check(&options)?;

        let consumer = client::consumer(&options, protocol);
        let producer = client::producer(&options, protocol);
        let reader = client::reader(&options, protocol);
        for config in [&consumer, &producer, &reader] {
            ask::ask(config)?;
        }
        let max_poll_interval = ask::milliseconds(&consumer, "max.poll.interval.ms")?;
        if options.drain_deadline >= max_poll_interval {
            return Err(SettingsError::DrainTooLong {
                drain: options.drain_deadline,
                max_poll: max_poll_interval,
            });
        }
        let session_timeout = if group_protocol_is_consumer(&options.properties) {
            None
        } else {
            Some(ask::milliseconds(&consumer, "session.timeout.ms")?)
        };
        // The client reports this only when it is created.
        if let Some(session) = session_timeout
            && session > max_poll_interval
        {
            return Err(SettingsError::SessionTooLong {
                session,
                max_poll: max_poll_interval,
            });
        }
        Ok(Self {
            options,
            topics,
            consumer,
            producer,
            reader,
            session_timeout,
            max_poll_interval,
        })
    }

    /// The options that were checked.
    #[must_use]
    pub fn options(&self) -> &KafkaOptions {
        &self.options
    }

    /// The topics consumed, in the order of the configuration.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// How long a revoked partition may take to be handed back.
    #[must_use]
    pub fn drain_deadline(&self) -> Duration {
        self.options.drain_deadline
    }

    /// How long the group waits for a heartbeat before it removes this member; `None` with `group.protocol: consumer`,
    /// where the brokers decide.
    #[must_use]
    pub fn session_timeout(&self) -> Option<Duration> {
        self.session_timeout
    }

    /// After this long without a poll, the client itself leaves the group.
    #[must_use]
    pub fn max_poll_interval(&self) -> Duration {
        self.max_poll_interval
    }

    pub(crate) fn consumer_config(&self) -> &ClientConfig {
        &self.consumer
    }

    pub(crate) fn producer_config(&self) -> &ClientConfig {
        &self.producer
    }

    /// Whether a partition without a usable offset is read from its end.
    #[must_use]
    pub fn reads_from_end(&self) -> bool {
        self.options.on_lost_position == OnLostPosition::Latest
    }

    /// Whether the brokers want tokens. The client's admin side has none.
    #[must_use]
    pub fn needs_tokens(&self) -> bool {
        self.tokens().are_needed()
    }

    /// Where clients have their tokens from.
    pub(crate) fn tokens(&self) -> Tokens {
        Tokens::new(self.options.tokens.clone())
    }

    pub(crate) fn reader_config(&self) -> &ClientConfig {
        &self.reader
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("options", &self.options)
            .field("session_timeout", &self.session_timeout)
            .field("max_poll_interval", &self.max_poll_interval)
            .finish_non_exhaustive()
    }
}

fn invalid(setting: &'static str, problem: impl Into<String>) -> SettingsError {
    SettingsError::Invalid {
        setting,
        problem: problem.into(),
    }
}

fn not_blank(setting: &'static str, value: &str) -> Result<(), SettingsError> {
    if value.trim().is_empty() {
        Err(invalid(setting, "must not be empty"))
    } else {
        Ok(())
    }
}

fn check_brokers(brokers: &str) -> Result<(), SettingsError> {
    not_blank("brokers", brokers)?;
    for broker in brokers.split(',') {
        let broker = broker.trim();
        if broker.is_empty() || broker.contains(char::is_whitespace) {
            return Err(invalid(
                "brokers",
                "must be `host:port`, several separated by commas",
            ));
        }
        // The client accepts a security protocol in front of the address.
        let address = match broker.split_once("://") {
            None => broker,
            Some((protocol, address)) if Protocol::named(protocol).is_some() => address,
            Some((protocol, _)) => {
                return Err(invalid(
                    "brokers",
                    format!("{protocol:?} is not a protocol of Kafka; write `host:port`"),
                ));
            }
        };
        let Some((host, port)) = address.rsplit_once(':') else {
            return Err(invalid(
                "brokers",
                format!("{broker:?} has no port; write `host:port`"),
            ));
        };
        if host.is_empty() || host.contains('/') || port.parse::<u16>().is_err() {
            return Err(invalid("brokers", format!("{broker:?} is not `host:port`")));
        }
    }
    Ok(())
}

fn check_topics(options: &KafkaOptions) -> Result<Vec<Topic>, SettingsError> {
    if options.topics.is_empty() {
        return Err(invalid("topics", "must name at least one topic"));
    }
    for (index, name) in options.topics.iter().enumerate() {
        check_topic_name("topics", name)?;
        if options
            .topics
            .iter()
            .take(index)
            .any(|earlier| earlier == name)
        {
            return Err(invalid("topics", format!("names {name:?} twice")));
        }
    }
    let not_consumed = |setting: &'static str, name: &str| {
        check_topic_name(setting, name)?;
        if options.topics.iter().any(|topic| topic == name) {
            return Err(invalid(
                setting,
                format!("{name:?} is consumed too, so what is put there would come back for ever"),
            ));
        }
        Ok(())
    };
    not_consumed("dead_letter_topic", &options.dead_letter_topic)?;
    if let Some(hold_topic) = &options.hold_topic {
        not_consumed("hold_topic", hold_topic)?;
    }
    if let Some(state_topic) = &options.state_topic {
        not_consumed("state_topic", state_topic)?;
    }
    Ok(options.topics.iter().map(|name| Topic::new(name)).collect())
}

/// The rule of Kafka's own clients: the same as for topic names.
fn check_instance_id(id: &str) -> Result<(), SettingsError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if id.is_empty() || id.len() > TOPIC_NAME_MAX || !id.chars().all(legal) {
        return Err(invalid(
            "instance_id",
            format!("{id:?} is not legal: letters, digits, `.`, `_` and `-`, at most 249"),
        ));
    }
    Ok(())
}

fn check_topic_name(setting: &'static str, name: &str) -> Result<(), SettingsError> {
    not_blank(setting, name)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() > TOPIC_NAME_MAX || !name.chars().all(legal) || matches!(name, "." | "..") {
        return Err(invalid(
            setting,
            format!("{name:?} is not a topic name: letters, digits, `.`, `_` and `-`, at most 249"),
        ));
    }
    Ok(())
}

fn check_prefetch(prefetch: Prefetch) -> Result<(), SettingsError> {
    if prefetch.bytes < PREFETCH_BYTES_MIN {
        return Err(invalid(
            "prefetch",
            "must allow at least 64 KiB; raise budget.bytes",
        ));
    }
    if prefetch.records < PREFETCH_RECORDS_MIN {
        return Err(invalid(
            "prefetch",
            "must allow at least 4 records; raise budget.records",
        ));
    }
    Ok(())
}
