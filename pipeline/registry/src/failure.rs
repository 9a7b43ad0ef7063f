//! Why there is no schema.

use std::error::Error;

/// Why there is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The registry says that it has none of that id.
    #[error("{0}")]
    Unknown(String),
    /// It has one, and it cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Nobody knows: the registry does not answer, refuses, or is none.
    #[error("{0}")]
    Down(String),
}

/// Why no answer came. The library's own text has the address, which may have a password; only what is below it is shown.
pub(crate) fn unanswered(error: &reqwest::Error) -> Failure {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let said = match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection in time".to_owned(),
        (true, false) => "no answer in time".to_owned(),
        (false, _) if error.source().is_none() => "no answer".to_owned(),
        (false, true) => format!("no connection: {innermost}"),
        (false, false) => format!("no answer: {innermost}"),
    };
    Failure::Down(said)
}
