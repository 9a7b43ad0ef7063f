//! Tokens of an identity provider, by OAuth's client credentials: what brokers with OAUTHBEARER want to see.
//!
//! [`TokenKeeper::token`] may be called by any thread, also by one that must not wait for long: a token that has more than
//! half of its life before it is given at once. Otherwise a thread of its own asks for the next one. While the former one is
//! valid it is given at once all the same; only a caller for whom there is none waits. At most one request is under way.

mod endpoint;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

pub use self::endpoint::{BuildError, TokenError, TokenSettings};
use self::endpoint::{Endpoint, Given};

/// How long a caller waits for a token.
const PATIENCE: Duration = Duration::from_secs(5);
/// A token that expires sooner is as good as none.
const MARGIN_MS: i64 = 2_000;

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub value: SecretString,
    /// When it was given and when it expires, in milliseconds since 1970.
    pub given_ms: i64,
    /// See `given_ms`.
    pub expires_ms: i64,
}

/// Keeps a token, and gets the next one in time. Cheap to clone.
#[derive(Clone)]
pub struct TokenKeeper(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    /// The wall clock, in milliseconds since 1970.
    now_ms: fn() -> i64,
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    asking: bool,
    failed: Option<TokenError>,
}

// === impl TokenKeeper ===

impl TokenKeeper {
    /// Asks nobody yet. `now_ms` is the wall clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(settings: TokenSettings, now_ms: fn() -> i64) -> Result<Self, BuildError> {
        Ok(Self(Arc::new(Shared {
            endpoint: Endpoint::new(settings)?,
            now_ms,
            state: Mutex::default(),
            answered: Condvar::new(),
        })))
    }

    /// A token that is valid now. May wait for five seconds.
    ///
    /// # Errors
    /// Why there is none.
    pub fn token(&self) -> Result<Token, TokenError> {
        let shared = &self.0;
        let mut state = shared.lock();
        let now = (shared.now_ms)();
        let held = state.token.clone().filter(|token| token.is_valid(now));
        if let Some(token) = held.as_ref().filter(|token| token.is_fresh(now)) {
            return Ok(token.clone());
        }
        if !state.asking {
            state.asking = true;
            let asking = Arc::clone(shared);
            let spawned = std::thread::Builder::new()
                .name("kafka-token".to_owned())
                .spawn(move || asking.ask());
            if let Err(error) = spawned {
                state.asking = false;
                return Err(TokenError::Unanswered(error.to_string()));
            }
        }
        if let Some(token) = held {
            return Ok(token);
        }
        let waited = shared
            .answered
            .wait_timeout_while(state, PATIENCE, |state| state.asking);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let usable = state.token.as_ref();
        match usable.filter(|token| token.is_valid((shared.now_ms)())) {
            Some(token) => Ok(token.clone()),
            None => Err(state.failed.clone().unwrap_or(TokenError::Late)),
        }
    }
}

impl fmt::Debug for TokenKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeeper").finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    fn ask(&self) {
        let given_ms = (self.now_ms)();
        let _until_told = Asked(self);
        let answer = self.endpoint.ask();
        let mut state = self.lock();
        match answer {
            Ok(Given { value, seconds }) => {
                state.failed = None;
                state.token = Some(Token {
                    value,
                    given_ms,
                    expires_ms: given_ms.saturating_add(seconds.saturating_mul(1_000)),
                });
            }
            Err(error) => state.failed = Some(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Asked ===

/// However a request ends, the next one may be sent.
struct Asked<'s>(&'s Shared);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.lock().asking = false;
        self.0.answered.notify_all();
    }
}

// === impl Token ===

impl Token {
    fn is_valid(&self, now_ms: i64) -> bool {
        now_ms.saturating_add(MARGIN_MS) < self.expires_ms
    }

    /// Whether more than half of its life is left.
    fn is_fresh(&self, now_ms: i64) -> bool {
        let life = self.expires_ms.saturating_sub(self.given_ms);
        self.expires_ms.saturating_sub(now_ms) > life / 2
    }
}

#[cfg(test)]
mod tests;
