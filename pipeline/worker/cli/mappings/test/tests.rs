//! Coverage, reports, and records that become tests.

use std::path::{Path, PathBuf};

use crate::cli::tests::printed;

use super::*;

const CONFIG: &str = "kafka:\n  brokers: localhost:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - { name: shop, mapping: m.yaml }\n\
                      kustomer:\n  base_url: https://example.api.kustomerapp.com\n  token: { env: KI_NO_SUCH_VARIABLE }\n  limit: 100\n";
const MAPPING: &str = "# my mapping
routes:
  - name: order   # every order
    on: Order
    customer: { externalId: .customer.id, email: .customer.email }
    do:
      - kobject: order
        externalId: .order_id
        title: '\"Order \\(.order_id) of \\(.customer.first_name)\"'
        custom: { totalNum: .total, couponStr: .coupon }
  - { name: noise, on: Noise, skip: nobody wants it }
tests:
  # the usual one
  - name: an order
    event: { type: Order, order_id: o1, total: 5, customer: { id: u1 } }
    expect: [ { custom: { totalNum: 5 } } ]

# the end
";
const RECORD: &str = r#"{"topic":"shop","partition":2,"offset":7,"key":"user-8271","headers":[["trace","abc"]],"value":{"type":"Order","order_id":"A-10017","total":27.5,"customer":{"id":"user-8271","first_name":"Maria","email":"maria@shop.example"}},"timestamp":1772611200000}"#;

fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("w.yaml"), CONFIG).unwrap();
    std::fs::write(dir.path().join("m.yaml"), MAPPING).unwrap();
    dir
}

fn test(dir: &Path, arguments: &[&str]) -> (String, CommandExit) {
    let config = dir.join("w.yaml").to_str().unwrap().to_owned();
    let line = ["kustomer-ingest", "test", "--config", &config];
    printed(line.iter().chain(arguments))
}

/// Pins a record from a file with this content.
fn pin(dir: &Path, content: &str, arguments: &[&str]) -> (String, CommandExit) {
    let file = dir.join("record.json");
    std::fs::write(&file, content).unwrap();
    let file = file.to_str().unwrap().to_owned();
    test(dir, &[&["--pin", &file], arguments].concat())
}

fn mapping(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("m.yaml")).unwrap()
}

#[test]
fn what_no_test_reaches_is_listed_and_a_bound_can_fail() {
    let dir = files();
    let (text, exit) = test(dir.path(), &["--coverage"]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    for expected in [
        "m.yaml:11: route noise: no test reaches it",
        "m.yaml:10: route order: do[0].custom.couponStr: has no value in any test",
        "m.yaml:5: route order: customer.email: has no value in any test",
        "m.yaml: tests reach 1 of 2 routes, 4 of 6 fields: 62 %",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_eq!(
        test(dir.path(), &["--min-coverage", "60"]).1,
        CommandExit::Good
    );
    let (text, exit) = test(dir.path(), &["--min-coverage", "63"]);
    assert_eq!(exit, CommandExit::Faults);
    assert!(
        text.contains("62.5 % is less than --min-coverage 63"),
        "{text}"
    );
}

#[test]
fn ci_systems_get_junit() {
    let dir = files();
    let wrong = mapping(dir.path())
        .replace("totalNum: 5 }", "totalNum: 6 }")
        .replace("an order\n", "an <order> & more\n");
    std::fs::write(dir.path().join("m.yaml"), wrong).unwrap();
    let junit: PathBuf = dir.path().join("out.xml");
    let (_, exit) = test(dir.path(), &["--junit", junit.to_str().unwrap()]);
    assert_eq!(exit, CommandExit::Faults);
    let xml = std::fs::read_to_string(junit).unwrap();
    for expected in [
        "<testsuites name=\"mappings\" tests=\"1\" failures=\"1\">",
        "<testcase name=\"an &lt;order&gt; &amp; more\"",
        " line=\"16\">",
        "[0].custom.totalNum: expected 6, got 5; the rule is on line 10",
    ] {
        assert!(xml.contains(expected), "{expected} is not in\n{xml}");
    }
}

#[test]
fn ci_systems_are_told_of_too_few_tests_and_of_files_that_cannot_be_used() {
    let dir = files();
    let junit: PathBuf = dir.path().join("out.xml");
    let written = |arguments: &[&str]| {
        let named = ["--junit", junit.to_str().unwrap()];
        let (_, exit) = test(dir.path(), &[&named, arguments].concat());
        (std::fs::read_to_string(&junit).unwrap(), exit)
    };
    let (xml, exit) = written(&["--min-coverage", "63"]);
    assert_eq!(exit, CommandExit::Faults);
    for expected in [
        "tests=\"2\" failures=\"1\">",
        "<testcase name=\"the tests reach at least 63 % of its routes and fields\"",
        "62.5 % is less than --min-coverage 63",
    ] {
        assert!(xml.contains(expected), "{expected} is not in\n{xml}");
    }
    assert!(
        written(&["--min-coverage", "60"])
            .0
            .contains("failures=\"0\">")
    );
    let torn = mapping(dir.path()).replace("routes:", "routes: [");
    std::fs::write(dir.path().join("m.yaml"), torn).unwrap();
    let (xml, exit) = written(&[]);
    assert_eq!(exit, CommandExit::Usage);
    for expected in [
        "tests=\"1\" failures=\"1\">",
        "m.yaml\"",
        "<failure type=\"fault\"",
    ] {
        assert!(xml.contains(expected), "{expected} is not in\n{xml}");
    }
}

#[test]
fn a_record_becomes_a_test_without_personal_data_and_comments_stay() {
    let dir = files();
    let (text, exit) = pin(dir.path(), RECORD, &[]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    assert!(
        text.contains(
            "added the test `pinned, order` (order); 2 personal values and 2 ids are made up"
        ),
        "{text}"
    );
    let written = mapping(dir.path());
    for personal in ["maria", "Maria", "8271", "10017"] {
        assert!(!written.contains(personal), "{personal} is in\n{written}");
    }
    let (before, behind) = MAPPING.split_once("\n# the end").unwrap();
    assert!(
        written.starts_with(before) && written.ends_with(&format!("\n# the end{behind}")),
        "{written}"
    );
    assert!(written.contains("      first_name: Robin\n"), "{written}");
    assert!(
        written.contains("    headers:\n      trace: abc\n"),
        "{written}"
    );
    assert!(written.contains("email: person1@example.com"), "{written}");
    let (text, exit) = test(dir.path(), &[]);
    assert_eq!(
        (text.as_str(), exit),
        ("2 tests, 0 failed\n", CommandExit::Good)
    );
    // What it expects is not empty: a change of the mapping is noticed.
    let other = mapping(dir.path()).replace("\"Order \\(", "\"Purchase \\(");
    std::fs::write(dir.path().join("m.yaml"), other).unwrap();
    let (text, exit) = test(dir.path(), &[]);
    assert_eq!(exit, CommandExit::Faults);
    assert!(text.contains("test pinned, order: [0].title"), "{text}");
}

#[test]
fn a_second_pin_has_another_name_and_one_name_is_taken_once() {
    let dir = files();
    assert_eq!(pin(dir.path(), RECORD, &[]).1, CommandExit::Good);
    let (text, _) = pin(dir.path(), RECORD, &["--keep-ids"]);
    assert!(text.contains("`pinned, order, 2`"), "{text}");
    assert!(mapping(dir.path()).contains("order_id: A-10017"));
    let (text, exit) = pin(dir.path(), RECORD, &["--name", "an order"]);
    assert_eq!(exit, CommandExit::Usage);
    assert!(text.contains("already has a test `an order`"), "{text}");
    let (text, exit) = pin(dir.path(), RECORD, &["--name", "shown", "--dry-run"]);
    assert_eq!(exit, CommandExit::Good);
    assert!(text.starts_with("name: shown\n"), "{text}");
    assert!(!mapping(dir.path()).contains("shown"));
}

#[test]
fn a_dead_letter_is_pinned_as_its_original_record() {
    let dir = files();
    let letter = r#"{"topic":"d","partition":0,"offset":1,"headers":[["ingest.error.reason","missing_customer"],["ingest.source.topic","shop"],["ingest.source.partition","2"],["ingest.source.offset","9"],["trace","t"]],"value":{"type":"Order","order_id":"o9","customer":{"first_name":"Maria"}}}"#;
    let (text, exit) = pin(dir.path(), letter, &[]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    let written = mapping(dir.path());
    assert!(
        written.contains("    expect:\n      reject: missing_customer\n"),
        "{written}"
    );
    assert!(
        !written.contains("ingest.") && written.contains("trace: t"),
        "{written}"
    );
    assert_eq!(test(dir.path(), &[]).1, CommandExit::Good);
}

#[test]
fn what_cannot_be_pinned_is_refused_and_the_file_stays() {
    let dir = files();
    let decided = MAPPING.replace(
        "    on: Order\n",
        "    on: Order\n    when: .customer.email | endswith(\"@shop.example\")\n",
    );
    let brackets = MAPPING.split_once("tests:").unwrap().0.to_owned()
        + "tests: [ { name: a, event: { type: Noise }, expect: { skip: dropped } } ]\n";
    for (text, record, said) in [
        (
            &*decided,
            RECORD,
            "it would be `skip condition_false` in place of `order`",
        ),
        (&*brackets, RECORD, "is written in brackets"),
        (
            MAPPING,
            r#"{"topic":"else","value":{}}"#,
            "is of the topic else, which the configuration does not have",
        ),
        (MAPPING, r#"{"value":"no json"}"#, "the value is not JSON"),
        (
            MAPPING,
            "{\"value\":{}}\n{\"value\":{}}",
            "has several records: say which with --line N",
        ),
        (MAPPING, "", "has no record"),
    ] {
        std::fs::write(dir.path().join("m.yaml"), text).unwrap();
        let (told, exit) = pin(dir.path(), record, &[]);
        assert_ne!(exit, CommandExit::Good, "{told}");
        assert!(told.contains(said), "{said} is not in {told}");
        assert_eq!(mapping(dir.path()), text);
    }
}

#[test]
fn every_shipped_example_can_be_pinned_to_its_mapping() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (mut pinned, mut refused) = (0, 0);
    for format in [
        "segment",
        "shopify",
        "stripe",
        "woocommerce",
        "easypost",
        "aftership",
        "commercetools",
    ] {
        let dir = files();
        let config = CONFIG.replace(
            "mapping: m.yaml",
            &format!("format: {format}, mapping: m.yaml"),
        );
        std::fs::write(dir.path().join("w.yaml"), config).unwrap();
        let preset = root.join("schemas/mappings").join(format!("{format}.yaml"));
        let text = std::fs::read_to_string(preset).unwrap();
        std::fs::write(dir.path().join("m.yaml"), &text).unwrap();
        let folder = root.join("schemas/events").join(format).join("valid");
        for entry in std::fs::read_dir(folder).unwrap() {
            let example = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let (told, exit) = pin(dir.path(), &example, &[]);
            if exit == CommandExit::Good {
                pinned += 1;
            } else {
                // The mapping decides by an id, or the record has a number that YAML does not carry.
                let is_told = told.contains("treats the record otherwise")
                    || told.contains("a number that YAML cannot carry");
                assert!(is_told || told.contains("is not JSON"), "{told}");
                refused += 1;
            }
        }
        let (told, exit) = test(dir.path(), &[]);
        assert_eq!(exit, CommandExit::Good, "{told}");
        assert!(
            mapping(dir.path()).starts_with(text.trim_end()),
            "what was there stays"
        );
    }
    assert!(
        pinned > 60 && refused * 5 < pinned,
        "{pinned} pinned, {refused} refused"
    );
}

#[test]
fn a_batch_with_rejected_events_becomes_a_test_that_counts_for_all_of_them() {
    let dir = files();
    let batches = MAPPING.replace("routes:\n", "event: { each: .events }\nroutes:\n");
    std::fs::write(dir.path().join("m.yaml"), batches).unwrap();
    let (text, _) = test(dir.path(), &["--coverage"]);
    assert!(text.contains("1 of 2 routes, 4 of 6 fields"), "{text}");
    let record = r#"{"events":[{"type":"Order","order_id":"A-10017","total":"many","coupon":"SPRING","customer":{"id":"user-8271","first_name":"Maria","email":"maria@shop.example"}},
        {"type":"Order","order_id":"A-10018","customer":{"first_name":"Bo"}},{"type":"Noise"}]}"#
        .replace('\n', "");
    let (text, exit) = pin(dir.path(), &record, &[]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    assert!(
        text.contains("added the test `pinned, batch: order, 1 rejected, missing_customer`"),
        "{text}"
    );
    let written = mapping(dir.path());
    for expected in [
        "    rejected:\n      - 1\n",
        "    dropped:\n      - custom.totalNum\n",
    ] {
        assert!(
            written.contains(expected),
            "{expected} is not in\n{written}"
        );
    }
    let (text, exit) = test(dir.path(), &["--coverage"]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    assert!(
        text.contains("2 of 2 routes, 6 of 6 fields: 100 %"),
        "{text}"
    );
    // The test notices when another event is rejected.
    let other = written.replace("      - 1\n", "      - 0\n");
    std::fs::write(dir.path().join("m.yaml"), other).unwrap();
    assert_eq!(test(dir.path(), &[]).1, CommandExit::Faults);
}

#[test]
fn the_name_of_a_test_of_a_batch_does_not_grow_with_the_batch() {
    let dir = files();
    let names = ["A", "B", "C", "D", "E"];
    let routes = names.map(|name| {
        format!("  - {{ name: {name}, on: {name}, customer: none, do: [{{ kobject: k, externalId: .id, title: .id }}] }}\n")
    });
    let text = format!("event: {{ each: . }}\nroutes:\n{}", routes.concat());
    std::fs::write(dir.path().join("m.yaml"), text).unwrap();
    let events = (0..50).map(|n| format!(r#"{{"type":"{}","id":"n-{n}"}}"#, names[n % 5]));
    let record = format!("[{}]", events.collect::<Vec<_>>().join(","));
    let (text, exit) = pin(dir.path(), &record, &["--keep-ids"]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    assert!(
        text.contains("the test `pinned, batch: A, B, C, …`"),
        "{text}"
    );
}
