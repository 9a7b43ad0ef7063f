//! Settled offsets as the lengths of runs: open, settled, open, and so on.
//!
//! A length takes twice as many bits as the binary number has, less one (Elias gamma): one for 1, three for 2 and 3. Short
//! where offsets settle in long runs.

use super::run::Run;
use super::signs::{Reader, Writer};
use ingest_model::record::Offset;

/// Most bits of a length. Left-over bits of the last sign are zeros, which begin no length.
const LENGTH_BITS: u32 = 63;

/// How many bits the runs take, and how many of the runs fit into `room` bits.
pub(super) fn measure(frontier: Offset, runs: &[Run], room: u64) -> (u64, usize) {
    let mut bits = 0_u64;
    let mut fit = 0;
    for (place, (open, settled)) in lengths(frontier, runs).enumerate() {
        bits = bits.saturating_add(u64::from(length_bits(open)) + u64::from(length_bits(settled)));
        if bits <= room {
            fit = place + 1;
        }
    }
    (bits, fit)
}

/// Writes the runs.
pub(super) fn write(writer: &mut Writer, frontier: Offset, runs: &[Run]) {
    for (open, settled) in lengths(frontier, runs) {
        for length in [open, settled] {
            let digits = length.ilog2() + 1;
            writer.repeat(false, u64::from(digits - 1));
            writer.number(length, digits);
        }
    }
}

/// Reads runs; `None` if the signs are damaged.
pub(super) fn read(frontier: Offset, reader: &mut Reader<'_>) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut next = frontier.0;
    loop {
        let Some(open) = read_length(reader)? else {
            return Some(runs);
        };
        let settled = read_length(reader)??;
        // The first run may begin at the frontier itself.
        let open = if runs.is_empty() { open - 1 } else { open };
        let first = next.checked_add(open)?;
        next = first.checked_add(settled)?;
        runs.push((Offset(first), Offset(next - 1)));
    }
}

/// The lengths of open and settled runs in turn. The first open length is one greater than the run, so that none is 0.
fn lengths(frontier: Offset, runs: &[Run]) -> impl Iterator<Item = (u64, u64)> {
    let before = std::iter::once(Offset(frontier.0.saturating_sub(1)))
        .chain(runs.iter().map(|(_, last)| last.next()));
    runs.iter().zip(before).map(|((first, last), before)| {
        let open = first.0.abs_diff(before.0).max(1);
        (open, last.0.abs_diff(first.0) + 1)
    })
}

fn length_bits(length: u64) -> u32 {
    2 * length.ilog2() + 1
}

/// A length; `Some(None)` if only the padding of the last sign is left.
fn read_length(reader: &mut Reader<'_>) -> Option<Option<i64>> {
    let mut zeros = 0;
    loop {
        match reader.next() {
            Some(true) => break,
            Some(false) if zeros + 1 < LENGTH_BITS => zeros += 1,
            Some(false) => return None,
            None if zeros < super::signs::BITS => return Some(None),
            None => return None,
        }
    }
    let low = reader.number(zeros)?;
    let length = i64::try_from(1_u64.checked_shl(zeros)? | low).ok()?;
    Some(Some(length))
}
