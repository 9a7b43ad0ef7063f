//! What failing tests say, and what tests reach.

use super::*;

const ROUTES: &str = "routes:
  - name: order
    on: Order
    customer: { externalId: .user }
    do:
      - kobject: order
        externalId: .id
        title: '\"Order \\(.id)\"'
        custom:
          totalNum: .total
          couponStr: .coupon
        data: { lines: .lines }
  - { name: noise, on: Noise, skip: nobody wants it }
";

fn mapping(tests: &str) -> Mapping {
    Mapping::compile(&format!("{ROUTES}tests:\n{tests}"), "m.yaml").unwrap()
}

fn only_failure(tests: &str) -> String {
    let failures = mapping(tests).run_tests();
    assert_eq!(failures.len(), 1, "{failures:?}");
    failures[0].to_string()
}

#[test]
fn all_that_differs_is_told_with_the_lines_of_test_and_rule() {
    let told = only_failure(
        "  - name: t
    event: { type: Order, id: o1, user: u1, total: 5, lines: [] }
    expect:
      - kobject: order
        title: Order o2
        customer: { externalId: u2 }
        custom: { totalNum: 6 }
",
    );
    assert_eq!(
        told,
        "m.yaml:19:16: test t: 3 differences
  line 19: [0].title: expected \"Order o2\", got \"Order o1\"; the rule is on line 8
  line 20: [0].customer.externalId: expected \"u2\", got \"u1\"; the rule is on line 4
  line 21: [0].custom.totalNum: expected 6, got 5; the rule is on line 10"
    );
}

#[test]
fn long_values_stand_one_below_the_other() {
    let told = only_failure(
        "  - name: t
    event: { type: Order, id: o1, user: u1, lines: [{ sku: a-very-long-name-of-a-thing, quantity: 1 }] }
    expect: [ { data: { lines: [] } } ]
",
    );
    assert_eq!(
        told,
        "m.yaml:17:32: test t: [0].data.lines: differs; 1 item in place of 0 items; the rule is on line 12
  - expected []
  + got      [{\"sku\":\"a-very-long-name-of-a-thing\",\"quantity\":1}]"
    );
}

#[test]
fn what_came_in_place_of_operations_is_named() {
    let told =
        only_failure("  - { name: t, event: { type: Order, id: o1, user: u1 }, expect: [] }\n");
    assert!(
        told.ends_with("expected 0 operations, got 1 operation (kobject)"),
        "{told}"
    );
    let told = only_failure("  - { name: t, event: { type: Order, user: u1 }, expect: [ {} ] }\n");
    assert!(
        told.contains("got reject ") && told.ends_with("the rule is on line 7"),
        "{told}"
    );
}

#[test]
fn what_no_test_reaches_is_found_by_its_values() {
    let tests =
        "  - { name: t, event: { type: Order, id: o1, user: u1, total: 5 }, expect: [ {} ] }\n";
    let coverage = mapping(tests).coverage(Format::Json);
    let missed = |all: &[Reached]| -> Vec<(String, u64)> {
        let missed = all.iter().filter(|one| !one.is_reached);
        missed
            .map(|one| (format!("{} {}", one.route, one.field), one.place.line))
            .collect()
    };
    assert_eq!(missed(&coverage.routes), [("noise ".to_owned(), 13)]);
    assert_eq!(
        missed(&coverage.fields),
        [
            ("order do[0].data.lines".to_owned(), 12),
            ("order do[0].custom.couponStr".to_owned(), 11),
        ]
    );
    // 1 of 2 routes, 4 of 6 fields
    assert!((coverage.percent() - 62.5).abs() < 0.01, "{coverage:?}");
    let all = format!(
        "{tests}  - {{ name: u, event: {{ type: Order, id: o1, user: u1, coupon: C, lines: [] }}, expect: [ {{}} ] }}\n  \
         - {{ name: v, event: {{ type: Noise }}, expect: {{ skip: dropped }} }}\n"
    );
    assert!((mapping(&all).coverage(Format::Json).percent() - 100.0).abs() < 0.01);
}

#[test]
fn ids_that_no_address_carries_safely_are_named_once_for_each_klass() {
    let test = |id: &str| {
        format!(
            "  - {{ name: {id}, event: {{ type: Order, id: \"{id}\", user: u1 }}, expect: [ {{ kobject: order }} ] }}\n"
        )
    };
    let gids = [test("gid://shop/1"), test("gid://shop/2")];
    let doubts = mapping(&gids.concat()).unsafe_ids(Format::Json);
    let [doubt] = doubts.as_slice() else {
        panic!("{doubts:?}");
    };
    assert_eq!(doubt.place.line, 15);
    assert!(
        doubt
            .problem
            .contains("the id `gid://shop/1`, which has `/`"),
        "{doubt}"
    );
    let usual = [test("O-1.2:a_b"), test("a|b@c"), test("ü")].concat();
    assert!(mapping(&usual).unsafe_ids(Format::Json).is_empty());
}
