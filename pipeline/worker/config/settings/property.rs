//! Values that may be secrets.

use secrecy::ExposeSecret as _;

use crate::config::secret::{SecretError, SecretRef};

/// A value in the configuration, or a reference to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyValue {
    /// A value in the configuration itself.
    Plain(String),
    /// A secret, by reference.
    Secret(SecretRef),
}

// === impl PropertyValue ===

impl PropertyValue {
    /// The value; a secret is read now.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Plain(value) => Ok(value.clone()),
            Self::Secret(place) => Ok(place.read_text()?.expose_secret().to_owned()),
        }
    }
}
