//! The loop of the poll thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ingest_core::record::{Epoch, Offset, Record, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;

use super::channel::Outbox;
use super::commits::Commits;
use super::offsets::{self, Answer, Task};
use super::partitions::Partitions;
use crate::clock;
use crate::context::SourceContext;
use crate::convert;
use crate::error::StartError;
use crate::port::{SourceCommand, SourceErrorKind, SourceEvent};

mod committing;
mod rebalance;
mod report;

/// How long a poll waits for something; also how long a command may have to wait.
const IDLE_POLL: Duration = Duration::from_millis(10);
/// How long a full channel may hold up the next poll before partitions are paused: pausing throws away what the client
/// has fetched, so it is not worth it for a short moment.
const FULL_CHANNEL_PATIENCE: Duration = Duration::from_millis(20);
/// Records taken before commands and answers are looked at again.
const RECORDS_PER_TURN: usize = 256;
/// When a failed read of committed offsets is tried again.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// How long the stop waits for commits to be answered, and then for somebody to take the last events.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// At most one error of a kind is reported in this time.
const ERROR_INTERVAL: Duration = Duration::from_secs(10);

/// The state of the poll thread; owned by it alone.
pub(super) struct Driver {
    consumer: Arc<BaseConsumer<SourceContext>>,
    commands: Receiver<SourceCommand>,
    outbox: Outbox,
    drain_deadline: Duration,
    tasks: Sender<Task>,
    answers: Receiver<Answer>,
    offsets_thread: JoinHandle<()>,
    partitions: Partitions,
    commits: Commits,
    /// Partitions whose committed offsets are to be read again, and when.
    read_again: Option<(Instant, Vec<(TopicPartition, Epoch)>)>,
    /// Ends of partitions that do not deliver, which the client itself does not learn of; asked for at most once at a
    /// time.
    ends: BTreeMap<TopicPartition, Offset>,
    asked_ends: bool,
    /// A record that found the channel full.
    in_hand: Option<(Record, Epoch)>,
    /// All partitions are paused because the channel was full.
    throttled: bool,
    stopping: Option<Instant>,
    errors: BTreeMap<SourceErrorKind, (Instant, u64)>,
}

// === impl Driver ===

impl Driver {
    pub(super) fn new(
        consumer: Arc<BaseConsumer<SourceContext>>,
        commands: Receiver<SourceCommand>,
        outbox: Outbox,
        drain_deadline: Duration,
    ) -> Result<Self, StartError> {
        let (tasks, task_receiver) = mpsc::channel();
        let (answer_sender, answers) = mpsc::channel();
        let shared = Arc::clone(&consumer);
        let offsets_thread = std::thread::Builder::new()
            .name("kafka-offsets".to_owned())
            .spawn(move || offsets::work(&shared, &task_receiver, &answer_sender))
            .map_err(|error| StartError::Thread {
                detail: error.to_string(),
            })?;
        Ok(Self {
            consumer,
            commands,
            outbox,
            drain_deadline,
            tasks,
            answers,
            offsets_thread,
            partitions: Partitions::default(),
            commits: Commits::default(),
            read_again: None,
            ends: BTreeMap::new(),
            asked_ends: false,
            in_hand: None,
            throttled: false,
            stopping: None,
            errors: BTreeMap::new(),
        })
    }

    /// Polls until the stop is complete.
    pub(super) fn run(mut self) {
        while !self.may_close() {
            self.take_commands();
            self.take_answers();
            self.report_statistics();
            self.send_tasks();
            self.answer_revocation();
            self.outbox.flush();
            self.make_room();
            self.poll();
        }
        self.close();
    }

    // --- records ---

    /// Takes records until there are none, the channel is full or something else happened.
    fn poll(&mut self) {
        let mut patience = if self.in_hand.is_some() {
            Duration::ZERO
        } else {
            IDLE_POLL
        };
        for _ in 0..RECORDS_PER_TURN {
            // Cloned so that the record does not borrow `self`.
            let consumer = Arc::clone(&self.consumer);
            let polled = consumer.poll(patience);
            patience = Duration::ZERO;
            let happened = self.take_seen();
            match polled {
                None => return,
                Some(Err(error)) => {
                    self.consumption_failed(&error);
                    return;
                }
                Some(Ok(message)) => {
                    let delivery = self
                        .partitions
                        .delivery(message.topic(), message.partition());
                    if let Some((topic, epoch)) = delivery
                        && self.stopping.is_none()
                    {
                        let (record, unreadable) = convert::record(&message, topic.clone());
                        if unreadable > 0 {
                            let detail = format!(
                                "{unreadable} header names of {} are not utf-8; they are left out",
                                record.position
                            );
                            self.report(SourceErrorKind::Record, detail);
                        }
                        self.deliver(record, epoch);
                    }
                }
            }
            if happened || self.in_hand.is_some() {
                return;
            }
        }
    }

    fn deliver(&mut self, record: Record, epoch: Epoch) {
        debug_assert!(
            self.in_hand.is_none(),
            "no record is polled while one is in hand"
        );
        if let Some(record) = self.outbox.record(record, epoch) {
            self.in_hand = Some((record, epoch));
        }
    }

    /// Sees to it that the next poll brings no record that there is no room for.
    fn make_room(&mut self) {
        if let Some((record, epoch)) = self.in_hand.take() {
            let partition = &record.position.partition;
            let delivered = self
                .partitions
                .delivery(partition.topic.as_str(), partition.partition.0);
            if delivered.is_some_and(|(_, current)| current == epoch) {
                self.deliver(record, epoch);
            }
        }
        if self.in_hand.is_some() && !self.throttled {
            self.outbox.wait(FULL_CHANNEL_PATIENCE);
            if let Some((record, epoch)) = self.in_hand.take() {
                self.deliver(record, epoch);
            }
            if self.in_hand.is_some() {
                self.throttled = true;
                self.pause(&self.partitions.delivering());
            }
        } else if self.in_hand.is_some() {
            self.outbox.wait(IDLE_POLL);
        } else if self.throttled && self.outbox.is_roomy() {
            self.throttled = false;
            self.resume(&self.partitions.delivering());
        }
    }

    fn pause(&self, partitions: &[TopicPartition]) {
        if !partitions.is_empty()
            && let Err(error) = self.consumer.pause(&convert::client_list(partitions))
        {
            tracing::warn!(%error, "partitions could not be paused");
        }
    }

    fn resume(&self, partitions: &[TopicPartition]) {
        if !partitions.is_empty()
            && let Err(error) = self.consumer.resume(&convert::client_list(partitions))
        {
            tracing::warn!(%error, "partitions could not be resumed");
        }
    }

    // --- commands ---

    fn take_commands(&mut self) {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.stop();
                    break;
                }
            }
        }
        if self.outbox.is_closed() {
            self.stop();
        }
    }

    fn obey(&mut self, command: SourceCommand) {
        match command {
            SourceCommand::Pause(partitions) => {
                let changed: Vec<TopicPartition> = partitions
                    .into_iter()
                    .filter(|partition| self.partitions.set_paused(partition, true))
                    .collect();
                if !self.throttled {
                    self.pause(&changed);
                }
            }
            SourceCommand::Resume(partitions) => {
                let changed: Vec<TopicPartition> = partitions
                    .into_iter()
                    .filter(|partition| self.partitions.set_paused(partition, false))
                    .collect();
                if !self.throttled {
                    self.resume(&changed);
                }
            }
            SourceCommand::Commit { entries } => self.commit(entries),
            SourceCommand::HandBack(partitions) => {
                for (partition, epoch) in partitions {
                    if !self.partitions.hand_back(&partition, epoch) {
                        tracing::debug!(%partition, "nothing to hand back");
                    }
                }
            }
            SourceCommand::Stop => self.stop(),
        }
    }

    // --- the end ---

    fn stop(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some(clock::now() + STOP_PATIENCE);
            self.in_hand = None;
        }
    }

    /// Whether a stop was asked for and the commits asked for before have been answered.
    fn may_close(&self) -> bool {
        self.stopping
            .is_some_and(|deadline| self.commits.is_idle() || clock::now() >= deadline)
    }

    /// Leaves the group and ends both threads.
    fn close(self) {
        let Self {
            consumer,
            mut outbox,
            tasks,
            offsets_thread,
            ..
        } = self;
        let context = Arc::clone(consumer.context());
        context.set_closing();
        context.hand_back(&consumer);
        drop(tasks);
        // A commit that hangs is waited for, so that the last owner of the consumer is this thread: dropping it leaves
        // the group, which needs polling.
        let deadline = clock::now() + STOP_PATIENCE;
        while !offsets_thread.is_finished() && clock::now() < deadline {
            drop(consumer.poll(IDLE_POLL));
        }
        if offsets_thread.is_finished() {
            drop(offsets_thread.join());
        } else {
            tracing::warn!("a commit still hangs; the group is left when it returns");
        }
        drop(consumer);
        outbox.event(SourceEvent::Stopped);
        let deadline = clock::now() + STOP_PATIENCE;
        while !outbox.is_flushed() && !outbox.is_closed() && clock::now() < deadline {
            outbox.wait(IDLE_POLL);
            outbox.flush();
        }
    }
}
