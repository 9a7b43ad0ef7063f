//! `init`: writes the files for a first run, with nothing but the program.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::InitArgs;
use super::exit::{CommandError, CommandExit};
use super::output::Output;

/// The files, their contents and descriptions.
const FILES: &[(&str, &str, &str)] = &[
    (
        "worker.yaml",
        include_str!("worker.yaml"),
        "the configuration: brokers, topics, the organisation's address and limit",
    ),
    (
        "mappings/segment.yaml",
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schemas/mappings/segment.yaml"
        )),
        "the mapping for events of Segment and RudderStack; copy and change it",
    ),
    (
        "mapping.schema.json",
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schemas/mapping.schema.json"
        )),
        "the form of a mapping, for editors: the first line of the mapping names it",
    ),
    (
        "events.ndjson",
        include_str!("events.ndjson"),
        "three events to try it with",
    ),
];

/// Writes the files into a folder. Existing files are not touched.
///
/// # Errors
///
/// A file already exists, or cannot be written.
pub fn run(args: &InitArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let there = FILES
        .iter()
        .map(|(name, ..)| dir.join(name))
        .find(|path| path.exists());
    if let Some(path) = there {
        return Err(CommandError::Usage(format!(
            "{} already exists and is not overwritten: give another folder, or move the file away",
            path.display()
        )));
    }
    for (name, content, what) in FILES {
        let path = dir.join(name);
        write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        out.line(&format!("{}: {what}", path.display()))?;
    }
    let config = dir.join("worker.yaml");
    let events = dir.join("events.ndjson");
    out.line("")?;
    out.line(&format!(
        "kustomer-ingest check --config {}",
        config.display()
    ))?;
    out.line(&format!(
        "kustomer-ingest explain --config {} {}",
        config.display(),
        events.display()
    ))?;
    Ok(CommandExit::Good)
}

fn write(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // A file that has appeared in the meantime is not overwritten either.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(dir: &Path) -> Result<String, CommandError> {
        let mut written = Vec::new();
        let mut out = Output::new(&mut written);
        let args = InitArgs {
            dir: Some(dir.to_owned()),
        };
        let ended = run(&args, &mut out);
        out.flush()?;
        drop(out);
        ended.map(|_| String::from_utf8_lossy(&written).into_owned())
    }

    #[test]
    fn the_files_of_a_first_run_can_be_used_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("shop");
        let said = init(&shop).unwrap();
        assert!(said.contains("explain --config"), "{said}");
        let settings = crate::config::load(&shop.join("worker.yaml")).unwrap();
        assert_eq!(settings.kafka.topics[0].pipeline.mapping().run_tests(), []);
        // The path for editors leads to a schema.
        let mapping = shop.join("mappings/segment.yaml");
        let text = fs::read_to_string(&mapping).unwrap();
        let named = text.lines().find_map(|line| line.split_once("$schema="));
        let schema = mapping.parent().unwrap().join(named.unwrap().1);
        let schema: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
        assert!(schema.get("$schema").is_some());
    }

    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let mine = dir.path().join("worker.yaml");
        fs::write(&mine, "mine").unwrap();
        let error = init(dir.path()).unwrap_err();
        assert_eq!(error.exit(), CommandExit::Usage);
        assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
        assert!(!dir.path().join("events.ndjson").exists());
    }
}
