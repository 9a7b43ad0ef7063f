//! Samples of several formats, and the mappings that are proposed for them.

mod meaning;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser as _;

use crate::cli::Cli;
use crate::cli::records::lines::Item;
use crate::cli::tests::printed;
use ingest_model::record::Topic;

use super::*;

/// What `infer` says of a sample, and the mapping.
fn infer(sample: &str, arguments: &[&str]) -> (String, String, CommandExit) {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("sample"), sample).unwrap();
    let (input, output) = (file("sample"), file("m.yaml"));
    let line = ["kustomer-ingest", "infer", &input, "--out", &output];
    let (text, exit) = printed(line.iter().chain(arguments));
    let mapping = std::fs::read_to_string(output).unwrap_or_default();
    (text, mapping, exit)
}

/// Everything that is expected is in the proposed mapping.
#[track_caller]
fn has_all(mapping: &str, expected: &[&str]) {
    for one in expected {
        assert!(mapping.contains(one), "{one} is not in\n{mapping}");
    }
}

fn till() -> String {
    let mut sample = String::new();
    for number in 0..20 {
        writeln!(
            sample,
            r#"{{"event_type":"sale.completed","sale_id":"S-{number}","at":"2026-03-04T05:06:0{}Z","total":{number}.5,"paid":true,"store":"Mitte","receipt_url":"https://till.example/r/{number}","customer":{{"id":"c-{}","email":"maria{}@shop.example","name":"Maria Lopez"}},"lines":[{{"sku":"a"}}]{}}}"#,
            number % 10,
            number % 3,
            number % 3,
            if number % 4 == 0 { r#","coupon":"SPRING""# } else { "" },
        )
        .unwrap();
    }
    for _ in 0..5 {
        writeln!(
            sample,
            r#"{{"event_type":"drawer.opened","at":"2026-03-04T05:06:07Z","till":7}}"#
        )
        .unwrap();
    }
    writeln!(sample, r#"{{"event_type":"voucher-asked","at":"2026-03-04T05:06:07Z","customer":{{"id":"c-1","email":"maria1@shop.example"}},"amount":5}}"#).unwrap();
    writeln!(sample, r#"{{"event_type":"refund.issued","at":"2026-03-04T05:06:07Z","refund_id":"R-1","sale_id":"S-7"}}"#).unwrap();
    writeln!(
        sample,
        r#"{{"event_type":"parcel lost","at":"2026-03-04T05:06:07Z","sale_id":"S-7"}}"#
    )
    .unwrap();
    sample.push_str("no json\n");
    sample
}

#[test]
fn plain_json_becomes_objects_events_and_skips_with_comments_and_tests() {
    let (told, mapping, exit) = infer(&till(), &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    has_all(
        &mapping,
        &[
            "format: json\nevent: { name: .event_type, time: .at }\n",
            "  # sale.completed: 20 records\n",
            "customer: { externalId: .customer.id, email: .customer.email }\n",
            "      - kobject: sale\n        externalId: .sale_id\n        version: $event.version",
            "        title: '\"Sale \\(.sale_id)\"'\n",
            "          totalNum: .total\n",
            "          paidBool: .paid\n",
            "          receiptUrl: .receipt_url\n",
            "          couponStr: .coupon   # in 25 %\n",
            "personal: e-mail address",
            "      - track: $event.name",
            "    customer: { from: { klass: sale, externalId: .sale_id } }\n    do:\n      - kobject: refund\n",
            "    customer: { from: { klass: sale, externalId: .sale_id } }\n    do:\n      - track: $event.name",
            "skip: \"names neither a customer nor a thing",
        ],
    );
    for personal in ["maria", "Lopez", "S-0"] {
        assert!(!mapping.contains(personal), "{personal} is in\n{mapping}");
    }
    for expected in [
        "format json: reads 28 of 29 records that were tried",
        "object of klass sale; customer by externalId .customer.id, email .customer.email",
        "klass sale: couponStr, ",
        "looks personal, not proposed as attributes: .customer.email, .customer.name",
        "23  sent",
        "5 routes, 5 tests",
    ] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }
}

#[test]
fn what_is_proposed_passes_check_and_test() {
    let (_, mapping, _) = infer(&till(), &[]);
    let dir = tempfile::tempdir().unwrap();
    let config = "kafka:\n  brokers: localhost:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - { name: t, mapping: m.yaml }\n\
                  kustomer:\n  base_url: https://example.api.kustomerapp.com\n  token: { env: KI_NO_SUCH_VARIABLE }\n  limit: 100\n";
    let file: PathBuf = dir.path().join("w.yaml");
    std::fs::write(&file, config).unwrap();
    std::fs::write(dir.path().join("m.yaml"), mapping).unwrap();
    for command in ["check", "test"] {
        let config = file.to_str().unwrap();
        let (text, exit) = printed(["kustomer-ingest", command, "--config", config].iter());
        assert_eq!(exit, CommandExit::Good, "{text}");
        assert!(!text.contains("no tests"), "{text}");
    }
}

/// The examples of a format.
fn examples(format: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("schemas/events")
        .join(format)
        .join("valid");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    files.iter().map(text).collect()
}

#[test]
fn the_format_of_the_shipped_examples_is_found() {
    for format in [
        "segment",
        "stripe",
        "easypost",
        "aftership",
        "commercetools",
    ] {
        let mut records = Vec::new();
        for text in examples(format) {
            let line = crate::cli::records::lines::Line {
                number: 1,
                bytes: text.into_bytes(),
            };
            let topic = Topic::new("t");
            let is_record = serde_json::from_slice::<serde_json::Value>(&line.bytes)
                .is_ok_and(|value| value.get("value").is_some() && value.get("headers").is_some());
            let item = if is_record {
                crate::cli::records::lines::record(&line, Some(&topic), Some(1_772_600_000_000))
            } else {
                crate::cli::records::lines::value(&line, Some(&topic), Some(1_772_600_000_000))
            };
            if let Item::Record(record) = item {
                records.push(record);
            }
        }
        let chosen = format::Chosen::of(&records);
        assert_eq!(chosen.format.to_string(), format, "{chosen:?}");
    }
}

#[test]
fn segment_messages_are_mapped_by_their_own_envelope() {
    let sample = r#"{"type":"track","event":"Order Completed","messageId":"m1","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"order_id":"o1","total":27.5,"email":"maria@shop.example"}}
{"type":"track","event":"Product Viewed","messageId":"m2","userId":"u1","timestamp":"2026-03-01T10:00:00Z","properties":{"product_id":"p1","sku":"s"}}
{"type":"identify","messageId":"m3","userId":"u1","traits":{"name":"Maria Lopez","email":"maria@shop.example"}}
{"type":"page","messageId":"m4","userId":"u1","name":"Home","properties":{}}
"#;
    let (told, mapping, exit) = infer(sample, &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    has_all(
        &mapping,
        &[
            "format: segment\n",
            "    on: Order Completed\n    # the customer is the one that the envelope names\n    do:\n      - kobject: order\n",
            "externalId: .properties.order_id",
            "      - identify: { name: .traits.name, email: .traits.email }",
            "    on: page\n    skip: ",
        ],
    );
    assert!(
        !mapping.contains("kobject: product"),
        "a look makes no object: {mapping}"
    );
}

#[test]
fn what_cannot_be_read_is_said_with_the_way_out() {
    let (told, _, exit) = infer("", &[]);
    assert_eq!(exit, CommandExit::Usage);
    assert!(told.contains("the sample has no record"), "{told}");
    let whole = r#"{"topic":"t","partition":0,"offset":7,"value":{"type":"a"}}"#;
    let (told, _, exit) = infer(whole, &[]);
    assert_eq!(exit, CommandExit::Usage, "{told}");
    assert!(told.contains("say so with --records"), "{told}");
    let of_another_tool = r#"{"topic":"t","payload":"{}"}"#;
    let (told, _, exit) = infer(of_another_tool, &["--records"]);
    assert_eq!(exit, CommandExit::Usage, "{told}");
    assert!(
        told.contains(
            "1 line unusable; line 1: not a record as --records takes it: unknown field `payload`"
        ),
        "{told}"
    );
    // a frame of a registry, which only a configuration knows
    let framed = r#"{"valueBase64":"AAAAAAEC"}"#;
    let (told, _, exit) = infer(framed, &["--records"]);
    assert_eq!(exit, CommandExit::Usage, "{told}");
    assert!(
        told.contains("give it with --config, and --topic"),
        "{told}"
    );
    let (told, _, exit) = infer("[1]\n[2]\n", &[]);
    assert_eq!(exit, CommandExit::Failed);
    assert!(told.contains("name the format with --format"), "{told}");
    assert!(Cli::try_parse_from(["kustomer-ingest", "infer", "--format", "xml"]).is_err());
}

/// The records of the shipped examples of a format.
fn shipped(format: &str) -> Vec<String> {
    let one_line = |text: String| -> Option<String> {
        let value: serde_json::Value =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
        let is_record = value.get("value").is_some() && value.get("headers").is_some();
        let record = if is_record {
            value
        } else {
            serde_json::json!({ "value": value })
        };
        Some(record.to_string())
    };
    examples(format).into_iter().filter_map(one_line).collect()
}

#[test]
fn every_shipped_example_leads_to_a_mapping_that_passes() {
    let formats = [
        "aftership",
        "cloudevents",
        "commercetools",
        "debezium",
        "easypost",
        "segment",
        "shopify",
        "stripe",
        "woocommerce",
    ];
    for format in formats {
        let lines = shipped(format);
        assert!(!lines.is_empty(), "{format}");
        for sample in lines.iter().cloned().chain([lines.join("\n")]) {
            let (told, mapping, exit) = infer(
                &sample,
                &["--records", "--topic", "shop.orders", "--format", format],
            );
            // A record that no mapping gets to see, such as a tombstone, leads to nothing.
            let no_event = told.contains("can be read as format");
            assert!(exit == CommandExit::Good || no_event, "{told}\n{sample}");
            assert!(
                no_event || Mapping::compile(&mapping, "m.yaml").is_ok(),
                "{mapping}"
            );
        }
    }
}

#[test]
fn compressed_values_are_read_as_the_worker_reads_them() {
    // {"type":"a.b","customer":"c-1"}, as gzip writes it
    let value = "H4sIAAAAAAACA6tWKqksSFWyUkrUS1LSUUouLS7Jz00tAgok6xoq1QIABGP+7R8AAAA=";
    let sample = format!(r#"{{"valueBase64":"{value}"}}"#);
    let (told, mapping, exit) = infer(&sample, &["--records"]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    assert!(
        mapping.contains("customer: { externalId: .customer }"),
        "{mapping}"
    );
}

#[test]
fn an_envelope_within_a_record_is_found() {
    let mut sample = String::new();
    for number in 0..20 {
        let kind = if number % 3 == 0 {
            "order.paid"
        } else {
            "order.sent"
        };
        writeln!(
            sample,
            r#"{{"meta":{{"eventType":"{kind}","eventId":"e{number}","ts":"2026-03-04 05:06:07"}},"body":{{"status":"open","order_id":"o{number}","customer_id":"c1","items":[{{"sku":"a","name":"Blue shirt"}}]}}}}"#
        )
        .unwrap();
    }
    let (told, mapping, exit) = infer(&sample, &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    has_all(
        &mapping,
        &[
            "event: { name: .meta.eventType, id: .meta.eventId, time: .meta.ts }\n",
            "    on: order.paid\n",
            "customer: { externalId: .body.customer_id }",
            "externalId: .body.order_id",
        ],
    );
    assert!(!mapping.contains("eventTypeStr"), "{mapping}");
}

/// A sample of batches: so many events of two kinds in each record.
fn batches(open: &str, close: &str) -> String {
    let mut sample = String::new();
    for number in 0..10 {
        let sale = format!(
            r#"{{"type":"sale","id":"e-{number}","time":"2026-03-04T05:06:07Z","sale_id":"S-{number}","total":4.5,"customer_id":"c-1"}}"#
        );
        let drawer = r#"{"type":"drawer.opened","id":"d","time":"2026-03-04T05:06:07Z","till":7}"#;
        writeln!(sample, "{open}{sale},{drawer}{close}").unwrap();
    }
    sample
}

#[test]
fn records_that_are_batches_are_taken_apart() {
    for (open, close, each) in [
        ("[", "]", "."),
        (
            r#"{"sent":"2026-03-04T05:06:08Z","events":["#,
            "]}",
            ".events",
        ),
        (
            r#"{"number":7,"payload":{"events":["#,
            "]}}",
            ".payload.events",
        ),
    ] {
        // now and then a batch has nothing
        let sample = format!("{}{open}{close}\n", batches(open, close));
        let (told, mapping, exit) = infer(&sample, &[]);
        assert_eq!(exit, CommandExit::Good, "{told}");
        has_all(
            &mapping,
            &[
                &format!("event: {{ each: {each} }}\n"),
                &format!("# Records are batches: lists of events, which stand at `{each}`.\n"),
                "# Proposed from 20 events, 20 of which are events",
                "  # sale: 10 events\n",
                "      - kobject: sale\n        externalId: .sale_id\n",
            ],
        );
        // it was tried on the batches themselves
        assert!(told.contains("      10  sent"), "{told}");
        assert!(!mapping.contains("ingest.member"), "{mapping}");
    }
    // An order with its lines is one event.
    let order = r#"{"type":"order","id":"o-1","time":"2026-03-04T05:06:07Z","customer_id":"c-1","items":[{"name":"Tea","type":"good"}]}"#;
    let (_, mapping, _) = infer(&format!("{order}\n"), &[]);
    assert!(!mapping.contains("each:"), "{mapping}");
}

#[test]
fn batches_of_segments_libraries_keep_what_they_say_once() {
    let record = r#"{"batch":[{"type":"track","event":"Order Completed","userId":"u-1","messageId":"m-1","timestamp":"2026-03-04T05:06:07Z","properties":{"order_id":"o-1","total":3}}],"context":{"app":"till"},"sentAt":"2026-03-04T05:06:07Z"}"#;
    let (told, mapping, exit) = infer(&format!("{record}\n"), &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    has_all(
        &mapping,
        &["format: segment\nevent: { each: .batch }\n", ".context.app"],
    );
}

#[test]
fn a_broken_event_hides_no_batch() {
    let good = batches("[", "]");
    let broken = r#"[{"type":"sale","id":"e-99","time":"2026-03-04T05:06:07Z","sale_id":"S-99","total":4.5,"customer_id":"c-1"},"torn"]
[{"oops":1}]
{"events": [
"#;
    for sample in [
        format!("{good}{broken}"),
        // One batch alone, with two of three events.
        r#"{"events":[{"type":"sale","id":"e-1","sale_id":"S-1"},{"oops":1},{"type":"sale","id":"e-2","sale_id":"S-2"}]}"#.to_owned(),
    ] {
        let (told, mapping, exit) = infer(&sample, &[]);
        assert_eq!(exit, CommandExit::Good, "{told}");
        assert!(mapping.contains("event: { each: ."), "{mapping}");
        assert!(mapping.contains("  # sale: "), "{mapping}");
        assert!(told.contains(" no event: "), "{told}");
    }
    let (told, _, _) = infer(r#"[{"type":"sale","id":"e-1"},{"oops":1}]"#, &[]);
    assert!(told.contains("1 event gives no event: "), "{told}");
}

#[test]
fn what_becomes_of_a_deletion_is_left_to_a_person() {
    let source =
        r#""source":{"connector":"postgresql","table":"orders","lsn":7,"ts_ms":1772600000000}"#;
    let rows = format!(
        "{{\"op\":\"c\",\"before\":null,\"after\":{{\"id\":1,\"customer_id\":7}},{source}}}\n\
         {{\"op\":\"d\",\"before\":{{\"id\":1,\"customer_id\":null}},\"after\":null,{source}}}\n"
    );
    let shop = "{\"topic\":\"orders/delete\",\"payload\":{\"id\":9}}\n{\"topic\":\"customers/delete\",\"payload\":{\"id\":3}}\n";
    let plain = "{\"type\":\"invoice.deleted\",\"id\":\"e1\",\"time\":\"2026-03-04T05:06:07Z\",\"invoice_id\":\"i1\",\"user_id\":\"u1\"}\n";
    for (sample, on, thing) in [
        (
            rows.as_str(),
            "orders.d",
            "kobject: order, externalId: .id,",
        ),
        (
            shop,
            "orders/delete",
            "kobject: order, externalId: $event.subject,",
        ),
        (
            shop,
            "customers/delete",
            "customers and companies are never deleted",
        ),
        (
            plain,
            "invoice.deleted",
            "kobject: invoice, externalId: .invoice_id,",
        ),
    ] {
        let (told, mapping, exit) = infer(sample, &[]);
        assert_eq!(exit, CommandExit::Good, "{told}");
        let route = mapping
            .split(&format!("    on: {on}\n"))
            .nth(1)
            .unwrap_or_default();
        let route = route.split("\n\n").next().unwrap_or_default();
        assert!(route.contains("    delete: ignore"), "{on}: {mapping}");
        assert!(route.contains(thing), "{on}: {route}");
        let needs = route.contains("event: { deleted: … }");
        assert_eq!(needs, on == "invoice.deleted", "{on}: {route}");
        assert!(
            told.contains("ignored: it says that a thing is gone"),
            "{told}"
        );
    }
    // What the comment says is a mapping, too.
    let (_, mapping, _) = infer(&rows, &[]);
    let row = "      - kobject: order\n        externalId: .id\n        version: $event.version";
    assert!(
        mapping.contains(row),
        "a row is an object of its table: {mapping}"
    );
    let proposed = "do: [ { kobject: order, externalId: .id, version: $event.version } ]";
    assert!(mapping.contains(proposed), "{mapping}");
    let changed = mapping.split("\n# One record").next().unwrap();
    for word in ["mark", "delete"] {
        let with = format!("    delete: {word}\n    {proposed}");
        let text = changed.replace("    delete: ignore", &with);
        assert!(Mapping::compile(&text, "m.yaml").is_ok(), "{text}");
    }
}
