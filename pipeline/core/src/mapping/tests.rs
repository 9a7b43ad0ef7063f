use super::*;

const PRESET: &str = include_str!("../../../../schemas/mappings/segment.yaml");

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
