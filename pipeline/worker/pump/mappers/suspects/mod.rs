//! The last line against a record that ends the process.
//!
//! No record should be able to end the process: evaluation is bounded in memory, time and depth. If one does all the same, no
//! handler runs, the offset stays uncommitted, and the next process would read the record again, for ever.
//!
//! So each mapper thread leaves a note on disk of which offsets it may have in hand (`Marks`): ranges, written once for a
//! thousand records, because a note for each record would cost more than mapping it. A process that finds notes of one that did
//! not end in good order takes the records in them for suspects. Each suspect is first mapped by a child process
//! (`trial`). A record at which two children die that mapped nothing else is rejected, [`Rejection::ProcessDied`]; all others go on as usual. A
//! process that was killed from outside costs its successor a thousand trials a partition, and accuses no record. After an hour
//! nothing is suspected any more: its partition may be another replica's by now.
//!
//! The notes live in a folder that outlasts the process but need not outlast the machine. Each process claims a place of its own
//! in it by a file lock, so that several workers may share the folder. Where the folder cannot be used, the worker says so and
//! goes on without this.

mod marks;
mod place;
mod trial;
mod wire;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ingest_model::outcome::{Rejected, Rejection};
use ingest_model::record::Record;

pub(crate) use self::marks::Marks;
use self::place::Place;
pub(crate) use self::trial::{Child, serve};
use self::trial::{Trial, TrialEnd};
use crate::clock::Clock;

/// How often the child may die at a record before the record is rejected.
const DEATHS: u32 = 2;
/// A child without a suspect is ended at the next record after this time, milliseconds.
const IDLE_MS: i64 = 60_000;

/// The records that an earlier process may have died at, and the child that tries them.
#[derive(Debug)]
pub struct Suspects {
    /// Nothing is left to be tried: what almost every record finds, without a lock.
    clear: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    trial: Trial,
    /// When a suspect was tried last, epoch milliseconds.
    tried_ms: i64,
}

// === impl Suspects ===

impl Suspects {
    /// Claims a place below `dir`, and takes over the notes of the process that had it before.
    ///
    /// # Errors
    /// The folder cannot be made, read or written.
    pub(crate) fn open(dir: &Path, group: &str, child: Child, now_ms: i64) -> io::Result<Self> {
        let place = Place::claim(dir, group, now_ms)?;
        if !place.is_clear() {
            tracing::warn!(
                records = place.records(),
                partitions = place.partitions(),
                "the last process did not end in good order: the records that it may have had in hand are tried in a process of their own first"
            );
        }
        Ok(Self {
            clear: AtomicBool::new(place.is_clear()),
            inner: Mutex::new(Inner {
                place,
                trial: Trial::new(child),
                tried_ms: now_ms,
            }),
        })
    }

    /// The notes of one mapper thread.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn marks(&self, thread: usize) -> io::Result<Marks> {
        self.with(|inner| inner.place.marks(thread))
    }

    /// Tries a suspect in the child. `None`: it is none, or it did no harm. One trial at a time, over all threads.
    pub(crate) fn rejected(&self, record: &Record) -> Option<Rejected> {
        if self.clear.load(Ordering::Relaxed) {
            return None;
        }
        self.rejected_at(record, Clock.unix_ms())
    }

    fn rejected_at(&self, record: &Record, now_ms: i64) -> Option<Rejected> {
        self.with(|inner| {
            let rejected = inner.judge(record, now_ms);
            self.clear.store(inner.place.is_clear(), Ordering::Relaxed);
            rejected
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic of another thread leaves nothing half done that matters: at worst a suspect is tried again.
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn judge(&mut self, record: &Record, now_ms: i64) -> Option<Rejected> {
        let rejected = if self.place.is_suspect(&record.position) {
            self.tried_ms = now_ms;
            self.try_alone(record)
        } else {
            None
        };
        self.place.passed(&record.position, now_ms);
        if self.place.is_clear() || now_ms.saturating_sub(self.tried_ms) > IDLE_MS {
            self.trial.end();
        }
        rejected
    }

    fn try_alone(&mut self, record: &Record) -> Option<Rejected> {
        let mut deaths = 0;
        loop {
            // One that mapped others before may have died of those, too.
            let had_others = self.trial.is_running();
            match self.trial.of(record) {
                TrialEnd::Harmless => return None,
                TrialEnd::Unavailable(error) => {
                    tracing::warn!(error = %error, "a suspect cannot be tried in a process of its own; it is mapped here");
                    return None;
                }
                TrialEnd::Died(how) => {
                    tracing::error!(position = %record.position, how, had_others, "a process died at this record");
                    deaths += u32::from(!had_others);
                    if deaths == DEATHS {
                        let detail = format!(
                            "{DEATHS} processes that mapped nothing else died at it ({how}), after one that may have had it in hand"
                        );
                        return Some(Rejected::new(Rejection::ProcessDied, detail));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
