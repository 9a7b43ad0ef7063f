//! The client and its task against registries of every mood.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ingest_encoding::{Encoding, Found, SchemaId, SchemaType, Schemas as _};
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const ID: SchemaId = SchemaId::Number(7);
const CACHE: CacheLimit = RegistrySettings::CACHE;

fn client(server: &MockServer, auth: Auth) -> RegistryClient {
    let mut settings = RegistrySettings::new(server.uri().parse().expect("an address"));
    settings.timeout = Duration::from_millis(300);
    settings.access.auth = auth;
    RegistryClient::new(&settings).expect("a client")
}

async fn says(server: &MockServer, at: &str, answer: ResponseTemplate) {
    let mock = Mock::given(method("GET")).and(path(at));
    mock.respond_with(answer).mount(server).await;
}

fn ok(body: serde_json::Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn schemas_come_with_what_they_refer_to() {
    let server = MockServer::start().await;
    let shared = "syntax = \"proto3\"; package shop; message Money { int64 cents = 1; }";
    let line = "syntax = \"proto3\"; package shop; import \"money.proto\"; message Line { Money price = 1; }";
    let order = "syntax = \"proto3\"; package shop; import \"line.proto\"; import \"money.proto\"; message Order { Line line = 1; Money total = 2; }";
    let money = json!({"name": "money.proto", "subject": "mo/ney", "version": 3});
    let reference = json!({"name": "line.proto", "subject": "line", "version": 1});
    says(
        &server,
        "/schemas/ids/7",
        ok(json!({
            "schema": order, "schemaType": "PROTOBUF", "references": [reference, money],
        })),
    )
    .await;
    says(
        &server,
        "/subjects/line/versions/1",
        ok(json!({
            "schema": line, "schemaType": "PROTOBUF", "references": [money],
        })),
    )
    .await;
    says(
        &server,
        "/subjects/mo%2Fney/versions/3",
        ok(json!({
            "schema": shared, "schemaType": "PROTOBUF",
        })),
    )
    .await;
    let schema = client(&server, Auth::None)
        .fetch(ID)
        .await
        .expect("a schema");
    assert_eq!(schema.kind(), SchemaType::Protobuf);
}

#[tokio::test]
async fn who_asks_is_said() {
    let server = MockServer::start().await;
    for (auth, wanted) in [
        (Auth::Bearer("key".into()), "Bearer key"),
        (
            Auth::Basic {
                user: "me".to_owned(),
                password: "pass:word".into(),
            },
            "Basic bWU6cGFzczp3b3Jk",
        ),
    ] {
        server.reset().await;
        Mock::given(header("authorization", wanted))
            .respond_with(ok(json!({"schema": "\"string\""})))
            .mount(&server)
            .await;
        let schema = client(&server, auth).fetch(ID).await.expect("a schema");
        assert_eq!(schema.kind(), SchemaType::Avro);
    }
    let bad = Auth::Bearer("a\nb".into());
    let access = Access {
        auth: bad,
        ca: None,
    };
    let settings = RegistrySettings {
        access,
        ..RegistrySettings::new(server.uri().parse().expect("an address"))
    };
    assert!(RegistryClient::new(&settings).is_err());
    let mut settings = RegistrySettings::new("https://u:p@host/a?b=c".parse().expect("an address"));
    assert_eq!(settings.place(), "https://host/a");
    settings.access.ca =
        Some(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n".to_vec());
    assert!(matches!(
        RegistryClient::new(&settings),
        Err(BuildError::Ca(_) | BuildError::Http(_))
    ));
}

#[tokio::test]
async fn only_a_registry_decides_that_there_is_no_schema() {
    let not_found = json!({"error_code": 40403, "message": "Schema 7 not found"});
    for (answer, unknown, said) in [
        (
            ResponseTemplate::new(404).set_body_json(not_found),
            true,
            "none of this id",
        ),
        (
            ResponseTemplate::new(404).set_body_string("<html>"),
            false,
            "is this its address",
        ),
        (
            ResponseTemplate::new(404).set_body_json(json!({"status": 404})),
            false,
            "is this its address",
        ),
        (ResponseTemplate::new(401), false, "401"),
        (ResponseTemplate::new(403), false, "403"),
        (ResponseTemplate::new(429), false, "429"),
        (ResponseTemplate::new(503), false, "503"),
        (ResponseTemplate::new(302), false, "somewhere else"),
        (
            ResponseTemplate::new(200).set_body_string("<html>"),
            false,
            "is this its address",
        ),
        (
            ok(json!({"schema": "\"string\""})).set_delay(Duration::from_secs(5)),
            false,
            "no answer in time",
        ),
        (ok(json!({"schema": "{"})), true, "not JSON"),
        (
            ok(json!({"schema": "", "schemaType": "THRIFT"})),
            true,
            "THRIFT",
        ),
    ] {
        let server = MockServer::start().await;
        says(&server, "/schemas/ids/7", answer).await;
        let failure = client(&server, Auth::None).fetch(ID).await.expect_err(said);
        assert_eq!(matches!(failure, Failure::Down(_)), !unknown, "{failure:?}");
        assert!(failure.to_string().contains(said), "{failure}");
    }
    let server = MockServer::start().await;
    let client = client(&server, Auth::None);
    drop(server);
    let failure = client.fetch(ID).await.expect_err("nobody is there");
    assert!(
        matches!(&failure, Failure::Down(why) if why.contains("no connection") || why.contains("is this its address")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn credentials_that_change_are_used_for_the_next_schema() {
    let server = MockServer::start().await;
    let schema = || ok(json!({"schema": "\"string\""}));
    says(&server, "/schemas/ids/7", schema()).await;
    let place = Arc::new(Mutex::new(Ok("one")));
    let mut settings = RegistrySettings::new(server.uri().parse().expect("an address"));
    settings.access.auth = Auth::Bearer("one".into());
    let kept = Arc::clone(&place);
    settings.rereads = Some(ReadAccess::new(move || {
        let read = *kept.lock().expect("not poisoned");
        let auth = Auth::Bearer(read.map_err(str::to_owned)?.into());
        Ok(Access { auth, ca: None })
    }));
    let client = RegistryClient::new(&settings).expect("a client");
    let put = |content| *place.lock().expect("not poisoned") = content;
    let sent = async || {
        let requests = server.received_requests().await.expect("recorded");
        let last = requests.last().expect("one").headers["authorization"].clone();
        last.to_str().expect("text").to_owned()
    };
    client.fetch(ID).await.expect("a schema");
    put(Ok("two"));
    client.fetch(ID).await.expect("a schema");
    assert_eq!(sent().await, "Bearer two");
    // What cannot be read, or be a header, leaves the former ones.
    for (content, said) in [
        (Err("no such file"), "no such file"),
        (Ok("a\nb"), "header"),
    ] {
        put(content);
        client.fetch(ID).await.expect("a schema");
        assert_eq!(sent().await, "Bearer two");
        server.reset().await;
        says(&server, "/schemas/ids/7", ResponseTemplate::new(401)).await;
        let refused = client.fetch(ID).await.expect_err("401").to_string();
        assert!(
            refused.contains("401") && refused.contains(said),
            "{refused}"
        );
        server.reset().await;
        says(&server, "/schemas/ids/7", schema()).await;
    }
    put(Ok("three"));
    client.fetch(ID).await.expect("a schema");
    assert_eq!(sent().await, "Bearer three");
}

#[tokio::test]
async fn credentials_that_cannot_be_read_in_time_keep_no_schema_back() {
    let server = MockServer::start().await;
    says(
        &server,
        "/schemas/ids/7",
        ok(json!({"schema": "\"string\""})),
    )
    .await;
    let mut settings = RegistrySettings::new(server.uri().parse().expect("an address"));
    settings.timeout = Duration::from_millis(300);
    let (_end, stands_still) = std::sync::mpsc::channel::<()>();
    let stands_still = Mutex::new(stands_still);
    settings.rereads = Some(ReadAccess::new(move || {
        let place = stands_still.lock().expect("not poisoned");
        assert!(place.recv_timeout(Duration::from_secs(2)).is_err());
        Ok(Access::ANYBODY)
    }));
    let client = RegistryClient::new(&settings).expect("a client");
    for _ in 0..2 {
        client.fetch(ID).await.expect("a schema");
    }
    server.reset().await;
    says(&server, "/schemas/ids/7", ResponseTemplate::new(401)).await;
    let refused = client.fetch(ID).await.expect_err("401").to_string();
    assert!(refused.contains("takes too long"), "{refused}");
}

#[tokio::test]
async fn schemas_are_asked_for_by_guid() {
    let server = MockServer::start().await;
    let guid = SchemaId::Guid([0xab; 16]);
    let at = "/schemas/guids/abababab-abab-abab-abab-abababababab";
    says(&server, at, ok(json!({"schema": "\"string\""}))).await;
    let client = client(&server, Auth::None);
    assert_eq!(
        client.fetch(guid).await.expect("a schema").kind(),
        SchemaType::Avro
    );
    // as Confluent's registry says that it has none, and as a registry does that has no such address
    for (answer, unknown, said) in [
        (
            json!({"error_code": 40403, "message": "Schema not found"}).to_string(),
            true,
            "none of this id",
        ),
        (String::new(), false, "a registry that does not know GUIDs"),
    ] {
        server.reset().await;
        says(
            &server,
            at,
            ResponseTemplate::new(404).set_body_string(answer),
        )
        .await;
        let failure = client.fetch(guid).await.expect_err(said);
        assert_eq!(
            matches!(failure, Failure::Unknown(_)),
            unknown,
            "{failure:?}"
        );
        assert!(failure.to_string().contains(said), "{failure}");
    }
}

#[tokio::test]
async fn references_that_are_gone_or_go_in_a_circle_end() {
    let server = MockServer::start().await;
    let me = json!([{"name": "a", "subject": "a", "version": 1}]);
    says(
        &server,
        "/schemas/ids/7",
        ok(json!({"schema": "\"string\"", "references": me})),
    )
    .await;
    let gone = json!({"error_code": 40401, "message": "Subject 'a' not found."});
    says(
        &server,
        "/subjects/a/versions/1",
        ResponseTemplate::new(404).set_body_json(gone),
    )
    .await;
    let client = client(&server, Auth::None);
    let failure = client.fetch(ID).await.expect_err("gone");
    assert!(
        matches!(&failure, Failure::Unknown(why) if why.contains("version 1 of a")),
        "{failure:?}"
    );
    server.reset().await;
    let circle = ok(json!({"schema": "\"string\"", "references": me}));
    says(&server, "/schemas/ids/7", circle.clone()).await;
    says(&server, "/subjects/a/versions/1", circle).await;
    let failure = client.fetch(ID).await.expect_err("a circle");
    assert!(
        matches!(&failure, Failure::Unusable(why) if why.contains("circle")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn the_service_asks_until_there_is_an_answer() {
    let server = MockServer::start().await;
    Mock::given(path("/schemas/ids/7"))
        .respond_with(ResponseTemplate::new(500))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    says(&server, "/schemas/ids/7", ok(json!({"schema": "\"long\""}))).await;
    let (handle, service) = start(client(&server, Auth::None), CACHE);
    let interest = handle.interest();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(service.run());
    let mut news = handle.news();
    // many who want it are one who asks
    for _ in 0..5 {
        assert!(interest.want(ID).await);
    }
    news.changed().await.expect("it is there");
    assert!(matches!(handle.store().find(ID), Found::Known(_)));
    let status = handle.status();
    assert_eq!(status.trouble, None);
    assert_eq!((status.failed, status.fetched), (2, 1));
    assert_eq!(server.received_requests().await.expect("recorded").len(), 3);
    // who asks for what is known hears at once
    assert!(interest.want(ID).await);
    news.changed().await.expect("news");
}

#[tokio::test(start_paused = true)]
async fn that_there_is_none_is_forgotten_after_a_while() {
    let store = Store::new(CACHE);
    store.unusable(ID, "gone");
    assert!(matches!(store.find(ID), Found::Unusable(_)));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(matches!(store.find(ID), Found::NotYet));
}

#[test]
fn the_store_keeps_what_is_used() {
    let store = Store::new(CacheLimit {
        schemas: 3,
        ..CACHE
    });
    let schema = || {
        let schema = ingest_encoding::Schema::compile(SchemaType::Avro, "\"int\"", &[]);
        Arc::new(schema.expect("a schema"))
    };
    for id in 1..=3 {
        store.known(SchemaId::Number(id), schema());
    }
    assert!(matches!(store.find(SchemaId::Number(1)), Found::Known(_)));
    store.known(SchemaId::Number(4), schema());
    assert_eq!(store.kept().schemas, 3);
    assert!(matches!(store.find(SchemaId::Number(1)), Found::Known(_)));
    assert!(matches!(store.find(SchemaId::Number(2)), Found::NotYet));
}

#[test]
fn the_store_keeps_no_more_bytes_than_it_may() {
    let schema = |fields: usize| {
        let fields: Vec<String> = (0..fields)
            .map(|n| format!(r#"{{"name":"f{n}","type":"int"}}"#))
            .collect();
        let text = format!(
            r#"{{"type":"record","name":"A","fields":[{}]}}"#,
            fields.join(",")
        );
        let schema = ingest_encoding::Schema::compile(SchemaType::Avro, &text, &[]);
        Arc::new(schema.expect("a schema"))
    };
    let (small, large) = (schema(100), schema(2_000));
    let bytes = 3 * small.weight() + 2_000;
    let store = Store::new(CacheLimit {
        schemas: 100,
        bytes,
    });
    for id in 1..=3 {
        store.known(SchemaId::Number(id), Arc::clone(&small));
    }
    assert_eq!(store.kept().schemas, 3);
    assert!(store.kept().bytes <= bytes, "{:?}", store.kept());
    store.known(SchemaId::Number(4), Arc::clone(&small));
    assert_eq!(store.kept().schemas, 3);
    assert!(matches!(store.find(SchemaId::Number(1)), Found::NotYet));
    // the same id again takes its place once
    store.known(SchemaId::Number(4), Arc::clone(&small));
    assert_eq!(store.kept().schemas, 3);
    // one that is larger than everything is kept, or its records would wait for ever; and so is the one that was used last,
    // which may be the other schema of the same records
    assert!(large.weight() > bytes);
    store.known(SchemaId::Number(5), large);
    assert_eq!(store.kept().schemas, 2);
    assert!(matches!(store.find(SchemaId::Number(4)), Found::Known(_)));
    assert!(matches!(store.find(SchemaId::Number(5)), Found::Known(_)));
    for id in 6..=7 {
        store.known(SchemaId::Number(id), Arc::clone(&small));
        assert_eq!(store.kept().schemas, 2);
    }
    assert!(store.kept().bytes <= bytes, "{:?}", store.kept());
}

/// One schema that is never given, among others that are: the trouble stays one trouble.
#[tokio::test]
async fn trouble_is_that_of_a_schema() {
    let server = MockServer::start().await;
    says(&server, "/schemas/ids/1", ResponseTemplate::new(500)).await;
    for id in 2..=30 {
        let at = format!("/schemas/ids/{id}");
        says(&server, &at, ok(json!({"schema": "\"long\""}))).await;
    }
    let (handle, service) = start(client(&server, Auth::None), CACHE);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(service.run());
    let (one, other) = (handle.interest(), handle.interest());
    let stuck = SchemaId::Number(1);
    assert!(one.want(stuck).await && other.want(stuck).await);
    let until = async |wanted: &dyn Fn(&RegistryStatus) -> bool| {
        for _ in 0..500 {
            if wanted(&handle.status()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", handle.status());
    };
    until(&|status| status.trouble.is_some()).await;
    let since = handle.status().trouble.map(|trouble| trouble.since);
    let asked = async || {
        let all = server.received_requests().await.unwrap_or_default();
        let of = all.iter().filter(|one| one.url.path() == "/schemas/ids/1");
        of.count()
    };
    for id in 2..=30 {
        assert!(one.want(SchemaId::Number(id)).await);
        until(&|status| status.fetched == u64::from(id) - 1).await;
        let status = handle.status();
        let failing = status.failing.first().expect("the one that is not given");
        assert_eq!((failing.id, status.failing_schemas), (stuck, 1));
        assert_eq!(status.trouble.map(|trouble| trouble.since), since);
    }
    // an answer for another one hastens it once only: it is not asked for as often as others are answered
    let times = asked().await;
    assert!((2..=6).contains(&times), "{times}");
    // as long as somebody waits for it, it is asked for
    assert!(one.leave(stuck).await && one.leave(SchemaId::Number(99)).await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(handle.status().failing_schemas, 1);
    assert!(other.leave(stuck).await);
    until(&|status| status.trouble.is_none() && status.wanted == 0).await;
    let times = asked().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(asked().await <= times + 1, "nobody waits for it");
    assert!(handle.status().failing.is_empty());
}

#[test]
fn a_command_asks_when_it_needs_to() {
    let nobody = AskedOnce::nobody();
    let record = ingest_model::record::Record {
        position: ingest_model::record::Position {
            partition: ingest_model::record::TopicPartition::new("t", 0),
            offset: ingest_model::record::Offset(0),
        },
        key: None,
        value: Some(b"\0\0\0\0\x07\x02".as_slice().into()),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    let opened = nobody.open(&Encoding::registry(), &record).expect("opened");
    let ingest_encoding::Opened::Rejected(rejected) = opened else {
        panic!("{opened:?}")
    };
    assert!(
        rejected.detail.contains("no schema_registry is configured"),
        "{}",
        rejected.detail
    );
}
