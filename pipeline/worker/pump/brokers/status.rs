//! What keeps the Kafka side from working, for people: brokers that do not answer, topics that do not exist.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_kafka::reader::retention::Retention;
use ingest_kafka::{SendError, SendErrorKind};
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};
use serde::Serialize;

use crate::observe::advice::{Places, away};

/// Brokers that are silent for less are not reported: if one restarts, another has taken over its work by then.
const GRACE: Duration = Duration::from_secs(5);

/// The setting that names the topic of receipts. Deliveries go on without that topic.
pub(in crate::pump) const RECEIPTS: &str = "kafka.receipts_topic";

/// The result of the last checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokersView {
    /// Since when no broker has answered, and why.
    pub away: Option<(Instant, String)>,
    /// Configured topics that cannot be used.
    pub topics: Vec<TopicTrouble>,
    /// What has become of the credentials; `None` until they were looked at, or if they are in no file.
    pub credentials: Option<Credentials>,
    /// How long the records of the input topics are kept, as far as the brokers have said it.
    pub retention: BTreeMap<Topic, Retention>,
}

/// What has become of the credentials since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// How often they were renewed, and when last.
    pub renewed: u64,
    /// When they were renewed last.
    pub at: Option<Instant>,
    /// Why those in the files are not in use.
    pub kept: Option<String>,
}

/// A configured topic that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTrouble {
    /// The topic.
    pub topic: Topic,
    /// The setting that names it.
    pub setting: &'static str,
    /// Unknown topic, or not authorized.
    pub kind: TroubleKind,
}

/// The state of the Kafka side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KafkaStatus {
    /// For how long no broker has answered; `null` while one answers.
    pub away_for_seconds: Option<u64>,
    /// Why, in the client's words.
    pub away_because: Option<String>,
    /// Configured topics that cannot be used.
    pub topics: Vec<TopicProblem>,
    /// What has become of the credentials; `null` if they are in no file.
    pub credentials: Option<CredentialsStatus>,
}

/// What has become of the credentials since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CredentialsStatus {
    /// How often they were renewed.
    pub renewed: u64,
    /// How long ago they were renewed last.
    pub renewed_seconds_ago: Option<u64>,
    /// Why those in the files are not in use; `null` if they are.
    pub kept_because: Option<String>,
}

/// A configured topic that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicProblem {
    /// Its name.
    pub topic: String,
    /// The setting that names it.
    pub setting: &'static str,
    /// `unknown_topic` or `not_authorized`.
    pub problem: &'static str,
    /// What to do about it.
    pub what_to_do: String,
}

// === impl KafkaStatus ===

impl KafkaStatus {
    /// The status at this time, from what the pump saw.
    #[must_use]
    pub fn new(view: &BrokersView, now: Instant, places: &Places) -> Self {
        let away = view.away.as_ref();
        let away = away.map(|(since, why)| (now.saturating_duration_since(*since), why));
        let away = away.filter(|(span, _)| *span >= GRACE);
        Self {
            away_for_seconds: away.map(|(span, _)| span.as_secs()),
            away_because: away.map(|(_, why)| why.clone()),
            topics: view
                .topics
                .iter()
                .map(|one| TopicProblem {
                    topic: one.topic.as_str().to_owned(),
                    setting: one.setting,
                    problem: one.kind.as_str(),
                    what_to_do: places
                        .for_topic(one.topic.as_str(), one.kind)
                        .unwrap_or_default(),
                })
                .collect(),
            credentials: view.credentials.as_ref().map(|seen| CredentialsStatus {
                renewed: seen.renewed,
                renewed_seconds_ago: seen
                    .at
                    .map(|at| now.saturating_duration_since(at).as_secs()),
                kept_because: seen.kept.clone(),
            }),
        }
    }

    /// Each problem in one line that keeps records from being settled.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if let Some(seconds) = self.away_for_seconds {
            let because = self.away_because.as_deref().unwrap_or_default();
            causes.push(format!(
                "brokers: no answer for {seconds} s: {because}; {}",
                away(because)
            ));
        }
        for one in self.topics.iter().filter(|one| one.setting != RECEIPTS) {
            let problem = if one.problem == "unknown_topic" {
                "does not exist, or may not be seen"
            } else {
                "may not be used with these credentials"
            };
            causes.push(format!(
                "topic {} ({}) {problem}; {}",
                one.topic, one.setting, one.what_to_do
            ));
        }
        causes
    }
}

// === impl BrokersView ===

impl BrokersView {
    /// What is known to be wrong with a topic.
    pub(in crate::pump) fn trouble_of(&self, topic: &Topic) -> Option<Trouble> {
        let found = self.topics.iter().find(|one| one.topic == *topic)?;
        Some(Trouble::of_machines(found.kind, topic.as_str()))
    }

    /// Why a record was not accepted. For a known topic that has disappeared, the client reports a time-out.
    pub(in crate::pump) fn explain(&self, topic: &Topic, error: &SendError) -> Trouble {
        let kind = match error.kind {
            SendErrorKind::Timeout => {
                if let Some(known) = self.trouble_of(topic) {
                    return known;
                }
                TroubleKind::TimedOut
            }
            SendErrorKind::TooLarge => TroubleKind::TooLarge,
            SendErrorKind::UnknownTopic => TroubleKind::UnknownTopic,
            SendErrorKind::NotAuthorized => TroubleKind::NotAuthorized,
            SendErrorKind::QueueFull | SendErrorKind::Timestamp | SendErrorKind::Other => {
                TroubleKind::Brokers
            }
        };
        Trouble::of_machines(kind, &format!("{topic}: {}", error.detail))
    }
}
