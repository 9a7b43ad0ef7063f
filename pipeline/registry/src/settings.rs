//! Where the registry is, and how it is asked.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::store::CacheLimit;

/// How the registry is asked.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Its address; paths are added to it.
    pub url: Url,
    /// Who asks.
    pub auth: Auth,
    /// Certificates that are trusted besides those of the system, as PEM.
    pub ca: Option<Vec<u8>>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How much is kept.
    pub cache: CacheLimit,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Nobody in particular.
    None,
    /// A user with a password.
    Basic {
        /// The user, or the name of an API key.
        user: String,
        /// The password, or the secret of the key.
        password: SecretString,
    },
    /// A token.
    Bearer(SecretString),
}

impl RegistrySettings {
    /// The usual time-out.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// The usual number and size of schemas.
    pub const CACHE: CacheLimit = CacheLimit {
        schemas: 1_000,
        bytes: 32 << 20,
    };

    /// The usual settings for this address.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            auth: Auth::None,
            ca: None,
            timeout: Self::TIMEOUT,
            cache: Self::CACHE,
        }
    }

    /// Its address for people: without user, password and query.
    #[must_use]
    pub fn place(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        match cleared {
            Ok(()) => url.as_str().trim_end_matches('/').to_owned(),
            Err(()) => url.host_str().unwrap_or_default().to_owned(),
        }
    }
}
