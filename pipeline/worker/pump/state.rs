//! The state topic's side of the pump: slices are read back and batches written by tasks, one failure is one answer.
//!
//! Slices that are asked for together are read together, each partition of the topic once. The first time, the topic itself
//! is looked at: where it was laid out for another number of partitions, or is not compacted, nobody may go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ingest_delivery::machine::{Input, StateWriteId};
use ingest_kafka::reader::topics::fetch_partition_counts_of;
use ingest_kafka::state::{StateProducer, StateTopic, inspect, lay_out, restore};
use ingest_kafka::{KafkaSettings, ReadError, SendError, SendErrorKind, StartError};
use ingest_model::record::{Epoch, Topic, TopicPartition};
use ingest_model::state_log::SliceId;
use ingest_model::state_log::StateRecord;
use ingest_model::state_log::reduce::Slice;
use ingest_model::trouble::{Trouble, TroubleKind};
use tokio::task::{JoinError, JoinSet};

use super::brokers::BrokersView;
use crate::clock::Clock;

/// How long the brokers may be silent while slices are read.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a batch may take to be acknowledged before it counts as failed and is written again.
const DELIVERY: Duration = Duration::from_secs(10);
/// Pause between two lines about how far a restore is, and about failures.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// The state topic cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateTopicError {
    /// Slices stand where nobody would look for them.
    #[error(
        "state.topic: {topic} was laid out for {was} partitions and has {is} now, so what it holds would not be found; make \
         a new topic with {is} partitions and name that one (what is known is learnt again, open jobs are verified), or go \
         back to one with {was}"
    )]
    Partitions {
        /// The topic.
        topic: Topic,
        /// For how many it was laid out.
        was: u32,
        /// How many it has.
        is: u32,
    },
    /// What it holds would be deleted by age.
    #[error(
        "state.topic: {topic} is not compacted, so what it holds would be deleted by age; set its cleanup.policy to compact"
    )]
    NotCompacted {
        /// The topic.
        topic: Topic,
    },
}

/// How far a restore is, in offsets of the state topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Behind.
    pub read: u64,
    /// All.
    pub total: u64,
}

/// What a restore came to.
enum Restored {
    Slices(u32, Vec<(TopicPartition, Slice)>),
    Failed(String),
    Unusable(StateTopicError),
}

/// Reads and writes the state topic.
pub(super) struct State {
    topic: Topic,
    settings: KafkaSettings,
    producer: Arc<StateProducer>,
    /// The number of partitions, once the topic was looked at.
    count: Option<u32>,
    wanted: Vec<(TopicPartition, Epoch)>,
    restoring: JoinSet<Restored>,
    asked: Vec<(TopicPartition, Epoch)>,
    progress: Arc<Mutex<Option<Progress>>>,
    writing: JoinSet<(StateWriteId, Option<SendError>)>,
    write_of_task: HashMap<tokio::task::Id, StateWriteId>,
    told: Option<Instant>,
}

impl State {
    /// The side of the topic that the settings name; `None` without one.
    pub(super) fn of(settings: &KafkaSettings) -> Result<Option<Self>, StartError> {
        let Some(name) = settings.options().state_topic.clone() else {
            return Ok(None);
        };
        let mut options = settings.options().clone();
        options.delivery_timeout = DELIVERY;
        let quick = KafkaSettings::try_new(options).map_err(|error| StartError::Client {
            detail: error.to_string(),
        })?;
        Ok(Some(Self {
            topic: Topic::new(&name),
            settings: settings.clone(),
            producer: Arc::new(StateProducer::new(&quick)?),
            count: None,
            wanted: Vec::new(),
            restoring: JoinSet::new(),
            asked: Vec::new(),
            progress: Arc::default(),
            writing: JoinSet::new(),
            write_of_task: HashMap::new(),
            told: None,
        }))
    }

    /// A slice is wanted; [`begin`](Self::begin) asks for all that are.
    pub(super) fn want(&mut self, partition: TopicPartition, epoch: Epoch) {
        self.wanted.push((partition, epoch));
    }

    /// Begins to read the slices that are wanted, unless others are being read.
    pub(super) fn begin(&mut self) {
        if self.wanted.is_empty() || !self.restoring.is_empty() {
            return;
        }
        self.asked = std::mem::take(&mut self.wanted);
        let inputs: Vec<TopicPartition> = self.asked.iter().map(|(one, _)| one.clone()).collect();
        tracing::info!(topic = %self.topic, partitions = inputs.len(), "restoring state");
        let (settings, topic, count) = (self.settings.clone(), self.topic.clone(), self.count);
        let (producer, progress) = (Arc::clone(&self.producer), Arc::clone(&self.progress));
        self.restoring.spawn(async move {
            match restored(settings, topic, count, producer, inputs, progress).await {
                Ok((count, slices)) => Restored::Slices(count, slices),
                Err(Ok(unusable)) => Restored::Unusable(unusable),
                Err(Err(detail)) => Restored::Failed(detail),
            }
        });
    }

    /// How far the restore under way is.
    pub(super) fn progress(&self) -> Option<Progress> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a restore: answers for the machine.
    fn restored(
        &mut self,
        joined: Result<Restored, JoinError>,
        brokers: &BrokersView,
    ) -> Result<Vec<Input>, StateTopicError> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let asked: HashMap<TopicPartition, Epoch> =
            std::mem::take(&mut self.asked).into_iter().collect();
        let detail = match joined {
            Ok(Restored::Slices(count, slices)) => {
                self.count = Some(count);
                let inputs = slices.into_iter().filter_map(|(partition, slice)| {
                    let epoch = *asked.get(&partition)?;
                    let slice = Box::new(slice);
                    Some(Input::Restored {
                        partition,
                        epoch,
                        slice,
                    })
                });
                return Ok(inputs.collect());
            }
            Ok(Restored::Unusable(error)) => return Err(error),
            Ok(Restored::Failed(detail)) => detail,
            Err(error) => error.to_string(),
        };
        self.tell(
            "state could not be restored; its partitions wait, and it is tried again",
            &detail,
        );
        let trouble = brokers.trouble_of(&self.topic).unwrap_or_else(|| {
            let words = format!("{}: {detail}", self.topic);
            Trouble::of_machines(TroubleKind::Brokers, &words)
        });
        let failed = asked
            .into_iter()
            .map(|(partition, epoch)| Input::RestoreFailed {
                partition,
                epoch,
                trouble: trouble.clone(),
            });
        Ok(failed.collect())
    }

    /// Writes a batch to the partition of the topic that belongs to a slice.
    pub(super) fn write(
        &mut self,
        write: StateWriteId,
        partition: &TopicPartition,
        records: Vec<StateRecord>,
    ) {
        let (producer, topic) = (Arc::clone(&self.producer), self.topic.clone());
        // Nothing is written before something was restored, which needs the count.
        let place = SliceId::of(partition).state_partition(self.count.unwrap_or(1));
        let task = self.writing.spawn(async move {
            let written = producer.write(&topic, place, records).await;
            (write, written.err())
        });
        self.write_of_task.insert(task.id(), write);
    }

    /// The end of a write.
    fn written(
        &mut self,
        joined: Result<(tokio::task::Id, (StateWriteId, Option<SendError>)), JoinError>,
        brokers: &BrokersView,
    ) -> Option<Input> {
        let (write, failure) = match joined {
            Ok((task, (write, failure))) => {
                self.write_of_task.remove(&task);
                (write, failure)
            }
            Err(error) => {
                let write = self.write_of_task.remove(&error.id())?;
                let failure = SendError {
                    kind: SendErrorKind::Other,
                    detail: error.to_string(),
                };
                (write, Some(failure))
            }
        };
        let result = match failure {
            None => Ok(()),
            Some(failure) => {
                let trouble = brokers.explain(&self.topic, &failure);
                self.tell(
                    "the state topic took nothing; writes of objects wait, and it is tried again",
                    &trouble.to_string(),
                );
                Err(trouble)
            }
        };
        Some(Input::StateWritten { write, result })
    }

    fn tell(&mut self, what: &str, detail: &str) {
        let now = Clock.now();
        let lately = self
            .told
            .is_some_and(|at| now.duration_since(at) < LOG_INTERVAL);
        if !lately {
            self.told = Some(now);
            tracing::error!(topic = %self.topic, detail, "{what}");
        }
    }
}

/// The end of something that the topic was asked for, as answers for the machine; `None` if nothing is under way.
pub(super) async fn ended(
    state: Option<&mut State>,
    brokers: &BrokersView,
) -> Option<Result<Vec<Input>, StateTopicError>> {
    let state = state?;
    tokio::select! { biased;
        Some(joined) = state.writing.join_next_with_id() => {
            Some(Ok(state.written(joined, brokers).into_iter().collect()))
        }
        Some(joined) = state.restoring.join_next() => Some(state.restored(joined, brokers)),
        else => None,
    }
}

/// Looks at the topic, then reads the slices. A failure is either for good or for now.
async fn restored(
    settings: KafkaSettings,
    topic: Topic,
    known: Option<u32>,
    producer: Arc<StateProducer>,
    inputs: Vec<TopicPartition>,
    progress: Arc<Mutex<Option<Progress>>>,
) -> Result<(u32, Vec<(TopicPartition, Slice)>), Result<StateTopicError, String>> {
    let for_now = |error: ReadError| Err(error.to_string());
    let count = match known {
        None => first_look(&settings, &topic, &producer).await?,
        Some(was) => {
            let (asked, name) = (settings.clone(), topic.clone());
            let counts = tokio::task::spawn_blocking(move || {
                fetch_partition_counts_of(&asked, std::slice::from_ref(&name), SILENCE)
            });
            let counts = counts.await.map_err(|error| Err(error.to_string()))?;
            let is = counts.map_err(for_now)?.get(&topic).copied();
            let is = u32::try_from(is.unwrap_or_default()).unwrap_or(u32::MAX);
            if is != was {
                return Err(Ok(StateTopicError::Partitions { topic, was, is }));
            }
            was
        }
    };
    let reading = tokio::task::spawn_blocking(move || {
        let mut told = Clock.now();
        restore(&settings, &topic, count, &inputs, SILENCE, |read, total| {
            *progress.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Progress { read, total });
            if Clock.now().duration_since(told) >= LOG_INTERVAL {
                told = Clock.now();
                tracing::info!(%topic, read, total, "restoring state");
            }
        })
    });
    let slices = reading.await.map_err(|error| Err(error.to_string()))?;
    Ok((count, slices.map_err(for_now)?))
}

async fn first_look(
    settings: &KafkaSettings,
    topic: &Topic,
    producer: &StateProducer,
) -> Result<u32, Result<StateTopicError, String>> {
    let found = inspect(settings, topic, SILENCE)
        .await
        .map_err(|error| Err(error.to_string()))?;
    judge(topic, &found).map_err(Ok)?;
    if found.compacted.is_none() {
        tracing::warn!(
            %topic,
            "the brokers do not say whether the state topic is compacted; it has to be"
        );
    }
    tracing::info!(%topic, partitions = found.partitions, "state topic");
    if found.laid_out_for.is_none() {
        lay_out(producer, topic, found.partitions)
            .await
            .map_err(|error| Err(error.to_string()))?;
    }
    Ok(found.partitions)
}

/// Whether the topic can be used.
///
/// # Errors
/// It cannot, for that reason.
pub fn judge(topic: &Topic, found: &StateTopic) -> Result<(), StateTopicError> {
    if let Some(was) = found.was_laid_out_for() {
        return Err(StateTopicError::Partitions {
            topic: topic.clone(),
            was,
            is: found.partitions,
        });
    }
    if found.compacted == Some(false) {
        return Err(StateTopicError::NotCompacted {
            topic: topic.clone(),
        });
    }
    Ok(())
}
