//! Texts of the first version, `ki1`, which an older worker of the same group may have left: the lengths of open and settled
//! runs in turn, as variable-length integers in base 64. They are read, never written.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::run::Run;
use ingest_model::record::Offset;

/// The runs of such a text; `None` if it is damaged.
pub(super) fn read(frontier: Offset, text: &str) -> Option<Vec<Run>> {
    read_runs(frontier.0, &URL_SAFE_NO_PAD.decode(text).ok()?)
}

/// A number and the bytes after it; `None` if it is cut off or larger than 63 bits.
fn read_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut number = 0_i64;
    let mut rest = bytes;
    for shift in (0..63).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        number |= i64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

fn read_runs(frontier: i64, packed: &[u8]) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut next = frontier;
    let mut rest = packed;
    while !rest.is_empty() {
        let (open, after) = read_number(rest)?;
        let (settled, after) = read_number(after)?;
        rest = after;
        // Only the first run may begin at the frontier itself, and no run is empty.
        if settled == 0 || (open == 0 && !runs.is_empty()) {
            return None;
        }
        let first = next.checked_add(open)?;
        next = first.checked_add(settled)?;
        runs.push((Offset(first), Offset(next - 1)));
    }
    Some(runs)
}
