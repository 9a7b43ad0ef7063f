//! The export against a collector that takes, refuses, is slow, or is not there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1 as theirs;
use prost::Message as _;
use tokio::task::JoinSet;
use url::Url;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{Collector, ExportError};
use crate::context::{Context, Ids};
use crate::exporter::{Reason, Spans, Told, start};
use crate::resource::Resource;
use crate::settings::{ExportSettings, Headers};
use crate::span::{Kind, Span};

fn settings(endpoint: &str) -> ExportSettings {
    ExportSettings {
        endpoint: Url::parse(endpoint).unwrap(),
        headers: Headers::default(),
        ca: None,
        timeout: Duration::from_secs(2),
        interval: Duration::from_millis(20),
        queue: 100,
        resource: Resource::default(),
    }
}

fn span(ids: &mut Ids) -> Span {
    Span {
        context: Context {
            trace: ids.trace(),
            span: ids.span(),
            sampled: true,
            state: "".into(),
        },
        parent: None,
        name: "x".into(),
        kind: Kind::Internal,
        start_ns: 1,
        end_ns: 2,
        attributes: Vec::new(),
        links: Vec::new(),
        links_dropped: 0,
        failed: false,
    }
}

/// An export and what it has told.
struct Running {
    spans: Option<Spans>,
    task: JoinSet<()>,
    told: Arc<Mutex<Vec<Told>>>,
    ids: Ids,
}

impl Running {
    fn start(settings: &ExportSettings) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&told);
        let (spans, service) = start(settings, move |one| hear.lock().unwrap().push(one)).unwrap();
        let mut task = JoinSet::new();
        task.spawn(service.run());
        Self {
            spans: Some(spans),
            task,
            told,
            ids: Ids::new(9),
        }
    }

    fn send(&mut self, spans: usize) {
        for _ in 0..spans {
            self.spans.as_ref().unwrap().send(span(&mut self.ids));
        }
    }

    /// Ends it, which has to be soon. Returns all that was told.
    async fn end(mut self) -> Vec<Told> {
        drop(self.spans.take());
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task.join_next());
        ended.await.expect("it ends").unwrap().unwrap();
        let told = self.told.lock().unwrap();
        told.clone()
    }

    async fn until(&self, told: &Told) {
        for _ in 0..500 {
            if self.told.lock().unwrap().contains(told) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{told:?} was not told: {:?}", self.told.lock().unwrap());
    }
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(method("POST")).and(path("/v1/traces"));
    mock.respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn every_span_arrives_with_the_headers_of_the_moment() {
    let server = MockServer::start().await;
    let mock = Mock::given(header("content-type", "application/x-protobuf"))
        .and(header("x-tenant", "quay"))
        .and(path("/v1/traces"));
    mock.respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let mut settings = settings(&server.uri());
    settings.headers = Headers::new(|| Ok(vec![("X-Tenant".to_owned(), "quay".to_owned())]));
    settings.resource = Resource::default().with("service.name", "ingest");
    settings.queue = 2_000;
    let mut running = Running::start(&settings);
    running.send(1_200);
    let told = running.end().await;
    let exported = told.iter().map(|one| match one {
        Told::Exported(spans) => *spans,
        Told::Dropped(..) | Told::Failing(_) | Told::Recovered => panic!("{one:?}"),
    });
    assert_eq!(exported.sum::<usize>(), 1_200);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 3, "in batches of 512");
    let spans = requests.iter().map(|request| {
        let read = theirs::ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap();
        read.resource_spans[0].scope_spans[0].spans.len()
    });
    assert_eq!(spans.sum::<usize>(), 1_200);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let mut running = Running::start(&settings("http://127.0.0.1:9"));
    running.send(1);
    // The first batch is being tried again; the queue takes a hundred more.
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.send(150);
    let told = running.end().await;
    assert!(matches!(told[0], Told::Failing(ExportError::Unanswered(_))));
    let lost = |reason: Reason| -> usize {
        let of = |one: &Told| match one {
            Told::Dropped(why, spans) if *why == reason => *spans,
            Told::Dropped(..) | Told::Exported(_) | Told::Failing(_) | Told::Recovered => 0,
        };
        told.iter().map(of).sum()
    };
    assert_eq!(lost(Reason::QueueFull), 50);
    assert_eq!(lost(Reason::Failed), 101);
    let failing = told.iter().filter(|one| matches!(one, Told::Failing(_)));
    assert_eq!(failing.count(), 1, "said once");
}

#[tokio::test]
async fn what_cannot_be_taken_now_is_sent_again_and_recovery_is_told() {
    let server = answering(ResponseTemplate::new(503).insert_header("retry-after", "0")).await;
    let mut running = Running::start(&settings(&server.uri()));
    running.send(3);
    let later = ExportError::Later("status 503".to_owned(), Some(Duration::ZERO));
    running.until(&Told::Failing(later)).await;
    running.until(&Told::Dropped(Reason::Failed, 3)).await;
    server.reset().await;
    let mock = Mock::given(path("/v1/traces"));
    mock.respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    running.send(2);
    running.until(&Told::Recovered).await;
    let told = running.end().await;
    assert_eq!(told[told.len() - 2..], [Told::Exported(2), Told::Recovered]);
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again() {
    let body = b"\x12\x09no tenant";
    let server = answering(ResponseTemplate::new(401).set_body_bytes(body)).await;
    let mut running = Running::start(&settings(&server.uri()));
    running.send(4);
    let told = running.end().await;
    let refused = ExportError::Refused("status 401, no tenant".to_owned());
    let expected = [Told::Failing(refused), Told::Dropped(Reason::Refused, 4)];
    assert_eq!(told, expected);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);

    let partly = theirs::ExportTraceServiceResponse {
        partial_success: Some(theirs::ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "too old".to_owned(),
        }),
    };
    let answer = ResponseTemplate::new(200).set_body_bytes(partly.encode_to_vec());
    let server = answering(answer).await;
    let mut running = Running::start(&settings(&server.uri()));
    running.send(4);
    let told = running.end().await;
    assert_eq!(
        told[..2],
        [Told::Exported(3), Told::Dropped(Reason::Refused, 1)]
    );
}

#[tokio::test]
async fn a_slow_collector_does_not_keep_the_end_longer_than_its_time_limit() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let mut running = Running::start(&settings(&server.uri()));
    running.send(1);
    let told = running.end().await;
    let late = ExportError::Unanswered("no answer in time".to_owned());
    let expected = [Told::Failing(late), Told::Dropped(Reason::Failed, 1)];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_collector_is_asked_before_there_are_spans() {
    let server = answering(ResponseTemplate::new(200)).await;
    let collector = Collector::new(&settings(&server.uri())).unwrap();
    assert_eq!(collector.probe().await, Ok(()));
    let elsewhere = Collector::new(&settings(&format!("{}/other", server.uri()))).unwrap();
    let refused = ExportError::Refused("status 404".to_owned());
    assert_eq!(elsewhere.probe().await, Err(refused));
    let mut unreadable = settings(&server.uri());
    unreadable.headers = Headers::new(|| Err("cannot read /token".to_owned()));
    let collector = Collector::new(&unreadable).unwrap();
    let missing = ExportError::Header("cannot read /token".to_owned());
    assert_eq!(collector.probe().await, Err(missing));
    unreadable.ca = Some(b"no certificate".to_vec());
    assert!(Collector::new(&unreadable).is_err());
}
