//! Where schemas are asked for.

use std::path::PathBuf;
use std::time::Duration;

use ingest_registry::{
    Access, AskedOnce, Auth, BuildError, CacheLimit, ReadAccess, RegistryClient, RegistrySettings,
};
use url::Url;

use super::secret::{SecretError, SecretRef};

/// `schema_registry`: its address, and who asks.
#[derive(Debug, Clone)]
pub struct RegistryPlace {
    /// The address.
    pub url: Url,
    /// Who asks.
    pub login: Login,
    /// A file with certificates that are trusted besides those of the system.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How much is kept of what it gave.
    pub cache: CacheLimit,
}

/// Who asks the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Nobody in particular.
    None,
    /// A user with a password.
    Basic {
        /// The user.
        user: String,
        /// Where the password is.
        password: SecretRef,
    },
    /// A token.
    Bearer(SecretRef),
}

/// Why the client of the registry cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A secret cannot be read.
    #[error("schema_registry")]
    Secret(#[from] SecretError),
    /// The file of certificates cannot be read.
    #[error("schema_registry.ca: cannot read {}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The client refuses them.
    #[error(transparent)]
    Client(#[from] BuildError),
}

// === impl RegistryPlace ===

impl RegistryPlace {
    /// The client's settings. Secrets and certificates are read now, and again for each schema.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn settings(&self) -> Result<RegistrySettings, RegistryError> {
        let place = self.clone();
        let rereads = ReadAccess::new(move || {
            let read = place.access();
            read.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        });
        Ok(RegistrySettings {
            access: self.access()?,
            rereads: Some(rereads),
            timeout: self.timeout,
            cache: self.cache,
            ..RegistrySettings::new(self.url.clone())
        })
    }

    /// Secrets and certificates as they are now.
    fn access(&self) -> Result<Access, RegistryError> {
        let auth = match &self.login {
            Login::None => Auth::None,
            Login::Basic { user, password } => Auth::Basic {
                user: user.clone(),
                password: password.read()?,
            },
            Login::Bearer(token) => Auth::Bearer(token.read()?),
        };
        let ca = self.ca.as_ref().map(|path| {
            std::fs::read(path).map_err(|source| RegistryError::Ca {
                path: path.clone(),
                source,
            })
        });
        Ok(Access {
            auth,
            ca: ca.transpose()?,
        })
    }

    /// A client, with secrets and certificates read now.
    ///
    /// # Errors
    /// As [`RegistryPlace::settings`]; or one of them cannot be used.
    pub fn client(&self) -> Result<RegistryClient, RegistryError> {
        Ok(RegistryClient::new(&self.settings()?)?)
    }

    /// A registry for a command, which asks when a record needs a schema, and waits for the answer.
    ///
    /// # Errors
    /// As [`RegistryPlace::client`].
    pub fn asked_once(&self) -> Result<AskedOnce, RegistryError> {
        Ok(AskedOnce::new(self.client()?, self.cache)?)
    }

    /// The secret, if there is one.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretRef> {
        match &self.login {
            Login::None => None,
            Login::Basic { password, .. } => Some(password),
            Login::Bearer(token) => Some(token),
        }
    }
}
