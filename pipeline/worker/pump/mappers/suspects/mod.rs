//! The last defence against a record that ends the process.
//!
//! No record should be able to end the process: evaluation is bounded in memory, time and depth. If one does
//! nevertheless, no handler runs, the offset stays uncommitted, and the next process would read the record again,
//! forever.
//!
//! So each mapper thread notes on disk which offsets it may have in hand (`Marks`). It notes ranges, one for a thousand
//! records, because a note for each record would cost more than mapping it. A process that finds the notes of one that
//! crashed treats the records in them as suspects. Each suspect is first mapped by a child process (`trial`). A record is
//! rejected with [`Rejection::ProcessDied`] if two children that mapped nothing else died at it; all others go on as
//! usual. A process that was killed from outside costs its successor a thousand trials per partition, and incriminates no
//! record. After an hour nothing is suspected any more: the partition may belong to another replica by now.
//!
//! The notes are in a folder that outlasts the process but need not outlast the machine. Each process claims its own
//! place in it with a file lock, so several workers can share the folder. If the folder cannot be used, the worker says
//! so and runs without this protection.

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
pub(crate) use self::trial::{Child, Patience, serve};
use self::trial::{Trial, TrialEnd};
use crate::clock::Clock;

/// How many children may die at a record before the record is rejected.
const DEATHS: u32 = 2;
/// After this many milliseconds without a suspect, the child is ended at the next record.
const IDLE_MS: i64 = 60_000;

/// The records at which an earlier process may have died, and the child that tries them.
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
    /// When a suspect was last tried, epoch milliseconds.
    tried_ms: i64,
}

// === impl Suspects ===

impl Suspects {
    /// Claims a place below `dir`, and takes over the notes of the process that had it before.
    ///
    /// # Errors
    /// The folder cannot be created, read or written.
    pub(crate) fn open(dir: &Path, group: &str, child: Child, now_ms: i64) -> io::Result<Self> {
        let place = Place::claim(dir, group, now_ms)?;
        if !place.is_clear() {
            tracing::warn!(
                records = place.records(),
                partitions = place.partitions(),
                "the last process crashed: the records that it may have had in hand are first tried in a child process"
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
    /// The file cannot be created.
    pub(crate) fn marks(&self, thread: usize) -> io::Result<Marks> {
        self.with(|inner| inner.place.marks(thread))
    }

    /// Tries the record in the child if it is a suspect. `None` if it is not, or did no harm. One trial at a time across
    /// all threads.
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
        // A panic in another thread leaves no harm: at worst a suspect is tried again.
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
            // A child that mapped other records before may have died of those.
            let had_others = self.trial.is_running();
            match self.trial.of(record) {
                TrialEnd::Harmless => return None,
                TrialEnd::Unavailable(error) => {
                    tracing::warn!(error = %error, "a suspect cannot be tried in a child process; it is mapped here");
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
