//! The inputs that `tests/fuzz` keeps: each is decoded and mapped, or compiled, with what has to hold for any input.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

#[path = "../../../tests/fuzz/checks.rs"]
mod checks;

use std::path::Path;

fn each(target: &str, check: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join(target)).unwrap() {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    count
}

#[test]
fn every_record_of_the_corpus_gets_one_verdict() {
    assert!(each("decode", checks::decode) >= 35);
}

#[test]
fn every_mapping_of_the_corpus_compiles_or_has_a_fault() {
    assert!(each("mapping", checks::mapping) >= 5);
}

#[test]
fn a_record_of_the_corpus_is_what_it_says() {
    let (format, record) = checks::record(b"shopify\nkey:k\nx-a:1\nx-b\n\n{}").unwrap();
    assert_eq!(format.as_str(), "shopify");
    assert_eq!(record.key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(record.value.as_deref(), Some(b"{}".as_slice()));
    let values: Vec<Option<&[u8]>> = record
        .headers
        .iter()
        .map(|header| header.value.as_deref())
        .collect();
    assert_eq!(values, [Some(b"1".as_slice()), None]);
}
