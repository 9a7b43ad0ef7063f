//! What to do about a trouble, for people: as a command where there is one.

use std::borrow::Cow;

use ingest_kafka::SourceErrorKind;
use ingest_kafka::diagnosis::Diagnosis;
use ingest_model::outcome::HoldCause;
use ingest_model::trouble::{Trouble, TroubleKind};

/// What to do about brokers that do not answer.
pub const AWAY: &str = "check kafka.brokers and the network; the worker continues by itself";

/// What to do about brokers that do not answer, given the words about it.
#[must_use]
pub fn away(because: &str) -> &'static str {
    Diagnosis::of(because).map_or(AWAY, Diagnosis::way_out)
}

/// Names from the configuration that advice has to mention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// `kafka.brokers`.
    pub brokers: String,
    /// `kafka.dead_letter_topic`.
    pub dead_letter_topic: String,
    /// `kafka.hold_topic`.
    pub hold_topic: Option<String>,
    /// `kafka.receipts_topic`.
    pub receipts_topic: Option<String>,
    /// `state.topic`.
    pub state_topic: Option<String>,
}

// === impl Places ===

impl Places {
    /// What to do about a hold, by what went wrong.
    #[must_use]
    pub fn way_out(&self, cause: HoldCause, last: Option<&Trouble>) -> Cow<'static, str> {
        let topic = match cause {
            HoldCause::DeadLetterTopic => Some(&self.dead_letter_topic),
            HoldCause::HoldTopic => self.hold_topic.as_ref(),
            HoldCause::StateTopic => self.state_topic.as_ref(),
            HoldCause::BadToken
            | HoldCause::Billing
            | HoldCause::MissingRole
            | HoldCause::MissingKlass
            | HoldCause::DeadLetterGuard
            | HoldCause::Quarantine
            | HoldCause::Unhealthy
            | HoldCause::LostPosition
            | HoldCause::Paused => None,
        };
        let told = topic.zip(last).and_then(|(topic, last)| {
            self.for_topic(topic, last.kind)
                .map(|way_out| format!("{way_out}; then the worker continues by itself"))
        });
        told.map_or_else(|| Cow::Borrowed(what_to_do(cause)), Cow::Owned)
    }

    /// How to make a topic usable, as a command.
    #[must_use]
    pub fn for_topic(&self, topic: &str, kind: TroubleKind) -> Option<String> {
        let brokers = &self.brokers;
        match kind {
            TroubleKind::UnknownTopic => {
                let config = if self.state_topic.as_deref() == Some(topic) {
                    " --config cleanup.policy=compact"
                } else {
                    ""
                };
                let partitions = if self.takes_letters(topic) { "1" } else { "N" };
                Some(format!(
                    "create it: kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions {partitions}{config}"
                ))
            }
            TroubleKind::NotAuthorized => Some(format!(
                "allow it: kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:NAME --topic {topic} {}",
                self.rights(topic)
            )),
            TroubleKind::TooLarge => Some(format!(
                "raise its limit: kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics \
                 --entity-name {topic} --add-config max.message.bytes=N"
            )),
            TroubleKind::TimedOut | TroubleKind::Brokers => Some(format!(
                "check that it has leaders and enough in-sync replicas: kafka-topics.sh --bootstrap-server {brokers} \
                 --describe --topic {topic}"
            )),
            TroubleKind::Refused
            | TroubleKind::NotResolved
            | TroubleKind::Tls
            | TroubleKind::Lost
            | TroubleKind::NotConnected
            | TroubleKind::Status(_)
            | TroubleKind::Garbled
            | TroubleKind::Rejected(_) => None,
        }
    }

    /// The setting that names a topic.
    #[must_use]
    pub fn setting_of(&self, topic: &str) -> &'static str {
        if self.dead_letter_topic == topic {
            "kafka.dead_letter_topic"
        } else if self.hold_topic.as_deref() == Some(topic) {
            "kafka.hold_topic"
        } else if self.receipts_topic.as_deref() == Some(topic) {
            "kafka.receipts_topic"
        } else if self.state_topic.as_deref() == Some(topic) {
            "state.topic"
        } else {
            "kafka.topics"
        }
    }

    /// What to do about an error that the client reports; `None` if there is nothing to do but wait for the next try.
    pub(crate) fn for_source(&self, kind: SourceErrorKind, words: &str) -> Option<String> {
        let brokers = &self.brokers;
        if let Some(known) = Diagnosis::of(words) {
            return Some(known.way_out().to_owned());
        }
        match kind {
            SourceErrorKind::BrokersDown | SourceErrorKind::Connection => Some(AWAY.to_owned()),
            SourceErrorKind::Authentication => Some(
                "check the security, SASL and SSL settings in kafka.properties; the worker retries by itself".to_owned(),
            ),
            SourceErrorKind::NotAuthorized => Some(format!(
                "check what these credentials may do: kafka-acls.sh --bootstrap-server {brokers} --list"
            )),
            SourceErrorKind::UnknownTopic => Some(format!(
                "check kafka.topics; to create a topic: kafka-topics.sh --bootstrap-server {brokers} --create --topic TOPIC --partitions N"
            )),
            SourceErrorKind::Group
            | SourceErrorKind::Offsets
            | SourceErrorKind::Record
            | SourceErrorKind::Other => None,
        }
    }

    fn takes_letters(&self, topic: &str) -> bool {
        self.dead_letter_topic == topic || self.hold_topic.as_deref() == Some(topic)
    }

    fn rights(&self, topic: &str) -> &'static str {
        if self.state_topic.as_deref() == Some(topic) {
            "--operation Describe --operation Read --operation Write"
        } else if self.takes_letters(topic) || self.receipts_topic.as_deref() == Some(topic) {
            "--operation Describe --operation Write"
        } else {
            "--operation Describe --operation Read"
        }
    }
}

/// What to do about a hold, in one sentence, if nothing more is known.
#[must_use]
pub fn what_to_do(cause: HoldCause) -> &'static str {
    match cause {
        HoldCause::BadToken => {
            "put a valid API key where kustomer.token points: a file is read again within seconds, an environment variable needs a restart"
        }
        HoldCause::Billing => {
            "ask Kustomer about the organisation's plan; the worker continues by itself when the API answers"
        }
        HoldCause::MissingRole => {
            "create an API key that has the role (check --online names it) and put it where kustomer.token points: a file is read again within seconds, an environment variable needs a restart"
        }
        HoldCause::MissingKlass => {
            "create the klass in Kustomer, or correct the mapping and restart"
        }
        HoldCause::DeadLetterGuard => {
            "correct the mapping and restart, or accept the rejections: release this hold, or restart with --accept-dead-letters"
        }
        HoldCause::Quarantine => {
            "see the last dead letters of the klass for the error; correct the klass's attributes in Kustomer, or the mapping and restart; the worker continues by itself with the first object that is stored; releasing this hold turns the errors into dead letters"
        }
        HoldCause::StateTopic => {
            "check that state.topic exists and that these credentials may read and write it (check --online); the worker continues by itself then"
        }
        HoldCause::DeadLetterTopic => {
            "check that kafka.dead_letter_topic exists and that these credentials may write to it (check --online); the worker continues by itself then"
        }
        HoldCause::HoldTopic => {
            "check that kafka.hold_topic exists and that these credentials may write to it (check --online); the worker continues by itself then"
        }
        HoldCause::LostPosition => {
            "see breaks in /status for the offsets that cannot be read; releasing this hold reads the partitions from the start of their logs; to go on elsewhere, stop the workers and set the group's offsets (kafka-consumer-groups.sh --reset-offsets)"
        }
        HoldCause::Unhealthy => "nothing: the worker probes the API and continues when it answers",
        HoldCause::Paused => {
            "nothing: it is planned; a pause without an end waits for `kustomer-ingest resume`, which ends any other before its time"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            brokers: "k1:9092,k2:9092".to_owned(),
            dead_letter_topic: "web.dead".to_owned(),
            hold_topic: None,
            receipts_topic: None,
            state_topic: Some("web.state".to_owned()),
        }
    }

    #[test]
    fn a_topic_that_is_gone_comes_with_the_command_that_makes_it() {
        let gone = Trouble::of_machines(TroubleKind::UnknownTopic, "web.dead");
        let told = places().way_out(HoldCause::DeadLetterTopic, Some(&gone));
        let command = "kafka-topics.sh --bootstrap-server k1:9092,k2:9092 --create --topic web.dead --partitions 1";
        assert!(told.contains(command), "{told}");
        assert!(!told.contains("compact"), "{told}");
        let told = places().way_out(HoldCause::StateTopic, Some(&gone));
        assert!(told.contains("web.state --partitions N --config cleanup.policy=compact"));
        let forbidden = Trouble::of_machines(TroubleKind::NotAuthorized, "");
        let told = places().way_out(HoldCause::DeadLetterTopic, Some(&forbidden));
        assert!(told.contains("--topic web.dead --operation Describe --operation Write"));
    }

    #[test]
    fn a_trouble_that_the_client_tells_has_a_next_step_where_there_is_one() {
        let said = |kind| places().for_source(kind, "no route");
        for kind in [SourceErrorKind::BrokersDown, SourceErrorKind::Connection] {
            assert_eq!(said(kind).as_deref(), Some(AWAY));
        }
        let make = said(SourceErrorKind::UnknownTopic).unwrap();
        assert!(
            make.contains("--bootstrap-server k1:9092,k2:9092 --create"),
            "{make}"
        );
        assert_eq!(said(SourceErrorKind::Group), None);
        let refused = "k:1: SASL authentication error: Authentication failed";
        let told = places().for_source(SourceErrorKind::Authentication, refused);
        assert!(told.unwrap().contains("sasl.password"));
        assert!(away(refused).contains("sasl.password"));
        assert_eq!(away("no route"), AWAY);
    }

    #[test]
    fn what_is_not_about_a_topic_keeps_its_sentence() {
        let refused = Trouble::of_machines(TroubleKind::Refused, "");
        let told = places().way_out(HoldCause::Unhealthy, Some(&refused));
        assert_eq!(told, what_to_do(HoldCause::Unhealthy));
        let told = places().way_out(HoldCause::DeadLetterTopic, None);
        assert_eq!(told, what_to_do(HoldCause::DeadLetterTopic));
    }
}
