//! Clients that read and query, and join no group.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

use crate::client::log::ClientLog;
use crate::error::{ReadError, StartError};
use crate::settings::KafkaSettings;

/// Callbacks of reading clients: their log, and the last failed connection.
#[derive(Default)]
pub(crate) struct ReaderContext {
    log: ClientLog,
    failure: Mutex<Option<String>>,
}

/// A consumer that only queries topics.
pub(crate) fn reading_client(
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    create(settings.reader_config())
}

/// A consumer with the group's name, which the client requires for assigning partitions; it neither joins the group nor
/// commits.
pub(crate) fn assigning_client(
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    client_of_group(settings, &settings.options().group)
}

/// The same for any group.
pub(crate) fn client_of_group(
    settings: &KafkaSettings,
    group: &str,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    let mut config = settings.reader_config().clone();
    config.set("group.id", group);
    create(&config)
}

fn create(config: &ClientConfig) -> Result<BaseConsumer<ReaderContext>, StartError> {
    config
        .create_with_context(ReaderContext::default())
        .map_err(|error| StartError::Client {
            detail: error.to_string(),
        })
}

pub(crate) fn unreachable(error: &KafkaError) -> ReadError {
    ReadError::Unreachable {
        detail: error.to_string(),
    }
}

// === impl ReaderContext ===

impl ReaderContext {
    /// Why the last connection failed, in the client's words, unless a broker has answered since.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().clone()
    }

    /// A broker answered: earlier failures no longer matter.
    pub(crate) fn forget_failure(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        // Its errors are mere codes; only these lines say why a connection failed.
        if fac == "FAIL" && !matches!(level, RDKafkaLogLevel::Debug) {
            *self.lock() = Some(without_thread(log_message).to_owned());
        }
        self.log.line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let text = format!("{error}: {reason}");
        self.log.line(RDKafkaLogLevel::Warning, "READER", &text);
    }
}

/// A log line without the name of the client's thread.
fn without_thread(line: &str) -> &str {
    let named = line.strip_prefix("[thrd:");
    let rest = named.and_then(|named| named.split_once("]: "));
    rest.map_or(line, |(_, rest)| rest)
}

impl ConsumerContext for ReaderContext {}
