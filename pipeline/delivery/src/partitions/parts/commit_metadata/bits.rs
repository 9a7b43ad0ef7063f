//! Settled offsets as plain bits, one for each offset from the frontier on. Short where settled and open ones alternate.

use super::run::Run;
use super::signs::{Reader, Writer};
use ingest_model::record::Offset;

/// How many bits the runs take, and the last offset that fits into `room` bits.
pub(super) fn measure(frontier: Offset, runs: &[Run], room: u64) -> (u64, Offset) {
    let bits = runs
        .last()
        .map_or(0, |(_, last)| last.0.abs_diff(frontier.0) + 1);
    let fit = i64::try_from(bits.min(room)).unwrap_or(i64::MAX);
    (
        bits,
        Offset(frontier.0.saturating_add(fit).saturating_sub(1)),
    )
}

/// Writes the runs up to the offset `end`.
pub(super) fn write(writer: &mut Writer, frontier: Offset, runs: &[Run], end: Offset) {
    let mut next = frontier;
    for (first, last) in runs.iter().take_while(|(first, _)| *first <= end) {
        let last = *last.min(&end);
        writer.repeat(false, first.0.abs_diff(next.0));
        writer.repeat(true, last.0.abs_diff(first.0) + 1);
        next = last.next();
    }
}

/// Reads bits as runs; `None` if they go beyond the highest offset.
pub(super) fn read(frontier: Offset, reader: &mut Reader<'_>) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut offset = frontier.0;
    for settled in reader {
        if settled {
            match runs.last_mut() {
                Some((_, last)) if last.0 == offset - 1 => last.0 = offset,
                Some(_) | None => runs.push((Offset(offset), Offset(offset))),
            }
        }
        offset = offset.checked_add(1)?;
    }
    Some(runs)
}
