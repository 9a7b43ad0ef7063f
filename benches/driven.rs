//! A delivery machine with stand-ins for everything around it, and the records that are put into it.
//!
//! Time is virtual and the quota never limits (60 million requests a minute), except where a backlog is wanted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{
    CommitAnswer, Effect, Input, Machine, MachineSettings, RequestId, SkippedRun, TopicSettings,
};
use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::call::{
    BulkItem, Call, CallResult, ItemFate, ItemResult, JobReport, Limits as ApiLimits, Reply,
};
use ingest_model::operation::{Klass, Operation};
use ingest_model::outcome::{JobTicket, Outcome, SkipReason, Verdict};
use ingest_model::record::{Epoch, Record, Topic, TopicPartition, Traffic};
use jiff::Timestamp;
use kustomer_ingest::clock::Clock;
use kustomer_ingest::config::RecordingSettings;
use kustomer_ingest::observe::metrics::Metrics;
use kustomer_ingest::pump::recorder::Recorder;

use crate::messages::{self, Kind};

/// When all records happened: a fixed time, so that bodies have the same size in every run.
pub(crate) const NOW_MS: i64 = 1_772_611_200_000; // 2026-03-04T08:00:00Z
/// A quota that never limits.
pub(crate) const PLENTY: u32 = 60_000_000;
pub(crate) const CUSTOMERS: u64 = 100;
/// The records of one batch of a mapper thread, at most.
const BATCH: u64 = 256;
/// Virtual time between two steps.
const TICK: Duration = Duration::from_micros(20);

pub(crate) fn mapping() -> Arc<Mapping> {
    let mapping = Mapping::compile(messages::MAPPING, "schemas/mappings/segment.yaml");
    Arc::new(mapping.expect("the shipped mapping compiles"))
}

pub(crate) fn pipeline() -> Pipeline {
    Pipeline::new(Format::Segment, Limits::default(), mapping()).expect("a Segment mapping")
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millisecond(NOW_MS).expect("a time of this century")
}

pub(crate) fn sample(kind: Kind) -> Record {
    let value = messages::message(kind, 7, 7, NOW_MS);
    messages::record(0, 7, 7, value, NOW_MS)
}

/// Records of one kind with their verdicts, one partition, offsets from `from` on.
pub(crate) fn inputs(
    pipeline: &Pipeline,
    kind: Kind,
    from: u64,
    count: u64,
) -> Vec<(Record, Verdict)> {
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
pub(crate) struct Driven {
    pub(crate) machine: Machine,
    recorder: Recorder,
    pub(crate) now: Instant,
    settled: u64,
    /// Neighbours that are skipped, not put in yet.
    run: Option<SkippedRun>,
    /// Bulk requests so far.
    submitted: u64,
    /// Requests that are not answered.
    open: Vec<(RequestId, Call)>,
    /// The items of jobs that are not read, by job.
    jobs: Vec<(Arc<str>, Vec<String>)>,
}

impl Driven {
    pub(crate) fn new(limit: u32) -> Self {
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
            run: None,
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
    pub(crate) fn recorded(self) -> Self {
        let recorder = Recorder::new(RecordingSettings::default(), Metrics::new());
        Self { recorder, ..self }
    }

    /// Puts records in and answers nothing.
    pub(crate) fn admit(mut self, inputs: Vec<(Record, Verdict)>) -> Self {
        for (record, verdict) in inputs {
            self.put(record, verdict);
        }
        self.put_skipped();
        self
    }

    /// Puts records in, answers requests at once, and ends when all records are settled.
    pub(crate) fn deliver(mut self, inputs: Vec<(Record, Verdict)>) -> Self {
        let wanted = self.settled + u64::try_from(inputs.len()).unwrap_or_default();
        for (record, verdict) in inputs {
            self.put(record, verdict);
            self.answer();
        }
        self.put_skipped();
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
        if let Verdict::Skip(reason) = verdict {
            self.skipped(&record, reason);
            return;
        }
        self.put_skipped();
        self.step(Input::Record {
            record,
            epoch: Epoch(1),
            event_ms: Some(NOW_MS),
            traffic: Traffic::Live,
            verdict,
            dropped: Vec::new(),
            event_ids: None,
        });
    }

    /// As a mapper thread does: neighbours that are skipped are put in together.
    fn skipped(&mut self, record: &Record, reason: SkipReason) {
        let run = self.run.as_mut();
        if run.is_some_and(|run| run.records() < BATCH && run.add(record, Epoch(1), reason)) {
            return;
        }
        self.put_skipped();
        self.run = Some(SkippedRun::of(record, Epoch(1), reason));
    }

    fn put_skipped(&mut self) {
        if let Some(run) = self.run.take() {
            self.step(Input::Skipped(run));
        }
    }

    fn answer(&mut self) {
        while let Some((request, call)) = self.open.pop() {
            let result = self.result(call);
            let reply = Reply {
                limits: ApiLimits::default(),
                result,
                trouble: None,
            };
            let reply = Arc::new(reply);
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

    pub(crate) fn step(&mut self, input: Input) {
        let mut commits = Vec::new();
        self.recorder.inputs(self.now, std::slice::from_ref(&input));
        let effects = self.machine.step(self.now, input);
        self.recorder.effects(self.now, &effects);
        for effect in effects {
            match effect {
                Effect::Send { request, call } => {
                    self.open.push((request, Arc::unwrap_or_clone(call)));
                }
                Effect::Commit(entries) => commits.extend(entries),
                Effect::Fact(Fact::Settled { records, .. }) => self.settled += records,
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
                | Effect::ReadRiders(_)
                | Effect::Receipt(_)
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

/// A bulk create of 100 orders with this many lines each.
pub(crate) fn bulk(lines: usize) -> Call {
    let (pipeline, now) = (pipeline(), now());
    let items = (0..100).map(|number: u64| {
        let value = messages::message(Kind::Order(lines), number, number, NOW_MS);
        let record = messages::record(0, 0, number, value, NOW_MS);
        let Verdict::Emit(mut planned) = pipeline.judge(&record, now).1 else {
            return None;
        };
        match planned.pop()?.operation {
            Operation::KObject(object) => Some(BulkItem {
                reference: number.to_string(),
                body: object.body,
                customer: Some(Arc::from(format!("{number:024x}"))),
                id: None,
                rev: None,
                imported_at: None,
                company: None,
            }),
            Operation::Identify(_) | Operation::Track(_) => None,
        }
    });
    let items: Vec<BulkItem> = items
        .map(|item| item.expect("an order is an object"))
        .collect();
    assert!(items.iter().all(|item| {
        item.body
            .parse()
            .get("title")
            .is_some_and(serde_json::Value::is_string)
    }));
    Call::CreateKObjects {
        klass: Klass(Arc::from("order")),
        items,
        with_refs: true,
    }
}
