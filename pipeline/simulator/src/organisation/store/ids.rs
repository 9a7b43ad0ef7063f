//! Kustomer ids: made, and read back.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Customer,
    Object,
    Event,
    Job,
    Batch,
    Klass,
    Identity,
    Visitor,
    Session,
    Org,
    User,
    Merge,
}

impl Kind {
    const fn digit(self) -> u8 {
        match self {
            Self::Customer => 0xc0,
            Self::Object => 0x0b,
            Self::Event => 0xe0,
            Self::Job => 0x10,
            Self::Batch => 0xba,
            Self::Klass => 0x1a,
            Self::Identity => 0x1d,
            Self::Visitor => 0x71,
            Self::Session => 0x5e,
            Self::Org => 0x06,
            Self::User => 0x05,
            Self::Merge => 0x3e,
        }
    }
}

/// Makes and reads ids: 24 hexadecimal digits of prefix, kind and position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    prefix: u32,
}

/// The digits of an id, and those of prefix and kind.
const DIGITS: usize = 24;
const HEAD_DIGITS: usize = 10;

impl Ids {
    /// Ids of different seeds, or before and after a reset, do not meet.
    pub(crate) fn new(seed: u64, resets: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, resets).hash(&mut hasher);
        let bytes = hasher.finish().to_be_bytes();
        let prefix = bytes
            .iter()
            .take(4)
            .fold(0, |prefix, byte| prefix << 8 | u32::from(*byte));
        Self { prefix }
    }

    pub(crate) fn text(self, kind: Kind, position: u32) -> String {
        // Most of what an answer says is ids, so they are not put together by a formatter.
        let mut text = String::with_capacity(DIGITS);
        push_hex(&mut text, self.head(kind), HEAD_DIGITS);
        push_hex(&mut text, u64::from(position), DIGITS - HEAD_DIGITS);
        text
    }

    pub(crate) fn position(self, kind: Kind, text: &str) -> Option<u32> {
        if text.len() != DIGITS {
            return None;
        }
        let (head, position) = text.split_at_checked(HEAD_DIGITS)?;
        let mut known = String::with_capacity(HEAD_DIGITS);
        push_hex(&mut known, self.head(kind), HEAD_DIGITS);
        if head != known {
            return None;
        }
        u32::from_str_radix(position, 16).ok()
    }

    /// What all ids of a kind begin with.
    fn head(self, kind: Kind) -> u64 {
        u64::from(self.prefix) << 8 | u64::from(kind.digit())
    }
}

/// Appends the last so many hexadecimal digits of a number.
fn push_hex(text: &mut String, number: u64, digits: usize) {
    for place in (0..digits).rev() {
        let digit = u32::try_from(number >> (4 * place) & 0xf).unwrap_or_default();
        text.extend(char::from_digit(digit, 16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_do_not_mix() {
        let ids = Ids::new(1, 0);
        let text = ids.text(Kind::Customer, 77);
        assert_eq!(text.len(), 24);
        assert_eq!(ids.position(Kind::Customer, &text), Some(77));
        assert_eq!(ids.position(Kind::Object, &text), None);
        assert_eq!(Ids::new(1, 1).position(Kind::Customer, &text), None);
        assert_eq!(ids.position(Kind::Customer, "77"), None);
        for position in [0, 9, 0xabc, u32::MAX] {
            let prefix = ids.prefix;
            let text = ids.text(Kind::Org, position);
            assert_eq!(text, format!("{prefix:08x}06{position:014x}"));
            assert_eq!(ids.position(Kind::Org, &text), Some(position));
        }
    }
}
