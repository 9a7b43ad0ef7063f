//! The files on which the connections to the brokers rest, and whether their content has changed.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{KafkaSettings, PropertyValue};
use crate::config::secret::SecretRef;

/// Raw properties that name files of the client. The first may be a folder, or the word `probe` for the usual places.
pub const LOCATIONS: [&str; 6] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.crl.location",
    "ssl.keystore.location",
    "https.ca.location",
];
/// The most that is read of a file, and of a folder.
const FILE_BYTES: u64 = 1 << 20;
const FOLDER_FILES: usize = 1_000;

/// The files with credentials and certificates for the brokers.
#[derive(Debug, Clone)]
pub struct KafkaFiles {
    paths: BTreeSet<PathBuf>,
    hashing: RandomState,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct FileError {
    path: PathBuf,
    source: io::Error,
}

// === impl KafkaFiles ===

impl KafkaFiles {
    /// The files that these settings name.
    #[must_use]
    pub fn of(settings: &KafkaSettings) -> Self {
        let named = settings
            .properties
            .iter()
            .filter_map(|(name, value)| match value {
                PropertyValue::Secret(SecretRef::File(path)) => Some(path.clone()),
                PropertyValue::Plain(path)
                    if LOCATIONS.contains(&name.as_str()) && path != "probe" =>
                {
                    Some(PathBuf::from(path))
                }
                PropertyValue::Secret(SecretRef::Env(_)) | PropertyValue::Plain(_) => None,
            });
        Self {
            paths: named.collect(),
            hashing: RandomState::new(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// A number that is another one when a content has changed. Times of files say nothing: a mounted secret changes by a
    /// link that is replaced.
    ///
    /// # Errors
    /// A file cannot be read, such as while it is being replaced.
    pub fn fingerprint(&self) -> Result<u64, FileError> {
        let mut hasher = self.hashing.build_hasher();
        for path in &self.paths {
            path.hash(&mut hasher);
            hash(path, &mut hasher).map_err(|source| FileError {
                path: path.clone(),
                source,
            })?;
        }
        Ok(hasher.finish())
    }
}

fn hash(path: &Path, hasher: &mut impl Hasher) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        return hash_file(path, hasher);
    }
    let all: io::Result<BTreeSet<PathBuf>> =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect();
    for file in all?.iter().take(FOLDER_FILES).filter(|file| file.is_file()) {
        file.hash(hasher);
        hash_file(file, hasher)?;
    }
    Ok(())
}

fn hash_file(path: &Path, hasher: &mut impl Hasher) -> io::Result<()> {
    let mut content = Vec::new();
    fs::File::open(path)?
        .take(FILE_BYTES)
        .read_to_end(&mut content)?;
    content.hash(hasher);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn files(paths: &[&Path]) -> KafkaFiles {
        KafkaFiles {
            paths: paths.iter().map(|path| path.to_path_buf()).collect(),
            hashing: RandomState::new(),
        }
    }

    #[test]
    fn another_content_counts_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("first"), "secret").unwrap();
        fs::write(at("second"), "secret").unwrap();
        fs::write(at("third"), "other").unwrap();
        symlink(at("first"), at("mounted")).unwrap();
        let files = files(&[&at("mounted")]);
        let seen = files.fingerprint().unwrap();
        let point_to = |name: &str| {
            fs::remove_file(at("mounted")).unwrap();
            symlink(at(name), at("mounted")).unwrap();
        };
        point_to("second");
        assert_eq!(
            files.fingerprint().unwrap(),
            seen,
            "another file with the same content"
        );
        point_to("third");
        assert_ne!(files.fingerprint().unwrap(), seen);
        fs::remove_file(at("third")).unwrap();
        let error = files.fingerprint().unwrap_err().to_string();
        assert!(error.contains("mounted"), "{error}");
    }

    #[test]
    fn a_folder_of_authorities_counts_by_its_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("inner")).unwrap();
        let files = files(&[dir.path()]);
        let empty = files.fingerprint().unwrap();
        fs::write(dir.path().join("a.0"), "one").unwrap();
        let one = files.fingerprint().unwrap();
        assert_ne!(one, empty);
        fs::rename(dir.path().join("a.0"), dir.path().join("b.0")).unwrap();
        assert_ne!(files.fingerprint().unwrap(), one, "its name is its hash");
    }
}
