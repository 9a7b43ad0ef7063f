//! The title of a digest: texts with numbers of the session in them.

use std::fmt::{self, Write as _};
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
            Piece::Count => Some(Number::Count(count)),
            Piece::CountOf(name) => Some(Number::Count(count_of(name))),
            Piece::Sum(name) => Some(Number::Sum(sum(name))),
        };
        let mut title = String::new();
        for part in &self.0 {
            let mut numbers = part.iter().filter_map(number).peekable();
            if numbers.peek().is_some() && numbers.all(|number| number.is_zero()) {
                continue;
            }
            if !title.is_empty() {
                title.push_str(", ");
            }
            for piece in part {
                match (piece, number(piece)) {
                    (Piece::Text(text), _) => title.push_str(text),
                    // a text takes whatever is written
                    (_, number) => _ = number.map(|number| write!(title, "{number}")),
                }
            }
        }
        if title.is_empty() {
            let s = if count == 1 { "" } else { "s" };
            title = format!("{count} event{s}");
        }
        if let Some((end, _)) = title.char_indices().nth(MAX_CHARS) {
            title.truncate(end);
        }
        title
    }
}

/// A number of a session.
enum Number {
    Count(u64),
    Sum(Amount),
}

// === impl Number ===

impl Number {
    fn is_zero(&self) -> bool {
        match self {
            Self::Count(count) => *count == 0,
            Self::Sum(sum) => sum.is_zero(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Sum(sum) => sum.fmt(f),
        }
    }
}
