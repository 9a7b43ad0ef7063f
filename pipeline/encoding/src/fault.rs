//! Why a value cannot be read.

use ingest_model::outcome::{Rejected, Rejection};

/// Why a value cannot be read. Each becomes a dead letter; the texts hold names of fields and types, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are not what the encoding or the schema says.
    #[error("{0}")]
    Invalid(String),
    /// More than the limit.
    #[error("{0}")]
    TooLarge(String),
    /// Nested deeper than the limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// There is no such schema, or it cannot be used.
    #[error("{0}")]
    Schema(String),
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaFault(pub String);

// === impl Fault ===

impl Fault {
    /// The bytes are not what they should be.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid(detail.into())
    }

    /// Says where it went wrong: the name of a field, which stands in front of those below it.
    pub(crate) fn within(self, field: &str) -> Self {
        match self {
            Self::Invalid(detail) => match detail.strip_prefix('`') {
                Some(rest) => Self::Invalid(format!("`{field}.{rest}")),
                None => Self::Invalid(format!("`{field}`: {detail}")),
            },
            other @ (Self::TooLarge(_) | Self::TooDeep(_) | Self::NotUtf8 | Self::Schema(_)) => {
                other
            }
        }
    }

    /// The dead letter's reason.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        match self {
            Self::Invalid(_) => Rejection::InvalidEncoding,
            Self::TooLarge(_) => Rejection::TooLarge,
            Self::TooDeep(_) => Rejection::TooDeep,
            Self::NotUtf8 => Rejection::InvalidUtf8,
            Self::Schema(_) => Rejection::UnknownSchema,
        }
    }

    /// The rejection, of the value or of the key.
    #[must_use]
    pub fn rejected(&self, part: &str) -> Rejected {
        Rejected::new(self.rejection(), format!("the {part}: {self}"))
    }
}
