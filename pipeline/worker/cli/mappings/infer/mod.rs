//! `infer`: a first mapping, proposed from sample records.
//!
//! It looks at the sample (`look`), decides what each kind of event could become (`plan`), and writes a mapping with
//! comments that say what was seen, and a test for each kind, without personal data ([`write`]). Whatever is proposed is
//! compiled, tested and tried on the sample before it is written.

mod args;
mod batches;
mod format;
mod look;
mod opened;
mod plan;
#[cfg(test)]
mod tests;
mod thing;
mod whose;
mod write;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::{Rejected, Rejection, Verdict};
use ingest_model::record::Record;
use jiff::Timestamp;

pub use self::args::InferArgs;
use self::look::{Looked, Seen};
use self::opened::{Read, SAMPLE};
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::observe::words::plural;

/// Proposes a mapping.
///
/// # Errors
///
/// When the sample cannot be read, has no records that can be used, or the mapping cannot be written.
pub fn run(args: &InferArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    if let Some(path) = args.out.as_ref().filter(|path| path.exists()) {
        return Err(CommandError::Usage(format!(
            "{} already exists and is not overwritten: give another --out",
            path.display()
        )));
    }
    let now = Timestamp::from_millisecond(Clock.unix_ms()).unwrap_or_default();
    let Read { records, unusable } = opened::records(args, now)?;
    let each = batches::each(&records);
    let events = match &each {
        Some(each) => batches::members(&records, each, args.format.unwrap_or(Format::Json))?,
        None => records.clone(),
    };
    let mut chosen = match (args.format, &args.name) {
        (Some(format), _) => format::Chosen::pinned(format, &events),
        (None, Some(name)) => format::Chosen::named(&name.0, &events),
        (None, None) => format::Chosen::of(&events),
    };
    // what the batches of Segment's libraries say once is in each of their messages
    let events = match &each {
        Some(each) if chosen.format == Format::Segment => {
            batches::members(&records, each, Format::Segment)?
        }
        Some(_) | None => events,
    };
    chosen.each = each;
    let looked = Looked::at(&chosen, &events);
    if looked.events.is_empty() {
        return Err(CommandError::Failed(anyhow!(
            "none of {} can be read as format {}: {}; {}",
            plural(events.len(), chosen.item()),
            chosen.format,
            looked
                .problem
                .as_ref()
                .map_or("no event has a name", |problem| &problem.detail),
            way_out(looked.problem.as_ref())
        )));
    }
    let nameless = looked.events.iter().find(|seen| is_named_by_nobody(seen));
    if let Some(seen) = nameless.filter(|_| args.topic.is_none()) {
        return Err(CommandError::Usage(format!(
            "these rows name no table, so `{}` is a made-up name: events of such rows have the name of their topic. Name it: --topic shop.orders",
            seen.name
        )));
    }
    let name = args.out.as_deref().map_or_else(
        || "inferred.yaml".to_owned(),
        |path| path.display().to_string(),
    );
    let routes = plan::routes(&looked, args.events);
    let text = write::mapping(&looked, &routes, &name)?;
    let mapping = Mapping::compile(&text, &name).map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("what would be proposed is no mapping: {}", all.join("; "))
    })?;
    let failures = mapping.run_tests_as(chosen.format);
    if let Some(failure) = failures.first() {
        return Err(CommandError::Failed(anyhow!(
            "a proposed test would fail: {failure}"
        )));
    }
    let tests = mapping.test_count();
    match &args.out {
        None => {
            for line in text.lines() {
                out.line(line)?;
            }
        }
        Some(path) => {
            create(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            for line in write::report(&looked, &routes, unusable) {
                out.line(&line)?;
            }
            for line in tried(mapping, chosen.format, &records, now)? {
                out.line(&line)?;
            }
            out.line("")?;
            let path = path.display();
            out.line(&format!(
                "{path}: {}, {}",
                plural(routes.len(), "route"),
                plural(tests, "test")
            ))?;
            out.line("read it, then name it in the configuration, such as")?;
            let topic = args.topic.as_deref().unwrap_or("shop.events");
            out.line(&format!(
                "  - {{ name: {topic}, format: {}, mapping: {path} }}",
                chosen.format
            ))?;
            out.line("and run check, test, and diff or explain with the sample")?;
        }
    }
    Ok(CommandExit::Good)
}

/// What helps where no record gives an event.
fn way_out(problem: Option<&Rejected>) -> &'static str {
    let is = |reason| problem.is_some_and(|problem| problem.reason == reason);
    if is(Rejection::InvalidUtf8) {
        "save the sample as UTF-8"
    } else if is(Rejection::InvalidJson) {
        "a sample has a JSON value on each line, or is one JSON document"
    } else if is(Rejection::InvalidEnvelope) {
        "say where the name is with --name (--name .hdr.evt), or name the format with --format (rows of a table that have no names: --format debezium), or the right topic"
    } else if is(Rejection::TooLarge) || is(Rejection::TooDeep) {
        "the worker would reject such records, too: leave them out of the sample"
    } else {
        "name the format with --format (rows of a table that have no names: --format debezium), or the right topic"
    }
}

/// Whether the name of an event comes from a topic that nobody named.
fn is_named_by_nobody(seen: &Seen) -> bool {
    let topic = seen.sample.position.partition.topic.as_str();
    let of_topic = seen.name.strip_prefix(SAMPLE);
    topic == SAMPLE && of_topic.is_some_and(|rest| rest.starts_with('.'))
}

/// What the mapping makes of the whole sample.
fn tried(
    mapping: Mapping,
    format: Format,
    records: &[Record],
    now: Timestamp,
) -> anyhow::Result<Vec<String>> {
    let pipeline = Pipeline::new(format, Limits::default(), std::sync::Arc::new(mapping))?;
    let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
    let mut dropped: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        let (summary, verdict) = pipeline.explain(record, now);
        let label = match verdict {
            Verdict::Emit(_) | Verdict::Batch(_) => "sent".to_owned(),
            Verdict::Skip(reason) => format!("skipped ({})", reason.as_str()),
            Verdict::Reject(rejected) => format!("rejected ({})", rejected.reason.as_str()),
        };
        *verdicts.entry(label).or_default() += 1;
        for one in summary.map(|summary| summary.dropped).unwrap_or_default() {
            *dropped
                .entry(format!("{} of {}", one.field, one.route))
                .or_default() += 1;
        }
    }
    let mut lines = vec!["what the mapping makes of the sample:".to_owned()];
    lines.extend(
        verdicts
            .iter()
            .map(|(label, count)| format!("  {count:>8}  {label}")),
    );
    lines.extend(
        dropped
            .iter()
            .map(|(field, count)| format!("  {count:>8}  without {field}: its value is bad")),
    );
    Ok(lines)
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}
