//! How much memory JSON takes once it is read, told from its text.
//!
//! A text of a mebibyte can become a hundred times as much: `{"":0}` is seven bytes, and an object of one field some
//! hundreds. So the brackets and commas are counted before the text is parsed.

/// The most that a record's value may take, far more than what anybody sends in a mebibyte.
pub(crate) const MAX_WEIGHT: usize = 30 * 1024 * 1024;

/// Bytes of a value in a list: lists grow by doubling, and the old one is there while the new one is filled.
const VALUE: usize = 3 * size_of::<serde_json::Value>();
/// Bytes of an object beside the room of its values.
const OBJECT: usize = 400;

/// About the bytes that this text takes once it is parsed, rather too many than too few.
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
