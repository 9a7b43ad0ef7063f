//! Detects that a topic was deleted and recreated under its name.
//!
//! Only the topic's id tells, and the client library does not expose it: it continues at the old offset in the new topic
//! and skips everything below. But it reports the change in a debug line before it fetches with the new id, so this
//! module reads that line. The tests against real brokers fail if a later version of the library words it differently.

use std::collections::{BTreeMap, VecDeque};

/// The debug context that includes the line.
pub(crate) const DEBUG_CONTEXT: &str = "metadata";
/// The id of a topic of which the client knew nothing.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";
/// Former ids remembered for each topic: brokers with outdated metadata may report them once more.
const FORMER: usize = 16;

/// The ids of topics whose id has changed.
#[derive(Debug, Default)]
pub(crate) struct TopicIds {
    seen: BTreeMap<String, VecDeque<String>>,
}

// === impl TopicIds ===

impl TopicIds {
    /// Takes a line of the client's log. Returns the topic if the line says that it was recreated.
    pub(crate) fn line(&mut self, facility: &str, text: &str) -> Option<String> {
        if facility != "METADATA" {
            return None;
        }
        let (topic, from, to) = changed_id(text)?;
        if from == NO_ID || to == NO_ID {
            return None;
        }
        let seen = self.seen.entry(topic.to_owned()).or_default();
        if !seen.iter().any(|id| id == from) {
            seen.push_back(from.to_owned());
        }
        if seen.iter().any(|id| id == to) {
            return None; // outdated metadata of some broker, or the return from it
        }
        seen.push_back(to.to_owned());
        if seen.len() > FORMER {
            seen.pop_front();
        }
        Some(topic.to_owned())
    }
}

/// Topic, old id and new id of `… Topic T changed id from A to B`.
fn changed_id(text: &str) -> Option<(&str, &str, &str)> {
    let (head, ids) = text.split_once(" changed id from ")?;
    let (_, topic) = head.rsplit_once("Topic ")?;
    let (from, to) = ids.split_once(" to ")?;
    let is_one_word = |word: &str| !word.is_empty() && !word.contains(' ');
    let all = [topic, from, to].into_iter().all(is_one_word);
    all.then_some((topic, from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(topic: &str, from: &str, to: &str) -> String {
        format!("[thrd:main]: Topic {topic} changed id from {from} to {to}")
    }

    #[test]
    fn another_id_is_another_topic() {
        let mut ids = TopicIds::default();
        let mut says = |from: &str, to: &str| ids.line("METADATA", &line("shop.events", from, to));
        assert_eq!(says(NO_ID, "aaa"), None, "met for the first time");
        assert_eq!(says("aaa", "bbb"), Some("shop.events".to_owned()));
        assert_eq!(says("bbb", "aaa"), None, "a broker that is behind");
        assert_eq!(says("aaa", "bbb"), None, "and one that is not");
        assert_eq!(says("bbb", "ccc"), Some("shop.events".to_owned()));
        assert_eq!(says("ccc", NO_ID), None);
    }

    #[test]
    fn no_other_line_means_that() {
        let mut ids = TopicIds::default();
        for text in [
            "[thrd:main]: Topic shop.events [0] Leader 1 Epoch 4",
            "[thrd:main]: Topic shop.events changed id from aaa",
            "[thrd:main]: Topic  changed id from aaa to bbb",
            "",
        ] {
            assert_eq!(ids.line("METADATA", text), None, "{text}");
        }
        assert_eq!(ids.line("CGRP", &line("shop.events", "aaa", "bbb")), None);
    }
}
