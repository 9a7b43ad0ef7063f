//! The API key while the worker runs: is it accepted, and is there another one in its file?
//!
//! The file is read every few seconds, and at once when the API refuses the key in use. What counts is its content. A new key is
//! used once the API has accepted it; until then the former one goes on, so a key that is mistyped, or not yet valid, stops
//! nothing. Requests that were under way with the former key, and are refused for it, are sent again with the new one.
//!
//! Asking about a key is a request that no permit is taken for: one at the start, one for each new key, and two a minute while a
//! key is refused.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use ingest_kustomer::{ApiKey, Client, Need, TokenError, TokenInfo};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{SecretError, SecretRef};
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::KeyResult;
use crate::pump::Command;

/// How often the file is read.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How soon it is read again while the API refuses the key: many requests may be refused at once.
const READ_AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// How soon a key that was refused is asked about again.
const ASK_REFUSED: Duration = Duration::from_secs(30);
/// How soon a key of which the API has said nothing is asked about again.
const ASK_UNANSWERED: Duration = Duration::from_secs(5);

/// What is known of the key, for `/status` and `/ready`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct KeyStatus {
    /// The name that its creator gave it; `null` until the API has said it.
    pub name: Option<String>,
    /// Whether the API accepts it; `null` until it has answered.
    pub accepted: Option<bool>,
    /// Roles that the mappings need and the key lacks.
    pub missing_roles: Vec<&'static str>,
    /// How often it was replaced since the start.
    pub replaced: u64,
    /// Why the key that is in its place now is not used, or why nothing is known of it.
    pub problem: Option<String>,
}

/// Watches the key.
#[derive(Debug)]
pub struct KeyWatch {
    place: SecretRef,
    client: Client,
    needs: Vec<Need>,
    commands: mpsc::Sender<Command>,
    status: watch::Sender<KeyStatus>,
    metrics: Metrics,
    /// When the key in use is asked about next; `None` once it was accepted.
    ask_current: Option<Instant>,
    /// What is in the place and not used yet, and when it is asked about next.
    offered: Option<(SecretString, Instant)>,
}

// === impl KeyStatus ===

impl KeyStatus {
    /// Why the worker is not ready.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        (self.accepted == Some(false)).then(|| {
            let problem = self.problem.as_deref().unwrap_or("it was refused");
            format!("the API key is refused ({problem}): put a valid one where kustomer.token points: a file is used within seconds, an environment variable needs a restart")
        })
    }
}

// === impl KeyWatch ===

impl KeyWatch {
    /// Watches the key in this place, with which the client was made; the needs are what the mappings do with it.
    #[must_use]
    pub fn new(
        place: SecretRef,
        client: Client,
        needs: Vec<Need>,
        commands: mpsc::Sender<Command>,
        status: watch::Sender<KeyStatus>,
        metrics: Metrics,
    ) -> Self {
        Self {
            place,
            client,
            needs,
            commands,
            status,
            metrics,
            ask_current: Some(Clock.now()),
            offered: None,
        }
    }

    /// Watches until the end.
    ///
    /// # Errors
    /// Never.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        loop {
            let looked = self.look();
            tokio::select! { biased;
                () = shutdown.cancelled() => return Ok(()),
                () = looked => {}
            }
            let refused = async {
                self.client.key_refused().await;
                tokio::time::sleep(READ_AFTER_REFUSAL).await;
            };
            tokio::select! { biased;
                () = shutdown.cancelled() => return Ok(()),
                // Some organisations answer 401 for a missing role, so the key itself is asked about.
                () = refused => {
                    self.ask_current.get_or_insert_with(|| Clock.now());
                }
                () = tokio::time::sleep(READ_EVERY) => {}
            }
        }
    }

    /// One look at the place, and at the key in use if that is due.
    async fn look(&mut self) {
        let place = self.place.clone();
        let read = tokio::task::spawn_blocking(move || place.read()).await;
        match read {
            Ok(Ok(key)) => self.found(key).await,
            Ok(Err(error)) => self.unreadable(&error),
            Err(error) => tracing::error!(%error, "reading the API key failed"),
        }
        if self.ask_current.is_some_and(|at| at <= Clock.now()) {
            self.ask_about_current().await;
        }
        let wrong = self.offered.is_some() || self.status.borrow().problem.is_some();
        self.metrics.key_problem(wrong);
    }

    async fn found(&mut self, text: SecretString) {
        let now = Clock.now();
        let known = self.offered.as_ref();
        let known = known.filter(|(other, _)| other.expose_secret() == text.expose_secret());
        if known.is_some_and(|(_, again)| *again > now) {
            return;
        }
        let key = match ApiKey::new(&text) {
            Ok(key) => key,
            Err(illegal) => {
                self.not_used(text, ASK_REFUSED, KeyResult::Refused, &illegal.to_string());
                return;
            }
        };
        if key == self.client.key() {
            self.offered = None;
            if self.ask_current.is_none() {
                self.problem(None);
            }
            return;
        }
        match self.client.token_info_of(&key).await {
            Ok(info) => self.replace(key, info).await,
            Err(error) => {
                let (again, result) = (again_after(&error), result_of(&error));
                self.not_used(text, again, result, &in_words(&error));
            }
        }
    }

    /// The key in its place cannot be used yet.
    fn not_used(&mut self, text: SecretString, again: Duration, result: KeyResult, why: &str) {
        let is_new = (self.offered.as_ref())
            .is_none_or(|(other, _)| other.expose_secret() != text.expose_secret());
        self.offered = Some((text, Clock.now() + again));
        if is_new {
            self.metrics.key(result);
            tracing::warn!(
                place = %self.place,
                why,
                "there is another API key, which cannot be used yet; the former one goes on, and the new one is tried again"
            );
        }
        self.problem(Some(format!("the new key is not used yet: {why}")));
    }

    fn unreadable(&mut self, error: &SecretError) {
        let why = format!("{:#}", WithCauses(error));
        if self.status.borrow().problem.as_deref() != Some(&why) {
            self.metrics.key(KeyResult::Unreadable);
            tracing::warn!(
                why,
                "the API key cannot be read again; the one in use goes on"
            );
        }
        self.problem(Some(why));
    }

    async fn replace(&mut self, key: ApiKey, info: TokenInfo) {
        self.client.replace_key(key);
        self.offered = None;
        self.metrics.key(KeyResult::Replaced);
        tracing::info!(
            name = info.name.as_deref().unwrap_or_default(),
            "the API key was replaced"
        );
        self.status.send_modify(|status| status.replaced += 1);
        self.accepted(info);
        if self.commands.send(Command::KeyReplaced).await.is_err() {
            tracing::debug!("the pump has ended");
        }
    }

    async fn ask_about_current(&mut self) {
        match self.client.token_info().await {
            Ok(info) => self.accepted(info),
            Err(error) => {
                let result = result_of(&error);
                let why = in_words(&error);
                let known = self.status.borrow().problem.as_deref() == Some(&why);
                self.ask_current = Some(Clock.now() + again_after(&error));
                if result == KeyResult::Refused {
                    self.status
                        .send_modify(|status| status.accepted = Some(false));
                    if !known {
                        self.metrics.key(result);
                        tracing::error!(place = %self.place, why, "the API refuses the key");
                    }
                } else if !known {
                    tracing::warn!(why, "the API has not said whether it accepts the key");
                }
                self.problem(Some(why));
            }
        }
    }

    /// The API accepts the key in use.
    fn accepted(&mut self, info: TokenInfo) {
        self.ask_current = None;
        let lacks = info.lacks(&self.needs);
        let missing: Vec<&'static str> = lacks.into_iter().map(Need::role).collect();
        if !missing.is_empty() {
            tracing::warn!(
                roles = missing.join(", "),
                "the API key lacks roles that the mappings need: what needs them will wait; check --online says for what"
            );
        }
        self.status.send_modify(|status| {
            status.name = info.name;
            status.accepted = Some(true);
            status.missing_roles = missing;
            if self.offered.is_none() {
                status.problem = None;
            }
        });
    }

    fn problem(&self, problem: Option<String>) {
        self.status.send_if_modified(|status| {
            let other = status.problem != problem;
            status.problem = problem;
            other
        });
    }
}

/// What an answer says of a key: a refusal, or nothing.
fn result_of(error: &TokenError) -> KeyResult {
    match error {
        TokenError::Refused(_) => KeyResult::Refused,
        TokenError::Unanswered(_) | TokenError::Later { .. } | TokenError::Garbled { .. } => {
            KeyResult::Unanswered
        }
    }
}

/// When to ask about a key again. An API that is busy is not to be kept busy.
fn again_after(error: &TokenError) -> Duration {
    match error {
        TokenError::Unanswered(_) => ASK_UNANSWERED,
        TokenError::Refused(_) | TokenError::Later { .. } | TokenError::Garbled { .. } => {
            ASK_REFUSED
        }
    }
}

fn in_words(error: &TokenError) -> String {
    format!("{:#}", WithCauses(error))
}

/// An error with its causes, in one line.
struct WithCauses<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let causes = std::iter::successors(self.0.source(), |cause| cause.source());
        causes
            .into_iter()
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}
