//! Mistakes that people make in a mapping, each typed into a file as they would type it, and all that they are told.
//!
//! A good message has the file, the line, the field, what is wrong in the reader's words, and the way out. Attributes that an
//! organisation does not have are found by `check --online` (`tests/it/embedded/commands.rs`).

use std::fmt::Write as _;

use crate::cli::exit::CommandExit;
use crate::cli::tests::printed;

/// A mapping without a mistake.
const GOOD: &str = r#"format: json
tables:
  tiers: { default: null, values: { gold: Gold } }
routes:
  - name: redeemed
    on: points.redeemed
    customer: { externalId: .member, missing: create }
    do:
      - kobject: points
        externalId: .id
        title: '"Points \(.id)"'
        custom: { pointsNum: .points, tierStr: .tier }
  - name: shown
    on: points.shown
    skip: not wanted
tests:
  - name: redeemed
    event: { type: points.redeemed, id: p1, member: m1, points: 5, tier: gold, lots: [{ id: a }, { id: b }] }
    expect: [ { kobject: points, externalId: p1, custom: { pointsNum: 5 } } ]
"#;

const CONFIG: &str = "kafka:\n  brokers: localhost:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - { name: t, mapping: m.yaml, keyed_by: object }\n\
kustomer:\n  base_url: https://example.api.kustomerapp.com\n  token: { env: KI_NO_SUCH_VARIABLE }\n  limit: 100\n";

const CUSTOMER: &str = "    customer: { externalId: .member, missing: create }\n";
const OBJECT: &str = r#"      - kobject: points
        externalId: .id
        title: '"Points \(.id)"'
        custom: { pointsNum: .points, tierStr: .tier }
"#;

/// What is wrong, what stands in the good file, and what people write instead.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("the case of a key", "externalId: .id", "externalID: .id"),
    (
        "an unknown field",
        "        externalId: .id",
        "        priority: 5\n        externalId: .id",
    ),
    (
        "an attribute without its suffix",
        "pointsNum: .points",
        "points: .points",
    ),
    (
        "an attribute with blanks",
        "tierStr: .tier",
        "\"my tier\": .tier",
    ),
    (
        "an attribute with a dot",
        "tierStr: .tier",
        "tier.levelStr: .tier",
    ),
    ("a constant text as a number", ": .points", ": '\"many\"'"),
    ("a path to a text as a number", ": .points", ": .tier"),
    (
        "a bracket that is not closed",
        ": .points",
        ": (.points + 1",
    ),
    ("a part of a text that is not closed", r"\(.id)", r"\(.id"),
    ("a list that is not closed", ": .points", ": '[.points, 1'"),
    (
        "a bracket that closes nothing",
        ": .points",
        ": .points + 1)",
    ),
    (
        "a filter of another language",
        "tierStr: .tier",
        "tierStr: .tier | to_string",
    ),
    (
        "a table as a filter",
        "tierStr: .tier",
        "tierStr: .tier | tiers",
    ),
    (
        "an unknown filter",
        "tierStr: .tier",
        "tierStr: .tier | shorten(3)",
    ),
    (
        "a constant without quotes",
        "tierStr: .tier",
        "tierStr: gold",
    ),
    (
        "a text without quotes",
        OBJECT,
        "      - track: Points Redeemed\n",
    ),
    ("no customer", CUSTOMER, ""),
    (
        "too little indentation",
        "        externalId",
        "       externalId",
    ),
    (
        "too much indentation",
        CUSTOMER,
        "     customer: { externalId: .member }\n",
    ),
    ("a tab", "        externalId", "\texternalId"),
    (
        "a key twice",
        "        custom:",
        "        custom: { aStr: .a }\n        custom:",
    ),
    (
        "a klass with a blank",
        "- kobject: points",
        "- kobject: loyalty points",
    ),
    (
        "a klass as an expression",
        "- kobject: points",
        "- kobject: .klass",
    ),
    (
        "a word that looks like a truth value",
        "on: points.redeemed",
        "on: yes",
    ),
    ("a star without quotes", "on: points.redeemed", "on: *"),
    ("a list as a text", "tierStr: .tier", "tierStr: .lots"),
    ("several outputs", "tierStr: .tier", "tierStr: '.lots[].id'"),
    ("an unknown word", "missing: create", "missing: maybe"),
    ("no title", "        title: '\"Points \\(.id)\"'\n", ""),
    (
        "a mistyped variable",
        "tierStr: .tier",
        "tierStr: $evnt.name",
    ),
    (
        "three signs to compare",
        CUSTOMER,
        "    when: .a === 1\n    customer: { externalId: .member }\n",
    ),
    (
        "and of another language",
        CUSTOMER,
        "    when: .a && .b\n    customer: { externalId: .member }\n",
    ),
    (
        "or of another language",
        CUSTOMER,
        "    when: .a || .b\n    customer: { externalId: .member }\n",
    ),
    (
        "a list of objects without quotes",
        "        custom:",
        "        data: { l: [.lots[] | {a: .id}] }\n        custom:",
    ),
    (
        "a wrong value in a test",
        "pointsNum: 5 }",
        "pointsNum: 6 }",
    ),
    (
        "one sign to compare",
        CUSTOMER,
        "    when: .a = 1\n    customer: { externalId: .member }\n",
    ),
    ("a pattern as a name", "on: points.redeemed", "on: points.*"),
    (
        "a route that is never reached",
        "on: points.shown",
        "on: points.redeemed",
    ),
    ("a table without default", "default: null, ", ""),
    (
        "an unknown table",
        "tierStr: .tier",
        "tierStr: .tier | lookup(\"teirs\")",
    ),
    (
        "an id that an address cannot carry",
        "externalId: .id",
        "externalId: '\"gid://shop/\\(.id)\"'",
    ),
    (
        "a constant id that names nothing",
        "externalId: .id",
        "externalId: '\"..\"'",
    ),
    (
        "a customer who is always the same, and nobody",
        "{ externalId: .member, missing: create }",
        "{ externalId: '\"guest\"', missing: create }",
    ),
    (
        "a name of an event without letters",
        OBJECT,
        "      - track: '\"\u{1f600} 7\"'\n",
    ),
    (
        "a number as a name of an event",
        OBJECT,
        "      - track: 7\n",
    ),
    ("an empty title", "'\"Points \\(.id)\"'", "'\"\"'"),
    (
        "fields that are not indented",
        OBJECT,
        "      - identify:\n        name: .name\n        email: .email\n",
    ),
    (
        "a condition that always holds",
        CUSTOMER,
        "    when: true\n    customer: { externalId: .member }\n",
    ),
    (
        "a condition that never holds",
        CUSTOMER,
        "    when: false\n    customer: { externalId: .member }\n",
    ),
    (
        "a pipe too many",
        "tierStr: .tier",
        "tierStr: .tier | | .lots",
    ),
];

/// What a command prints for a mapping, without the folder of its files.
fn ran(command: &str, mapping: &str) -> (String, CommandExit) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("w.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    std::fs::write(dir.path().join("m.yaml"), mapping).unwrap();
    let line = [
        "kustomer-ingest",
        command,
        "--config",
        config.to_str().unwrap(),
    ];
    let (text, exit) = printed(line.iter());
    let text = text.replace(&format!("{}/", dir.path().display()), "");
    (text, exit)
}

/// What both commands print for a mapping, without what they say of a good one.
fn told(mapping: &str) -> String {
    let (checked, _) = ran("check", mapping);
    let (tested, exit) = ran("test", mapping);
    let quiet = [
        "topic t:",
        "  route ",
        "klass ",
        "roles: ",
        "  without ",
        "requests: ",
    ];
    let kept = checked
        .lines()
        .filter(|line| !quiet.iter().any(|start| line.starts_with(start)));
    let key = "warning: kustomer.token: the environment variable KI_NO_SUCH_VARIABLE is not set";
    let mut lines: Vec<&str> = kept.collect();
    if let Some(at) = lines.iter().position(|line| line.starts_with(key)) {
        lines.drain(at..at + 2);
    }
    let mut shown = lines.join("\n");
    // What `test` says beyond that.
    let more = tested.lines().filter(|line| !checked.contains(line));
    for line in more {
        write!(shown, "\ntest: {line}").unwrap();
    }
    assert_eq!(
        exit != CommandExit::Good,
        shown.contains(" fault"),
        "{shown}"
    );
    shown
}

#[test]
fn a_mapping_and_a_configuration_in_each_others_place_are_told_as_such() {
    let (told, exit) = ran("check", CONFIG);
    assert_eq!(exit, CommandExit::Faults, "{told}");
    let wanted = "m.yaml:1:1: is a configuration, not a mapping\n    the `mapping` of a topic names a file with `routes:`";
    assert!(told.starts_with(wanted), "{told}");
    assert!(told.ends_with("1 fault\n"), "{told}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let file = file.to_str().unwrap();
    // `check` finds faults; the others cannot begin
    for (command, wanted) in [
        ("check", CommandExit::Faults),
        ("test", CommandExit::Usage),
        ("explain", CommandExit::Usage),
    ] {
        let line = ["kustomer-ingest", command, "--config", file];
        let (told, exit) = printed(line.iter());
        assert_eq!(exit, wanted, "{command}: {told}");
        let wanted =
            "m.yaml: is a mapping, not a configuration\n    a configuration names it for a topic";
        assert!(told.contains(wanted), "{command}: {told}");
        assert!(!told.contains("unknown key"), "{command}: {told}");
    }
}

/// BigCommerce's webhooks about orders name nobody, though those about customers do.
#[test]
fn a_format_that_names_customers_does_so_only_where_it_knows_them() {
    let of = |on: &str| {
        let mapping = format!(
            "format: bigcommerce\nroutes:\n  - name: r\n    on: {on}\n    do: [ {{ track: $event.name }} ]\n"
        );
        ran("check", &mapping).0
    };
    let about_orders = of("store/order/statusUpdated");
    let expected = "the route `r` writes for a customer, and none is named: format bigcommerce knows none of these events";
    assert!(about_orders.contains(expected), "{about_orders}");
    let about_customers = of("store/customer/updated");
    assert!(!about_customers.contains("fault: "), "{about_customers}");
}

/// The guide shows what is really said.
#[test]
fn the_guide_shows_these_words() {
    let guide = include_str!("../../../../docs/mapping.md");
    let (_, rest) = guide.split_once("```text\norder.yaml").unwrap();
    let shown = format!("order.yaml{}", rest.split_once("```").unwrap().0);
    let mapping = "routes:\n  - name: order\n    on: Order\n    customer: none\n    do:\n      - kobject: order\n        externalID: .id\n        title: Order\n";
    let told = told(mapping).replace("m.yaml", "order.yaml");
    assert!(told.starts_with(&shown), "{told}");
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_way_out() {
    let mut all = format!("# nothing is wrong\n{}\n", told(GOOD));
    for (what, right, wrong) in MISTAKES {
        assert_eq!(GOOD.matches(right).count(), 1, "{what}: {right}");
        write!(all, "\n# {what}\n{}\n", told(&GOOD.replace(right, wrong))).unwrap();
    }
    let both = GOOD
        .replace("tierStr: .tier", "tierStr: gold")
        .replace("pointsNum: 5 }", "pointsNum: 6 }");
    write!(
        all,
        "\n# a fault in the file, and another in its tests\n{}\n",
        told(&both)
    )
    .unwrap();
    insta::assert_snapshot!(all);
}
