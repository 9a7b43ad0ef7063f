//! Letters that are not settled, and what is known of the topics that they go to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::seam::hold::LetterTopic;
use crate::seam::port::RecordId;
use ingest_model::outcome::Rejection;
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};

/// Letters that are not settled, and what their topics are known to refuse.
#[derive(Debug, Default)]
pub(in crate::partitions) struct Letters {
    pub(in crate::partitions) topics: BTreeMap<LetterTopic, State>,
    /// Letters that are sent at a time.
    pub(in crate::partitions) timers: BTreeSet<(Instant, RecordId)>,
}

/// What is known of one topic.
#[derive(Debug, Default)]
pub(in crate::partitions) struct State {
    /// Letters that left and are not acknowledged.
    pub(in crate::partitions) open: usize,
    /// It takes none.
    pub(in crate::partitions) closed: bool,
    /// Since when letters have failed without one that was taken.
    pub(in crate::partitions) failing: Option<Instant>,
    /// Letters that were refused for what they are.
    pub(in crate::partitions) refused: BTreeSet<RecordId>,
    /// Whose letter was tried last.
    pub(in crate::partitions) tried: Option<RecordId>,
}

impl Letters {
    /// A letter that had left is acknowledged, was refused, or concerns nobody any more.
    pub(in crate::partitions) fn ended(&mut self, to: LetterTopic) {
        let topic = self.of(to);
        topic.open = topic.open.saturating_sub(1);
    }

    /// Whether a letter waits because of its topic.
    pub(in crate::partitions) fn waits(&self, to: LetterTopic, id: RecordId) -> bool {
        self.topics
            .get(&to)
            .is_some_and(|topic| topic.closed || topic.refused.contains(&id))
    }

    /// Whether a letter is sent at that time.
    pub(in crate::partitions) fn is_timed(&self, at: Instant, id: RecordId) -> bool {
        self.timers.contains(&(at, id))
    }

    /// A record is gone.
    pub(in crate::partitions) fn forget(&mut self, id: RecordId) {
        for topic in self.topics.values_mut() {
            topic.refused.remove(&id);
        }
    }

    pub(in crate::partitions) fn of(&mut self, to: LetterTopic) -> &mut State {
        self.topics.entry(to).or_default()
    }
}

/// A dead letter that waits because its topic is held.
#[derive(Debug)]
#[must_use = "the hold of the topic has to hear of it"]
pub(crate) struct KeptBack {
    pub(crate) topic: Topic,
    pub(crate) why: Trouble,
}

/// A rejection, as people are told of it. The API's words may quote what was sent; the mapping's quote expressions.
pub(in crate::partitions) fn rejection(reason: Rejection, detail: &str) -> Trouble {
    let kind = TroubleKind::Rejected(reason);
    if reason == Rejection::RefusedByApi {
        Trouble::new(kind, detail)
    } else {
        Trouble::of_machines(kind, detail)
    }
}
