//! Breaks: where reading a partition did not continue at its position. For the log, the counters and `/status`.

use std::collections::VecDeque;

use ingest_model::reading::Gap;
use ingest_model::reading::LifeCause;
use ingest_model::record::{Offset, TopicPartition};
use serde::Serialize;

/// How many of the last breaks are kept.
pub const MAX_BREAKS: usize = 20;

/// What interrupted the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The start of the log passed these offsets before they were read; this many of them were unsettled.
    Vanished(Gap, u64),
    /// The committed offset is below the start of the log: these offsets were deleted before they were read. It is not read until a
    /// person has decided; then they are counted.
    PositionBelow(Gap),
    /// A topic was deleted before these offsets were read, as far as its end was known.
    DeletedUnread(Gap),
    /// A partition left while this many records of its former lives were in hand.
    LeftInHand(u64),
    /// A new life, read from this offset on.
    NewLife(LifeCause, Offset),
    /// Nothing is committed: these offsets, everything that is still there, are read, whether or not they were read
    /// before.
    ReadFromStart(Gap),
    /// Nothing is committed, and `kafka.on_lost_position` is `latest`: these offsets are not read.
    PassedOver(Gap),
}

/// One break, as `/status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What interrupted the reading.
    pub what: &'static str,
    /// The first offset affected, if there is one.
    pub from_offset: Option<i64>,
    /// The offset after the last one affected.
    pub to_offset: Option<i64>,
    /// How many records were lost.
    pub records_vanished: u64,
}

/// The last breaks, and how many records all breaks have lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaks {
    recent: VecDeque<Break>,
    vanished: u64,
}

// === impl Cause ===

impl Cause {
    /// A partition starts with nothing committed; `None` if its log is empty or not known.
    #[must_use]
    pub fn nothing_committed(log: Option<Gap>, from_end: bool) -> Option<Self> {
        let log = log.filter(|log| log.from < log.to)?;
        Some(if from_end {
            Self::PassedOver(log)
        } else {
            Self::ReadFromStart(log)
        })
    }

    /// The label in logs and `/status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vanished(..) => "vanished",
            Self::DeletedUnread(_) => "deleted_unread",
            Self::LeftInHand(_) => "left_in_hand",
            Self::NewLife(cause, _) => cause.as_str(),
            Self::PositionBelow(_) => "position_below_log",
            Self::ReadFromStart(_) => "read_from_start",
            Self::PassedOver(_) => "passed_over",
        }
    }

    /// How many records can no longer be read.
    #[must_use]
    pub fn vanished(self) -> u64 {
        match self {
            Self::DeletedUnread(gap) => gap.records(),
            Self::Vanished(_, records) | Self::LeftInHand(records) => records,
            Self::NewLife(..)
            | Self::ReadFromStart(_)
            | Self::PassedOver(_)
            | Self::PositionBelow(_) => 0,
        }
    }

    fn offsets(self) -> (Option<Offset>, Option<Offset>) {
        match self {
            Self::Vanished(gap, _)
            | Self::DeletedUnread(gap)
            | Self::PositionBelow(gap)
            | Self::ReadFromStart(gap)
            | Self::PassedOver(gap) => (Some(gap.from), Some(gap.to)),
            Self::NewLife(_, from) => (Some(from), None),
            Self::LeftInHand(_) => (None, None),
        }
    }

    /// Logs it.
    pub fn log(self, partition: &TopicPartition) {
        let (from, to) = self.offsets();
        let (from, to) = (from.map(|offset| offset.0), to.map(|offset| offset.0));
        let records = self.vanished();
        match self {
            Self::Vanished(..) => tracing::error!(
                %partition, from, to, records,
                "vanished: these records were deleted before they were read; they are lost"
            ),
            Self::DeletedUnread(_) => tracing::error!(
                %partition, from, to, records,
                "the topic was deleted before these records were read; they are lost"
            ),
            Self::LeftInHand(_) => tracing::error!(
                %partition, records,
                "records of a topic that was deleted were in hand and could not be delivered in time; they are lost"
            ),
            Self::NewLife(LifeCause::MadeAgain, _) => tracing::warn!(
                %partition, from,
                "a new life: the topic was recreated; it is read from its first record"
            ),
            Self::NewLife(LifeCause::WentBack, _) => tracing::warn!(
                %partition, from,
                "a new life: the position went back because the log lost its end; reading starts from there"
            ),
            Self::PositionBelow(_) => tracing::error!(
                %partition, from, to,
                "the position is lost: these offsets were deleted before they were read; the partition waits until a person has decided"
            ),
            Self::ReadFromStart(_) => tracing::warn!(
                %partition, from, to,
                "nothing is committed: the group is new, its offsets expired, or the topic was recreated; everything that is still there is read, \
                 even what was read before"
            ),
            Self::PassedOver(_) => tracing::warn!(
                %partition, from, to,
                "nothing is committed: the group is new, its offsets expired, or the topic was recreated; kafka.on_lost_position is \
                 `latest`, so these records are skipped"
            ),
        }
    }
}

// === impl Breaks ===

impl Breaks {
    /// Adds one.
    pub(crate) fn add(&mut self, at_ms: i64, partition: &TopicPartition, cause: Cause) {
        let (from, to) = cause.offsets();
        self.vanished = self.vanished.saturating_add(cause.vanished());
        self.recent.push_front(Break {
            at_ms,
            topic: partition.topic.as_str().to_owned(),
            partition: partition.partition.0,
            what: cause.as_str(),
            from_offset: from.map(|offset| offset.0),
            to_offset: to.map(|offset| offset.0),
            records_vanished: cause.vanished(),
        });
        self.recent.truncate(MAX_BREAKS);
    }

    /// The last ones, newest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &Break> {
        self.recent.iter()
    }

    /// Records lost by all breaks.
    #[must_use]
    pub fn vanished(&self) -> u64 {
        self.vanished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_breaks_make_room_and_stay_counted() {
        let mut breaks = Breaks::default();
        let gap = Gap {
            from: Offset(100),
            to: Offset(107),
        };
        for n in 0..25 {
            breaks.add(n, &TopicPartition::new("t", 0), Cause::Vanished(gap, 7));
        }
        breaks.add(25, &TopicPartition::new("t", 1), Cause::LeftInHand(3));
        let back = Cause::NewLife(LifeCause::WentBack, Offset(4));
        breaks.add(26, &TopicPartition::new("t", 0), back);
        assert_eq!(breaks.vanished(), 25 * 7 + 3);
        let recent: Vec<&Break> = breaks.recent().collect();
        assert_eq!(recent.len(), MAX_BREAKS);
        assert_eq!(
            (recent[0].what, recent[0].from_offset),
            ("went_back", Some(4))
        );
        assert_eq!(
            (recent[1].what, recent[1].records_vanished),
            ("left_in_hand", 3)
        );
        assert_eq!(recent[2].to_offset, Some(107));
    }
}
