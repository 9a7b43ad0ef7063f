//! The examples of the guide are run: each gets events, and says what must come of them.
//!
//! An example that is a part of a file stands behind what it needs to be one. The example of tests is run as it stands, with the
//! routes of the first example, which is what a reader has at hand.

use std::sync::Arc;

use ingest_model::outcome::Verdict;

use super::*;
use crate::mapping::{Files, Found};
use crate::route::Pipeline;

const GUIDE: &str = include_str!("../../../../docs/mapping.md");

/// What makes a test of an example.
struct Example {
    /// What only this one has in it.
    with: &'static str,
    /// What stands before it, and by how many blanks it is indented.
    before: &'static str,
    indent: usize,
    /// What stands behind it.
    behind: &'static str,
}

const ROUTE: &str =
    "routes:\n  - name: r\n    on: [Order Completed, Product Viewed, Product Added]\n";

const EXAMPLES: &[Example] = &[
    Example {
        with: "an order becomes a card",
        before: "",
        indent: 0,
        behind: r#"  - name: as many products as there are, and no test orders
    event: { type: track, event: completed_order, userId: u1, properties: { order_id: o2, total: "3", products: [ { sku: s, name: Tea, quantity: 2, price: 1.5, x: 1 } ] } }
    expect: [ { kobject: order, title: Order o2, data: { products: [ { sku: s, name: Tea, quantity: 2, price: 1.5 } ] }, customer: { externalId: u1, missing: create } } ]
  - name: a test order
    event: { type: track, event: Order Completed, userId: u1, properties: { order_id: o1, test: true } }
    expect: { skip: condition_false }
  - name: a view
    event: { type: track, event: Product Viewed, userId: u1, properties: {} }
    expect: { skip: dropped }
"#,
    },
    Example {
        with: "repair.booked",
        before: "",
        indent: 0,
        behind: r#"tests:
  - name: a booking becomes a card
    event: { kind: repair.booked, eventId: e1, at: "2026-02-22T11:14:00+01:00", body: { repairNo: R-100, status: booked, item: kettle, price: { amount: 7557, currency: NOK }, promised: 2026-03-01, owner: { memberId: "703", email: sven@shop.example, name: Sven Moe } } }
    expect:
      - kobject: repair
        externalId: R-100
        version: "2026-02-22T10:14:00Z"
        title: "Repair R-100: kettle"
        createdAt: "2026-02-22T10:14:00.000Z"
        customer: { externalId: "703", email: sven@shop.example, missing: create }
        custom: { statusStr: booked, promisedAt: "2026-03-01T00:00:00.000Z", priceNum: 75.57, currencyStr: NOK }
  - name: a state does not move it
    event: { kind: repair.status, eventId: e2, at: "2026-02-23T11:14:00+01:00", body: { repairNo: R-100, status: done, item: kettle, owner: { memberId: "703" } } }
    expect: [ { kobject: repair, externalId: R-100, createdAt: null, custom: { statusStr: done, priceNum: null } } ]
  - name: a workshop is not looked after
    event: { kind: workshop.opened, eventId: e3, at: "2026-02-23T11:14:00+01:00" }
    expect: { skip: dropped }
"#,
    },
    Example {
        with: "customer: { from: { klass: order",
        before: ROUTE,
        indent: 4,
        behind: r#"    do: [{ track: .type }]
tests:
  - name: an order's customer
    event: { type: Order Completed, order_id: o1 }
    expect: [ { track: Order-Completed, customer: { from: { klass: order, externalId: o1 }, missing: park } } ]
  - name: no order, no customer
    event: { type: Order Completed }
    expect: { reject: missing_customer }
"#,
    },
    Example {
        with: "each: .fulfillments",
        before: "routes:\n  - name: r\n    on: Order Completed\n    customer: none\n",
        indent: 4,
        behind: r#"tests:
  - name: an object for each parcel
    event: { type: Order Completed, fulfillments: [ { id: f1 }, { id: f2 } ] }
    expect: [ { kobject: shipment, externalId: f1, title: Parcel 1 of 2 }, { kobject: shipment, externalId: f2, title: Parcel 2 of 2 } ]
  - name: no parcel
    event: { type: Order Completed }
    expect: { skip: no_items }
"#,
    },
    Example {
        with: "order-gone",
        before: "format: debezium\nroutes:\n",
        indent: 2,
        behind: r#"tests:
  - name: a deleted row is marked
    event: { op: d, before: { id: 7 }, after: null, source: { connector: postgresql, table: orders, lsn: 12, ts_ms: 1767322800000 } }
    expect: [ { kobject: order, externalId: "7", version: "12", title: null, custom: { statusStr: deleted } } ]
"#,
    },
    Example {
        with: "order-erased",
        before: "format: debezium\nroutes:\n",
        indent: 2,
        behind: r#"tests:
  - name: a deleted row is deleted
    event: { op: d, before: { id: 7 }, after: null, source: { connector: postgresql, table: orders, lsn: 12, ts_ms: 1767322800000 } }
    expect: [ { delete: order, externalId: "7", version: "12" } ]
"#,
    },
    Example {
        with: "company: .groupId",
        before: "format: segment\nroutes:\n",
        indent: 2,
        behind: r#"tests:
  - name: a group with a name
    event: { type: group, userId: u1, groupId: g1, timestamp: "2026-03-04T05:06:07Z", traits: { name: Acme } }
    expect: [ { company: g1, name: Acme }, { customer: u1, company: g1 } ]
  - name: without one
    event: { type: group, userId: u1, groupId: g1, timestamp: "2026-03-04T05:06:07Z", traits: { plan: free } }
    expect: [ { customer: u1, company: g1 } ]
  - name: with one that is too short
    event: { type: group, userId: u1, groupId: g1, timestamp: "2026-03-04T05:06:07Z", traits: { name: Al } }
    expect: [ { customer: u1, company: g1 } ]
  - name: without traits
    event: { type: group, userId: u1, groupId: g1, timestamp: "2026-03-04T05:06:07Z" }
    expect: [ { customer: u1, company: g1 } ]
"#,
    },
    Example {
        with: "digest: browsing",
        before: "format: segment\nroutes:\n  - name: r\n    on: [Product Viewed, Product Added]\n",
        indent: 4,
        behind: r#"tests:
  - name: a view is counted
    event: { type: track, event: Product Viewed, userId: u1, timestamp: "2026-03-04T05:06:07Z", context: { sessionId: v1 }, properties: { sku: s1, name: Tea, value: 4.5 } }
    expect:
      - digest: browsing
        title: Viewed 1 products
        custom: { valueNum: 4.5 }
        data: { counts: { Product Viewed: 1 }, events: [ { event: Product Viewed, sku: s1, name: Tea } ] }
"#,
    },
    Example {
        with: "custom.totalNum: reject",
        before: "format: segment\nroutes:\n  - name: r\n    on: Order Completed\n",
        indent: 4,
        behind: r#"tests:
  - name: a bad coupon is left out
    event: { type: track, event: Order Completed, userId: u1, properties: { order_id: o1, total: 5, coupon: [A] } }
    expect: [ { kobject: order, externalId: o1, custom: { totalNum: 5, couponStr: null } } ]
    dropped: [custom.couponStr]
  - name: a bad sum is not
    event: { type: track, event: Order Completed, userId: u1, properties: { order_id: o1, total: much } }
    expect: { reject: illegal_field }
"#,
    },
    Example {
        with: "carriers.csv",
        before: "",
        indent: 0,
        behind: r#"tests:
  - name: names are used
    event: { type: OrderPaid, data: { order: { id: o1, number: 5, total: 1500, discount: 100, currency: eur, carrier: ups, lines: [1, 2] } } }
    expect: [ { kobject: order, externalId: o1, title: Order 5, custom: { paidNum: 14, carrierStr: UPS, linesNum: 2 } } ]
  - name: another unit
    event: { type: OrderPaid, data: { order: { id: o1, number: 5, total: 1500, currency: jpy, carrier: ups } } }
    expect: [ { kobject: order, custom: { paidNum: 1500, linesNum: 0 } } ]
  - name: a carrier that is not in the table
    event: { type: OrderPaid, data: { order: { id: o1, number: 5, total: 1500, currency: EUR, carrier: pigeon } } }
    expect: [ { kobject: order, custom: { paidNum: 15, carrierStr: null } } ]
    dropped: [custom.carrierStr]
"#,
    },
    Example {
        with: "event: { each: .events }",
        before: "",
        indent: 0,
        behind: r#"routes:
  - { name: r, on: Paid, customer: none, do: [ { kobject: order, externalId: .id, title: .id } ] }
tests:
  - name: two events of one record
    event: { events: [ { type: Paid, id: o1 }, { type: Paid, id: o2 } ] }
    expect: [ { kobject: order, externalId: o1 }, { kobject: order, externalId: o2 } ]
  - name: a record without the list is an event
    event: { type: Paid, id: o3 }
    expect: [ { kobject: order, externalId: o3 } ]
"#,
    },
    Example {
        with: "tierStr: .customer.tier",
        before: "routes:\n  - name: r\n    on: AccountUpdated\n    customer: { externalId: .customer.id }\n",
        indent: 4,
        behind: r#"tests:
  - name: who they are
    event: { type: AccountUpdated, customer: { id: u1, name: Ann, email: Ann@shop.example, tier: gold } }
    expect: [ { identify: { name: Ann, custom: { tierStr: gold } }, customer: { externalId: u1, email: ann@shop.example } } ]
"#,
    },
    Example {
        with: "an order without a customer is rejected",
        before: "",
        indent: 0,
        behind: "",
    },
];

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("```{language}\n");
    let blocks = GUIDE.split(&open).skip(1);
    blocks
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect()
}

/// The file that an example names.
struct Carriers;

impl Files for Carriers {
    fn read(&self, _named_in: &str, path: &str) -> Result<Found, String> {
        Ok(Found {
            name: path.to_owned(),
            text: "code,name\nups,UPS\n".to_owned(),
        })
    }
}

fn compiled(text: &str) -> Mapping {
    let compiled = Mapping::compile_with(text, "docs/mapping.md", &Carriers);
    compiled.unwrap_or_else(|errors| panic!("{text}\n{errors:?}"))
}

/// The example with this in it.
fn block(with: &str) -> &'static str {
    let found: Vec<&str> = blocks("yaml")
        .into_iter()
        .filter(|block| block.contains(with))
        .collect();
    assert_eq!(found.len(), 1, "{with}");
    found[0]
}

#[test]
fn every_example_of_the_guide_does_what_it_says() {
    assert_eq!(
        blocks("yaml").len(),
        EXAMPLES.len(),
        "give the new example an event and what must come of it"
    );
    let (routes, _) = block(EXAMPLES[0].with).split_once("tests:\n").unwrap();
    let mut failures: Vec<String> = Vec::new();
    for example in EXAMPLES {
        let block = block(example.with);
        let indented = block
            .lines()
            .map(|line| format!("{}{line}\n", " ".repeat(example.indent)));
        let before = if block.starts_with("tests:") {
            routes
        } else {
            example.before
        };
        let text = format!("{before}{}{}", indented.collect::<String>(), example.behind);
        let mapping = compiled(&text);
        assert!(mapping.test_count() > 0, "{text}");
        let failed = mapping.run_tests().into_iter();
        failures.extend(failed.map(|failure| format!("{}: {failure}", example.with)));
    }
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn the_sample_of_the_guide_becomes_a_card() {
    let [sample] = blocks("json")[..] else {
        panic!("one sample");
    };
    let mapping = Arc::new(compiled(block("repair.booked")));
    let pipeline = Pipeline::new(Format::Json, Limits::default(), mapping).unwrap();
    let record = Record {
        position: Position {
            partition: TopicPartition::new("workshop.events", 0),
            offset: Offset(1),
        },
        key: None,
        value: sample
            .lines()
            .next()
            .map(|line| Bytes::from_static(line.as_bytes())),
        headers: Vec::<Header>::new(),
        timestamp_ms: Some(1_772_600_000_000),
    };
    let verdict = pipeline.explain(&record, Timestamp::UNIX_EPOCH).1;
    let Verdict::Emit(planned) = verdict else {
        panic!("{verdict:?}");
    };
    let object = shown(&planned[0].operation);
    assert_eq!(object["title"], "Repair R-100: kettle");
    assert_eq!(object["custom"]["priceNum"], 75.57);
}
