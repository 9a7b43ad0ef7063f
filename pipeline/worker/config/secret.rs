//! Secrets by reference: a file or an environment variable, never a literal.
//!
//! A file is read when the secret is needed, and again by whoever watches for another one. The value is wrapped so that it
//! cannot be printed by accident.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

/// What to do instead of writing a secret into the file.
pub(in crate::config) const SECRET_WAY_OUT: &str = "name its place: { file: /path/of/the/secret } or \
     { env: NAME_OF_A_VARIABLE }; if the file was shared, replace the secret";

/// Where to find a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The content of a file, trimmed of white space.
    File(PathBuf),
    /// The value of an environment variable, trimmed of white space.
    Env(String),
}

/// Why a secret cannot be read. The text names the source, never the content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The environment variable is not set, or is not UTF-8.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// It is empty.
    #[error("{0} is empty")]
    Empty(SecretRef),
    /// It cannot be a secret: there is more than one line.
    #[error("{0} contains a control character, such as a line break in the middle")]
    Illegal(SecretRef),
}

/// Tokens are far shorter; this only keeps a wrong path from filling the memory.
const MAX_BYTES: u64 = 64 * 1024;

impl SecretRef {
    /// Reads a one-line secret now.
    ///
    /// # Errors
    ///
    /// When the file or variable is missing or empty, or has more than one line.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = self.read_text()?;
        if secrecy::ExposeSecret::expose_secret(&text)
            .chars()
            .any(char::is_control)
        {
            return Err(SecretError::Illegal(self.clone()));
        }
        Ok(text)
    }

    /// Reads a secret that may have several lines, such as a private key.
    ///
    /// # Errors
    ///
    /// When the file or variable is missing or empty.
    pub fn read_text(&self) -> Result<SecretString, SecretError> {
        let raw = match self {
            Self::File(path) => read_bounded(path).map_err(|source| SecretError::File {
                path: path.clone(),
                source,
            })?,
            Self::Env(name) => environment(name).ok_or_else(|| SecretError::Env(name.clone()))?,
        };
        let secret = raw.trim();
        if secret.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        Ok(SecretString::from(secret))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

fn read_bounded(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a reference to the environment in the configuration"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_file_is_read_again_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let secret = SecretRef::File(path.clone());
        assert!(matches!(secret.read(), Err(SecretError::File { .. })));
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "first");
        std::fs::write(&path, "  second \n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "second");
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_without_being_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for content in ["", " \n", "top\nsecret"] {
            std::fs::write(&path, content).unwrap();
            let error = SecretRef::File(path.clone())
                .read()
                .unwrap_err()
                .to_string();
            assert!(error.contains("token"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = SecretRef::Env("KI_NO_SUCH_VARIABLE".to_owned())
            .read()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable KI_NO_SUCH_VARIABLE is not set"
        );
    }
}
