//! The text beside a committed offset: what is settled above the frontier.
//!
//! The frontier alone is a bad place to start again when one slow record holds it back: thousands above it may be done.
//! Each commit therefore carries the settled offsets above it, and the next owner of the partition skips them. Brokers take
//! 4,096 bytes by default, so the text is short: runs of open and settled offsets in turn, as variable-length integers in
//! base 64.
//!
//! Kafka forgets the offsets of a deleted topic, but a copied cluster or a person may bring back an offset that belongs to
//! another life of the topic. So the text names its partition, the offset that it belongs to, and the time of the record at
//! that offset: [`crate::ledger::Ledger`] compares it with the first record that it reads.
//!
//! Form: `ki1.<partition mark>.<offset>.<time of its record>.<runs>`. What does not fit this form, or another offset, is
//! ignored, with a reason.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::record::{Offset, TopicPartition};

/// What brokers take by default (`offset.metadata.max.bytes`).
pub const DEFAULT_LIMIT: usize = 4_096;
/// At this size no more events of the partition are started, in parts of [`DEFAULT_LIMIT`].
pub const FULL: usize = 3_500;
/// Below this size they are started again, in parts of [`DEFAULT_LIMIT`].
pub const ROOM: usize = 3_000;
/// A limit below this is as good as none: no text is sent then.
pub const SMALLEST_LIMIT: usize = 64;

const TAG: &str = "ki";
const VERSION: &str = "ki1";

/// A run of settled offsets, first and last included.
pub type Run = (Offset, Offset);

/// A text to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The text; `None` if nothing is settled above the frontier, or not even one run fits.
    pub text: Option<String>,
    /// How long a text of all runs would be, in bytes, as far as it was worked out: a little above the limit at most.
    pub bytes: usize,
    /// Whether runs at the far end were left out.
    pub cut: bool,
}

/// What a former owner settled above its last committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The committed offset.
    pub frontier: Offset,
    /// The time of the record there, epoch milliseconds, if it was known.
    pub stamp: Option<i64>,
    /// Settled runs, ascending, none touching another.
    pub runs: Vec<Run>,
}

/// What a commit was found to carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing.
    #[default]
    None,
    /// This text.
    Text(String),
    /// Something that is no text.
    Unreadable,
}

/// Why a commit's text was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// Somebody else wrote it.
    Foreign,
    /// Another version of this program wrote it, in a form that this one does not know.
    Version,
    /// It belongs to another partition or topic.
    Partition,
    /// It belongs to another offset: somebody has moved the offset since.
    Offset,
    /// It cannot be read to its end.
    Damaged,
    /// The record at its offset is not the one that it was written for: another life of the topic.
    Generation,
}

impl Ignored {
    /// Every value, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Foreign,
        Self::Version,
        Self::Partition,
        Self::Offset,
        Self::Damaged,
        Self::Generation,
    ];

    /// The label in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::Partition => "partition",
            Self::Offset => "offset",
            Self::Damaged => "damaged",
            Self::Generation => "generation",
        }
    }
}

impl Restored {
    /// How many offsets it says are settled.
    #[must_use]
    pub fn offsets(&self) -> u64 {
        self.runs
            .iter()
            .map(|(first, last)| last.0.abs_diff(first.0) + 1)
            .sum()
    }
}

/// The text for a commit of `frontier`, of at most `limit` bytes.
///
/// `stamp` is the time of the record at the frontier, if there
/// is one; `runs` are settled runs at or above it, ascending. What does not fit is left out at the far end.
pub fn encode(
    partition: &TopicPartition,
    frontier: Offset,
    stamp: Option<i64>,
    runs: impl Iterator<Item = Run>,
    limit: usize,
) -> Encoded {
    let stamp = stamp.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
    let head = format!("{VERSION}.{}.{}.{stamp}.", mark(partition), frontier.0);
    // Three bytes are four characters.
    let room = limit.saturating_sub(head.len()) / 4 * 3;
    let mut packed: Vec<u8> = Vec::new();
    let mut next = frontier.0;
    let mut cut = false;
    let mut wanted = 0;
    for (first, last) in runs {
        let before = packed.len();
        write_number(&mut packed, first.0.abs_diff(next));
        write_number(&mut packed, last.0.abs_diff(first.0) + 1);
        wanted = packed.len();
        if packed.len() > room {
            packed.truncate(before);
            cut = true;
            break;
        }
        next = last.0.saturating_add(1);
    }
    let bytes = if wanted == 0 {
        0
    } else {
        head.len() + wanted.div_ceil(3) * 4
    };
    let text = (!packed.is_empty()).then(|| head + &URL_SAFE_NO_PAD.encode(&packed));
    Encoded { text, bytes, cut }
}

/// What a text found beside `committed` says, or why it is not used.
///
/// # Errors
/// The reason to ignore it.
pub fn decode(
    partition: &TopicPartition,
    committed: Offset,
    text: &str,
) -> Result<Restored, Ignored> {
    let mut parts = text.split('.');
    match parts.next() {
        Some(VERSION) => {}
        Some(tag) if is_another_version(tag) => return Err(Ignored::Version),
        Some(_) | None => return Err(Ignored::Foreign),
    }
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
    let packed = URL_SAFE_NO_PAD
        .decode(runs)
        .map_err(|_not_base_64| Ignored::Damaged)?;
    let runs = read_runs(frontier, &packed).ok_or(Ignored::Damaged)?;
    Ok(Restored {
        frontier: committed,
        stamp,
        runs,
    })
}

fn is_another_version(tag: &str) -> bool {
    tag.strip_prefix(TAG).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Eight characters that stand for the topic and the partition.
fn mark(partition: &TopicPartition) -> String {
    let name = format!("{}/{}", partition.topic, partition.partition.0);
    let mut text = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes())
        .simple()
        .to_string();
    text.truncate(8);
    text
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A number and what follows it; `None` if it is cut or larger than 63 bits.
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
        // Only the first run may begin at the frontier itself; a run without offsets is none.
        if settled == 0 || (open == 0 && !runs.is_empty()) {
            return None;
        }
        let first = next.checked_add(open)?;
        next = first.checked_add(settled)?;
        runs.push((Offset(first), Offset(next - 1)));
    }
    (!runs.is_empty()).then_some(runs)
}

#[cfg(test)]
mod tests;
