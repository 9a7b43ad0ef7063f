//! How much memory JSON would take once parsed, estimated from its text.
//!
//! A mebibyte of text can take a hundred times as much: `{"":0}` is six bytes, but an object with one field takes several
//! hundred. So brackets and commas are counted before the text is parsed.

use std::borrow::Cow;

use crate::value::Value;

/// The most memory that the value of a record may take, in bytes. A normal record of a mebibyte takes far less.
pub(crate) const MAX_WEIGHT: usize = 30 * 1024 * 1024;

/// What the texts of JSON within a record may take, besides the record itself.
pub(super) const NESTED: usize = MAX_WEIGHT / 2;

/// Bytes for a value with its name, and its place in an index. A list grows by doubling, and the old one exists until the new one is
/// filled.
const VALUE: usize = 3 * (size_of::<(Cow<'_, str>, Value<'_>)>() + 2 * size_of::<usize>());
/// Bytes for an object, not counting its values.
const OBJECT: usize = 400;

/// The largest JSON text that is estimated at no more whatever it contains. What counts most is a list of empty objects: for each,
/// `{},` counts as two values and an object.
const CERTAIN: usize = (MAX_WEIGHT - VALUE) / (1 + (2 * VALUE + OBJECT).div_ceil(3));

/// Whether a text takes no more than [`MAX_WEIGHT`] once parsed. Most texts are too short to be looked at.
pub(super) fn is_light(text: &[u8]) -> bool {
    text.len() <= CERTAIN || of_text(text) <= MAX_WEIGHT
}

/// The bytes that this text would take once parsed: an estimate that is rather too high than too low.
pub(crate) fn of_text(text: &[u8]) -> usize {
    let (mut values, mut objects) = (1_usize, 0_usize);
    let mut within = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if within => at += 1,
            b'"' => within = !within,
            b',' | b'[' if !within => values += 1,
            b'{' if !within => {
                values += 1;
                objects += 1;
            }
            _ => {}
        }
        at += 1;
    }
    text.len() + values.saturating_mul(VALUE) + objects.saturating_mul(OBJECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_looked_at_is_light() {
        for part in [
            "{},",
            "[],",
            "{\"\":0},",
            "0,",
            "{\"\":{}},",
            "[{}],",
            "\"\",",
        ] {
            let list = format!("[{}0]", part.repeat((CERTAIN - 3) / part.len()));
            assert!(list.len() <= CERTAIN && list.len() > CERTAIN - 32, "{part}");
            assert!(of_text(list.as_bytes()) <= MAX_WEIGHT, "{part}");
        }
        let heavy = format!("[{}0]", "{},".repeat(CERTAIN));
        assert!(!is_light(heavy.as_bytes()));
    }
}
