//! Spans of the built program, as a collector gets them: decoded with the messages of OpenTelemetry itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use ingest_kafka::RecordProducer;
use ingest_model::record::Header;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::task::JoinSet;

use super::process::{Quay, Worker, producer, program, record};
use super::{PATIENCE, coupon, order};

/// How a collector behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Takes,
    Refuses,
    IsSlow,
}

#[derive(Debug, Clone)]
struct Kept {
    manner: Manner,
    requests: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
}

/// A collector of traces, for as long as the test lasts.
struct Collector {
    address: String,
    kept: Kept,
    _serving: JoinSet<()>,
}

impl Collector {
    async fn start(manner: Manner) -> Self {
        let kept = Kept {
            manner,
            requests: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(kept.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            kept,
            _serving: serving,
        }
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.kept.requests.lock().unwrap();
        let scopes = requests
            .iter()
            .flat_map(|(_, request)| &request.resource_spans);
        let scopes = scopes.flat_map(|one| &one.scope_spans);
        scopes.flat_map(|one| one.spans.clone()).collect()
    }

    /// Waits until the spans are so.
    async fn until(&self, what: &str, are_so: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !are_so(&self.spans()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "{what}: {:#?}", self.spans());
        self.spans()
    }
}

async fn take(State(kept): State<Kept>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let read = ExportTraceServiceRequest::decode(body).expect("OTLP");
    kept.requests.lock().unwrap().push((headers, read));
    match kept.manner {
        Manner::Takes => StatusCode::OK,
        Manner::Refuses => StatusCode::UNAUTHORIZED,
        Manner::IsSlow => {
            tokio::time::sleep(Duration::from_secs(120)).await;
            StatusCode::OK
        }
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e473";

/// A record with a context of the trace with this last digit.
async fn put(producer: &RecordProducer, customer: u64, value: String, trace: u8, flags: &str) {
    let mut record = record(format!("u{customer}"), value);
    let parent = format!("00-{TRACE}{trace}-00f067aa0ba902b7-{flags}");
    record.headers.push(Header {
        name: "traceparent".to_owned(),
        value: Some(parent.into()),
    });
    record.headers.push(Header {
        name: "tracestate".to_owned(),
        value: Some("shop=7".into()),
    });
    producer.send(&record).await.unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|one| one.key == name)?;
    let value = found.value.clone()?.value?;
    if let Any::StringValue(text) = value {
        return Some(text);
    }
    let Any::IntValue(number) = value else {
        panic!("{name}: {value:?}");
    };
    Some(number.to_string())
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The ends of the traces that a span links to.
fn linked(span: &Span) -> BTreeSet<String> {
    let traces = span.links.iter().map(|link| hex(&link.trace_id));
    traces
        .filter_map(|trace| Some(trace.strip_prefix(TRACE)?.to_owned()))
        .collect()
}

async fn metrics(worker: &Worker) -> String {
    let answer = reqwest::get(format!("{}/metrics", worker.admin)).await;
    answer.unwrap().text().await.unwrap()
}

async fn until_metrics(worker: &Worker, part: &str) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !metrics(worker).await.contains(part) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "{part}: {}", metrics(worker).await);
}

async fn tracked(quay: &Quay, events: u64) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while quay.kustomer.account().accepted.tracking < events {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "{:#?}", quay.kustomer.account());
}

fn traced(quay: &Quay, endpoint: &str, more: &str) {
    quay.edit(|yaml| yaml + &format!("tracing: {{ endpoint: '{endpoint}', ratio: 0{more} }}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_trace_shows_what_became_of_its_record() {
    let quay = Quay::start(2, "").await;
    let collector = Collector::start(Manner::Takes).await;
    std::fs::write(quay.folder.path().join("secret"), "Api-Token t\n").unwrap();
    let more = ", interval: 100ms, headers: { authorization: { file: secret }, x-tenant: quay }";
    traced(&quay, &collector.address, more);
    let producer = producer(&quay.broker);
    let worker = Worker::start(&quay.file);
    put(&producer, 1, coupon(1, 1), 1, "01").await;
    put(&producer, 2, coupon(2, 1), 2, "00").await;
    for number in 3..=8 {
        let trace = u8::try_from(number).unwrap();
        put(&producer, 3, order(3, number, 2), trace, "01").await;
    }
    let spans = collector
        .until("seven records, and a job about orders", |spans| {
            let jobs = named(spans, "bulk job");
            named(spans, "process quay.events").len() == 7
                && jobs.iter().any(|job| linked(job).len() > 1)
        })
        .await;
    tracked(&quay, 2).await;

    // The record that was sampled out is in no span and no link.
    let all: BTreeSet<String> = spans.iter().map(|span| hex(&span.trace_id)).collect();
    assert!(!all.contains(&format!("{TRACE}2")), "{all:?}");
    assert!(spans.iter().all(|span| !linked(span).contains("2")));

    let of_first: Vec<&Span> = spans
        .iter()
        .filter(|span| hex(&span.trace_id) == format!("{TRACE}1"))
        .collect();
    let process = named(&spans, "process quay.events");
    let process = process
        .iter()
        .find(|span| hex(&span.trace_id) == format!("{TRACE}1"));
    let process = process.expect("a span of the record");
    assert_eq!(hex(&process.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(process.trace_state, "shop=7");
    let said = |name: &str| text(&process.attributes, name).unwrap_or_default();
    assert_eq!(said("messaging.system"), "kafka");
    assert_eq!(said("messaging.destination.name"), "quay.events");
    assert_eq!(said("messaging.consumer.group.name"), "quay");
    assert_eq!(said("kustomer_ingest.settlement"), "delivered");
    assert!(!said("messaging.kafka.offset").is_empty());
    let request = of_first
        .iter()
        .find(|span| span.name == "POST /v1/tracking/identityEvent");
    let request = request.expect("the request of the event is in its trace");
    assert_eq!(request.parent_span_id, process.span_id);
    assert_eq!(request.links[0].span_id, process.span_id);
    assert_eq!(
        text(&request.attributes, "http.response.status_code").as_deref(),
        Some("201")
    );
    assert!(process.start_time_unix_nano <= request.start_time_unix_nano);
    assert!(request.end_time_unix_nano <= process.end_time_unix_nano);

    // A job, the request that began it, and the reads.
    let jobs = named(&spans, "bulk job");
    for job in &jobs {
        let submit = spans.iter().find(|span| span.span_id == job.parent_span_id);
        let submit = submit.expect("the request that began it");
        assert!(submit.name.ends_with("/bulk"), "{}", submit.name);
        assert_eq!(linked(submit), linked(job));
        let reads = spans
            .iter()
            .filter(|span| span.parent_span_id == job.span_id);
        assert!(reads.count() > 0, "reads of the job");
        assert!(text(&job.attributes, "kustomer_ingest.job.id").is_some());
    }

    // Who sends, and what goes with it; nobody is named anywhere.
    let requests = collector.kept.requests.lock().unwrap().clone();
    let (headers, request) = &requests[0];
    assert_eq!(headers["authorization"], "Api-Token t");
    assert_eq!(headers["x-tenant"], "quay");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    let service = text(&resource.attributes, "service.name");
    assert_eq!(service.as_deref(), Some("kustomer-ingest"));
    assert!(text(&resource.attributes, "service.instance.id").is_some());
    let everything = format!("{requests:?}");
    for personal in ["u1\"", "u3\"", "externalId=u", "@", "sim-key"] {
        assert!(!everything.contains(personal), "{personal}");
    }
    let text = metrics(&worker).await;
    assert!(
        text.contains("\nkustomer_ingest_span_export_failing 0\n"),
        "{text}"
    );
    assert!(
        !text.contains("\nkustomer_ingest_spans_exported_total 0\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spans_leave_with_the_worker() {
    let quay = Quay::start(2, "").await;
    let collector = Collector::start(Manner::Takes).await;
    traced(&quay, &collector.address, ", interval: 60s");
    let producer = producer(&quay.broker);
    let worker = Worker::start(&quay.file);
    put(&producer, 1, coupon(1, 1), 1, "01").await;
    tracked(&quay, 1).await;
    assert!(collector.spans().is_empty(), "they wait for others");
    worker.terminate().await;
    let spans = collector.spans();
    assert_eq!(named(&spans, "process quay.events").len(), 1, "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_take_spans_disturbs_nobody() {
    for (manner, lost) in [
        (None, "queue_full"),
        (Some(Manner::Refuses), "refused"),
        (Some(Manner::IsSlow), "queue_full"),
    ] {
        let quay = Quay::start(2, "").await;
        let collector = match manner {
            Some(manner) => Some(Collector::start(manner).await),
            None => None,
        };
        let address = collector.as_ref().map(|one| one.address.clone());
        // Nobody listens there.
        let address = address.unwrap_or_else(|| "http://127.0.0.1:9".to_owned());
        let more = ", interval: 100ms, queue: 100, timeout: 1s, spans_per_second: 10000";
        traced(&quay, &address, more);
        let producer = producer(&quay.broker);
        let worker = Worker::start(&quay.file);
        put(&producer, 0, coupon(0, 1), 1, "01").await;
        until_metrics(&worker, "\nkustomer_ingest_span_export_failing 1\n").await;
        for customer in 1..=200 {
            put(&producer, customer, coupon(customer, 1), 1, "01").await;
        }
        tracked(&quay, 201).await;
        let text = metrics(&worker).await;
        assert!(
            text.contains("spans_exported_total 0"),
            "{manner:?}: {text}"
        );
        let counted = format!("spans_dropped_total{{reason=\"{lost}\"}} ");
        let waited = tokio::time::timeout(PATIENCE, async {
            while metrics(&worker).await.contains(&format!("{counted}0")) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "{manner:?} {counted}: {}",
            metrics(&worker).await
        );
        let log = worker.terminate().await;
        let told = log
            .iter()
            .filter(|line| line.contains("spans do not arrive"));
        assert_eq!(told.count(), 1, "{manner:?}: said once: {log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_there_is_nothing() {
    let quay = Quay::start(2, "").await;
    let producer = producer(&quay.broker);
    let worker = Worker::start(&quay.file);
    put(&producer, 1, coupon(1, 1), 1, "01").await;
    tracked(&quay, 1).await;
    let text = metrics(&worker).await;
    assert!(
        text.contains("kustomer_ingest_spans_exported_total 0"),
        "{text}"
    );
    assert!(
        !text.contains("\nkustomer_ingest_span_export_failing "),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_the_collector_takes_spans() {
    let quay = Quay::start(2, "").await;
    let check = async |endpoint: String| {
        traced(&quay, &endpoint, "");
        let mut command = program();
        command
            .args(["check", "--online", "--config"])
            .arg(&quay.file);
        command.env("QUAY_TOKEN", "sim-key");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await;
        quay.edit(|yaml| yaml.split("tracing:").next().unwrap().to_owned());
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let takes = Collector::start(Manner::Takes).await;
    let said = check(takes.address.clone()).await;
    assert!(said.contains("the collector takes spans"), "{said}");
    let refuses = Collector::start(Manner::Refuses).await;
    let said = check(refuses.address.clone()).await;
    assert!(
        said.contains("tracing: the collector refuses: status 401"),
        "{said}"
    );
    let said = check("http://127.0.0.1:9".to_owned()).await;
    assert!(
        said.contains("tracing: the collector does not answer"),
        "{said}"
    );
}
