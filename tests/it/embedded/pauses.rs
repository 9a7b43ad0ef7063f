//! A planned pause of the built program, with its commands: nothing of it is sent, the rest goes on, and then all of it arrives.

use std::process::Output;
use std::time::Duration;

use ingest_kafka::RecordProducer;
use kustomer_sim::server::Server;
use serde_json::Value;

use super::process::{EVENTS, Quay, Worker, producer, program, record};
use super::{PATIENCE, coupon, order};

const CUSTOMERS: u64 = 40;

async fn put(producer: &RecordProducer, from: u64) {
    for n in from..from + CUSTOMERS {
        for value in [coupon(n, 1), order(n, n, 2)] {
            let record = record(format!("u{n}"), value);
            producer.send(&record).await.unwrap();
        }
    }
}

/// What the program says to these arguments and the worker's address.
async fn ask(worker: &Worker, arguments: &[&str]) -> Output {
    let address = worker.admin.trim_start_matches("http://").to_owned();
    let mut command = program();
    command.args(arguments).args(["--address", &address]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await;
    output.unwrap()
}

async fn said(worker: &Worker, arguments: &[&str]) -> String {
    let output = ask(worker, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

async fn get(worker: &Worker, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}{path}", worker.admin))
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until Kustomer has so many events and objects.
async fn accepted(kustomer: &Server, events: u64, orders: u64) {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let accepted = kustomer.account().accepted;
            if accepted.tracking >= events && accepted.kobjects_created >= orders {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let late = waited.await.is_err();
    let account = kustomer.account();
    assert!(!late, "{events} and {orders} of {account:#?}");
    assert_eq!(account.accepted.tracking, events);
    assert_eq!(account.accepted.kobjects_created, orders);
}

/// Waits until the worker shows that number of holds.
async fn shows(worker: &Worker, holds: usize) -> Value {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let (_, text) = get(worker, "/status").await;
            let status: Value = serde_json::from_str(&text).unwrap();
            if status["holds"]
                .as_array()
                .is_some_and(|all| all.len() == holds)
            {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.expect("the holds show")
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_paused_by_command_while_events_go_on_and_resumed() {
    let quay = Quay::start(2, "").await;
    let (producer, kustomer) = (producer(&quay.broker), &quay.kustomer);
    let worker = Worker::start(&quay.file);
    let orders = ["--destination", "kobject:order"];
    let pause = [
        "pause",
        "--destination",
        "kobject:order",
        "--reason",
        "the klass is rebuilt",
    ];
    assert_eq!(
        said(&worker, &pause).await,
        "kobject_write:order is paused until somebody resumes it, or until this worker ends\n"
    );
    put(&producer, 0).await;
    // Each order is an event for the timeline, too.
    let events = kustomer_events(kustomer).await;
    accepted(kustomer, events, 0).await;
    let status = shows(&worker, 1).await;
    assert_eq!(status["holds"][0]["cause"], "paused");
    assert_eq!(
        status["holds"][0]["pause"]["reason"],
        "the klass is rebuilt"
    );
    assert_eq!(status["holds"][0]["pause"]["until"], Value::Null);
    let (ready, body) = get(&worker, "/ready").await;
    assert_eq!(ready, 200, "{body}");
    assert!(body.contains("the klass is rebuilt"), "{body}");
    let listed = said(&worker, &["holds", "list"]).await;
    assert!(listed.contains("kobject_write:order  paused"), "{listed}");
    assert!(
        listed.contains("without an end, by hand: the klass is rebuilt"),
        "{listed}"
    );
    let (_, metrics) = get(&worker, "/metrics").await;
    for line in [
        r#"kustomer_ingest_holds{cause="paused",scope="kobject_write"} 1"#,
        "kustomer_ingest_pauses_without_end 1",
        r#"kustomer_ingest_admin_changes_total{action="pause",result="done"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let resumed = said(&worker, &["resume", orders[0], orders[1]]).await;
    assert_eq!(resumed, "kobject_write:order goes on\n");
    accepted(kustomer, events, CUSTOMERS).await;
    shows(&worker, 0).await;

    // Now the whole topic, which nobody has to resume.
    let text = said(&worker, &["pause", "--topic", EVENTS, "--for", "3s"]).await;
    assert!(
        text.starts_with("topic:quay.events is paused until 2"),
        "{text}"
    );
    put(&producer, CUSTOMERS).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    accepted(kustomer, events, CUSTOMERS).await;
    accepted(kustomer, 2 * events, 2 * CUSTOMERS).await;
    assert_eq!(kustomer.account().repeated.tracking, 0);
    assert_eq!(kustomer.account().out_of_order.tracking, 0);

    let refused = ask(&worker, &["pause", "--topic", "quay.event"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let problem = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(problem.contains("did you mean quay.events?"), "{problem}");
    let refused = ask(&worker, &["resume", "--destination", "all"]).await;
    let problem = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(problem.contains("destination is not paused"), "{problem}");
    let usage = ask(&worker, &["pause", "--topic", "a", "--route", "b"]).await;
    assert_eq!(usage.status.code(), Some(2));
}

/// How many events have come when no more do.
async fn kustomer_events(kustomer: &Server) -> u64 {
    let mut before = 0;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let events = kustomer.account().accepted.tracking;
        if events >= CUSTOMERS && events == before {
            return events;
        }
        before = events;
    }
    panic!("events go on: {:#?}", kustomer.account());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_within_a_planned_pause_is_paused_from_its_first_record_on() {
    let quay = Quay::start(2, "").await;
    let (producer, kustomer) = (producer(&quay.broker), &quay.kustomer);
    put(&producer, 0).await;
    let now = jiff::Timestamp::from_millisecond(kustomer_ingest::clock::Clock.unix_ms()).unwrap();
    let (from, until) = (now - Duration::from_secs(60), now + Duration::from_secs(12));
    let entry = format!(
        "pauses:\n  - {{ name: move, destination: all, from: {from}, until: {until}, reason: the shop moves }}\n"
    );
    quay.edit(|yaml| yaml + &entry);
    let checked = program()
        .args(["check", "--config"])
        .arg(&quay.file)
        .output();
    let checked = String::from_utf8(checked.unwrap().stdout).unwrap();
    assert!(checked.contains("pause move: destination, "), "{checked}");
    let worker = Worker::start(&quay.file);
    let status = shows(&worker, 1).await;
    let pause = &status["holds"][0]["pause"];
    assert_eq!(pause["window"], "move", "{status:#}");
    assert_eq!(status["holds"][0]["scope"], "destination");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(kustomer.account().accepted.tracking, 0);
    let events = kustomer_events(kustomer).await;
    accepted(kustomer, events, CUSTOMERS).await;
    let over = kustomer_ingest::clock::Clock.unix_ms();
    assert!(over >= until.as_millisecond(), "not before its time");
    shows(&worker, 0).await;
}
