//! The results of checking a configuration.

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Fault, warning or ok.
    pub(super) level: Level,
    /// What was checked, and the result.
    pub(super) text: String,
    /// What to do; empty if there is nothing to do.
    pub(super) way_out: String,
}

/// How a check turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It will work, but perhaps not as meant.
    Warning,
    /// It will not work.
    Fault,
}

// === impl Finding ===

impl Finding {
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            text: text.into(),
            way_out: String::new(),
        }
    }

    pub(super) fn warning(text: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            text: text.into(),
            way_out: way_out.into(),
        }
    }

    pub(super) fn fault(text: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            level: Level::Fault,
            text: text.into(),
            way_out: way_out.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Fault => "fault",
        };
        write!(f, "{level}: {}", self.text)?;
        if !self.way_out.is_empty() {
            write!(f, "\n    {}", self.way_out)?;
        }
        Ok(())
    }
}
