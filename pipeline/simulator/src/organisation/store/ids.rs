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
        format!("{:08x}{:02x}{position:014x}", self.prefix, kind.digit())
    }

    pub(crate) fn position(self, kind: Kind, text: &str) -> Option<u32> {
        let head = format!("{:08x}{:02x}", self.prefix, kind.digit());
        if text.len() != 24 {
            return None;
        }
        u32::from_str_radix(text.strip_prefix(&head)?, 16).ok()
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
    }
}
