//! Logs: set up once, with a level that can be changed at run time, and redacted on output.
//!
//! No log line may contain personal data or a secret. That rests first on what is logged: labels, positions, counts and
//! Kustomer ids, never keys of customers, bodies or headers. [`redact`] is the safety net: anything that looks like an
//! e-mail address or a bearer token is replaced in every line, whoever wrote it. And other crates never log at `trace`,
//! where some of them show what they send.
//!
//! Logs go to standard error; standard output is for the output of commands.

pub mod heap;
pub mod memory;
mod redact;
pub mod traces;

use std::fmt;
use std::sync::Arc;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use self::redact::RedactingStderr;
pub use self::redact::redact;

/// Our own crates: only they may log at `trace`.
const OURS: &[&str] = &[
    "kustomer_ingest",
    "ingest_delivery",
    "ingest_kafka",
    "ingest_kustomer",
    "ingest_mapping",
    "ingest_model",
    "ingest_traces",
    "kustomer_sim",
];

/// `log`: what is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Lines for machines or for people.
    pub format: LogFormat,
    /// A level, or directives such as `info,rdkafka=warn`; already validated.
    pub level: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// Text for people.
    Text,
}

/// Changes what is logged while the process runs; cheap to clone.
#[derive(Clone)]
pub struct LevelHandle(Arc<Change>);

/// Applies directives, or returns what is wrong with them.
type Change = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// Logging has already been set up in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("logging has already been set up")]
pub struct AlreadySetUp;

/// Sets up logging for the process.
///
/// # Errors
///
/// When it was set up before.
pub fn init(settings: &LogSettings) -> Result<LevelHandle, AlreadySetUp> {
    // The level was validated with the settings; if it is invalid nevertheless, only errors are logged.
    let filter = parse(&settings.level).unwrap_or_else(|_| EnvFilter::new("error"));
    let (filter, handle) = reload::Layer::<EnvFilter, Registry>::new(filter);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| RedactingStderr)
        .with_ansi(false);
    let lines = match settings.format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        LogFormat::Text => lines.boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines.with_filter(own_traces_only()))
        .try_init()
        .map_err(|_set_before| AlreadySetUp)?;
    // A panic message may quote a record, so only its place is logged, and the number of a broken invariant.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let thread = std::thread::current()
            .name()
            .unwrap_or("unnamed")
            .to_owned();
        let invariant = panic.payload_as_str().and_then(invariant_in);
        tracing::error!(place, thread, invariant, "a panic");
    }));
    Ok(LevelHandle(Arc::new(move |directives| {
        let filter = parse(directives)?;
        handle.reload(filter).map_err(|error| error.to_string())
    })))
}

/// The invariant that is broken, if that is what a panic is about.
fn invariant_in(message: &str) -> Option<&str> {
    let named = message.strip_prefix("invariant ")?;
    let (id, _) = named.split_once(" is broken")?;
    Some(id)
}

/// Checks whether a level or a list of directives can be used.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_level(directives: &str) -> Result<(), String> {
    parse(directives).map(drop)
}

fn parse(directives: &str) -> Result<EnvFilter, String> {
    let directives = directives.trim();
    if directives.is_empty() {
        return Err("is empty".to_owned());
    }
    // A bare word would be taken for the name of a crate, and silence everything else.
    let bare = directives
        .split(',')
        .map(str::trim)
        .filter(|d| !d.contains('=') && !d.contains('['));
    for word in bare {
        if word.parse::<LevelFilter>().is_err() {
            return Err(format!("`{word}` is not a level"));
        }
    }
    EnvFilter::try_new(directives).map_err(|error| format!("cannot be used: {error}"))
}

fn own_traces_only() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| {
        *metadata.level() != tracing::Level::TRACE
            || OURS.iter().any(|ours| metadata.target().starts_with(ours))
    })
}

// === impl LogFormat ===

impl LogFormat {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Json, Self::Text];

    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

// === impl LevelHandle ===

impl LevelHandle {
    /// A handle that calls this function; for servers without logging of their own, such as in tests.
    pub fn new(change: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    /// Sets the directives for what is logged from now on: `debug`, or `info,rdkafka=warn`.
    ///
    /// # Errors
    ///
    /// What is wrong with them; then nothing has changed.
    pub fn set(&self, directives: &str) -> Result<(), String> {
        (self.0)(directives)
    }
}

impl fmt::Debug for LevelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelHandle")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_told_from_nonsense() {
        for good in [
            "info",
            "DEBUG",
            "off",
            "info,rdkafka=warn",
            "warn,kustomer_ingest::pump=trace",
        ] {
            assert_eq!(check_level(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "  ",
            "loud",
            "info,rdkafka=loud",
            "info,,=",
            "kustomer_ingest",
        ] {
            assert!(check_level(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_number_of_a_broken_invariant_is_told() {
        assert_eq!(
            invariant_in("invariant I10 is broken: [a partition]"),
            Some("I10")
        );
        assert_eq!(invariant_in("invariant I6 is broken"), Some("I6"));
        assert_eq!(invariant_in("no e-mail in mia@example.com"), None);
    }
}
