//! The text beside a committed offset: what is settled above the frontier.
//!
//! Where one slow record holds the frontier back, thousands above it may be done, and the frontier alone is a bad place to
//! restart from. So each commit carries the settled offsets above it, and the next owner of the partition skips them. Brokers
//! accept 4,096 characters by default, so the text is short: the lengths of runs, or one bit for each offset, whichever is
//! shorter, in signs of 15 bits. At worst it takes one bit for each offset between the frontier and the last one read: whoever
//! reads no further than [`longest`] allows never has to leave anything out.
//!
//! Kafka forgets the offsets of a deleted topic, but a copied cluster or a person may restore an offset that belongs to
//! another life of the topic. So the text names its partition, the offset that it belongs to, and the time of the record at
//! that offset: [`crate::partitions::ledger::Ledger`] compares it with the first record that it reads.
//!
//! In front of it there may be a rider (`seam/rider.rs`), which this module passes over.
//!
//! Form: `ki2.<partition mark>.<offset>.<time of its record>.<r for runs, b for bits><signs>`. A text that has neither this
//! form nor the one before it, or that belongs to another offset, is ignored, with a reason.

mod bits;
mod limit;
mod older;
mod run;
mod runs;
mod signs;

pub use self::limit::{DEFAULT as DEFAULT_LIMIT, SMALLEST as SMALLEST_LIMIT, TextLimit};
pub use self::run::Run;
use self::signs::{Reader, Writer};
use ingest_model::record::{Offset, TopicPartition};

use crate::seam::fact::Ignored;
use crate::seam::rider::split;

const TAG: &str = "ki";
const VERSION: &str = "ki2";
const OLDER_VERSION: &str = "ki1";

/// The letter before signs that encode runs.
const RUNS: char = 'r';
/// The letter before signs that encode bits.
const BITS: char = 'b';
/// Characters before the signs, at most.
const HEAD: usize = 64;

/// A text to commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The text; `None` if nothing is settled above the frontier, or nothing of it fits.
    pub text: Option<String>,
    /// How long the text would be without a limit, in characters.
    pub characters: usize,
    /// Whether something was left out at the far end.
    pub cut: bool,
}

/// What a former owner settled above its last committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The committed offset.
    pub frontier: Offset,
    /// The time of the record there, epoch milliseconds, if it was known.
    pub stamp: Option<i64>,
    /// Settled runs, ascending, none adjacent to another.
    pub runs: Vec<Run>,
}

impl Restored {
    /// How many offsets are settled.
    #[must_use]
    pub fn offsets(&self) -> u64 {
        self.runs
            .iter()
            .map(|(first, last)| last.0.abs_diff(first.0) + 1)
            .sum()
    }
}

/// How long a text can become, in characters, whatever settles: of the `span` offsets from the frontier on, `open` are open.
///
/// Bits take one for each offset. Each unsettled offset can end one run, and runs take most when they are all equally long.
#[must_use]
pub fn longest(open: u64, span: u64) -> usize {
    let bits = match span.checked_div(open) {
        None => 0,
        Some(each) => {
            let runs = open.saturating_mul(2 * u64::from(each.max(1).ilog2()) + 4);
            span.min(runs)
        }
    };
    let signs = bits.div_ceil(u64::from(signs::BITS));
    HEAD + usize::try_from(signs).unwrap_or(usize::MAX - HEAD)
}

/// The text for a commit of `frontier`, of at most `limit` characters.
///
/// `stamp` is the time of the record at the frontier, if there is one; `runs` are settled runs at or above it, ascending, none
/// adjacent to another. What does not fit is left out at the far end.
pub fn encode(
    partition: &TopicPartition,
    frontier: Offset,
    stamp: Option<i64>,
    runs: impl Iterator<Item = Run>,
    limit: usize,
) -> Encoded {
    let runs: Vec<Run> = runs.collect();
    let Some((_, end)) = runs.last().copied() else {
        return Encoded::default();
    };
    let stamp = stamp.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
    let mut text = format!("{VERSION}.{}.{}.{stamp}.", mark(partition), frontier.0);
    // Everything so far, and the letter that follows, is ASCII.
    let head = text.len() + 1;
    let room = u64::try_from(limit.saturating_sub(head)).unwrap_or(u64::MAX);
    let room = room.saturating_mul(u64::from(signs::BITS));

    let (as_runs, fit) = runs::measure(frontier, &runs, room);
    let (as_bits, last_bit) = bits::measure(frontier, &runs, room);
    let signs = as_runs.min(as_bits).div_ceil(u64::from(signs::BITS));
    let characters = head.saturating_add(usize::try_from(signs).unwrap_or(usize::MAX));

    let kept = runs.get(..fit).unwrap_or_default();
    let last_run = kept.last().map(|(_, last)| *last);
    // If both forms leave something out, the one that reaches further is used.
    let cut = as_runs.min(as_bits) > room;
    let by_runs = if cut {
        last_run >= Some(last_bit)
    } else {
        as_runs <= as_bits
    };
    let mut writer = Writer::default();
    if by_runs {
        text.push(RUNS);
        runs::write(&mut writer, frontier, kept);
    } else {
        text.push(BITS);
        bits::write(&mut writer, frontier, &runs, last_bit.min(end));
    }
    let signs = writer.finish();
    let text = (!signs.is_empty()).then(|| text + &signs);
    Encoded {
        text,
        characters,
        cut,
    }
}

/// What the text found beside `committed` says, or why it is not used.
///
/// # Errors
/// The reason to ignore it.
pub fn decode(
    partition: &TopicPartition,
    committed: Offset,
    text: &str,
) -> Result<Restored, Ignored> {
    let (_, text) = split(text);
    let mut parts = text.split('.');
    let read: fn(Offset, &str) -> Option<Vec<Run>> = match parts.next() {
        Some(VERSION) => read_signs,
        Some(OLDER_VERSION) => older::read,
        Some(tag) if is_another_version(tag) => return Err(Ignored::Version),
        Some(_) | None => return Err(Ignored::Foreign),
    };
    let (Some(of), Some(frontier), Some(stamp), Some(runs), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(Ignored::Damaged);
    };
    if of != mark(partition) {
        return Err(Ignored::Partition);
    }
    let damaged = |_| Ignored::Damaged;
    let frontier = frontier.parse::<i64>().map_err(damaged)?;
    if frontier != committed.0 {
        return Err(Ignored::Offset);
    }
    let stamp = match stamp {
        "-" => None,
        ms => Some(ms.parse::<i64>().map_err(damaged)?),
    };
    let runs = read(committed, runs)
        .filter(|runs| !runs.is_empty())
        .ok_or(Ignored::Damaged)?;
    Ok(Restored {
        frontier: committed,
        stamp,
        runs,
    })
}

/// The runs that a form's letter and signs encode.
fn read_signs(frontier: Offset, text: &str) -> Option<Vec<Run>> {
    let (form, signs) = [RUNS, BITS]
        .into_iter()
        .find_map(|form| Some((form, text.strip_prefix(form)?)))?;
    if !signs::are_signs(signs) {
        return None;
    }
    let mut reader = Reader::new(signs);
    if form == RUNS {
        runs::read(frontier, &mut reader)
    } else {
        bits::read(frontier, &mut reader)
    }
}

fn is_another_version(tag: &str) -> bool {
    tag.strip_prefix(TAG).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Eight characters that identify the topic and the partition.
fn mark(partition: &TopicPartition) -> String {
    let name = format!("{}/{}", partition.topic, partition.partition.0);
    let mut text = ingest_model::name_id(&uuid::Uuid::NAMESPACE_OID, name.as_bytes())
        .simple()
        .to_string();
    text.truncate(8);
    text
}

#[cfg(test)]
mod tests;
