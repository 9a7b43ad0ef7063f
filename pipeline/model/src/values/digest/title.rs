//! The title of a digest: texts with numbers of the session in them.

use std::sync::Arc;

use super::amount::Amount;

/// A title in parts, such as `Viewed 14 products` and `added 2 to the cart`. A part all of whose numbers are zero is left out.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Title(pub Vec<Vec<Piece>>);

/// A piece of a part.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A text.
    Text(Arc<str>),
    /// How many events there were.
    Count,
    /// How many of that name.
    CountOf(Arc<str>),
    /// The sum of that name.
    Sum(Arc<str>),
}

/// The longest title of an object, in characters.
const MAX_CHARS: usize = 256;

// === impl Title ===

impl Title {
    /// The title of a session with these numbers.
    pub(super) fn of(
        &self,
        count: u64,
        count_of: impl Fn(&str) -> u64,
        sum: impl Fn(&str) -> Amount,
    ) -> String {
        let number = |piece: &Piece| match piece {
            Piece::Text(_) => None,
            Piece::Count => Some((count.to_string(), count == 0)),
            Piece::CountOf(name) => {
                let count = count_of(name);
                Some((count.to_string(), count == 0))
            }
            Piece::Sum(name) => {
                let sum = sum(name);
                Some((sum.to_string(), sum.is_zero()))
            }
        };
        let parts = self.0.iter().filter_map(|part| said(part, &number));
        let parts: Vec<String> = parts.collect();
        let title = if parts.is_empty() {
            let s = if count == 1 { "" } else { "s" };
            format!("{count} event{s}")
        } else {
            parts.join(", ")
        };
        title.chars().take(MAX_CHARS).collect()
    }
}

/// What a part says; `number` gives a number, and whether it is zero.
fn said(part: &[Piece], number: &impl Fn(&Piece) -> Option<(String, bool)>) -> Option<String> {
    let mut text = String::new();
    let (mut numbers, mut zeros) = (0, 0);
    for piece in part {
        if let Piece::Text(piece) = piece {
            text.push_str(piece);
        } else if let Some((shown, zero)) = number(piece) {
            text.push_str(&shown);
            numbers += 1;
            zeros += i32::from(zero);
        }
    }
    (numbers == 0 || zeros < numbers).then_some(text)
}
