//! Shows one letter in full, with its content only when asked for.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::error::DeadLettersError;
use super::letter::{Letter, LetterPlace};
use super::text::{plain, show_time};
use super::topic::LetterTopic;
use crate::observe::words::plural;
use crate::pump::letter_header as header;

/// How a letter is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Of its content only how much there is.
    Sizes,
    /// With its content.
    Values,
    /// Its original record as one line of JSON.
    Json,
}

/// Shows letters, with their content only if asked for.
///
/// # Errors
///
/// When there is no such letter, the topic cannot be read, or the output cannot be written.
pub fn show(
    topic: &LetterTopic,
    letters: &[LetterPlace],
    shown: Shown,
    out: &mut dyn Write,
) -> Result<(), DeadLettersError> {
    let mut wanted: BTreeSet<LetterPlace> = letters.iter().copied().collect();
    let spans = topic.spans_of(letters)?;
    topic
        .read(&spans)?
        .for_each(LetterTopic::size(&spans), |letter| {
            if !wanted.remove(&letter.place) {
                return Ok(());
            }
            if shown == Shown::Json {
                writeln!(out, "{}", record_line(&letter))?;
                return Ok(());
            }
            for line in lines(&letter, shown == Shown::Values) {
                writeln!(out, "{line}")?;
            }
            Ok(())
        })?;
    match wanted.first() {
        None => Ok(()),
        Some(place) => Err(anyhow!(
            "there is no letter {place} any more: {} was compacted, or a transaction ended there",
            topic.topic
        )
        .into()),
    }
}

/// The original record of a letter, as `explain --records` takes it.
fn record_line(letter: &Letter) -> serde_json::Value {
    let record = &letter.record;
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|one| serde_json::json!([one.name, one.value.as_ref().map(text)]))
        .collect();
    let (partition, offset) = match &letter.source {
        Some(source) => (source.partition.clone(), source.offset),
        None => (record.position.partition.clone(), record.position.offset),
    };
    let mut line = serde_json::json!({
        "topic": partition.topic.as_str(),
        "partition": partition.partition.0,
        "offset": offset.0,
        "key": record.key.as_ref().map(text),
        "headers": headers,
        "timestamp": letter.recorded_ms,
    });
    let value = record.value.as_ref();
    let (name, value) = match value.map(|bytes| std::str::from_utf8(bytes)) {
        None => ("value", serde_json::Value::Null),
        Some(Ok(text)) => {
            let json = serde_json::from_str::<serde_json::Value>(text);
            // A text that is no JSON, or a JSON text, is written as the text that it is.
            let whole = json.ok().filter(|json| json.is_object() || json.is_array());
            ("value", whole.unwrap_or_else(|| text.into()))
        }
        Some(Err(_not_text)) => {
            let bytes = value.map(|bytes| STANDARD.encode(bytes));
            ("valueBase64", bytes.into())
        }
    };
    if let Some(fields) = line.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    line
}

/// The lines shown for a letter.
fn lines(letter: &Letter, with_value: bool) -> Vec<String> {
    let record = &letter.record;
    let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), plain);
    let mut lines = vec![
        format!("letter {}", letter.place),
        format!("  reason    {}", or_dash(letter.reason.as_deref())),
        format!("  detail    {}", or_dash(letter.detail.as_deref())),
        format!("  route     {}", or_dash(letter.route.as_deref())),
        format!(
            "  source    {}",
            or_dash(letter.source.as_ref().map(ToString::to_string).as_deref())
        ),
        format!("  recorded  {}", show_time(letter.recorded_ms)),
        format!("  written   {}", show_time(letter.written_ms)),
        format!(
            "  attempts  {}",
            letter
                .attempts
                .map_or_else(|| "-".to_owned(), |n| n.to_string())
        ),
        format!("  replays   {}", letter.replays),
        format!("  worker    {}", or_dash(letter.worker.as_deref())),
    ];
    let own = record
        .headers
        .iter()
        .filter(|one| !one.name.starts_with(header::PREFIX));
    for one in own {
        lines.push(format!(
            "  header    {}: {}",
            plain(&one.name),
            content(one.value.as_ref(), with_value)
        ));
    }
    lines.push(format!(
        "  key       {}",
        content(record.key.as_ref(), with_value)
    ));
    match pretty(record.value.as_ref()).filter(|_| with_value) {
        Some(text) => {
            lines.push("  value".to_owned());
            lines.extend(text.lines().map(|line| format!("    {}", plain(line))));
        }
        None => lines.push(format!(
            "  value     {}",
            content(record.value.as_ref(), with_value)
        )),
    }
    lines
}

/// Bytes as text if they are text, otherwise as base64; only their number if they are not to be shown.
fn content(bytes: Option<&Bytes>, with_value: bool) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    if !with_value {
        return plural(bytes.len(), "byte");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_not_text) => format!("base64 {}", STANDARD.encode(bytes)),
    }
}

/// A JSON value, on several lines.
fn pretty(value: Option<&Bytes>) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(value?).ok()?;
    serde_json::to_string_pretty(&value).ok()
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::letter;
    use super::*;

    #[test]
    fn the_content_is_shown_only_when_asked_for() {
        let without = lines(&letter(1, 0, 42), false).join("\n");
        for said in [
            "letter 0:1",
            "reason    mapping_failed",
            "detail    route order: `title` has no value",
            "source    shop.events[0]@42",
            "replays   1",
            "header    trace: 3 bytes",
            "key       2 bytes",
            "value     8 bytes",
        ] {
            assert!(without.contains(said), "{said} is not in\n{without}");
        }
        assert!(
            !without.contains("u1") && !without.contains("\"n\""),
            "{without}"
        );
        let with = lines(&letter(1, 0, 42), true).join("\n");
        for said in [
            "trace: abc",
            "key       u1",
            "    {\n      \"n\": 42\n    }",
        ] {
            assert!(with.contains(said), "{said} is not in\n{with}");
        }
    }

    #[test]
    fn a_saved_letter_is_a_record_that_other_commands_read() {
        let line = record_line(&letter(1, 3, 42));
        assert_eq!(line["topic"], "shop.events");
        assert_eq!(
            (&line["partition"], &line["offset"]),
            (&3.into(), &42.into())
        );
        assert_eq!(line["value"], serde_json::json!({ "n": 42 }));
        assert_eq!(
            (&line["key"], &line["timestamp"]),
            (&"u1".into(), &4_000.into())
        );
        assert_eq!(line["headers"][0], serde_json::json!(["trace", "abc"]));
        let mut bytes = letter(1, 3, 42);
        bytes.record.value = Some(Bytes::from_static(b"\xff\xfe"));
        assert_eq!(record_line(&bytes)["valueBase64"], "//4=");
    }

    #[test]
    fn what_is_not_text_is_shown_as_base64_and_nothing_as_null() {
        assert_eq!(content(None, true), "null");
        assert_eq!(
            content(Some(&Bytes::from_static(b"\xff\xfe")), true),
            "base64 //4="
        );
        assert_eq!(
            content(Some(&Bytes::from_static(b"a\x1b[2J")), true),
            "a\\u{1b}[2J"
        );
    }
}
