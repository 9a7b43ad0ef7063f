//! The folder of one process: which process owns it, and what its predecessor left there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest_model::record::Position;

use super::marks::{Marks, Range};

/// The most workers on one machine that can share a folder.
const PLACES: usize = 256;
/// The most ranges kept; no process has more partitions in hand.
const RANGES: usize = 10_000;
/// Notes older than this are obsolete: their records were dealt with long ago.
const MAX_AGE: Duration = Duration::from_hours(24);
/// How long a record stays suspect. After that its partition may belong to another replica; if not, the record may cost
/// one more process.
const SUSPICION: Duration = Duration::from_hours(1);
/// The file with the ranges that are still to be tried.
const SUSPECTS: &str = "suspects";
/// The prefix of the threads' files.
const MAPPER: &str = "mapper-";

/// A folder that only this process uses, and the suspects in it.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    ranges: Vec<Range>,
    /// Held until the process ends, however it ends.
    _lock: File,
}

// === impl Place ===

impl Place {
    /// Takes the first folder that is free, and reads its contents.
    pub(super) fn claim(dir: &Path, group: &str, now_ms: i64) -> io::Result<Self> {
        let dir = dir.join(file_name(group));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)?;
        for number in 0..PLACES {
            let folder = dir.join(number.to_string());
            fs::create_dir_all(&folder)?;
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join("lock"))?;
            match lock.try_lock() {
                Ok(()) => return Self::take_over(folder, lock, now_ms),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let problem = format!("{PLACES} processes share {}", dir.display());
        Err(io::Error::new(io::ErrorKind::ResourceBusy, problem))
    }

    fn take_over(folder: PathBuf, lock: File, now_ms: i64) -> io::Result<Self> {
        let mut ranges = Vec::new();
        let mut left = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name != SUSPECTS && !name.starts_with(MAPPER) {
                continue;
            }
            if is_fresh(&entry.metadata()?, now_ms) {
                let text = fs::read(entry.path())?;
                let text = String::from_utf8_lossy(&text);
                ranges.extend(text.lines().filter_map(Range::read));
            }
            if name != SUSPECTS {
                left.push(entry.path());
            }
        }
        for range in &mut ranges {
            range.since_ms.get_or_insert(now_ms);
        }
        ranges.retain(|range| is_suspected(range, now_ms));
        ranges.truncate(RANGES);
        let place = Self {
            folder,
            ranges,
            _lock: lock,
        };
        place.write()?;
        // Only now: if the process dies before, everything is left to the next one.
        for path in left {
            fs::remove_file(path)?;
        }
        Ok(place)
    }

    /// The notes of one thread, empty.
    pub(super) fn marks(&self, thread: usize) -> io::Result<Marks> {
        Marks::create(&self.folder.join(format!("{MAPPER}{thread}")))
    }

    pub(super) fn is_clear(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many records may be affected.
    pub(super) fn records(&self) -> i64 {
        self.ranges
            .iter()
            .map(|range| range.last - range.first + 1)
            .sum()
    }

    pub(super) fn partitions(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn is_suspect(&self, position: &Position) -> bool {
        self.ranges.iter().any(|range| range.contains(position))
    }

    /// A record was dealt with. Ranges of its partition that end here or earlier are done, as are ranges that have been
    /// suspect for too long.
    pub(super) fn passed(&mut self, position: &Position, now_ms: i64) {
        let before = self.ranges.len();
        self.ranges.retain(|range| {
            let ahead = range.partition != position.partition || range.last > position.offset.0;
            ahead && is_suspected(range, now_ms)
        });
        if self.ranges.len() != before
            && let Err(error) = self.write()
        {
            tracing::warn!(error = %error, "state.dir: what was tried cannot be noted");
        }
    }

    fn write(&self) -> io::Result<()> {
        let mut text = String::new();
        for range in &self.ranges {
            range.write(&mut text);
        }
        let fresh = self.folder.join("suspects.new");
        fs::write(&fresh, text)?;
        fs::rename(fresh, self.folder.join(SUSPECTS))
    }
}

fn is_suspected(range: &Range, now_ms: i64) -> bool {
    let since_ms = range.since_ms.unwrap_or(now_ms);
    let age = now_ms.saturating_sub(since_ms);
    i64::try_from(SUSPICION.as_millis()).is_ok_and(|most| age < most)
}

fn is_fresh(file: &fs::Metadata, now_ms: i64) -> bool {
    let Ok(since) = file
        .modified()
        .map(|at| at.duration_since(std::time::UNIX_EPOCH))
    else {
        return true; // the file system does not store times
    };
    let written_ms = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    let age = now_ms.saturating_sub(written_ms);
    i64::try_from(MAX_AGE.as_millis()).is_ok_and(|most| age < most)
}

/// A file name for a group.
fn file_name(group: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut name = String::from("group-");
    for c in group.chars().take(200) {
        name.push(if legal(c) { c } else { '_' });
    }
    name
}
