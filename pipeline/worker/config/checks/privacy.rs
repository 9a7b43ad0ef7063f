//! `privacy`: of whom nothing is sent.

use super::Checker;
use crate::config::raw::Leaf;
use crate::config::settings::suppressed::SuppressedFile;

impl Checker<'_> {
    /// Where the list is, if there is one. It is read when it is needed.
    pub(super) fn suppressed(&mut self, leaf: &Leaf) -> Option<Option<SuppressedFile>> {
        let Some(leaf) = leaf else { return Some(None) };
        let path = self.text(leaf)?;
        Some(Some(SuppressedFile(self.path(&path))))
    }
}
