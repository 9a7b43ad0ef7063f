//! The names of tracking events.
//!
//! A legal name begins with a letter, continues with letters, digits, `-`, `_` and `.`, and has 2 to 255 characters. It
//! stays as it is. Any other name is made legal: blanks become `-`; other characters that are not allowed are dropped, and
//! so is everything before the first letter; several `-` in a row become one; a `-` at the end is dropped. A longer name
//! is cut. `Order Completed` becomes `Order-Completed`.

use std::borrow::Cow;

use super::{Cuts, Illegal};

/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 255;

/// The legal name for a text.
///
/// ```
/// # use ingest_mapping::body::{Cuts, name::legal_name};
/// let mut cuts = Cuts::default();
/// assert_eq!(legal_name("Order Completed", &mut cuts).unwrap(), "Order-Completed");
/// assert_eq!(legal_name(" 1. Order\u{1f389}  (new)! ", &mut cuts).unwrap(), "Order-new");
/// assert!(legal_name("123", &mut cuts).is_err());
/// ```
///
/// # Errors
/// [`Illegal`] when fewer than two characters remain.
pub fn legal_name<'a>(text: &'a str, cuts: &mut Cuts) -> Result<Cow<'a, str>, Illegal> {
    if is_legal(text) {
        return Ok(Cow::Borrowed(text));
    }
    let mut name = String::with_capacity(text.len());
    for c in text.trim().chars() {
        let c = if c.is_whitespace() { '-' } else { c };
        let wanted = match c {
            'a'..='z' | 'A'..='Z' => true,
            '0'..='9' | '_' | '.' => !name.is_empty(),
            '-' => !name.is_empty() && !name.ends_with('-'),
            _ => false,
        };
        if wanted {
            name.push(c);
        }
    }
    let mut name = cuts.cut(name, MAX_NAME_CHARS).into_owned();
    name.truncate(name.trim_end_matches('-').len());
    if name.len() < 2 {
        return Err(Illegal::new(
            "a tracking name needs a letter followed by at least one letter, digit, `-`, `_` or `.`",
        ));
    }
    Ok(Cow::Owned(name))
}

fn is_legal(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    first && rest && (2..=MAX_NAME_CHARS).contains(&text.len())
}
