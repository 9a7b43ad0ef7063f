//! What came back over the network, if anything.

use bytes::Bytes;
use ingest_model::call::Limits;
use ingest_model::trouble::Trouble;

/// One answer as it came over the network.
#[derive(Debug, Clone)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// What the headers said about the request limit.
    pub limits: Limits,
    /// The `Location` header, which is read but never followed.
    pub location: Option<String>,
    /// The body.
    pub body: ReplyBody,
}

/// The body of an answer. `Debug` shows only its length: the answer to a bulk submission echoes what was sent.
#[derive(Clone, PartialEq, Eq)]
pub enum ReplyBody {
    /// The complete body.
    Whole(Bytes),
    /// It was cut off, could not be decompressed, or was larger than the limit.
    Cut,
}

/// Whether a request without an answer may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// No connection was made: nothing was sent.
    NotSent,
    /// The connection was lost, or time ran out, after the request may have been sent.
    Lost,
}

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {trouble}", .why.in_words())]
pub struct NoAnswer {
    /// Whether it may have arrived.
    pub why: Unanswered,
    /// What went wrong.
    pub trouble: Trouble,
}

// === impl Unanswered ===

impl Unanswered {
    fn in_words(self) -> &'static str {
        match self {
            Self::NotSent => "no connection to the API could be made",
            Self::Lost => "the API gave no answer",
        }
    }
}

// === impl HttpReply ===

impl HttpReply {
    /// The body if it is complete, else nothing.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.body {
            ReplyBody::Whole(bytes) => bytes,
            ReplyBody::Cut => &[],
        }
    }
}

// === impl ReplyBody ===

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Cut => f.write_str("Cut"),
        }
    }
}
