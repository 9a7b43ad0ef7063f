//! How long a text may be: what brokers accept is learnt from what they refuse.

/// Characters that brokers accept by default (`offset.metadata.max.bytes`: the name says bytes, Kafka counts characters).
pub const DEFAULT: usize = 4_096;
/// A limit below this is as good as none: too few offsets would fit.
pub const SMALLEST: usize = 256;
/// Bytes in one sign, for brokers that do count bytes.
const SIGN_BYTES: usize = 3;

/// The longest text that brokers are known to accept, in characters; 0 if they accept none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimit(usize);

impl Default for TextLimit {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl TextLimit {
    /// The limit in characters.
    #[must_use]
    pub fn characters(self) -> usize {
        self.0
    }

    /// A text of that many characters was refused as too long. The limit falls below it: first to what fits where bytes are
    /// counted, then by halves.
    pub fn refused(&mut self, characters: usize) {
        while self.0 > 0 && self.0 >= characters {
            let smaller = if self.0 > DEFAULT / SIGN_BYTES {
                DEFAULT / SIGN_BYTES
            } else {
                self.0 / 2
            };
            self.0 = if smaller < SMALLEST { 0 } else { smaller };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_counts_bytes_is_found_out_with_one_refusal() {
        let mut limit = TextLimit::default();
        limit.refused(1_400);
        assert_eq!(limit.characters(), 1_365);
        assert!(limit.characters() * SIGN_BYTES <= DEFAULT);
        limit.refused(1_400);
        assert_eq!(limit.characters(), 1_365, "known by now");
    }

    #[test]
    fn the_limit_falls_below_what_was_refused_and_ends_at_none() {
        let mut limit = TextLimit::default();
        limit.refused(500);
        assert_eq!(limit.characters(), 341);
        limit.refused(300);
        assert_eq!(limit.characters(), 0);
        limit.refused(0);
        assert_eq!(limit.characters(), 0);
    }
}
