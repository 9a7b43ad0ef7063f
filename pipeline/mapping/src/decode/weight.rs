//! How much memory JSON would take once parsed, estimated from its text.
//!
//! A mebibyte of text can take a hundred times as much: `{"":0}` is six bytes, but an object with one field takes several
//! hundred. So brackets and commas are counted before the text is parsed.

/// The most memory that the value of a record may take, in bytes. A normal record of a mebibyte takes far less.
pub(crate) const MAX_WEIGHT: usize = 30 * 1024 * 1024;

/// Bytes for a value in a list. A list grows by doubling, and the old one exists until the new one is filled.
const VALUE: usize = 3 * size_of::<serde_json::Value>();
/// Bytes for an object, not counting its values.
const OBJECT: usize = 400;

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
