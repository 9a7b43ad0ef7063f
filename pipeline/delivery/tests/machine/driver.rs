//! Drives a machine in virtual time: carries out its effects, answers its calls, and wakes it when it asks for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::Scope;
use ingest_delivery::machine::{
    CommitEntry, Effect, Input, LetterId, Machine, MachineSettings, StateWriteId,
};
use ingest_delivery::settled::SettledRecord;
use ingest_model::call::{
    Call, CallResult, ItemFate, ItemResult, JobReport, Limits, Reply, SearchFound, Written,
};
use ingest_model::operation::{CustomerKey, Planned};
use ingest_model::outcome::{Held, HoldCause, JobTicket, Outcome, Rejected, Verdict};
use ingest_model::reading::LifeCause;
use ingest_model::record::{Epoch, Offset, TopicPartition, Traffic};
use ingest_model::state_log::StateRecord;
use ingest_model::state_log::reduce::Slice;
use ingest_model::trouble::Trouble;

use crate::make;

/// How long a call takes.
const LATENCY: Duration = Duration::from_millis(100);
/// How long the broker takes for a commit or a dead letter.
const BROKER: Duration = Duration::from_millis(10);
/// How many wake-ups at one instant do not count as spinning yet: what one does may make another due.
const WAKES_AT_ONCE: u32 = 5;
/// The same for any one second; there are at most 14 permits a second.
const WAKES_A_SECOND: u32 = 100;

/// The answer to a call; `None` leaves it to the destination that accepts everything.
type Rule = Box<dyn FnMut(&Call) -> Option<CallResult>>;

/// A machine with a destination, a broker and a clock.
pub(crate) struct Driver {
    pub(crate) machine: Machine,
    pub(crate) now: Instant,
    /// What every answer reports about the organisation's window.
    pub(crate) limits: Limits,
    /// Commits are answered by the scenario, not by the driver.
    pub(crate) hold_commits: bool,
    /// Why the brokers refuse letters, if they do.
    pub(crate) letters_fail: Option<Trouble>,
    /// Only the letter of the record at this offset fails.
    pub(crate) letters_fail_of: Option<i64>,
    /// The brokers never answer letters of records at this offset.
    pub(crate) letters_lost_of: Option<i64>,
    /// The offsets of the records whose letters were sent, in order.
    pub(crate) letters_of: Vec<i64>,
    /// The trouble that failures carry.
    pub(crate) trouble: Option<Trouble>,
    pub(crate) sent: Vec<(Instant, Call)>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) receipts: Vec<SettledRecord>,
    pub(crate) letters: Vec<Rejected>,
    pub(crate) diverted: Vec<Held>,
    /// Of each letter the members that it is for, if its record is a batch.
    pub(crate) members: Vec<Option<String>>,
    pub(crate) commits: Vec<Vec<CommitEntry>>,
    pub(crate) paused: BTreeSet<TopicPartition>,
    pub(crate) handed_back: Vec<TopicPartition>,
    pub(crate) drained: bool,
    /// Batches for the state topic are answered by the scenario, not by the driver.
    pub(crate) hold_state: bool,
    /// What was written to the state topic, with the number of each batch.
    pub(crate) written: Vec<(StateWriteId, TopicPartition, Vec<StateRecord>)>,
    /// What each slice holds when it is restored; empty if missing here.
    pub(crate) slices: HashMap<TopicPartition, Slice>,
    /// How many restores were requested.
    pub(crate) restores: u32,
    rule: Rule,
    destination: Destination,
    inbox: BTreeMap<(Instant, u64), Input>,
    arrivals: u64,
    epochs: HashMap<TopicPartition, Epoch>,
    wakes_at: (Instant, u32),
    wakes_in: (Instant, u32),
}

/// A destination that accepts everything.
#[derive(Default)]
struct Destination {
    jobs: HashMap<Arc<str>, Vec<String>>,
    made: u64,
}

impl Driver {
    /// A machine that owns all partitions, this many, of the topic of [`make::shop`].
    pub(crate) fn new(settings: MachineSettings, partitions: i32) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let now = Instant::now();
        let topics = settings.topics.keys().cloned();
        let count = u32::try_from(partitions).unwrap();
        let topology = Input::Topology(topics.clone().map(|topic| (topic, count)).collect());
        let owned: Vec<TopicPartition> = topics
            .flat_map(|topic| (0..partitions).map(move |n| TopicPartition::new(topic.as_str(), n)))
            .collect();
        let mut driver = Self {
            machine: Machine::new(settings, now),
            now,
            limits: Limits::default(),
            hold_commits: false,
            letters_fail: None,
            letters_fail_of: None,
            letters_lost_of: None,
            letters_of: Vec::new(),
            trouble: None,
            sent: Vec::new(),
            facts: Vec::new(),
            receipts: Vec::new(),
            letters: Vec::new(),
            diverted: Vec::new(),
            members: Vec::new(),
            commits: Vec::new(),
            paused: BTreeSet::new(),
            handed_back: Vec::new(),
            drained: false,
            hold_state: false,
            written: Vec::new(),
            slices: HashMap::new(),
            restores: 0,
            rule: Box::new(|_| None),
            destination: Destination::default(),
            inbox: BTreeMap::new(),
            arrivals: 0,
            epochs: HashMap::new(),
            wakes_at: (now, 0),
            wakes_in: (now, 0),
        };
        driver.put(topology);
        for partition in owned {
            driver.assign(partition);
        }
        driver
    }

    /// From now on this rule answers calls.
    pub(crate) fn answer(&mut self, rule: impl FnMut(&Call) -> Option<CallResult> + 'static) {
        self.rule = Box::new(rule);
    }

    /// From now on the destination accepts everything.
    pub(crate) fn all_is_well(&mut self) {
        self.answer(|_| None);
    }

    /// One input, now.
    pub(crate) fn put(&mut self, input: Input) {
        let effects = self.machine.step(self.now, input);
        self.carry_out(effects);
    }

    /// Nothing that is on its way to the machine ever arrives.
    pub(crate) fn lose_answers(&mut self) {
        self.inbox.clear();
    }

    pub(crate) fn assign(&mut self, partition: TopicPartition) {
        let next = self.epochs.values().max().map_or(1, |epoch| epoch.0 + 1);
        self.epochs.insert(partition.clone(), Epoch(next));
        self.put(Input::Assigned {
            partition,
            epoch: Epoch(next),
            committed: None,
        });
    }

    pub(crate) fn epoch(&self, partition: &TopicPartition) -> Epoch {
        self.epochs[partition]
    }

    pub(crate) fn revoke(&mut self, partition: TopicPartition) {
        let epoch = self.epoch(&partition);
        self.put(Input::Revoked { partition, epoch });
    }

    /// A partition begins a new life at this offset. Returns the epoch of its records from now on.
    pub(crate) fn begin_life(
        &mut self,
        partition: TopicPartition,
        from: i64,
        cause: LifeCause,
    ) -> Epoch {
        let next = self.epochs.values().max().map_or(1, |epoch| epoch.0 + 1);
        self.epochs.insert(partition.clone(), Epoch(next));
        self.put(Input::NewLife {
            partition,
            epoch: Epoch(next),
            from: Offset(from),
            cause,
        });
        Epoch(next)
    }

    /// A record of partition 0 that leads to this operation.
    pub(crate) fn record(&mut self, offset: i64, plan: Planned) {
        self.judged(make::shop(0), offset, Verdict::Emit(vec![plan]));
    }

    /// The same for an event with that time, in epoch milliseconds.
    pub(crate) fn record_at(&mut self, offset: i64, event_ms: i64, plan: Planned) {
        let partition = make::shop(0);
        let epoch = self.epoch(&partition);
        self.put(Input::Record {
            record: make::record(partition, offset),
            epoch,
            event_ms: Some(event_ms),
            traffic: Traffic::Live,
            verdict: Verdict::Emit(vec![plan]),
            dropped: Vec::new(),
            event_ids: None,
        });
    }

    /// A record of backfill that leads to this operation.
    pub(crate) fn old_record(&mut self, partition: TopicPartition, offset: i64, plan: Planned) {
        let epoch = self.epoch(&partition);
        self.put(Input::Record {
            record: make::record(partition, offset),
            epoch,
            event_ms: None,
            traffic: Traffic::Backfill,
            verdict: Verdict::Emit(vec![plan]),
            dropped: Vec::new(),
            event_ids: None,
        });
    }

    /// A record with this verdict from the mapping.
    pub(crate) fn judged(&mut self, partition: TopicPartition, offset: i64, verdict: Verdict) {
        let epoch = self.epoch(&partition);
        self.put(Input::Record {
            record: make::record(partition, offset),
            epoch,
            event_ms: None,
            traffic: Traffic::Live,
            verdict,
            dropped: Vec::new(),
            event_ids: None,
        });
    }

    /// Lets this many seconds pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.inbox.first_key_value().map(|((at, _), _)| *at);
            let wake = self.machine.next_wake(self.now);
            let Some(at) = [arrival, wake].into_iter().flatten().min() else {
                break;
            };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            if arrival.is_some_and(|arrival| arrival <= self.now) {
                let (_, input) = self.inbox.pop_first().unwrap();
                self.put(input);
            } else {
                self.count_wake();
                self.put(Input::Wake);
            }
        }
        self.now = end;
    }

    /// Checks that everything settles within two hours, and that the machine then rightly asks for nothing more.
    pub(crate) fn run_to_rest(&mut self) {
        self.run(7_200);
        assert_eq!(self.used(), 0, "every record is settled");
        // One of several replicas goes on looking at what the others need.
        let guaranteed = self.machine.snapshot(self.now).share.guaranteed;
        let alone = guaranteed <= 0.0 || guaranteed > 1.0 - 1e-9;
        if alone {
            assert_eq!(self.machine.next_wake(self.now), None, "nothing is due");
        }
        let mut effects = self
            .machine
            .step(self.now + Duration::from_secs(7_200), Input::Wake);
        effects.retain(|effect| alone || !matches!(effect, Effect::ReadRiders(_)));
        assert!(effects.is_empty(), "was due without a wake-up: {effects:?}");
    }

    /// Records that are not settled.
    pub(crate) fn used(&self) -> u64 {
        self.machine.snapshot(self.now).used.records
    }

    pub(crate) fn holds(&self) -> Vec<(Scope, HoldCause)> {
        let holds = self.machine.snapshot(self.now).holds;
        holds.into_iter().map(|h| (h.scope, h.cause)).collect()
    }

    pub(crate) fn settled(&self) -> Vec<Settlement> {
        let settlement = |fact: &Fact| match fact {
            Fact::Settled { settlement, .. } => Some(*settlement),
            _ => None,
        };
        self.facts.iter().filter_map(settlement).collect()
    }

    /// The calls for which the function is true.
    pub(crate) fn calls(&self, of: impl Fn(&Call) -> bool) -> Vec<&Call> {
        self.sent
            .iter()
            .map(|(_, call)| call)
            .filter(|call| of(call))
            .collect()
    }

    fn count_wake(&mut self) {
        count(&mut self.wakes_at, self.now, Duration::ZERO);
        count(&mut self.wakes_in, self.now, Duration::from_secs(1));
        assert!(self.wakes_at.1 <= WAKES_AT_ONCE, "the machine spins");
        assert!(self.wakes_in.1 <= WAKES_A_SECOND, "the machine spins");
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { request, call } => {
                    let result =
                        (self.rule)(&call).unwrap_or_else(|| self.destination.answer(&call));
                    self.sent.push((self.now, Arc::unwrap_or_clone(call)));
                    let limits = self.limits;
                    let reply = Reply {
                        limits,
                        trouble: self.trouble.clone().filter(|_| result.is_failure()),
                        result,
                    };
                    let reply = Arc::new(reply);
                    self.arrive(LATENCY, Input::Replied { request, reply });
                }
                Effect::DeadLetter {
                    letter,
                    rejected,
                    record,
                    ..
                } => {
                    self.letters.push(rejected);
                    self.members.push(make::members(&record));
                    self.letter_ends(letter, record.position.offset.0);
                }
                Effect::Divert {
                    letter,
                    held,
                    record,
                    ..
                } => {
                    self.diverted.push(held);
                    self.members.push(make::members(&record));
                    self.letter_ends(letter, record.position.offset.0);
                }
                Effect::Commit(entries) => {
                    if !self.hold_commits {
                        self.arrive(BROKER, make::committed(&entries, true));
                    }
                    self.commits.push(entries);
                }
                Effect::Pause(partitions) => self.paused.extend(partitions),
                Effect::Resume(partitions) => {
                    for partition in partitions {
                        self.paused.remove(&partition);
                    }
                }
                Effect::ReadRiders(_) => self.arrive(BROKER, Input::Riders(Vec::new())),
                Effect::HandBack { partition, .. } => self.handed_back.push(partition),
                Effect::Restore { partition, epoch } => {
                    self.restores += 1;
                    let slice = Box::new(self.slices.remove(&partition).unwrap_or_default());
                    let input = Input::Restored {
                        partition,
                        epoch,
                        slice,
                    };
                    self.arrive(BROKER, input);
                }
                Effect::WriteState {
                    write,
                    partition,
                    records,
                } => {
                    if !self.hold_state {
                        let result = Ok(());
                        self.arrive(BROKER, Input::StateWritten { write, result });
                    }
                    self.written.push((write, partition, records));
                }
                Effect::Receipt(settled) => self.receipts.push(*settled),
                Effect::Drained => self.drained = true,
                Effect::Fact(Fact::Broken(invariant)) => panic!("broken: {invariant:?}"),
                Effect::Fact(fact) => self.facts.push(fact),
            }
        }
    }

    fn letter_ends(&mut self, letter: LetterId, offset: i64) {
        self.letters_of.push(offset);
        if self.letters_lost_of == Some(offset) {
            return;
        }
        let failure = self.letters_fail.clone();
        let failure = failure.filter(|_| self.letters_fail_of.is_none_or(|of| of == offset));
        let result = failure.map_or(Ok(()), Err);
        self.arrive(BROKER, Input::DeadLettered { letter, result });
    }

    fn arrive(&mut self, after: Duration, input: Input) {
        self.arrivals += 1;
        self.inbox.insert((self.now + after, self.arrivals), input);
    }
}

fn count((since, wakes): &mut (Instant, u32), now: Instant, span: Duration) {
    if now.saturating_duration_since(*since) > span {
        (*since, *wakes) = (now, 0);
    }
    *wakes += 1;
}

impl Destination {
    fn answer(&mut self, call: &Call) -> CallResult {
        match call {
            Call::Identify { identity } | Call::Track { identity, .. } => {
                let identity = identity.parse();
                let key = identity.get("externalId").or_else(|| identity.get("email"));
                let id = format!("id of {}", key.unwrap().as_str().unwrap());
                CallResult::Tracked(Outcome::Delivered(Some(id.into())))
            }
            Call::SearchCustomers { keys } => {
                let found =
                    |key: &CustomerKey| (key.clone(), format!("id of {}", key.value()).into());
                CallResult::Searched(Outcome::Delivered(SearchFound {
                    customers: keys.iter().map(found).collect(),
                    unmatched: 0,
                }))
            }
            Call::GetCustomer { key } => {
                let id = format!("id of {}", key.value());
                CallResult::Customer(Outcome::Delivered(Some(id.as_str().into())))
            }
            Call::CreateCustomers { items, .. }
            | Call::CreateKObjects { items, .. }
            | Call::UpdateKObjects { items, .. } => {
                let refs = items.iter().map(|item| item.reference.clone());
                self.submit(refs.collect())
            }
            Call::UpdateKObject { id, .. } => {
                CallResult::Written(Outcome::Delivered(Written::Stored {
                    id: Some(Arc::clone(id)),
                    rev: None,
                }))
            }
            Call::CreateKObject { .. } => {
                self.made += 1;
                CallResult::Written(Outcome::Delivered(Written::Stored {
                    id: Some(format!("object {}", self.made).into()),
                    rev: None,
                }))
            }
            Call::DeleteKObject { .. } => CallResult::Written(Outcome::Delivered(Written::Gone)),
            Call::FindCustomer { .. } | Call::GetKObject { .. } => {
                CallResult::KObject(Outcome::Delivered(None))
            }
            Call::ReadJob { job } | Call::ReadJobState { job } => self.report(job),
            Call::Probe => CallResult::Probed(Outcome::Delivered(())),
        }
    }

    fn submit(&mut self, refs: Vec<String>) -> CallResult {
        let id: Arc<str> = format!("job {}", self.jobs.len()).into();
        self.jobs.insert(Arc::clone(&id), refs);
        let created_ms = None;
        CallResult::Submitted(Outcome::Pending(JobTicket { id, created_ms }))
    }

    fn report(&self, job: &Arc<str>) -> CallResult {
        let stored = |reference: &String| ItemResult {
            reference: reference.clone(),
            fate: ItemFate::Stored(Some(format!("item {reference}").into())),
        };
        let items = self.jobs.get(job).into_iter().flatten().map(stored);
        CallResult::Job(Outcome::Delivered(JobReport {
            complete: true,
            items: items.collect(),
            ..JobReport::default()
        }))
    }
}
