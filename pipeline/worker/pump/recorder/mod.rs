//! The flight recorder: the last steps of the machine, in memory, and in a file when something is wrong or somebody asks.
//!
//! The machine is a function of its settings, its inputs and the time, so what went in is enough to make every decision again
//! ([`replay`]). What came out is kept in short, to compare. While the machine steps, nothing is written: a step is kept as the
//! values that it was made of, shared, and weighed, because it keeps them alive. Only a recording is written: lines of JSON, with
//! pseudonyms in the places of everything that may be about a person. The pump waits only while the steps' addresses are copied.
//!
//! | module | holds |
//! |---|---|
//! | `kept` | a step in memory |
//! | `ring` | the last steps, bounded |
//! | `step` | the form of a recording, and what of steps that have left is still so |
//! | `masks` | pseudonyms, and what they keep |
//! | `encode` | values as JSON, hidden by default |
//! | `hashes` | what the state topic held, found again under pseudonyms |
//! | `view` | effects in short |
//! | `lines` | from steps to lines |
//! | `file` | names, folders, how many are kept |
//! | [`replay`] | a machine steps through a recording |

mod encode;
mod file;
mod hashes;
mod kept;
mod lines;
mod masks;
pub mod replay;
mod ring;
mod step;
#[cfg(test)]
mod tests;
mod view;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{Effect, Input, MachineSettings};
use jiff::Timestamp;

use self::kept::{Decided, Given, Kept};
use self::masks::Masks;
use self::ring::Ring;
use self::step::{Base, FORMAT, Head, Past, VERSION};
use crate::clock::Clock;
use crate::config::RecordingSettings;
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::RecordingCause;

/// Broken invariants in a row lead to one recording.
const BROKEN_AGAIN: Duration = Duration::from_secs(600);

/// The recorder of a process; cheap to clone. The pump tells it of every step, others only ask it to write.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    tape: Mutex<Tape>,
    /// Who writes a recording holds it, so that no more than one keeps steps alive that have left the ring.
    writing: Mutex<()>,
    /// `None` where persons may be in a recording.
    masks: Option<Masks>,
    settings: RecordingSettings,
    metrics: Metrics,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The steps in it.
    pub steps: usize,
    /// Steps before them, which are not in it.
    pub steps_before: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The configuration says so.
    #[error("nothing is recorded: debug.recording.steps or debug.recording.bytes is 0")]
    Off,
    /// No machine has begun yet.
    #[error("nothing is recorded yet")]
    Empty,
    /// Another recording is being written.
    #[error("another recording is being written; ask again when it is done")]
    Busy,
    /// Neither the folder nor that for temporary files can be written.
    #[error("the recording cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// The steps of one machine.
#[derive(Debug)]
struct Tape {
    ring: Ring,
    past: Past,
    began: Option<Began>,
    /// The step that is being made.
    open: Option<Kept>,
    number: u64,
    /// Steps that were too large to be kept.
    left_out: u64,
    broken: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Began {
    at: Instant,
    unix_ms: i64,
    settings: Arc<MachineSettings>,
}

/// What the tape holds at one time, to be written while it goes on.
struct Taken {
    began: Began,
    base: Base,
    steps: Vec<Arc<Kept>>,
    steps_before: u64,
    left_out: u64,
}

// === impl Recorder ===

impl Recorder {
    /// A recorder as configured; one that is off costs nothing.
    #[must_use]
    pub fn new(settings: RecordingSettings, metrics: Metrics) -> Self {
        if settings.steps == 0 || settings.bytes == 0 {
            return Self(None);
        }
        let tape = Tape {
            ring: Ring::new(settings.steps, settings.bytes),
            past: Past::default(),
            began: None,
            open: None,
            number: 0,
            left_out: 0,
            broken: None,
        };
        Self(Some(Arc::new(Shared {
            tape: Mutex::new(tape),
            writing: Mutex::new(()),
            masks: (!settings.personal_data).then(Masks::new),
            settings,
            metrics,
        })))
    }

    /// A machine begins with these numbers.
    pub fn begin(&self, now: Instant, unix_ms: i64, settings: &MachineSettings) {
        if let Some(mut tape) = self.tape() {
            tape.began = Some(Began {
                at: now,
                unix_ms,
                settings: Arc::new(settings.clone()),
            });
        }
    }

    /// The inputs of a step are about to go in.
    pub fn inputs(&self, now: Instant, inputs: &[Input]) {
        if let Some(shared) = &self.0 {
            let mut tape = lock(&shared.tape);
            for input in inputs {
                tape.input(now, input, shared.masks.is_none());
            }
        }
    }

    /// This came out. A broken invariant writes the recording, in the background.
    pub fn effects(&self, now: Instant, effects: &[Effect]) {
        let broken = self
            .tape()
            .is_some_and(|mut tape| tape.effects(now, effects));
        if broken {
            let recorder = self.clone();
            let write = move || recorder.write_and_tell(RecordingCause::Invariant);
            let thread = std::thread::Builder::new().name("recording".to_owned());
            if let Err(error) = thread.spawn(write) {
                tracing::error!(%error, "a recording cannot be written: no thread could be started");
            }
        }
    }

    /// Writes what is there to a file. It blocks.
    ///
    /// # Errors
    /// There is nothing to be written, or no place for it.
    pub fn write(&self, cause: RecordingCause) -> Result<Written, RecordingError> {
        let shared = self.0.as_ref().ok_or(RecordingError::Off)?;
        let _turn = match shared.writing.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            // Whoever asks can ask again; the worker itself cannot.
            Err(TryLockError::WouldBlock) if cause == RecordingCause::Asked => {
                return Err(RecordingError::Busy);
            }
            Err(TryLockError::WouldBlock) => lock(&shared.writing),
        };
        let unix_ms = Clock.unix_ms();
        let taken = lock(&shared.tape).take().ok_or(RecordingError::Empty)?;
        let head = taken.head(unix_ms, cause, shared.masks.is_none());
        let (dir, at) = (&shared.settings.dir, time(unix_ms));
        let most_bytes = file::RINGS.saturating_mul(count(shared.settings.bytes));
        let path = file::write(dir, most_bytes, at, cause.as_str(), |out| {
            lines::write(&head, &taken.steps, shared.masks.as_ref(), out)
        })?;
        let bytes = std::fs::metadata(&path)?.len();
        let steps = taken.steps.len();
        tracing::warn!(path = %path.display(), cause = cause.as_str(), steps, bytes, "the last steps were written to a file; kustomer-ingest replay-recording reads it");
        shared.metrics.recording_written(cause);
        Ok(Written {
            path,
            bytes,
            steps,
            steps_before: taken.steps_before,
        })
    }

    /// The same where nobody waits for the answer.
    pub fn write_and_tell(&self, cause: RecordingCause) {
        match self.write(cause) {
            Ok(_) | Err(RecordingError::Off | RecordingError::Empty | RecordingError::Busy) => {}
            Err(error) => {
                tracing::error!(%error, cause = cause.as_str(), "the last steps are lost");
            }
        }
    }

    fn tape(&self) -> Option<MutexGuard<'_, Tape>> {
        self.0.as_deref().map(|shared| lock(&shared.tape))
    }
}

/// A panic between two lines leaves a step without its end, which is what is to be seen.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn time(unix_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(unix_ms).unwrap_or_default()
}

// === impl Tape ===

impl Tape {
    /// Until effects are told, inputs belong to the same step.
    fn input(&mut self, now: Instant, input: &Input, whole: bool) {
        if let Some(mut before) = self.open.take() {
            before.goes_on = true;
            self.keep(before);
        }
        let since = self
            .began
            .as_ref()
            .map(|began| now.saturating_duration_since(began.at));
        self.number += 1;
        self.open = Some(Kept {
            number: self.number,
            nanos: u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
            given: Given::of(input, whole, self.ring.room_for_slice()),
            goes_on: false,
            out: None,
        });
    }

    fn keep(&mut self, step: Kept) {
        let past = &mut self.past;
        if !self.ring.push(step, |step| past.take(step)) {
            self.left_out += 1;
        }
    }

    /// Whether the recording is to be written.
    fn effects(&mut self, now: Instant, effects: &[Effect]) -> bool {
        let Some(mut step) = self.open.take() else {
            return false;
        };
        step.out = Some(Decided::all(effects));
        self.keep(step);
        let is_broken = |effect: &Effect| matches!(effect, Effect::Fact(Fact::Broken(_)));
        if !effects.iter().any(is_broken) {
            return false;
        }
        let again = self
            .broken
            .is_some_and(|at| now.saturating_duration_since(at) < BROKEN_AGAIN);
        if !again {
            self.broken = Some(now);
        }
        !again
    }

    /// What is there now; `None` before a machine has begun. No step is copied but the one that is being made.
    fn take(&self) -> Option<Taken> {
        let began = self.began.clone()?;
        let mut steps = self.ring.steps();
        steps.extend(self.open.clone().map(Arc::new));
        let before = self.number.saturating_sub(count(steps.len()));
        Some(Taken {
            began,
            base: self.past.base(),
            steps,
            steps_before: before,
            left_out: self.left_out,
        })
    }
}

// === impl Taken ===

impl Taken {
    fn head(&self, unix_ms: i64, cause: RecordingCause, personal_data: bool) -> Head {
        let slices = self.steps.iter().filter(|step| step.lacks_slice());
        Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            worker: env!("CARGO_PKG_VERSION").to_owned(),
            started: time(self.began.unix_ms).to_string(),
            written: time(unix_ms).to_string(),
            cause: cause.as_str().to_owned(),
            personal_data,
            from_start: self.steps_before == 0,
            steps_before: self.steps_before,
            left_out: self.left_out,
            slices_left_out: count(slices.count()),
            settings: self.began.settings.as_ref().clone(),
            base: self.base.clone(),
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
