//! Made-up values that look like those they stand for.

/// Given names, none of which says anything.
const FIRST: &[&str] = &["Robin", "Alex", "Kim", "Sam", "Toni", "Noa", "Jona", "Mika"];
const LAST: &[&str] = &["Example", "Sample", "Muster", "Placeholder"];
const STREETS: &[&str] = &["Example Street", "Sample Road", "Muster Lane"];
const CITIES: &[&str] = &["Exampleton", "Sampleville", "Musterstadt"];

/// What a personal value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::cli::mappings) enum Kind {
    Email,
    Phone,
    First,
    Last,
    Name,
    Street,
    City,
    /// Digits and letters that mean something together: postcodes.
    Code,
    Company,
    Address,
    Birthday,
    /// The number of a payment card.
    Card,
    Secret,
    Text,
    /// The id of a person or a thing.
    Id,
}

/// The value that stands for the `number`th original of this kind, counted from 0.
pub(super) fn made_up(kind: Kind, original: &str, number: usize) -> String {
    let one = |words: &[&str]| pick(words, number);
    match kind {
        Kind::Email => format!("person{}@example.com", number + 1),
        Kind::Phone => phone(original, number),
        Kind::First => cased(original, one(FIRST)),
        Kind::Last => cased(original, one(LAST)),
        Kind::Name => {
            let is_one_word = !original.trim().contains(char::is_whitespace);
            let name = if is_one_word {
                one(FIRST)
            } else {
                format!("{} {}", one(FIRST), pick(LAST, number))
            };
            cased(original, name)
        }
        Kind::Street => {
            let digits: bool = original.chars().any(|c| c.is_ascii_digit());
            let street = one(STREETS);
            if digits {
                format!("{street} {}", number + 1)
            } else {
                street
            }
        }
        Kind::City => cased(original, one(CITIES)),
        Kind::Company => format!("Company {}", number + 1),
        Kind::Code => masked(original, number, false),
        Kind::Address => {
            if original.contains(':') {
                format!("2001:db8::{:x}", number + 1)
            } else {
                format!("192.0.2.{}", number % 250 + 1)
            }
        }
        Kind::Birthday => {
            // The time of day stays, if there is one.
            let time = original
                .get(10..)
                .filter(|_| original.get(4..5) == Some("-"));
            format!("1990-01-01{}", time.unwrap_or_default())
        }
        Kind::Card => card(original, number),
        Kind::Secret => "redacted".to_owned(),
        Kind::Text => "Some text.".to_owned(),
        Kind::Id => id(original, number),
    }
}

fn pick(words: &[&str], number: usize) -> String {
    let word = words
        .get(number % words.len().max(1))
        .copied()
        .unwrap_or_default();
    match number / words.len().max(1) {
        0 => word.to_owned(),
        round => format!("{word}{}", round + 1),
    }
}

/// In capitals, if the original is.
fn cased(original: &str, word: String) -> String {
    let letters = || original.chars().filter(|c| c.is_alphabetic());
    let several = letters().count() > 1;
    if several && letters().all(char::is_uppercase) {
        word.to_uppercase()
    } else if several && letters().all(char::is_lowercase) {
        word.to_lowercase()
    } else {
        word
    }
}

/// The country stays: a plus or two zeros, and the two digits behind it.
fn phone(original: &str, number: usize) -> String {
    let is_international =
        original.trim_start().starts_with(['+', '(']) || original.starts_with("00");
    let mut kept = match (is_international, original.starts_with("00")) {
        (true, true) => 4,
        (true, false) => 2,
        (false, _) => 1,
    };
    let mut digits = Digits::new(number);
    let replaced = original.chars().map(|c| {
        if !c.is_ascii_digit() {
            return c;
        }
        if kept > 0 {
            kept -= 1;
            return c;
        }
        digits.digit(false)
    });
    replaced.collect()
}

/// A number that no card has, because none begins with a 9, with the gaps of the original. A number stays one.
fn card(original: &str, number: usize) -> String {
    let digits = original.chars().filter(char::is_ascii_digit).count();
    let count = format!("{:04}", (number + 1) % 10_000);
    let all = "9".repeat(digits.saturating_sub(count.len())) + &count;
    let mut digits = all.chars();
    let replaced = original.chars().map(|c| match c {
        '0'..='9' => digits.next().unwrap_or('9'),
        other => other,
    });
    replaced.collect()
}

/// An id: what stands before its last part stays, such as `gid://shop/Order/` and `cus_`.
fn id(original: &str, number: usize) -> String {
    let cut = original.rfind(['/', ':']).map_or(0, |at| at + 1);
    let rest = original.get(cut..).unwrap_or_default();
    let prefix = rest.find('_').filter(|at| {
        let word = rest.get(..*at).unwrap_or_default();
        !word.is_empty() && word.len() <= 8 && word.bytes().all(|b| b.is_ascii_alphabetic())
    });
    let cut = cut + prefix.map_or(0, |at| at + 1);
    let (kept, rest) = original.split_at(cut);
    let is_hex = rest.len() >= 8 && rest.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    format!("{kept}{}", masked(rest, number, is_hex))
}

/// Other digits in place of digits, other letters in place of letters.
fn masked(original: &str, number: usize, is_hex: bool) -> String {
    let mut digits = Digits::new(number.wrapping_mul(31).wrapping_add(original.len()));
    let mut is_first = true;
    let replaced = original.chars().map(|c| {
        let other = match c {
            '0'..='9' => digits.digit(is_first),
            'a'..='z' => digits.letter(b'a', is_hex),
            'A'..='Z' => digits.letter(b'A', is_hex),
            other => other,
        };
        is_first = false;
        other
    });
    replaced.collect()
}

/// Digits that look drawn at random, the same each time.
struct Digits(u64);

impl Digits {
    fn new(number: usize) -> Self {
        Self(
            u64::try_from(number)
                .unwrap_or_default()
                .wrapping_add(0x9e37_79b9),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn digit(&mut self, is_first: bool) -> char {
        let digit = if is_first {
            1 + self.next() % 9
        } else {
            self.next() % 10
        };
        char::from(b'0' + u8::try_from(digit).unwrap_or_default())
    }

    fn letter(&mut self, first: u8, is_hex: bool) -> char {
        let letters = if is_hex { 6 } else { 26 };
        char::from(first + u8::try_from(self.next() % letters).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_value_looks_like_it() {
        for (kind, original, wanted) in [
            (Kind::Email, "maria@shop.example", "person1@example.com"),
            (Kind::Name, "Maria Lopez", "Robin Example"),
            (Kind::Name, "maria", "robin"),
            (Kind::Last, "LOPEZ", "EXAMPLE"),
            (Kind::Street, "12 High St", "Example Street 1"),
            (
                Kind::Birthday,
                "1984-02-03T00:00:00Z",
                "1990-01-01T00:00:00Z",
            ),
            (Kind::Address, "10.1.2.3", "192.0.2.1"),
            (Kind::Card, "4111 1111 1111 1111", "9999 9999 9999 0001"),
        ] {
            assert_eq!(made_up(kind, original, 0), wanted);
        }
        let phone = made_up(Kind::Phone, "+49 30 901820", 0);
        assert!(phone.starts_with("+49 ") && phone.len() == 13 && phone != "+49 30 901820");
        let shape = |text: &str| -> String {
            let kinds = text.chars().map(|c| match c {
                '0'..='9' => '0',
                'a'..='z' => 'a',
                other => other,
            });
            kinds.collect()
        };
        for original in [
            "gid://shop/Order/5512",
            "cus_a1b2",
            "1b671a64-40d5-491e-99b0-da01ff1f3341",
        ] {
            let other = made_up(Kind::Id, original, 3);
            assert_ne!(other, original);
            assert_eq!(other.len(), original.len());
            let kept = |text: &str| {
                text.rsplit_once(['/', '_'])
                    .map(|(kept, _)| kept.to_owned())
            };
            assert_eq!(kept(&other), kept(original));
            assert!(
                other.contains('-') || shape(&other) == shape(original),
                "{other}"
            );
        }
        assert_ne!(made_up(Kind::Id, "u1", 0), made_up(Kind::Id, "u1", 1));
    }
}
