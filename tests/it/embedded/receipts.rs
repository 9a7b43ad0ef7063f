//! Receipts, by the built program: what became of each record can be looked up, and a topic that takes none stops nothing.

use std::time::Duration;

use ingest_kafka::{OutgoingRecord, RecordProducer};
use ingest_model::record::{Partition, Position};
use serde_json::{Value, json};

use super::process::{EVENTS, Quay, Worker, producer, program, record};
use super::{PATIENCE, coupon, message, order};

const RECEIPTS: &str = "quay.receipts";

/// A worker that writes receipts of these records.
struct Told {
    quay: Quay,
    producer: RecordProducer,
}

impl Told {
    async fn start(of: &str) -> Self {
        let quay = Quay::start(1, "").await;
        quay.broker.create_topic(RECEIPTS, 3).unwrap();
        let keys = format!("  receipts_topic: {RECEIPTS}\n  receipts_of: {of}\nkustomer:");
        quay.edit(|yaml| yaml.replace("kustomer:", &keys));
        Self {
            producer: producer(&quay.broker),
            quay,
        }
    }

    /// Writes a record of partition 0, and returns where it stands.
    async fn put(&self, customer: u64, value: impl Into<String>) -> Position {
        let record = OutgoingRecord {
            partition: Some(Partition(0)),
            ..record(format!("u{customer}"), value.into())
        };
        self.producer.send(&record).await.unwrap()
    }

    /// Runs `receipts COMMAND`: what it printed, what it said, and its exit code.
    fn run(&self, arguments: &[&str]) -> (String, String, i32) {
        let output = program()
            .args(["receipts", arguments[0], "--config"])
            .arg(&self.quay.file)
            .args(&arguments[1..])
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (text(output.stdout), text(output.stderr), code)
    }

    /// All receipts of a record.
    fn all_of(&self, position: &Position) -> Vec<Value> {
        let name = format!("{EVENTS}/0/{}", position.offset.0);
        let (out, err, code) = self.run(&["show", &name, "--json"]);
        assert_eq!(code, 0, "{name}: {err}");
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The only receipt of a record.
    fn only_of(&self, position: &Position) -> Value {
        let mut all = self.all_of(position);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }
}

fn bought(customer: u64, order: &str, second: u64) -> String {
    let order = json!({ "order_id": order, "total": second });
    message(customer, "Order Completed", second, &order)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_each_record_can_be_looked_up() {
    let told = Told::start("all").await;
    let event = told.put(1, coupon(1, 1)).await;
    let mut orders = Vec::new();
    // The second state of the last one stands right behind the first.
    for customer in (3..12).chain([2]) {
        orders.push(told.put(customer, order(customer, customer, 5)).await);
    }
    let merged = told.put(2, bought(2, "o2", 6)).await;
    let broken = told.put(1, "no JSON").await;
    let nothing = told.put(1, message(1, "Nobody Cares", 1, &json!({}))).await;
    let worker = Worker::start(&told.quay.file);
    worker
        .until("14 receipts", |status| status["receipts"]["written"] == 14)
        .await;
    // What was written before is late, or said again.
    let repeat = told.put(1, coupon(1, 1)).await;
    let stale = told.put(2, bought(2, "o2", 1)).await;
    let status = worker
        .until("all receipts", |status| status["receipts"]["written"] == 16)
        .await;
    assert_eq!(status["receipts"]["failed"], 0);
    assert_eq!(status["receipts"]["topic"], RECEIPTS);

    let receipt = told.only_of(&event);
    assert_eq!(receipt["verdict"], "delivered");
    assert_eq!(receipt["event_ids"], json!(["Coupon Applied-1-1"]));
    assert_eq!(receipt["units"], 1.0);
    let operation = &receipt["operations"][0];
    assert_eq!(
        (&operation["kind"], &operation["attempts"]),
        (&json!("track"), &json!(1))
    );
    let customer = operation["customer_id"].as_str().expect("a customer's id");
    let known = told.quay.kustomer.with(|sim| {
        let all = sim.customers();
        let found = all
            .into_iter()
            .find(|one| one.external_id.as_deref() == Some("u1"));
        found.map(|one| one.id)
    });
    assert_eq!(Some(customer), known.as_deref());

    let jobs: Vec<String> = orders
        .iter()
        .filter_map(|order| {
            let receipt = told.only_of(order);
            assert_eq!(receipt["verdict"], "delivered");
            let operation = &receipt["operations"][0];
            assert_eq!(operation["klass"], "order");
            assert!(operation["object_id"].is_string(), "{receipt:#}");
            operation["job"].as_str().map(str::to_owned)
        })
        .collect();
    assert!(!jobs.is_empty(), "some travelled in a bulk job");
    let receipt = told.only_of(&merged);
    assert_eq!(receipt["operations"][0]["merged"], 2, "{receipt:#}");

    let verdict = |position: &Position| {
        let receipt = told.only_of(position);
        let of_operation = receipt["operations"][0]["verdict"].clone();
        let text = |name: &str| receipt[name].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("reason"), of_operation)
    };
    let ended =
        |verdict: &str, reason: &str, of: Value| (verdict.to_owned(), reason.to_owned(), of);
    assert_eq!(
        verdict(&broken),
        ended("dead_lettered", "invalid_json", Value::Null)
    );
    assert_eq!(verdict(&nothing), ended("skipped", "no_route", Value::Null));
    assert_eq!(
        verdict(&repeat),
        ended("skipped", "repeat", json!("skipped"))
    );
    assert_eq!(verdict(&stale), ended("skipped", "stale", json!("skipped")));

    // For people, and by what they have: an event's id, a job, a customer.
    let name = format!("{EVENTS}/0/{}", event.offset.0);
    let (shown, _, code) = told.run(&["show", &name]);
    assert_eq!(code, 0);
    for part in [
        &format!("{name}  delivered"),
        "Coupon Applied-1-1",
        customer,
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("u1"), "no key of a customer\n{shown}");
    let (found, _, _) = told.run(&["find", "--event-id", "Coupon Applied-1-1"]);
    assert_eq!(found.matches("Coupon Applied-1-1").count(), 2, "{found}");
    let (found, _, _) = told.run(&["find", "--job", &jobs[0], "--json"]);
    let of_job = jobs.iter().filter(|job| **job == jobs[0]).count();
    assert!(found.lines().count() >= of_job, "{found}");
    let (found, _, _) = told.run(&["find", "--customer-id", customer, "--json", "--limit", "1"]);
    assert_eq!(found.lines().count(), 1, "{found}");
    let (out, err, code) = told.run(&["find", "--event-id", "nobody"]);
    assert_eq!((out.as_str(), code), ("", 1));
    assert!(err.contains("has no such receipt"), "{err}");
    let (_, err, code) = told.run(&["show", &format!("{EVENTS}/0/999")]);
    assert!(
        code == 1 && err.contains("has no receipt of quay.events/0/999"),
        "{err}"
    );
    let (_, err, code) = told.run(&["show", "quay.events:0"]);
    assert!(code == 2 && err.contains("TOPIC/PARTITION/OFFSET"), "{err}");
    let (_, err, code) = told.run(&["find"]);
    assert!(code == 2 && err.contains("--event-id"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_refuses_receipts_stops_no_delivery_and_is_told_of() {
    let told = Told::start("attempted").await;
    told.quay.broker.forbid_topic(RECEIPTS).unwrap();
    let worker = Worker::start(&told.quay.file);
    for customer in 0..20 {
        told.put(customer, coupon(customer, 1)).await;
    }
    told.put(1, message(1, "Nobody Cares", 1, &json!({}))).await;
    worker
        .until("all is committed", |status| {
            status["partitions"][0]["committed_offset"] == 21
        })
        .await;
    let accepted = told.quay.kustomer.account().accepted;
    assert_eq!(accepted.tracking, 20);
    let status = worker
        .until("they failed", |status| status["receipts"]["failed"] == 20)
        .await;
    assert_eq!(status["receipts"]["written"], 0);
    assert_eq!(status["receipts"]["waiting"], 0);
    let problem = worker
        .until("it is named", |status| {
            status["kafka"]["topics"][0]["topic"] == RECEIPTS
        })
        .await;
    let problem = &problem["kafka"]["topics"][0];
    assert_eq!(problem["setting"], "kafka.receipts_topic");
    let way_out = problem["what_to_do"].as_str().unwrap();
    assert!(way_out.contains("--operation Write"), "{way_out}");
    let metrics = worker.get("/metrics").await;
    let failed = "kustomer_ingest_receipts_total{result=\"failed\"} 20\n";
    assert!(metrics.contains(failed), "{metrics}");
    let ready = worker.get("/ready").await;
    assert!(ready.contains("\"ok\""), "deliveries go on: {ready}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(worker.get("/live").await.contains("\"ok\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_receipts_the_commands_say_so() {
    let quay = Quay::start(1, "").await;
    let told = Told {
        producer: producer(&quay.broker),
        quay,
    };
    let (_, err, code) = told.run(&["show", &format!("{EVENTS}/0/0")]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("names no kafka.receipts_topic"), "{err}");
    let waited = tokio::time::timeout(PATIENCE, async {
        let worker = Worker::start(&told.quay.file);
        worker
            .until("no receipts", |status| status["receipts"].is_null())
            .await
    });
    assert!(waited.await.is_ok());
}
