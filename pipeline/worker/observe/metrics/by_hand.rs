//! Labels for what people do by hand, and for what becomes of the API key and of receipts.

/// What a request to the admin server would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminAction {
    /// What is logged.
    LogLevel,
    /// The end of a hold.
    ReleaseHold,
    /// Pause something.
    Pause,
    /// End a pause.
    Resume,
    /// A file with the last steps.
    Recording,
    /// Nothing that there is.
    Unknown,
}

/// What became of a request to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminResult {
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
    /// Whoever sent it may not.
    Refused,
}

/// What became of an API key that was found in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyResult {
    /// It is used now instead of the former one.
    Replaced,
    /// The API refuses it, or it cannot be a key.
    Refused,
    /// The API has not answered for it.
    Unanswered,
    /// The place cannot be read.
    Unreadable,
}

/// What became of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptResult {
    /// The brokers have accepted it.
    Written,
    /// They have not.
    Failed,
    /// It found no room.
    Dropped,
}

// === impl ReceiptResult ===

impl ReceiptResult {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Written, Self::Failed, Self::Dropped];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

// === impl AdminAction ===

impl AdminAction {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::LogLevel,
        Self::ReleaseHold,
        Self::Pause,
        Self::Resume,
        Self::Recording,
        Self::Unknown,
    ];

    /// The action that a path of the admin server stands for.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("log-level") => Self::LogLevel,
            Some("holds") => Self::ReleaseHold,
            Some("pauses") if path == "/pauses/resume" => Self::Resume,
            Some("pauses") => Self::Pause,
            Some("debug") => Self::Recording,
            Some(_) | None => Self::Unknown,
        }
    }

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogLevel => "log_level",
            Self::ReleaseHold => "release_hold",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Recording => "recording",
            Self::Unknown => "unknown",
        }
    }
}

// === impl AdminResult ===

impl AdminResult {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Done, Self::Failed, Self::Refused];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

// === impl KeyResult ===

impl KeyResult {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::Replaced,
        Self::Refused,
        Self::Unanswered,
        Self::Unreadable,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Unreadable => "unreadable",
        }
    }
}
