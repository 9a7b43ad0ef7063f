//! Small events, and what is made of them.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::amount::Amount;
use super::title::Title;
use crate::record::{Offset, TopicPartition};
use crate::values::body::Body;

/// What waiting events of one session add to its object.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct Fold {
    /// How the object is made of the events.
    pub frame: Arc<Frame>,
    /// Where they come from.
    pub partition: TopicPartition,
    /// In the order of their offsets.
    pub events: Vec<Small>,
}

/// How the object of a session is made of its events.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How many of the last events stand in the object.
    pub keep: usize,
    /// Its title.
    pub title: Title,
    /// How long events wait for others before they are written.
    pub patience: Duration,
    /// A session that had no event for so long is forgotten; if another comes, its object is read.
    pub gap: Duration,
}

/// What a digest takes from one event.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct Small {
    /// The event's name.
    pub name: Arc<str>,
    /// When it happened, epoch milliseconds.
    pub at_ms: Option<i64>,
    /// The record's offset.
    pub offset: Offset,
    /// The record's time, epoch milliseconds.
    pub written_ms: Option<i64>,
    /// The same for every repeat of the event.
    pub key: u64,
    /// What it adds to sums, by their names.
    pub sums: SmallVec<[(Arc<str>, Amount); 1]>,
    /// What of it is kept among the last events.
    pub each: Body,
}

/// The most events of one name that are counted by it; events of further names are counted as [`OTHERS`].
pub const MAX_NAMES: usize = 32;
/// The name under which events of too many names are counted.
pub const OTHERS: &str = "others";
/// The fields that each of the last events has besides those that the mapping gives it.
pub const EACH_FIELDS: &[&str] = &["event", "at"];
/// The most bytes that one of the last events may have.
pub const MAX_EACH: usize = 512;
/// The most of the last events that are kept.
pub const MAX_KEPT: usize = 50;

/// What an allocation costs besides what it is for.
const ALLOCATION: usize = 32;

// === impl Fold ===

impl Fold {
    /// Adds what came later. `false` if it comes from another partition.
    pub fn extend(&mut self, later: &Self) -> bool {
        if later.partition != self.partition {
            return false;
        }
        self.frame = Arc::clone(&later.frame);
        self.events.extend_from_slice(&later.events);
        true
    }

    /// Bytes that it occupies besides its own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let each = |event: &Small| size_of::<Small>() + event.each.size() + ALLOCATION;
        self.events.iter().map(each).sum()
    }
}
