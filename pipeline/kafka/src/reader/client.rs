//! Clients that read and query, and join no group.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::client::certificate::Trust;
use crate::client::diagnosis::{self, Diagnosis};
use crate::client::log::ClientLog;
use crate::client::tokens::Tokens;
use crate::clock;
use crate::error::{ReadError, StartError};
use crate::settings::KafkaSettings;

/// Callbacks of reading clients: their log, and the last failed connection.
#[derive(Default)]
pub(crate) struct ReaderContext {
    log: ClientLog,
    failure: Mutex<Option<String>>,
    trust: Trust,
    tokens: Tokens,
}

/// How long the first attempt may take; each further one twice as long.
const FIRST_SLICE: Duration = Duration::from_millis(500);
/// How long to wait for another broker after one has refused for good.
const OTHERS_FIRST: Duration = Duration::from_secs(1);
/// How long to wait for each message of the client after a query, and for how many messages at most.
const LISTEN: Duration = Duration::from_millis(20);
const LISTEN_TIMES: usize = 50;

/// A consumer that only queries topics.
pub(crate) fn reading_client(
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    create(settings.reader_config(), settings)
}

/// A client that asks nobody for anything, tokens included: only its settings count.
pub(crate) fn unheard_client(
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    let config = settings.reader_config();
    let client = config.create_with_context(ReaderContext::default());
    client.map_err(|error| StartError::Client {
        detail: error.to_string(),
    })
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
    create(&config, settings)
}

fn create(
    config: &ClientConfig,
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    let context = ReaderContext {
        trust: Trust::of(config),
        tokens: settings.tokens(),
        ..ReaderContext::default()
    };
    let client: BaseConsumer<ReaderContext> =
        config
            .create_with_context(context)
            .map_err(|error| StartError::Client {
                detail: error.to_string(),
            })?;
    if client.context().tokens.are_needed() {
        // It asks for one at once, and nobody hears that while something else is asked of it.
        listen(&client, LISTEN);
    }
    Ok(client)
}

/// Asks until there is an answer, and hears between two attempts what the client says of its connections: its errors are
/// mere codes. Where nothing will change by itself, such as after a wrong password, it does not wait any longer.
pub(crate) fn ask<T>(
    client: &BaseConsumer<ReaderContext>,
    deadline: Instant,
    mut once: impl FnMut(Duration) -> KafkaResult<T>,
) -> Result<T, ReadError> {
    let mut slice = FIRST_SLICE;
    let mut hopeless: Option<Instant> = None;
    listen(client, Duration::ZERO);
    loop {
        let remaining = deadline.saturating_duration_since(clock::now());
        let error = match once(slice.min(remaining)) {
            Ok(answer) => {
                listen(client, Duration::ZERO);
                client.context().forget_failure();
                return Ok(answer);
            }
            Err(error) if is_silence(&error) => error,
            Err(error) => return Err(unreachable(&error)),
        };
        slice *= 2;
        listen(client, LISTEN);
        let failure = client.context().failure();
        let now = clock::now();
        let stays = failure
            .as_deref()
            .and_then(Diagnosis::of)
            .is_some_and(|one| one.stays());
        let since = hopeless.get_or_insert(now);
        let given_up = stays && now.duration_since(*since) >= OTHERS_FIRST;
        if !stays {
            hopeless = None;
        }
        if now >= deadline || given_up {
            let detail = failure.map_or_else(
                || error.to_string(),
                |words| client.context().complete(words),
            );
            return Err(ReadError::Unreachable { detail });
        }
    }
}

/// Whether nobody has answered yet.
fn is_silence(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::TimedOutQueue
                | Code::Authentication
                | Code::SSL
        )
    )
}

/// Takes the messages that the client has queued meanwhile: nobody else does, and they would pile up.
fn listen(client: &BaseConsumer<ReaderContext>, patience: Duration) {
    for _ in 0..LISTEN_TIMES {
        if client.poll(patience).is_none() {
            return;
        }
    }
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

    /// These words as a sentence, with the verdict on a certificate if one was not accepted.
    fn complete(&self, words: String) -> String {
        let verdict = match diagnosis::unverified(&words) {
            Some(address) => self.trust.verdict_on(address),
            None if Diagnosis::of(&words) == Some(Diagnosis::OwnCertificate) => {
                self.trust.own_expired()
            }
            None => None,
        };
        let words = match verdict {
            Some(verdict) => format!("{words} [{verdict}]"),
            None => words,
        };
        diagnosis::plain(&words).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ReaderContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        // Its errors are mere codes; only these lines say why a connection failed.
        if fac == "FAIL" && !matches!(level, RDKafkaLogLevel::Debug) {
            *self.lock() = Some(without_thread(log_message).to_owned());
        }
        self.log.line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if Diagnosis::of(reason) == Some(Diagnosis::Token) {
            *self.lock() = Some(reason.to_owned());
        }
        let text = format!("{error}: {reason}");
        if Diagnosis::of(reason).is_none() {
            self.log.line(RDKafkaLogLevel::Warning, "READER", &text);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.give()
    }
}

/// A log line without the name of the client's thread.
fn without_thread(line: &str) -> &str {
    let named = line.strip_prefix("[thrd:");
    let rest = named.and_then(|named| named.split_once("]: "));
    rest.map_or(line, |(_, rest)| rest)
}

impl ConsumerContext for ReaderContext {}
