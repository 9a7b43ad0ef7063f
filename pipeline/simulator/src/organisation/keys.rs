//! The API keys of the organisation: those given at the start, those added later, and which of them were revoked.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Keys by their position, which never changes: it is the user whom their writes show.
#[derive(Debug)]
pub(crate) struct Keys {
    known: Vec<String>,
    revoked: BTreeSet<usize>,
}

/// The body of `POST /_sim/keys`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// Keys that are valid from now on, also if they were revoked.
    #[serde(default)]
    add: Vec<String>,
    /// Keys that are refused from now on.
    #[serde(default)]
    revoke: Vec<String>,
}

impl Keys {
    pub(crate) fn new(known: Vec<String>) -> Self {
        Self {
            known,
            revoked: BTreeSet::new(),
        }
    }

    /// The position of a valid key.
    pub(crate) fn find(&self, key: &str) -> Option<u16> {
        let position = self.known.iter().position(|known| known == key)?;
        if self.revoked.contains(&position) {
            return None;
        }
        u16::try_from(position).ok()
    }

    pub(crate) fn get(&self, position: u16) -> Option<&str> {
        self.known.get(usize::from(position)).map(String::as_str)
    }

    /// Returns how many keys are valid then.
    pub(crate) fn change(&mut self, change: Change) -> usize {
        for key in change.add {
            match self.known.iter().position(|known| *known == key) {
                Some(position) => {
                    self.revoked.remove(&position);
                }
                None => self.known.push(key),
            }
        }
        for key in change.revoke {
            self.revoked
                .extend(self.known.iter().position(|known| *known == key));
        }
        self.known.len() - self.revoked.len()
    }
}
