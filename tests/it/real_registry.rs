//! Apicurio, a real registry that speaks Confluent's API, with what independent serializers wrote (`pipeline/encoding/tests/fixtures`).
//!
//! `.ci/registry` fetches and runs it. The tests run with `INGEST_REQUIRE_REGISTRY=1`, as `.ci/run` sets it; otherwise they say that they did not.
#![cfg(test)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use ingest_encoding::{Encoding, Found, Opened, SchemaId, Schemas};
use ingest_model::record::{Offset, Position, Record, TopicPartition};
use ingest_registry::{
    Access, Auth, Failure, ReadAccess, RegistryClient, RegistrySettings, RegistryStatus,
};
use kustomer_ingest::clock::Clock;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::vocabulary::root;

/// What independent serializers wrote.
pub(crate) const FIXTURES: &str =
    include_str!("../../pipeline/encoding/tests/fixtures/fixtures.json");

/// A registry in a process of its own.
pub(crate) struct Registry {
    process: Child,
    port: u16,
    /// Its address.
    pub(crate) url: String,
    http: reqwest::Client,
}

struct One(Found);

impl Schemas for One {
    fn find(&self, _: SchemaId) -> Found {
        self.0.clone()
    }
}

impl Registry {
    /// Starts one, unless nobody asked for it.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        Self::start_wanting(test, None).await
    }

    /// One that answers only who has a token of this issuer, and a role that may read for reading and one that may write for writing.
    async fn start_wanting(test: &str, issuer: Option<&Issuer>) -> Option<Self> {
        if std::env::var_os("INGEST_REQUIRE_REGISTRY").is_none_or(|value| value != "1") {
            let mut err = std::io::stderr().lock();
            let said = "did not run: INGEST_REQUIRE_REGISTRY=1 asks for a real registry";
            writeln!(err, "real registry: {test} {said}").unwrap();
            return None;
        }
        let port = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let timeout = Duration::from_secs(10);
        let mut builder = reqwest::Client::builder().timeout(timeout);
        if let Some(issuer) = issuer {
            let bearer = format!("Bearer {}", issuer.token(Some("sr-admin"), 600));
            let headers = [(reqwest::header::AUTHORIZATION, bearer.parse().unwrap())];
            builder = builder.default_headers(headers.into_iter().collect());
        }
        let mut registry = Self {
            process: run(port, issuer),
            port,
            url: format!("http://127.0.0.1:{port}/apis/ccompat/v7"),
            http: builder.build().unwrap(),
        };
        registry.until_it_answers().await;
        Some(registry)
    }

    /// Ends it and starts it again: it keeps everything in memory, so it has forgotten all schemas.
    async fn forget(&mut self) {
        self.end();
        self.process = run(self.port, None);
        self.until_it_answers().await;
    }

    async fn until_it_answers(&mut self) {
        for _ in 0..600 {
            let asked = self.http.get(format!("{}/subjects", self.url)).send();
            if asked.await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the registry ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the registry did not answer within two minutes");
    }

    fn end(&mut self) {
        if self.process.kill().is_ok() {
            self.process.wait().unwrap();
        }
    }

    fn client(&self) -> RegistryClient {
        let mut settings = RegistrySettings::new(self.url.parse().unwrap());
        settings.timeout = Duration::from_secs(5);
        RegistryClient::new(&settings).unwrap()
    }

    /// Registers a schema; returns its id.
    pub(crate) async fn register(&self, subject: &str, body: &Value) -> u32 {
        let url = format!("{}/subjects/{subject}/versions", self.url);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{subject}: {status} {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        u32::try_from(answer["id"].as_u64().unwrap()).unwrap()
    }

    /// Registers the schema of a fixture and those that it refers to; returns its id.
    pub(crate) async fn register_case(&self, case: &Value, number: usize) -> u32 {
        let mut references = Vec::new();
        for one in case["references"].as_array().into_iter().flatten() {
            let subject = format!("{}-{number}", one[0].as_str().unwrap());
            let body = json!({"schema": one[1], "schemaType": case["type"]});
            self.register(&subject, &body).await;
            references.push(json!({"name": one[0], "subject": subject, "version": 1}));
        }
        let body =
            json!({"schema": case["schema"], "schemaType": case["type"], "references": references});
        self.register(&format!("orders-{number}"), &body).await
    }

    /// Stops the process in its tracks, or lets it go on.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(port: u16, issuer: Option<&Issuer>) -> Child {
    let mut command = Command::new(root().join(".ci/registry"));
    if let Some(issuer) = issuer {
        command
            .env("QUARKUS_OIDC_TENANT_ENABLED", "true")
            .env("QUARKUS_OIDC_PUBLIC_KEY", issuer.public_key())
            .env("APICURIO_AUTH_ROLE_BASED_AUTHORIZATION", "true");
    }
    command
        .args(["run", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Somebody whose tokens a registry believes.
struct Issuer(PKey<Private>);

impl Issuer {
    fn new() -> Self {
        Self(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap())
    }

    /// The base64 of the key in DER.
    fn public_key(&self) -> String {
        STANDARD.encode(self.0.public_key_to_der().unwrap())
    }

    /// A token for somebody with this role, which ends in so many seconds.
    fn token(&self, role: Option<&str>, seconds: i64) -> String {
        let now = Clock.unix_ms() / 1000;
        let head = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "iss": "https://login.example", "sub": "worker", "preferred_username": "worker",
            "iat": now - 600, "exp": now + seconds, "realm_access": {"roles": role.as_slice()},
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0).unwrap();
        signer.update(signed.as_bytes()).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(signer.sign_to_vec().unwrap());
        format!("{signed}.{signature}")
    }
}

/// The client of whoever has the token in this file, which may change.
fn bearer_in(registry: &Registry, file: &Path) -> RegistryClient {
    let read = |file: &Path| {
        let token = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let auth = Auth::Bearer(token.into());
        Ok(Access { auth, ca: None })
    };
    let mut settings = RegistrySettings::new(registry.url.parse().unwrap());
    settings.access = read(file).unwrap();
    let file = file.to_owned();
    settings.rereads = Some(ReadAccess::new(move || read(&file)));
    RegistryClient::new(&settings).unwrap()
}

fn record(value: Vec<u8>) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("orders", 0),
            offset: Offset(0),
        },
        key: None,
        value: Some(Bytes::from(value)),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_is_read_by_the_schemas_of_a_real_registry() {
    let Some(registry) = Registry::start("what others write").await else {
        return;
    };
    let client = registry.client();
    client.probe().await.unwrap();
    let cases: Vec<Value> = serde_json::from_str(FIXTURES).unwrap();
    let mut read = 0;
    for (number, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let value = STANDARD.decode(case["value"].as_str().unwrap()).unwrap();
        // values without a frame are not the registry's
        let framed = case.get("headers").is_none() && value.first() == Some(&0);
        if !framed || case.get("bare").is_some() {
            continue;
        }
        let id = registry.register_case(case, number).await;
        let schema = client.fetch(SchemaId::Number(id)).await;
        let schema = schema.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let mut ours = value.clone();
        ours[1..5].copy_from_slice(&id.to_be_bytes());
        let record = record(ours);
        let schemas = One(Found::Known(Arc::clone(&schema)));
        let Opened::Record(opened) = Encoding::registry().open(&record, &schemas) else {
            panic!("{name} is not read")
        };
        let found: Value = serde_json::from_slice(opened.value.as_deref().unwrap()).unwrap();
        assert_eq!(found, case["expect"], "{name}");
        read += 1;
    }
    assert!(read >= 8, "{read} were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_that_stands_still_goes_on_by_itself() {
    let Some(registry) = Registry::start("a registry that stands still").await else {
        return;
    };
    let id = registry
        .register("orders", &json!({"schema": "\"string\""}))
        .await;
    // the first answers of a Java that has just started may take long
    let patient = registry.client();
    let gone = patient.fetch(SchemaId::Number(999_999)).await.unwrap_err();
    assert!(matches!(gone, Failure::Unknown(_)), "{gone:?}");
    let mut settings = RegistrySettings::new(registry.url.parse().unwrap());
    settings.timeout = Duration::from_millis(500);
    let client = RegistryClient::new(&settings).unwrap();
    registry.signal("-STOP");
    let (handle, service) = ingest_registry::start(client, RegistrySettings::CACHE);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(service.run());
    let mut news = handle.news();
    let interest = handle.interest();
    assert!(interest.want(SchemaId::Number(id)).await);
    let waited = tokio::time::timeout(Duration::from_secs(3), news.changed()).await;
    assert!(waited.is_err(), "nobody can have answered");
    let trouble = handle.status().trouble.expect("it is known to be away");
    assert_eq!(&*trouble.why, "no answer in time");
    registry.signal("-CONT");
    let came = tokio::time::timeout(Duration::from_secs(30), news.changed()).await;
    came.expect("it answers").unwrap();
    assert!(matches!(
        handle.store().find(SchemaId::Number(id)),
        Found::Known(_)
    ));
    assert!(handle.status().trouble.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_that_has_forgotten_an_id_is_believed_and_one_that_is_away_is_not() {
    let Some(mut registry) = Registry::start("a registry that forgets").await else {
        return;
    };
    let id = registry
        .register("orders", &json!({"schema": "\"string\""}))
        .await;
    let id = SchemaId::Number(id);
    registry.client().fetch(id).await.unwrap();
    registry.end();
    let away = registry.client().fetch(id).await.unwrap_err();
    assert!(matches!(away, Failure::Down(_)), "{away:?}");
    registry.forget().await;
    let gone = registry.client().fetch(id).await.unwrap_err();
    assert!(matches!(gone, Failure::Unknown(_)), "{gone:?}");
}

/// Apicurio's copy of Confluent's API has no `/schemas/guids`: 404 without a body. That decides nothing about a record, and says what to look at.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_knows_no_guids_says_nothing_about_a_record() {
    let Some(registry) = Registry::start("a registry without GUIDs").await else {
        return;
    };
    let body = json!({"schema": "\"string\""});
    registry.register("orders", &body).await;
    let failure = registry.client().fetch(SchemaId::Guid([7; 16])).await;
    let failure = failure.unwrap_err();
    assert!(matches!(failure, Failure::Down(_)), "{failure:?}");
    let said = failure.to_string();
    assert!(
        said.contains("a registry that does not know GUIDs"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_that_refuses_is_asked_again_with_the_credentials_that_come() {
    let issuer = Issuer::new();
    let test = "a registry that refuses";
    let Some(registry) = Registry::start_wanting(test, Some(&issuer)).await else {
        return;
    };
    let body = json!({"schema": "\"string\""});
    let id = SchemaId::Number(registry.register("orders", &body).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    // Nobody, somebody else's token, one that is over: 401. Somebody who may read nothing: 403.
    let nobody = registry.client().fetch(id).await.unwrap_err();
    assert!(matches!(&nobody, Failure::Down(why) if why.contains("401")));
    for (token, status) in [
        (Issuer::new().token(Some("sr-readonly"), 600), "401"),
        (issuer.token(Some("sr-readonly"), -300), "401"),
        ("mistyped".to_owned(), "401"),
        (issuer.token(None, 600), "403"),
    ] {
        std::fs::write(&file, token).unwrap();
        let client = bearer_in(&registry, &file);
        for refused in [client.fetch(id).await.map(drop), client.probe().await] {
            let refused = refused.unwrap_err();
            let said = matches!(&refused, Failure::Down(why) if why.contains(status));
            assert!(said, "{status}: {refused:?}");
        }
    }
    // Records wait for a registry that refuses, and go on with the token that somebody puts in its place.
    let client = bearer_in(&registry, &file);
    let (handle, service) = ingest_registry::start(client, RegistrySettings::CACHE);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(service.run());
    let (mut news, interest) = (handle.news(), handle.interest());
    assert!(interest.want(id).await);
    let waited = tokio::time::timeout(Duration::from_secs(3), news.changed()).await;
    assert!(waited.is_err(), "it cannot have been given");
    let refused = |status: &RegistryStatus| {
        let trouble = status.trouble.as_ref();
        trouble.is_some_and(|trouble| trouble.why.contains("403"))
    };
    assert!(refused(&handle.status()), "{:?}", handle.status());
    assert!(matches!(handle.store().find(id), Found::NotYet));
    std::fs::write(&file, issuer.token(Some("sr-readonly"), 600)).unwrap();
    let came = tokio::time::timeout(Duration::from_secs(20), news.changed()).await;
    came.expect("it is given").unwrap();
    assert!(matches!(handle.store().find(id), Found::Known(_)));
    assert!(handle.status().trouble.is_none());
}
