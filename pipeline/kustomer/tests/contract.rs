//! The client over real connections: what is sent, and what each kind of answer, or none, means.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ingest_kustomer::{BaseUrl, BuildError, Client, ClientSettings, Need, TokenError};
use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call, CallResult, JobReport, Limits, Written};
use ingest_model::operation::{CustomerKey, ExternalId, Klass};
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, RetryCause};
use serde_json::json;
use wiremock::matchers::{any, body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TOKEN: &str = "test-token";

fn settings(url: &str) -> ClientSettings {
    let mut settings = ClientSettings::new(BaseUrl::parse(url).unwrap(), TOKEN.into());
    settings.connect_timeout = Duration::from_millis(500);
    settings.total_timeout = Duration::from_millis(1_000);
    settings
}

fn client(url: &str) -> Client {
    Client::new(settings(url)).unwrap()
}

fn klass() -> Klass {
    Klass("order".into())
}

fn read() -> Call {
    Call::GetKObject {
        klass: klass(),
        external_id: ExternalId("e1".into()),
    }
}

fn write() -> Call {
    Call::CreateKObject {
        klass: klass(),
        body: title(),
    }
}

fn title() -> Body {
    json!({"title": "Order 1"}).as_object().unwrap().into()
}

fn item(reference: &str) -> BulkItem {
    BulkItem::new(reference.to_owned(), title())
}

/// A server that gives this answer to every request.
async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// A server that accepts one connection, reads a request, sends these bytes and closes the connection.
fn raw_server(answer: Vec<u8>) -> (SocketAddr, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0_u8; 16_384];
        let read = stream.read(&mut buffer).unwrap();
        stream.write_all(&answer).unwrap();
        read
    });
    (address, thread)
}

async fn raw_reply(answer: &str, call: Call) -> CallResult {
    let (address, thread) = raw_server(answer.as_bytes().to_vec());
    let reply = client(&format!("http://{address}")).send(&call).await;
    assert!(thread.join().unwrap() > 0, "the request was never sent");
    reply.result
}

const AMBIGUOUS: CallResult = CallResult::Written(Outcome::Ambiguous);
const READ_AGAIN: CallResult = CallResult::KObject(Outcome::Retry(RetryCause::Network));
const READ_GARBLED: CallResult = CallResult::KObject(Outcome::Retry(RetryCause::Garbled));

#[tokio::test]
async fn every_call_reaches_its_endpoint_with_the_key_and_a_length() {
    let job: Arc<str> = "j1".into();
    let empty = Body::default();
    let refs = true;
    let calls = [
        (
            Call::Identify { identity: title() },
            "POST",
            "/v1/tracking/identity",
        ),
        (
            Call::Track {
                identity: empty.clone(),
                event: title(),
            },
            "POST",
            "/v1/tracking/identityEvent",
        ),
        (
            Call::SearchCustomers {
                keys: vec![CustomerKey::ExternalId("u1".into())],
            },
            "POST",
            "/v1/customers/search",
        ),
        (
            Call::GetCustomer {
                key: CustomerKey::Phone("+15550100".into()),
            },
            "GET",
            "/v1/customers/phone=%2B15550100",
        ),
        (
            Call::CreateCustomers {
                items: vec![item("a")],
                with_refs: refs,
            },
            "POST",
            "/v1/customers/bulk",
        ),
        (
            Call::CreateKObjects {
                klass: klass(),
                items: vec![item("a")],
                with_refs: refs,
            },
            "POST",
            "/v1/klasses/order/bulk",
        ),
        (
            Call::UpdateKObjects {
                klass: klass(),
                items: vec![item("a")],
                with_refs: refs,
            },
            "PUT",
            "/v1/klasses/order/bulk",
        ),
        (write(), "POST", "/v1/klasses/order"),
        (
            Call::UpdateKObject {
                klass: klass(),
                id: "o1".into(),
                body: title(),
            },
            "PUT",
            "/v1/klasses/order/o1",
        ),
        (read(), "GET", "/v1/klasses/order/externalId=e1"),
        (
            Call::ReadJob {
                job: Arc::clone(&job),
            },
            "GET",
            "/v1/bulk/j1/batches",
        ),
        (Call::ReadJobState { job }, "GET", "/v1/bulk/j1"),
        (Call::Probe, "GET", "/v1/auth/tokens/current"),
    ];
    for (call, verb, target) in calls {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
            .mount(&server)
            .await;
        client(&server.uri()).send(&call).await;
        let requests = server.received_requests().await.unwrap();
        let request = &requests[0];
        assert_eq!(
            (request.method.as_str(), request.url.path()),
            (verb, target)
        );
        let value = |name: &str| {
            request
                .headers
                .get(name)
                .map(|v| v.to_str().unwrap().to_owned())
        };
        assert_eq!(value("authorization").as_deref(), Some("Bearer test-token"));
        assert!(value("user-agent").is_some_and(|v| v.starts_with("kustomer-ingest/")));
        assert!(value("accept-encoding").is_some_and(|v| v.contains("gzip")));
        assert_eq!(value("transfer-encoding"), None, "{target}");
        if verb == "GET" {
            assert!(request.body.is_empty());
        } else {
            assert_eq!(value("content-type").as_deref(), Some("application/json"));
            assert_eq!(
                value("content-length"),
                Some(request.body.len().to_string())
            );
        }
    }
}

#[tokio::test]
async fn a_search_asks_for_a_full_page() {
    let server = MockServer::start().await;
    let body =
        json!({"queryContext": "customer", "or": [{"customer_email": {"equals": "a@b.example"}}]});
    Mock::given(method("POST"))
        .and(path("/v1/customers/search"))
        .and(query_param("pageSize", "100"))
        .and(body_json(body))
        .and(header("authorization", "Bearer test-token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [
            {"type": "customer", "id": "c1", "attributes": {"emails": [{"email": "a@b.example"}]}}]})))
        .expect(1)
        .mount(&server)
        .await;
    let key = CustomerKey::Email("a@b.example".into());
    let reply = client(&server.uri())
        .send(&Call::SearchCustomers {
            keys: vec![key.clone()],
        })
        .await;
    let CallResult::Searched(Outcome::Delivered(found)) = reply.result else {
        panic!("{reply:?}");
    };
    assert_eq!(
        (found.customers, found.unmatched),
        (vec![(key, "c1".into())], 0)
    );
}

#[tokio::test]
async fn a_bulk_is_submitted_and_its_job_read() {
    let server = MockServer::start().await;
    let created = json!({"data": {"type": "bulk", "id": "j1", "attributes":
        {"status": "queued", "createdAt": "2026-01-01T00:00:00Z"}}});
    Mock::given(method("POST"))
        .and(path("/v1/klasses/order/bulk"))
        .and(body_json(json!([{"_clientRef": "a", "title": "Order 1"}])))
        .respond_with(ResponseTemplate::new(201).set_body_json(created))
        .mount(&server)
        .await;
    Mock::given(path("/v1/bulk/j1/batches"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": []})))
        .mount(&server)
        .await;
    let client = client(&server.uri());
    let submit = Call::CreateKObjects {
        klass: klass(),
        items: vec![item("a")],
        with_refs: true,
    };
    let ticket = JobTicket {
        id: "j1".into(),
        created_ms: Some(1_767_225_600_000),
    };
    assert_eq!(
        client.send(&submit).await.result,
        CallResult::Submitted(Outcome::Pending(ticket))
    );
    let read = Call::ReadJob { job: "j1".into() };
    let read = client.send(&read).await.result;
    assert_eq!(
        read,
        CallResult::Job(Outcome::Delivered(JobReport::default()))
    );
}

#[tokio::test]
async fn the_limits_of_every_answer_are_reported() {
    let answer = ResponseTemplate::new(429)
        .insert_header("x-ratelimit-limit", "1000")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", "1700000042")
        .insert_header("retry-after", "9")
        .insert_header("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    let server = answering(answer).await;
    let reply = client(&server.uri()).send(&write()).await;
    let limits = Limits {
        limit: Some(1_000),
        remaining: Some(0),
        resets_in: Some(Duration::from_secs(42)),
        retry_after: Some(Duration::from_secs(9)),
        date_ms: Some(1_700_000_000_000),
    };
    let result = CallResult::Written(Outcome::Retry(RetryCause::OrgQuota));
    assert_eq!((reply.limits, reply.result), (limits, result));
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for url in [
        format!("http://{address}"),
        "http://nobody.localhost:1".to_owned(),
    ] {
        let client = client(&url);
        let reply = client.send(&write()).await;
        assert_eq!(
            reply.result,
            CallResult::Written(Outcome::Retry(RetryCause::Network)),
            "{url}"
        );
        assert_eq!(client.send(&read()).await.result, READ_AGAIN, "{url}");
    }
}

#[tokio::test]
async fn a_slow_answer_leaves_a_write_ambiguous_and_is_sent_once() {
    let server = answering(ResponseTemplate::new(201).set_delay(Duration::from_secs(5))).await;
    let client = client(&server.uri());
    assert_eq!(client.send(&write()).await.result, AMBIGUOUS);
    assert_eq!(client.send(&read()).await.result, READ_AGAIN);
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_leaves_a_write_ambiguous() {
    assert_eq!(raw_reply("", write()).await, AMBIGUOUS);
    assert_eq!(raw_reply("", read()).await, READ_AGAIN);
    assert_eq!(raw_reply("HTTP/1.1 20", write()).await, AMBIGUOUS);
    assert_eq!(
        raw_reply("not http at all\r\n\r\n", write()).await,
        AMBIGUOUS
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_the_status() {
    let cut = "HTTP/1.1 201 Created\r\ncontent-length: 900\r\n\r\n{\"data\":{\"id\":\"o1\"";
    let stored = Written::Stored {
        id: None,
        rev: None,
    };
    assert_eq!(
        raw_reply(cut, write()).await,
        CallResult::Written(Outcome::Delivered(stored))
    );
    assert_eq!(raw_reply(cut, read()).await, READ_GARBLED);
    let submit = Call::CreateKObjects {
        klass: klass(),
        items: vec![item("a")],
        with_refs: true,
    };
    assert_eq!(
        raw_reply(cut, submit).await,
        CallResult::Submitted(Outcome::Ambiguous)
    );
    let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 900\r\n\r\n{\"err";
    let hold = CallResult::Written(Outcome::Hold(HoldCause::BadToken));
    assert_eq!(raw_reply(refused, write()).await, hold);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"dat\r\n";
    assert_eq!(raw_reply(chunked, read()).await, READ_GARBLED);
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = answering(ResponseTemplate::new(201)).await;
    let location = format!("{}/v1/klasses/order", elsewhere.uri());
    for status in [301, 302, 307, 308] {
        let answer = ResponseTemplate::new(status).insert_header("location", location.as_str());
        let server = answering(answer).await;
        let result = client(&server.uri()).send(&write()).await.result;
        assert_eq!(
            result,
            CallResult::Written(Outcome::Hold(HoldCause::Unhealthy)),
            "{status}"
        );
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_answers_are_read_and_broken_ones_are_not() {
    let body = gzipped(r#"{"data":{"type":"kobject.order","id":"o1","attributes":{"rev":1}}}"#);
    let answer = |body: &[u8]| {
        ResponseTemplate::new(200)
            .insert_header("content-encoding", "gzip")
            .set_body_bytes(body)
    };
    let server = answering(answer(&body)).await;
    let CallResult::KObject(Outcome::Delivered(Some(object))) =
        client(&server.uri()).send(&read()).await.result
    else {
        panic!("not read");
    };
    assert_eq!((object.id.as_ref(), object.rev), ("o1", Some(1)));
    let server = answering(answer(&body[..body.len() / 2])).await;
    assert_eq!(
        client(&server.uri()).send(&read()).await.result,
        READ_GARBLED
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_however_small_it_travelled() {
    let padding = "x".repeat(9 * 1024 * 1024);
    let body = format!(r#"{{"data":{{"id":"o1","attributes":{{"rev":1}}}},"pad":"{padding}"}}"#);
    let answer = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_bytes(gzipped(&body));
    let server = answering(answer).await;
    let mut patient = settings(&server.uri());
    patient.total_timeout = Duration::from_secs(20);
    let client = Client::new(patient.clone()).unwrap();
    assert_eq!(client.send(&read()).await.result, READ_GARBLED);
    patient.max_body_bytes = 10 * 1024 * 1024;
    let client = Client::new(patient).unwrap();
    let result = client.send(&read()).await.result;
    assert!(matches!(
        result,
        CallResult::KObject(Outcome::Delivered(Some(_)))
    ));
}

#[tokio::test]
async fn connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0_u8; 16_384];
        let mut served = 0;
        while served < 3 {
            if stream.read(&mut buffer).unwrap() == 0 {
                break;
            }
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            served += 1;
        }
        served
    });
    let client = client(&format!("http://{address}"));
    for _ in 0..3 {
        assert_eq!(
            client.send(&read()).await.result,
            CallResult::KObject(Outcome::Delivered(None))
        );
    }
    assert_eq!(thread.join().unwrap(), 3, "one connection served all three");
}

#[tokio::test]
async fn the_key_tells_its_roles() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/auth/tokens/current"))
        .and(header("authorization", "Bearer test-token"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"data": {"id": "t1",
            "attributes": {"name": "ingest", "roles": ["org.tracking"]}}})),
        )
        .mount(&server)
        .await;
    let token = client(&server.uri()).token_info().await.unwrap();
    assert_eq!(token.name.as_deref(), Some("ingest"));
    assert_eq!(
        token.lacks(&[Need::Track, Need::ReadJobs]),
        [Need::ReadJobs]
    );

    let server = answering(ResponseTemplate::new(401)).await;
    let error = client(&server.uri()).token_info().await.unwrap_err();
    assert_eq!(error, TokenError::Refused(HoldCause::BadToken));
    assert_eq!(error.to_string(), "the API refused the key: bad_token");
}

#[tokio::test]
async fn a_token_that_cannot_travel_is_refused_without_being_shown() {
    for token in ["", "two words", "line\n", "caf\u{e9}"] {
        let base = BaseUrl::parse("http://127.0.0.1:1").unwrap();
        let error = Client::new(ClientSettings::new(base, token.into())).unwrap_err();
        assert!(matches!(error, BuildError::Token(_)), "{token}");
        assert!(token.is_empty() || !error.to_string().contains(token));
    }
    let shown = format!("{:?}", client("http://127.0.0.1:1"));
    assert!(!shown.contains(TOKEN), "{shown}");
}
