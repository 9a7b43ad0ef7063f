//! What differs, as a table for people, as JSON, and as Markdown.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::args::{DiffArgs, DiffFormat};
use super::compare::{Change, Comparison, Counted, How, TooOld};
use crate::config::Settings;
use crate::observe::words::plural;

/// A value is shown up to this length.
const LONG: usize = 120;
/// What follows from another event key.
const REPEATS: &str =
    "what was delivered before the change and comes again counts as new, and is sent again";

/// The lines of the report.
pub(super) fn lines(
    comparison: &Comparison,
    args: &DiffArgs,
    before: &Settings,
    after: &Settings,
) -> anyhow::Result<Vec<String>> {
    let names = (
        before.file.display().to_string(),
        after.file.display().to_string(),
    );
    match args.format {
        DiffFormat::Table => Ok(table(comparison, args, &names)),
        DiffFormat::Markdown => Ok(markdown(comparison, args, &names)),
        DiffFormat::Json => {
            let text = serde_json::to_string_pretty(&document(comparison, args, &names));
            Ok(vec![text.context("cannot write the report")?])
        }
    }
}

/// The counts that differ or say something, and the requests.
fn figures(comparison: &Comparison) -> Vec<(String, u64, u64)> {
    let named = |(name, (before, after)): (&String, &(u64, u64))| (name.clone(), *before, *after);
    let verdicts = comparison.verdicts.iter().map(named);
    let operations = comparison.operations.iter().map(named);
    let requests = (
        "requests, estimated".to_owned(),
        comparison.before.total(),
        comparison.after.total(),
    );
    verdicts.chain(operations).chain([requests]).collect()
}

/// The changes, the most frequent first.
fn changes(comparison: &Comparison) -> Vec<(&Change, &Counted)> {
    let mut changes: Vec<_> = comparison.changes.iter().collect();
    let rank = |change: &Change| match change {
        Change::Verdict { .. } => 0,
        Change::EventKey => 1,
        Change::Removed { .. } | Change::Added { .. } | Change::Route { .. } => 2,
        Change::Field { .. } => 3,
    };
    changes.sort_by_key(|(change, counted)| (rank(change), std::cmp::Reverse(counted.records)));
    changes
}

fn head(comparison: &Comparison) -> String {
    let count = |number: u64| plural(usize::try_from(number).unwrap_or(usize::MAX), "record");
    let mut head = format!("{}: ", count(comparison.read));
    head.push_str(&match comparison.changed {
        0 => "nothing would become otherwise".to_owned(),
        changed => format!(
            "{changed} would become otherwise, {} not",
            comparison.read - changed
        ),
    });
    if comparison.unusable > 0 {
        head.push_str(&format!(
            "; {} more lines are no records",
            comparison.unusable
        ));
    }
    head
}

/// How much is not compared because it is too old, and the way out.
fn too_old(comparison: &Comparison) -> Option<String> {
    let TooOld {
        at,
        before,
        after,
        latest,
    } = &comparison.too_old;
    if *before == 0 && *after == 0 {
        return None;
    }
    let as_of = latest.map_or_else(
        || "--at TIME judges as of another time".to_owned(),
        |latest| format!("--at {latest} judges as of the latest of them"),
    );
    let before = plural(before, "operation");
    Some(format!(
        "too old for `maxAge` at {at}: {before} before, {after} after; they are left out or counted in digests. {as_of}"
    ))
}

fn table(
    comparison: &Comparison,
    args: &DiffArgs,
    (before, after): &(String, String),
) -> Vec<String> {
    let mut lines = vec![
        format!("before: {before}"),
        format!("after:  {after}"),
        head(comparison),
    ];
    lines.extend(too_old(comparison));
    lines.push(String::new());
    let figures = figures(comparison);
    let width = figures
        .iter()
        .map(|(name, ..)| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(8);
    lines.push(format!(
        "  {:width$}  {:>10}  {:>10}  {:>10}",
        "", "before", "after", "change"
    ));
    for (name, before, after) in &figures {
        lines.push(format!(
            "  {name:width$}  {before:>10}  {after:>10}  {:>10}",
            change(*before, *after)
        ));
    }
    if comparison.changes.is_empty() {
        return lines;
    }
    lines.push(String::new());
    lines.push(format!("  {:>8}  what", "records"));
    for (change, counted) in changes(comparison) {
        lines.push(format!("  {:>8}  {}", counted.records, words(change)));
        if args.examples > 0 {
            lines.push(format!("  {:>8}    {}", "", places(counted, args)));
        }
        if args.show_values {
            for (before, after) in values(counted, args) {
                lines.push(format!("  {:>8}    {before} -> {after}", ""));
            }
        }
    }
    lines.extend(more(comparison));
    lines
}

fn markdown(
    comparison: &Comparison,
    args: &DiffArgs,
    (before, after): &(String, String),
) -> Vec<String> {
    let mut lines = vec![
        format!("**{}** (`{before}` → `{after}`)", head(comparison)),
        String::new(),
    ];
    if let Some(told) = too_old(comparison) {
        lines.extend([told, String::new()]);
    }
    lines.extend([
        "| | before | after | change |".to_owned(),
        "|---|---:|---:|---:|".to_owned(),
    ]);
    for (name, before, after) in figures(comparison) {
        lines.push(format!(
            "| {} | {before} | {after} | {} |",
            cell(&name),
            change(before, after)
        ));
    }
    if comparison.changes.is_empty() {
        return lines;
    }
    let with_values = if args.show_values { " values |" } else { "" };
    lines.push(String::new());
    lines.push(format!("| records | what | where |{with_values}"));
    lines.push(format!(
        "|---:|---|---|{}",
        if args.show_values { "---|" } else { "" }
    ));
    for (change, counted) in changes(comparison) {
        let mut line = format!(
            "| {} | {} | {} |",
            counted.records,
            cell(&words(change)),
            cell(&places(counted, args))
        );
        if args.show_values {
            let shown = values(counted, args).into_iter();
            let shown: Vec<String> = shown
                .map(|(before, after)| format!("`{before}` → `{after}`"))
                .collect();
            line.push_str(&format!(" {} |", cell(&shown.join("<br>"))));
        }
        lines.push(line);
    }
    lines.extend(more(comparison));
    lines
}

fn document(comparison: &Comparison, args: &DiffArgs, (before, after): &(String, String)) -> Value {
    let counts = |all: &std::collections::BTreeMap<String, (u64, u64)>| -> Value {
        let all = all.iter();
        all.map(|(name, (before, after))| json!({ "name": name, "before": before, "after": after }))
            .collect()
    };
    let changes: Vec<Value> = changes(comparison)
        .into_iter()
        .map(|(change, counted)| {
            let mut shown = fields(change);
            let examples: Vec<Value> = counted
                .examples
                .iter()
                .take(args.examples)
                .map(
                    |(place, values)| match values.as_ref().filter(|_| args.show_values) {
                        Some((before, after)) => {
                            json!({ "at": place, "before": before, "after": after })
                        }
                        None => json!({ "at": place }),
                    },
                )
                .collect();
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("records".to_owned(), json!(counted.records));
                shown.insert("examples".to_owned(), json!(examples));
            }
            shown
        })
        .collect();
    let units = |units: super::compare::Units| json!({ "requests": units.requests, "items": units.items, "total": units.total() });
    let too_old = &comparison.too_old;
    let latest = too_old.latest.map(|time| time.to_string());
    let too_old = json!({ "at": too_old.at.to_string(), "before": too_old.before, "after": too_old.after, "latest": latest });
    json!({
        "version": 1,
        "before": before,
        "after": after,
        "records": comparison.read,
        "changed": comparison.changed,
        "unusable": comparison.unusable,
        "verdicts": counts(&comparison.verdicts),
        "operations": counts(&comparison.operations),
        "requests": { "before": units(comparison.before), "after": units(comparison.after) },
        "tooOld": too_old,
        "changes": changes,
        "more": comparison.more,
    })
}

fn fields(change: &Change) -> Value {
    match change {
        Change::Verdict { before, after } => {
            json!({ "change": "verdict", "before": before, "after": after })
        }
        Change::Removed { route, what } => {
            json!({ "change": "removed", "route": route, "operation": what })
        }
        Change::Added { route, what } => {
            json!({ "change": "added", "route": route, "operation": what })
        }
        Change::Route {
            what,
            before,
            after,
        } => {
            json!({ "change": "route", "operation": what, "before": before, "after": after })
        }
        Change::EventKey => json!({ "change": "eventKey", "follows": REPEATS }),
        Change::Field {
            route,
            what,
            field,
            how,
        } => {
            json!({ "change": "field", "route": route, "operation": what, "field": field, "how": how.as_str() })
        }
    }
}

fn words(change: &Change) -> String {
    match change {
        Change::Verdict { before, after } => format!("{before} -> {after}"),
        Change::Removed { route, what } => format!("- {what}, by {route}"),
        Change::Added { route, what } => format!("+ {what}, by {route}"),
        Change::Route {
            what,
            before,
            after,
        } => format!("{what}: by {after} in place of {before}"),
        Change::EventKey => {
            format!("~ event key (another id, format, route or place in `do`): {REPEATS}")
        }
        Change::Field {
            route,
            what,
            field,
            how,
        } => {
            let sign = match how {
                How::Added => '+',
                How::Removed => '-',
                How::Changed => '~',
            };
            format!("{sign} {what}, by {route}: {field} {}", how.as_str())
        }
    }
}

fn places(counted: &Counted, args: &DiffArgs) -> String {
    let shown: Vec<&str> = counted
        .examples
        .iter()
        .take(args.examples)
        .map(|(place, _)| &**place)
        .collect();
    let rest = usize::try_from(counted.records).unwrap_or(usize::MAX) > shown.len();
    format!(
        "{}{}",
        shown.join(", "),
        if rest && !shown.is_empty() {
            ", …"
        } else {
            ""
        }
    )
}

/// Values before and after, each pair once.
fn values(counted: &Counted, args: &DiffArgs) -> Vec<(String, String)> {
    let mut shown: Vec<(String, String)> = Vec::new();
    for (_, values) in &counted.examples {
        if let Some((before, after)) = values {
            let pair = (value(before), value(after));
            if shown.len() < args.examples.max(1) && !shown.contains(&pair) {
                shown.push(pair);
            }
        }
    }
    shown
}

fn value(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

fn more(comparison: &Comparison) -> Option<String> {
    (comparison.more > 0).then(|| format!("and {} changes of further kinds", comparison.more))
}

fn change(before: u64, after: u64) -> String {
    match after.cmp(&before) {
        std::cmp::Ordering::Equal => "-".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", after - before),
        std::cmp::Ordering::Less => format!("-{}", before - after),
    }
}

/// A text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

impl How {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}
