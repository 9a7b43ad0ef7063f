//! What is asked of a sample: a key, an event, where values come from, a text for people.

use super::tests::{CONFIG, written};
use super::*;

/// The output for these questions.
fn asked(input: &str, asked: &Asked) -> Result<Vec<Value>, CommandError> {
    asked_of(CONFIG, input, asked)
}

fn asked_of(config: &str, input: &str, asked: &Asked) -> Result<Vec<Value>, CommandError> {
    let text = written(config, input, true, asked)?;
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Ok(lines.collect())
}

#[test]
fn a_sample_is_searched_by_key_and_by_event() {
    let input = concat!(
        r#"{"key":"a","value":{"type":"identify","userId":"u1","traits":{"name":"Ann"}}}"#,
        "\n",
        r#"{"key":"b","value":{"type":"track","event":"Product Viewed","userId":"u1","properties":{}}}"#,
        "\n",
        r#"{"key":"a","value":{"type":"track","event":"Product Viewed","userId":"u1","properties":{}}}"#,
    );
    let lines = |key: Option<&str>, event: Option<&str>| -> Vec<u64> {
        let asked_for = Asked {
            key: key.map(str::to_owned),
            event: event.map(fold),
            ..Asked::default()
        };
        let found = asked(input, &asked_for).unwrap();
        found
            .iter()
            .map(|line| line["line"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(lines(Some("a"), None), [1, 3]);
    assert_eq!(lines(None, Some("product_viewed")), [2, 3]);
    assert_eq!(lines(Some("a"), Some("PRODUCT VIEWED")), [3]);
    let nobody = Asked {
        key: Some("c".to_owned()),
        ..Asked::default()
    };
    let error = asked(input, &nobody).unwrap_err();
    assert!(error.to_string().contains("none of 3 records"), "{error}");
}

#[test]
fn messages_that_are_not_for_kustomer_are_found_by_their_names() {
    let input = r#"{"value":{"type":"track","event":"Order Completed","messageId":"m1","userId":"u1","integrations":{"Kustomer":false},"properties":{"order_id":"o1"}}}
{"value":{"type":"page","name":"Home","userId":"u1","integrations":{"Kustomer":false}}}"#;
    let wanted = Asked {
        event: Some(fold("order completed")),
        ..Asked::default()
    };
    let found = asked(input, &wanted).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["event"]["name"], "Order Completed");
    assert_eq!(found[0]["event"]["id"], "m1");
    assert_eq!(found[0]["reason"], "not_for_kustomer");
}

#[test]
fn a_trace_says_what_was_done_to_times_and_what_a_missing_id_means() {
    let of = |order: &str, placed: &str, field: &str| -> String {
        let input = format!(
            r#"{{"value":{{"type":"track","event":"Order Completed","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{{{order}"placed_at":{placed}}}}}}}"#
        );
        let with_trace = Asked {
            trace: true,
            ..Asked::default()
        };
        let lines = asked(&input, &with_trace).unwrap();
        let values = lines[0]["trace"]["values"].as_array().unwrap();
        let value = values.iter().find(|value| value["field"] == field).unwrap();
        value["note"].as_str().unwrap_or_default().to_owned()
    };
    for (placed, note) in [
        (
            "1772600767",
            "a count of seconds, or of parts of them, became a time",
        ),
        (
            r#""1772600767000""#,
            "a count of seconds, or of parts of them, became a time",
        ),
        (
            r#""2026-03-04 05:06:07""#,
            "a time without a zone: it was read as UTC",
        ),
        (
            r#""2026-03-04""#,
            "a day without a time and a zone: it was read as its beginning in UTC",
        ),
        (
            r#""2026-03-04T05:06:07+01:00""#,
            "written in the one form that times have",
        ),
        (r#""2026-03-04T05:06:07.000Z""#, ""),
    ] {
        let order = r#""order_id":"o1","#;
        assert_eq!(of(order, placed, "do[0].custom.placedAt"), note, "{placed}");
    }
    assert_eq!(
        of("", "null", "do[0].externalId"),
        "gives nothing, and without it the record is rejected"
    );
}

#[test]
fn a_trace_leads_from_each_value_to_its_line_and_its_inputs() {
    let with_trace = Asked {
        trace: true,
        ..Asked::default()
    };
    let long = "x".repeat(255);
    let input = format!(
        r#"{{"value":{{"type":"track","event":"Order Completed","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{{"order_id":"{long}","total":"27.50"}}}}}}
{{"value":{{"type":"track","event":"Product Reviewed","userId":"u1","properties":{{}}}}}}"#
    );
    let lines = asked(&input, &with_trace).unwrap();
    let values = lines[0]["trace"]["values"].as_array().unwrap();
    let of = |field: &str| values.iter().find(|value| value["field"] == field).unwrap();
    let total = of("do[0].custom.totalNum");
    assert_eq!(total["expression"], ".properties.total");
    assert_eq!(total["inputs"][".properties.total"], "27.50");
    assert_eq!(
        (&total["value"], &total["sent"]),
        (&"27.50".into(), &27.5.into())
    );
    assert_eq!(total["note"], "a text became a number");
    assert!(total["line"].as_u64().unwrap() > 1);
    let title = of("do[0].title");
    assert!(
        title["note"]
            .as_str()
            .unwrap()
            .starts_with("cut from 261 characters to "),
        "{title}"
    );
    assert_eq!(
        of("customer.email")["note"],
        "gives nothing, so the field is left out"
    );
    // Why nothing is sent: the condition, and what it looked at.
    let routes = &lines[1]["trace"]["routes"];
    assert_eq!(routes[0]["when"], ".properties.rating != null");
    assert_eq!(routes[0]["decides"], false);
    assert_eq!(
        routes[0]["inputs"],
        serde_json::json!({".properties.rating": null})
    );
}

#[test]
fn a_position_is_a_topic_a_partition_and_an_offset() {
    let position: RecordPosition = "shop.events/3/40817".parse().unwrap();
    assert_eq!(position.0.to_string(), "shop.events[3]@40817");
    for text in [
        "shop.events",
        "a/1",
        "/1/2",
        "a/b/1/2",
        "a/-1/2",
        "a/1/-2",
        "a/x/1",
    ] {
        assert!(text.parse::<RecordPosition>().is_err(), "{text}");
    }
}

fn for_people() -> Asked {
    Asked {
        trace: true,
        text: true,
        ..Asked::default()
    }
}

#[test]
fn people_get_text() {
    let input = concat!(
        r#"{"value":{"type":"track","event":"Order Completed","messageId":"m1","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"order_id":"o1","total":"27.50"}}}"#,
        "\n",
        r#"{"value":{"type":"track","event":"Product Reviewed","userId":"u1","properties":{}}}"#,
    );
    let text = written(CONFIG, input, true, &for_people()).unwrap();
    for expected in [
        "line 1: Order Completed, m1, 2026-03-01T10:00:00Z\n  emit\n  route order-placed, line ",
        ", decides\n  kobject, by order-placed: POST /v1/klasses/order/bulk\n    [{",
        "  do[0].custom.totalNum = 27.5   (a text became a number)\n      line ",
        ": .properties.total; .properties.total is \"27.50\"\n",
        "line 2: Product Reviewed",
        "  skip: condition_false\n  route rated, line ",
        ", does not hold: when .properties.rating != null; .properties.rating is null\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

/// An event of an hour and more before now, with more operations than it leads to.
const REPAIRED: &str = r#"{"value":{"type":"track","event":"Repaired","messageId":"m1","userId":"u1","timestamp":"TIME","context":{"sessionId":"s1"},"properties":{"id":"r1","part":"lid","place":"Kiel","parts":PARTS,"friends":["u2","u3"]}}}"#;

/// A repair of that time, with these parts.
fn repaired(time: &str, parts: &str) -> String {
    REPAIRED.replace("TIME", time).replace("PARTS", parts)
}

#[test]
fn operations_that_are_not_sent_while_others_are_say_why() {
    let with_trace = Asked {
        trace: true,
        ..Asked::default()
    };
    let lines = asked(&repaired("2026-03-01T08:00:00Z", "[]"), &with_trace).unwrap();
    let kinds = |line: &Value| -> Vec<String> {
        let all = line["operations"].as_array().unwrap().iter();
        all.map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        kinds(&lines[0]),
        ["kobject", "digest", "customer", "customer"]
    );
    let not_sent = lines[0]["notSent"].as_array().unwrap();
    let said: Vec<(&str, &str, &str)> = not_sent
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (text("field"), text("kind"), text("reason"))
        })
        .collect();
    let wanted = [
        ("do[0]", "track", "too_old"),
        ("do[1]", "kobject", "no_items"),
        ("do[3]", "track", "too_old"),
    ];
    assert_eq!(said, wanted);
    let detail = |number: usize| not_sent[number]["detail"].as_str().unwrap();
    let aged = "the event is older than its maxAge of 2h at 2026-03-01T11:00:00Z; --at judges as of another time";
    assert_eq!(detail(0), aged);
    assert_eq!(detail(1), "the list of its `each` is empty or null");
    assert!(
        detail(2).contains("maxAge of 1h") && detail(2).contains("the digest `browsing`"),
        "{}",
        detail(2)
    );
    assert!(not_sent[0]["line"].as_u64().unwrap() > 1);

    // what a trace shows of them is not taken for something that is sent
    let values = lines[0]["trace"]["values"].as_array().unwrap();
    let of = |field: &str| values.iter().find(|value| value["field"] == field).unwrap();
    for (field, note) in [
        ("do[0].meta.partStr", "not sent: too_old"),
        ("do[1].each", "not sent: no_items"),
        ("do[3].meta.placeStr", "not sent: too_old"),
    ] {
        assert_eq!(of(field)["note"], note, "{field}");
        assert_eq!(of(field).get("sent"), None, "{field}");
    }
    assert_eq!(of("do[2].title").get("note"), None);

    // in time, with parts: the values of a list are compared with what is sent of its first item
    let recent = asked(
        &repaired("2026-03-01T10:30:00Z", r#"[{"id":7},{"id":8}]"#),
        &with_trace,
    );
    let line = &recent.unwrap()[0];
    assert_eq!(line.get("notSent"), None);
    let values = line["trace"]["values"].as_array().unwrap();
    let of = |field: &str| values.iter().find(|value| value["field"] == field).unwrap();
    assert_eq!(of("do[1].externalId")["sent"], "7");
    assert_eq!(of("do[2].title").get("sent"), None, "it is sent as it is");
}

#[test]
fn people_read_what_is_not_sent() {
    let input = repaired("2026-03-01T08:00:00Z", "null");
    let text = written(CONFIG, &input, true, &for_people()).unwrap();
    for expected in [
        "\n  not sent: track, by repaired (do[0], line ",
        "): too_old: the event is older than its maxAge of 2h at 2026-03-01T11:00:00Z; --at judges as of another time\n",
        "): no_items: the list of its `each` is empty or null\n",
        "  do[0].meta.partStr = \"lid\"   (not sent: too_old)\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn operations_about_suppressed_people_are_not_sent_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("people.ndjson");
    let config = format!("{CONFIG}privacy: {{ suppressed: {} }}\n", list.display());
    let input = repaired("2026-03-01T10:30:00Z", "[]");
    let of = |people: &str| -> Value {
        std::fs::write(&list, people).unwrap();
        let asked_for = Asked::default();
        asked_of(&config, &input, &asked_for).unwrap().remove(0)
    };
    let one = of("{\"externalId\":\"u3\"}\n");
    assert_eq!(one["operations"].as_array().unwrap().len(), 4);
    assert_eq!(one["notSent"][1]["field"], "do[4]");
    assert_eq!(one["notSent"][1]["kind"], "customer");
    assert_eq!(one["notSent"][1]["reason"], "suppressed");
    assert_eq!(one["notSent"][1].get("operations"), None);
    let both = of("{\"externalId\":\"u3\"}\n{\"externalId\":\"u2\"}\n");
    assert_eq!(both["notSent"][1]["operations"], 2);
    let all = of("{\"externalId\":[\"u1\",\"u2\",\"u3\"]}\n");
    assert_eq!(all["reason"], "suppressed");
    let reasons = all["notSent"].as_array().unwrap().iter();
    let reasons: Vec<&Value> = reasons.map(|one| &one["reason"]).collect();
    let wanted = [
        "suppressed",
        "no_items",
        "suppressed",
        "suppressed",
        "suppressed",
    ];
    assert_eq!(reasons, wanted);
}

#[test]
fn a_trace_shows_what_variables_stand_for_and_where_defaults_are() {
    let config = CONFIG.replace(
        "        routes:\n",
        "        let:\n          no: .properties.no\n          key: '\"loyalty:\\($no)\"'\n        defaults:\n          customer: { externalId: $key }\n        routes:\n",
    );
    let config = config.replace(
        "          - name: repaired\n",
        "          - name: ordered\n            on: Ordered\n            when: $no != null\n            do:\n              - each: .properties.lines\n                \
         kobject: line\n                externalId: $item.id\n                title: '\"\\($index) of \\($no)\"'\n          - name: repaired\n",
    );
    let line_of = |text: &str| {
        let found = config.lines().position(|line| line.contains(text));
        u64::try_from(found.unwrap() + 1).unwrap()
    };
    let input = r#"{"value":{"type":"track","event":"Ordered","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"no":7,"lines":[{"id":"a"},{"id":"b"}]}}}"#;
    let with_trace = Asked {
        trace: true,
        ..Asked::default()
    };
    let lines = asked_of(&config, input, &with_trace).unwrap();
    let trace = &lines[0]["trace"];
    let values = trace["values"].as_array().unwrap();
    let of = |field: &str| values.iter().find(|value| value["field"] == field).unwrap();
    let whose = of("customer.externalId");
    assert_eq!(whose["line"], line_of("customer: { externalId: $key }"));
    let key = serde_json::json!({
        "name": "$key", "line": line_of("          key: "), "expression": "\"loyalty:\\($no)\"",
        "inputs": {}, "value": "loyalty:7",
    });
    assert_eq!(whose["variables"], serde_json::json!([key]));
    let no = serde_json::json!({
        "name": "$no", "line": line_of("          no: "), "expression": ".properties.no",
        "inputs": { ".properties.no": 7 }, "value": 7,
    });
    assert_eq!(trace["routes"][0]["variables"], serde_json::json!([no]));
    let item = |number: usize, field: &str| of(field)["variables"][number].clone();
    let wanted = serde_json::json!({
        "name": "$item", "line": line_of("each: .properties.lines"), "expression": ".properties.lines",
        "inputs": { ".properties.lines": [{ "id": "a" }, { "id": "b" }] }, "value": { "id": "a" },
    });
    assert_eq!(item(0, "do[0].externalId"), wanted);
    assert_eq!(of("do[0].externalId")["inputs"]["$item.id"], "a");
    assert_eq!(
        (item(0, "do[0].title"), item(1, "do[0].title")),
        (no, wanted)
    );
    assert_eq!(of("do[0].each").get("variables"), None);

    let text = written(&config, input, true, &for_people()).unwrap();
    for expected in [
        format!(
            "\n      $key = \"loyalty:7\", line {}: \"loyalty:\\($no)\"\n",
            line_of("          key: ")
        ),
        format!(
            "\n      $no = 7, line {}: .properties.no; .properties.no is 7\n",
            line_of("          no: ")
        ),
    ] {
        assert!(text.contains(&expected), "{expected} is not in\n{text}");
    }
}
