//! Lists letters, without their content.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::error::DeadLettersError;
use super::filter::Filter;
use super::letter::{Letter, LetterPlace, Source};
use super::text::{plain, show_time};
use super::topic::LetterTopic;
use crate::observe::words::plural;

/// How many letters people see by default.
const SHOWN: u64 = 100;

/// What is kept of a letter to list it: nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    place: LetterPlace,
    reason: Option<String>,
    source: Option<Source>,
    route: Option<String>,
    attempts: Option<u64>,
    replays: u64,
    written_ms: Option<i64>,
    recorded_ms: Option<i64>,
    key_bytes: Option<usize>,
    value_bytes: Option<usize>,
    headers: usize,
}

/// The newest rows, by time and place.
#[derive(Debug, Default)]
struct Newest {
    rows: BTreeMap<(i64, LetterPlace), Row>,
    limit: usize,
    left_out: u64,
}

/// Letters by reason and source topic.
type Counts = BTreeMap<(String, String), u64>;

/// How letters are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListOptions {
    /// Only this many, the newest.
    pub limit: Option<u64>,
    /// Only the counts by reason and topic.
    pub summary: bool,
    /// One JSON object per line, for programs.
    pub json: bool,
}

/// Lists letters.
///
/// # Errors
///
/// When the topic cannot be read, or the output cannot be written.
pub fn list(
    topic: &LetterTopic,
    filter: &Filter,
    options: ListOptions,
    out: &mut dyn Write,
) -> Result<(), DeadLettersError> {
    // Programs get everything as it is read, unless they set a limit.
    let streams = options.json && !options.summary && options.limit.is_none();
    let mut newest = Newest {
        limit: usize::try_from(options.limit.unwrap_or(SHOWN)).unwrap_or(usize::MAX),
        ..Newest::default()
    };
    let mut counts = Counts::new();
    topic
        .read(&topic.ends)?
        .for_each(LetterTopic::size(&topic.ends), |letter| {
            if !filter.takes(&letter) {
                return Ok(());
            }
            let row = Row::of(&letter);
            *counts.entry(row.kind()).or_default() += 1;
            if streams {
                Ok(writeln!(out, "{}", row.json())?)
            } else {
                newest.add(row);
                Ok(())
            }
        })?;
    match (options.summary, options.json) {
        (true, true) => {
            for ((reason, topic), letters) in &counts {
                let line = json!({ "reason": reason, "topic": topic, "letters": letters });
                writeln!(out, "{line}")?;
            }
        }
        (true, false) => summary(&counts, out)?,
        (false, true) => {
            for row in newest.rows.values() {
                writeln!(out, "{}", row.json())?;
            }
        }
        (false, false) => {
            table(&newest, out)?;
            summary(&counts, out)?;
        }
    }
    Ok(())
}

fn table(newest: &Newest, out: &mut dyn Write) -> Result<(), DeadLettersError> {
    if newest.rows.is_empty() {
        return Ok(());
    }
    if newest.left_out > 0 {
        writeln!(
            out,
            "{} older left out; --limit shows more",
            newest.left_out
        )?;
    }
    let head = [
        "LETTER", "WRITTEN", "REASON", "SOURCE", "ROUTE", "ATTEMPTS", "REPLAYS", "BYTES",
    ];
    let mut lines: Vec<[String; 8]> = vec![head.map(str::to_owned)];
    lines.extend(newest.rows.values().map(Row::cells));
    let mut widths = [0; 8];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(writeln!(out)?)
}

fn summary(counts: &Counts, out: &mut dyn Write) -> Result<(), DeadLettersError> {
    let all: u64 = counts.values().sum();
    let all = plural(all, "letter");
    writeln!(out, "{all}")?;
    for ((reason, topic), letters) in counts {
        writeln!(out, "  {letters} {} of {}", plain(reason), plain(topic))?;
    }
    Ok(())
}

// === impl Row ===

impl Row {
    fn of(letter: &Letter) -> Self {
        let record = &letter.record;
        Self {
            place: letter.place,
            reason: letter.reason.clone(),
            source: letter.source.clone(),
            route: letter.route.clone(),
            attempts: letter.attempts,
            replays: letter.replays,
            written_ms: letter.written_ms,
            recorded_ms: letter.recorded_ms,
            key_bytes: record.key.as_ref().map(bytes::Bytes::len),
            value_bytes: record.value.as_ref().map(bytes::Bytes::len),
            headers: record.headers.len(),
        }
    }

    /// Reason and source topic.
    fn kind(&self) -> (String, String) {
        let source = self.source.as_ref();
        (
            self.reason.clone().unwrap_or_else(|| "unknown".to_owned()),
            source.map_or_else(|| "unknown".to_owned(), |s| s.partition.topic.to_string()),
        )
    }

    fn cells(&self) -> [String; 8] {
        let or_dash =
            |text: Option<String>| text.map_or_else(|| "-".to_owned(), |text| plain(&text));
        let bytes = self.key_bytes.unwrap_or(0) + self.value_bytes.unwrap_or(0);
        [
            self.place.to_string(),
            show_time(self.written_ms),
            or_dash(self.reason.clone()),
            or_dash(self.source.as_ref().map(ToString::to_string)),
            or_dash(self.route.clone()),
            or_dash(self.attempts.map(|n| n.to_string())),
            self.replays.to_string(),
            bytes.to_string(),
        ]
    }

    fn json(&self) -> Value {
        let source = self.source.as_ref().map(|source| {
            json!({
                "topic": source.partition.topic.as_str(),
                "partition": source.partition.partition.0,
                "offset": source.offset.0,
            })
        });
        json!({
            "position": self.place.to_string(),
            "partition": self.place.partition.0,
            "offset": self.place.offset.0,
            "reason": self.reason,
            "source": source,
            "route": self.route,
            "attempts": self.attempts,
            "replays": self.replays,
            "written": self.written_ms,
            "recorded": self.recorded_ms,
            "key_bytes": self.key_bytes,
            "value_bytes": self.value_bytes,
            "headers": self.headers,
        })
    }
}

// === impl Newest ===

impl Newest {
    fn add(&mut self, row: Row) {
        let key = (row.written_ms.unwrap_or(i64::MIN), row.place);
        self.rows.insert(key, row);
        if self.rows.len() > self.limit {
            self.rows.pop_first();
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::letter;
    use super::*;

    fn printed(print: impl FnOnce(&mut dyn Write)) -> String {
        let mut written = Vec::new();
        print(&mut written);
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn the_newest_are_kept_and_nothing_of_their_content_is_shown() {
        let mut newest = Newest {
            limit: 2,
            ..Newest::default()
        };
        for offset in [3, 1, 2] {
            newest.add(Row::of(&letter(offset, 1, 40 + offset)));
        }
        let text = printed(|out| table(&newest, out).unwrap());
        assert!(text.starts_with("1 older left out"), "{text}");
        assert!(text.contains("0:2"), "{text}");
        assert!(
            text.contains("1970-01-01T00:00:05Z  mapping_failed  shop.events[1]@43  order"),
            "{text}"
        );
        for content in ["u1", "\"n\"", "abc", "title"] {
            assert!(!text.contains(content), "{content} in {text}");
        }
        assert!(!text.contains("0:1 "), "{text}");
    }

    #[test]
    fn a_program_gets_numbers() {
        let row = Row::of(&letter(2, 1, 42)).json();
        assert_eq!(
            row["source"],
            json!({"topic": "shop.events", "partition": 1, "offset": 42})
        );
        assert_eq!(row["replays"], 1);
        assert_eq!(row["value_bytes"], 8);
        assert_eq!(row["written"], 5_000);
    }

    #[test]
    fn letters_are_counted_by_reason_and_topic() {
        let mut counts = Counts::new();
        for offset in 0..3 {
            *counts
                .entry(Row::of(&letter(offset, 0, offset)).kind())
                .or_default() += 1;
        }
        let text = printed(|out| summary(&counts, out).unwrap());
        assert_eq!(text, "3 letters\n  3 mapping_failed of shop.events\n");
    }
}
