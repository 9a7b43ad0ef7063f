//! Why work on letters ended early.

use std::io;

/// Why work on letters ended early.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// What is asked for cannot be done.
    #[error("{0}")]
    Usage(String),
    /// The output cannot be written; its reader may have gone away.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// It failed at run time.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}
