//! Pseudonyms in the order of their texts: each begins with a number, and the numbers grow with the texts.
//!
//! A text that is shorter than a number gets the beginning of one, which no other text's pseudonym stands before that should stand
//! after it.

use std::collections::{BTreeSet, HashMap};

use super::{Masks, OWN};

/// What numbers are written with, in the order of bytes. JSON writes it as it is.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u64 = 62;

impl Masks {
    /// The same, with pseudonyms of these texts that stand in the order of the texts.
    pub(in super::super) fn ordering(&self, texts: &BTreeSet<&str>) -> Self {
        let plain = |text: &&&str| !OWN.contains(*text) && !self.time(text, &mut String::new());
        let texts: Vec<&str> = texts.iter().filter(plain).copied().collect();
        let rest = |text: &str, out: &mut String| self.long(13, text, out);
        Self {
            secret: self.secret.clone(),
            rounds: self.rounds,
            ordered: pseudonyms(&texts, rest),
        }
    }
}

/// Pseudonyms of texts that are sorted and differ, each as long as its text. `rest` writes what stands after a number, as long
/// as the text it is given. Texts that JSON escapes have none, and those for which there are no numbers left.
fn pseudonyms(texts: &[&str], rest: impl Fn(&str, &mut String)) -> HashMap<String, String> {
    let (width, size) = width(texts.len());
    let mut next: u64 = 0;
    let mut all = HashMap::with_capacity(texts.len());
    for text in texts.iter().filter(|text| is_plain(text)) {
        let own = text.len().min(width);
        let step = BASE.pow(u32::try_from(width - own).unwrap_or(0));
        let number = next.div_ceil(step) * step;
        if number >= size {
            break;
        }
        next = number + 1;
        let mut pseudonym = String::with_capacity(text.len());
        let mut unit = size;
        for _ in 0..own {
            unit /= BASE;
            let digit = usize::try_from(number / unit % BASE).unwrap_or(0);
            pseudonym.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        }
        let mut tail = String::with_capacity(text.len());
        rest(text, &mut tail);
        pseudonym.push_str(tail.get(own..).unwrap_or_default());
        all.insert((*text).to_owned(), pseudonym);
    }
    all
}

/// Digits for that many numbers, with room for the gaps that short texts leave, and how many numbers they make.
fn width(count: usize) -> (usize, u64) {
    let wanted = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(4);
    let (mut width, mut size) = (1, BASE);
    while size < wanted {
        (width, size) = (width + 1, size.saturating_mul(BASE));
    }
    (width, size)
}

fn is_plain(text: &str) -> bool {
    let escaped = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f);
    !text.is_empty() && !text.bytes().any(escaped)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::Masks;

    fn ordered(texts: &BTreeSet<&str>) -> Vec<String> {
        let masks = Masks::new().ordering(texts);
        let mask = |text: &&str| {
            let mut out = String::new();
            masks.text(text, &mut out);
            out
        };
        texts.iter().map(mask).collect()
    }

    #[test]
    fn numbers_of_shops_and_addresses_keep_their_order() {
        let ids: Vec<String> = (0..3_000_u32)
            .map(|n| match n % 3 {
                0 => (n / 40).to_string(),
                1 => format!("{}@fjord.example", n.wrapping_mul(2_654_435_761)),
                _ => format!("+47{}", 90_000_000 + n),
            })
            .collect();
        let texts: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let masked = ordered(&texts);
        assert!(masked.is_sorted_by(|a, b| a < b));
        for (text, mask) in texts.iter().zip(&masked) {
            assert_eq!(text.len(), mask.len());
            assert!(text.len() < 4 || *text != mask, "{text}");
        }
    }

    #[test]
    fn what_stands_beside_the_keys_is_hidden_as_before() {
        let masks = Masks::new();
        let both = masks.ordering(&BTreeSet::from(["runa@fjord.example"]));
        let of = |masks: &Masks, text: &str| {
            let mut out = String::new();
            masks.text(text, &mut out);
            out
        };
        assert_eq!(of(&masks, "Runa Lie"), of(&both, "Runa Lie"));
        assert_eq!(of(&both, "home"), "home");
        assert!(!of(&both, "runa@fjord.example").contains("fjord"));
    }

    proptest! {
        #[test]
        fn any_texts_keep_order_and_length(
            texts in prop::collection::btree_set("[!#-\\[\\]-~]{1,3}|[a-z]{2,9}|\\PC{4,20}", 0..60),
        ) {
            let plain: BTreeSet<&str> = texts
                .iter()
                .map(String::as_str)
                .filter(|text| super::is_plain(text) && *text != "home")
                .collect();
            let masked = ordered(&plain);
            prop_assert!(masked.is_sorted_by(|a, b| a < b), "{masked:?}");
            for (text, mask) in plain.iter().zip(&masked) {
                prop_assert_eq!(text.len(), mask.len());
            }
        }
    }
}
