//! The commands, as a user types them.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_model::record::{Partition, Topic};
use kustomer_sim::Config;
use kustomer_sim::server::Server;
use serde_json::Value;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn configuration(mapping: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mapping_file = folder.path().join("mapping.yaml");
    std::fs::write(&mapping_file, mapping).unwrap();
    let file = folder.path().join("worker.yaml");
    let yaml = "kafka:\n  brokers: localhost:9092\n  group: g\n  topics:\n    - { name: shop.events, format: segment, mapping: mapping.yaml }\n  \
                dead_letter_topic: shop.dead\nkustomer:\n  base_url: http://127.0.0.1:1\n  token: { env: NOT_READ }\n  limit: 1000\n";
    std::fs::write(&file, yaml).unwrap();
    (folder, file)
}

const GOOD: &str = "routes:\n  - name: orders\n    on: Order Completed\n    do:\n      - kobject: order\n        \
                    externalId: .properties.order_id\n        title: '\"Order \\(.properties.order_id)\"'\n        \
                    custom: { totalNum: .properties.total }\n";

#[test]
fn the_demo_agrees_with_its_judge() {
    let output = program()
        .args(["demo", "--records", "1200", "--seed", "3"])
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    for part in [
        "1200 of 1200 settled",
        "Timeline of Customer",
        "Quota account",
        "records per unit",
        "Dead-lettered, and why",
        "account agrees with what the shop put in",
        "/_sim/timeline/",
    ] {
        assert!(
            said.contains(part),
            "the demo does not say {part:?}:\n{said}"
        );
    }
}

#[test]
fn a_mapping_with_a_typo_does_not_start() {
    let (_folder, file) = configuration(&GOOD.replace("externalId", "externalID"));
    for command in ["check", "run"] {
        let output = program()
            .args([command, "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("mapping.yaml:6"), "file and line: {said}");
        assert!(said.contains("externalId"), "the way out: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_names_what_is_missing_on_both_sides_with_the_commands_that_make_it() {
    let broker = EmbeddedBroker::start(&[("shop.events", 2)]).unwrap();
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let kustomer = Server::start(Config::default(), local).await.unwrap();
    let mapping = GOOD.replace(
        "custom: {",
        "version: .timestamp\n        custom: { couponStr: .properties.coupon,",
    ) + "  - name: people\n    on: identify\n    do:\n      - identify: { custom: { tierStr: .traits.tier } }\n\
           \u{20} - name: points\n    on: Points Redeemed\n    do:\n      - kobject: points\n        externalId: .messageId\n        title: .event\n";
    let (_folder, file) = configuration(&mapping);
    let yaml = std::fs::read_to_string(&file).unwrap();
    let yaml = yaml
        .replace("localhost:9092", broker.bootstrap_servers())
        .replace("http://127.0.0.1:1", &kustomer.url());
    std::fs::write(&file, yaml).unwrap();
    let mut check = program();
    check.args(["check", "--online", "--config"]).arg(&file);
    check.env("NOT_READ", "sim-key");
    let output = tokio::task::spawn_blocking(move || check.output().unwrap()).await;
    let output = output.unwrap();
    let said = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(3),
        "{said}{}",
        text(&output.stderr)
    );
    let warnings: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(" lack "))
        .collect();
    assert_eq!(
        warnings,
        [
            "warning: customers lack tierStr (text of one line)",
            "warning: objects of klass order lack couponStr (text of one line), ingestVersionStr (text of one line), totalNum (number)",
        ],
        "{said}"
    );
    for expected in [
        format!("kustomer-ingest provision plan --config {}", file.display()),
        "fault: kafka: topic shop.dead does not exist".to_owned(),
        format!(
            "fault: klass points does not exist\n    let it be made: kustomer-ingest provision plan --config {}",
            file.display()
        ),
        format!(
            "kafka-topics.sh --bootstrap-server {} --create --topic shop.dead --partitions 1",
            broker.bootstrap_servers()
        ),
    ] {
        assert!(said.contains(&expected), "{expected} is not in\n{said}");
    }
}

/// What `check --online` says of the roles of a key that lacks some.
async fn roles(mapping: &str, lacking: &str) -> String {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config::default();
    config.switches.set("roles", lacking).unwrap();
    let kustomer = Server::start(config, local).await.unwrap();
    let (_folder, file) = configuration(mapping);
    let yaml = std::fs::read_to_string(&file).unwrap();
    let yaml = yaml.replace("http://127.0.0.1:1", &kustomer.url());
    // Nobody answers there.
    std::fs::write(&file, yaml.replace("localhost:9092", "127.0.0.1:1")).unwrap();
    let mut check = program();
    check.args(["check", "--online", "--config"]).arg(&file);
    check.env("NOT_READ", "sim-key");
    let output = tokio::task::spawn_blocking(move || check.output().unwrap()).await;
    text(&output.unwrap().stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_tells_roles_that_are_needed_from_those_that_help() {
    let said = roles(GOOD, "-org.tracking,-org.permission.search.create").await;
    for expected in [
        "roles: org.permission.customer.read, org.permission.customer.create, org.permission.kobject.create, ",
        "  without org.tracking, every unknown customer of an object is made in a bulk request",
        "warning: the key lacks the role org.tracking, so every unknown customer of an object is made in a bulk request",
        "warning: the key lacks the role org.permission.search.create, so customers of objects are looked up one by one",
        "    create a key that also has org.permission.search.create or org.user.search.read",
        "ok: role org.permission.customer.create",
    ] {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
    assert!(!said.contains("fault: the key lacks"), "{said}");
    let said = roles(GOOD, "-org.permission.customer.create").await;
    assert!(
        said.contains("fault: the key lacks the role org.permission.customer.create"),
        "{said}"
    );
    // Beside events, an identity can make them.
    let both = format!("{GOOD}      - track: .event\n");
    let said = roles(&both, "-org.permission.customer.create").await;
    assert!(
        said.contains(
            "warning: the key lacks the role org.permission.customer.create, so every unknown customer of an object is found or made by an identity"
        ),
        "{said}"
    );
    assert!(!said.contains("fault: the key lacks"), "{said}");
}

fn explain(lines: &str) -> (Output, Vec<Value>) {
    let (_folder, file) = configuration(GOOD);
    let mut child = program()
        .args(["explain", "-", "--config"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    let lines = said
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    (output, lines)
}

#[test]
fn explain_says_that_there_is_nothing_to_explain() {
    for nothing in ["", "\n \n"] {
        let (output, lines) = explain(nothing);
        assert_eq!((output.status.code(), lines.len()), (Some(2), 0));
        let said = text(&output.stderr);
        assert!(said.contains("the sample has no record"), "{said}");
    }
}

#[test]
fn explain_shows_what_would_be_sent_and_goes_on_after_a_bad_line() {
    let lines = "{\"type\":\"track\",\"event\":\"Order Completed\",\"userId\":\"u1\",\"messageId\":\"m1\",\"properties\":{\"order_id\":\"o1\",\"total\":27.5}}\n\
                 {\"type\":\"track\",\n\
                 {\"type\":\"track\",\"event\":\"Product Viewed\",\"userId\":\"u1\"}\n";
    let (output, lines) = explain(lines);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let verdicts: Vec<&str> = lines
        .iter()
        .map(|line| line["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["emit", "reject", "skip"]);
    let request = &lines[0]["operations"][0]["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["path"], "/v1/klasses/order/bulk");
    assert_eq!(
        request["body"][0]["customer"]["$customer"]["externalId"],
        "u1"
    );
    assert_eq!(request["body"][0]["custom"]["totalNum"], 27.5);
    assert_eq!(lines[1]["reason"], "invalid_json");
    assert_eq!(lines[2]["reason"], "no_route");
}

#[test]
#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that says that it did not run"
)]
fn explain_reads_every_collected_sample() {
    let Ok(folder) = std::env::var("INGEST_SAMPLES") else {
        eprintln!(
            "NOT RUN: explain_reads_every_collected_sample, because INGEST_SAMPLES is not set"
        );
        return;
    };
    let shipped = include_str!("../../../schemas/mappings/segment.yaml");
    let (_folder, file) = configuration(shipped);
    let mut seen = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(std::path::Path::new(&folder).join("segment")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let output = program()
            .args(["explain", "--config"])
            .arg(&file)
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}: {}",
            path.display(),
            text(&output.stderr)
        );
        for line in text(&output.stdout).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            *seen
                .entry(line["verdict"].as_str().unwrap().to_owned())
                .or_insert(0) += 1;
        }
    }
    eprintln!("explain over the collected samples: {seen:?}");
    assert!(seen.values().sum::<i32>() >= 45, "{seen:?}");
    assert!(
        seen.contains_key("emit") && seen.contains_key("skip"),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_a_mapping_reads_records_from_kafka() {
    let broker = EmbeddedBroker::start(&[("shop.events", 2), ("dead", 1)]).unwrap();
    let options = KafkaOptions::new(broker.bootstrap_servers(), "it", &["shop.events"], "dead");
    let producer = RecordProducer::new(&KafkaSettings::try_new(options).unwrap()).unwrap();
    for number in 0..20 {
        let value = format!(
            r#"{{"type":"track","event":"Order Completed","messageId":"m{number}","userId":"u{number}","timestamp":"2026-03-01T10:00:00Z","properties":{{"order_id":"o{number}","total":{number}}}}}"#
        );
        let record = OutgoingRecord {
            topic: Topic::new("shop.events"),
            partition: Some(Partition(number % 2)),
            key: Some(format!("k{number}").into()),
            value: Some(value.into()),
            headers: Vec::new(),
            timestamp_ms: Some(1_767_600_000_000 + i64::from(number)),
        };
        producer.send(&record).await.unwrap();
    }
    let (folder, file) = configuration(GOOD);
    let yaml = std::fs::read_to_string(&file).unwrap();
    let yaml = yaml.replace("localhost:9092", broker.bootstrap_servers());
    std::fs::write(&file, &yaml).unwrap();
    let other = folder.path().join("other.yaml");
    let renamed = GOOD.replace("Order \\(", "Purchase \\(");
    std::fs::write(folder.path().join("other-mapping.yaml"), renamed).unwrap();
    std::fs::write(&other, yaml.replace("mapping.yaml", "other-mapping.yaml")).unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = program();
        command
            .args([arguments[0], "--config"])
            .arg(&file)
            .args(&arguments[1..]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        (
            text(&output.stdout) + &text(&output.stderr),
            output.status.code(),
        )
    };
    let (said, code) = run(&["explain", "--position", "shop.events/1/3", "--trace"]).await;
    assert_eq!(code, Some(0), "{said}");
    let line: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&line["event"]["id"], &line["position"]),
        (&"m7".into(), &"shop.events/1/3".into())
    );
    assert!(line["trace"]["values"].is_array(), "{said}");
    for (position, told) in [
        (
            "shop.events/1/99",
            "has no record with the offset 99 (any more): it has 0 to 9",
        ),
        ("shop.events/7/0", "has no partition 7"),
        (
            "shop.other/0/0",
            "the configuration has no topic shop.other",
        ),
    ] {
        let (said, code) = run(&["explain", "--position", position]).await;
        assert_ne!(code, Some(0));
        assert!(said.contains(told), "{told} is not in {said}");
    }
    let (said, code) = run(&["explain", "--last", "20", "--key", "k13"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("\"position\":\"shop.events/1/6\""), "{said}");
    let against = other.to_str().unwrap().to_owned();
    let (said, code) = run(&["diff", "--against", &against, "--last", "8", "--exit-code"]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("8 records: 8 would become otherwise"),
        "{said}"
    );
    assert!(said.contains("shop.events/0/6"), "{said}");
    let mapping = folder.path().join("new.yaml").to_str().unwrap().to_owned();
    let (said, code) = run(&[
        "infer",
        "--topic",
        "shop.events",
        "--last",
        "10",
        "--out",
        &mapping,
    ])
    .await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("format segment: reads 10 of 10 records"),
        "{said}"
    );
    assert!(said.contains("object of klass order"), "{said}");
}
