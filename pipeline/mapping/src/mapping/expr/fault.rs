//! What can go wrong with an expression, when it is compiled and when it is evaluated.

/// Why an expression cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub problem: String,
    /// The way out, where one is known.
    pub help: Option<String>,
    /// Where in the text, in bytes, if it is one place.
    pub at: Option<usize>,
}

/// Why an expression gave no value. It never shows the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What happened.
    pub what: &'static str,
    /// It used up what one record may use, so nothing more can be evaluated for that record.
    pub exhausted: bool,
}

impl Refused {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            help: None,
            at: None,
        }
    }

    /// With the way out.
    #[must_use]
    pub(crate) fn helped(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// At this place of the text, in bytes.
    #[must_use]
    pub(crate) fn at(self, place: usize) -> Self {
        Self {
            at: Some(place),
            ..self
        }
    }
}

impl Failed {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            exhausted: false,
        }
    }

    pub(crate) fn limit(what: &'static str) -> Self {
        Self {
            what,
            exhausted: true,
        }
    }
}
