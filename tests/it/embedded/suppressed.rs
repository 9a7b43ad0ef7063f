//! People of whom nothing is sent, by the built program: the list is read before the first record, and again while it runs.

use std::path::Path;
use std::time::Duration;

use ingest_kafka::RecordProducer;
use serde_json::{Value, json};

use super::process::{EVENTS, Quay, Worker, configuration, producer, program, put_whole, record};
use super::{PATIENCE, coupon, message};

struct Listed {
    quay: Quay,
    producer: RecordProducer,
    worker: Worker,
    http: reqwest::Client,
}

impl Listed {
    async fn start(list: &str) -> Self {
        let quay = Quay::start(2, "").await;
        quay.edit(|yaml| yaml + LIST);
        let mut absent = program();
        absent.args(["run", "--config"]).arg(&quay.file);
        let absent = absent.env("QUAY_TOKEN", "sim-key").output().unwrap();
        let told = String::from_utf8(absent.stderr).unwrap();
        assert_eq!(absent.status.code(), Some(1), "{told}");
        assert!(told.contains("privacy.suppressed"), "{told}");
        assert!(told.contains("people.ndjson"), "{told}");
        put(quay.folder.path(), list);
        Self {
            producer: producer(&quay.broker),
            worker: Worker::start(&quay.file),
            quay,
            http: reqwest::Client::builder()
                .timeout(PATIENCE)
                .no_proxy()
                .build()
                .unwrap(),
        }
    }

    async fn send(&self, customer: u64, value: String) {
        let record = record(format!("u{customer}"), value);
        self.producer.send(&record).await.unwrap();
    }

    async fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.worker.admin);
        let answer = self.http.get(url).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Waits until a part of `/status` is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let status: Value = serde_json::from_str(&self.get("/status").await).unwrap();
                if is_so(&status["suppressed"]) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{what}"))
    }

    async fn skipped(&self, records: u64) {
        let name = "kustomer_ingest_records_skipped_total";
        let line = format!("{name}{{reason=\"suppressed\",topic=\"{EVENTS}\"}} {records}\n");
        let waited = tokio::time::timeout(PATIENCE, async {
            while !self.get("/metrics").await.contains(&line) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "{line}: {}",
            self.get("/metrics").await
        );
    }

    async fn tracked(&self, events: u64) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.quay.kustomer.account().accepted.tracking < events {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "{:#?}", self.quay.kustomer.account());
    }
}

/// What names the list in the configuration.
const LIST: &str = "privacy: { suppressed: people.ndjson }\n";

/// Puts the list into its file, as a whole.
fn put(folder: &Path, list: &str) {
    put_whole(folder, "people.ndjson", list);
}

fn identify(customer: u64) -> String {
    json!({
        "type": "identify",
        "messageId": format!("identify-{customer}"),
        "userId": format!("u{customer}"),
        "timestamp": "2026-01-02T03:04:05Z",
        "traits": { "email": format!("u{customer}@quay.example"), "name": "Ingrid Moe" },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_of_suppressed_people_until_the_list_lets_them_go() {
    let first = "{\"externalId\": \"u1\"}\n{\"email\": \"u3@quay.example\", \"action\": \"delete_and_suppress\"}\n";
    let all = Listed::start(first).await;
    let bought = |customer| {
        let order = json!({ "order_id": format!("o{customer}"), "total": 5, "currency": "EUR", "products": [] });
        message(customer, "Order Completed", 1, &order)
    };
    all.send(1, coupon(1, 1)).await;
    all.send(1, identify(1)).await;
    all.send(1, bought(1)).await;
    all.send(3, identify(3)).await;
    all.send(2, coupon(2, 1)).await;
    all.skipped(4).await;
    all.tracked(1).await;
    let status = all
        .until("the list is known", |list| list["keys"] == 2)
        .await;
    assert_eq!(status["suppressed"]["to_delete"], 1);
    let accepted = all.quay.kustomer.account().accepted;
    assert_eq!((accepted.tracking, accepted.identities), (1, 0));
    assert_eq!(
        (accepted.customers_created, accepted.kobjects_created),
        (1, 0)
    );

    // Somebody saves a list with a mistake: the former one goes on, and nobody's data is told.
    put(
        all.quay.folder.path(),
        "{\"email\": \"u1 at quay.example\"}\n",
    );
    let broken = |list: &Value| {
        let told = list["problem"].as_str().unwrap_or_default();
        told.contains("line 1: email: is no e-mail address")
    };
    let status = all.until("the mistake is told", broken).await;
    assert!(!status.to_string().contains("quay.example"), "{status}");
    all.send(1, coupon(1, 2)).await;
    all.skipped(5).await;

    // One more is suppressed while the worker runs, and the first is let go: what comes from then on is sent, and nothing before.
    let second = "{\"externalId\": \"u2\"}\n{\"externalId\": \"u1\", \"action\": \"unsuppress\"}\n";
    put(all.quay.folder.path(), &format!("{first}{second}"));
    // Who comes is taken at once, who goes at the next look.
    let status = all
        .until("the list has changed", |list| list["changed"] == 2)
        .await;
    assert_eq!(status["suppressed"]["problem"], Value::Null);
    all.send(2, coupon(2, 2)).await;
    all.skipped(6).await;
    all.send(1, coupon(1, 3)).await;
    all.tracked(2).await;
    let accepted = all.quay.kustomer.account().accepted;
    assert_eq!((accepted.tracking, accepted.identities), (2, 0));
    assert_eq!(
        (accepted.customers_created, accepted.kobjects_created),
        (2, 0)
    );
}

/// `check` and `explain` know the list.
#[test]
fn a_list_is_checked_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = configuration(folder.path(), "localhost:1", "http://127.0.0.1:1", "");
    let yaml = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, yaml + LIST).unwrap();
    let run = |command: &str, rest: &[&Path]| {
        let output = program()
            .args([command, "--config"])
            .arg(&file)
            .args(rest)
            .env("QUAY_TOKEN", "sim-key")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), told)
    };
    let (code, told) = run("check", &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("privacy.suppressed: cannot read"), "{told}");
    // It may stand only where the worker runs: what is explained here is for nobody on it.
    let events = folder.path().join("events.ndjson");
    std::fs::write(&events, format!("{}\n{}\n", coupon(1, 1), coupon(2, 1))).unwrap();
    let (code, told) = run("explain", &[&events]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told.matches("\"verdict\":\"emit\"").count(), 2, "{told}");
    put(folder.path(), "{\"phone\": \"030 123\"}\n");
    let (code, told) = run("check", &[]);
    assert_eq!(code, Some(3), "{told}");
    assert!(
        told.contains("line 1: phone: is no international phone number"),
        "{told}"
    );
    let page = include_str!("../../../docs/privacy.md");
    let (_, example) = page.split_once("```json\n").unwrap();
    put(folder.path(), example.split_once("```").unwrap().0);
    let (code, told) = run("check", &[]);
    assert_eq!(code, Some(0), "{told}");
    put(folder.path(), "{\"externalId\": \"u1\"}\n");
    assert_eq!(run("check", &[]).0, Some(0));
    let gone = "{\"email\": \"u3@quay.example\", \"action\": \"delete_and_suppress\"}\n";
    put(
        folder.path(),
        &format!("{{\"externalId\": \"u1\"}}\n{gone}"),
    );
    let list = program()
        .args(["suppressed", "list", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let told = String::from_utf8(list.stdout).unwrap();
    assert_eq!(told, "{\"line\":2,\"email\":[\"u3@quay.example\"]}\n");
    let said = String::from_utf8(list.stderr).unwrap();
    assert_eq!(
        said,
        "1 line to delete in Kustomer by hand; 2 keys suppressed in all\n"
    );
    let (code, told) = run("explain", &[&events]);
    assert_eq!(code, Some(0), "{told}");
    let lines: Vec<Value> = told
        .lines()
        .map(|one| serde_json::from_str(one).unwrap())
        .collect();
    assert_eq!(lines[0]["verdict"], "skip");
    assert_eq!(lines[0]["reason"], "suppressed");
    let detail = lines[0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("nothing is sent: the customer is suppressed"),
        "{detail}"
    );
    assert_eq!(lines[1]["verdict"], "emit");
}
