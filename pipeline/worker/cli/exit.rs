//! How a command ends, and its exit code.

use std::io;
use std::process::ExitCode;

use crate::config::Faults;
use crate::dead_letters::DeadLettersError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandExit {
    /// Done, and all is well.
    Good,
    /// Failed at run time.
    Failed,
    /// Used wrongly: the command line or the configuration.
    Usage,
    /// `check` or `test` found faults, or `replay-recording` found a difference.
    Faults,
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] Faults),
    /// The command line asks for something that cannot be done.
    #[error("{0}")]
    Usage(String),
    /// The reader of the output went away, which is not a failure.
    #[error("the output was closed")]
    Closed,
    /// It failed at run time.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

// === impl CommandExit ===

impl CommandExit {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Faults => 3,
        }
    }
}

impl From<CommandExit> for ExitCode {
    fn from(exit: CommandExit) -> Self {
        Self::from(exit.code())
    }
}

// === impl CommandError ===

impl CommandError {
    /// How the command ended.
    #[must_use]
    pub fn exit(&self) -> CommandExit {
        match self {
            Self::Config(_) | Self::Usage(_) => CommandExit::Usage,
            Self::Closed => CommandExit::Good,
            Self::Failed(_) => CommandExit::Failed,
        }
    }
}

/// A closed output ends a command quietly.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Failed(anyhow::Error::new(error).context("cannot write the output"))
        }
    }
}

impl From<DeadLettersError> for CommandError {
    fn from(error: DeadLettersError) -> Self {
        match error {
            DeadLettersError::Usage(problem) => Self::Usage(problem),
            DeadLettersError::Output(error) => error.into(),
            DeadLettersError::Failed(cause) => Self::Failed(cause),
        }
    }
}
