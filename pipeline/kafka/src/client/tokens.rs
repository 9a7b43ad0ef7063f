//! Tokens for brokers with OAUTHBEARER. Where they come from is not known here.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rdkafka::client::OAuthToken;

/// Gives tokens. Called by the client's threads, which must not wait for long.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token that is valid now.
    ///
    /// # Errors
    /// Why there is none, in words without secrets. It is asked again after ten seconds.
    fn token(&self) -> Result<BrokerToken, String>;
}

/// A token for brokers.
#[derive(Clone)]
pub struct BrokerToken {
    /// What the brokers check.
    pub value: String,
    /// Whose it is, for logs.
    pub principal: String,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// Where a client has its tokens from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens(Option<Arc<dyn TokenSource>>);

impl Tokens {
    pub(crate) fn new(source: Option<Arc<dyn TokenSource>>) -> Self {
        Self(source)
    }

    /// Whether the client cannot connect without one.
    pub(crate) fn are_needed(&self) -> bool {
        self.0.is_some()
    }

    /// What the client is given when it asks.
    pub(crate) fn give(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let source = self.0.as_ref().ok_or("no token endpoint is set")?;
        let token = source.token()?;
        Ok(OAuthToken {
            token: token.value,
            principal_name: token.principal,
            lifetime_ms: token.expires_ms,
        })
    }
}

impl fmt::Debug for BrokerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerToken").finish_non_exhaustive()
    }
}
