//! `docs/cards.md`: what each shipped mapping makes of its examples, as people see it. The page is compared with what the mappings do
//! now; `INSTA_UPDATE=always` writes it anew.

#![expect(
    clippy::disallowed_methods,
    reason = "how snapshots are written anew is no configuration of the worker"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use ingest_mapping::testing::shown;
use ingest_model::outcome::Verdict;
use serde_json::{Map, Value};

use super::support::{NOW_MS, files, record, schemas, stem};
use super::{Preset, presets};

const HEAD: &str = "\
# The cards of the shipped mappings

What the mappings in [schemas/mappings](../schemas/mappings) make of the examples in [schemas/events](../schemas/events), as an agent finds it in Kustomer: of each
kind of object the example that says most, then customers, and what appears on timelines. Names of attributes are those of the API; Kustomer
shows the display names of the klass, which `provision apply` sets. What the events mean and which are skipped: [inputs](inputs.md).

This page is written by `cargo test -p ingest-mapping --test presets` with `INSTA_UPDATE=always`, and compared without.
";

/// What is written for people's sake, and stands elsewhere on the card.
const ABOVE: &[&str] = &["title", "description", "createdAt", "customer"];
/// What no agent reads.
const HIDDEN: &[&str] = &[
    "kobject",
    "digest",
    "externalId",
    "version",
    "track",
    "ingestVersionStr",
    "ingestOffsets",
    "eventKey",
];
/// Lists show so many items.
const ITEMS: usize = 3;
/// Values show so many characters.
const LONGEST: usize = 240;

/// An operation, and the example that it is made of.
struct Made {
    example: String,
    route: String,
    shown: Map<String, Value>,
}

/// What one mapping makes, by kind and name: of each the example that says most.
fn made(preset: &Preset) -> BTreeMap<(&'static str, String), Made> {
    let now = jiff::Timestamp::from_millisecond(NOW_MS).unwrap();
    let mut all: BTreeMap<(&'static str, String), Made> = BTreeMap::new();
    let folder = schemas().join("events").join(preset.format.as_str());
    for file in files(&folder.join("valid"), "json") {
        let (_, verdict) = preset
            .pipeline
            .explain(&record(fs::read(&file).unwrap(), &[]), now);
        let Verdict::Emit(planned) = verdict else {
            continue;
        };
        for one in planned {
            let Value::Object(shown) = shown(&one.operation) else {
                panic!("{}: no object", file.display());
            };
            // a customer may have a company, and neither is an object's
            let is_text = |name: &&str| shown.get(*name).is_some_and(Value::is_string);
            let own = ["kobject", "digest", "track", "identify"];
            let own = own.into_iter().find(|kind| shown.contains_key(*kind));
            let kind = own
                .or_else(|| ["customer", "company"].into_iter().find(is_text))
                .unwrap();
            let name = match kind {
                "kobject" | "digest" | "track" => {
                    shown[kind].as_str().unwrap_or_default().to_owned()
                }
                _ => String::new(),
            };
            let made = Made {
                example: stem(&file),
                route: one.route.to_string(),
                shown,
            };
            let place = all.entry((kind, name));
            place
                .and_modify(|known| {
                    if leaves(&made.shown) > leaves(&known.shown) {
                        known.example.clone_from(&made.example);
                        known.route.clone_from(&made.route);
                        known.shown.clone_from(&made.shown);
                    }
                })
                .or_insert(made);
        }
    }
    all
}

/// How many different things an operation says.
fn leaves(fields: &Map<String, Value>) -> usize {
    let count = |value: &Value| match value {
        Value::Object(inner) => leaves(inner),
        Value::Array(_) => 1,
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    };
    fields.values().map(count).sum()
}

/// A value in one line.
fn line(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let mut shown: Vec<String> = items.iter().take(ITEMS).map(line).collect();
            if items.len() > ITEMS {
                shown.push(format!("… {} more", items.len() - ITEMS));
            }
            shown.join("; ")
        }
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            let parts: Vec<String> = said
                .map(|(name, value)| format!("{name} {}", line(value)))
                .collect();
            parts.join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    let text = text.replace(['\n', '\r'], " ").replace('|', "\\|");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let begins: String = text.chars().take(LONGEST).collect();
    format!("{begins}…")
}

/// The rows of a table: attributes first, then what stands beside them, then lists.
fn rows(shown: &Map<String, Value>, into: &mut String) {
    let parts = |name: &str| {
        shown
            .get(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    };
    let own = shown.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "custom" | "data" | "identify" | "meta")
            && !value.is_null()
            && !ABOVE.contains(&name.as_str())
    });
    let inner = parts("identify").filter(|(name, _)| *name != "custom");
    let custom = shown.get("identify").and_then(|inner| inner.get("custom"));
    let custom = custom.and_then(Value::as_object).into_iter().flatten();
    let all = parts("custom")
        .chain(inner)
        .chain(custom)
        .chain(own)
        .chain(parts("data"));
    for (name, value) in all.filter(|(name, _)| !HIDDEN.contains(&name.as_str())) {
        writeln!(into, "| `{name}` | {} |", line(value)).unwrap();
    }
}

fn card(made: &Made, into: &mut String) {
    let text = |name: &str| {
        made.shown
            .get(name)
            .filter(|value| !value.is_null())
            .map(line)
    };
    let title = text("title").unwrap_or_default();
    writeln!(
        into,
        "| **{title}** | {} |\n|---|---|",
        text("description").unwrap_or_default()
    )
    .unwrap();
    if let Some(at) = text("createdAt") {
        writeln!(into, "| created | {at} |").unwrap();
    }
    let whose = match made.shown.get("customer") {
        Some(Value::Object(keys)) => match keys.get("from") {
            Some(from) => format!(
                "that of the {} {}",
                line(&from["klass"]),
                line(&from["externalId"])
            ),
            None => {
                let keys = keys.iter().filter(|(name, _)| *name != "missing");
                keys.map(|(name, value)| format!("{name} {}", line(value)))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        },
        Some(_) | None => "nobody's".to_owned(),
    };
    writeln!(into, "| customer | {whose} |").unwrap();
    rows(&made.shown, into);
}

fn told(preset: &Preset) -> String {
    let mut text = format!("\n## {}.yaml\n", preset.name);
    let all = made(preset);
    for ((kind, name), made) in &all {
        let from = format!(
            "From `{}.json`, by the route `{}`:",
            made.example, made.route
        );
        match *kind {
            "kobject" | "digest" => {
                writeln!(text, "\n### `{name}` ({})\n\n{from}\n", preset.name).unwrap();
                card(made, &mut text);
            }
            "company" | "customer" | "identify" => {
                let what = if *kind == "company" {
                    "A company"
                } else {
                    "A customer"
                };
                let how = if *kind == "identify" {
                    ", as the tracking API is told"
                } else {
                    ""
                };
                writeln!(
                    text,
                    "\n**{what}**{how}. {from}\n\n| field | value |\n|---|---|"
                )
                .unwrap();
                rows(&made.shown, &mut text);
            }
            _ => {}
        }
    }
    let tracks: Vec<_> = all
        .iter()
        .filter(|((kind, _), _)| *kind == "track")
        .collect();
    if !tracks.is_empty() {
        writeln!(
            text,
            "\n**On the timeline**, as events:\n\n| event | with | example |\n|---|---|---|"
        )
        .unwrap();
        for ((_, name), made) in tracks {
            let meta = made
                .shown
                .get("meta")
                .and_then(Value::as_object)
                .into_iter()
                .flatten();
            let meta =
                meta.filter(|(name, value)| !HIDDEN.contains(&name.as_str()) && !value.is_null());
            let meta: Vec<String> = meta
                .map(|(name, value)| format!("`{name}` {}", line(value)))
                .collect();
            writeln!(
                text,
                "| {name} | {} | `{}` |",
                meta.join(", "),
                made.example
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_page_of_cards_shows_what_the_mappings_make() {
    let mut page = HEAD.to_owned();
    for preset in presets() {
        page.push_str(&told(&preset));
    }
    let path = schemas().join("../docs/cards.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always") {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = written.lines().zip(page.lines());
    let same = lines.position(|(a, b)| a != b);
    let shorter = written.lines().count().min(page.lines().count());
    assert!(
        written == page,
        "docs/cards.md is not what the mappings make now, from line {} on; `just examples` writes it anew",
        same.unwrap_or(shorter) + 1
    );
}
