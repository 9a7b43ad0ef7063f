//! The inputs that `tests/fuzz` keeps for encodings, among them what independent serializers wrote: each is read, with what has
//! to hold for any input.

#![expect(clippy::panic, reason = "the helpers of tests fail like tests")]

#[path = "../../../tests/fuzz/frames.rs"]
mod frames;

use std::path::Path;

#[test]
fn every_value_of_the_corpus_is_read_or_rejected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/framing");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        frames::framing(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 20, "{count}");
}
