//! Lengths of time.

use jiff::SignedDuration;

use super::super::node::Node;
use super::reader::Reader;

/// A length of time such as `90s`, `30m`, `1h` or `7d`.
pub(super) fn duration(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<SignedDuration> {
    let help = || Some("write a number and s, m, h or d, for example `1h`".to_owned());
    if let Some(kind) = node.as_text().is_none().then(|| node.kind()) {
        let said = format!("must be a length of time, is {kind}");
        reader.error(node.place, at, said, help());
        return None;
    }
    let text = reader.text(node, at)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("s") => Some(1),
        Some("m") => Some(60),
        Some("h") => Some(3_600),
        Some("d") => Some(86_400),
        _ => None,
    };
    let seconds = unit.zip(digits.trim().parse::<i64>().ok().filter(|n| *n > 0));
    let seconds = seconds
        .and_then(|(unit, count)| count.checked_mul(unit))
        .filter(|n| *n <= 86_400 * 36_500);
    if seconds.is_none() {
        reader.error(
            node.place,
            at,
            format!("`{text}` is not a length of time"),
            help(),
        );
    }
    seconds.map(SignedDuration::from_secs)
}
