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

/// What the child prints when it is ready for a record, and again after each.
const READY: &str = "ready";
/// What it prints before it asks the schema registry for something, and afterwards.
const ASKS: &str = "asks";
const MAPS: &str = "maps";

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
    /// How long it is waited for.
    pub(crate) patience: Patience,
}

/// How long a child is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// While it maps a record: far longer than an evaluation may take.
    pub(crate) maps: Duration,
    /// While it asks the schema registry, which says nothing about the record: longer than a request may take.
    pub(crate) asks: Duration,
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

// === impl Patience ===

impl Default for Patience {
    fn default() -> Self {
        Self {
            maps: Duration::from_secs(30),
            asks: Duration::from_secs(180),
        }
    }
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
        let patience = self.child.patience;
        let mut asks = false;
        let answer = loop {
            let wait = if asks { patience.asks } else { patience.maps };
            match running.answers.recv_timeout(wait) {
                Ok(line) if line == ASKS => asks = true,
                Ok(line) if line == MAPS => asks = false,
                other => break other,
            }
        };
        match (sent, answer) {
            (Ok(()), Ok(_ready)) => {
                self.running = Some(running);
                TrialEnd::Harmless
            }
            // the registry's fault: nothing is known about the record
            (_, Err(RecvTimeoutError::Timeout)) if asks => {
                running.kill();
                let waited = patience.asks.as_secs();
                TrialEnd::Unavailable(format!("the schema registry gave no answer in {waited} s"))
            }
            (_, Err(RecvTimeoutError::Timeout)) => {
                running.kill();
                TrialEnd::Died(format!("no answer in {} s", patience.maps.as_secs()))
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
        match running.answers.recv_timeout(child.patience.maps) {
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

/// What the child says while it has a record in hand.
pub(crate) struct Says<W>(W);

impl<W: Write> Says<W> {
    /// Asks the schema registry: `ask` may take long, and that says nothing about the record.
    ///
    /// # Errors
    /// The parent is gone.
    pub(crate) fn while_asking<T>(&mut self, ask: impl FnOnce() -> T) -> io::Result<T> {
        self.line(ASKS)?;
        let answer = ask();
        self.line(MAPS)?;
        Ok(answer)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.0, "{line}")?;
        self.0.flush()
    }
}

/// The child's side: reads records from `input`, passes each to `judge`, and reports that it is alive.
///
/// # Errors
/// The parent is gone, or what it sent is not a record.
pub(crate) fn serve<W: Write>(
    input: impl BufRead,
    output: W,
    mut judge: impl FnMut(&Record, &mut Says<W>) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut says = Says(output);
    says.line(READY)?;
    for line in input.lines() {
        judge(&wire::record_of(&line?)?, &mut says)?;
        says.line(READY)?;
    }
    Ok(())
}
