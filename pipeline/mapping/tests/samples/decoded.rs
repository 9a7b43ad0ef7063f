//! Which event each sample is.

use super::*;

/// What the samples of a folder give: the name of the event, or why there is none.
fn outcomes(format: Format, folder: &str) -> Vec<String> {
    let outcome = |(file, bytes): (String, Vec<u8>)| {
        let record = records(format, &file, bytes).remove(0);
        match Decoder::new(format, Limits::default()).decode(&record) {
            Ok(event) => format!(
                "{file}: {} {}",
                event.name,
                event.version().unwrap_or_default()
            ),
            Err(Decoded::Skip(reason)) => format!("{file}: skip {}", reason.as_str()),
            Err(Decoded::Reject(rejected)) => {
                format!("{file}: {} ({})", rejected.reason.as_str(), rejected.detail)
            }
        }
    };
    files(folder, "json").into_iter().map(outcome).collect()
}

/// Fails if a sample gives something else. Without samples it says nothing.
fn check(format: Format, folder: &str, wanted: &[&str]) {
    let found = outcomes(format, folder);
    if !found.is_empty() {
        assert_eq!(found, wanted);
    }
}

#[test]
fn collected_cloud_events() {
    let batch = "format_mismatch (the value is a list, a batch of events: a record is one event)";
    let thrift = "format_mismatch (the content type of the data is neither JSON nor text: only those are read)";
    check(
        Format::CloudEvents,
        "cloudevents",
        &[
            "debezium-structured-1.json: io.debezium.connector.postgresql.DataChangeEvent 2020-01-13T13:55:39.738Z",
            "kafka-binary-mode.record.json: com.example.someevent 2018-04-05T03:56:24Z",
            &format!("spec-json-format-1.json: {thrift}"),
            "spec-json-format-3.json: com.example.someevent 2018-04-05T17:31:00Z",
            "spec-json-format-5.json: com.example.someevent 2018-04-05T17:31:00Z",
            &format!("spec-json-format-7.json: {batch}"),
        ],
    );
}

#[test]
fn collected_rows() {
    // keys and requests, which are collected as well, pass for rows of the topic's table without a position
    check(
        Format::Debezium,
        "debezium",
        &[
            "docs-mongodb-1-c.json: orders.c ",
            "docs-mongodb-3-key.json: orders.u ",
            "docs-mongodb-5-customers-u.json: customers.u 15589655080000000001",
            "docs-mysql-1-key.json: orders.u ",
            "docs-mysql-3-c.json: orders.c ",
            "docs-mysql-5-key.json: orders.u ",
            "docs-mysql-7-customers-u.json: customers.u 3000000000000000004840000000",
            "docs-mysql-9-customers-t.json: customers.t 3000000000000000004840000000",
            "docs-pg-logical-message-1-m.json: test-prefix.m 26997904",
            "docs-postgresql-1-c.json: orders.c ",
            "docs-postgresql-3-key.json: orders.u ",
            "docs-postgresql-5-customers-u.json: customers.u 24023128",
            "docs-postgresql-7-customers-t.json: customers.t 46523128",
            "docs-sqlserver-1-key.json: orders.u ",
            "docs-sqlserver-3-key.json: orders.u ",
            "docs-sqlserver-5-key.json: orders.u ",
            "docs-sqlserver-7-customers-u.json: customers.u 1097752427207066300000000109775242720706580000000002",
            "docs-timezone-1-customers-c.json: customers.r 24023128",
            "docs-tutorial-create-2-customers-r.json: customers.r 3000000000000000001540000000",
            "docs-tutorial-delete-2-customers-d.json: customers.d 3000000000000000007250000000",
            "docs-tutorial-restart-1-customers-c.record.json: customers.c 3000000000000000010460000000",
            "docs-tutorial-update-2-customers-u.json: customers.u 3000000000000000003640000000",
            "examples-engine-customers-u.json: customers.u 3000000000000000010410000000",
            "examples-server-products-r.json: products.r ",
            "outbox-cancel-order-line-request.json: orders.u ",
            "outbox-create-order-request.json: orders.u ",
            "outbox-raw-table-row.record.json: outboxevent.c 24064704",
            "outbox-routed-order-expanded.record.json: order 2026-03-04T08:00:00Z",
        ],
    );
}

#[test]
fn collected_things_that_are_no_events() {
    // lines of another program's tables, whose times a mapping has to name, and an example of a vocabulary
    check(
        Format::Json,
        "snowplow",
        &[
            "enriched-page_view-1.json: page_view 2026-03-04T08:00:00Z",
            "enriched-page_view-3.json: page_view 2026-03-04T08:00:00Z",
        ],
    );
    let unnamed = "invalid_envelope (no name: none of `type`, `name`, `event` is a text; say `event: {name: …}` in the mapping)";
    check(
        Format::Json,
        "schema-org",
        &[&format!("order-jsonld.json: {unnamed}")],
    );
}
