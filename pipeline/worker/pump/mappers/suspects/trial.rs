//! The child that maps suspects: started for the first one, ended when none is left.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ingest_model::record::Record;

use super::wire;

/// How long one record may take; far more than an evaluation is allowed.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the child prints when it is ready for a record, and again after each.
const READY: &str = "ready";

/// What the child's allocator reserves at a time. As usual it would be a gibibyte at the start, which is all of the address space
/// that the child may have.
const RESERVED: &str = "32M";

/// How the child is started.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
}

/// The child, if it runs.
#[derive(Debug)]
pub(super) struct Trial {
    child: Child,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: std::process::Child,
    records: ChildStdin,
    answers: Receiver<String>,
}

/// What became of a suspect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TrialEnd {
    /// It was mapped, with whatever result.
    Harmless,
    /// The child died, or did not answer.
    Died(String),
    /// There is no child to try it in.
    Unavailable(String),
}

// === impl Trial ===

impl Trial {
    pub(super) fn new(child: Child) -> Self {
        Self {
            child,
            running: None,
        }
    }

    /// Whether the next record would go to a child that has mapped others before.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Maps one record in the child.
    pub(super) fn of(&mut self, record: &Record) -> TrialEnd {
        let line = match wire::line_of(record) {
            Ok(line) => line,
            Err(error) => return TrialEnd::Unavailable(error.to_string()),
        };
        let mut running = match self
            .running
            .take()
            .map_or_else(|| Running::start(&self.child), Ok)
        {
            Ok(running) => running,
            Err(error) => return TrialEnd::Unavailable(error),
        };
        // A dead child accepts nothing or answers nothing: both are noticed below.
        let sent = running
            .records
            .write_all(&line)
            .and_then(|()| running.records.flush());
        let answer = running.answers.recv_timeout(PATIENCE);
        match (sent, answer) {
            (Ok(()), Ok(_ready)) => {
                self.running = Some(running);
                TrialEnd::Harmless
            }
            (_, Err(RecvTimeoutError::Timeout)) => {
                running.kill();
                TrialEnd::Died(format!("no answer in {} s", PATIENCE.as_secs()))
            }
            (Err(_) | Ok(()), Ok(_) | Err(RecvTimeoutError::Disconnected)) => {
                TrialEnd::Died(running.end())
            }
        }
    }

    /// Ends the child.
    pub(super) fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Running ===

impl Running {
    /// Starts the child and waits until it is ready.
    fn start(child: &Child) -> Result<Self, String> {
        let mut process = Command::new(&child.program)
            .args(&child.arguments)
            .env("MIMALLOC_ARENA_RESERVE", RESERVED)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", child.program.display()))?;
        let (Some(records), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("the child has no pipes".to_owned());
        };
        let (said, answers) = mpsc::sync_channel(1);
        // It ends with the child, whose end closes the pipe.
        let reading = thread::Builder::new()
            .name("suspects".to_owned())
            .spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if said.send(line).is_err() {
                        return;
                    }
                }
            });
        let running = Self {
            process,
            records,
            answers,
        };
        if let Err(error) = reading {
            running.kill();
            return Err(error.to_string());
        }
        match running.answers.recv_timeout(PATIENCE) {
            Ok(line) if line == READY => Ok(running),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {
                running.kill();
                Err("the child did not start".to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("the child did not start ({})", running.end()))
            }
        }
    }

    /// Waits for a child that has nothing left to read, and returns how it ended.
    fn end(mut self) -> String {
        drop(self.records);
        match self.process.wait() {
            Ok(status) => how(status),
            Err(error) => error.to_string(),
        }
    }

    /// Ends a child that does not answer.
    fn kill(mut self) {
        if let Err(error) = self.process.kill() {
            tracing::debug!(error = %error, "the child of suspects cannot be ended");
        }
        self.end();
    }
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}

/// The child's side: reads records from `input`, passes each to `judge`, and reports that it is alive.
///
/// # Errors
/// The parent is gone, or what it sent is not a record.
pub(crate) fn serve(
    input: impl BufRead,
    mut output: impl Write,
    mut judge: impl FnMut(&Record),
) -> anyhow::Result<()> {
    let mut say = || -> io::Result<()> {
        writeln!(output, "{READY}")?;
        output.flush()
    };
    say()?;
    for line in input.lines() {
        judge(&wire::record_of(&line?)?);
        say()?;
    }
    Ok(())
}
