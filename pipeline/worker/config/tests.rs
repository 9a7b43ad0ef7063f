//! Configurations as people write them, right and wrong.

use std::path::Path;
use std::time::Duration;

use super::*;

const MAPPING: &str = "routes:\n  - name: identify\n    on: identify\n    customer: { externalId: .userId }\n    do:\n      - identify: { name: .traits.name }\n";

pub(super) const MINIMAL: &str = "\
kafka:
  brokers: localhost:9092
  group: kustomer-ingest
  topics:
    - { name: shop.events, mapping: m.yaml }
  dead_letter_topic: shop.events.dead
kustomer:
  base_url: https://example.api.kustomerapp.com
  token: { env: KUSTOMER_TOKEN }
  limit: 1000
";

/// Checks a text in a directory that has the mapping `m.yaml`; the path in faults is `w.yaml`.
pub(super) fn check(text: &str) -> Result<Settings, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("m.yaml"), MAPPING).unwrap();
    let file = dir.path().join("w.yaml");
    parse(&file, text).map_err(|faults| {
        let prefix = format!("{}/", dir.path().display());
        faults.to_string().replace(&prefix, "")
    })
}

/// The faults of the minimal configuration with one line replaced.
fn faults_with(line: &str, replacement: &str) -> String {
    assert!(MINIMAL.contains(line), "{line}");
    check(&MINIMAL.replace(line, replacement)).expect_err("a fault")
}

#[test]
fn the_minimal_configuration_has_the_documented_defaults() {
    let settings = check(MINIMAL).unwrap();
    assert_eq!(settings.kafka.drain_timeout, Duration::from_secs(20));
    assert_eq!(settings.kafka.commit_interval, Duration::from_millis(250));
    assert_eq!(settings.kustomer.quota.allowance(), 800);
    assert_eq!(settings.kustomer.quota.reserve(), 50);
    assert_eq!(settings.kustomer.max_concurrency, 64);
    assert_eq!(
        settings.budget,
        BudgetSettings {
            records: 50_000,
            bytes: 64 << 20
        }
    );
    assert_eq!(settings.admin.listen.to_string(), "0.0.0.0:9464");
    assert_eq!(settings.log.level, "info");
    let topic = &settings.kafka.topics[0];
    assert_eq!((topic.keyed_by, topic.weight.get()), (KeyedBy::None, 1));
}

#[test]
fn a_route_that_diverts_needs_a_topic_for_it() {
    let inline = "{ routes: [ { name: r, on: x, onHold: divert, do: [ { track: .event } ] } ] }";
    let diverts = MINIMAL.replace("mapping: m.yaml", &format!("mapping: {inline}"));
    let faults = check(&diverts).expect_err("a fault");
    assert!(faults.starts_with("w.yaml:5:"), "{faults}");
    assert!(faults.contains("route r: onHold"), "{faults}");
    assert!(faults.contains("set kafka.hold_topic"), "{faults}");
    let dead = "dead_letter_topic: shop.events.dead";
    let with_topic = diverts.replace(dead, &format!("{dead}\n  hold_topic: shop.events.held"));
    let settings = check(&with_topic).unwrap();
    let diverting = settings.kafka.topics[0].pipeline.mapping().diverting();
    assert_eq!(diverting.len(), 1);
}

#[test]
fn every_fault_is_reported_at_once_with_place_and_way_out() {
    let text = "\
kafka:
  brokers: 9092
  groop: x
  topics:
    - { name: 'shop events', mapping: absent.yaml, keyed_by: custmer }
    - { name: shop.dead, mapping: m.yaml, weight: 0 }
  dead_letter_topic: shop.dead
  properties: { group.id: y, sasl.password: hunter2, linger.ms: 5 }
kustomer:
  base_url: api.example.com
  token: hunter2
  limit: 1000
  share: 1.5
budget: { bytes: 64 }
delivery: { max_delay: 5 }
log: { format: xml }
extra: 1
";
    insta::assert_snapshot!(check(text).unwrap_err());
}

#[test]
fn an_empty_file_names_what_is_missing() {
    insta::assert_snapshot!(check("").unwrap_err());
}

#[test]
fn a_literal_secret_is_refused_and_never_shown() {
    for literal in [
        "s3cret",
        "12345",
        "[ s3cret ]",
        "{ env: 's3cret value' }",
        "{ file: [s3cret] }",
    ] {
        let faults = faults_with("{ env: KUSTOMER_TOKEN }", literal);
        assert!(
            !faults.contains("s3cret") && !faults.contains("12345"),
            "{faults}"
        );
        assert!(faults.starts_with("w.yaml:9:"), "{faults}");
    }
}

#[test]
fn impossible_values_are_refused() {
    for (line, replacement, expected) in [
        ("limit: 1000", "limit: 0", "0 is out of range"),
        ("limit: 1000", "limit: 1000001", "1000001 is out of range"),
        (
            "limit: 1000",
            "limit: 1000\n  share: 0",
            "0 is out of range",
        ),
        (
            "limit: 1000",
            "limit: 10\n  reserve: 10",
            "leaves nothing of the limit",
        ),
        (
            "limit: 1000",
            "limit: 1\n  share: 0.5\n  reserve: 0",
            "less than one request a minute",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: shop.events",
            "is one of the topics that are read",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: x\n  hold_topic: x",
            "is the dead-letter topic",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: x\n  hold_topic: shop.events",
            "is one of the topics that are read",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: x\n  properties: { linger.mss: 1 }",
            "is not a setting of the Kafka client",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: x\n  properties: { fetch.wait.max.ms: soon }",
            "refuses",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: x\n  properties: { session.timeout.ms: 9000 }\n  session_timeout: 9s",
            "keep one of the two",
        ),
        (
            "dead_letter_topic: shop.events.dead",
            "dead_letter_topic: x\n  drain_timeout: 10m",
            "max.poll.interval.ms",
        ),
        (
            "limit: 1000",
            "limit: 1000\nstate: { topic: shop.events.dead }",
            "use a topic of its own",
        ),
        (
            "limit: 1000",
            "limit: 1000\nlog: { level: 'info,=' }",
            "log.level",
        ),
        (
            "https://example.api.kustomerapp.com",
            "http://example.api.kustomerapp.com",
            "in clear text",
        ),
        (
            "https://example.api.kustomerapp.com",
            "https://example.api.kustomerapp.com/v1",
            "has a path",
        ),
        (
            "https://example.api.kustomerapp.com",
            "https://u:p@example.com",
            "user name or password",
        ),
        ("group: kustomer-ingest", "group: yes", "put it in quotes"),
    ] {
        let faults = faults_with(line, replacement);
        assert!(faults.contains(expected), "{replacement}: {faults}");
        assert!(faults.contains("\n    "), "no way out: {faults}");
    }
}

#[test]
fn recordings_are_bounded_hidden_and_can_be_turned_off() {
    let settings = check(MINIMAL).unwrap();
    assert_eq!(settings.recording, RecordingSettings::default());
    assert!(!settings.recording.personal_data);
    assert!(settings.recording.steps > 0 && settings.recording.bytes > 0);
    let text = format!(
        "{MINIMAL}debug:\n  recording: {{ steps: 0, bytes: 64KiB, personal_data: true, dir: seen }}\n"
    );
    let recording = check(&text).unwrap().recording;
    assert_eq!((recording.steps, recording.bytes), (0, 65_536));
    assert!(recording.personal_data && recording.dir.ends_with("seen"));
    let yes = format!("{MINIMAL}debug: {{ recording: {{ personal_data: 'no' }} }}\n");
    let faults = check(&yes).expect_err("a fault");
    assert!(faults.contains("is a text, not true or false"), "{faults}");
}

#[test]
fn null_counts_as_absent() {
    let text =
        format!("{MINIMAL}state: {{ topic: null }}\nbudget: null\nadmin: {{ listen: null }}\n");
    assert!(check(&text).is_ok());
}

#[test]
fn two_topics_may_share_a_mapping_but_not_a_name() {
    let line = "- { name: shop.events, mapping: m.yaml }";
    let two = "- { name: a, mapping: m.yaml }\n    - { name: b, mapping: m.yaml }";
    let settings = check(&MINIMAL.replace(line, two)).unwrap();
    let mapping = |i: usize| std::ptr::from_ref(settings.kafka.topics[i].pipeline.mapping());
    assert_eq!(mapping(0), mapping(1));
    let twice = "- { name: a, mapping: m.yaml }\n    - { name: a, mapping: m.yaml }";
    assert!(faults_with(line, twice).contains("the topic a is already in line 5"));
}

#[test]
fn a_mapping_may_stand_in_place_and_its_faults_name_their_line() {
    let line = "- { name: shop.events, mapping: m.yaml }";
    let inline = "- name: a\n      mapping:\n        routes:\n          - name: x\n            onn: y\n            do: []";
    let faults = faults_with(line, inline);
    assert!(faults.contains("w.yaml:9:13: routes[0]"), "{faults}");
    assert!(faults.contains("did you mean `on`?"), "{faults}");
}

#[test]
fn the_format_is_the_mappings_unless_the_topic_names_one() {
    let settings = check(MINIMAL).unwrap();
    assert_eq!(settings.kafka.topics[0].pipeline.format().as_str(), "json");
    let line = "- { name: shop.events, mapping: m.yaml }";
    let named = "- { name: shop.events, mapping: m.yaml, format: segment }";
    let settings = check(&MINIMAL.replace(line, named)).unwrap();
    assert_eq!(
        settings.kafka.topics[0].pipeline.format().as_str(),
        "segment"
    );
    let unknown = "- { name: shop.events, mapping: m.yaml, format: segmnt }";
    assert!(faults_with(line, unknown).contains("did you mean segment?"));
}

#[test]
fn broken_yaml_has_a_place_and_shows_no_line() {
    let faults = check("kafka: [1\nkustomer: { token: s3cret }\n").unwrap_err();
    assert!(faults.starts_with("w.yaml:2:"), "{faults}");
    assert!(!faults.contains("s3cret"), "{faults}");
    assert!(check("kafka: 1\nkafka: 2\n").is_err(), "a key given twice");
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let faults = load(Path::new("no/such/file.yaml"))
        .unwrap_err()
        .to_string();
    assert!(
        faults.starts_with("no/such/file.yaml: cannot be read"),
        "{faults}"
    );
}

mod schema {
    //! Compares the published schema and the documentation with what the worker accepts.

    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Value, json};

    use super::*;

    const DOCUMENTATION: &str = include_str!("../../../docs/configuration.md");

    fn schema() -> Value {
        serde_json::from_str(include_str!("../../../schemas/config.schema.json")).unwrap()
    }

    /// The example in the documentation.
    fn example() -> String {
        let (_, rest) = DOCUMENTATION.split_once("```yaml\n").unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    }

    fn as_json(yaml: &str) -> Value {
        let node: ingest_mapping::mapping::node::Node = serde_saphyr::from_str(yaml).unwrap();
        serde_json::to_value(node.to_json()).unwrap()
    }

    /// The names of the keys of each section: `""`, `kafka`, `kafka.topics[]` and so on.
    fn keys_of(schema: &Value, path: &str, into: &mut BTreeMap<String, BTreeSet<String>>) {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        into.insert(path.to_owned(), properties.keys().cloned().collect());
        for (name, inner) in properties {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            keys_of(inner, &path, into);
            keys_of(&inner["items"], &format!("{path}[]"), into);
        }
    }

    #[test]
    fn the_documented_example_is_good_for_the_schema_and_for_the_worker() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&as_json(&example()))
            .map(|e| e.to_string())
            .collect();
        assert_eq!(faults, Vec::<String>::new());
        assert!(check(&example().replace("mappings/segment.yaml", "m.yaml")).is_ok());
        assert!(validator.is_valid(&as_json(MINIMAL)));
    }

    #[test]
    fn the_schema_refuses_what_the_worker_refuses() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let good = as_json(&example());
        for (pointer, value) in [
            ("/kafka/groop", json!("x")),
            ("/kafka/topics/0/formatt", json!("json")),
            ("/kustomer/urll", json!("x")),
            ("/extra", json!(1)),
            ("/kustomer/token", json!("a literal")),
            ("/kafka/topics/0/encoding", json!("avor")),
            ("/kafka/topics/0/compression", json!("snappy")),
            ("/kafka/topics/0/schemas", json!("a.avsc")),
            ("/schema_registry", json!({})),
            ("/schema_registry", json!({"url": "https://u:p@host"})),
            (
                "/schema_registry",
                json!({"url": "https://h", "bearer": "a literal"}),
            ),
            ("/schema_registry", json!({"url": "https://h", "cache": 1})),
            ("/kustomer/share", json!(0)),
            ("/kustomer/limit", json!(0)),
            ("/kustomer/reserve_at/0/from", json!("8")),
            ("/kustomer/reserve_at/0/days", json!(["noday"])),
            ("/kustomer/reserve_at/0/zone", Value::Null),
            ("/pauses/0/name", json!("a b")),
            ("/pauses/0/destination", json!("tracks")),
            ("/pauses/0/until", json!("tomorrow")),
            ("/budget/bytes", json!(64)),
            ("/delivery/max_delay", json!(5)),
            ("/kafka/dead_letter_topic", json!("with blanks in it")),
            ("/state/topic", json!("with blanks in it")),
        ] {
            let mut bad = good.clone();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            bad.pointer_mut(parent).unwrap()[key] = value;
            assert!(!validator.is_valid(&bad), "{pointer}");
            // JSON is YAML, so the worker must refuse the same.
            let text = bad.to_string().replace("mappings/segment.yaml", "m.yaml");
            assert!(check(&text).is_err(), "{pointer}");
        }
    }

    #[test]
    fn schema_worker_and_documentation_have_the_same_keys() {
        let mut keys = BTreeMap::new();
        keys_of(&schema(), "", &mut keys);
        // A key unlike any other makes the worker list the known keys.
        let unknown = "{ zzzzzzzz: 1 }";
        let sections = [
            "kafka",
            "schema_registry",
            "kustomer",
            "budget",
            "delivery",
            "state",
            "admin",
            "log",
            "debug",
        ];
        let text: String = sections.map(|name| format!("{name}: {unknown}\n")).concat();
        let text = format!("zzzzzzzz: 1\n{text}")
            .replace("kafka: { ", &format!("kafka: {{ topics: [ {unknown} ], "))
            .replace(
                "kustomer: { ",
                &format!("kustomer: {{ profile: {unknown}, reserve_at: [ {unknown} ], "),
            )
            .replace(
                "schema_registry: { ",
                &format!("schema_registry: {{ basic: {unknown}, "),
            )
            .replace("debug: { ", &format!("debug: {{ recording: {unknown}, "))
            + &format!("pauses: [ {unknown} ]\nprivacy: {unknown}\ntracing: {unknown}\n");
        let faults = check(&text).unwrap_err();
        for (section, known) in &keys {
            let path = section.replace("[]", "[0]");
            let key = if path.is_empty() {
                "zzzzzzzz".to_owned()
            } else {
                format!("{path}.zzzzzzzz")
            };
            let (_, rest) = faults
                .split_once(&format!(" {key}: unknown key\n    the keys here are "))
                .unwrap();
            let listed: BTreeSet<String> = rest
                .lines()
                .next()
                .unwrap()
                .split(", ")
                .map(str::to_owned)
                .collect();
            assert_eq!(&listed, known, "{section}");
            for name in known.iter().filter(|_| !section.is_empty()) {
                let row = format!("| `{section}.{name}` |");
                assert!(DOCUMENTATION.contains(&row), "{row} is not documented");
            }
        }
    }

    #[test]
    fn documented_defaults_are_the_workers() {
        use crate::config::defaults as d;
        use ingest_registry::RegistrySettings as Registry;
        let kept = Registry::CACHE;
        for (key, shown) in [
            ("kafka.drain_timeout", show_duration(d::DRAIN_TIMEOUT)),
            ("kafka.commit_interval", show_duration(d::COMMIT_INTERVAL)),
            ("kustomer.share", d::SHARE.to_string()),
            (
                "kustomer.request_timeout",
                show_duration(d::REQUEST_TIMEOUT),
            ),
            ("kustomer.max_concurrency", d::MAX_CONCURRENCY.to_string()),
            (
                "kustomer.creates_per_customer",
                d::CREATES_PER_CUSTOMER.to_string(),
            ),
            ("budget.records", d::BUDGET_RECORDS.to_string()),
            ("budget.bytes", show_size(d::BUDGET_BYTES)),
            ("delivery.max_delay", show_duration(d::MAX_DELAY)),
            ("delivery.backfill_after", show_duration(d::BACKFILL_AFTER)),
            ("admin.listen", d::ADMIN_LISTEN.to_string()),
            ("schema_registry.timeout", show_duration(Registry::TIMEOUT)),
            ("schema_registry.cache", kept.schemas.to_string()),
            ("schema_registry.cache_bytes", show_size(kept.bytes as u64)),
            ("log.level", d::LOG_LEVEL.to_owned()),
            ("debug.recording.steps", d::RECORDING_STEPS.to_string()),
            ("debug.recording.bytes", show_size(d::RECORDING_BYTES)),
        ] {
            let row = DOCUMENTATION
                .lines()
                .find(|line| line.starts_with(&format!("| `{key}` |")));
            assert!(
                row.unwrap().contains(&format!("| `{shown}` |")),
                "{key}: {shown}"
            );
        }
    }

    /// A key that the chart refuses cannot be set on Kubernetes. It sets the token itself, and its pods have no lasting names.
    #[test]
    fn the_chart_takes_every_key_but_those_that_it_sets_itself() {
        let chart = include_str!("../../../deploy/chart/values.schema.json");
        let chart: Value = serde_json::from_str(chart).unwrap();
        let (mut ours, mut charts) = (BTreeMap::new(), BTreeMap::new());
        keys_of(&schema(), "", &mut ours);
        keys_of(&chart["properties"]["config"], "", &mut charts);
        ours.remove("kustomer.token");
        for (section, key) in [("kustomer", "token"), ("kafka", "instance_id")] {
            assert!(
                ours.get_mut(section).unwrap().remove(key),
                "{section}.{key}"
            );
        }
        assert_eq!(charts, ours);
    }
}
