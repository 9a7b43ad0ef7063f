//! What a replay comes to.

use std::io;

use crate::pump::recorder::step::VERSION;

/// What a replay came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Steps.
    pub steps: u64,
    /// Those that were decided in another way.
    pub differences: u64,
    /// Answers to what the machine had not asked.
    pub unasked: u64,
    /// The recording begins with the process, so there is no excuse for a difference.
    pub exact: bool,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It is no recording.
    #[error("this is no recording: {0}")]
    Foreign(String),
    /// Another version wrote it.
    #[error(
        "this is a recording of form {form}, and this program reads form {VERSION}: use the worker that wrote it, {worker}"
    )]
    Version {
        /// Its form.
        form: u32,
        /// The worker that wrote it.
        worker: String,
    },
    /// A line of it makes no sense.
    #[error("line {line} cannot be read: {cause}")]
    Line {
        /// Which.
        line: usize,
        /// Why.
        cause: String,
    },
    /// It cannot be read.
    #[error("the recording cannot be read: {0}")]
    Read(io::Error),
    /// Nothing more can be shown.
    #[error(transparent)]
    Output(io::Error),
}
