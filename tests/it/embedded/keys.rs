//! Another API key while the worker runs.

use std::path::Path;
use std::time::Duration;

use ingest_kafka::RecordProducer;
use serde_json::{Value, json};

use super::process::{Quay, Worker, producer, put_whole, record};
use super::{PATIENCE, coupon};

/// A worker whose key is in a file, its broker and its Kustomer.
struct Keyed {
    quay: Quay,
    producer: RecordProducer,
    worker: Worker,
    http: reqwest::Client,
    produced: u64,
}

impl Keyed {
    async fn start(key: &str) -> Self {
        let quay = Quay::start(2, "").await;
        quay.edit(|yaml| yaml.replace("{ env: QUAY_TOKEN }", "{ file: key }"));
        put_key(quay.folder.path(), key);
        Self {
            producer: producer(&quay.broker),
            worker: Worker::start(&quay.file),
            quay,
            http: reqwest::Client::builder()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
            produced: 0,
        }
    }

    /// Events of as many customers.
    async fn put(&mut self, events: u64) {
        for n in self.produced..self.produced + events {
            let record = record(format!("u{n}"), coupon(n, 1));
            self.producer.send(&record).await.unwrap();
        }
        self.produced += events;
    }

    async fn keys(&self, change: Value) {
        let url = format!("{}/_sim/keys", self.quay.kustomer.url());
        let body = change.to_string();
        let answer = self.http.post(url).body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.worker.admin);
        let answer = self.http.get(url).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Waits until the status is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let (_, status) = self.get("/status").await;
                if is_so(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        match waited.await {
            Ok(status) => status,
            Err(_) => panic!("{what}: {:#}", self.get("/status").await.1),
        }
    }

    /// Waits until Kustomer has every event, and checks that it has each once.
    async fn delivered(&self) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.quay.kustomer.account().accepted.tracking < self.produced {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let late = waited.await.is_err();
        let account = self.quay.kustomer.account();
        assert!(!late, "{account:#?}");
        assert_eq!(account.accepted.tracking, self.produced);
        assert_eq!(account.repeated.tracking, 0);
        let (_, metrics) = self.get("/metrics").await;
        let metrics = metrics.as_str().unwrap();
        let letters = metrics
            .lines()
            .filter(|line| line.starts_with("kustomer_ingest_dead_letters_total"))
            .filter(|line| !line.ends_with(" 0"));
        assert_eq!(letters.count(), 0);
    }
}

/// Puts a key into its file, as a whole.
fn put_key(folder: &Path, key: &str) {
    put_whole(folder, "key", &format!("{key}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_overlap_and_the_former_one_is_revoked_under_load() {
    let mut all = Keyed::start("sim-key").await;
    all.until("the key is known", |status| {
        status["key"]["accepted"] == true
    })
    .await;
    all.put(200).await;
    all.keys(json!({ "add": ["second-key"] })).await;
    put_key(all.quay.folder.path(), "second-key");
    all.put(200).await;
    let status = all
        .until("the key is replaced", |status| {
            status["key"]["replaced"] == 1
        })
        .await;
    assert_eq!(status["key"]["name"], "key 2");
    assert_eq!(status["key"]["problem"], Value::Null);
    all.keys(json!({ "revoke": ["sim-key"] })).await;
    all.put(200).await;
    all.delivered().await;
    let refused = all.quay.kustomer.account().requests.by_status;
    assert_eq!(refused.get(&401).copied().unwrap_or(0), 0, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_under_load_holds_everything_until_there_is_another_one() {
    let mut all = Keyed::start("sim-key").await;
    all.put(400).await;
    all.until("it works", |status| status["uptime_seconds"] != 0)
        .await;
    all.keys(json!({ "revoke": ["sim-key"], "add": ["second-key"] }))
        .await;
    all.put(200).await;
    all.until("everything is held", |status| {
        status["holds"][0]["cause"] == "bad_token" && status["holds"][0]["scope"] == "destination"
    })
    .await;
    assert_eq!(all.get("/ready").await.0, 503);
    put_key(all.quay.folder.path(), "second-key");
    all.until("the hold is over", |status| status["holds"] == json!([]))
        .await;
    all.delivered().await;
    assert_eq!(all.get("/ready").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_makes_an_idle_worker_unready_and_a_mistyped_one_changes_nothing() {
    let mut all = Keyed::start("mistyped").await;
    let status = all
        .until("the key is refused", |status| {
            status["key"]["accepted"] == false
        })
        .await;
    assert_eq!(status["requests"], 0, "there is nothing to do");
    let (code, body) = all.get("/ready").await;
    assert_eq!(code, 503);
    let said = body.to_string();
    assert!(said.contains("the API key is refused"), "{said}");
    assert!(said.contains("kustomer.token"), "{said}");
    assert!(!said.contains("mistyped"), "{said}");
    put_key(all.quay.folder.path(), "sim-key");
    all.until("the key is accepted", |status| {
        status["key"]["accepted"] == true
    })
    .await;
    for (wrong, why) in [("mistyped", "bad_token"), ("two words", "contains a space")] {
        put_key(all.quay.folder.path(), wrong);
        let status = all
            .until("the other key is refused", |status| {
                status["key"]["problem"]
                    .as_str()
                    .is_some_and(|said| said.contains(why))
            })
            .await;
        assert_eq!(status["key"]["accepted"], true, "the former one goes on");
    }
    std::fs::remove_file(all.quay.folder.path().join("key")).unwrap();
    all.until("the file is missed", |status| {
        status["key"]["problem"]
            .as_str()
            .is_some_and(|said| said.contains("cannot read"))
    })
    .await;
    all.put(50).await;
    all.delivered().await;
    put_key(all.quay.folder.path(), "sim-key");
    let status = all
        .until("all is well", |status| {
            status["key"]["problem"] == Value::Null
        })
        .await;
    assert_eq!(status["key"]["replaced"], 1);
    let (_, metrics) = all.get("/metrics").await;
    let told = |result: &str, times: u32| {
        let line = format!("kustomer_ingest_key_changes_total{{result=\"{result}\"}} {times}");
        assert!(metrics.as_str().unwrap().contains(&line), "{line}");
    };
    told("replaced", 1);
    told("refused", 3);
    told("unreadable", 1);
}
