//! Where the registry is, and how it is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::store::CacheLimit;

/// How the registry is asked.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Its address; paths are added to it.
    pub url: Url,
    /// Who asks, and whom it trusts.
    pub access: Access,
    /// What reads that anew for each schema, if it may change.
    pub rereads: Option<ReadAccess>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How much is kept.
    pub cache: CacheLimit,
}

/// Who asks, and whom it trusts.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who asks.
    pub auth: Auth,
    /// Certificates that are trusted besides those of the system, as PEM.
    pub ca: Option<Vec<u8>>,
}

/// What reads an [`Access`] from where it is kept. It may block.
#[derive(Clone)]
pub struct ReadAccess(Arc<dyn Fn() -> Result<Access, String> + Send + Sync>);

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

// === impl Access ===

impl Access {
    /// Nobody in particular, who trusts whom the system trusts.
    pub const ANYBODY: Self = Self {
        auth: Auth::None,
        ca: None,
    };

    /// Whether both say the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.ca == other.ca && self.auth.is(&other.auth)
    }
}

impl Auth {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bearer(one), Self::Bearer(two)) => one.expose_secret() == two.expose_secret(),
            (
                Self::Basic { user, password },
                Self::Basic {
                    user: other,
                    password: theirs,
                },
            ) => user == other && password.expose_secret() == theirs.expose_secret(),
            (Self::None | Self::Bearer(_) | Self::Basic { .. }, _) => false,
        }
    }
}

// === impl ReadAccess ===

impl ReadAccess {
    /// An error says why it cannot be read, without the secret.
    pub fn new(read: impl Fn() -> Result<Access, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn read(&self) -> Result<Access, String> {
        (self.0)()
    }
}

impl fmt::Debug for ReadAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadAccess")
    }
}

// === impl RegistrySettings ===

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
            access: Access::ANYBODY,
            rereads: None,
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
