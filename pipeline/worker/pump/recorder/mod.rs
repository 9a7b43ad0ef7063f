//! The flight recorder: the last steps of the machine, in memory, and in a file when something is wrong or somebody asks.
//!
//! The machine is a function of its settings, its inputs and the time, so what went in is enough to make every decision again
//! ([`replay`]). What came out is kept in short, to compare. A step is written as a line of JSON into one ring of bytes
//! at once, with pseudonyms in the places of everything that may be about a person: there is no second copy of
//! a payload, and nothing to be cleaned up when the file is written.
//!
//! | module | holds |
//! |---|---|
//! | `masks` | pseudonyms, and what they keep |
//! | `encode`, `json` | values as JSON, hidden by default |
//! | `hashes` | what the state topic held, found again under pseudonyms |
//! | `view` | effects in short |
//! | `ring` | the last lines, bounded |
//! | `step` | the form of a recording, and what of steps that have left is still so |
//! | `file` | names, folders, how many are kept |
//! | [`replay`] | a machine steps through a recording |

mod encode;
mod file;
mod hashes;
mod json;
mod masks;
pub mod replay;
mod ring;
mod step;
#[cfg(test)]
mod tests;
mod view;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ingest_delivery::fact::Fact;
use ingest_delivery::fact::Ignored;
use ingest_delivery::machine::{Effect, Input, MachineSettings};
use ingest_delivery::partitions::commit_metadata::decode;
use ingest_delivery::port::Metadata;
use jiff::Timestamp;
use serde::Serialize as _;

use self::encode::Encoder;
use self::masks::Masks;
use self::ring::Ring;
use self::step::{FORMAT, Head, Past, VERSION};
use crate::clock::Clock;
use crate::config::RecordingSettings;
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::RecordingCause;

/// Broken invariants in a row lead to one recording.
const BROKEN_AGAIN: Duration = Duration::from_secs(600);

/// A line of more bytes gives its memory back.
const LARGE: usize = 1 << 20;

/// The recorder of a process; cheap to clone. The pump tells it of every step, others only ask it to write.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    tape: Mutex<Tape>,
    settings: RecordingSettings,
    metrics: Metrics,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
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
    /// Neither the folder nor that for temporary files can be written.
    #[error("the recording cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// The steps of one machine.
#[derive(Debug)]
struct Tape {
    masks: Option<Masks>,
    ring: Ring,
    past: Past,
    began: Option<Began>,
    /// The step that is being made: what went in, without what came out.
    open: String,
    /// It says something that lasts.
    lasting: bool,
    number: u64,
    /// Steps too large to be kept, since the first one that is.
    left_out: u64,
    /// What an earlier owner left in the state topic or beside a commit is named by hashes that are to be found again.
    restored: bool,
    broken: Option<Instant>,
}

#[derive(Debug)]
struct Began {
    at: Instant,
    unix_ms: i64,
    settings: MachineSettings,
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
            masks: (!settings.personal_data).then(Masks::new),
            ring: Ring::new(settings.steps, settings.bytes),
            past: Past::default(),
            began: None,
            open: String::new(),
            lasting: false,
            number: 0,
            left_out: 0,
            restored: false,
            broken: None,
        };
        let tape = Mutex::new(tape);
        Self(Some(Arc::new(Shared {
            tape,
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
                settings: settings.clone(),
            });
        }
    }

    /// An input is about to go in.
    pub fn input(&self, now: Instant, input: &Input) {
        if let Some(mut tape) = self.tape() {
            tape.input(now, input);
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
        let unix_ms = Clock.unix_ms();
        let (head, body, steps, steps_before) = lock(&shared.tape)
            .copy(unix_ms, cause)
            .ok_or(RecordingError::Empty)?;
        let at = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
        let path = file::write(
            &shared.settings.dir,
            at,
            cause.as_str(),
            &[head.as_bytes(), &body],
        )?;
        let bytes = head.len() + body.len();
        tracing::warn!(path = %path.display(), cause = cause.as_str(), steps, bytes, "the last steps were written to a file; kustomer-ingest replay-recording reads it");
        shared.metrics.recording_written(cause);
        Ok(Written {
            path,
            bytes,
            steps,
            steps_before,
        })
    }

    /// The same where nobody waits for the answer.
    pub fn write_and_tell(&self, cause: RecordingCause) {
        match self.write(cause) {
            Ok(_) | Err(RecordingError::Off | RecordingError::Empty) => {}
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
fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Tape ===

impl Tape {
    fn input(&mut self, now: Instant, input: &Input) {
        let since = self
            .began
            .as_ref()
            .map(|began| now.saturating_duration_since(began.at));
        let nanos = u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX);
        self.number += 1;
        self.open.clear();
        self.lasting = lasts(input);
        self.restored |= leaves_hashes(input);
        let metadata = hidden_metadata(input);
        // Writing to a text does not fail, and no input has a key that is no text.
        let written =
            write!(self.open, "{{\"n\":{},\"t\":{nanos},\"in\":", self.number).and_then(|()| {
                let mut encoder = Encoder::new(&mut self.open, self.masks.as_ref())
                    .with_metadata(metadata.as_deref());
                input.serialize(&mut encoder)
            });
        if written.is_err() {
            self.open.push_str("null");
        }
        if let (true, Some(masks)) = (self.restored, &self.masks) {
            hashes::write(&mut self.open, input, masks);
        }
    }

    /// Whether the recording is to be written.
    fn effects(&mut self, now: Instant, effects: &[Effect]) -> bool {
        let mut broken = false;
        self.open.push_str(",\"out\":[");
        for (place, effect) in effects.iter().enumerate() {
            if place > 0 {
                self.open.push(',');
            }
            let written = view::write(
                &mut Encoder::new(&mut self.open, self.masks.as_ref()),
                effect,
            );
            if written.is_err() {
                self.open.push_str("null");
            }
            self.lasting |= matches!(effect, Effect::HandBack { .. });
            broken |= matches!(effect, Effect::Fact(Fact::Broken(_)));
        }
        self.open.push_str("]}\n");
        let Self {
            ring, past, open, ..
        } = self;
        if ring.takes(open) {
            ring.push(open, self.lasting, |line| past.take(line));
        } else {
            // What stands before the gap does not lead to what comes after it.
            ring.clear(|line| past.take(line));
            past.take(open.as_bytes());
            self.left_out += 1;
        }
        if self.open.capacity() > LARGE {
            self.open = String::new();
        }
        self.open.clear();
        let again = self
            .broken
            .is_some_and(|at| now.saturating_duration_since(at) < BROKEN_AGAIN);
        if broken && !again {
            self.broken = Some(now);
        }
        broken && !again
    }

    /// The first line, the others, how many steps they are, and how many were before.
    fn copy(&self, unix_ms: i64, cause: RecordingCause) -> Option<(String, Vec<u8>, usize, u64)> {
        let began = self.began.as_ref()?;
        let time = |ms| {
            Timestamp::from_millisecond(ms)
                .unwrap_or_default()
                .to_string()
        };
        let open = !self.open.is_empty();
        let steps = self.ring.lines() + usize::from(open);
        let steps_before = self
            .number
            .saturating_sub(u64::try_from(steps).unwrap_or(u64::MAX));
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            worker: env!("CARGO_PKG_VERSION").to_owned(),
            started: time(began.unix_ms),
            written: time(unix_ms),
            cause: cause.as_str().to_owned(),
            personal_data: self.masks.is_none(),
            from_start: steps_before == 0,
            steps_before,
            left_out: self.left_out,
            settings: began.settings.clone(),
            base: self.past.base(),
        };
        let mut head = serde_json::to_string(&head).ok()?;
        head.push('\n');
        let (a, b) = self.ring.as_slices();
        let unfinished = if open { "}\n" } else { "" };
        let body = [a, b, self.open.as_bytes(), unfinished.as_bytes()].concat();
        Some((head, body, steps, steps_before))
    }
}

/// Whether what an input says has to be known of the steps after it, too.
fn lasts(input: &Input) -> bool {
    match input {
        Input::Topology(_)
        | Input::Assigned { .. }
        | Input::Lost { .. }
        | Input::NewLife { .. }
        | Input::Committed { .. } => true,
        Input::Revoked { .. }
        | Input::Vanished { .. }
        | Input::Record { .. }
        | Input::Replied { .. }
        | Input::DeadLettered { .. }
        | Input::LettersStuck { .. }
        | Input::Restored { .. }
        | Input::RestoreFailed { .. }
        | Input::StateWritten { .. }
        | Input::ReleaseHold(_)
        | Input::Shutdown
        | Input::Wake => false,
    }
}

/// Whether an input names things by hashes that other inputs have to be compared with.
fn leaves_hashes(input: &Input) -> bool {
    matches!(input, Input::Restored { slice, .. } if !slice.entries.is_empty())
}

/// What stands for the text beside a committed offset: the text itself where it is this program's, else one that is passed over
/// for the same reason.
fn hidden_metadata(input: &Input) -> Option<String> {
    let Input::Assigned {
        partition,
        committed: Some(committed),
        ..
    } = input
    else {
        return None;
    };
    let Metadata::Text(text) = &committed.metadata else {
        return None;
    };
    Some(match decode(partition, committed.offset, text) {
        Ok(_) => text.clone(),
        Err(Ignored::Foreign) => "-".to_owned(),
        Err(Ignored::Version) => "ki0".to_owned(),
        Err(Ignored::Damaged | Ignored::Generation) => "ki2".to_owned(),
        Err(Ignored::Partition) => "ki2.-.0.-.b".to_owned(),
        Err(Ignored::Offset) => {
            let mark = text.split('.').nth(1).unwrap_or_default();
            format!("ki2.{mark}.-1.-.b")
        }
    })
}
