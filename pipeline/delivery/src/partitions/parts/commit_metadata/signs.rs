//! The alphabet of the text: 32,768 signs of one character each, so that a character carries 15 bits.
//!
//! Kafka limits how many characters are stored with an offset, not how many bytes. The signs are those from U+4E00 on: none
//! is a surrogate or needs more than three bytes, and none is ASCII, as the rest of the text is.

use std::str::Chars;

/// Bits in one sign.
pub(super) const BITS: u32 = 15;

const FIRST: u32 = 0x4e00;

/// Writes signs, bit by bit.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
    /// The incomplete sign, and how many bits it has.
    open: u32,
    bits: u32,
}

impl Writer {
    /// Writes the lowest bits of a number, highest first.
    pub(super) fn number(&mut self, number: u64, bits: u32) {
        let mut left = bits;
        while left > 0 {
            let take = left.min(BITS - self.bits);
            left -= take;
            let part = number.checked_shr(left).unwrap_or_default() & ((1 << take) - 1);
            self.append(u32::try_from(part).unwrap_or_default(), take);
        }
    }

    /// Writes the same bit several times.
    pub(super) fn repeat(&mut self, bit: bool, times: u64) {
        let mut left = times;
        while left > 0 {
            let free = BITS - self.bits;
            let take = u32::try_from(left).map_or(free, |left| left.min(free));
            left -= u64::from(take);
            let part = if bit { (1 << take) - 1 } else { 0 };
            self.append(part, take);
        }
    }

    /// The text; its last sign is filled up with zeros.
    pub(super) fn finish(mut self) -> String {
        if self.bits > 0 {
            self.append(0, BITS - self.bits);
        }
        self.text
    }

    /// Appends at most as many bits as the incomplete sign has room for.
    fn append(&mut self, part: u32, bits: u32) {
        self.open = self.open << bits | part;
        self.bits += bits;
        if self.bits == BITS {
            self.text.extend(char::from_u32(FIRST + self.open));
            (self.open, self.bits) = (0, 0);
        }
    }
}

/// Reads signs, bit by bit. Ends at the end of the text, or at a character that is not a sign.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: Chars<'a>,
    open: u32,
    bits: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            open: 0,
            bits: 0,
        }
    }

    /// The next bits as a number, highest first.
    pub(super) fn number(&mut self, bits: u32) -> Option<u64> {
        let mut number = 0;
        for _ in 0..bits {
            number = number << 1 | u64::from(self.next()?);
        }
        Some(number)
    }
}

impl Iterator for Reader<'_> {
    type Item = bool;

    fn next(&mut self) -> Option<bool> {
        if self.bits == 0 {
            self.open = sign(self.rest.next()?)?;
            self.bits = BITS;
        }
        self.bits -= 1;
        Some(self.open >> self.bits & 1 == 1)
    }
}

/// Whether every character is a sign.
pub(super) fn are_signs(text: &str) -> bool {
    text.chars().all(|character| sign(character).is_some())
}

fn sign(character: char) -> Option<u32> {
    u32::from(character)
        .checked_sub(FIRST)
        .filter(|sign| *sign < 1 << BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_sign_is_one_character_of_three_bytes() {
        for sign in 0..1 << BITS {
            let mut writer = Writer::default();
            writer.number(sign, BITS);
            let text = writer.finish();
            assert_eq!((text.chars().count(), text.len()), (1, 3));
            assert_eq!(text.encode_utf16().count(), 1, "no surrogate");
            assert_eq!(Reader::new(&text).number(BITS), Some(sign));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(parts in prop::collection::vec((any::<u64>(), 0_u32..=64, any::<bool>(), 0_u64..80), 0..40)) {
            let mut writer = Writer::default();
            let mut bits = 0;
            for (number, length, bit, times) in &parts {
                writer.number(*number, *length);
                writer.repeat(*bit, *times);
                bits += u64::from(*length) + times;
            }
            let text = writer.finish();
            prop_assert!(are_signs(&text));
            prop_assert_eq!(text.chars().count() as u64, bits.div_ceil(u64::from(BITS)));
            let mut reader = Reader::new(&text);
            for (number, length, bit, times) in parts {
                let low = number & 1_u64.checked_shl(length).map_or(u64::MAX, |one| one - 1);
                prop_assert_eq!(reader.number(length), Some(low));
                for _ in 0..times {
                    prop_assert_eq!(reader.next(), Some(bit));
                }
            }
            prop_assert!(reader.all(|bit| !bit), "filled up with zeros");
        }
    }
}
