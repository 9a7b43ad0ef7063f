//! Letters that are not acknowledged, and what is known of the topics that they go to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::seam::hold::LetterTopic;
use crate::seam::port::RecordId;
use ingest_model::outcome::Rejection;
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};

/// Letters that are not acknowledged, and what their topics are known to refuse.
#[derive(Debug, Default)]
pub(in crate::partitions) struct Letters {
    pub(in crate::partitions) topics: BTreeMap<LetterTopic, State>,
    /// Letters to be sent at a time.
    pub(in crate::partitions) timers: BTreeSet<(Instant, RecordId)>,
}

/// What is known of one topic.
#[derive(Debug, Default)]
pub(in crate::partitions) struct State {
    /// Letters that were sent and are not acknowledged.
    pub(in crate::partitions) open: usize,
    /// It accepts none.
    pub(in crate::partitions) closed: bool,
    /// Since when letters have failed without one being accepted.
    pub(in crate::partitions) failing: Option<Instant>,
    /// Letters that were refused for their own sake.
    pub(in crate::partitions) refused: BTreeSet<RecordId>,
    /// The record whose letter was tried last.
    pub(in crate::partitions) tried: Option<RecordId>,
}

impl Letters {
    /// A letter that was sent is acknowledged or refused, or its record is gone.
    pub(in crate::partitions) fn ended(&mut self, to: LetterTopic) {
        let topic = self.of(to);
        topic.open = topic.open.saturating_sub(1);
    }

    /// Whether a letter has to wait because of its topic.
    pub(in crate::partitions) fn waits(&self, to: LetterTopic, id: RecordId) -> bool {
        self.topics
            .get(&to)
            .is_some_and(|topic| topic.closed || topic.refused.contains(&id))
    }

    /// Whether any letter may have to wait because of its topic.
    pub(in crate::partitions) fn may_wait(&self) -> bool {
        let mut topics = self.topics.values();
        topics.any(|topic| topic.closed || !topic.refused.is_empty())
    }

    /// Whether a letter is to be sent at that time.
    pub(in crate::partitions) fn is_timed(&self, at: Instant, id: RecordId) -> bool {
        self.timers.contains(&(at, id))
    }

    /// A record is gone, or its letter goes elsewhere.
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

/// A rejection, as it is shown to people. The API's words may quote what was sent, so they are masked; the mapping's quote
/// only expressions.
pub(in crate::partitions) fn rejection(reason: Rejection, detail: &str) -> Trouble {
    let kind = TroubleKind::Rejected(reason);
    if reason == Rejection::RefusedByApi {
        Trouble::new(kind, detail)
    } else {
        Trouble::of_machines(kind, detail)
    }
}
