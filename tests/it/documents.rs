//! Every example in YAML or JSON of every document is run: here, or where the table says.
#![cfg(test)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::mapping::node::Node;
use ingest_mapping::route::Pipeline;
use ingest_model::operation::Operation;
use ingest_model::outcome::Verdict;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use jiff::Timestamp;
use kustomer_ingest::config::settings::suppressed::SuppressedFile;
use kustomer_sim::server::Server;
use kustomer_sim::{Config, FaultScript};
use serde_json::{Value, json};

/// The documents that have examples, and how many.
const EXAMPLES: &[(&str, usize)] = &[
    // with the chart's own values: `the_values_of_the_chart_are_a_configuration`
    ("deploy/chart/README.md", 1),
    // `pipeline/worker/config/tests.rs`, where it is compared with the settings
    ("docs/configuration.md", 1),
    // `the_route_for_deleted_rows_makes_no_card`, `the_route_for_redactions_deletes_the_orders`
    ("docs/inputs.md", 2),
    // `what_the_page_of_the_api_shows_is_taken_by_the_simulator`
    ("docs/kustomer-api.md", 2),
    // `pipeline/mapping/src/testing/documented.rs`, where each has events and what must come of them
    ("docs/mapping.md", 14),
    // `the_list_of_suppressed_people_is_one`
    ("docs/privacy.md", 1),
    // `the_script_of_faults_is_one`
    ("docs/simulator.md", 1),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The documents of a folder and of those below it, but the records of decisions.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !matches!(&*name, "target" | "adr") {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The examples of a document.
fn examples(text: &str) -> Vec<String> {
    let mut examples: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let bare = line.trim_start();
        match bare.strip_prefix("```") {
            Some("yaml" | "yml" | "json" | "ndjson") => {
                inside = true;
                examples.push(String::new());
            }
            Some(_) => inside = false,
            None => {
                if let Some(example) = examples.last_mut().filter(|_| inside) {
                    example.push_str(line);
                    example.push('\n');
                }
            }
        }
    }
    examples
}

fn of(document: &str) -> Vec<String> {
    examples(&std::fs::read_to_string(root().join(document)).unwrap())
}

#[test]
fn every_example_is_run_by_a_test() {
    let mut all = Vec::new();
    documents(&root(), &mut all);
    let mut found: Vec<(String, usize)> = all
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            let count = examples(&std::fs::read_to_string(path).unwrap()).len();
            (name, count)
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    found.sort();
    let known: Vec<(String, usize)> = EXAMPLES
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    assert_eq!(
        found, known,
        "run the new example by a test, then count it here"
    );
}

/// Puts the fields of one value over those of another.
fn laid_over(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                laid_over(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

fn yaml(text: &str) -> Value {
    serde_json::to_value(Node::from_yaml(text).unwrap().to_json()).unwrap()
}

#[test]
fn the_values_of_the_chart_are_a_configuration() {
    let chart = root().join("deploy/chart");
    let read = |name: &str| std::fs::read_to_string(chart.join(name)).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let mut values = yaml(&read("values.yaml"));
    for example in of("deploy/chart/README.md") {
        laid_over(&mut values, yaml(&example));
    }
    let errors: Vec<String> = schema
        .iter_errors(&values)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut config = values["config"].take();
    config["kustomer"]["token"] = json!({ "env": "KUSTOMER_TOKEN" });
    let file = root().join("schemas/worker.yaml");
    let settings = kustomer_ingest::config::parse(&file, &config.to_string());
    let faults = settings.err().map(|faults| faults.to_string());
    assert_eq!(faults, None);
}

#[tokio::test]
async fn what_the_page_of_the_api_shows_is_taken_by_the_simulator() {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let kustomer = Server::start(Config::default(), local).await.unwrap();
    let all = of("docs/kustomer-api.md");
    let [customers, errors] = all.as_slice() else {
        panic!("{all:?}");
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{}/v1/customers/bulk", kustomer.url()))
        .bearer_auth("sim-key")
        .header("content-type", "application/json")
        .body(customers.clone())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    for line in errors.lines() {
        let error: Value = serde_json::from_str(line).unwrap();
        assert!(
            error["errors"][0]["code"].is_string() || error["error"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn the_script_of_faults_is_one() {
    for example in of("docs/simulator.md") {
        let script = FaultScript::parse(&example).unwrap();
        script.check().unwrap();
    }
}

/// The tutorial from its sample to its last command, as a reader would type it.
#[test]
fn the_tutorial_leads_from_a_sample_to_a_tested_mapping() {
    let guide = std::fs::read_to_string(root().join("docs/mapping.md")).unwrap();
    let (_, rest) = guide.split_once("## From a sample to a mapping\n").unwrap();
    let (tutorial, _) = rest.split_once("\n## ").unwrap();
    let mut script = String::from("set -eu\n");
    for block in tutorial.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        script.push_str(&match language {
            "json" => format!("cat > sample.ndjson <<'END'\n{text}END\n"),
            "yaml" => format!("cat > mappings/repairs.yaml <<'END'\n{text}END\n"),
            "sh" => text.to_owned(),
            other => panic!("a block of {other}"),
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kustomer-ingest"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    let output = Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{told}");
    for expected in [
        "klass repair: currencyStr, ",
        "do[0].custom.priceNum = 75.57",
        "tests reach 2 of 2 routes",
        "3 tests, 0 failed",
    ] {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
    let mapping = std::fs::read_to_string(folder.path().join("workshop/mappings/repairs.yaml"));
    assert!(!mapping.unwrap().contains("sven@"));
}

#[test]
fn the_list_of_suppressed_people_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("suppressed.ndjson");
    let [list] = &of("docs/privacy.md")[..] else {
        panic!("one list");
    };
    std::fs::write(&file, list).unwrap();
    let list = SuppressedFile(file).read().unwrap();
    let has = |value: &str| list.keys().any(|key| &**key.value() == value);
    for suppressed in [
        "u4711",
        "ida@shop.example",
        "i@shop.example",
        "max@shop.example",
    ] {
        assert!(has(suppressed), "{suppressed}");
    }
    assert!(!has("u12"), "unsuppressed");
    assert_eq!(list.deletions().len(), 1);
}

#[test]
fn the_route_for_deleted_rows_makes_no_card() {
    let [route, _] = &of("docs/inputs.md")[..] else {
        panic!("two routes");
    };
    // it has no title to make one with, and says what happens where there is none
    let test = r#"
tests:
  - name: a deleted order
    key: { id: 1001 }
    event: { op: d, before: null, after: null, source: { table: orders, lsn: 24023200, connector: postgresql, ts_ms: 1767322800000 } }
    expect:
      - kobject: order
        externalId: "1001"
        version: "24023200"
        title: null
        custom: { statusStr: deleted, deletedAt: "2026-01-02T03:00:00.000Z" }
        customer: { missing: skip }
"#;
    let text = format!("format: debezium\nroutes:\n{route}{test}");
    let mapping = Mapping::compile(&text, "docs/inputs.md").unwrap();
    assert_eq!(mapping.test_count(), 1);
    let failures = mapping.run_tests_as(Format::Debezium);
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn the_route_for_redactions_deletes_the_orders() {
    let [_, routes] = &of("docs/inputs.md")[..] else {
        panic!("two routes");
    };
    let text = format!("format: shopify\nroutes:\n{routes}");
    let mapping = Mapping::compile(&text, "docs/inputs.md").unwrap();
    let pipeline = Pipeline::new(Format::Shopify, Limits::default(), Arc::new(mapping)).unwrap();
    let header = |name: &str, value: &str| Header {
        name: name.to_owned(),
        value: Some(value.to_owned().into()),
    };
    let body = json!({
        "shop_id": 1, "shop_domain": "acme.example", "orders_to_redact": [11, 12],
        "customer": {"id": 7, "email": "mia@example.com", "phone": null},
    });
    let record = Record {
        position: Position {
            partition: TopicPartition::new("shop.webhooks", 0),
            offset: Offset(7),
        },
        key: None,
        value: Some(body.to_string().into()),
        headers: vec![
            header("X-Shopify-Topic", "customers/redact"),
            header("X-Shopify-Event-Id", "e-1"),
        ],
        timestamp_ms: Some(1_772_611_200_000),
    };
    let Verdict::Emit(planned) = pipeline.explain(&record, Timestamp::UNIX_EPOCH).1 else {
        panic!("{:?}", pipeline.explain(&record, Timestamp::UNIX_EPOCH));
    };
    let deleted: Vec<(bool, &str)> = planned
        .iter()
        .filter_map(|planned| match &planned.operation {
            Operation::KObject(object) => Some((object.deletes, &*object.external_id.0)),
            Operation::Identify(_) | Operation::Track(_) => None,
        })
        .collect();
    assert_eq!(deleted, [(true, "11"), (true, "12")]);
}
