//! What is shipped with a mapping: tests that reach all of it, a page of the cards that it makes, and the JSON Schema of its records.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]

mod cards;
mod envelopes;
#[path = "../../../../tests/support/examples.rs"]
mod support;

use std::fs;
use std::sync::Arc;

use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;

use self::support::{files, schemas, stem};

/// A shipped mapping.
struct Preset {
    name: String,
    format: Format,
    mapping: Arc<Mapping>,
    pipeline: Pipeline,
}

/// All of them, by name.
fn presets() -> Vec<Preset> {
    let paths = files(&schemas().join("mappings"), "yaml");
    let compiled = paths.iter().map(|path| {
        let name = stem(path);
        let mapping = Mapping::compile(&fs::read_to_string(path).unwrap(), &name).unwrap();
        let mapping = Arc::new(mapping);
        let format = mapping.format().unwrap();
        let pipeline = Pipeline::new(format, Limits::default(), Arc::clone(&mapping)).unwrap();
        Preset {
            name,
            format,
            mapping,
            pipeline,
        }
    });
    compiled.collect()
}

#[test]
fn the_tests_in_a_shipped_mapping_reach_every_route_and_every_field() {
    let mut missing = Vec::new();
    for preset in presets() {
        let coverage = preset.mapping.coverage(preset.format);
        let all = coverage.routes.iter().chain(&coverage.fields);
        let left = all.filter(|one| !one.is_reached);
        missing.extend(left.map(|one| {
            let (name, line) = (&preset.name, one.place.line);
            format!("{name}.yaml:{line}: {} {}", one.route, one.field)
        }));
    }
    assert!(
        missing.is_empty(),
        "no test reaches\n{}",
        missing.join("\n")
    );
}
