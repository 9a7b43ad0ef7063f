//! A world in virtual time: partitions with records, one or two replicas of the machine, one simulated Kustomer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest_core::call::{Call, Reply};
use ingest_core::fact::{Fact, Settlement};
use ingest_core::machine::{
    Effect, Input, LetterId, Machine, MachineSettings, RequestId, TopicSettings,
};
use ingest_core::outcome::Verdict;
use ingest_core::record::{Epoch, Offset, Position, Record, Topic, TopicPartition};
use ingest_kustomer::classify::{HttpReply, ReplyBody, Unanswered, classify, unanswered};
use ingest_kustomer::encode::{Method, encode};
use ingest_kustomer::limits;
use kustomer_sim::{Config, Cut, Request, Sim, SimTime};

/// Where the simulator's clock starts.
const SIM_START_MS: i64 = 1_767_225_600_000;
pub const TOPIC: &str = "shop.events";

pub struct Log {
    pub verdicts: Vec<Verdict>,
    pub committed: i64,
    owner: Option<(usize, Epoch)>,
    next: i64,
}

pub struct Replica {
    pub machine: Option<Machine>,
    paused: BTreeSet<TopicPartition>,
    pub facts: Vec<Fact>,
    generation: u64,
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
    },
    Commit {
        replica: usize,
        generation: u64,
        entries: Vec<(TopicPartition, Epoch, i64)>,
    },
    Fetch {
        replica: usize,
        generation: u64,
    },
    Assign {
        partition: TopicPartition,
        replica: usize,
    },
}

pub struct World {
    origin: Instant,
    pub now: Instant,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    epochs: u64,
    pub sim: Sim,
    pub logs: BTreeMap<TopicPartition, Log>,
    pub replicas: Vec<Replica>,
    settings: MachineSettings,
    pub letters: BTreeMap<(TopicPartition, i64), u32>,
    pub fail_commits: u32,
    pub fail_letters: u32,
    latency: Duration,
    pub settled: BTreeMap<&'static str, u64>,
    moving: BTreeMap<TopicPartition, usize>,
}

pub fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, number)
}

impl World {
    pub fn new(config: Config, limit: u32, partitions: i32) -> Self {
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
            .map(|n| {
                (
                    partition(n),
                    Log {
                        verdicts: Vec::new(),
                        committed: 0,
                        owner: None,
                        next: 0,
                    },
                )
            })
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
            fail_commits: 0,
            fail_letters: 0,
            latency: Duration::from_millis(40),
            settled: BTreeMap::new(),
            moving: BTreeMap::new(),
        }
    }

    pub fn settings(&mut self) -> &mut MachineSettings {
        &mut self.settings
    }

    pub fn put(&mut self, number: i32, verdict: Verdict) {
        self.logs
            .get_mut(&partition(number))
            .expect("a partition")
            .verdicts
            .push(verdict);
    }

    pub fn elapsed(&self) -> Duration {
        self.now - self.origin
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), event);
    }

    /// Starts a replica; it owns nothing yet.
    pub fn start_replica(&mut self) -> usize {
        let mut settings = self.settings.clone();
        settings.seed += self.replicas.len() as u64;
        let replica = Replica {
            machine: Some(Machine::new(settings)),
            paused: BTreeSet::new(),
            facts: Vec::new(),
            generation: 0,
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
    pub fn assign_all(&mut self, replica: usize) {
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
        let log = self.logs.get_mut(partition).expect("a partition");
        log.owner = Some((replica, epoch));
        log.next = log.committed;
        self.replicas[replica].paused.remove(partition);
        self.step(
            replica,
            Input::Assigned {
                partition: partition.clone(),
                epoch,
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
    pub fn move_partition(&mut self, number: i32, to: usize) {
        let partition = partition(number);
        let Some((owner, epoch)) = self.logs[&partition].owner else {
            return;
        };
        if owner == to || self.replicas[owner].machine.is_none() {
            return;
        }
        self.logs.get_mut(&partition).expect("a partition").next = i64::MAX;
        self.moving.insert(partition.clone(), to);
        self.step(owner, Input::Revoked { partition, epoch });
    }

    /// Lets a replica look for new records although it saw the end of its partitions before.
    pub fn kick(&mut self, replica: usize) {
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
    pub fn kill(&mut self, replica: usize) {
        self.replicas[replica].machine = None;
        self.replicas[replica].generation += 1;
        for log in self.logs.values_mut() {
            if log.owner.is_some_and(|(owner, _)| owner == replica) {
                log.owner = None;
            }
        }
    }

    fn step(&mut self, replica: usize, input: Input) {
        let now = self.now;
        let Some(machine) = self.replicas[replica].machine.as_mut() else {
            return;
        };
        let effects = machine.step(now, input);
        for effect in effects {
            self.carry_out(replica, effect);
        }
    }

    fn carry_out(&mut self, replica: usize, effect: Effect) {
        let generation = self.replicas[replica].generation;
        match effect {
            Effect::Send { request, call } => {
                let event = Event::Answer {
                    replica,
                    generation,
                    request,
                    call,
                };
                self.later(self.latency, event);
            }
            Effect::DeadLetter { letter, record, .. } => {
                let position = record.position;
                self.later(
                    Duration::from_millis(5),
                    Event::Letter {
                        replica,
                        generation,
                        letter,
                        position,
                    },
                );
            }
            Effect::Commit(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|e| (e.partition, e.epoch, e.offset.0))
                    .collect();
                let event = Event::Commit {
                    replica,
                    generation,
                    entries,
                };
                self.later(Duration::from_millis(5), event);
            }
            Effect::Pause(partitions) => self.replicas[replica].paused.extend(partitions),
            Effect::Resume(partitions) => {
                for partition in &partitions {
                    self.replicas[replica].paused.remove(partition);
                }
                self.later(
                    Duration::from_millis(1),
                    Event::Fetch {
                        replica,
                        generation,
                    },
                );
            }
            Effect::HandBack { partition, epoch } => {
                let log = self.logs.get_mut(&partition).expect("a partition");
                if log.owner == Some((replica, epoch)) {
                    log.owner = None;
                    if let Some(to) = self.moving.remove(&partition) {
                        self.later(
                            Duration::from_millis(10),
                            Event::Assign {
                                partition,
                                replica: to,
                            },
                        );
                    }
                }
            }
            Effect::Drained => {}
            Effect::Fact(fact) => {
                if let Fact::Settled { settlement, .. } = &fact {
                    let label = match settlement {
                        Settlement::Skipped(reason) => reason.as_str(),
                        Settlement::Delivered | Settlement::DeadLettered(_) => settlement.as_str(),
                    };
                    *self.settled.entry(label).or_default() += 1;
                }
                self.replicas[replica].facts.push(fact);
            }
        }
    }

    /// Runs until nothing is left to do or that much time has passed. Says whether everything is committed.
    pub fn run(&mut self, at_most: Duration) -> bool {
        let end = self.now + at_most;
        loop {
            if self.is_done() {
                return true;
            }
            let wakes = self
                .replicas
                .iter()
                .enumerate()
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

    pub fn is_done(&self) -> bool {
        self.logs
            .values()
            .all(|log| log.committed == i64::try_from(log.verdicts.len()).expect("few"))
    }

    fn is_current(&self, replica: usize, generation: u64) -> bool {
        self.replicas[replica].generation == generation
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Answer {
                replica,
                generation,
                request,
                call,
            } => {
                let (reply, after) = self.ask(&call);
                self.later(
                    after,
                    Event::Reply {
                        replica,
                        generation,
                        request,
                        reply,
                    },
                );
            }
            Event::Reply {
                replica,
                generation,
                request,
                reply,
            } => {
                if self.is_current(replica, generation) {
                    self.step(replica, Input::Replied { request, reply });
                }
            }
            Event::Letter {
                replica,
                generation,
                letter,
                position,
            } => {
                let acknowledged = self.fail_letters == 0;
                self.fail_letters = self.fail_letters.saturating_sub(1);
                if acknowledged {
                    *self
                        .letters
                        .entry((position.partition, position.offset.0))
                        .or_default() += 1;
                }
                if self.is_current(replica, generation) {
                    self.step(
                        replica,
                        Input::DeadLettered {
                            letter,
                            acknowledged,
                        },
                    );
                }
            }
            Event::Commit {
                replica,
                generation,
                entries,
            } => {
                let accepted = self.fail_commits == 0;
                self.fail_commits = self.fail_commits.saturating_sub(1);
                if accepted {
                    for (partition, epoch, offset) in entries {
                        let log = self.logs.get_mut(&partition).expect("a partition");
                        if log.owner == Some((replica, epoch)) {
                            assert!(offset >= log.committed, "a commit went back");
                            log.committed = offset;
                        }
                    }
                }
                if self.is_current(replica, generation) {
                    self.step(replica, Input::Committed { accepted });
                }
            }
            Event::Fetch {
                replica,
                generation,
            } => {
                if self.is_current(replica, generation) {
                    self.fetch(replica);
                }
            }
            Event::Assign { partition, replica } => {
                if self.replicas[replica].machine.is_some() && self.logs[&partition].owner.is_none()
                {
                    self.assign(&partition, replica);
                }
            }
        }
    }

    /// Delivers the next records of every partition that a replica owns and that is not paused.
    fn fetch(&mut self, replica: usize) {
        let mut any = false;
        for number in 0..self.logs.len() {
            let partition = partition(i32::try_from(number).expect("few"));
            for _ in 0..20 {
                if self.replicas[replica].paused.contains(&partition) {
                    break;
                }
                let log = self.logs.get_mut(&partition).expect("a partition");
                let Some((owner, epoch)) = log.owner else {
                    break;
                };
                let index = usize::try_from(log.next).unwrap_or(usize::MAX);
                let Some(verdict) = log.verdicts.get(index).filter(|_| owner == replica) else {
                    break;
                };
                let verdict = verdict.clone();
                let offset = log.next;
                log.next += 1;
                any = true;
                let record = Record {
                    position: Position {
                        partition: partition.clone(),
                        offset: Offset(offset),
                    },
                    key: None,
                    value: Some(Bytes::from_static(b"{}")),
                    headers: Vec::new(),
                    timestamp_ms: None,
                };
                self.step(
                    replica,
                    Input::Record {
                        record,
                        epoch,
                        event_ms: None,
                        verdict,
                    },
                );
            }
        }
        if any {
            let generation = self.replicas[replica].generation;
            self.later(
                Duration::from_millis(1),
                Event::Fetch {
                    replica,
                    generation,
                },
            );
        }
    }

    fn sim_now(&self) -> SimTime {
        let elapsed = i64::try_from(self.elapsed().as_millis()).expect("short");
        SimTime::from_millis(SIM_START_MS + elapsed)
    }

    fn ask(&mut self, call: &Call) -> (Reply, Duration) {
        let request = encode(call);
        let method = match request.method {
            Method::Get => kustomer_sim::Method::Get,
            Method::Post => kustomer_sim::Method::Post,
            Method::Put => kustomer_sim::Method::Put,
        };
        let mut asked = Request::new(method, request.path).token("sim-key");
        asked.body = request.body.unwrap_or_default();
        let answer = self.sim.handle(self.sim_now(), &asked);
        let after = self.latency + Duration::from_millis(answer.delivery.delay_ms);
        if let Some(cut) = answer.delivery.cut {
            let why = match cut {
                Cut::BeforeWrite | Cut::AfterWrite => Unanswered::Lost,
            };
            return (unanswered(call, why), after);
        }
        let limits = limits::read(|name| answer.header(name));
        let body = match answer.delivery.truncate_to {
            Some(_) => ReplyBody::Cut,
            None => ReplyBody::Whole(answer.body),
        };
        let reply = HttpReply {
            status: answer.status,
            limits,
            location: None,
            body,
        };
        (
            Reply {
                limits,
                result: classify(call, &reply),
            },
            after,
        )
    }

    /// Facts of one replica, counted.
    pub fn count(&self, replica: usize, matches: impl Fn(&Fact) -> bool) -> usize {
        self.replicas[replica]
            .facts
            .iter()
            .filter(|fact| matches(fact))
            .count()
    }

    pub fn no_invariant_broken(&self) -> bool {
        self.replicas
            .iter()
            .all(|r| !r.facts.iter().any(|f| matches!(f, Fact::Broken(_))))
    }
}

/// Ready-made operations.
pub mod make {
    use ingest_core::operation::{
        CustomerKey, CustomerRef, ExternalId, Identify, KObject, Klass, MissingCustomer, Operation,
        Planned, Track, Version,
    };
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{Arc, Verdict};

    pub fn customer(n: u64, missing: MissingCustomer) -> CustomerRef {
        CustomerRef::new(
            vec![CustomerKey::ExternalId(Arc::from(format!("u{n}")))],
            missing,
        )
        .expect("a key")
    }

    pub fn object(value: Value) -> Arc<serde_json::Map<String, Value>> {
        match value {
            Value::Object(map) => Arc::new(map),
            _ => panic!("an object"),
        }
    }

    pub fn planned(operation: Operation) -> Planned {
        Planned {
            route: Arc::from("test"),
            operation,
        }
    }

    pub fn track(who: u64, key: u64, minute: u64) -> Planned {
        let event_key = Uuid::from_u128(u128::from(key) + 1);
        let (day, hour) = (1 + minute / 1_440, minute / 60 % 24);
        let occurred = format!("2026-01-{day:02}T{hour:02}:{:02}:00.000Z", minute % 60);
        planned(Operation::Track(Track {
            customer: customer(who, MissingCustomer::Create),
            name: Arc::from("Coupon-Applied"),
            session_id: None,
            tracking_id: None,
            meta: object(json!({"eventKey": event_key.to_string(), "occurredAt": occurred})),
            event_key,
        }))
    }

    pub fn identify(who: u64, name: &str) -> Planned {
        planned(Operation::Identify(Identify {
            customer: customer(who, MissingCustomer::Create),
            fields: object(json!({"name": name})),
        }))
    }

    pub fn order_of(
        klass: &str,
        id: u64,
        version: u64,
        who: u64,
        missing: MissingCustomer,
        custom: Value,
    ) -> Planned {
        let mut custom = custom;
        custom["ingestVersionStr"] = json!(version.to_string());
        planned(Operation::KObject(KObject {
            klass: Klass(Arc::from(klass)),
            external_id: ExternalId(Arc::from(format!("o{id}"))),
            customer: Some(customer(who, missing)),
            version: Some(Version::new(&version.to_string())),
            body: object(json!({
                "externalId": format!("o{id}"),
                "title": format!("Order {id}"),
                "custom": custom,
            })),
        }))
    }

    pub fn order(id: u64, version: u64, who: u64) -> Planned {
        order_of(
            "order",
            id,
            version,
            who,
            MissingCustomer::Create,
            json!({"totalNum": 1.5}),
        )
    }

    pub fn emit(planned: Vec<Planned>) -> Verdict {
        Verdict::Emit(planned)
    }
}
