//! A world in virtual time: partitions with records, one or two replicas of the machine, one simulated Kustomer.
//!
//! Shared by the tests and the benches.

mod carried;
mod counted;
mod digest;
mod fetch;
mod group;
mod happen;
mod log;
pub(crate) mod make;
pub(crate) mod reserve;
pub(crate) mod shop;
mod state_topic;
pub(crate) mod strangers;
mod told;
mod trace;
mod watch;
pub(crate) mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{
    CommitEntry, Committed, Input, LetterId, Machine, MachineSettings, RequestId, StateSettings,
    StateWriteId, TopicSettings,
};
use ingest_delivery::partitions::commit_metadata::DEFAULT_LIMIT;
use ingest_model::call::{Call, Reply};
use ingest_model::outcome::Verdict;
use ingest_model::record::{Epoch, Position, Topic, TopicPartition};
use ingest_model::state_log::StateRecord;
use kustomer_sim::{Config, Sim, SimTime};

pub(crate) use self::log::Log;
use self::log::Losses;

/// Where the simulator's clock starts.
pub(crate) const SIM_START_MS: i64 = 1_767_225_600_000;
pub(crate) const TOPIC: &str = "shop.events";

pub(crate) struct Replica {
    pub(crate) machine: Option<Machine>,
    paused: BTreeSet<TopicPartition>,
    pub(crate) facts: Vec<Fact>,
    generation: u64,
    /// Until then it does nothing and hears nothing.
    asleep_until: Option<Instant>,
    /// It was told to end: the group gives it nothing more.
    stopping: bool,
}

enum Event {
    Answer {
        replica: usize,
        generation: u64,
        request: RequestId,
        call: Call,
    },
    Reply {
        replica: usize,
        generation: u64,
        request: RequestId,
        reply: Reply,
    },
    Letter {
        replica: usize,
        generation: u64,
        letter: LetterId,
        position: Position,
        /// To the hold topic, not to the dead-letter topic.
        aside: bool,
    },
    Commit {
        replica: usize,
        generation: u64,
        entries: Vec<CommitEntry>,
    },
    Riders {
        replica: usize,
        generation: u64,
        partitions: Vec<TopicPartition>,
    },
    Fetch {
        replica: usize,
        generation: u64,
    },
    Assign {
        partition: TopicPartition,
        replica: usize,
    },
    WriteState {
        replica: usize,
        generation: u64,
        write: StateWriteId,
        partition: TopicPartition,
        records: Vec<StateRecord>,
    },
    Restore {
        replica: usize,
        generation: u64,
        partition: TopicPartition,
        epoch: Epoch,
    },
    /// The group gives what a sleeper owns to another.
    Expelled {
        replica: usize,
        generation: u64,
        to: usize,
    },
    Woken {
        replica: usize,
        generation: u64,
    },
    /// The client has noticed that a partition went to another.
    Lost {
        replica: usize,
        generation: u64,
        partition: TopicPartition,
        epoch: Epoch,
    },
}

/// How long the group waits for a member.
pub(crate) const SESSION: Duration = Duration::from_secs(45);

pub(crate) struct World {
    origin: Instant,
    pub(crate) now: Instant,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    epochs: u64,
    pub(crate) sim: Sim,
    pub(crate) logs: BTreeMap<TopicPartition, Log>,
    pub(crate) replicas: Vec<Replica>,
    /// Of replicas that are started from now on.
    pub(crate) settings: MachineSettings,
    pub(crate) letters: BTreeMap<(TopicPartition, i64), u32>,
    /// Records on the hold topic.
    pub(crate) aside: BTreeMap<(TopicPartition, i64), u32>,
    pub(crate) fail_commits: u32,
    pub(crate) fail_letters: u32,
    /// The longest text that the broker stores beside an offset, in characters.
    pub(crate) metadata_limit: usize,
    /// It counts bytes instead.
    pub(crate) metadata_in_bytes: bool,
    /// How far the server's clock was set forward.
    pub(crate) server_ahead: Duration,
    /// Partitions whose records are backfill.
    pub(crate) old: BTreeSet<i32>,
    latency: Duration,
    pub(crate) settled: BTreeMap<&'static str, u64>,
    /// How long each delivered record took from `put` to its settlement, in the order of settlement.
    pub(crate) delays: Vec<Duration>,
    moving: BTreeMap<TopicPartition, usize>,
    /// What the logs lost.
    pub(crate) losses: Losses,
    /// The state topic, where there is one.
    pub(crate) state: Option<state_topic::StateTopic>,
    /// Every write and every look at a job, in the order in which they were answered; kept if it is wanted.
    pub(crate) trace: Option<Vec<Traced>>,
    /// Watches what is sent once less than the reserve is left, if that is wanted.
    pub(crate) watch: Option<watch::Watch>,
    /// Counts requests, if that is wanted.
    pub(crate) counted: Option<counted::Counted>,
    /// When each record was first carried by a request, by its mark; kept if it is wanted.
    pub(crate) carried: Option<BTreeMap<String, Duration>>,
    /// Of everything that went into the machines and came out; kept if it is wanted.
    pub(crate) digest: Option<digest::Digest>,
    /// Every request from now on, if they are kept.
    pub(crate) wire: Option<Vec<ingest_kustomer::encode::HttpRequest>>,
}

/// A request about objects, and what became of it.
pub(crate) enum Traced {
    /// A write of these objects, by external id: refused, or accepted; as that job if it was a bulk request.
    Write {
        objects: Vec<String>,
        refused: bool,
        job: Option<Arc<str>>,
    },
    /// A look at a job.
    Read(Arc<str>),
}

pub(crate) fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, number)
}

impl World {
    pub(crate) fn new(config: Config, limit: u32, partitions: i32) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let origin = Instant::now();
        let mut settings = MachineSettings::new(limit, 0.8, 0, 1.0).expect("a sound scale");
        settings.topics.insert(
            Topic::new(TOPIC),
            TopicSettings {
                weight: 1.0,
                keyed: false,
            },
        );
        settings.seed = config.seed;
        let logs = (0..partitions)
            .map(|n| (partition(n), Log::new()))
            .collect();
        let mut sim = Sim::new(config);
        sim.advance(SimTime::from_millis(SIM_START_MS));
        Self {
            origin,
            now: origin,
            queue: BTreeMap::new(),
            sequence: 0,
            epochs: 0,
            sim,
            logs,
            replicas: Vec::new(),
            settings,
            letters: BTreeMap::new(),
            aside: BTreeMap::new(),
            fail_commits: 0,
            fail_letters: 0,
            metadata_limit: DEFAULT_LIMIT,
            metadata_in_bytes: false,
            server_ahead: Duration::ZERO,
            old: BTreeSet::new(),
            latency: Duration::from_millis(40),
            settled: BTreeMap::new(),
            delays: Vec::new(),
            moving: BTreeMap::new(),
            trace: None,
            watch: None,
            counted: None,
            carried: None,
            digest: None,
            wire: None,
            losses: Losses::default(),
            state: None,
        }
    }

    /// The same with a state topic.
    pub(crate) fn with_state(mut self) -> Self {
        self.settings.state = Some(StateSettings::default());
        self.state = Some(state_topic::StateTopic::default());
        self
    }

    /// Replicas started from now on notice when they slept.
    pub(crate) fn watch_for_sleep(&mut self) {
        self.settings.asleep_after = Some(SESSION * 3 / 4);
    }

    /// Keeps a digest of all inputs and effects from now on.
    pub(crate) fn digest(&mut self) -> &mut digest::Digest {
        let origin = self.origin;
        self.digest
            .get_or_insert_with(|| digest::Digest::new(origin))
    }

    pub(crate) fn put(&mut self, number: i32, verdict: Verdict) {
        self.put_event(number, None, verdict);
    }

    /// A record of an event with a time of its own.
    pub(crate) fn put_event(&mut self, number: i32, event_ms: Option<i64>, verdict: Verdict) {
        let now = self.elapsed_ms();
        let log = self.logs.get_mut(&partition(number)).expect("a partition");
        log.put(event_ms, verdict, now);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.origin
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.elapsed().as_millis()).expect("short")
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), event);
    }

    /// Starts a replica; it owns nothing yet.
    pub(crate) fn start_replica(&mut self) -> usize {
        let mut settings = self.settings.clone();
        settings.seed += self.replicas.len() as u64;

        let replica = Replica {
            machine: Some(Machine::new(settings, self.now)),
            paused: BTreeSet::new(),
            facts: Vec::new(),
            generation: 0,
            asleep_until: None,
            stopping: false,
        };
        self.replicas.push(replica);
        let index = self.replicas.len() - 1;
        let counts = vec![(
            Topic::new(TOPIC),
            u32::try_from(self.logs.len()).expect("few"),
        )];
        self.step(index, Input::Topology(counts));
        index
    }

    /// Gives every partition without an owner to a replica.
    pub(crate) fn assign_all(&mut self, replica: usize) {
        let free: Vec<TopicPartition> = self
            .logs
            .iter()
            .filter(|(_, log)| log.owner.is_none())
            .map(|(p, _)| p.clone())
            .collect();
        for partition in free {
            self.assign(&partition, replica);
        }
    }

    fn assign(&mut self, partition: &TopicPartition, replica: usize) {
        self.epochs += 1;
        let epoch = Epoch(self.epochs);
        self.left_behind(partition);
        let log = self.logs.get_mut(partition).expect("a partition");
        let committed = log.begin(partition, replica, epoch);
        let committed = committed.map(|offset| Committed {
            offset,
            metadata: log.metadata.clone(),
        });
        let paused = &mut self.replicas[replica].paused;
        if self.state.is_some() {
            paused.insert(partition.clone());
        } else {
            paused.remove(partition);
        }
        self.step(
            replica,
            Input::Assigned {
                partition: partition.clone(),
                epoch,
                committed,
            },
        );
        let generation = self.replicas[replica].generation;
        self.later(
            Duration::from_millis(1),
            Event::Fetch {
                replica,
                generation,
            },
        );
    }

    /// Asks the owner to give a partition back; it goes to `to` when it has.
    pub(crate) fn move_partition(&mut self, number: i32, to: usize) {
        let partition = partition(number);
        let Some((owner, epoch)) = self.logs[&partition].owner else {
            return;
        };
        let asleep = self.asleep(owner).is_some() || self.asleep(to).is_some();
        if owner == to || asleep || self.replicas[owner].machine.is_none() {
            return;
        }
        let log = self.logs.get_mut(&partition).expect("a partition");
        log.withhold();
        self.cut_off(owner, true);
        self.moving.insert(partition.clone(), to);
        self.step(owner, Input::Revoked { partition, epoch });
    }

    /// Lets a replica look for new records although it saw the end of its partitions before.
    pub(crate) fn kick(&mut self, replica: usize) {
        let generation = self.replicas[replica].generation;
        self.later(
            Duration::from_millis(1),
            Event::Fetch {
                replica,
                generation,
            },
        );
    }

    /// `kill -9`: everything in memory is gone, requests under way still reach the API.
    pub(crate) fn kill(&mut self, replica: usize) {
        self.cut_off(replica, false);
        self.replicas[replica].machine = None;
        self.replicas[replica].asleep_until = None;
        self.replicas[replica].generation += 1;
        for log in self.logs.values_mut() {
            if log.owner.is_some_and(|(owner, _)| owner == replica) {
                log.owner = None;
            }
        }
    }

    /// Runs until nothing is left to do or that much time has passed. Says whether everything is committed.
    pub(crate) fn run(&mut self, at_most: Duration) -> bool {
        self.run_until(at_most, true)
    }

    /// Runs for that time, also when everything is committed.
    #[cfg(test)]
    pub(crate) fn run_on(&mut self, time: Duration) {
        self.run_until(time, false);
    }

    fn run_until(&mut self, at_most: Duration, done: bool) -> bool {
        let end = self.now + at_most;
        loop {
            if done && self.is_done() {
                return true;
            }
            let wakes = self
                .replicas
                .iter()
                .enumerate()
                .filter(|(_, replica)| replica.asleep_until.is_none())
                .filter_map(|(index, replica)| {
                    Some((replica.machine.as_ref()?.next_wake(self.now)?, index))
                });
            let wake = wakes.min();
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let at = match (wake, next) {
                (None, None) => return self.is_done(),
                (Some((wake, _)), None) => wake,
                (None, Some(next)) => next,
                (Some((wake, _)), Some(next)) => wake.min(next),
            };
            if at > end {
                self.now = end;
                return self.is_done();
            }
            self.now = at.max(self.now);
            match (wake, next) {
                (_, Some(next)) if next <= self.now => {
                    if let Some((_, event)) = self.queue.pop_first() {
                        self.happen(event);
                    }
                }
                (Some((_, replica)), _) => {
                    // The smallest tick: time moves on even if a wake-up asks for "now".
                    self.step(replica, Input::Wake);
                    self.now += Duration::from_micros(20);
                }
                (None, _) => {}
            }
        }
    }

    /// What the Kafka client reports about partitions.
    #[cfg(test)]
    pub(crate) fn ends(&self) -> Vec<ingest_kafka::PartitionStatistics> {
        let logs = self.logs.iter();
        logs.map(|(partition, log)| ingest_kafka::PartitionStatistics {
            partition: partition.clone(),
            low_watermark: Some(ingest_model::record::Offset(0)),
            high_watermark: Some(ingest_model::record::Offset(log.end())),
            lag: u64::try_from(log.end() - log.committed).ok(),
            readable: true,
        })
        .collect()
    }

    pub(crate) fn is_done(&self) -> bool {
        // A log that lost its end, or was made again, may end below what was committed of it: nothing is left to settle.
        let committed = self.logs.values().all(Log::is_committed);
        // What is in hand of former lives is committed nowhere.
        committed && (self.losses.lives == 0 || self.replicas.iter().all(|r| self.is_idle(r)))
    }

    fn is_idle(&self, replica: &Replica) -> bool {
        let machine = replica.machine.as_ref();
        machine.is_none_or(|machine| machine.snapshot(self.now).used.records == 0)
    }

    /// Facts of one replica, counted.
    pub(crate) fn count(&self, replica: usize, matches: impl Fn(&Fact) -> bool) -> usize {
        self.replicas[replica]
            .facts
            .iter()
            .filter(|fact| matches(fact))
            .count()
    }

    pub(crate) fn no_invariant_broken(&self) -> bool {
        self.replicas
            .iter()
            .all(|r| !r.facts.iter().any(|f| matches!(f, Fact::Broken(_))))
    }
}
