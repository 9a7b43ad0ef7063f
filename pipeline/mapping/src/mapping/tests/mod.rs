use jiff::Timestamp;

use super::Mapping;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

mod apply;
mod bad;
mod digests;
mod each;
mod errors;
mod keys;
mod named;
mod owners;
mod parties;
mod properties;
mod spellings;

const PRESET: &str = include_str!("../../../../../schemas/mappings/segment.yaml");

#[test]
fn the_preset_passes_its_tests() {
    let mapping = match Mapping::compile(PRESET, "segment.yaml") {
        Ok(mapping) => mapping,
        Err(errors) => panic!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        ),
    };
    assert!(mapping.test_count() >= 9);
    let failures = mapping.run_tests();
    assert!(failures.is_empty(), "{failures:#?}");
}

fn now() -> Timestamp {
    "2026-03-04T08:00:00Z".parse().unwrap()
}

fn record() -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("shop.events", 2),
            offset: Offset(40),
        },
        key: Some("k-1".into()),
        value: None,
        headers: vec![Header {
            name: "Source".into(),
            value: Some("app".into()),
        }],
        timestamp_ms: Some(1_772_611_200_000),
    }
}

fn compile(routes: &str) -> Mapping {
    match Mapping::compile(&format!("routes:\n{routes}"), "t.yaml") {
        Ok(mapping) => mapping,
        Err(errors) => panic!("{errors:#?}"),
    }
}
