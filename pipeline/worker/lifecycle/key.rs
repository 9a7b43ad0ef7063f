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
    /// What is wrong with the key in use, and with what is in the place. Each is told when it changes.
    wrong: Wrong,
}

#[derive(Debug, Default)]
struct Wrong {
    in_use: Option<String>,
    in_place: Option<String>,
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
            wrong: Wrong::default(),
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
            let pause = tokio::select! { biased;
                () = shutdown.cancelled() => return Ok(()),
                // Some organisations answer 401 for a missing role, so the key itself is asked about.
                () = self.client.key_refused() => {
                    self.ask_current.get_or_insert_with(|| Clock.now());
                    READ_AFTER_REFUSAL
                }
                () = tokio::time::sleep(READ_EVERY) => continue,
            };
            tokio::select! { biased;
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look at the place, and at the key in use if that is due.
    async fn look(&mut self) {
        let place = self.place.clone();
        let read = tokio::task::spawn_blocking(move || place.read()).await;
        match read {
            Ok(Ok(key)) => self.found(key).await,
            Ok(Err(error)) => self.unreadable(error),
            Err(error) => tracing::error!(%error, "reading the API key failed"),
        }
        if self.ask_current.is_some_and(|at| at <= Clock.now()) {
            self.ask_about_current().await;
        }
        let wrong = [&self.wrong.in_use, &self.wrong.in_place];
        let wrong: Vec<&str> = wrong.into_iter().filter_map(Option::as_deref).collect();
        self.metrics.key_problem(!wrong.is_empty());
        let problem = (!wrong.is_empty()).then(|| wrong.join("; "));
        self.status.send_modify(|status| status.problem = problem);
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
            self.wrong.in_place = None;
            return;
        }
        self.metrics.key_asked();
        match self.client.token_info_of(&key).await {
            Ok(info) => self.replace(key, info).await,
            Err(error) => {
                let (again, result) = (again_after(&error), result_of(&error));
                self.not_used(text, again, result, &in_words(error));
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
        self.wrong.in_place = Some(format!("the new key is not used yet: {why}"));
    }

    fn unreadable(&mut self, error: SecretError) {
        let why = in_words(error);
        if self.wrong.in_place.as_ref() != Some(&why) {
            self.metrics.key(KeyResult::Unreadable);
            tracing::warn!(
                why,
                "the API key cannot be read again; the one in use goes on"
            );
        }
        self.wrong.in_place = Some(why);
    }

    async fn replace(&mut self, key: ApiKey, info: TokenInfo) {
        self.client.replace_key(key);
        self.offered = None;
        self.wrong.in_place = None;
        self.metrics.key(KeyResult::Replaced);
        // Its name may be a person's: only /status shows it.
        tracing::info!("the API key was replaced");
        self.status.send_modify(|status| status.replaced += 1);
        self.accepted(info);
        if self.commands.send(Command::KeyReplaced).await.is_err() {
            tracing::debug!("the pump has ended");
        }
    }

    async fn ask_about_current(&mut self) {
        self.metrics.key_asked();
        match self.client.token_info().await {
            Ok(info) => self.accepted(info),
            Err(error) => {
                let result = result_of(&error);
                self.ask_current = Some(Clock.now() + again_after(&error));
                let why = in_words(error);
                let known = self.wrong.in_use.as_ref() == Some(&why);
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
                self.wrong.in_use = Some(why);
            }
        }
    }

    /// The API accepts the key in use.
    fn accepted(&mut self, info: TokenInfo) {
        self.ask_current = None;
        self.wrong.in_use = None;
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

/// An error with its causes, in one line.
fn in_words(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

#[cfg(test)]
mod tests {
    use ingest_kustomer::{BaseUrl, ClientSettings};
    use kustomer_sim::Config;
    use kustomer_sim::server::Server;

    use super::*;

    /// A look at which everything is asked about that could be.
    async fn look(watch: &mut KeyWatch) -> KeyStatus {
        let now = Clock.now();
        if let Some(at) = &mut watch.ask_current {
            *at = now;
        }
        if let Some((_, again)) = &mut watch.offered {
            *again = now;
        }
        watch.look().await;
        watch.status.borrow().clone()
    }

    #[tokio::test]
    async fn each_key_that_cannot_be_used_is_counted_once_and_all_that_is_wrong_is_shown() {
        let kustomer = Server::start(Config::default(), "127.0.0.1:0".parse().unwrap());
        let kustomer = kustomer.await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let url = BaseUrl::parse(&kustomer.url()).unwrap();
        let client = Client::new(ClientSettings::new(url, "revoked".into())).unwrap();
        let (commands, mut told) = mpsc::channel(8);
        let (status, metrics) = (watch::Sender::default(), Metrics::new());
        let place = SecretRef::File(file.clone());
        let mut watch = KeyWatch::new(
            place,
            client,
            vec![Need::Track],
            commands,
            status,
            metrics.clone(),
        );
        let counted = |result: &str, times: u32| {
            let line =
                format!("kustomer_ingest_key_changes_total{{result=\"{result}\"}} {times}\n");
            assert!(metrics.render().contains(&line), "{line}");
        };
        let is_wrong = |wrong: u8| {
            let line = format!("kustomer_ingest_key_problem {wrong}\n");
            assert!(metrics.render().contains(&line), "{line}");
        };
        std::fs::write(&file, "mistyped").unwrap();
        for _ in 0..3 {
            let status = look(&mut watch).await;
            assert_eq!(status.accepted, Some(false));
            let problem = status.problem.unwrap();
            assert!(problem.contains("bad_token; the new key"), "{problem}");
        }
        counted("refused", 2);
        is_wrong(1);
        std::fs::remove_file(&file).unwrap();
        for _ in 0..3 {
            let problem = look(&mut watch).await.problem.unwrap();
            assert!(problem.contains("cannot read"), "{problem}");
        }
        counted("unreadable", 1);
        counted("refused", 2);
        std::fs::write(&file, "sim-key").unwrap();
        let status = look(&mut watch).await;
        assert_eq!((status.accepted, status.replaced), (Some(true), 1));
        assert_eq!((status.problem, status.missing_roles.len()), (None, 0));
        assert!(matches!(told.try_recv(), Ok(Command::KeyReplaced)));
        counted("replaced", 1);
        is_wrong(0);
    }
}
