//! What was said about one thing lately, to notice when something older is said again.

/// How many earlier statements are kept.
const KEPT: usize = 16;

/// Fingerprints of statements, each only once.
#[derive(Debug, Default)]
pub(crate) struct History {
    latest: Option<u64>,
    // empty for almost everything
    earlier: Vec<u64>,
}

impl History {
    /// Records a statement. `true` if it was made before and another one since: the thing is set back.
    pub(crate) fn note(&mut self, print: u64) -> bool {
        if self.latest == Some(print) {
            return false;
        }
        let known = self.earlier.len();
        self.earlier.retain(|earlier| *earlier != print);
        let set_back = self.earlier.len() < known;
        if let Some(replaced) = self.latest.replace(print) {
            if self.earlier.len() >= KEPT {
                self.earlier.remove(0);
            }
            self.earlier.push(replaced);
        }
        set_back
    }

    /// From here on only later statements count.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_replaced_is_set_back() {
        let mut history = History::default();
        let said = [1, 1, 2, 2, 1, 1, 3, 2].map(|print| history.note(print));
        assert_eq!(said, [false, false, false, false, true, false, false, true]);
        history.clear();
        assert!(!history.note(1));
    }

    #[test]
    fn it_keeps_the_latest_only() {
        let mut history = History::default();
        for print in 0..100 {
            history.note(print);
        }
        assert!(!history.note(3), "forgotten");
        assert!(history.note(90));
        assert!(history.earlier.len() <= KEPT);
    }
}
