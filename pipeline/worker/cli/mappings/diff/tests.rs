//! Two configurations, one sample.

use crate::cli::tests::printed;

use super::*;

const CONFIG: &str = "kafka:\n  brokers: localhost:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - { name: t, mapping: MAPPING }\n\
                      kustomer:\n  base_url: https://example.api.kustomerapp.com\n  token: { env: KI_NO_SUCH_VARIABLE }\n  limit: 100\n";
const BEFORE: &str = "routes:
  - name: order
    on: Order
    customer: { email: .mail }
    do:
      - { kobject: order, externalId: .id, title: .id, custom: { totalNum: .total }, data: { lines: .lines } }
  - { name: view, on: View, skip: too many }
";
const AFTER: &str = "routes:
  - name: order
    on: Order
    customer: { email: .mail }
    do:
      - { kobject: order, externalId: .id, title: '\"Order \\(.id)\"', custom: { totalNum: .total, statusStr: .status }, data: { lines: .lines } }
      - { track: .type }
  - { name: view, on: View, customer: { email: .mail }, do: [ { track: .type } ] }
";
const SAMPLE: &str = r#"{"type":"Order","id":"o1","mail":"maria@shop.example","total":5,"status":"new"}
{"type":"Order","id":"o2","mail":"maria@shop.example","total":5}
{"type":"View","mail":"maria@shop.example"}
{"type":"Other"}
"#;

/// The output and the exit of `diff` for these mappings.
fn diff(before: &str, after: &str, arguments: &[&str]) -> (String, CommandExit) {
    diff_of(SAMPLE, before, after, arguments)
}

fn diff_of(sample: &str, before: &str, after: &str, arguments: &[&str]) -> (String, CommandExit) {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    file("a.yaml", &CONFIG.replace("MAPPING", "ma.yaml"));
    file("b.yaml", &CONFIG.replace("MAPPING", "mb.yaml"));
    file("ma.yaml", before);
    file("mb.yaml", after);
    file("sample", sample);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (a, b, sample) = (path("a.yaml"), path("b.yaml"), path("sample"));
    let line = [
        "kustomer-ingest",
        "diff",
        "--config",
        &a,
        "--against",
        &b,
        &sample,
    ];
    printed(line.iter().chain(arguments))
}

#[test]
fn what_changes_is_counted_by_what_it_is() {
    let (text, exit) = diff(BEFORE, AFTER, &[]);
    assert_eq!(exit, CommandExit::Good);
    for expected in [
        "4 records: 3 would become otherwise, 1 not",
        "emit                          2           3          +1",
        "skip dropped                  1           0          -1",
        "track                         0           3          +3",
        "requests, estimated           2           5          +3",
        "1  skip dropped -> emit\n              line 3",
        "2  + track, by order\n              line 1, line 2",
        "2  ~ kobject order, by order: title changed",
        "1  + kobject order, by order: custom.statusStr added\n              line 1",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert!(!text.contains("totalNum"), "it is the same: {text}");
}

#[test]
fn values_are_shown_only_when_asked_for() {
    for format in ["table", "json", "markdown"] {
        let (text, _) = diff(BEFORE, AFTER, &["--format", format]);
        assert!(
            !text.contains("Order o1") && !text.contains("maria"),
            "{text}"
        );
        let (text, _) = diff(BEFORE, AFTER, &["--format", format, "--show-values"]);
        assert!(text.contains("Order o1"), "{text}");
    }
}

#[test]
fn programs_get_one_document_and_pull_requests_two_tables() {
    let (text, _) = diff(BEFORE, AFTER, &["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&document["records"], &document["changed"]),
        (&4.into(), &3.into())
    );
    assert_eq!(document["requests"]["after"]["total"], 5);
    let verdict = &document["changes"][0];
    assert_eq!(verdict["before"], "skip dropped");
    assert_eq!(verdict["examples"][0]["at"], "line 3");
    let (text, _) = diff(BEFORE, AFTER, &["--format", "markdown"]);
    assert!(text.contains("| emit | 2 | 3 | +1 |"), "{text}");
    assert!(
        text.contains("| 1 | skip dropped -> emit | line 3 |"),
        "{text}"
    );
}

#[test]
fn the_exit_code_says_whether_anything_changes_if_asked_for() {
    assert_eq!(diff(BEFORE, AFTER, &["--exit-code"]).1, CommandExit::Faults);
    let (text, exit) = diff(BEFORE, BEFORE, &["--exit-code"]);
    assert_eq!(exit, CommandExit::Good);
    assert!(
        text.contains("4 records: nothing would become otherwise"),
        "{text}"
    );
}

#[test]
fn what_is_too_old_is_counted_with_the_way_out() {
    let before = "routes:
  - name: view
    on: View
    customer: { email: .mail }
    do:
      - { track: .type, maxAge: 2h }
      - { each: .items, kobject: item, externalId: $item, title: $item }
";
    let after = before.replace("maxAge: 2h", "maxAge: 2h, meta: { pageStr: .page }");
    let sample = r#"{"type":"View","mail":"maria@shop.example","time":"2026-03-01T10:00:00Z","page":"p","items":["i"]}
{"type":"View","mail":"maria@shop.example","time":"2026-03-03T10:30:00Z","page":"p","items":[]}
"#;
    let with = |arguments: &[&str]| diff_of(sample, before, &after, arguments).0;
    let text = with(&[]);
    for expected in [
        "2 records: nothing would become otherwise\ntoo old for `maxAge` at ",
        ": 2 operations before, 2 after; they are left out or counted in digests. --at 2026-03-03T10:30:00Z judges as of the latest of them\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let markdown = with(&["--format", "markdown"]);
    assert!(
        markdown.contains("\n\ntoo old for `maxAge` at ")
            && markdown.contains("them\n\n| | before"),
        "{markdown}"
    );
    // two days before, the first is seen, and the times of the second are read all the same
    let at = ["--at", "2026-03-01T10:30:00Z"];
    let text = with(&at);
    assert!(
        text.contains("2  + track, by view: meta.pageStr added") && !text.contains("too old"),
        "{text}"
    );
    let json = with(&["--at", "2026-03-03T10:30:00Z", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let wanted = serde_json::json!({
        "at": "2026-03-03T10:30:00Z", "before": 1, "after": 1, "latest": "2026-03-01T10:00:00Z",
    });
    assert_eq!(document["tooOld"], wanted);
}

#[test]
fn event_keys_that_change_are_counted_with_what_follows() {
    let follows =
        "what was delivered before the change and comes again counts as new, and is sent again";
    let with_id = |id: &str| format!("event: {{ id: {id} }}\n{BEFORE}");
    let line = format!(
        "2  ~ event key (another id, format, route or place in `do`): {follows}\n              line 1, line 2\n"
    );
    // another id, a route of another name, and an operation in front of the others
    for (before, after) in [
        (with_id(".id"), with_id(".total")),
        (
            BEFORE.to_owned(),
            BEFORE.replace("name: order", "name: orders"),
        ),
        (
            BEFORE.to_owned(),
            BEFORE.replace("do:\n", "do:\n      - { identify: { name: .name } }\n"),
        ),
    ] {
        let (text, exit) = diff(&before, &after, &["--exit-code"]);
        assert!(text.contains(&line), "{text}");
        assert_eq!(exit, CommandExit::Faults);
    }
    let with_format = |format: &str| {
        let arguments = ["--format", format, "--examples", "1"];
        diff(&with_id(".id"), &with_id(".total"), &arguments).0
    };
    let document: serde_json::Value = serde_json::from_str(&with_format("json")).unwrap();
    let change = serde_json::json!({
        "change": "eventKey", "follows": follows, "records": 2, "examples": [{ "at": "line 1" }],
    });
    assert_eq!(document["changes"], serde_json::json!([change]));
    let markdown = with_format("markdown");
    assert!(
        markdown.contains("| 2 | ~ event key (") && markdown.contains(" | line 1, … |"),
        "{markdown}"
    );
}

#[test]
fn an_item_that_is_new_in_a_list_changes_no_other() {
    let mapping = "routes:
  - name: order
    on: Order
    customer: none
    do: [ { each: LIST, kobject: item, externalId: $item, title: $item } ]
";
    let before = mapping.replace("LIST", ".items");
    let after = mapping.replace("LIST", "'.items + [\"z\"]'");
    let sample = r#"{"type":"Order","items":["a","b"]}"#;
    let (text, _) = diff_of(sample, &before, &after, &[]);
    assert!(
        text.contains("1  + kobject item, by order\n") && !text.contains("~ "),
        "{text}"
    );
}

#[test]
fn a_sample_that_neither_can_read_is_no_agreement() {
    for (sample, why) in [
        ("routes:\n  - name: order\n", "invalid_json"),
        ("{\"a\":1}\n[2]\n{\"a\":2}\n", "invalid_envelope"),
    ] {
        let (text, exit) = diff_of(sample, BEFORE, AFTER, &["--exit-code"]);
        assert_eq!(exit, CommandExit::Usage, "{text}");
        assert!(
            text.contains("nothing was compared") && text.contains(why),
            "{text}"
        );
    }
    // One record that can be read is compared.
    let mixed = format!("torn\n{SAMPLE}");
    let (text, exit) = diff_of(&mixed, BEFORE, BEFORE, &["--exit-code"]);
    assert_eq!(exit, CommandExit::Good, "{text}");
}
