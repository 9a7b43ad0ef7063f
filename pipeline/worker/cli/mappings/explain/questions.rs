//! What is asked of a sample: a key, an event, where values come from, a text for people.

use std::path::Path;

use ingest_model::record::Topic;

use super::tests::{CONFIG, sample};
use super::*;

/// The output for these questions.
fn asked(input: &str, asked: &Asked) -> Result<Vec<Value>, CommandError> {
    let settings = crate::config::parse(Path::new("w.yaml"), CONFIG).unwrap();
    let mut written = Vec::new();
    let mut out = Output::new(&mut written);
    let now: Timestamp = "2026-03-01T11:00:00Z".parse().unwrap();
    let sample = sample(input, &Topic::new("shop"), true, now);
    explain(&settings, sample, now, asked, &mut out)?;
    out.flush().unwrap();
    drop(out);
    let text = String::from_utf8(written).unwrap();
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

#[test]
fn people_get_text() {
    let settings = crate::config::parse(Path::new("w.yaml"), CONFIG).unwrap();
    let input = concat!(
        r#"{"value":{"type":"track","event":"Order Completed","messageId":"m1","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"order_id":"o1","total":"27.50"}}}"#,
        "\n",
        r#"{"value":{"type":"track","event":"Product Reviewed","userId":"u1","properties":{}}}"#,
    );
    let mut written = Vec::new();
    let mut out = Output::new(&mut written);
    let now: Timestamp = "2026-03-01T11:00:00Z".parse().unwrap();
    let asked = Asked {
        trace: true,
        text: true,
        ..Asked::default()
    };
    let sample = sample(input, &Topic::new("shop"), true, now);
    explain(&settings, sample, now, &asked, &mut out).unwrap();
    out.flush().unwrap();
    drop(out);
    let text = String::from_utf8(written).unwrap();
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
