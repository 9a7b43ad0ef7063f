//! The loop of the poll thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ingest_model::reading::LifeCause;
use ingest_model::reading::Step;
use ingest_model::record::{Epoch, Offset, Record, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;

use super::channel::Outbox;
use super::commits::Commits;
use super::member::{Member, Order, Renewal, join};
use super::offsets::{Answer, Task};
use super::partitions::Partitions;
use super::positions::Positions;
use crate::client::context::SourceContext;
use crate::client::convert;
use crate::clock;
use crate::error::StartError;
use crate::port::{SourceCommand, SourceErrorKind, SourceEvent};
use crate::settings::KafkaSettings;

mod committing;
mod lives;
mod rebalance;
mod renewal;
mod report;

/// How long a poll waits for something, and so how long a command may have to wait.
const IDLE_POLL: Duration = Duration::from_millis(10);
/// How long the channel may stay full before partitions are paused; there is no poll meanwhile. A pause discards what the
/// client has fetched, and fetching again may take up to a second to start: too much for a short delay. A rebalance in
/// this time is noticed that much later, which does not matter to the group.
const FULL_CHANNEL_PATIENCE: Duration = Duration::from_millis(500);
/// Records taken before commands and answers are looked at again.
const RECORDS_PER_TURN: usize = 256;
/// The delay before a failed read of committed offsets is repeated.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// How long a stop waits for commits to be answered, and then for the last events to be received.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long leaving the group may take at least.
const LEAVE_AT_LEAST: Duration = Duration::from_secs(1);
/// At most one error of a kind is reported in this time.
const ERROR_INTERVAL: Duration = Duration::from_secs(10);
/// The same for an error in the same words.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// The state of the poll thread; owned by it alone.
pub(super) struct Driver {
    settings: KafkaSettings,
    consumer: Arc<BaseConsumer<SourceContext>>,
    orders: Receiver<Order>,
    outbox: Outbox,
    drain_deadline: Duration,
    /// `group.protocol: consumer`.
    consumer_protocol: bool,
    /// `kafka.on_lost_position: latest`.
    reads_from_end: bool,
    tasks: Sender<Task>,
    answers: Receiver<Answer>,
    offsets_thread: JoinHandle<()>,
    partitions: Partitions,
    commits: Commits,
    positions: Positions,
    /// Partitions whose committed offsets have to be read again, and when.
    read_again: Option<(Instant, Vec<(TopicPartition, Epoch)>)>,
    /// The ends of partitions that do not deliver, which the client itself does not learn. At most one request for them
    /// is in flight.
    ends: BTreeMap<TopicPartition, Offset>,
    /// The starts of their logs, from the same answers.
    starts: BTreeMap<TopicPartition, Offset>,
    asked_ends: bool,
    /// Records that found the channel full, in order. At most one, unless the client ignored a pause.
    in_hand: VecDeque<(Record, Epoch)>,
    /// Since when the channel has been full.
    full_since: Option<Instant>,
    /// All partitions are paused because the channel was full.
    throttled: bool,
    stopping: Option<Instant>,
    /// The consumer is to be made anew when it is drained.
    renewal: Option<Box<Renewal>>,
    errors: BTreeMap<SourceErrorKind, Told>,
}

/// The last report of an error of some kind.
struct Told {
    at: Instant,
    suppressed: u64,
    detail: String,
}

/// However the poll thread ends, even by a panic, revocations are answered immediately from then on. Otherwise dropping
/// the consumer would wait forever for a hand-back, and the process would stay a member of the group.
struct CloseOnEnd(Arc<SourceContext>);

impl Drop for CloseOnEnd {
    fn drop(&mut self) {
        self.0.set_closing();
    }
}

// === impl Driver ===

impl Driver {
    pub(super) fn new(
        settings: KafkaSettings,
        orders: Receiver<Order>,
        outbox: Outbox,
    ) -> Result<Self, StartError> {
        let Member {
            consumer,
            tasks,
            answers,
            offsets_thread,
        } = Member::new(&settings)?;
        join(&consumer, &settings)?;
        Ok(Self {
            consumer,
            orders,
            outbox,
            drain_deadline: settings.drain_deadline(),
            consumer_protocol: settings.session_timeout().is_none(),
            reads_from_end: settings.reads_from_end(),
            tasks,
            answers,
            offsets_thread,
            partitions: Partitions::new(settings.options().state_topic.is_some()),
            commits: Commits::default(),
            positions: Positions::new(settings.options().on_lost_position),
            read_again: None,
            ends: BTreeMap::new(),
            starts: BTreeMap::new(),
            asked_ends: false,
            in_hand: VecDeque::new(),
            full_since: None,
            throttled: false,
            stopping: None,
            renewal: None,
            errors: BTreeMap::new(),
            settings,
        })
    }

    /// Polls until the stop is complete.
    pub(super) fn run(mut self) {
        loop {
            let closing = CloseOnEnd(Arc::clone(self.consumer.context()));
            self.work();
            if self.may_close() {
                self.close();
                return;
            }
            drop(closing);
            self.renew();
        }
    }

    /// Polls until the consumer may be closed, to end or to be made anew.
    fn work(&mut self) {
        while !self.may_close() && !self.may_renew() {
            self.take_orders();
            self.take_answers();
            self.begin_again();
            self.report_statistics();
            self.send_tasks();
            self.tell_of_positions();
            self.answer_revocation();
            self.outbox.flush();
            self.deliver_in_hand();
            self.throttle();
            if self.in_hand.is_empty() {
                self.poll(IDLE_POLL);
            } else {
                self.outbox.wait(IDLE_POLL);
                if self.throttled {
                    self.poll(Duration::ZERO);
                }
            }
        }
    }

    // --- records ---

    /// Takes records until there are none, the channel is full or something else happened, and sends them.
    fn poll(&mut self, patience: Duration) {
        self.take_records(patience);
        self.outbox.flush();
    }

    fn take_records(&mut self, mut patience: Duration) {
        for _ in 0..RECORDS_PER_TURN {
            // Cloned so that the record does not borrow `self`.
            let consumer = Arc::clone(&self.consumer);
            let polled = consumer.poll(patience);
            patience = Duration::ZERO;
            let happened = self.take_seen();
            match polled {
                None => {
                    self.partitions.emptied();
                    return;
                }
                Some(Err(error)) => {
                    self.consumption_failed(&error);
                    return;
                }
                Some(Ok(message)) => {
                    let (topic, number) = (message.topic(), message.partition());
                    let offset = Offset(message.offset());
                    if self.stopping.is_none()
                        && self.partitions.delivery(topic, number).is_some()
                        && self.partitions.take(topic, number, offset) == Step::WentBack
                    {
                        let partition = TopicPartition::new(topic, number);
                        self.begin_life(&partition, offset, LifeCause::WentBack);
                        self.partitions.take(topic, number, offset);
                    }
                    let delivery = self.partitions.delivery(topic, number);
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
            if happened || !self.in_hand.is_empty() {
                return;
            }
        }
    }

    fn deliver(&mut self, record: Record, epoch: Epoch) {
        if !self.in_hand.is_empty() {
            self.in_hand.push_back((record, epoch));
        } else if let Some(record) = self.outbox.record(record, epoch) {
            self.in_hand.push_back((record, epoch));
        }
    }

    /// Delivers the records in hand as far as there is room, and drops those whose partition no longer delivers.
    fn deliver_in_hand(&mut self) {
        while let Some((record, epoch)) = self.in_hand.pop_front() {
            if !self.partitions.delivers(&record.position.partition, epoch) {
                continue;
            }
            if let Some(record) = self.outbox.record(record, epoch) {
                self.in_hand.push_front((record, epoch));
                return;
            }
        }
    }

    /// Pauses everything when the channel stays full, so that polling can go on; resumes when it is half empty.
    fn throttle(&mut self) {
        if self.in_hand.is_empty() {
            self.full_since = None;
            if self.throttled && self.outbox.is_roomy() {
                self.throttled = false;
                self.resume(self.partitions.delivering());
            }
        } else if !self.throttled {
            let now = clock::now();
            let since = *self.full_since.get_or_insert(now);
            if now.duration_since(since) >= FULL_CHANNEL_PATIENCE {
                self.throttled = true;
                let delivering = self.partitions.delivering();
                self.pause(&delivering);
            }
        }
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.partitions.disturbed(partitions);
        if !partitions.is_empty()
            && let Err(error) = self.consumer.pause(&convert::client_list(partitions))
        {
            tracing::warn!(%error, "partitions could not be paused");
        }
    }

    /// Resumes partitions.
    ///
    /// The client's fetching thread sleeps when all its partitions are paused, and a resume does not wake it: it may take
    /// a second to notice. A request to the same brokers does wake it, so the partitions' ends are asked for right away.
    fn resume(&mut self, partitions: Vec<TopicPartition>) {
        if partitions.is_empty() {
            return;
        }
        self.partitions.disturbed(&partitions);
        if let Err(error) = self.consumer.resume(&convert::client_list(&partitions)) {
            tracing::warn!(%error, "partitions could not be resumed");
        }
        self.ask_for_ends(partitions);
    }

    // --- commands ---

    fn take_orders(&mut self) {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Obey(command)) => self.obey(command),
                Ok(Order::Renew(renewal)) => self.begin_renewal(renewal),
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
                    self.resume(changed);
                }
            }
            SourceCommand::Commit { entries } => self.commit(entries),
            SourceCommand::ReadCommitted(partitions) => {
                self.send_task(Task::ReadOthers(partitions));
            }
            SourceCommand::BeginAnew(topic) => {
                let decided = self.positions.begin_anew(&topic);
                self.read_committed(decided);
            }
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
            self.in_hand.clear();
        }
    }

    /// Whether a stop was asked for and all earlier commits were answered.
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
            stopping,
            partitions,
            ..
        } = self;
        let at_least = clock::now() + LEAVE_AT_LEAST;
        let deadline = stopping.map_or(at_least, |deadline| deadline.max(at_least));
        let revoking = partitions.revocation_deadline().is_some();
        leave(consumer, tasks, offsets_thread, revoking, deadline);
        outbox.event(SourceEvent::Stopped);
        let deadline = clock::now() + STOP_PATIENCE;
        while !outbox.is_flushed() && !outbox.is_closed() && clock::now() < deadline {
            outbox.wait(IDLE_POLL);
            outbox.flush();
        }
    }
}

/// Leaves the group, and ends the thread that commits.
fn leave(
    consumer: Arc<BaseConsumer<SourceContext>>,
    tasks: Sender<Task>,
    offsets_thread: JoinHandle<()>,
    revoking: bool,
    deadline: Instant,
) {
    let context = Arc::clone(consumer.context());
    context.set_closing();
    if revoking {
        // An open revocation is answered only after the close has begun. If answered before, it sends the client into
        // the group's next rebalance, and leaving has to wait for that (and is given up after five seconds).
        if let Err(error) = consumer.close_queue() {
            tracing::debug!(%error, "the consumer could not be closed early");
        }
        context.hand_back(&consumer);
        while !consumer.closed() && clock::now() < deadline {
            drop(consumer.poll(IDLE_POLL));
        }
    }
    drop(tasks);
    // Wait for a commit that hangs, so that this thread owns the consumer last: dropping it leaves the group, which
    // needs polling.
    while !offsets_thread.is_finished() && clock::now() < deadline {
        drop(consumer.poll(IDLE_POLL));
    }
    if offsets_thread.is_finished() {
        drop(offsets_thread.join());
    } else {
        tracing::warn!("a commit still hangs; the group is left when it returns");
    }
    drop(consumer);
}
