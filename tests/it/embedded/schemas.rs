//! Values with the ids of schemas, and a registry that is stopped, slow, refuses, or forgets an id.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ingest_encoding::Encoding;
use ingest_model::outcome::{Rejection, Waits};
use ingest_registry::{Auth, RegistryClient, RegistrySettings};
use kustomer_ingest::config::ReserveSchedule;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Rig, coupon, order};

/// The messages of the other tests as a record of Avro: what is deep in them is a text of JSON, which becomes JSON again.
const MESSAGE: &str = r#"{"type":"record","name":"Message","namespace":"shop","fields":[
    {"name":"type","type":{"type":"enum","name":"Kind","symbols":["identify","track"]}},
    {"name":"messageId","type":"string"},
    {"name":"userId","type":["null","string"]},
    {"name":"timestamp","type":"string"},
    {"name":"event","type":["null","string"]},
    {"name":"properties","type":{"type":"string","connect.name":"io.debezium.data.Json"}}]}"#;

/// What the registry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answers,
    /// With that status.
    Refuses(u16),
    /// Longer than anybody waits.
    Slow,
}

#[derive(Debug)]
struct Inner {
    mood: Mutex<Mood>,
    schemas: Mutex<HashMap<String, Value>>,
    asked: AtomicU64,
    authorization: Mutex<Option<String>>,
}

/// A registry of our own.
struct Registry {
    inner: Arc<Inner>,
    address: SocketAddr,
    task: JoinSet<()>,
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    inner.asked.fetch_add(1, Ordering::Relaxed);
    let said = headers.get("authorization");
    let said = said.map(|value| value.to_str().unwrap().to_owned());
    *inner.authorization.lock().unwrap() = said;
    let mood = *inner.mood.lock().unwrap();
    match mood {
        Mood::Slow => tokio::time::sleep(Duration::from_secs(60)).await,
        Mood::Refuses(status) => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Mood::Answers => {}
    }
    let found = inner.schemas.lock().unwrap().get(&id).cloned();
    match found {
        Some(schema) => axum::Json(schema).into_response(),
        None => {
            let body = json!({"error_code": 40403, "message": "Schema not found"});
            (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
        }
    }
}

impl Registry {
    async fn start() -> Self {
        let inner = Arc::new(Inner {
            mood: Mutex::new(Mood::Answers),
            schemas: Mutex::default(),
            asked: AtomicU64::new(0),
            authorization: Mutex::default(),
        });
        let mut registry = Self {
            inner,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            task: JoinSet::new(),
        };
        registry.listen().await;
        registry.has("7", json!({"schema": MESSAGE}));
        registry
    }

    async fn listen(&mut self) {
        let listener = tokio::net::TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let inner = Arc::clone(&self.inner);
        let router = Router::new()
            .route("/schemas/ids/{id}", get(answer))
            .route("/schemas/guids/{id}", get(answer))
            .with_state(inner);
        self.task.spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
    }

    async fn stop(&mut self) {
        self.task.shutdown().await;
    }

    fn has(&self, id: &str, schema: Value) {
        let mut schemas = self.inner.schemas.lock().unwrap();
        schemas.insert(id.to_owned(), schema);
    }

    fn is(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    fn client(&self) -> RegistryClient {
        let url = format!("http://{}/", self.address).parse().unwrap();
        let mut settings = RegistrySettings::new(url);
        settings.timeout = Duration::from_millis(300);
        settings.access.auth = Auth::Bearer("registry-key".into());
        RegistryClient::new(&settings).unwrap()
    }

    async fn rig(&self) -> Rig {
        let reads = (Encoding::registry(), Some(self.client()));
        Rig::start_reading(6_000, 60.0, None, ReserveSchedule::always(0), reads).await
    }
}

/// A number as Avro writes it.
fn zigzag(number: usize, bytes: &mut Vec<u8>) {
    let mut rest = number << 1;
    while rest > 0x7f {
        bytes.push(u8::try_from(rest & 0x7f | 0x80).unwrap());
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// A message in Avro with the id of its schema in front.
fn avro(schema: u32, message: &str) -> Vec<u8> {
    let message: Value = serde_json::from_str(message).unwrap();
    let mut bytes = vec![0];
    bytes.extend(schema.to_be_bytes());
    let text = |text: &str, bytes: &mut Vec<u8>| {
        zigzag(text.len(), bytes);
        bytes.extend(text.as_bytes());
    };
    zigzag(1, &mut bytes);
    for (name, optional) in [
        ("messageId", false),
        ("userId", true),
        ("timestamp", false),
        ("event", true),
    ] {
        if optional {
            zigzag(1, &mut bytes);
        }
        text(message[name].as_str().unwrap(), &mut bytes);
    }
    text(&message["properties"].to_string(), &mut bytes);
    bytes
}

/// Waits until something is so.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn waiting(rig: &Rig) -> usize {
    let view = rig.views.borrow();
    let Some(view) = &*view else {
        return 0;
    };
    let partitions = view.snapshot.partitions.iter();
    partitions
        .filter(|one| one.waits == Some(Waits::Schema))
        .count()
}

fn trouble(rig: &Rig) -> Option<String> {
    let view = rig.views.borrow();
    let registry = view.as_ref()?.registry.clone()?;
    registry.trouble.map(|trouble| trouble.why.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_with_schema_ids_are_delivered() {
    let registry = Registry::start().await;
    let mut rig = registry.rig().await;
    for customer in 1..=20 {
        rig.put(
            &format!("u{customer}"),
            avro(7, &order(customer, customer, 1)),
        )
        .await;
        rig.put(&format!("u{customer}"), avro(7, &coupon(customer, 2)))
            .await;
    }
    let tally = rig.settled().await;
    assert_eq!(tally.delivered, 40, "{tally:?}");
    assert_eq!(rig.kustomer.account().kobjects_total, 20);
    assert_eq!(
        registry.inner.asked.load(Ordering::Relaxed),
        1,
        "asked once"
    );
    let said = registry.inner.authorization.lock().unwrap().clone();
    assert_eq!(said.as_deref(), Some("Bearer registry-key"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_slow_or_refuses_loses_nothing() {
    let mut registry = Registry::start().await;
    registry.stop().await;
    let mut rig = registry.rig().await;
    let mut id = 0;
    for (number, (mood, said)) in [
        (None, "no connection"),
        (Some(Mood::Slow), "no answer in time"),
        (Some(Mood::Refuses(401)), "401"),
        (Some(Mood::Refuses(403)), "403"),
        (Some(Mood::Refuses(500)), "500"),
        (Some(Mood::Refuses(404)), "is this its address"),
    ]
    .into_iter()
    .enumerate()
    {
        // each time another schema, so that the registry has to be asked
        let schema = 100 + u32::try_from(number).unwrap();
        registry.has(&schema.to_string(), json!({"schema": MESSAGE}));
        match mood {
            Some(mood) => registry.is(mood),
            None => registry.stop().await,
        }
        let before = rig.observer.tally().settled();
        for customer in 1..=8 {
            id += 1;
            rig.put(
                &format!("u{customer}"),
                avro(schema, &order(customer, id, id)),
            )
            .await;
        }
        until(said, || waiting(&rig) > 0).await;
        until(said, || trouble(&rig).is_some_and(|why| why.contains(said))).await;
        assert_eq!(rig.observer.tally().settled(), before, "{said}");
        if mood.is_none() {
            registry.listen().await;
        }
        registry.is(Mood::Answers);
        let tally = rig.settled().await;
        assert_eq!(tally.delivered, id, "{said}: {tally:?}");
        until(said, || waiting(&rig) == 0 && trouble(&rig).is_none()).await;
    }
    assert_eq!(rig.kustomer.account().kobjects_total, 48);
    let committed = rig.stop().await;
    assert_eq!(committed.values().sum::<i64>(), 48);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_whose_schemas_are_known_go_on() {
    let registry = Registry::start().await;
    let mut rig = registry.rig().await;
    rig.put("u1", avro(7, &order(1, 1, 1))).await;
    rig.settled().await;
    registry.is(Mood::Refuses(503));
    registry.has("8", json!({"schema": MESSAGE}));
    // one customer's partition waits, and what comes after in it, too
    rig.put("u1", avro(8, &order(1, 2, 2))).await;
    rig.put("u1", avro(7, &order(1, 3, 3))).await;
    until("one partition waits", || waiting(&rig) == 1).await;
    for customer in 2..=40 {
        let id = 100 + customer;
        rig.put(&format!("u{customer}"), avro(7, &order(customer, id, 4)))
            .await;
    }
    let goes_on = || rig.observer.tally().delivered > 20;
    until("the others go on", goes_on).await;
    assert_eq!(waiting(&rig), 1);
    registry.is(Mood::Answers);
    let tally = rig.settled().await;
    assert_eq!(tally.delivered, 42, "{tally:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_the_registry_does_not_have_is_a_dead_letter() {
    let registry = Registry::start().await;
    let mut rig = registry.rig().await;
    rig.put("u1", avro(99, &order(1, 1, 1))).await;
    rig.put("u1", avro(7, &order(1, 2, 2))).await;
    rig.put("u1", order(1, 3, 3)).await;
    rig.put("u1", avro(7, &order(1, 4, 4))[..20].to_vec()).await;
    let tally = rig.settled().await;
    assert_eq!(tally.delivered, 1, "{tally:?}");
    assert_eq!(tally.dead_lettered[&Rejection::UnknownSchema], 1);
    assert_eq!(tally.dead_lettered[&Rejection::InvalidEncoding], 2);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_does_not_wait_for_the_registry() {
    let registry = Registry::start().await;
    registry.is(Mood::Refuses(500));
    let mut rig = registry.rig().await;
    rig.put("u1", avro(7, &order(1, 1, 1))).await;
    until("it waits", || waiting(&rig) == 1).await;
    let committed = rig.stop().await;
    assert_eq!(committed.values().sum::<i64>(), 0, "left to the next owner");
}
