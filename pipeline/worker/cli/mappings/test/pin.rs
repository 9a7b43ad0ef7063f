//! `test --pin`: a record becomes a test in its mapping's file.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ingest_mapping::mapping::Mapping;
use ingest_model::record::{Record, Topic};
use serde_json::Value;

use super::args::TestArgs;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::mappings::drafts::append::appended;
use crate::cli::mappings::drafts::pinned::{Case, differs, verified};
use crate::cli::mappings::drafts::redact::{Kind, Redactor};
use crate::cli::output::Output;
use crate::cli::records;
use crate::cli::records::lines::{self, Item, Line, Lines};
use crate::config::{Settings, TopicSettings};
use crate::pump::letter_header;

/// Adds the record in a file to the tests of its mapping.
pub(super) fn run(
    args: &TestArgs,
    file: &Path,
    settings: &Settings,
    out: &mut Output<'_>,
) -> Result<CommandExit, CommandError> {
    let record = record(args, file, settings)?;
    let topic = &record.position.partition.topic;
    let of_topic = |one: &&TopicSettings| one.topic == *topic;
    let Some(found) = settings.kafka.topics.iter().find(of_topic) else {
        return Err(CommandError::Usage(format!(
            "the record is of the topic {topic}, which the configuration does not have; it has {}",
            records::configured(settings)
        )));
    };
    let mapping = found.pipeline.mapping();
    let path = Path::new(mapping.file());
    if path == settings.file {
        return Err(CommandError::Usage(format!(
            "the mapping of {topic} stands in {}, and tests are only added to mapping files: put it into a file of its own, and name that file there",
            path.display()
        )));
    }
    let format = found.pipeline.format();
    // The topic matters to a test only if expressions ask for it.
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let case = Case::of(&record, text.contains("$record"))?;
    let mut redactor = Redactor::new(args.keep_ids);
    let before = case.outcome(mapping, format);
    let redacted = case.redacted(&mut redactor, &before);
    let after = redacted.outcome(mapping, format);
    if let Some(how) = differs(&before, &after) {
        let way_out = if args.keep_ids {
            "pin a record whose personal data does not decide, or write the test by hand"
        } else {
            "try --keep-ids, if an id decides; or write the test by hand"
        };
        return Err(CommandError::Failed(anyhow!(
            "the mapping treats the record otherwise once its personal data is replaced: {how}; {way_out}"
        )));
    }
    let name = match &args.name {
        Some(name) if taken(mapping, name) => {
            return Err(CommandError::Usage(format!(
                "{} already has a test `{name}`: give another --name",
                path.display()
            )));
        }
        Some(name) => name.trim().to_owned(),
        None => free_name(mapping, &after.summary),
    };
    if name.is_empty() {
        return Err(CommandError::Usage("--name is empty".to_owned()));
    }
    let place = origin(&record);
    let comment = format!(
        "a record of {place}; {}",
        replaced(&redactor, args.keep_ids)
    );
    let lines = redacted.lines(&name, &after);
    let written = appended(&text, &comment, &lines)
        .map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))?;
    verified(&written, mapping.file(), format, &name)?;
    if args.dry_run {
        for line in &lines {
            out.line(line)?;
        }
        return Ok(CommandExit::Good);
    }
    replace(path, &written)?;
    out.line(&format!(
        "{}: added the test `{name}` ({}); {}",
        path.display(),
        after.summary,
        replaced(&redactor, args.keep_ids)
    ))?;
    out.line(
        "read it before you commit it: personal data in fields with other names is not recognised",
    )?;
    Ok(CommandExit::Good)
}

/// The record in the file.
fn record(args: &TestArgs, file: &Path, settings: &Settings) -> Result<Record, CommandError> {
    let open = fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut lines = Lines::new(std::io::BufReader::new(open));
    let mut found: Option<Line> = None;
    for line in &mut lines {
        let line = line.with_context(|| format!("cannot read {}", file.display()))?;
        match args.line {
            Some(number) if line.number != number => {}
            Some(_) => {
                found = Some(line);
                break;
            }
            None if found.is_some() => {
                return Err(CommandError::Usage(format!(
                    "{} has several records: say which with --line N",
                    file.display()
                )));
            }
            None => found = Some(line),
        }
    }
    let Some(line) = found else {
        let problem = match args.line {
            Some(number) => format!("{} has no record in line {number}", file.display()),
            None => format!("{} has no record", file.display()),
        };
        return Err(CommandError::Usage(problem));
    };
    let is_record = is_record(&line.bytes);
    let topic = records::topic(args.topic.as_deref(), is_record, settings)?;
    let item = if is_record {
        lines::record(&line, topic.as_ref(), None)
    } else {
        lines::value(&line, topic.as_ref(), None)
    };
    match item {
        Item::Record(record) => Ok(original(record)),
        Item::Bad(problem) => Err(CommandError::Usage(format!(
            "{}:{}: {problem}",
            file.display(),
            line.number
        ))),
    }
}

/// Whether a line is a record, and not just its value: it has a value, and nothing that a record does not have.
fn is_record(bytes: &[u8]) -> bool {
    const KEYS: &[&str] = &[
        "topic",
        "partition",
        "offset",
        "key",
        "headers",
        "value",
        "valueBase64",
        "timestamp",
    ];
    let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
        return false;
    };
    (fields.contains_key("value") || fields.contains_key("valueBase64"))
        && fields.keys().all(|key| KEYS.contains(&key.as_str()))
}

/// The original record of a dead letter; another record as it is.
fn original(mut record: Record) -> Record {
    let text = |name: &str| {
        let value = record.header(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let topic = text(letter_header::SOURCE_TOPIC).filter(|topic| !topic.is_empty());
    let number = |name: &str| text(name)?.parse::<i64>().ok();
    let partition = number(letter_header::SOURCE_PARTITION).and_then(|n| i32::try_from(n).ok());
    let offset = number(letter_header::SOURCE_OFFSET);
    if let Some(topic) = topic {
        record.position.partition.topic = Topic::new(&topic);
        if let (Some(partition), Some(offset)) = (partition, offset) {
            record.position.partition.partition.0 = partition;
            record.position.offset.0 = offset;
        }
    }
    record
        .headers
        .retain(|one| !one.name.starts_with(letter_header::PREFIX));
    record
}

fn origin(record: &Record) -> String {
    record.position.partition.topic.to_string()
}

/// What was replaced, in words.
fn replaced(redactor: &Redactor, keep_ids: bool) -> String {
    let (mut personal, mut ids) = (0, 0);
    for (kind, count) in redactor.counts() {
        if kind == Kind::Id {
            ids += count;
        } else {
            personal += count;
        }
    }
    let ids = if keep_ids {
        "ids are kept".to_owned()
    } else {
        format!("{ids} ids")
    };
    match keep_ids {
        true => format!("{personal} personal values are made up, {ids}"),
        false => format!("{personal} personal values and {ids} are made up"),
    }
}

fn taken(mapping: &Mapping, name: &str) -> bool {
    mapping.test_names().any(|taken| taken == name.trim())
}

/// A name that no test has yet.
fn free_name(mapping: &Mapping, summary: &str) -> String {
    let first = format!("pinned, {summary}");
    let numbered = (2..).map(|number| format!("{first}, {number}"));
    std::iter::once(first.clone())
        .chain(numbered)
        .find(|name| !taken(mapping, name))
        .unwrap_or(first)
}

/// Replaces a file as a whole: it has the old text or the new one, whatever happens.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let beside = folder.join(format!(".{}.new", name.unwrap_or_default()));
    let mut file = fs::File::create(&beside).with_context(cannot)?;
    let permissions = fs::metadata(path).with_context(cannot)?.permissions();
    file.write_all(text.as_bytes()).with_context(cannot)?;
    file.set_permissions(permissions).with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    fs::rename(&beside, path).with_context(cannot)
}
