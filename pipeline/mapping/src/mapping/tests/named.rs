//! `let` and `tables`.

use serde_json::json;

use super::*;
use crate::decode::{Decoder, Format, Limits};
use crate::mapping::{Files, Found};
use crate::testing::shown;
use ingest_model::outcome::Verdict;

/// Files in memory.
struct InMemory(&'static [(&'static str, &'static str)]);

impl Files for InMemory {
    fn read(&self, _named_in: &str, path: &str) -> Result<Found, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        let (name, text) = found.ok_or_else(|| "no such file".to_owned())?;
        Ok(Found {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        })
    }
}

fn errors(text: &str, files: &'static [(&'static str, &'static str)]) -> Vec<String> {
    let errors = Mapping::compile_with(text, "m.yaml", &InMemory(files)).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn operations(mapping: &Mapping, value: &serde_json::Value) -> Verdict {
    let record = Record {
        value: Some(value.to_string().into()),
        ..record()
    };
    let event = Decoder::new(Format::Json, Limits::default())
        .decode(&record)
        .unwrap();
    mapping.apply(&event, &record, now()).verdict
}

fn custom(mapping: &Mapping, value: &serde_json::Value) -> serde_json::Value {
    match operations(mapping, value) {
        Verdict::Emit(planned) => shown(&planned[0].operation)["custom"].clone(),
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => panic!("{other:?}"),
    }
}

const NAMED: &str = r#"
let:
  # in any order
  sum: $net * 2
  net: .order.net | tonumber
  order: .order
  vat: 0.19
tables:
  exponents: { default: 2, case: ignore, values: { JPY: 0, KWD: 3 } }
  words: { missing: error, values: { 1: one, true: yes, "2": { name: two } } }
routes:
  - name: a
    on: A
    let: { half: $sum / 2 }
    customer: none
    do:
      - kobject: order
        externalId: $order.id
        title: '"\($order.id)"'
        custom:
          sumNum: $sum
          halfNum: $half
          vatNum: $vat
          digitsNum: .order.currency | lookup("exponents")
          wordStr: .order.word | lookup("words")
          goneNum: $half | . as $half | $half + 1
  - name: b
    on: B
    let: { half: 1 }
    customer: none
    do: [ { kobject: order, externalId: .order.id, title: '"x"', custom: { halfNum: $half } } ]
"#;

#[test]
fn values_and_tables_are_used_by_name() {
    let mapping = Mapping::compile(NAMED, "t.yaml").unwrap();
    let event =
        json!({ "type": "A", "order": { "id": 7, "net": "4", "currency": "jpy", "word": 1 } });
    let wanted = json!({
        "sumNum": 8, "halfNum": 4, "vatNum": 0.19, "digitsNum": 0, "wordStr": "one", "goneNum": 5,
    });
    assert_eq!(custom(&mapping, &event), wanted);
    // what is not in a table: the default, nothing for nothing, or a bad value
    let other = json!({ "type": "A", "order": { "id": 7, "net": "x", "currency": "EUR" } });
    assert_eq!(
        custom(&mapping, &other),
        json!({ "vatNum": 0.19, "digitsNum": 2 })
    );
    let unknown = json!({ "type": "A", "order": { "id": 7, "net": 1, "word": "3" } });
    let record = Record {
        value: Some(unknown.to_string().into()),
        ..record()
    };
    let decoder = Decoder::new(Format::Json, Limits::default());
    let event = decoder.decode(&record).unwrap();
    let dropped = mapping.apply(&event, &record, now()).dropped;
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert!(
        dropped[0].detail.contains("the table has no such key"),
        "{dropped:?}"
    );
    // each route has its own
    let b = json!({ "type": "B", "order": { "id": 7 } });
    assert_eq!(custom(&mapping, &b), json!({ "halfNum": 1 }));
}

#[test]
fn a_value_is_computed_once_for_a_record() {
    let many: String = (0..90)
        .map(|n| format!("          f{n}Num: $heavy\n"))
        .collect();
    let text = format!(
        "let: {{ heavy: '[range(100000)] | length' }}\nroutes:\n  - name: a\n    on: A\n    customer: none\n    do:\n      \
         - kobject: k\n        externalId: .id\n        title: '\"x\"'\n        custom:\n{many}"
    );
    let mapping = Mapping::compile(&text, "t.yaml").unwrap();
    let found = custom(&mapping, &json!({ "type": "A", "id": 1 }));
    assert_eq!(found.as_object().unwrap().len(), 90);
    assert!(
        found
            .as_object()
            .unwrap()
            .values()
            .all(|value| *value == json!(100_000))
    );
}

#[test]
fn a_value_gives_what_its_expression_gives() {
    let inputs = [
        json!({ "type": "A", "a": { "b": [1, 2, { "c": "x" }] } }),
        json!({ "type": "A", "a": "text" }),
        json!({ "type": "A", "a": null }),
        json!({ "type": "A" }),
    ];
    for expr in [
        ".a",
        ".a.b",
        ".a.b[2].c",
        ".a.b | length",
        ".a.b[]?",
        "$event.name",
        "$event.customer",
        "\"x\"",
        "17",
        ".a | tostring",
        "error(\"no\")",
        "empty",
        "[.a, $record.topic]",
    ] {
        let text = format!(
            "let: {{ v: {} }}\nroutes:\n  - name: a\n    on: A\n    customer: none\n    do:\n      \
             - kobject: k\n        externalId: '1'\n        title: '\"x\"'\n        data: {{ by: '$v', self: {}, part: '$v | tojson' }}\n",
            serde_json::Value::from(expr),
            serde_json::Value::from(expr),
        );
        let mapping = Mapping::compile(&text, "t.yaml").unwrap();
        for input in &inputs {
            let Verdict::Emit(planned) = operations(&mapping, input) else {
                panic!("{expr}");
            };
            let data = &shown(&planned[0].operation)["data"];
            assert_eq!(data["by"], data["self"], "{expr} of {input}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_name_is_said_with_its_place() {
    let routes = "routes:\n  - { name: a, on: A, skip: x }\n";
    for (text, wanted) in [
        (
            "let: { a: $b, b: $c, c: $a }\n",
            "m.yaml:1:8: let.a: is computed from itself: `$a` uses `$b` uses `$c` uses `$a`",
        ),
        (
            "let: { a: $a }\n",
            "m.yaml:1:8: let.a: is computed from itself: `$a` uses `$a`",
        ),
        (
            "let: { total: .t, b: $totl }\n",
            "let.b: there is no variable `$totl` in `$totl`; did you mean `$total`?",
        ),
        (
            "let: { event: .t }\n",
            "let.event: `$event` has a meaning of its own",
        ),
        (
            "let: { a-b: .t }\n",
            "let.a-b: not the name of a variable; a letter, then letters",
        ),
        (
            "event: { id: '[$no, .at]' }\nlet: { no: .no }\n",
            "m.yaml:1:14: event.id: there is no variable `$no` in `[$no, .at]`; `let` does not reach the header `event`, which is read first: \
             write the expression out here; the only variable is `$record`",
        ),
        (
            "event: { id: $recrd.key }\n",
            "event.id: there is no variable `$recrd` in `$recrd.key`; did you mean `$record`?",
        ),
        (
            "let: { a: $item }\n",
            "let.a: there is no variable `$item` in `$item`; `$item` and `$index` are there only in an operation with `each`",
        ),
        (
            "tables: { t: { values: { a: 1 } } }\n",
            "m.yaml:1:14: tables.t: has no `default`; say what a key gives that is not in the table",
        ),
        (
            "tables: { t: { default: 1 } }\n",
            "tables.t: has no values; `values: { EUR: 2 }`, or `file:`",
        ),
        (
            "tables: { t: { default: 1, values: { a: 1, A: 2 }, case: ignore } }\n",
            "tables.t: has the key `A` twice",
        ),
        (
            "tables: { t: { default: 1, missing: error, values: {} } }\n",
            "a table has either a `default` or `missing: error`, not both",
        ),
        (
            "tables: { t: { default: 1, file: t.txt } }\n",
            "`t.txt` is neither CSV nor YAML nor JSON",
        ),
        (
            "tables: { t: { default: 1, file: no.csv } }\n",
            "m.yaml:1:34: tables.t.file: cannot read `no.csv`: no such file; paths are relative",
        ),
        (
            "tables: { t: { default: 1, file: t.csv, value: name } }\n",
            "tables.t.file: t.csv: has no column `name`; its first line names: code, digits",
        ),
        (
            "tables: { t: { default: 1, file: t.yaml, value: name } }\n",
            "tables.t.value: has a meaning only for a CSV file",
        ),
        (
            "tables: { t: { default: 1, file: bad.yaml } }\n",
            "bad.yaml: line 2: ",
        ),
        (
            "tables: { money: { default: 1, values: {} } }\nlet: { a: .x | lookup(\"mony\") }\n",
            "there is no table `mony` in `.x | lookup(\"mony\")`; did you mean `money`?",
        ),
        (
            "let: { a: .x | lookup(\"mony\") }\n",
            "there is no table `mony`",
        ),
        (
            "let: { a: .x | lookup(.y) }\n",
            "`lookup` takes the name of a table as a constant text",
        ),
    ] {
        const FILES: &[(&str, &str)] = &[
            ("t.csv", "code,digits\nJPY,0\n"),
            ("t.yaml", "JPY: 0\n"),
            ("bad.yaml", "a: 1\na: 2\n"),
        ];
        let found = errors(&format!("{text}{routes}"), FILES);
        assert!(
            found[0].contains(wanted),
            "{text}\n found {found:#?}\nwanted {wanted}"
        );
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    // two routes may use one name, but not that of the file
    let twice = "let: { a: .a }\nroutes:\n  - { name: a, on: A, skip: x, let: { b: .b } }\n  - { name: b, on: B, skip: x, let: { b: .b, a: .c } }\n";
    let found = errors(twice, &[]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("m.yaml:4:46: routes[1].let.a: `$a` is named already"),
        "{found:#?}"
    );
}

#[test]
fn tables_are_read_from_files() {
    const FILES: &[(&str, &str)] = &[
        ("t.csv", "name,code,digits\nYen,JPY,0\n"),
        ("t.json", "{\"JPY\": {\"digits\": 0}}"),
    ];
    let text = r#"
tables:
  csv: { default: null, file: t.csv, key: code, value: name }
  json: { default: null, file: t.json }
routes:
  - name: a
    on: A
    customer: none
    do: [ { kobject: k, externalId: .id, title: '"x"', custom: { nStr: '.c | lookup("csv")', dNum: '.c | lookup("json").digits' } } ]
"#;
    let mapping = Mapping::compile_with(text, "t.yaml", &InMemory(FILES)).unwrap();
    let found = custom(&mapping, &json!({ "type": "A", "id": 1, "c": "JPY" }));
    assert_eq!(found, json!({ "nStr": "Yen", "dNum": 0 }));
}

const INCLUDED: &[(&str, &str)] = &[
    (
        "common.yaml",
        "let: { order: .order }\ntables: { t: { default: 0, values: { a: 1 } } }\nonBad: reject\nroutes:\n  - name: dull\n    on: [Dull, A]\n    skip: dull\n  - name: c\n    on: C\n    customer: none\n    do: [ { kobject: k, externalId: $order.id, title: '\"c\"', custom: { nNum: .n } } ]\ntests:\n  - name: c\n    event: { type: C, order: { id: 1 }, n: x }\n    expect: { reject: illegal_field }\n",
    ),
    ("round.yaml", "include: m.yaml\n"),
    ("m.yaml", "include: round.yaml\n"),
    (
        "wrong.yaml",
        "event: { name: .x }\nformat: stripe\nroutes:\n  - { name: a, on: B, skpi: x }\n",
    ),
    ("diamond.yaml", "include: common.yaml\n"),
];

#[test]
fn a_file_may_include_others() {
    let text = r#"
include: [common.yaml, diamond.yaml]
defaults: { customer: none, onHold: divert }
routes:
  - name: a
    on: A
    do: [ { kobject: k, externalId: $order.id, title: '"x"', custom: { nNum: '.n', tNum: '.t | lookup("t")' } } ]
"#;
    let mapping = Mapping::compile_with(text, "m.yaml", &InMemory(INCLUDED)).unwrap();
    let routes = mapping.routes();
    let names: Vec<(&str, &str)> = routes
        .iter()
        .map(|route| (&*route.name, &*route.file))
        .collect();
    assert_eq!(
        names,
        [
            ("a", "m.yaml"),
            ("dull", "common.yaml"),
            ("c", "common.yaml")
        ]
    );
    let held: Vec<bool> = routes
        .iter()
        .map(|route| route.on_hold == crate::mapping::OnHold::Divert)
        .collect();
    assert_eq!(held, [true, false, false]);
    // own routes come first, and each file says for its own what becomes of bad values
    let a = json!({ "type": "A", "order": { "id": 1 }, "n": "x", "t": "a" });
    assert_eq!(custom(&mapping, &a), json!({ "tNum": 1 }));
    let c = json!({ "type": "C", "order": { "id": 1 }, "n": "x" });
    assert!(matches!(operations(&mapping, &c), Verdict::Reject(_)));
    // the tests of an included file run with the others, and name their file
    assert_eq!(mapping.test_count(), 1);
    assert_eq!(mapping.run_tests(), []);
}

#[test]
fn what_is_wrong_with_an_included_file_is_said_with_its_name() {
    for (text, wanted) in [
        (
            "include: gone.yaml\n",
            vec!["m.yaml:1:10: include: cannot read `gone.yaml`: no such file"],
        ),
        (
            "include: round.yaml\n",
            vec![
                "round.yaml:1:10: include: includes itself: m.yaml includes round.yaml includes m.yaml",
            ],
        ),
        (
            "include: wrong.yaml\n",
            vec![
                "wrong.yaml:1:8: event: is about all records",
                "wrong.yaml:2:9: format: the file that includes this one names no format",
                "wrong.yaml:4:23: routes[0]: unknown key `skpi`; did you mean `skip`?",
                "wrong.yaml:4:5: routes[0]: a route needs `do` or `skip`",
            ],
        ),
    ] {
        let found = errors(
            &format!("{text}routes:\n  - {{ name: a, on: A, skip: x }}\n"),
            INCLUDED,
        );
        assert_eq!(found.len(), wanted.len(), "{found:#?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.contains(wanted), "found {found}\nwanted {wanted}");
        }
    }
}

#[test]
fn a_default_customer_is_everybodys() {
    let text = "defaults: { customer: { externalId: .who } }\nroutes:\n  - { name: a, on: A, do: [ { track: '\"Seen\"' } ] }\n  - { name: b, on: B, customer: { email: .mail }, do: [ { track: '\"Seen\"' } ] }\n";
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    let whose = |value: serde_json::Value| match operations(&mapping, &value) {
        Verdict::Emit(planned) => shown(&planned[0].operation)["customer"].clone(),
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => panic!("{other:?}"),
    };
    let a = whose(json!({ "type": "A", "who": "w" }));
    assert_eq!(a["externalId"], "w");
    let found = errors(
        "defaults: { customer: { externalId: .who | }, onHold: x }\nroutes:\n  - { name: a, on: A, do: [ { track: '\"Seen\"' } ] }\n",
        &[],
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[1].contains("m.yaml:1:37: defaults.customer.externalId"),
        "{found:#?}"
    );
}

#[test]
fn a_name_that_nothing_uses_is_doubted() {
    let text = "include: common.yaml\nlet: { a: .a, b: $a, typo: .t }\nroutes:\n  - { name: a, on: A, let: { c: .c, d: .d }, when: $b == $d, skip: x }\n";
    let mapping = Mapping::compile_with(text, "m.yaml", &InMemory(INCLUDED)).unwrap();
    let doubts: Vec<String> = mapping.doubts().iter().map(ToString::to_string).collect();
    assert_eq!(doubts.len(), 2, "{doubts:#?}");
    assert!(
        doubts[0].contains(
            "m.yaml:2:22: let.typo: is used by no expression; expressions use it as `$typo`"
        ),
        "{doubts:#?}"
    );
    assert!(
        doubts[1].contains("m.yaml:4:30: routes[0].let.c: is used by no"),
        "{doubts:#?}"
    );
}
