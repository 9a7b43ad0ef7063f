//! The example events below `schemas/events`, for tests that run all of them.

use std::path::{Path, PathBuf};

use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

/// The time at which the examples reach Kafka and are judged.
pub(crate) const NOW_MS: i64 = 1_772_611_200_000; // 2026-03-04T08:00:00Z

/// The folder of the schemas, from whichever crate a test belongs to.
pub(crate) fn schemas() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut above = here.ancestors().map(|folder| folder.join("schemas"));
    above.find(|folder| folder.join("events").is_dir()).unwrap()
}

/// The files of a folder with this extension, sorted; there is at least one.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty(), "no .{extension} in {}", folder.display());
    files
}

/// A file's name without its extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// An example as Kafka has it.
pub(crate) fn record(value: Vec<u8>, headers: &[(&str, &str)]) -> Record {
    let header = |(name, value): &(&str, &str)| Header {
        name: (*name).to_owned(),
        value: Some(value.as_bytes().to_vec().into()),
    };
    Record {
        position: Position {
            partition: TopicPartition::new("examples", 0),
            offset: Offset(7),
        },
        key: None,
        value: Some(value.into()),
        headers: headers.iter().map(header).collect(),
        timestamp_ms: Some(NOW_MS),
    }
}
