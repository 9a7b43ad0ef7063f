//! What is said of a backlog: when it will be gone, and why that is not known.

use std::time::Duration;

use serde::Serialize;

/// When the backlog will be gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drain {
    /// The state of the backlog.
    pub state: DrainState,
    /// The time left, if it can be estimated; zero if there is nothing to do.
    pub left: Option<Duration>,
    /// The same if records go on arriving as they did lately.
    pub with_arrivals: WithArrivals,
}

/// What becomes of the backlog if records go on arriving as they did lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WithArrivals {
    /// Too little is known.
    #[default]
    NotKnown,
    /// It is gone after that time.
    Gone(Duration),
    /// It never is at this rate: it grows by so many records an hour.
    Never {
        /// Records an hour.
        grows: u64,
    },
}

/// The state of the backlog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainState {
    /// Too little is known yet, or nothing moves although nothing is held.
    #[default]
    NotKnown,
    /// Everything is settled.
    NothingToDo,
    /// It will be gone at the present pace.
    Estimated,
    /// What is left is held until a person acts.
    WaitsForPerson,
    /// What is left is held until the API, or the state topic, works again.
    WaitsForHealth,
    /// What is left is paused as planned.
    WaitsForPause,
}

// === impl DrainState ===

impl DrainState {
    /// Every value.
    pub const ALL: [Self; 6] = [
        Self::NotKnown,
        Self::NothingToDo,
        Self::Estimated,
        Self::WaitsForPerson,
        Self::WaitsForHealth,
        Self::WaitsForPause,
    ];

    /// The label in metrics and in `/status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotKnown => "not_known",
            Self::NothingToDo => "nothing_to_do",
            Self::Estimated => "estimated",
            Self::WaitsForPerson => "waits_for_person",
            Self::WaitsForHealth => "waits_for_health",
            Self::WaitsForPause => "waits_for_pause",
        }
    }
}
