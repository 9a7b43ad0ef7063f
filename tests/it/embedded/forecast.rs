//! `forecast`, as a user runs it: its figures against what can be calculated by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_model::record::Topic;
use serde_json::{Value, json};

use super::process::program;

/// Coupons are events, views are counted, orders are objects.
pub(super) const MAPPING: &str = "format: segment\nroutes:\n  - name: coupons\n    on: Coupon Applied\n    do:\n      - track: .event\n        meta: { \
                       couponStr: .properties.coupon }\n  - name: views\n    on: Product Viewed\n    do:\n      - digest: browsing\n        session: { gap: 30m \
                       }\n        title: '\"Viewed \\(.count) products\"'\n  - name: orders\n    on: Order Completed\n    do:\n      - kobject: order\n        \
                       externalId: .properties.id\n        version: .timestamp\n        title: '\"Order \\(.properties.id)\"'\n";

/// What the configured share leaves of a limit.
const SHARE: f64 = 0.8;

pub(super) struct Rig {
    folder: tempfile::TempDir,
}

impl Rig {
    pub(super) fn new(mapping: &str) -> Self {
        Self::with(mapping, "localhost:9092", "")
    }

    pub(super) fn with(mapping: &str, brokers: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mapping.yaml"), mapping).unwrap();
        let yaml = format!(
            "kafka:\n  brokers: {brokers}\n  group: g\n  dead_letter_topic: dead\n  topics:\n    - {{ name: shop.events, mapping: mapping.yaml, keyed_by: \
             customer }}\nkustomer:\n  base_url: http://127.0.0.1:1\n  token: {{ env: NOT_READ }}\n  limit: 1000\n  share: {SHARE}\n{more}"
        );
        std::fs::write(folder.path().join("worker.yaml"), yaml).unwrap();
        Self { folder }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, lines: &str) {
        std::fs::write(self.path("events.ndjson"), lines).unwrap();
    }

    pub(super) fn run(&self, arguments: &str) -> Output {
        program()
            .args(["forecast", "--config", "worker.yaml"])
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(super) fn figures(&self, arguments: &str) -> Value {
        let output = self.run(&format!("{arguments} --json"));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

pub(super) fn event(name: &str, number: usize, customer: usize) -> Value {
    let (hour, minute, second) = (number / 3_600 % 24, number / 60 % 60, number % 60);
    json!({
        "type": "track", "event": name, "userId": format!("u{customer}"), "messageId": format!("m{number}"),
        "timestamp": format!("2026-01-05T{hour:02}:{minute:02}:{second:02}Z"),
        "properties": { "id": format!("o{number}"), "coupon": "SPRING" },
    })
}

pub(super) fn events(name: &str, count: usize) -> String {
    let mut lines = String::new();
    for number in 0..count {
        writeln!(lines, "{}", event(name, number, number)).unwrap();
    }
    lines
}

pub(super) fn number(of: &Value, path: &str) -> f64 {
    of.pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{path} in {of}"))
}

pub(super) fn near(is: f64, expected: f64, part: f64, what: &str) {
    let off = (is / expected - 1.0).abs();
    assert!(off <= part, "{what}: {is}, calculated {expected}");
}

#[test]
fn events_take_a_request_each_and_drain_at_the_allowance() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 2_400));
    let figures = rig.figures("events.ndjson --backlog all --limit 500,1000");
    for (place, limit) in [(0, 500.0), (1, 1_000.0)] {
        let tier = &figures["tiers"][place];
        let minutes = 2_400.0 / (limit * SHARE);
        near(number(tier, "/seconds"), minutes * 60.0, 0.03, "drain");
        near(
            number(tier, "/backlog/gone_after_seconds"),
            minutes * 60.0,
            0.03,
            "gone",
        );
        assert_eq!(tier["units"]["total"], 2_400);
        assert_eq!(tier["units"]["by_class"], json!({ "track": 2_400 }));
        assert_eq!(tier["units"]["refused_429"], 0);
        assert_eq!(tier["records"]["delivered"], 2_400);
        assert_eq!(tier["ended"], "all_settled");
        assert_eq!(tier["invariants_broken"], 0);
        assert!(number(tier, "/units/spent_ratio") > 0.97, "{tier}");
        // They leave one after the other, so half of them have left after half of the time.
        near(
            number(tier, "/delay_to_request_seconds/median"),
            minutes * 30.0,
            0.05,
            "median",
        );
    }
}

#[test]
fn a_stream_is_carried_up_to_the_allowance_and_grows_above_it() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 50));
    // Allowed are 800 a minute.
    let low = rig.figures("events.ndjson --rate 240/m --for 10m --limit 1000");
    let low = &low["tiers"][0];
    assert!(
        number(low, "/delay_to_request_seconds/median") <= 0.1,
        "{low}"
    );
    assert_eq!(low["backlog"]["gone_after_seconds"], 0);
    assert_eq!(low["advice"], Value::Null);
    near(number(low, "/units/spent_ratio"), 0.3, 0.05, "spent");

    let near_full = rig.figures("events.ndjson --rate 760/m --for 10m --limit 1000");
    let near_full = &near_full["tiers"][0];
    assert!(
        number(near_full, "/delay_to_request_seconds/median") <= 3.0,
        "{near_full}"
    );
    assert_eq!(near_full["advice"], Value::Null);

    let high = rig.figures("events.ndjson --rate 1200/m --for 10m --limit 1000,2000");
    let (high, enough) = (&high["tiers"][0], &high["tiers"][1]);
    near(
        number(high, "/backlog/grows_per_hour"),
        400.0 * 60.0,
        0.05,
        "growth",
    );
    near(
        number(high, "/backlog/largest"),
        400.0 * 10.0,
        0.05,
        "largest",
    );
    near(
        number(high, "/advice/needs_per_minute"),
        1_200.0,
        0.02,
        "needs",
    );
    near(
        number(high, "/advice/limit"),
        1_200.0 / 0.97 / SHARE,
        0.02,
        "limit",
    );
    assert_eq!(
        high["advice"]["share"],
        Value::Null,
        "all of it is too little"
    );
    assert_eq!(enough["advice"], Value::Null);
    assert_eq!(enough["backlog"]["gone_after_seconds"], 0);
}

#[test]
fn what_is_left_when_time_is_up_is_estimated() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 300));
    let figures = rig.figures("events.ndjson --backlog 3000 --limit 300 --until 5m");
    let tier = &figures["tiers"][0];
    assert_eq!(tier["ended"], "time_is_up");
    let open = number(tier, "/records/open");
    near(open, 3_000.0 - 5.0 * 240.0, 0.03, "open");
    assert_eq!(tier["backlog"]["gone_after_seconds"], Value::Null);
    let left = number(tier, "/backlog/left_seconds");
    near(left, open / 240.0 * 60.0, 0.05, "left");
}

#[test]
fn what_others_spend_is_missing() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 300));
    let arguments = "events.ndjson --rate 700/m --for 10m --limit 1000 --set drain=";
    let alone = rig.figures(&format!("{arguments}0"));
    assert_eq!(alone["tiers"][0]["advice"], Value::Null);
    let beside = rig.figures(&format!("{arguments}500"));
    let tier = &beside["tiers"][0];
    assert!(number(tier, "/backlog/grows_per_hour") > 0.0, "{tier}");
    near(
        number(tier, "/advice/limit"),
        // The reserve is a twentieth of the limit.
        700.0 / 0.97 + 500.0 + 50.0,
        0.03,
        "limit",
    );
    assert!(number(tier, "/units/refused_429") <= 10.0, "{tier}");
}

#[test]
fn a_route_that_is_advised_to_be_digested_is_carried_then() {
    let rig = Rig::new(MAPPING);
    let lines: String = (0..3_000)
        .map(|number| format!("{}\n", event("Coupon Applied", number, number % 40)))
        .collect();
    rig.write(&lines);
    let arguments = "events.ndjson --rate 500/m --for 10m --limit 300 --customers 40";
    let figures = rig.figures(arguments);
    let advice = &figures["tiers"][0]["advice"];
    assert_eq!(advice["digest"], json!(["coupons"]), "{figures}");
    let digested = MAPPING.replace(
        "- track: .event\n        meta: { couponStr: .properties.coupon }",
        "- digest: coupons\n        session: { gap: 30m }\n        title: '\"Applied \\(.count) coupons\"'",
    );
    assert_ne!(digested, MAPPING);
    std::fs::write(rig.path("mapping.yaml"), digested).unwrap();
    let figures = rig.figures(arguments);
    let tier = &figures["tiers"][0];
    assert_eq!(tier["advice"], Value::Null, "{tier}");
    assert_eq!(tier["saved"]["digested"], 5_000);
}

#[test]
fn recorded_times_say_when_records_arrive() {
    let rig = Rig::new(MAPPING);
    let mut lines = String::new();
    for number in 0..600 {
        let value = event("Coupon Applied", number, number);
        // Every two seconds, in three partitions.
        let record = json!({"partition": number % 3, "timestamp": 1_767_600_000_000_u64 + number as u64 * 2_000, "value": value});
        writeln!(lines, "{record}").unwrap();
    }
    rig.write(&lines);
    let slow = rig.figures("events.ndjson --records --limit 1000");
    near(
        number(&slow, "/traffic/lasts_seconds"),
        1_198.0,
        0.01,
        "lasts",
    );
    near(number(&slow, "/traffic/per_second"), 0.5, 0.01, "rate");
    let fast = rig.figures("events.ndjson --records --limit 300 --speed 20");
    near(number(&fast, "/traffic/per_second"), 10.0, 0.02, "rate");
    near(
        number(&fast, "/tiers/0/seconds"),
        600.0 / 4.0,
        0.03,
        "drain at 240 a minute",
    );
    // Without times of their own, the events' times count: one a second.
    rig.write(&events("Coupon Applied", 300));
    let events = rig.figures("events.ndjson --limit 1000");
    near(
        number(&events, "/traffic/lasts_seconds"),
        299.0,
        0.01,
        "lasts",
    );
}

#[test]
fn what_is_read_too_late_is_judged_as_late() {
    let mapping = MAPPING.replace(
        "- track: .event",
        "- track: .event\n        maxAge: 1m\n        late: skip",
    );
    // The worker reads no further than its budget: what waits in the topic grows old there.
    let rig = Rig::with(
        &mapping,
        "localhost:9092",
        "budget: { records: 1000, bytes: 64MiB }\n",
    );
    rig.write(&events("Coupon Applied", 4_000));
    let figures = rig.figures("events.ndjson --backlog all --limit 1000");
    let tier = &figures["tiers"][0];
    // Three quarters of the budget at once, and half of that whenever as many have left, for a minute.
    let delivered = number(tier, "/records/delivered");
    assert!((1_100.0..=1_700.0).contains(&delivered), "{tier}");
    assert_eq!(
        number(tier, "/records/skipped/too_old") + delivered,
        4_000.0,
        "{tier}"
    );
}

#[test]
fn the_table_and_the_plot_show_the_tiers_side_by_side() {
    let rig = Rig::new(MAPPING);
    let mut lines = String::new();
    for number in 0..600 {
        let name = [
            "Coupon Applied",
            "Product Viewed",
            "Product Viewed",
            "Order Completed",
        ][number % 4];
        writeln!(lines, "{}", event(name, number, number % 97)).unwrap();
    }
    lines.push_str(
        "{\"type\":\"track\",\n{\"type\":\"track\",\"event\":\"Unknown\",\"userId\":\"u1\"}\n",
    );
    rig.write(&lines);
    let arguments = "events.ndjson --backlog 4000 --rate 20/s --for 10m --customers 500 --limit 300,2000 --svg plot.svg";
    let output = rig.run(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    insta::assert_snapshot!("forecast_table", said);
    assert!(output.status.success());
    let plot = std::fs::read_to_string(rig.path("plot.svg")).unwrap();
    assert_eq!(plot.matches("<path ").count(), 2 * 3, "{plot}");
    assert!(
        plot.contains("Ultimate") && plot.ends_with("</svg>\n"),
        "{plot}"
    );
    let again = rig.run(arguments);
    assert_eq!(
        said,
        String::from_utf8(again.stdout).unwrap(),
        "it is the same each time"
    );
    let other = rig.run(&format!("{arguments} --seed 2 --replicas 3"));
    assert!(other.status.success());
    assert_ne!(said, String::from_utf8(other.stdout).unwrap());
}

#[test]
fn the_figures_have_stable_names() {
    let rig = Rig::new(MAPPING);
    rig.write(&(events("Coupon Applied", 3) + &events("Order Completed", 2)));
    let mut figures = rig.figures("events.ndjson --rate 1/s --limit 1000");
    let course = figures["tiers"][0]["course"].as_array_mut().unwrap();
    course.truncate(2);
    let text = serde_json::to_string_pretty(&figures).unwrap();
    insta::assert_snapshot!("forecast_json", text);
}

fn refused(rig: &Rig, arguments: &str, code: i32, told: &[&str]) {
    let output = rig.run(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {error}");
    for part in told {
        assert!(
            error.contains(part),
            "{arguments}: {part} is not in {error}"
        );
    }
    assert!(output.stdout.is_empty(), "{arguments}");
}

#[test]
fn what_cannot_be_played_is_said_with_the_way_out() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 3).replace("timestamp", "noTime"));
    refused(
        &rig,
        "nowhere.ndjson --rate 1/s",
        1,
        &["cannot read nowhere.ndjson"],
    );
    refused(&rig, "events.ndjson", 1, &["--rate", "neither a time"]);
    refused(&rig, "events.ndjson --rate 40", 2, &["40/s"]);
    refused(
        &rig,
        "events.ndjson --topic other --rate 1/s",
        2,
        &["no topic other", "shop.events"],
    );
    refused(&rig, "events.ndjson --rate 1/s --share 0", 2, &["share"]);
    refused(&rig, "--rate 1/s", 1, &["no record"]);
    refused(
        &rig,
        "events.ndjson --rate 1/s --svg no/such/plot.svg",
        1,
        &["cannot write no/such/plot.svg"],
    );
    rig.write("not a record\n");
    refused(
        &rig,
        "events.ndjson --records --rate 1/s",
        1,
        &["line 1", "no record"],
    );
    // A line that is no record is left out, and said.
    rig.write("{\"valeu\":1}\n{\"value\":{\"type\":\"track\",\"event\":\"Coupon Applied\",\"userId\":\"u1\"}}\n");
    let figures = rig.figures("events.ndjson --records --rate 1/s --limit 1000");
    assert_eq!(figures["traffic"]["unusable_lines"], 1);
    let first = figures["traffic"]["first_unusable"].as_str().unwrap();
    assert!(
        first.contains("line 1") && first.contains("valeu"),
        "{first}"
    );
    assert_eq!(figures["tiers"][0]["records"]["delivered"], 1);
}

#[test]
fn a_signal_ends_it_with_what_it_has() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 500));
    let child = program()
        .args(["forecast", "--config", "worker.yaml", "events.ndjson"])
        .args("--rate 300/s --for 24h --limit 2000 --json".split(' '))
        .current_dir(rig.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    stop_later(child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tier = &figures["tiers"][0];
    assert_eq!(tier["ended"], "stopped");
    assert!(number(tier, "/records/delivered") > 0.0, "{tier}");
}

/// SIGINT, when it has had time to begin.
fn stop_later(process: u32) {
    let pause = Duration::from_secs(4);
    std::thread::spawn(move || {
        let (_never, nothing) = std::sync::mpsc::channel::<()>();
        let waited = nothing.recv_timeout(pause);
        assert!(waited.is_err(), "nobody sends anything");
        let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_records_of_a_topic_are_read_from_kafka() {
    let broker = EmbeddedBroker::start(&[("shop.events", 3), ("dead", 1)]).unwrap();
    let options = KafkaOptions::new(broker.bootstrap_servers(), "it", &["shop.events"], "dead");
    let kafka = KafkaSettings::try_new(options).unwrap();
    let producer = RecordProducer::new(&kafka).unwrap();
    for number in 0..90 {
        let record = OutgoingRecord {
            topic: Topic::new("shop.events"),
            partition: Some(ingest_model::record::Partition(number % 3)),
            key: None,
            value: Some(
                event("Coupon Applied", usize::try_from(number).unwrap(), 1)
                    .to_string()
                    .into(),
            ),
            headers: Vec::new(),
            timestamp_ms: Some(1_767_600_000_000 + i64::from(number) * 1_000),
        };
        producer.send(&record).await.unwrap();
    }
    let rig = Rig::with(MAPPING, broker.bootstrap_servers(), "");
    let (figures, rig) =
        tokio::task::spawn_blocking(move || (rig.figures("--last 60 --limit 1000"), rig))
            .await
            .unwrap();
    assert_eq!(figures["tiers"][0]["records"]["arrived"], 60);
    near(
        number(&figures, "/traffic/lasts_seconds"),
        59.0,
        0.02,
        "lasts",
    );
    let path: PathBuf = rig.path("worker.yaml");
    let yaml = std::fs::read_to_string(&path).unwrap();
    let absent = yaml.replace("name: shop.events", "name: shop.other");
    std::fs::write(&path, absent).unwrap();
    let told = tokio::task::spawn_blocking(move || rig.run("--last 60"))
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(1), "{error}");
    assert!(error.contains("shop.other"), "{error}");
    assert!(Path::new(&path).is_absolute());
}
