//! Pseudonyms: what stands for a text, number or hash that may be about a person.
//!
//! They keep what decisions depend on: two values are equal where their pseudonyms are (but for texts of a few characters, of which
//! a customer's key may have the pseudonym of another text), a text is as long as it was, also written as JSON, a time stays a
//! time, a number keeps its digits, sign and fraction, customers' keys keep their order, but for a few kinds (`order`). What they are made with is a random secret of
//! the process that is never written, so nobody can tell from a list of known addresses whose pseudonym one is.

mod order;

mod names;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use ingest_model::version::{Kind, Version};

use self::names::NAMES;

/// What the ends of attribute names say of their values.
const SUFFIXES: &[&str] = &["Str", "Num", "At", "Bool", "Txt", "Url", "Tree", "Date"];
/// Values that the machine writes itself.
const OWN: &[&str] = &["home"];
/// Texts up to that length are permuted among all of their length, so that no two share a pseudonym.
const SHORT: usize = 8;
/// Signs that JSON writes as they are.
const SIGNS: &[u8] = b" !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";
/// Bytes of a text that are replaced at once.
const BLOCK: usize = 64;
/// As many as five bits tell apart.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// From so many hexadecimal digits on a version is a counter, and says nothing about a person.
const COUNTER: usize = 8;
/// The longest prefix of a textual version whose order is kept.
const ORDERED: usize = 64;

/// Makes pseudonyms.
pub(super) struct Masks {
    secret: RandomState,
    rounds: [u64; 4],
    /// Those that keep the order of their texts.
    ordered: HashMap<String, String>,
}

impl Masks {
    pub(super) fn new() -> Self {
        let secret = RandomState::new();
        let rounds = [1_u64, 2, 3, 4].map(|round| secret.hash_one(round));
        Self {
            secret,
            rounds,
            ordered: HashMap::new(),
        }
    }

    fn hash(&self, sort: u8, bytes: &[u8]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        hasher.write_u8(sort);
        hasher.write(bytes);
        hasher.finish()
    }

    /// Where a number below `size` stands in a secret order of all of them.
    fn permuted(&self, value: u64, size: u64) -> u64 {
        if size < 2 || value >= size {
            return value;
        }
        let half = (64 - (size - 1).leading_zeros()).div_ceil(2);
        let low = (1_u64 << half) - 1;
        let mut at = value;
        loop {
            let (mut left, mut right) = (at >> half, at & low);
            for key in self.rounds {
                (left, right) = (right, left ^ (mixed(right ^ key ^ size) & low));
            }
            at = left << half | right;
            // What falls outside is permuted again: in the end it comes back.
            if at < size {
                return at;
            }
        }
    }

    /// The pseudonym of a text.
    pub(super) fn text(&self, text: &str, out: &mut String) {
        if OWN.contains(&text) {
            out.push_str(text);
        } else if let Some(ordered) = self.ordered.get(text) {
            out.push_str(ordered);
        } else if !self.time(text, out) && !self.short(text, out) {
            self.long(1, text, out);
        }
    }

    fn short(&self, text: &str, out: &mut String) -> bool {
        if text.len() > SHORT {
            return false;
        }
        let base = length(SIGNS.len());
        let (mut number, mut size) = (0_u64, 1_u64);
        for byte in text.bytes() {
            let Some(place) = place_of(byte) else {
                return false;
            };
            number = number * base + place;
            size *= base;
        }
        let mut number = self.permuted(number, size);
        for _ in 0..text.len() {
            out.push(sign(SIGNS, number));
            number /= base;
        }
        true
    }

    fn long(&self, sort: u8, text: &str, out: &mut String) {
        let mut letters = Letters {
            stream: self.hash(sort, text.as_bytes()),
            left: 0,
            bits: 0,
        };
        // What JSON escapes keeps its place, so that the text is as long there, too; every other byte becomes a letter.
        let kept = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f);
        for bytes in text.as_bytes().chunks(BLOCK) {
            let mut block = [b'-'; BLOCK];
            for (to, from) in block.iter_mut().zip(bytes) {
                *to = if kept(*from) { *from } else { letters.next() };
            }
            let block = block.get(..bytes.len()).unwrap_or_default();
            out.push_str(std::str::from_utf8(block).unwrap_or_default());
        }
    }

    /// The pseudonym of a time in UTC: another time, the same for each way to write it.
    fn time(&self, text: &str, out: &mut String) -> bool {
        let Some((seconds, rest)) = text.split_at_checked(19) else {
            return false;
        };
        let shape = seconds.bytes().zip("0000-00-00T00:00:00".bytes());
        let fits = |(byte, like): (u8, u8)| byte == like || (like == b'0' && byte.is_ascii_digit());
        let Some(fraction) = rest.strip_suffix('Z').filter(|_| shape.clone().all(fits)) else {
            return false;
        };
        let digits = match fraction.strip_prefix('.') {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits
            }
            None if fraction.is_empty() => "",
            Some(_) | None => return false,
        };
        let said = digits.trim_end_matches('0');
        let mut stream = self.hash(2, seconds.as_bytes());
        if !said.is_empty() {
            stream ^= self.hash(3, said.as_bytes());
        }
        let mut part = |size: u64| {
            stream = mixed(stream);
            (stream >> 32) % size
        };
        let year = 1970 + part(130);
        let parts = [
            (year / 100, '-'),
            (year % 100, '-'),
            (1 + part(12), '-'),
            (1 + part(28), 'T'),
            (part(24), ':'),
            (part(60), ':'),
            (part(60), ':'),
        ];
        for (place, (two, after)) in parts.into_iter().enumerate() {
            out.push(sign(b"0123456789", two / 10));
            out.push(sign(b"0123456789", two));
            if place > 0 && place < 6 {
                out.push(after);
            }
        }
        if !digits.is_empty() {
            out.push('.');
        }
        for place in 0..digits.len() {
            out.push(match place + 1 {
                at if at > said.len() => '0',
                at if at == said.len() => sign(b"123456789", part(9)),
                _ => sign(b"0123456789", part(10)),
            });
        }
        out.push('Z');
        true
    }

    /// The name of a field: as it is where it is the API's, else a pseudonym that keeps its suffix.
    pub(super) fn field(&self, name: &str, out: &mut String) {
        if NAMES.binary_search(&name).is_ok() {
            out.push_str(name);
            return;
        }
        let suffix = SUFFIXES.iter().find(|suffix| name.ends_with(**suffix));
        let stem = suffix
            .and_then(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        self.long(3, stem, out);
        out.push_str(suffix.copied().unwrap_or_default());
    }

    /// A whole number, by its amount; its sign stays.
    pub(super) fn whole(&self, amount: u64) -> u64 {
        if amount < 10 {
            return self.permuted(amount, 10);
        }
        let least = 10_u64.pow(amount.ilog10());
        if least >= 1_000_000_000_000_000_000 {
            return least + self.hash(4, &amount.to_be_bytes()) % 8_000_000_000_000_000_000;
        }
        least + self.permuted(amount - least, least * 9)
    }

    /// A number with a fraction.
    pub(super) fn fraction(&self, number: f64) -> f64 {
        let text = number.abs().to_string();
        let (whole, digits) = text.split_once('.').unwrap_or((&text, ""));
        let (Ok(amount), true) = (whole.parse::<u64>(), text.len() <= 16) else {
            // Too long for its digits to be exchanged: any other number of its size.
            let part = self.hash(5, &number.to_bits().to_be_bytes());
            return number
                * (0.5 + f64::from(u32::try_from(part >> 33).unwrap_or(0)) / f64::from(u32::MAX));
        };
        let masked = if digits.is_empty() {
            self.whole(amount).to_string()
        } else {
            let whole = if amount == 0 { 0 } else { self.whole(amount) };
            let size = 10_u64.pow(u32::try_from(digits.len() - 1).unwrap_or(0));
            let (head, last) = digits
                .split_at_checked(digits.len() - 1)
                .unwrap_or((digits, ""));
            let head: u64 = head.parse().unwrap_or(0);
            let last: u64 = last.parse().unwrap_or(1);
            // The last digit is never 0, or the number would be written shorter. Numbers before the point do not share an order.
            let turn = self.hash(6, &amount.to_be_bytes()) % (size * 9);
            let place = (head * 9 + last.saturating_sub(1) + turn) % (size * 9);
            let place = self.permuted(place, size * 9);
            format!(
                "{whole}.{:0width$}",
                place / 9 * 10 + place % 9 + 1,
                width = digits.len()
            )
        };
        let masked: f64 = masked.parse().unwrap_or(number);
        masked.copysign(number)
    }

    /// A hash that was made without a secret, of 128 bits in hexadecimal digits.
    pub(super) fn hash_text(&self, text: &str) -> String {
        let (high, low) = (self.hash(7, text.as_bytes()), self.hash(8, text.as_bytes()));
        format!("{high:016x}{low:016x}")
    }

    /// The same of at most 64 bits; one of 32 stays one.
    pub(super) fn hash_number(&self, number: u64, wide: bool) -> u64 {
        let hash = self.hash(9, &number.to_be_bytes());
        if wide { hash } else { hash >> 32 }
    }

    /// A version: numbers, times and counters are kept, of texts the order.
    pub(super) fn version(&self, text: &str, out: &mut String) {
        let counter = text.len() >= COUNTER && text.bytes().all(|b| b.is_ascii_hexdigit());
        match Version::new(text).kind() {
            Kind::Number | Kind::Time => out.push_str(text),
            Kind::Text if counter => out.push_str(text),
            Kind::Text => {
                out.push('~');
                for (place, byte) in text.bytes().enumerate().take(ORDERED) {
                    let before = text.as_bytes().get(..place).unwrap_or_default();
                    let mut stream = self.hash(10, before);
                    let mut code = 0;
                    for _ in 0..=byte {
                        stream = mixed(stream);
                        code += 1 + (stream >> 32) % 61;
                    }
                    for unit in [676, 26, 1] {
                        out.push(sign(LETTERS, code / unit % 26));
                    }
                }
                if text.len() > ORDERED {
                    self.long(11, text, out);
                }
            }
        }
    }
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks")
    }
}

/// Letters out of a hash.
struct Letters {
    stream: u64,
    bits: u64,
    left: u32,
}

impl Letters {
    fn next(&mut self) -> u8 {
        if self.left == 0 {
            self.stream = mixed(self.stream);
            (self.bits, self.left) = (self.stream, 12);
        }
        let [place, ..] = self.bits.to_le_bytes();
        self.bits >>= 5;
        self.left -= 1;
        let letter = LETTERS.get(usize::from(place & 31));
        letter.copied().unwrap_or(b'-')
    }
}

fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

fn length(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The place of a sign among [`SIGNS`].
fn place_of(byte: u8) -> Option<u64> {
    let skipped = match byte {
        b' ' | b'!' => 0,
        b'#'..=b'[' => 1,
        b']'..=b'~' => 2,
        _ => return None,
    };
    byte.checked_sub(b' ' + skipped).map(u64::from)
}

fn sign(signs: &[u8], number: u64) -> char {
    let place = usize::try_from(number % length(signs.len())).unwrap_or(0);
    char::from(signs.get(place).copied().unwrap_or(b'-'))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(masks: &Masks, text: &str) -> String {
        let mut out = String::new();
        masks.text(text, &mut out);
        out
    }

    fn version(masks: &Masks, text: &str) -> Version {
        let mut out = String::new();
        masks.version(text, &mut out);
        Version::new(&out)
    }

    #[test]
    fn short_texts_and_numbers_never_share_a_pseudonym() {
        let masks = Masks::new();
        let texts: HashSet<String> = (b'!'..=b'~')
            .flat_map(|a| ['A', 'b', '7'].map(|b| format!("{}{b}", char::from(a))))
            .filter(|pair| !pair.contains(['"', '\\']))
            .collect();
        let masked: HashSet<String> = texts.iter().map(|one| text(&masks, one)).collect();
        assert_eq!(masked.len(), texts.len());
        let numbers: HashSet<u64> = (0..5_000).map(|n| masks.whole(n)).collect();
        assert_eq!(numbers.len(), 5_000);
        let cents: HashSet<u64> = (101..1_000)
            .filter(|n| n % 10 != 0)
            .map(|n| masks.fraction(f64::from(n) / 100.0).to_bits())
            .collect();
        assert_eq!(cents.len(), 810, "{cents:?}");
    }

    #[test]
    fn tables_are_in_order() {
        assert!(NAMES.is_sorted());
        for (place, sign) in SIGNS.iter().enumerate() {
            assert_eq!(place_of(*sign), Some(length(place)));
        }
        assert_eq!([b'"', b'\\', 0x1f, 0x7f].map(place_of), [None; 4]);
    }

    #[test]
    fn one_time_in_two_spellings_stays_one_time() {
        let masks = Masks::new();
        let (a, b) = (
            text(&masks, "1984-05-06T07:08:09Z"),
            text(&masks, "1984-05-06T07:08:09.000Z"),
        );
        assert_ne!(a, "1984-05-06T07:08:09Z");
        let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        assert_eq!(time(&a), time(&b));
        assert_ne!(time(&a), time(&text(&masks, "1984-05-06T07:08:10Z")));
        let (a, b) = (
            text(&masks, "1984-05-06T07:08:09.5Z"),
            text(&masks, "1984-05-06T07:08:09.500Z"),
        );
        assert_eq!(time(&a), time(&b));
    }

    #[test]
    fn another_process_gives_other_pseudonyms() {
        let name = "Greta Holm, Tromsø";
        assert_ne!(text(&Masks::new(), name), text(&Masks::new(), name));
    }

    proptest! {
        #[test]
        fn a_pseudonym_is_as_long_as_the_text_and_tells_it_from_others(
            a in "\\PC{0,40}|[\\x00-\\x7f]{0,12}", b in "\\PC{9,40}",
        ) {
            let masks = Masks::new();
            let (x, y) = (text(&masks, &a), text(&masks, &b));
            prop_assert_eq!(x.len(), a.len());
            prop_assert_eq!(json!(x).to_string().len(), json!(a).to_string().len());
            prop_assert_eq!(&x, &text(&masks, &a));
            prop_assert!(a.len() == b.len() || x != y);
        }

        #[test]
        fn numbers_keep_their_digits(n in any::<i64>(), f in -1e9f64..1e9) {
            let masks = Masks::new();
            let amount = n.unsigned_abs() / 2;
            prop_assert_eq!(masks.whole(amount).to_string().len(), amount.to_string().len());
            let cents = (f * 100.0).round() / 100.0;
            let masked = masks.fraction(cents);
            prop_assert_eq!(masked.to_string().len(), cents.to_string().len());
            prop_assert_eq!(masked.is_sign_negative(), cents.is_sign_negative());
        }

        #[test]
        fn versions_stay_in_their_order(a in "[a-z]{1,3}[0-9]{0,3}|[0-9]{1,9}", b in "[a-z]{1,3}[0-9]{0,3}|[0-9]{1,9}") {
            let masks = Masks::new();
            let plain: Option<Ordering> = Version::new(&a).compare(&Version::new(&b));
            prop_assert_eq!(version(&masks, &a).compare(&version(&masks, &b)), plain);
        }
    }
}
