//! A machine whose steps are recorded, and what it works on.

pub(super) use std::sync::Arc;

pub(super) use bytes::Bytes;
pub(super) use ingest_delivery::hold::LetterTopic;
pub(super) use ingest_delivery::invariant::Invariant;
pub(super) use ingest_delivery::machine::{
    CommitAnswer, Committed, Machine, RequestId, StateSettings, TopicSettings, fingerprint,
};
pub(super) use ingest_delivery::port::Metadata;
pub(super) use ingest_delivery::settled::ReceiptsOf;
pub(super) use ingest_model::batch::Verb;
pub(super) use ingest_model::body::Body;
pub(super) use ingest_model::call::{
    Call, CallResult, ItemFate, ItemResult, JobReport, Limits, ObjectState, Reply, SearchFound,
    Written as Stored,
};
pub(super) use ingest_model::known::Revision;
pub(super) use ingest_model::known::{KnownObject, customer_hash, object_hash};
pub(super) use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, Klass, MissingCustomer, Occurrence,
    Operation, Planned, Version,
};
pub(super) use ingest_model::outcome::{
    DroppedField, JobTicket, Outcome, Rejected, Rejection, SplitHint, Verdict,
};
pub(super) use ingest_model::record::{
    Epoch, EventIds, Header, Offset, Position, Record, Topic, TopicPartition, Traffic,
};
pub(super) use ingest_model::repeat::ChangeKey;
pub(super) use ingest_model::said::{Ages, Said};
pub(super) use ingest_model::state_log::reduce::Slice;
pub(super) use ingest_model::state_log::{
    Content, Entity, Entry, Intent, IntentItem, OperationRef, OwnerId,
};
pub(super) use ingest_model::trouble::{Trouble, TroubleKind};
pub(super) use serde_json::{Map, Value, json};
pub(super) use uuid::Uuid;

pub(super) use super::super::replay::{ReplayError, Replayed, Shown, replay};
pub(super) use super::super::*;

pub(super) const TOPIC: &str = "harbour";
/// What must never stand in a recording.
pub(super) const PERSONS: [&str; 6] = [
    "solveig.dahl@fjord.example",
    "Solveig Dahl",
    "+4740612873",
    "40612873",
    "acct-solveig-77",
    "5f9c1a2b3c4d5e6f7a8b9c0d",
];

pub(super) fn settings(dir: &std::path::Path) -> RecordingSettings {
    RecordingSettings {
        steps: 20_000,
        dir: dir.to_owned(),
        ..RecordingSettings::default()
    }
}

pub(super) fn machine_settings() -> MachineSettings {
    let mut settings = MachineSettings::new(600, 1.0, 0, 1.0).unwrap();
    settings.topics.insert(
        Topic::new(TOPIC),
        TopicSettings {
            weight: 1.0,
            keyed: true,
        },
    );
    settings.seed = 77;
    // They change nothing that is recorded.
    settings.receipts = ReceiptsOf::All;
    settings
}

pub(super) fn partition() -> TopicPartition {
    TopicPartition::new(TOPIC, 2)
}

pub(super) fn map(value: Value) -> Body {
    let Value::Object(map) = value else {
        panic!("no map")
    };
    map.into()
}

pub(super) fn customer(number: u64) -> CustomerRef {
    let keys = vec![
        CustomerKey::ExternalId(format!("acct-solveig-77-{number}").into()),
        CustomerKey::Email(format!("{number}.solveig.dahl@fjord.example").into()),
        CustomerKey::Phone(format!("+4740612873{number}").into()),
    ];
    CustomerRef::new(keys, MissingCustomer::Create).unwrap()
}

pub(super) fn object(number: u64, version: u64) -> KObject {
    KObject {
        klass: Klass("order".into()),
        external_id: ExternalId(format!("acct-solveig-77/o{number}").into()),
        customer: Some(customer(number)),
        version: Some(Version::new(&version.to_string())),
        body: map(json!({
            "externalId": format!("acct-solveig-77/o{number}"), "title": "Order of Solveig Dahl",
            "tags": ["solveig.dahl@fjord.example"],
            "custom": {"Solveig DahlStr": "+4740612873", "phoneNum": 40_612_873, "ingestVersionStr": version.to_string()},
        })),
        fold: None,
        party: None,
        deletes: false,
    }
}

pub(super) fn record(offset: i64, operation: Operation) -> Input {
    let text = |text: &str| Some(Bytes::from(text.to_owned()));
    Input::Record {
        record: Record {
            position: Position {
                partition: partition(),
                offset: Offset(offset),
            },
            key: text("acct-solveig-77"),
            value: text(&format!("{{\"name\":\"Solveig Dahl\",\"n\":{offset}}}")),
            headers: vec![Header {
                name: "Solveig Dahl".to_owned(),
                value: text("solveig.dahl@fjord.example"),
            }],
            timestamp_ms: Some(1_790_000_000_000 + offset),
        },
        epoch: Epoch(3),
        event_ms: Some(1_790_000_000_000 + offset),
        traffic: Traffic::Live,
        verdict: Verdict::Emit(vec![Planned {
            route: "orders".into(),
            event_key: Uuid::from_u128(u128::from(offset.unsigned_abs()) << 64 | 0x51),
            operation,
        }]),
        dropped: vec![DroppedField {
            route: "orders".into(),
            field: "custom.totalNum".into(),
            detail: "Solveig Dahl".to_owned(),
        }],
        event_ids: Some(Box::new(EventIds {
            ids: vec!["acct-solveig-77".into()],
            left_out: 0,
        })),
    }
}

pub(super) fn reply(result: CallResult) -> Reply {
    Reply {
        limits: Limits::default(),
        result,
        trouble: None,
    }
}

pub(super) fn request(number: u64) -> RequestId {
    serde_json::from_value(json!(number)).unwrap()
}

/// A machine whose every step is recorded, and a Kustomer that takes whatever comes.
pub(super) struct Recorded {
    pub(super) recorder: Recorder,
    pub(super) machine: Machine,
    pub(super) now: Instant,
    /// What passes with each step.
    pub(super) tick: Duration,
    pub(super) jobs: u64,
    pub(super) job_items: std::collections::HashMap<String, Vec<String>>,
    /// What the objects of sessions show, by external id.
    pub(super) sessions: std::collections::HashMap<String, Map<String, Value>>,
    pub(super) commits: u64,
    pub(super) steps: u64,
}

impl Recorded {
    pub(super) fn new(settings: RecordingSettings, machine: MachineSettings) -> Self {
        let recorder = Recorder::new(settings, Metrics::new());
        let now = Clock.now();
        recorder.begin(now, Clock.unix_ms(), &machine);
        let machine = Machine::new(machine, now);
        Self {
            recorder,
            machine,
            now,
            tick: Duration::from_micros(731),
            jobs: 0,
            job_items: std::collections::HashMap::new(),
            sessions: std::collections::HashMap::new(),
            commits: 0,
            steps: 0,
        }
    }

    pub(super) fn step(&mut self, input: Input) {
        self.step_all(vec![input]);
    }

    /// Inputs that go in together; the answers to what comes out follow one by one.
    pub(super) fn step_all(&mut self, together: Vec<Input>) {
        let mut inputs = Vec::new();
        let mut next = Some(together);
        while let Some(together) = next {
            self.steps += u64::try_from(together.len()).unwrap();
            self.now += self.tick;
            self.recorder.inputs(self.now, &together);
            let effects = self.machine.step_all(self.now, together);
            self.recorder.effects(self.now, &effects);
            for effect in effects {
                inputs.extend(self.answer(effect));
            }
            next = inputs.pop().map(|input| vec![input]);
        }
    }

    pub(super) fn answer(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Send { request, call } => {
                let reply = Arc::new(reply(self.called(&call)));
                Some(Input::Replied { request, reply })
            }
            Effect::DeadLetter { letter, .. } | Effect::Divert { letter, .. } => {
                Some(Input::DeadLettered {
                    letter,
                    result: Ok(()),
                })
            }
            Effect::Commit(entries) => {
                self.commits += 1;
                let entries = entries
                    .into_iter()
                    .map(|one| (one.partition, one.epoch, one.offset))
                    .collect();
                Some(Input::Committed {
                    entries,
                    answer: CommitAnswer::Accepted,
                })
            }
            Effect::WriteState { write, .. } => Some(Input::StateWritten {
                write,
                result: Ok(()),
            }),
            Effect::Pause(_)
            | Effect::Resume(_)
            | Effect::HandBack { .. }
            | Effect::Restore { .. }
            | Effect::ReadRiders(_)
            | Effect::Receipt(_)
            | Effect::Drained
            | Effect::Fact(_) => None,
        }
    }

    pub(super) fn called(&mut self, call: &Call) -> CallResult {
        let id = |n: u64| Some(Arc::from(format!("5f9c1a2b3c4d5e6f7a8b9c0d{n}")));
        match call {
            Call::Identify { .. } | Call::Track { .. } => {
                self.jobs += 1;
                CallResult::Tracked(Outcome::Delivered(id(self.jobs)))
            }
            Call::SearchCustomers { keys } => {
                let found = keys.iter().step_by(2).enumerate();
                let customers = found
                    .map(|(n, key)| (key.clone(), Arc::from(format!("found{n}-Solveig Dahl"))));
                CallResult::Searched(Outcome::Delivered(SearchFound {
                    customers: customers.collect(),
                    unmatched: 0,
                }))
            }
            Call::GetCustomer { .. } => CallResult::Customer(Outcome::Delivered(None)),
            Call::CreateCustomers { items, .. }
            | Call::CreateKObjects { items, .. }
            | Call::UpdateKObjects { items, .. } => {
                self.jobs += 1;
                let job = format!("job of Solveig Dahl {}", self.jobs);
                items.iter().for_each(|item| self.keep(&item.body));
                let names = items.iter().map(|item| item.reference.clone()).collect();
                self.job_items.insert(job.clone(), names);
                CallResult::Submitted(Outcome::Pending(JobTicket {
                    id: job.into(),
                    created_ms: None,
                }))
            }
            Call::DeleteKObject { .. } => CallResult::Written(Outcome::Delivered(Stored::Gone)),
            Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => {
                self.keep(body);
                self.jobs += 1;
                CallResult::Written(Outcome::Delivered(Stored::Stored {
                    id: id(self.jobs),
                    rev: Some(1),
                }))
            }
            Call::FindCustomer { .. } => CallResult::KObject(Outcome::Delivered(None)),
            Call::GetKObject { external_id, .. } => {
                let shown = self.sessions.get(&*external_id.0).cloned();
                CallResult::KObject(Outcome::Delivered(shown.map(|shown| {
                    ObjectState {
                        id: "5f9c1a2b3c4d5e6f7a8b9c0d77".into(),
                        rev: Some(1),
                        version: shown["custom"]["ingestVersionStr"]
                            .as_str()
                            .map(Version::new),
                        customer: None,
                        shown,
                        company: None,
                    }
                })))
            }
            Call::ReadJob { job } | Call::ReadJobState { job } => {
                let names = self.job_items.get(&**job).cloned().unwrap_or_default();
                let items = names.into_iter().map(|reference| {
                    self.jobs += 1;
                    ItemResult {
                        reference,
                        fate: ItemFate::Stored(id(self.jobs)),
                    }
                });
                CallResult::Job(Outcome::Delivered(JobReport {
                    complete: true,
                    items: items.collect(),
                    ..JobReport::default()
                }))
            }
            Call::Probe => CallResult::Probed(Outcome::Delivered(())),
        }
    }

    /// Objects of sessions are shown to those who look.
    fn keep(&mut self, body: &Body) {
        let body = body.parse();
        if let (Some(id), Some(_)) = (
            body.get("externalId").and_then(Value::as_str),
            body.get("data"),
        ) {
            self.sessions.insert(id.to_owned(), body.clone());
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(wake) = self.machine.next_wake(self.now).filter(|wake| *wake < end) {
            self.now = self.now.max(wake);
            self.step(Input::Wake);
        }
        self.now = self.now.max(end);
        self.step(Input::Wake);
    }

    pub(super) fn assign(&mut self, committed: i64) {
        self.step(Input::Topology(vec![(Topic::new(TOPIC), 4)]));
        let committed = Some(Committed {
            offset: Offset(committed),
            metadata: Metadata::Text("Solveig Dahl".to_owned()),
        });
        self.step(Input::Assigned {
            partition: partition(),
            epoch: Epoch(3),
            committed,
        });
    }

    /// Events, identities and objects of a few customers, up to four in a step.
    pub(super) fn trade(&mut self, from: i64, records: i64) {
        let mut together = Vec::new();
        for offset in from..from + records {
            let number = offset.unsigned_abs() % 7;
            let operation = match offset % 3 {
                0 => Operation::KObject(object(number, offset.unsigned_abs())),
                1 => Operation::Identify(Identify {
                    customer: customer(number),
                    fields: map(
                        json!({"name": format!("Solveig Dahl {}", offset % 5), "custom": {"ageNum": offset % 4}}),
                    ),
                }),
                _ => Operation::Track(
                    Occurrence {
                        customer: customer(number),
                        name: "Solveig Dahl bought".into(),
                        session_id: Some("acct-solveig-77".into()),
                        tracking_id: None,
                        meta: map(json!({"eventKey": offset, "totalNum": 10.25})).parse(),
                        event_key: Uuid::from_u128(u128::from(offset.unsigned_abs()) << 64 | 0x51),
                    }
                    .into(),
                ),
            };
            together.push(record(offset, operation));
            if together.len() > usize::try_from(offset % 4).unwrap() {
                self.step_all(std::mem::take(&mut together));
            }
            if offset % 10 == 0 {
                self.pass(1);
            }
        }
        if !together.is_empty() {
            self.step_all(together);
        }
        self.pass(60);
    }

    pub(super) fn write(&self) -> (Written, String) {
        let written = self.recorder.write(RecordingCause::Asked).unwrap();
        let text = std::fs::read_to_string(&written.path).unwrap();
        assert_eq!(text.len() as u64, written.bytes);
        (written, text)
    }
}

pub(super) fn replayed(text: &str, shown: &Shown) -> (Replayed, String) {
    let mut out = Vec::new();
    let replayed = replay(text.as_bytes(), Clock.now(), shown, &mut out).unwrap();
    (replayed, String::from_utf8(out).unwrap())
}

pub(super) fn nothing() -> Shown {
    Shown {
        from: Some(u64::MAX),
        ..Shown::default()
    }
}

pub(super) fn assert_nobody(text: &str) {
    for person in PERSONS {
        if let Some(at) = text.find(person) {
            let around: String = text
                .chars()
                .skip(at.saturating_sub(200))
                .take(300)
                .collect();
            panic!("{person} stands in it: {around}");
        }
    }
}
