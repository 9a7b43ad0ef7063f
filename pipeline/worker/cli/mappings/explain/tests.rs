//! Records in, lines out.

use std::path::Path;

use ingest_model::record::Topic;

use super::*;

pub(super) const CONFIG: &str = r#"
kafka:
  brokers: localhost:9092
  group: g
  dead_letter_topic: d
  topics:
    - name: shop
      format: segment
      mapping:
        routes:
          - name: order-placed
            on: Order Completed
            customer: { externalId: .userId, email: .context.traits.email, missing: create }
            do:
              - kobject: order
                externalId: .properties.order_id
                version: .timestamp
                title: '"Order \(.properties.order_id)"'
                custom: { totalNum: .properties.total, placedAt: .properties.placed_at }
          - name: rated
            on: Product Reviewed
            when: .properties.rating != null
            skip: a review is no question
          - name: viewed
            on: Product Viewed
            do:
              - track: .event
                maxAge: 2h
                meta: { skuStr: .properties.sku }
          - name: carts
            on: Cart Viewed
            do:
              - digest: browsing
                session: { key: .context.sessionId, gap: 20m }
                keep: { last: 2, each: { cart: .properties.cart_id } }
                sums: { valueNum: .properties.value }
                title: '"Looked at carts \(.count) times"'
          - name: shipped
            on: Order Shipped
            customer: { from: { klass: order, externalId: .properties.order_id } }
            do:
              - track: .event
              - identify: { name: .properties.name }
              - kobject: shipment
                externalId: .properties.id
                title: '"Shipment"'
          - name: stocked
            on: Stock Changed
            customer: none
            do:
              - kobject: stock
                externalId: .properties.sku
                title: '"Stock"'
              - company: .properties.supplier
                name: '"Supplier"'
          - name: repaired
            on: Repaired
            do:
              - track: .event
                maxAge: 2h
                meta: { partStr: .properties.part }
              - each: .properties.parts
                kobject: part
                externalId: $item.id
                title: '"Part"'
              - kobject: repair
                externalId: .properties.id
                title: '"Repair \(.properties.id)"'
              - track: .event
                maxAge: 1h
                late: digest
                meta: { placeStr: .properties.place }
              - each: .properties.friends
                customer: $item
                name: '"Friend"'
          - name: who
            on: identify
            do:
              - identify: { name: .traits.name }
kustomer:
  base_url: https://example.api.kustomerapp.com
  token: { env: T }
  limit: 100
"#;

pub(super) fn sample(input: &str, topic: &Topic, records: bool, now: Timestamp) -> Sample {
    let reader = Box::new(std::io::Cursor::new(input.as_bytes().to_vec()));
    Sample::of_reader(
        reader,
        Some(topic.clone()),
        records,
        Some(now.as_millisecond()),
    )
}

/// The output lines as JSON.
fn explained(input: &str, records: bool) -> Vec<Value> {
    explained_by(CONFIG, input, records)
}

fn explained_by(config: &str, input: &str, records: bool) -> Vec<Value> {
    let text = written(config, input, records, &Asked::default()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What is written for these questions.
pub(super) fn written(
    config: &str,
    input: &str,
    records: bool,
    asked: &Asked,
) -> Result<String, CommandError> {
    Ok(written_both(config, input, records, asked)?.0)
}

/// What is written, and what is said beside it on standard error.
pub(super) fn written_both(
    config: &str,
    input: &str,
    records: bool,
    asked: &Asked,
) -> Result<(String, String), CommandError> {
    let settings = crate::config::parse(Path::new("w.yaml"), config).unwrap();
    let mut written = Vec::new();
    let mut out = Output::new(&mut written);
    let now: Timestamp = "2026-03-01T11:00:00Z".parse().unwrap();
    let sample = sample(input, &Topic::new("shop"), records, now);
    let beside = explain(&settings, sample, now, asked, &mut out)?;
    out.flush().unwrap();
    drop(out);
    let beside = beside.into_iter().map(|line| line + "\n").collect();
    Ok((String::from_utf8(written).unwrap(), beside))
}

const ORDER: &str = r#"{"type":"track","event":"Order Completed","messageId":"m1","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"order_id":"o1","total":27.5}}"#;

#[test]
fn an_object_is_a_bulk_create_with_a_customer_to_be_found() {
    let lines = explained(ORDER, false);
    insta::assert_json_snapshot!(lines);
}

#[test]
fn what_could_not_be_used_is_said_without_showing_it() {
    let order = r#"{"type":"track","event":"Order Completed","messageId":"m1","userId":"u1","timestamp":"28.02.2026","sentAt":"2026-03-01 10:00:00 UTC","context":{"traits":{"email":"zoë@shop.example"}},"properties":{"order_id":"o1"}}"#;
    let kept_away = r#"{"type":"track","event":"Order Completed","userId":"u1","integrations":{"All":false,"Kafka":true}}"#;
    let lines = explained(&format!("{order}\n{kept_away}\n{ORDER}\n"), false);
    assert_eq!(lines[0]["verdict"], "emit");
    assert_eq!(lines[0]["event"]["time"], "2026-03-01T10:00:00Z");
    assert_eq!(
        lines[0]["notes"],
        serde_json::json!([
            "context.traits.email: left out, it is not an e-mail address that Kustomer is sure to accept",
            "customer.email: left out, it is not an e-mail address that Kustomer is sure to accept",
            "timestamp: passed over, it cannot be read as a time",
        ])
    );
    assert_eq!(
        lines[0]["operations"][0]["customer"],
        serde_json::json!({"externalId": "u1"})
    );
    assert!(!lines[0].to_string().contains("zoë"));
    assert_eq!(lines[1]["reason"], "not_for_kustomer");
    let detail = lines[1]["detail"].as_str().unwrap();
    assert!(detail.contains("`integrations`"), "{detail}");
    assert_eq!(lines[2].get("notes"), None, "nothing to note");
}

#[test]
fn events_and_identities_carry_their_keys() {
    let viewed = r#"{"type":"track","event":"Product Viewed","messageId":"m2","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"sku":"s1"}}"#;
    let who = r#"{"type":"identify","messageId":"m3","userId":"u1","traits":{"name":"Ann Example","email":"ann@example.com"}}"#;
    let lines = explained(&format!("{viewed}\n{who}\n"), false);
    assert_eq!(
        lines[0]["operations"][0]["request"]["path"],
        "/v1/tracking/identityEvent"
    );
    let body = &lines[0]["operations"][0]["request"]["body"];
    assert_eq!(body["identity"], serde_json::json!({ "externalId": "u1" }));
    assert_eq!(body["event"]["meta"]["skuStr"], "s1");
    assert_eq!(
        lines[1]["operations"][0]["request"]["path"],
        "/v1/tracking/identity"
    );
    assert_eq!(
        lines[1]["operations"][0]["request"]["body"]["name"],
        "Ann Example"
    );
    assert_eq!(lines[1]["line"], 2);
}

#[test]
fn a_customer_named_by_an_object_is_shown_as_still_to_be_found() {
    let shipped = r#"{"type":"track","event":"Order Shipped","messageId":"m5","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"order_id":"o1","id":"s1","name":"Ann"}}"#;
    let lines = explained(shipped, false);
    let from = serde_json::json!({ "from": { "klass": "order", "externalId": "o1" } });
    let operations = lines[0]["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 3);
    for operation in operations {
        assert_eq!(operation["customer"], from);
        assert_eq!(operation["missing"], "park");
    }
    let body = |number: usize| &operations[number]["request"]["body"];
    assert_eq!(body(0)["identity"]["$customer"], from);
    assert_eq!(body(0)["event"]["name"], "Order-Shipped");
    assert_eq!(body(1)["$customer"], from);
    assert_eq!(body(1)["name"], "Ann");
    assert_eq!(body(2)[0]["customer"]["$customer"], from);
}

#[test]
fn nothing_is_said_of_a_customer_where_none_is_named() {
    let stock = r#"{"type":"track","event":"Stock Changed","messageId":"m6","timestamp":"2026-03-01T10:00:00Z","properties":{"sku":"s1","supplier":"acme"}}"#;
    let lines = explained(&format!("{stock}\n{ORDER}\n"), false);
    assert_eq!(lines[0]["event"].get("customer"), None);
    let operations = lines[0]["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 2);
    for operation in operations {
        assert_eq!(operation.get("customer"), None, "{operation}");
        assert_eq!(operation.get("missing"), None, "{operation}");
        assert!(
            !operation["request"]["body"]
                .to_string()
                .contains("customer")
        );
    }
    let named = serde_json::json!({ "externalId": "u1" });
    assert_eq!(lines[1]["event"]["customer"], named);
    assert_eq!(lines[1]["operations"][0]["customer"], named);
}

#[test]
fn a_digest_is_shown_as_the_object_of_its_event_alone() {
    let viewed = r#"{"type":"track","event":"Cart Viewed","messageId":"m4","userId":"u1","timestamp":"2026-03-01T10:00:00Z","context":{"sessionId":"s9"},"properties":{"cart_id":"c1","value":3.5}}"#;
    let lines = explained(viewed, false);
    let operation = &lines[0]["operations"][0];
    assert_eq!(operation["kind"], "digest");
    assert_eq!(operation["request"]["path"], "/v1/klasses/browsing/bulk");
    let body = &operation["request"]["body"][0];
    assert_eq!(body["title"], "Looked at carts 1 times");
    assert_eq!(body["custom"]["valueNum"], 3.5);
    assert_eq!(
        body["data"]["events"],
        serde_json::json!([{"event": "Cart Viewed", "at": "2026-03-01T10:00:00.000Z", "cart": "c1"}])
    );
    assert_eq!(body["customer"]["$customer"]["externalId"], "u1");
}

#[test]
fn a_deletion_names_its_object_and_where_its_id_goes() {
    let text = "kafka:\n  brokers: k:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: shop\n      mapping:\n        \
                format: json\n        event: { deleted: .gone }\n        routes:\n          - name: erased\n            on: order\n            \
                delete: delete\n            do: [ { kobject: order, externalId: .id, version: .n } ]\nkustomer:\n  base_url: \
                https://example.api.kustomerapp.com\n  token: { env: T }\n  limit: 100\n";
    let record = r#"{"type":"order","id":"o/1","n":4,"gone":true}"#;
    let lines = explained_by(text, record, false);
    let expected = serde_json::json!({
        "route": "erased",
        "kind": "delete",
        "object": { "externalId": "o/1", "version": "4" },
        "request": { "method": "DELETE", "path": "/v1/klasses/order/{id}", "body": null },
    });
    assert_eq!(lines[0]["operations"][0], expected);
    let other = record.replace("true", "false");
    assert_eq!(
        explained_by(text, &other, false)[0]["reason"],
        "condition_false"
    );
}

#[test]
fn what_is_too_old_says_as_of_when() {
    let old = r#"{"type":"track","event":"Product Viewed","userId":"u1","timestamp":"2026-03-01T08:59:00Z"}"#;
    let lines = explained(old, false);
    assert_eq!(
        (&lines[0]["verdict"], &lines[0]["reason"]),
        (&"skip".into(), &"too_old".into())
    );
    assert!(
        lines[0]["detail"]
            .as_str()
            .unwrap()
            .contains("2026-03-01T11:00:00Z")
    );
}

#[test]
fn a_bad_line_is_rejected_and_the_next_one_read() {
    let lines = explained(
        &format!("{ORDER}\nnot json\n{{\"type\":\"page\",\"userId\":\"u\"}}\n"),
        false,
    );
    let verdicts: Vec<&str> = lines
        .iter()
        .map(|l| l["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["emit", "reject", "skip"]);
    assert_eq!(lines[1]["reason"], "invalid_json");
    assert_eq!(lines[1]["event"], Value::Null);
    assert_eq!(lines[2]["reason"], "no_route");
    assert_eq!(lines[2]["operations"], serde_json::json!([]));
}

#[test]
fn a_document_over_many_lines_is_one_record() {
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(ORDER).unwrap()).unwrap();
    let lines = explained(&pretty, false);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["verdict"], "emit");
}

#[test]
fn records_have_their_own_topic_and_may_be_null() {
    let order: Value = serde_json::from_str(ORDER).unwrap();
    let input = [
        serde_json::json!({ "topic": "shop", "partition": 3, "offset": 7, "value": order }),
        serde_json::json!({ "value": null }),
        serde_json::json!({ "topic": "other", "value": "{}" }),
        serde_json::json!({ "vlaue": 1 }),
    ];
    let input: Vec<String> = input.iter().map(Value::to_string).collect();
    let lines = explained(&input.join("\n"), true);
    assert_eq!(lines[0]["verdict"], "emit");
    assert_eq!(
        (&lines[1]["verdict"], &lines[1]["reason"]),
        (&"skip".into(), &"tombstone".into())
    );
    let detail = lines[2]["detail"].as_str().unwrap();
    assert!(
        detail.contains("no topic other,") && detail.ends_with("it has shop"),
        "{detail}"
    );
    for line in &lines[2..] {
        assert_eq!(
            (&line["verdict"], &line["reason"]),
            (&"none".into(), &Value::Null),
            "nobody judges what is not read"
        );
    }
    assert!(
        lines[3]["detail"]
            .as_str()
            .unwrap()
            .contains("unknown field `vlaue`")
    );
}

#[test]
fn a_line_lists_the_fields_that_are_left_out() {
    let bad = ORDER.replace("27.5", "\"a secret word\"");
    let lines = explained(&format!("{bad}\n{ORDER}\n"), false);
    assert_eq!(lines[0]["verdict"], "emit");
    let body = &lines[0]["operations"][0]["request"]["body"];
    assert_eq!(body[0]["externalId"], "o1");
    assert_eq!(body[0]["custom"].get("totalNum"), None);
    let dropped = serde_json::json!([{
        "route": "order-placed",
        "field": "custom.totalNum",
        "why": "must be a number, is a text that is not a plain decimal number in `.properties.total`",
    }]);
    assert_eq!(lines[0]["dropped"], dropped);
    assert_eq!(lines[1]["dropped"], serde_json::json!([]));
}

#[test]
fn a_page_named_like_an_order_is_none() {
    let page = ORDER
        .replace("\"track\"", "\"page\"")
        .replace("\"event\"", "\"name\"");
    let lines = explained(&page, false);
    assert_eq!(lines[0]["event"]["name"], "Order Completed");
    assert_eq!(lines[0]["event"]["type"], "page");
    assert_eq!(
        (&lines[0]["verdict"], &lines[0]["reason"]),
        (&"skip".into(), &"no_route".into())
    );
}

#[test]
fn what_a_source_says_of_itself_is_shown() {
    let config = r#"
kafka:
  brokers: localhost:9092
  group: g
  topics:
    - name: shop.public.orders
      format: debezium
      mapping:
        routes:
          - { name: rows, on: orders.r, customer: none, do: [ { kobject: order, externalId: .id, version: $event.version, title: .id } ] }
  dead_letter_topic: dead
kustomer:
  base_url: https://example.api.kustomerapp.com
  token: { env: T }
  limit: 100
"#;
    let settings = crate::config::parse(Path::new("w.yaml"), config).unwrap();
    let input = concat!(
        r#"{"key":"{\"id\":7}","value":{"op":"r","after":{"id":7},"source":{"table":"orders","lsn":12}}}"#,
        "\n",
        r#"{"value":{"ts_ms":1767322800000}}"#,
    );
    let mut written = Vec::new();
    let mut out = Output::new(&mut written);
    let now: Timestamp = "2026-03-01T11:00:00Z".parse().unwrap();
    let topic = Topic::new("shop.public.orders");
    let sample = sample(input, &topic, true, now);
    explain(&settings, sample, now, &Asked::default(), &mut out).unwrap();
    out.flush().unwrap();
    drop(out);
    let text = String::from_utf8(written).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let event = &lines[0]["event"];
    assert_eq!(event["version"], "12");
    assert_eq!(event["subject"], "7");
    assert_eq!(event["snapshot"], true);
    assert_eq!(lines[0]["verdict"], "emit", "{text}");
    assert_eq!(lines[1]["reason"], "housekeeping");
    assert!(lines[1]["detail"].as_str().unwrap().contains("heartbeat"));
}

#[test]
fn a_line_says_which_route_does_not_want_the_event_and_why() {
    let review =
        r#"{"type":"track","event":"Product Reviewed","userId":"u1","properties":{"rating":5}}"#;
    let line = &explained(review, false)[0];
    assert_eq!(
        (&line["verdict"], &line["reason"]),
        (&"skip".into(), &"dropped".into())
    );
    assert_eq!(line["route"], "rated");
    assert_eq!(line["detail"], "a review is no question");
}
