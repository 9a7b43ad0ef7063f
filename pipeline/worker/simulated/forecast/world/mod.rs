//! One tier: workers and a simulated Kustomer in virtual time.
//!
//! The machine, the client's encoding and its reading of answers are the worker's own; only the network, the brokers and the
//! clock are made up. Nothing in here reads a real clock, so a forecast is the same each time.

mod ask;
mod effects;
mod feed;
mod others;
mod reading;
mod reserve;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ingest_delivery::machine::{
    CommitEntry, Effect, Input, LetterId, Machine, MachineSettings, RequestId, StateWriteId,
};
use ingest_delivery::port::{Committed, Metadata};
use ingest_kafka::PartitionStatistics;
use ingest_model::call::{Call, Reply};
use ingest_model::operation::CustomerRef;
use ingest_model::record::{Epoch, Offset, Topic, TopicPartition};
use kustomer_sim::{Config, Sim, SimTime};

use self::feed::Feed;
pub(super) use self::feed::{Chunk, Chunks};
pub(super) use self::reserve::Mean;
use self::reserve::Reserve;
use super::plan::{Plan, Tier};
use super::tally::{Progress, Tally};
use crate::config::reserve::ReserveSchedule;
use crate::config::settings::QuotaSettings;
use crate::observe::pace::Pace;
use crate::pump::mappers::TrafficRules;

/// Workers, partitions, and an organisation.
pub(super) struct World<'p> {
    plan: &'p Plan,
    rules: TrafficRules,
    quota: QuotaSettings,
    reserve: Reserve<'p>,
    origin: Instant,
    now: Instant,
    start_ms: i64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    sequence: u64,
    sim: Sim,
    replicas: Vec<Replica>,
    partitions: BTreeMap<TopicPartition, Partition>,
    feed: Feed,
    makes_customers: bool,
    pub(super) tally: Tally,
    next_look: Instant,
    progress: Arc<Progress>,
}

struct Replica {
    machine: Machine,
    /// When it wants to be woken, as asked since its last step: nothing else changes that.
    wakes: Option<Option<Instant>>,
    /// It takes no more records before.
    reads_from: Instant,
    pace: Pace,
}

struct Partition {
    replica: usize,
    epoch: Epoch,
    paused: bool,
    /// The offset after the last record that was read.
    read_to: i64,
    metadata: Metadata,
}

struct Scheduled {
    at: Instant,
    sequence: u64,
    happens: Happens,
}

enum Happens {
    Asked(usize, RequestId, Arc<Call>),
    Answered(usize, RequestId, Box<Reply>),
    Letter(usize, LetterId),
    Commit(usize, Vec<CommitEntry>),
    Riders(usize, Vec<TopicPartition>),
    StateWritten(usize, StateWriteId),
    Restored(usize, TopicPartition, Epoch),
    /// Somebody else has made a customer.
    Made(Box<CustomerRef>),
}

/// Why a tier ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every record is settled.
    AllSettled,
    /// The time that was asked for is over.
    TimeIsUp,
    /// Somebody stopped it.
    Stopped,
    /// Something is held that no time ends.
    Held,
}

/// What a tier begins with.
pub(super) struct Begin<'p> {
    pub(super) plan: &'p Plan,
    pub(super) tier: &'p Tier,
    pub(super) machine: MachineSettings,
    pub(super) rules: TrafficRules,
    /// The tier's.
    pub(super) quota: QuotaSettings,
    pub(super) reserve: &'p ReserveSchedule,
    pub(super) klasses: Vec<String>,
    /// The records make customers themselves.
    pub(super) makes_customers: bool,
    pub(super) chunks: Chunks,
    pub(super) progress: Arc<Progress>,
    pub(super) origin: Instant,
}

/// Between two looks at the backlog.
const LOOK: Duration = Duration::from_secs(1);
/// So long before the end it is watched how fast the work goes, which walks over all that is in hand.
const WATCHED: Duration = Duration::from_secs(600);
/// So often.
const WATCH: u64 = 10;
/// The smallest tick: time moves on even if a machine wants to wake now.
const TICK: Duration = Duration::from_micros(20);
/// The brokers' answers.
const BROKERS: Duration = Duration::from_millis(5);
/// Between two commits.
const COMMITS: Duration = Duration::from_secs(10);
const TOKEN: &str = "sim-key";

// === impl World ===

impl<'p> World<'p> {
    pub(super) fn new(begin: Begin<'p>) -> Self {
        let Begin {
            plan,
            tier,
            machine: settings,
            rules,
            quota,
            reserve,
            klasses,
            makes_customers,
            mut chunks,
            progress,
            origin,
        } = begin;
        let start_ms = chunks.begun_ms();
        let mut sim = Sim::new(Config {
            limit: u64::from(tier.limit),
            tokens: vec![TOKEN.to_owned()],
            klasses,
            seed: plan.seed,
            switches: plan.switches.clone(),
            journal_capacity: 1,
            ..Config::default()
        });
        sim.advance(SimTime::from_millis(start_ms));
        let mut world = Self {
            plan,
            rules,
            quota,
            reserve: Reserve::new(reserve, origin, start_ms),
            origin,
            now: origin,
            start_ms,
            queue: BinaryHeap::new(),
            sequence: 0,
            sim,
            replicas: Vec::new(),
            partitions: BTreeMap::new(),
            feed: Feed::new(chunks),
            makes_customers,
            tally: Tally::default(),
            next_look: origin + LOOK,
            progress,
        };
        world.assign(settings);
        world
    }

    /// Starts the replicas and deals the partitions out.
    fn assign(&mut self, mut settings: MachineSettings) {
        if self.plan.replicas == 1 {
            // Nobody reads what is committed, and a commit costs as much as a request.
            settings.commit_interval = settings.commit_interval.max(COMMITS);
        }
        settings.quota.limit = u32::try_from(self.sim.config().limit).unwrap_or(u32::MAX);
        let topics: Vec<Topic> = settings.topics.keys().cloned().collect();
        let count = u32::from(self.plan.partitions);
        for number in 0..usize::from(self.plan.replicas.max(1)) {
            settings.seed = self.plan.seed.wrapping_add(number as u64);
            self.replicas.push(Replica {
                machine: Machine::new(settings.clone(), self.now),
                wakes: None,
                reads_from: self.now,
                pace: Pace::default(),
            });
            let counts = topics.iter().map(|topic| (topic.clone(), count)).collect();
            self.step(number, Input::Topology(counts));
        }
        let mut epoch = 0;
        for topic in &topics {
            for number in 0..i32::from(self.plan.partitions) {
                epoch += 1;
                let partition = TopicPartition::new(topic.as_str(), number);
                let replica = usize::try_from(number).unwrap_or(0) % self.replicas.len();
                let paused = settings.state.is_some();
                let state = Partition {
                    replica,
                    epoch: Epoch(epoch),
                    paused,
                    read_to: 0,
                    metadata: Metadata::None,
                };
                self.partitions.insert(partition.clone(), state);
                let input = Input::Assigned {
                    partition,
                    epoch: Epoch(epoch),
                    // The start of the log, which can be committed: a replica without records lends from there.
                    committed: Some(Committed {
                        offset: Offset(0),
                        metadata: Metadata::None,
                    }),
                };
                self.step(replica, input);
            }
        }
    }

    /// Plays until everything is settled, time is up, or somebody stops it.
    pub(super) fn play(&mut self, stop: &AtomicBool) -> Ended {
        let end = self.origin + self.plan.until;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ended::Stopped;
            }
            if self.is_done() {
                return Ended::AllSettled;
            }
            self.keep_reserve();
            let queued = self.queue.peek().map(|Reverse(one)| one.at);
            let fed = self.next_feed();
            let due = [queued, fed].into_iter().flatten().any(|at| at <= self.now);
            let wake = if due { None } else { self.next_wake() };
            let first = [wake.map(|(at, _)| at), queued, fed];
            let Some(at) = first.into_iter().flatten().min() else {
                return Ended::Held;
            };
            let at = self.reserve.next().map_or(at, |change| change.min(at));
            if at > end {
                self.look_until(end);
                self.now = end;
                return Ended::TimeIsUp;
            }
            self.look_until(at);
            self.now = self.now.max(at);
            if queued.is_some_and(|at| at <= self.now) {
                if let Some(Reverse(one)) = self.queue.pop() {
                    self.happen(one.happens);
                }
            } else if fed.is_some_and(|at| at <= self.now) {
                self.feed();
            } else if let Some((_, replica)) = wake.filter(|(at, _)| *at <= self.now) {
                self.step(replica, Input::Wake);
                self.now += TICK;
            }
        }
    }

    fn is_done(&mut self) -> bool {
        self.tally.settled() >= self.tally.arrived && self.feed.is_at_end()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.origin)
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn later(&mut self, after: Duration, happens: Happens) {
        self.sequence += 1;
        self.queue.push(Reverse(Scheduled {
            at: self.now + after,
            sequence: self.sequence,
            happens,
        }));
    }

    fn step(&mut self, replica: usize, input: Input) {
        self.step_all(replica, [input]);
    }

    fn step_all(&mut self, replica: usize, inputs: impl IntoIterator<Item = Input>) {
        let now = self.now;
        let Some(one) = self.replicas.get_mut(replica) else {
            return;
        };
        one.wakes = None;
        let effects: Vec<Effect> = one.machine.step_all(now, inputs);
        for effect in effects {
            self.carry_out(replica, effect);
        }
    }

    /// When the first worker wants to be woken, and which it is.
    fn next_wake(&mut self) -> Option<(Instant, usize)> {
        let now = self.now;
        let replicas = self.replicas.iter_mut().enumerate();
        replicas
            .filter_map(|(number, one)| {
                let machine = &one.machine;
                let wakes = *one.wakes.get_or_insert_with(|| machine.next_wake(now));
                Some((wakes?.max(now), number))
            })
            .min()
    }

    /// Tells the workers how much is left alone, if that has changed.
    fn keep_reserve(&mut self) {
        if let Some(requests) = self.reserve.news(self.now, self.quota) {
            for replica in 0..self.replicas.len() {
                self.step(replica, Input::Reserve(requests));
            }
        }
    }

    /// What was left alone and allowed on average, if that follows the time of day.
    pub(super) fn mean(&self) -> Option<Mean> {
        self.reserve.mean(self.now, self.quota)
    }

    /// Looks at everything each second that passes.
    fn look_until(&mut self, at: Instant) {
        while self.next_look <= at {
            self.look(self.next_look);
            self.next_look += LOOK;
        }
    }

    fn look(&mut self, at: Instant) {
        let elapsed = at.saturating_duration_since(self.origin);
        self.progress.tell(elapsed, self.tally.settled());
        let is_near_the_end = elapsed + WATCHED > self.plan.until;
        if is_near_the_end && elapsed.as_secs().is_multiple_of(WATCH) {
            self.estimate(0);
        }
    }

    /// When all that has arrived would be gone if nothing else came, as the worker itself estimates it, with so many records
    /// that nobody has read.
    pub(super) fn estimate(&mut self, unread: u64) -> Option<Duration> {
        let each = unread / (self.partitions.len() as u64).max(1);
        let each = i64::try_from(each).unwrap_or(i64::MAX);
        let mut longest = None;
        for (number, replica) in self.replicas.iter_mut().enumerate() {
            let snapshot = replica.machine.snapshot(self.now);
            let own = self.partitions.iter();
            let own = own.filter(|(_, partition)| partition.replica == number);
            let statistics: Vec<PartitionStatistics> = own
                .map(|(name, partition)| PartitionStatistics {
                    partition: name.clone(),
                    low_watermark: Some(Offset(0)),
                    high_watermark: Some(Offset(partition.read_to.saturating_add(each))),
                    lag: None,
                    readable: true,
                })
                .collect();
            let drain = replica.pace.drain(self.now, &snapshot, &statistics);
            longest = longest.max(drain.left);
        }
        longest
    }

    /// Records that have arrived and nobody has read.
    pub(super) fn unread(&self) -> u64 {
        let read: i64 = self.partitions.values().map(|one| one.read_to).sum();
        self.tally
            .arrived
            .saturating_sub(u64::try_from(read).unwrap_or(0))
    }

    /// What the organisation refused for its limit.
    pub(super) fn refused_429(&self) -> u64 {
        let account = self.sim.account();
        account.requests.by_status.get(&429).copied().unwrap_or(0)
    }

    /// Records that wait at the beginning.
    pub(super) fn backlog(&self) -> u64 {
        self.plan.pacing.backlog().min(self.tally.arrived)
    }

    /// Counts what would still have arrived.
    pub(super) fn count_rest(&mut self, stop: &AtomicBool) {
        let end = self.plan.until;
        if let Some(total) = self.plan.pacing.total() {
            let arrivals = self.tally.arrived..total;
            let arrivals = arrivals.map_while(|number| self.plan.pacing.at(number));
            for at in arrivals.take_while(|at| *at <= end) {
                self.tally.arrives(at, 1);
            }
            return;
        }
        while !stop.load(Ordering::Relaxed) {
            let Some(at) = self.feed.skip() else {
                return;
            };
            if at <= end {
                self.tally.arrives(at, 1);
            }
        }
    }
}

// === impl Scheduled ===

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
