//! The pump's side of the state topic: tasks read slices and write batches, and each task gives one answer, even when it
//! fails.
//!
//! Slices that are requested together are read together, each partition of the topic once. The topic itself is checked
//! the first time: if it was laid out for another number of partitions, or is not compacted, the worker must not go on.

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
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::brokers::{BrokersView, Quick};
use crate::clock::Clock;

/// How long the brokers may be silent while slices are being read.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a batch may take to be acknowledged before it counts as failed and is written again.
const DELIVERY: Duration = Duration::from_secs(10);
/// Pause between two log lines about progress or failures.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// The state topic cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateTopicError {
    /// Its slices are not where they would be looked for.
    #[error(
        "state.topic: {topic} was laid out for {was} partitions and has {is} now, so its contents would not be found; make \
         a new topic with {is} partitions and configure that one (what was known is learnt again, open jobs are verified), or go \
         back to one with {was}"
    )]
    Partitions {
        /// The topic.
        topic: Topic,
        /// The number of partitions for which it was laid out.
        was: u32,
        /// The number of partitions it has.
        is: u32,
    },
    /// Its contents would be deleted by age.
    #[error(
        "state.topic: {topic} is not compacted, so its contents would be deleted by age; set its cleanup.policy to compact"
    )]
    NotCompacted {
        /// The topic.
        topic: Topic,
    },
}

/// The progress of a restore, in offsets of the state topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Offsets already read.
    pub read: u64,
    /// All offsets to read.
    pub total: u64,
}

/// The result of a restore.
enum Restored {
    Slices(u32, Vec<(TopicPartition, Slice)>),
    Failed(String),
    Unusable(StateTopicError),
}

/// Settings for writes that fail soon.
fn quick(settings: &KafkaSettings) -> Result<KafkaSettings, StartError> {
    let mut options = settings.options().clone();
    options.delivery_timeout = DELIVERY;
    KafkaSettings::try_new(options).map_err(|error| StartError::Client {
        detail: error.to_string(),
    })
}

/// Reads and writes the state topic.
pub(super) struct State {
    topic: Topic,
    settings: watch::Receiver<KafkaSettings>,
    producer: Arc<StateProducer>,
    /// The number of partitions, once the topic was checked.
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
    /// The state topic named in the settings; `None` without one.
    pub(super) fn of(live: &watch::Receiver<KafkaSettings>) -> Result<Option<Self>, StartError> {
        let settings = live.borrow().clone();
        let Some(name) = settings.options().state_topic.clone() else {
            return Ok(None);
        };
        let quick = quick(&settings)?;
        Ok(Some(Self {
            topic: Topic::new(&name),
            settings: live.clone(),
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

    /// What writes to the topic, and what it makes of settings.
    pub(super) fn renewable(&self) -> (Arc<StateProducer>, Quick) {
        (Arc::clone(&self.producer), quick)
    }

    /// Requests a slice; [`begin`](Self::begin) starts reading all requested slices.
    pub(super) fn want(&mut self, partition: TopicPartition, epoch: Epoch) {
        self.wanted.push((partition, epoch));
    }

    /// Starts to read the requested slices, unless others are being read.
    pub(super) fn begin(&mut self) {
        if self.wanted.is_empty() || !self.restoring.is_empty() {
            return;
        }
        self.asked = std::mem::take(&mut self.wanted);
        let inputs: Vec<TopicPartition> = self.asked.iter().map(|(one, _)| one.clone()).collect();
        tracing::info!(topic = %self.topic, partitions = inputs.len(), "restoring state");
        let (settings, topic, count) = (
            self.settings.borrow().clone(),
            self.topic.clone(),
            self.count,
        );
        let (producer, progress) = (Arc::clone(&self.producer), Arc::clone(&self.progress));
        self.restoring.spawn(async move {
            match restored(settings, topic, count, producer, inputs, progress).await {
                Ok((count, slices)) => Restored::Slices(count, slices),
                Err(Ok(unusable)) => Restored::Unusable(unusable),
                Err(Err(detail)) => Restored::Failed(detail),
            }
        });
    }

    /// The progress of the current restore.
    pub(super) fn progress(&self) -> Option<Progress> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of a restore, as inputs for the machine.
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
            "the state could not be restored; its partitions wait, and the worker tries again",
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

    /// Writes a batch to the state partition of a slice.
    pub(super) fn write(
        &mut self,
        write: StateWriteId,
        partition: &TopicPartition,
        records: Vec<StateRecord>,
    ) {
        let (producer, topic) = (Arc::clone(&self.producer), self.topic.clone());
        // Nothing is written before a restore, and that needs the count.
        let place = SliceId::of(partition).state_partition(self.count.unwrap_or(1));
        let task = self.writing.spawn(async move {
            let written = producer.write(&topic, place, records).await;
            (write, written.err())
        });
        self.write_of_task.insert(task.id(), write);
    }

    /// The result of a write.
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
                    "the state topic could not be written; writes of objects wait, and the worker tries again",
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

/// The result of the next task that ends, as inputs for the machine; `None` if none is in flight.
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

/// Checks the topic, then reads the slices. A failure is either permanent or temporary.
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

/// Checks whether the topic can be used.
///
/// # Errors
/// Why it cannot.
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
