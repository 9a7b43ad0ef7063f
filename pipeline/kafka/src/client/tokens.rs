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

/// Where a client has its tokens from, and what it says beside them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    source: Option<Arc<dyn TokenSource>>,
    extensions: String,
}

impl Tokens {
    pub(crate) fn new(source: Option<Arc<dyn TokenSource>>, extensions: Option<&str>) -> Self {
        Self {
            source,
            extensions: extensions.map(extended).unwrap_or_default(),
        }
    }

    /// Whether the client cannot connect without one.
    pub(crate) fn are_needed(&self) -> bool {
        self.source.is_some()
    }

    /// What the client is given when it asks.
    pub(crate) fn give(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let source = self.source.as_ref().ok_or("no token endpoint is set")?;
        let token = source.token()?;
        Ok(OAuthToken {
            token: token.value + &self.extensions,
            principal_name: token.principal,
            lifetime_ms: token.expires_ms,
        })
    }
}

/// Extensions as they follow a token in the client's first message (RFC 7628). The Rust client has no place for them, and
/// the token is written there as it is.
fn extended(extensions: &str) -> String {
    let each = extensions.split(',');
    each.map(|one| format!("\u{1}{}", one.trim())).collect()
}

impl fmt::Debug for BrokerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerToken").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_follow_the_token() {
        let all = extended("logicalCluster=lkc-1, identityPoolId=pool-2");
        assert_eq!(all, "\u{1}logicalCluster=lkc-1\u{1}identityPoolId=pool-2");
    }
}
