//! `init`: writes the files for a first run, with nothing but the program.

mod presets;

use std::borrow::Cow;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::presets::Preset;
use crate::cli::args::InitArgs;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;

const CONFIG: &str = include_str!("worker.yaml");
/// What the configuration says of a topic whose key is the customer, as those of Segment usually are.
const KEYED: &str = "      # all records of one customer are in one partition; leave it out if that is not sure\n      keyed_by: customer\n";
const SCHEMA: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/schemas/mapping.schema.json"
));

const CONFIG_SCHEMA: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/schemas/config.schema.json"
));

/// A file: its path, its content, and what it is.
type File = (String, Cow<'static, str>, String);

/// The files of a preset.
fn files(preset: &Preset) -> anyhow::Result<Vec<File>> {
    let mapping = format!("mappings/{}.yaml", preset.name);
    let mut config = CONFIG.replace("mappings/segment.yaml", &mapping);
    if !preset.keyed {
        config = config.replace(KEYED, "");
    }
    let (events, count) = preset.events()?;
    Ok(vec![
        (
            "worker.yaml".to_owned(),
            Cow::Owned(config),
            "the configuration: brokers, topics, the organisation's address and limit".to_owned(),
        ),
        (
            mapping,
            Cow::Borrowed(preset.mapping),
            format!("the mapping for {}; copy and change it", preset.what),
        ),
        (
            "mapping.schema.json".to_owned(),
            Cow::Borrowed(SCHEMA),
            "the form of a mapping, for editors: the first line of the mapping names it".to_owned(),
        ),
        (
            "config.schema.json".to_owned(),
            Cow::Borrowed(CONFIG_SCHEMA),
            "the form of the configuration, for editors, too".to_owned(),
        ),
        (
            "events.ndjson".to_owned(),
            events,
            format!("{count} events to try it with"),
        ),
    ])
}

/// Writes the files into a folder. Existing files are not touched.
///
/// # Errors
///
/// A file already exists, or cannot be written; or there is no such preset.
pub fn run(args: &InitArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let preset = Preset::named(&args.preset)?;
    let files = files(preset)?;
    let there = files
        .iter()
        .map(|(name, ..)| dir.join(name))
        .find(|path| path.exists());
    if let Some(path) = there {
        return Err(CommandError::Usage(format!(
            "{} already exists and is not overwritten: give another folder, or move the file away",
            path.display()
        )));
    }
    for (name, content, what) in &files {
        let path = dir.join(name);
        write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        out.line(&format!("{}: {what}", path.display()))?;
    }
    let config = dir.join("worker.yaml");
    let events = dir.join("events.ndjson");
    out.line("")?;
    for command in ["check", "test"] {
        out.line(&format!(
            "kustomer-ingest {command} --config {}",
            config.display()
        ))?;
    }
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
    use ingest_mapping::mapping::node::Node;
    use ingest_model::outcome::Verdict;
    use ingest_model::record::{Offset, Position, Record, TopicPartition};

    use clap::CommandFactory as _;

    use crate::config::settings::KeyedBy;

    use super::presets::names;
    use super::*;

    fn init(dir: &Path) -> Result<String, CommandError> {
        init_with(dir, "segment")
    }

    fn init_with(dir: &Path, preset: &str) -> Result<String, CommandError> {
        let mut written = Vec::new();
        let mut out = Output::new(&mut written);
        let args = InitArgs {
            dir: Some(dir.to_owned()),
            preset: preset.to_owned(),
        };
        let ended = run(&args, &mut out);
        out.flush()?;
        drop(out);
        ended.map(|_| String::from_utf8_lossy(&written).into_owned())
    }

    #[test]
    fn the_files_of_every_preset_can_be_used_as_they_are() {
        for preset in names() {
            let dir = tempfile::tempdir().unwrap();
            let said = init_with(dir.path(), preset).unwrap();
            assert!(said.contains("explain --config"), "{said}");
            let settings = crate::config::load(&dir.path().join("worker.yaml")).unwrap();
            let topic = &settings.kafka.topics[0];
            assert_eq!(topic.pipeline.mapping().run_tests(), [], "{preset}");
            let keyed = Preset::named(preset).unwrap().keyed;
            assert_eq!(topic.keyed_by == KeyedBy::Customer, keyed, "{preset}");
            let format = topic.pipeline.mapping().format();
            assert_eq!(format.map(|one| one.as_str()), Some(preset));
            let events = fs::read_to_string(dir.path().join("events.ndjson")).unwrap();
            assert!(events.lines().count() >= 3, "{preset}");
            for event in events.lines() {
                let record = Record {
                    position: Position {
                        partition: TopicPartition::new("shop.events", 0),
                        offset: Offset(0),
                    },
                    key: None,
                    value: Some(event.to_owned().into()),
                    headers: Vec::new(),
                    timestamp_ms: Some(1_772_600_000_000),
                };
                let now = jiff::Timestamp::from_second(1_772_600_000).unwrap();
                let (_, verdict) = topic.pipeline.judge(&record, now);
                assert!(
                    matches!(verdict, Verdict::Emit(_)),
                    "{preset}: {verdict:?}\n{event}"
                );
            }
        }
    }

    #[test]
    fn rudderstack_begins_as_segment_does() {
        let dir = tempfile::tempdir().unwrap();
        init_with(dir.path(), "rudderstack").unwrap();
        assert!(dir.path().join("mappings/segment.yaml").is_file());
    }

    #[test]
    fn an_unknown_preset_is_told_with_all_that_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let error = init_with(dir.path(), "shopfy").unwrap_err();
        assert_eq!(error.exit(), CommandExit::Usage);
        assert!(
            error.to_string().contains("did you mean shopify?"),
            "{error}"
        );
        assert!(
            error.to_string().contains("debezium, cloudevents"),
            "{error}"
        );
        // The help has all of them, too.
        let help = crate::cli::Cli::command()
            .find_subcommand_mut("init")
            .unwrap()
            .render_long_help();
        let help = help.to_string();
        for name in names() {
            assert!(help.contains(name), "{name}: {help}");
        }
    }

    #[test]
    fn the_paths_for_editors_lead_to_schemas_that_the_files_fit() {
        for preset in names() {
            let dir = tempfile::tempdir().unwrap();
            let shop = dir.path().join("shop");
            init_with(&shop, preset).unwrap();
            for file in ["worker.yaml".to_owned(), format!("mappings/{preset}.yaml")] {
                let path = shop.join(&file);
                let text = fs::read_to_string(&path).unwrap();
                let first = text.lines().next().unwrap();
                let named = first.strip_prefix("# yaml-language-server: $schema=");
                let schema = path.parent().unwrap().join(named.unwrap());
                let schema = fs::read_to_string(schema).unwrap();
                let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
                let schema = jsonschema::draft202012::new(&schema).unwrap();
                let document = Node::from_yaml(&text).unwrap().to_json();
                let document = serde_json::to_value(document).unwrap();
                let errors = schema.iter_errors(&document);
                let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
                assert_eq!(errors, Vec::<String>::new(), "{preset}: {file}");
            }
        }
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
