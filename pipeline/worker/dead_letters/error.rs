//! Why a dead-letter command ended early.

use std::io;

/// Why a dead-letter command ended early.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// The request cannot be carried out.
    #[error("{0}")]
    Usage(String),
    /// The output cannot be written; its reader may have gone away.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// It failed at run time.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}
