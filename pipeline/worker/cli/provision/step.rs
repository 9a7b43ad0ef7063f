//! One thing to make in an organisation.

use super::needed::bearer;
use crate::observe::words::plural;

/// One thing to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A klass.
    Create { klass: String },
    /// Attributes.
    Add {
        resource: String,
        names: Vec<String>,
        /// How each of them is shown.
        shown: Vec<String>,
    },
}

impl Step {
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Create { klass } => format!("klass {klass} created"),
            Self::Add {
                resource, names, ..
            } => {
                format!(
                    "{}: {} added",
                    bearer(resource),
                    plural(names.len(), "attribute")
                )
            }
        }
    }
}
