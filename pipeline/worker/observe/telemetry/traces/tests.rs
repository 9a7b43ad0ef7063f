//! Spans of records, requests and jobs, from what the pump tells.

use ingest_model::body::Body;
use ingest_model::call::{BulkItem, CallResult, ItemResult, JobReport, Limits};
use ingest_model::operation::{CustomerKey, Klass};
use ingest_model::outcome::trouble::{Trouble, TroubleKind};
use ingest_model::outcome::{JobTicket, Outcome, Rejection, RetryCause};
use ingest_model::record::{Header, Offset};
use ingest_traces::{ExportSettings, Headers, Kind, Resource, TraceId, Value};
use tokio::sync::mpsc;

use super::*;
use crate::clock::Clock;
use crate::observe::metrics::Metrics;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OTHER: &str = "5bf92f3577b34da6a3ce929d0e0e4736";

struct Rig {
    traces: Traces,
    spans: mpsc::Receiver<Span>,
    now: Instant,
    /// Each event takes a nanosecond.
    at: u64,
}

impl Rig {
    fn new(ratio: f64, spans_per_second: u32) -> Self {
        let settings = TraceSettings {
            export: ExportSettings {
                endpoint: url::Url::parse("http://127.0.0.1:9").unwrap(),
                headers: Headers::default(),
                ca: None,
                timeout: Duration::from_secs(1),
                interval: Duration::from_secs(1),
                queue: 1,
                resource: Resource::default(),
            },
            ratio,
            spans_per_second,
            group: "quay".into(),
            server: ("acme.example".to_owned(), 443),
            seed: 1,
        };
        let (spans, kept) = Spans::kept(1_000);
        let observer = Observer::new(Metrics::new());
        Self {
            traces: Traces::over(spans, &settings, observer),
            spans: kept,
            now: Clock.now(),
            at: 0,
        }
    }

    fn tick(&mut self) -> u64 {
        self.at += 1;
        self.at
    }

    /// A record with this `traceparent`, perhaps.
    fn record(&mut self, offset: i64, parent: Option<&str>) -> bool {
        let at = self.tick();
        let headers = parent.map(|parent| Header {
            name: "traceparent".to_owned(),
            value: Some(parent.to_owned().into()),
        });
        let record = Record {
            position: position(offset),
            key: Some("u1@shop.example".into()),
            value: Some("{}".into()),
            headers: headers.into_iter().collect(),
            timestamp_ms: None,
        };
        self.traces.came_in((self.now, at), &record, Traffic::Live)
    }

    fn send(&mut self, number: u64, call: &Call, records: &[i64]) -> RequestId {
        let at = self.tick();
        let request = serde_json::from_str(&number.to_string()).unwrap();
        self.traces.sent(at, request, call, |show| {
            records.iter().for_each(|offset| show(&position(*offset)));
        });
        request
    }

    fn answer(
        &mut self,
        request: RequestId,
        result: CallResult,
        status: Option<u16>,
    ) -> Option<Arc<str>> {
        let at = self.tick();
        let trouble = status
            .is_none()
            .then(|| Trouble::new(TroubleKind::TimedOut, ""));
        let reply = Reply {
            limits: Limits::default(),
            result,
            trouble,
        };
        self.traces.answered(at, request, &reply, status)
    }

    fn settle(&mut self, offset: i64, settlement: Settlement) {
        let at = self.tick();
        self.traces.settled(at, &position(offset), settlement);
    }

    fn span(&mut self) -> Span {
        self.spans.try_recv().expect("a span")
    }

    fn lost(&self) -> bool {
        let lost = "spans_dropped_total{reason=\"over_limit\"} 0";
        !self.traces.observer.metrics().render().contains(lost)
    }
}

fn position(offset: i64) -> Position {
    Position {
        partition: TopicPartition::new("quay.events", 3),
        offset: Offset(offset),
    }
}

fn parent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-00f067aa0ba902b7-{flags}")
}

fn track() -> Call {
    Call::Track {
        identity: Body::default(),
        event: Body::default(),
    }
}

fn tracked() -> CallResult {
    CallResult::Tracked(Outcome::Delivered(None))
}

fn creates(items: usize) -> Call {
    let item = |number: usize| BulkItem::new(number.to_string(), Body::default());
    Call::CreateKObjects {
        klass: Klass("order".into()),
        items: (0..items).map(item).collect(),
        with_refs: true,
    }
}

fn value(span: &Span, name: &str) -> Option<Value> {
    let mut named = span.attributes.iter().filter(|(known, _)| *known == name);
    let found = named.next().map(|(_, value)| value.clone());
    assert!(named.next().is_none(), "{name} is there twice: {span:?}");
    found
}

fn trace_of(span: &Span) -> String {
    span.context.trace.to_string()
}

#[test]
fn a_record_is_a_child_of_its_producer_and_its_request_a_child_of_it() {
    let mut rig = Rig::new(0.0, 100);
    assert!(rig.record(7, Some(&parent(TRACE, "01"))));
    let request = rig.send(1, &track(), &[7]);
    assert_eq!(rig.answer(request, tracked(), Some(200)), None);
    rig.settle(7, Settlement::Delivered);

    let request = rig.span();
    let record = rig.span();
    assert!(rig.spans.try_recv().is_err(), "no more");
    assert_eq!(
        (trace_of(&record), trace_of(&request)),
        (TRACE.into(), TRACE.into())
    );
    let producer = record.parent.map(|id| id.to_string());
    assert_eq!(producer.as_deref(), Some("00f067aa0ba902b7"));
    assert_eq!(request.parent, Some(record.context.span));
    assert_eq!(request.links.len(), 1);
    assert_eq!(request.links[0].to, record.context);
    assert_eq!((record.start_ns, record.end_ns), (1, 4));
    assert_eq!((request.start_ns, request.end_ns), (2, 3));

    assert_eq!(
        (&*record.name, record.kind),
        ("process quay.events", Kind::Consumer)
    );
    let expected: [(&str, Value); 9] = [
        (names::SYSTEM, "kafka".into()),
        (names::OPERATION_TYPE, "process".into()),
        (names::TOPIC, "quay.events".into()),
        (names::PARTITION, "3".into()),
        (names::OFFSET, 7_i64.into()),
        (names::GROUP, "quay".into()),
        (names::SETTLEMENT, "delivered".into()),
        (names::TRAFFIC, "live".into()),
        (names::OPERATION_NAME, "process".into()),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&record, name), Some(expected), "{name}");
    }
    assert_eq!(&*request.name, "POST /v1/tracking/identityEvent");
    assert_eq!(request.kind, Kind::Client);
    let expected: [(&str, Value); 6] = [
        (names::METHOD, "POST".into()),
        (names::TEMPLATE, "/v1/tracking/identityEvent".into()),
        (names::SERVER, "acme.example".into()),
        (names::PORT, 443_i64.into()),
        (names::STATUS, 200_i64.into()),
        (names::RECORDS, 1_i64.into()),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&request, name), Some(expected), "{name}");
    }
    assert!(!request.failed && !record.failed);
}

#[test]
fn what_is_not_sampled_leaves_nothing() {
    let mut rig = Rig::new(0.0, 100);
    assert!(!rig.record(1, Some(&parent(TRACE, "00"))));
    assert!(!rig.record(2, None));
    assert!(!rig.record(3, Some("garbage")));
    let request = rig.send(1, &track(), &[1, 2, 3]);
    rig.answer(request, tracked(), Some(200));
    rig.settle(1, Settlement::Delivered);
    assert!(rig.spans.try_recv().is_err());
    assert!(!rig.lost());
    assert!(rig.traces.requests.is_empty() && rig.traces.records.is_empty());
}

#[test]
fn a_record_without_a_context_begins_a_trace() {
    let mut rig = Rig::new(1.0, 100);
    assert!(rig.record(1, None));
    assert!(rig.record(2, Some("00-zz")));
    rig.settle(1, Settlement::Delivered);
    rig.settle(2, Settlement::DeadLettered(Rejection::InvalidJson));
    let (first, second) = (rig.span(), rig.span());
    assert_eq!((first.parent, second.parent), (None, None));
    assert_ne!(first.context.trace, second.context.trace);
    assert!(second.failed);
    assert_eq!(value(&second, names::ERROR), Some("invalid_json".into()));
    assert_eq!(value(&second, names::REASON), Some("invalid_json".into()));
}

#[test]
fn a_job_lasts_from_its_submission_to_its_last_result_and_links_to_its_records() {
    let mut rig = Rig::new(0.0, 100);
    for (offset, trace) in [(1, TRACE), (2, OTHER)] {
        assert!(rig.record(offset, Some(&parent(trace, "01"))));
    }
    // The third record is not followed.
    let submit = rig.send(1, &creates(3), &[1, 2, 2, 3]);
    let ticket = JobTicket {
        id: "j1".into(),
        created_ms: None,
    };
    rig.answer(
        submit,
        CallResult::Submitted(Outcome::Pending(ticket)),
        Some(202),
    );
    let call = Call::ReadJob { job: "j1".into() };
    let first = rig.send(2, &call, &[]);
    let report = |complete, fates: &[ItemFate]| {
        let item = |fate: &ItemFate| ItemResult {
            reference: "o1".to_owned(),
            fate: fate.clone(),
        };
        CallResult::Job(Outcome::Delivered(JobReport {
            complete,
            items: fates.iter().map(item).collect(),
            ..JobReport::default()
        }))
    };
    let read = rig.answer(first, report(false, &[]), Some(200));
    assert_eq!(read.as_deref(), Some("j1"));
    let second = rig.send(3, &call, &[]);
    let fates = [ItemFate::Stored(None), ItemFate::Permanent("no".to_owned())];
    rig.answer(second, report(true, &fates), Some(200));
    let at = rig.tick();
    rig.traces.job_ended(at, &"j1".into());

    let [submit, first, second, job] = [rig.span(), rig.span(), rig.span(), rig.span()];
    let linked = |span: &Span| -> Vec<String> {
        let to = span.links.iter().map(|link| link.to.trace.to_string());
        to.collect()
    };
    assert_eq!(linked(&submit), [TRACE, OTHER]);
    assert_eq!(linked(&job), [TRACE, OTHER]);
    assert_eq!(submit.parent, None, "of two traces: one of its own");
    assert!(![TRACE, OTHER].contains(&&*trace_of(&submit)));
    assert_eq!(trace_of(&job), trace_of(&submit));
    assert_eq!(job.parent, Some(submit.context.span));
    for read in [&first, &second] {
        assert_eq!(read.parent, Some(job.context.span));
        assert_eq!(value(read, names::JOB), Some("j1".into()));
    }
    assert_eq!(job.start_ns, submit.start_ns);
    assert!(job.end_ns > second.end_ns);
    let expected: [(&str, Value); 5] = [
        (names::KLASS, "order".into()),
        (names::ITEMS, 3_i64.into()),
        (names::RECORDS, 3_i64.into()),
        (names::READS, 2_i64.into()),
        (names::FAILED, 1_i64.into()),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&job, name), Some(expected), "{name}");
    }
    assert!(job.failed);
    assert_eq!(rig.send(4, &call, &[]), serde_json::from_str("4").unwrap());
    assert!(
        rig.traces.requests.is_empty(),
        "of a job that is not followed"
    );
}

#[test]
fn several_records_of_one_trace_keep_their_request_in_it() {
    let mut rig = Rig::new(0.0, 100);
    for offset in [1, 2] {
        assert!(rig.record(offset, Some(&parent(TRACE, "01"))));
    }
    let request = rig.send(1, &creates(2), &[1, 2]);
    rig.answer(request, CallResult::Submitted(Outcome::Ambiguous), None);
    let request = rig.span();
    assert_eq!(trace_of(&request), TRACE);
    assert!(request.parent.is_some());
    assert!(request.failed);
    assert_eq!(value(&request, names::STATUS), None);
    assert_eq!(value(&request, names::ERROR), Some("timed_out".into()));
}

#[test]
fn links_are_bounded_and_the_others_counted() {
    let mut rig = Rig::new(1.0, 10_000);
    let offsets: Vec<i64> = (0..200).collect();
    for offset in &offsets {
        assert!(rig.record(*offset, None));
    }
    let keys = vec![CustomerKey::Email("ann@shop.example".into())];
    let request = rig.send(1, &Call::SearchCustomers { keys }, &offsets);
    let refused = CallResult::Searched(Outcome::Retry(RetryCause::ServerError));
    rig.answer(request, refused, Some(503));
    let request = rig.span();
    assert_eq!(
        (request.links.len(), request.links_dropped),
        (MAX_LINKS, 72)
    );
    assert_eq!(value(&request, names::RECORDS), Some(200_i64.into()));
    assert_eq!(value(&request, names::ERROR), Some("503".into()));
    assert!(!format!("{request:?}").contains('@'), "nobody is named");
}

#[test]
fn above_the_limit_records_are_counted_and_not_followed() {
    let mut rig = Rig::new(0.0, 2);
    let mut followed = 0;
    for offset in 0..10 {
        followed += usize::from(rig.record(offset, Some(&parent(TRACE, "01"))));
        rig.settle(offset, Settlement::Delivered);
    }
    assert_eq!(followed, 2);
    assert!(rig.lost());
}

#[test]
fn what_leaves_with_its_partition_ends_there() {
    let mut rig = Rig::new(1.0, 100);
    for offset in 0..3 {
        rig.record(offset, None);
    }
    rig.traces.ignored(&position(0));
    // The offset comes again, in another life.
    rig.record(1, None);
    let before = rig.span();
    assert_eq!(value(&before, names::OFFSET), Some(1_i64.into()));
    let at = rig.tick();
    rig.traces.gone(at, &TopicPartition::new("quay.events", 4));
    assert!(rig.spans.try_recv().is_err(), "another partition");
    rig.traces.gone(at, &TopicPartition::new("quay.events", 3));
    for _ in 0..2 {
        assert_eq!(value(&rig.span(), names::SETTLEMENT), Some("left".into()));
    }
    assert!(rig.traces.records.is_empty());
}

#[test]
fn a_job_that_nobody_reads_any_more_has_ended() {
    let mut rig = Rig::new(1.0, 100);
    rig.record(1, None);
    let submit = rig.send(1, &creates(2), &[1]);
    let ticket = JobTicket {
        id: "j2".into(),
        created_ms: None,
    };
    rig.answer(
        submit,
        CallResult::Submitted(Outcome::Pending(ticket)),
        Some(202),
    );
    let submitted: TraceId = rig.span().context.trace;
    let at = rig.tick();
    rig.traces.look_at_jobs(at, |job| job == "j2");
    assert!(rig.spans.try_recv().is_err(), "it is open");
    rig.traces.look_at_jobs(at, |_| false);
    assert_eq!(rig.span().context.trace, submitted);
}
