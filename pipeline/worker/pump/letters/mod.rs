//! Sends letters, one task for each. Failures are logged from time to time, and the machine is told about topics whose
//! letters are stuck.
//!
//! The client keeps trying a letter for the whole delivery time-out, two minutes by default, even if the topic has
//! disappeared. So a letter that takes longer than brokers need is investigated long before that.

pub(super) mod form;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::hold::LetterTopic;
use ingest_delivery::machine::{Input, LetterId};
use ingest_kafka::{DeadLetter, DeadLetterProducer, KafkaSettings, SendError, StartError};
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};
use tokio::task::{JoinError, JoinSet};

use super::brokers::{BrokersView, setting_of};
use crate::clock::Clock;

/// Pause between two log lines about letters that fail.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// A letter in flight for this long is investigated.
const STUCK: Duration = Duration::from_secs(3);
/// The same if nothing is known to be wrong with its topic, and the brokers answer.
const STUCK_UNEXPLAINED: Duration = Duration::from_secs(30);

/// Letters in flight.
pub(super) struct Letters {
    producer: Arc<DeadLetterProducer>,
    sending: JoinSet<(LetterId, Option<SendError>)>,
    under_way: HashMap<tokio::task::Id, UnderWay>,
    /// When a failed letter was last logged, and how many were not logged since.
    told: Option<Instant>,
    untold: u64,
}

struct UnderWay {
    letter: LetterId,
    to: LetterTopic,
    topic: Topic,
    since: Instant,
}

/// The end of a letter's task.
pub(super) type Ended = Result<(tokio::task::Id, (LetterId, Option<SendError>)), JoinError>;

impl Letters {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        Ok(Self {
            producer: Arc::new(DeadLetterProducer::new(settings)?),
            sending: JoinSet::new(),
            under_way: HashMap::new(),
            told: None,
            untold: 0,
        })
    }

    /// What sends them.
    pub(super) fn producer(&self) -> Arc<DeadLetterProducer> {
        Arc::clone(&self.producer)
    }

    /// Sends a letter to its topic; the end of its task is the answer.
    pub(super) fn send(&mut self, letter: LetterId, to: LetterTopic, outgoing: DeadLetter) {
        let producer = Arc::clone(&self.producer);
        let topic = outgoing.topic.clone();
        let task = self.sending.spawn(async move {
            let sent = producer.send(outgoing).await;
            (letter, sent.err())
        });
        let since = Clock.now();
        let under_way = UnderWay {
            letter,
            to,
            topic,
            since,
        };
        self.under_way.insert(task.id(), under_way);
    }

    /// The next task that ends; pending while none is in flight.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        self.sending.join_next_with_id().await
    }

    /// The machine's input for a task that ended.
    pub(super) fn ended(&mut self, ended: Ended, brokers: &BrokersView) -> Option<Input> {
        let (task, failure) = match ended {
            Ok((task, (_, failure))) => (task, failure),
            Err(error) => {
                tracing::error!(%error, "a letter's task ended without an answer");
                let letter = self.under_way.remove(&error.id())?.letter;
                let trouble = Trouble::of_machines(TroubleKind::Brokers, "its task ended");
                return Some(Input::DeadLettered {
                    letter,
                    result: Err(trouble),
                });
            }
        };
        let UnderWay {
            letter, to, topic, ..
        } = self.under_way.remove(&task)?;
        let result = match failure {
            None => Ok(()),
            Some(failure) => {
                self.tell(to, &topic, &failure);
                Err(brokers.explain(&topic, &failure))
            }
        };
        Some(Input::DeadLettered { letter, result })
    }

    /// Topics whose letters are stuck, and why. If the brokers are silent, that is another matter: no letter is answered
    /// then.
    pub(super) fn stuck(&self, now: Instant, brokers: &BrokersView) -> Vec<Input> {
        let mut stuck = Vec::new();
        for to in LetterTopic::ALL {
            let of_it = self.under_way.values().filter(|one| one.to == to);
            let Some(oldest) = of_it.min_by_key(|one| one.since) else {
                continue;
            };
            let span = now.saturating_duration_since(oldest.since);
            let trouble = match brokers.trouble_of(&oldest.topic) {
                Some(trouble) => Some(trouble).filter(|_| span >= STUCK),
                None if brokers.away.is_some() || span < STUCK_UNEXPLAINED => None,
                None => Some(Trouble::of_machines(
                    TroubleKind::TimedOut,
                    &format!(
                        "{}: not acknowledged for {} s",
                        oldest.topic,
                        span.as_secs()
                    ),
                )),
            };
            if let Some(trouble) = trouble {
                stuck.push(Input::LettersStuck { to, trouble });
            }
        }
        stuck
    }

    /// While its topic is unavailable, every waiting letter fails again and again, so failures are logged at most once in
    /// ten seconds.
    fn tell(&mut self, to: LetterTopic, topic: &Topic, failure: &SendError) {
        let now = Clock.now();
        if self
            .told
            .is_some_and(|at| now.duration_since(at) < LOG_INTERVAL)
        {
            self.untold += 1;
            return;
        }
        let untold = std::mem::take(&mut self.untold);
        self.told = Some(now);
        let setting = setting_of(to);
        if failure.kind.is_retriable() {
            tracing::warn!(%topic, setting, error = %failure, untold, "a letter was not acknowledged; it is sent again");
        } else {
            // It is tried again: what a person changes about the topic is noticed without a restart.
            tracing::error!(%topic, setting, error = %failure, untold, "the dead-letter topic or the hold topic refuses a letter, and its partition waits until that is fixed in Kafka");
        }
    }
}
