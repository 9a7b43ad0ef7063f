//! What a record costs in the delivery machine, with answers put in directly.
//!
//! Time is virtual and the quota never limits (60 million requests a minute), except where a backlog is wanted.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{
    CommitAnswer, Effect, Input, Machine, MachineSettings, RequestId, TopicSettings,
};
use ingest_mapping::route::Pipeline;
use ingest_model::call::{
    BulkItem, Call, CallResult, ItemFate, ItemResult, JobReport, Limits, Reply,
};
use ingest_model::outcome::{JobTicket, Outcome, Verdict};
use ingest_model::record::{Epoch, Record, Topic, TopicPartition};
use kustomer_ingest::clock::Clock;
use kustomer_ingest::config::RecordingSettings;
use kustomer_ingest::observe::metrics::Metrics;
use kustomer_ingest::pump::recorder::Recorder;

use crate::messages::{self, Kind};
use crate::{NOW_MS, now, pipeline};

const RECORDS: u64 = 1_000;
const CUSTOMERS: u64 = 100;
const BACKLOG: u64 = 10_000;
/// Virtual time between two steps.
const TICK: Duration = Duration::from_micros(20);

pub(crate) fn all(criterion: &mut Criterion) {
    let pipeline = pipeline();
    let mut group = criterion.benchmark_group("machine");
    group.throughput(Throughput::Elements(RECORDS));
    let skips = inputs(&pipeline, Kind::Browse, 0, RECORDS);
    group.bench_function("skip", |b| {
        let set_up = || (Driven::new(60_000_000), skips.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("skip_recorded", |b| {
        let set_up = || (Driven::new(60_000_000).recorded(), skips.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    let tracks = inputs(&pipeline, Kind::Coupon, 0, RECORDS);
    group.bench_function("track_admitted_sent_answered_settled", |b| {
        let set_up = || (Driven::new(60_000_000), tracks.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("track_admitted_sent_answered_settled_recorded", |b| {
        let set_up = || (Driven::new(60_000_000).recorded(), tracks.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    let first = inputs(&pipeline, Kind::Coupon, 0, CUSTOMERS);
    let orders = inputs(&pipeline, Kind::Order(3), CUSTOMERS, RECORDS);
    group.bench_function("kobject_in_bulks_of_100_recorded", |b| {
        let set_up = || {
            let driven = Driven::new(60_000_000).deliver(first.clone());
            (driven.recorded(), orders.clone())
        };
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("kobject_in_bulks_of_100", |b| {
        let set_up = || {
            // An earlier event has made each customer's id known.
            let driven = Driven::new(60_000_000).deliver(first.clone());
            (driven, orders.clone())
        };
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    let backlog = inputs(&pipeline, Kind::Coupon, 0, BACKLOG);
    let more = inputs(&pipeline, Kind::Coupon, BACKLOG, RECORDS);
    group.bench_function("track_admitted_behind_10000", |b| {
        let set_up = || (Driven::new(60).admit(backlog.clone()), more.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.admit(inputs),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(1));
    let mut waiting = Driven::new(60).admit(backlog);
    group.bench_function("wake_with_10000_waiting", |b| {
        b.iter(|| waiting.step(Input::Wake));
    });
    group.bench_function("next_wake_with_10000_waiting", |b| {
        b.iter(|| black_box(waiting.machine.next_wake(waiting.now)));
    });
    group.finish();
}

/// Records of one kind with their verdicts, one partition, offsets from `from` on.
fn inputs(pipeline: &Pipeline, kind: Kind, from: u64, count: u64) -> Vec<(Record, Verdict)> {
    (from..from + count)
        .map(|number| {
            let customer = number % CUSTOMERS;
            let value = messages::message(kind, number, customer, NOW_MS);
            let offset = i64::try_from(number).unwrap_or_default();
            let record = messages::record(0, offset, customer, value, NOW_MS);
            let verdict = pipeline.judge(&record, now()).1;
            assert!(!matches!(verdict, Verdict::Reject(_)), "{kind:?}");
            (record, verdict)
        })
        .collect()
}

/// A machine that owns one partition, and stand-ins for everything around it.
struct Driven {
    machine: Machine,
    recorder: Recorder,
    now: Instant,
    settled: u64,
    /// Bulk requests so far.
    submitted: u64,
    /// Requests that are not answered.
    open: Vec<(RequestId, Call)>,
    /// The items of jobs that are not read, by job.
    jobs: Vec<(Arc<str>, Vec<String>)>,
}

impl Driven {
    fn new(limit: u32) -> Self {
        let mut settings = MachineSettings::new(limit, 1.0, 0, 1.0).expect("a sound scale");
        let topic = TopicSettings {
            weight: 1.0,
            keyed: true,
        };
        settings.topics.insert(Topic::new(messages::TOPIC), topic);
        let now = Clock.now();
        let mut driven = Self {
            machine: Machine::new(settings, now),
            recorder: Recorder::default(),
            now,
            settled: 0,
            submitted: 0,
            open: Vec::new(),
            jobs: Vec::new(),
        };
        driven.step(Input::Topology(vec![(Topic::new(messages::TOPIC), 1)]));
        driven.step(Input::Assigned {
            partition: TopicPartition::new(messages::TOPIC, 0),
            epoch: Epoch(1),
            committed: None,
        });
        driven
    }

    /// The same, every step of it recorded from now on.
    fn recorded(self) -> Self {
        let recorder = Recorder::new(RecordingSettings::default(), Metrics::new());
        Self { recorder, ..self }
    }

    /// Puts records in and answers nothing.
    fn admit(mut self, inputs: Vec<(Record, Verdict)>) -> Self {
        for (record, verdict) in inputs {
            self.put(record, verdict);
        }
        self
    }

    /// Puts records in, answers requests at once, and ends when all records are settled.
    fn deliver(mut self, inputs: Vec<(Record, Verdict)>) -> Self {
        let wanted = self.settled + u64::try_from(inputs.len()).unwrap_or_default();
        for (record, verdict) in inputs {
            self.put(record, verdict);
            self.answer();
        }
        while self.settled < wanted {
            let wake = self.machine.next_wake(self.now);
            self.now = wake.expect("something is left to do").max(self.now);
            self.step(Input::Wake);
            self.answer();
        }
        self
    }

    fn put(&mut self, record: Record, verdict: Verdict) {
        self.now += TICK;
        self.step(Input::Record {
            record,
            epoch: Epoch(1),
            event_ms: Some(NOW_MS),
            verdict,
            dropped: Vec::new(),
        });
    }

    fn answer(&mut self) {
        while let Some((request, call)) = self.open.pop() {
            let result = self.result(call);
            let reply = Reply {
                limits: Limits::default(),
                result,
                trouble: None,
            };
            self.step(Input::Replied { request, reply });
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else is sent here is a fault of the bench"
    )]
    fn result(&mut self, call: Call) -> CallResult {
        match call {
            Call::Track { identity, .. } | Call::Identify { identity } => {
                let identity = identity.parse();
                let customer = identity
                    .get("externalId")
                    .and_then(serde_json::Value::as_str);
                let id = Arc::from(format!("customer-{}", customer.unwrap_or_default()));
                CallResult::Tracked(Outcome::Delivered(Some(id)))
            }
            Call::CreateKObjects { items, .. } => {
                self.submitted += 1;
                let id: Arc<str> = Arc::from(format!("job-{}", self.submitted));
                self.jobs
                    .push((Arc::clone(&id), items.into_iter().map(reference).collect()));
                CallResult::Submitted(Outcome::Pending(JobTicket {
                    id,
                    created_ms: None,
                }))
            }
            Call::ReadJob { job } => {
                let place = self.jobs.iter().position(|(id, _)| *id == job);
                let (_, references) = self.jobs.swap_remove(place.expect("a job of ours"));
                let items = references.into_iter().map(|reference| {
                    let id = Arc::from(format!("object-{reference}"));
                    let fate = ItemFate::Stored(Some(id));
                    ItemResult { reference, fate }
                });
                CallResult::Job(Outcome::Delivered(JobReport {
                    complete: true,
                    items: items.collect(),
                    ..JobReport::default()
                }))
            }
            other => unreachable!("a bench that was not meant to send {:?}", other.class()),
        }
    }

    fn step(&mut self, input: Input) {
        let mut commits = Vec::new();
        self.recorder.input(self.now, &input);
        let effects = self.machine.step(self.now, input);
        self.recorder.effects(self.now, &effects);
        for effect in effects {
            match effect {
                Effect::Send { request, call } => {
                    self.open.push((request, Arc::unwrap_or_clone(call)));
                }
                Effect::Commit(entries) => commits.extend(entries),
                Effect::Fact(Fact::Settled { .. }) => self.settled += 1,
                Effect::Fact(Fact::Broken(invariant)) => {
                    unreachable!("{} is broken", invariant.as_str())
                }
                Effect::Fact(_)
                | Effect::DeadLetter { .. }
                | Effect::Divert { .. }
                | Effect::Pause(_)
                | Effect::Resume(_)
                | Effect::HandBack { .. }
                | Effect::Restore { .. }
                | Effect::WriteState { .. }
                | Effect::Drained => {}
            }
        }
        if !commits.is_empty() {
            let entries = commits.into_iter();
            self.step(Input::Committed {
                entries: entries.map(|e| (e.partition, e.epoch, e.offset)).collect(),
                answer: CommitAnswer::Accepted,
            });
        }
    }
}

fn reference(item: BulkItem) -> String {
    item.reference
}
