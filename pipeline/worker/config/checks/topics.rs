//! The checks of the topics that the worker writes to: each is a topic of its own.

use ingest_delivery::settled::ReceiptsOf;
use ingest_model::record::Topic;

use super::checker::Checker;
use crate::config::raw::{At, RawKafka, RawTopic, Scalar};

impl Checker<'_> {
    pub(super) fn dead_letter_topic(&mut self, raw: &RawKafka) -> Option<Topic> {
        let Some(leaf) = &raw.dead_letter_topic else {
            let way_out =
                "name the topic for records that can never be delivered, such as shop.events.dead";
            self.missing(&raw.place, "dead_letter_topic", way_out);
            return None;
        };
        self.topic_not_read(leaf, raw)
    }

    /// `Some(None)` if there is none; `None` if it is wrong.
    pub(super) fn hold_topic(
        &mut self,
        raw: &RawKafka,
        letters: Option<&Topic>,
    ) -> Option<Option<Topic>> {
        let Some(leaf) = &raw.hold_topic else {
            return Some(None);
        };
        let topic = self.topic_not_read(leaf, raw)?;
        if letters == Some(&topic) {
            self.at(
                leaf,
                "is the dead-letter topic",
                "use a topic of its own: what is held is not dead",
            );
            return None;
        }
        Some(Some(topic))
    }

    /// `Some(None)` if there is none; `None` if it is wrong.
    pub(super) fn state_topic(
        &mut self,
        state: Option<&At<Scalar>>,
        raw: &RawKafka,
        others: &[Option<&Topic>],
    ) -> Option<Option<Topic>> {
        let Some(leaf) = state else {
            return Some(None);
        };
        let topic = self.topic_not_read(leaf, raw)?;
        if others.contains(&Some(&topic)) {
            self.at(
                leaf,
                "is a topic for records",
                "use a topic of its own, with cleanup.policy=compact",
            );
            return None;
        }
        Some(Some(topic))
    }

    /// `Some(None)` if none are wanted; `None` if something is wrong.
    pub(super) fn receipts(
        &mut self,
        raw: &RawKafka,
        letters: &[Option<&Topic>],
    ) -> Option<Option<(Topic, ReceiptsOf)>> {
        let words: Vec<&str> = ReceiptsOf::ALL.iter().map(|one| one.as_str()).collect();
        let of = match &raw.receipts_of {
            None => ReceiptsOf::Attempted,
            Some(leaf) => {
                let word = self.one_of(leaf, &words)?;
                let mut all = ReceiptsOf::ALL.iter().copied();
                all.find(|one| one.as_str() == word)?
            }
        };
        let Some(leaf) = &raw.receipts_topic else {
            if let Some(of) = &raw.receipts_of {
                let way_out =
                    "set kafka.receipts_topic, such as shop.events.receipts, or leave this out";
                self.at(of, "is of no use without kafka.receipts_topic", way_out);
                return None;
            }
            return Some(None);
        };
        let topic = self.topic_not_read(leaf, raw)?;
        if letters.contains(&Some(&topic)) {
            let way_out = "use a topic of its own: receipts are no letters, and nothing is replayed from them";
            self.at(leaf, "is a topic for records", way_out);
            return None;
        }
        Some(Some((topic, of)))
    }

    /// The name of a topic that is not an input.
    fn topic_not_read(&mut self, leaf: &At<Scalar>, raw: &RawKafka) -> Option<Topic> {
        let topic = self.topic_name(leaf)?;
        let is_input = |t: &RawTopic| matches!(&t.name, Some(At { value: Scalar::Text(name), .. }) if name.trim() == topic.as_str());
        if raw.topics.iter().any(is_input) {
            self.at(
                leaf,
                "is one of the topics that are read",
                "use a topic of its own: what is put there would come back for ever",
            );
            return None;
        }
        Some(topic)
    }

    /// A legal name according to Kafka: 1 to 249 letters, digits, dots, underscores and hyphens.
    pub(super) fn topic_name(&mut self, leaf: &At<Scalar>) -> Option<Topic> {
        let name = self.text(leaf)?;
        let legal = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !legal || name.len() > 249 || name == "." || name == ".." {
            let way_out = "use 1 to 249 letters, digits, dots, underscores and hyphens; patterns are not supported";
            self.at(
                leaf,
                &format!("`{name}` is not the name of a topic"),
                way_out,
            );
            return None;
        }
        Some(Topic::new(&name))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ingest_delivery::settled::ReceiptsOf;
    use ingest_model::record::Topic;

    use crate::config::parse;
    use crate::config::settings::Settings;

    /// The settings of a configuration with these keys of `kafka`, or what is wrong with them.
    fn with(keys: &str) -> Result<Settings, String> {
        let text = format!(
            "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  hold_topic: h\n{keys}  topics:\n    - name: t\n      \
             mapping: {{ routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ] }}\nkustomer:\n  base_url: \
             http://127.0.0.1:1\n  limit: 100\n  token: {{ env: T }}\nstate: {{ topic: s }}\n"
        );
        parse(Path::new("w.yaml"), &text).map_err(|faults| faults.to_string())
    }

    #[test]
    fn receipts_of_what_was_attempted_go_to_a_topic_of_their_own() {
        let receipts = |keys: &str| with(keys).unwrap().kafka.receipts;
        assert_eq!(receipts(""), None);
        assert_eq!(receipts("  receipts_topic: null\n"), None);
        let topic = Topic::new("r");
        let usual = receipts("  receipts_topic: r\n");
        assert_eq!(usual, Some((topic.clone(), ReceiptsOf::Attempted)));
        let all = receipts("  receipts_topic: r\n  receipts_of: all\n");
        assert_eq!(all, Some((topic, ReceiptsOf::All)));
    }

    #[test]
    fn a_topic_for_receipts_that_is_another_one_is_refused_with_the_way_out() {
        for (keys, said, way_out) in [
            (
                "  receipts_topic: t\n",
                "is one of the topics that are read",
                "use a topic of its own",
            ),
            (
                "  receipts_topic: d\n",
                "is a topic for records",
                "receipts are no letters",
            ),
            (
                "  receipts_topic: h\n",
                "is a topic for records",
                "receipts are no letters",
            ),
            (
                "  receipts_topic: s\n",
                "state.topic",
                "use a topic of its own",
            ),
            (
                "  receipts_topic: r\n  receipts_of: some\n",
                "receipts_of",
                "attempted",
            ),
            (
                "  receipts_of: all\n",
                "is of no use without kafka.receipts_topic",
                "leave this out",
            ),
        ] {
            let told = with(keys).unwrap_err();
            assert!(
                told.contains(said) && told.contains(way_out),
                "{keys}{told}"
            );
            assert!(told.contains("w.yaml:"), "{told}");
        }
    }
}
