//! Errors in mapping files: all of a file are reported, each with its place and the way out.

use crate::mapping::Mapping;
use ingest_model::operation::REQUEST_FIELDS;

fn errors(text: &str) -> Vec<String> {
    Mapping::compile(text, "m.yaml")
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn one_fault_in_an_operation_makes_no_others_of_its_fields() {
    let text = r#"routes:
  - name: sale
    on: Sold
    customer: none
    do:
      - kobject: sale
        externalId: .no
        title: .no
        onBad: { custom.sumNum: reject, custom.rebateNum: drop }
        custom: { sumNum: .sum |, rebateNum: .rebate }
tests:
  - name: a sale
    event: { type: Sold, no: 1, sum: x }
    expect: [ { externalId: "1" } ]
    dropped: [custom.sumNum, custom.rebateNum]
"#;
    let found = errors(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("custom.sumNum: "), "{found:#?}");
    let sound = text.replace(".sum |", ".sum");
    let mistyped = sound.replace("dropped: [custom.sumNum", "dropped: [custom.smuNum");
    let found = errors(&mistyped);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("unknown word `custom.smuNum`"),
        "{found:#?}"
    );
}

#[test]
fn all_errors_of_a_file_are_reported_with_their_places() {
    let text = r#"routes:
  - name: order
    on: Order Completed
    onhold: pause
    do:
      - kobject: order
        externalID: .properties.order_id
        title: Order
        custom:
          total: .properties.total
          itemsNum: .properties.products | lenght
          paidBool: 17
      - track: .event
        meta: { eventKey: .id, id: .id, attendees: .n }
        late: sned
  - name: order
    on: [x, X]
    skip: [1]
"#;
    let found = errors(text);
    let wanted = [
        "m.yaml:4:5: routes[0]: unknown key `onhold`; did you mean `onHold`?",
        "m.yaml:7:9: routes[0].do[0]: unknown key `externalID`; did you mean `externalId`?",
        "m.yaml:6:9: routes[0].do[0]: `externalId` is missing; it is the only protection against doubles",
        "m.yaml:8:16: routes[0].do[0].title: there is no filter `Order` in `Order`; a constant text needs quotes inside \
         the quotes of YAML: '\"Order\"'; a field needs a dot: .Order",
        "m.yaml:10:11: routes[0].do[0].custom.total: a custom attribute's name must end in its type: Str, Txt, Num, At, \
         Bool or Url",
        "m.yaml:11:21: routes[0].do[0].custom.itemsNum: there is no filter `lenght` in `.properties.products | lenght`",
        "m.yaml:12:21: routes[0].do[0].custom.paidBool: must be true or false, is a number",
        "m.yaml:14:17: routes[0].do[1].meta.eventKey: the name is reserved: it is written by itself",
        "m.yaml:14:32: routes[0].do[1].meta.id: a meta name has 3 to 33 characters, not counting the suffix Num or At; say more, such as `idValue`",
        "m.yaml:15:15: routes[0].do[1].late: has no meaning without `maxAge`",
        "m.yaml:15:15: routes[0].do[1].late: unknown word `sned`; did you mean `send`?",
        "m.yaml:17:13: routes[1].on: `X` is listed twice; case, blanks, `_` and `-` do not matter",
        "m.yaml:18:11: routes[1].skip: must be a text, is a list",
    ];
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(
            found.starts_with(wanted),
            "\n found {found}\nwanted {wanted}"
        );
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
}

#[test]
fn a_file_that_is_no_yaml_has_one_error_with_its_place() {
    let found = errors("routes:\n  - name: a\n    on: x\n    when: .a[\n    skip: }\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("m.yaml:"), "{found:#?}");
    assert!(found[0].contains("needs quotes in YAML"), "{found:#?}");
    assert!(errors("")[0].contains("must be a map"), "an empty file");
    let doubled = errors("routes: []\nroutes: []\n");
    assert!(doubled[0].contains("m.yaml:2:1"), "{doubled:#?}");
}

#[test]
fn an_expectation_of_the_wrong_kind_says_what_it_may_be() {
    let test = |expect: &str| {
        let test = format!("tests: [{{ name: t, event: {{ type: x }}, expect: {expect} }}]");
        errors(&format!(
            "routes:\n  - name: r\n    on: x\n    skip: y\n{test}\n"
        ))
    };
    for (expect, wanted) in [
        (
            "dropped",
            "must be a list or a map, is a text; a list of operations, or { skip: reason }",
        ),
        (
            "{ track: x }",
            "operations stand in a list; a list has a hyphen or brackets: [ { track: … } ]",
        ),
        (
            "{ skip: stale, reject: too_deep }",
            "a record is skipped or rejected, not both; a list of operations",
        ),
        ("{}", "expects nothing; a list of operations, or"),
        (
            "[order]",
            "tests[0].expect[0]: an operation must be a map, is a text; such as { kobject: order",
        ),
        (
            "[{ order: o1 }]",
            "no operation has a field `order`; it has its kind and its fields; kinds: kobject, track",
        ),
        ("[{ kobjekt: order }]", "did you mean `kobject`?"),
    ] {
        let found = test(expect);
        assert!(
            found.iter().any(|one| one.contains(wanted)),
            "{expect}: {found:#?}"
        );
    }
    let text = "event: { name: .type }\nroutes:\n  - { name: r, on: x, customer: none, do: [{ kobject: order, externalId: .i, title: .i }] }\n\
                tests:\n  - { name: t, event: { type: x, i: o1 }, expect: [{ track: x }] }\n";
    let failures = Mapping::compile(text, "m.yaml").unwrap().run_tests();
    let failure = failures[0].to_string();
    assert!(
        failure.contains("[0]: expected an operation `track`, got one of the kind `kobject`"),
        "{failure}"
    );
}

#[test]
fn combinations_without_meaning_are_refused() {
    let route = |inner: &str| errors(&format!("routes:\n  - name: r\n    on: x\n{inner}"));
    for (inner, wanted) in [
        (
            "    skip: y\n    do: [{ track: .event }]",
            "either `skip` or `do`, not both",
        ),
        ("    when: .a", "needs `do` or `skip`"),
        (
            "    customer: none\n    do: [{ track: .event }]",
            "needs a customer, but the route says",
        ),
        (
            "    customer: { id: .a }\n    skip: y",
            "a route with `skip` has no customer",
        ),
        (
            "    do: [{ track: .event, kobject: x }]",
            "names several operations",
        ),
        (
            "    do: [{ digets: x }]",
            "names no operation; known operations: identify, track, kobject, customer, company, digest",
        ),
        (
            "    do: [{ kobject: Order.Item, externalId: .a, title: .b }]",
            "not a name of a klass",
        ),
        (
            "    do: [{ kobject: aaaaaaaaaaaaaaaaaaaaaaaa, externalId: .a, title: .b }]",
            "not a name of a klass",
        ),
        (
            "    do: [{ kobject: o, externalId: .a, title: .b, custom: { ownerId: .c } }]",
            "need metadata first",
        ),
        (
            "    do: [{ kobject: o, externalId: .a, title: .b, data: [.c] }]",
            "must be an object, is a list",
        ),
        (
            "    do: [{ kobject: o, externalId: now, title: .b }]",
            "`now` is not allowed",
        ),
        (
            "    do: [{ kobject: o, externalId: , title: .b }]",
            "has no expression",
        ),
        (
            "    do: [{ track: .event, maxAge: 1h30 }]",
            "is not a length of time",
        ),
        (
            "    do: [{ identify: { location: { town: .a } } }]",
            "unknown key `town`",
        ),
        (
            "    do: [{ kobject: o, externalId: .a, title: .b, custom: { ingestVersionStr: .c } }]",
            "the name is reserved",
        ),
    ] {
        let found = route(inner);
        assert!(
            found.iter().any(|error| error.contains(wanted)),
            "{inner}: {found:#?}"
        );
    }
}

/// What a request adds to the body of an object would stand in it twice.
#[test]
fn no_field_of_an_object_has_a_name_that_requests_use() {
    let route = "routes: [{ name: r, on: Sold, customer: none, do: [{ kobject: sale, externalId: .no, title: .no }] }]";
    assert!(Mapping::compile(route, "m.yaml").is_ok());
    for name in REQUEST_FIELDS {
        let found = errors(&route.replace("title: .no", &format!("title: .no, {name}: .no")));
        let wanted = format!("unknown key `{name}`");
        assert!(found.iter().any(|one| one.contains(&wanted)), "{found:#?}");
    }
}

#[test]
fn what_a_test_says_of_its_record_has_a_form() {
    let text = r#"routes:
  - { name: sale, on: Sold, skip: not wanted }
tests:
  - name: a sale
    event: { type: Sold }
    topic: [shop]
    headers: none
    expect: { skip: dropped }
"#;
    let found = errors(text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("tests[0].topic"), "{found:#?}");
    assert!(found[1].contains("tests[0].headers"), "{found:#?}");
    let sound = text.replace("[shop]", "shop").replace(
        "headers: none",
        "headers: { a: null, b: 7, c: x }\n    key: { id: 1 }",
    );
    let mapping = Mapping::compile(&sound, "m.yaml").unwrap();
    assert_eq!(mapping.run_tests(), []);
}

#[test]
fn a_kind_that_never_fits_is_found_before_any_event() {
    let rule = |field: &str| {
        format!(
            "routes:\n  - name: r\n    on: x\n    customer: none\n    do:\n      - kobject: k\n        externalId: .id\n        {field}\n{}",
            if field.starts_with("title") {
                ""
            } else {
                "        title: .t\n"
            }
        )
    };
    for (field, wanted) in [
        (
            r#"custom: { aNum: '"Order \(.id)"' }"#,
            "is always a text with letters in it",
        ),
        (
            "custom: { aNum: .a == 1 }",
            "is always true or false, in `.a == 1`",
        ),
        ("custom: { aStr: '[.a, .b]' }", "is always a list"),
        ("custom: { aStr: '.a | map(.b)' }", "is always a list"),
        ("custom: { aBool: .a | tonumber }", "is always a number"),
        (
            "custom: { aStr: 'if .a then {b: 1} else {c: 2} end' }",
            "is always an object",
        ),
        ("title: '[.a]'", "title: is always a list"),
    ] {
        let found = errors(&rule(field));
        assert_eq!(found.len(), 1, "{field}: {found:#?}");
        assert!(found[0].contains(wanted), "{field}: {found:#?}");
    }
    for field in [
        r#"custom: { aNum: '"\(.a).\(.b)"', bNum: '"1e3"' }"#,
        "custom: { aNum: 'if .a then 1 else null end', aStr: .a == 1, bBool: .a and .b }",
        "custom: { aStr: '[.a, .b] | join(\", \")', bNum: '[.a] | length' }",
        "data: { list: '[.a]', map: '{a: .b}' }",
        "custom: { aAt: '\"2026-01-02T\\(.time)Z\"' }",
    ] {
        let compiled = Mapping::compile(&rule(field), "m.yaml");
        assert!(compiled.is_ok(), "{field}: {:?}", compiled.err());
    }
}
