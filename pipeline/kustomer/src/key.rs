//! The API key in use, which may be replaced while requests are under way.
//!
//! Clones of a client share one key. A request carries the key that was in use when it left, so its answer is about that key: a
//! 401 that comes after the key was replaced says nothing of the new one.

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, watch};

/// The key has characters that are not allowed in a header, usually a line break or a space, or it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the API token is empty or contains a space, a line break or another character that no token has"
)]
pub struct IllegalKey;

/// A key, ready to be sent. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    header: HeaderValue,
}

/// The key in use, and whether it was refused.
#[derive(Clone)]
pub(crate) struct KeyInUse {
    key: Arc<watch::Sender<ApiKey>>,
    refused: Arc<Notify>,
}

// === impl ApiKey ===

impl ApiKey {
    /// A key as its owner wrote it down, without the word `Bearer`.
    ///
    /// # Errors
    /// [`IllegalKey`], if it cannot be a key.
    pub fn new(token: &SecretString) -> Result<Self, IllegalKey> {
        let token = token.expose_secret();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(IllegalKey);
        }
        let mut header =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_e| IllegalKey)?;
        header.set_sensitive(true);
        Ok(Self { header })
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

// === impl KeyInUse ===

impl KeyInUse {
    pub(crate) fn new(key: ApiKey) -> Self {
        Self {
            key: Arc::new(watch::Sender::new(key)),
            refused: Arc::default(),
        }
    }

    pub(crate) fn get(&self) -> ApiKey {
        self.key.borrow().clone()
    }

    /// Every request that leaves from now on carries this key.
    pub(crate) fn replace(&self, key: ApiKey) {
        self.key.send_replace(key);
    }

    /// The API refused this key. `true` if it is still in use.
    pub(crate) fn refuse(&self, key: &ApiKey) -> bool {
        let in_use = *self.key.borrow() == *key;
        if in_use {
            self.refused.notify_one();
        }
        in_use
    }

    /// Ends when the key in use has been refused since the last call.
    pub(crate) async fn refused(&self) {
        self.refused.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ApiKey {
        ApiKey::new(&SecretString::from(text)).unwrap()
    }

    #[test]
    fn what_cannot_be_a_key_is_none() {
        for text in ["", "a b", "a\nb", "schlüssel"] {
            assert_eq!(
                ApiKey::new(&SecretString::from(text)),
                Err(IllegalKey),
                "{text}"
            );
        }
        assert!(!format!("{:?}", key("secret-key")).contains("secret"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_key_in_use_is_refused() {
        let in_use = KeyInUse::new(key("old"));
        let soon = std::time::Duration::from_millis(1);
        assert!(in_use.refuse(&key("old")));
        assert!(in_use.refuse(&key("old")), "told once");
        in_use.refused().await;
        assert!(tokio::time::timeout(soon, in_use.refused()).await.is_err());
        in_use.clone().replace(key("new"));
        assert_eq!(in_use.get(), key("new"));
        assert!(!in_use.refuse(&key("old")));
        assert!(tokio::time::timeout(soon, in_use.refused()).await.is_err());
    }
}
