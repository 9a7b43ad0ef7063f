//! The lines of the input, and the records in them.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ingest_mapping::decode::mended;
use ingest_model::record::{Header, Offset, Position, Record, Topic, TopicPartition};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The longest document over several lines; a longer input is read as one value per line.
const MAX_DOCUMENT_BYTES: usize = 32 << 20;

/// A line, or a document over several lines.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Line {
    /// Its number, from 1; that of the first line of a document.
    pub(in crate::cli) number: u64,
    /// Its content, as bytes: it need not be text.
    pub(in crate::cli) bytes: Vec<u8>,
}

/// The content of a line.
#[derive(Debug)]
pub(in crate::cli) enum Item {
    /// A record.
    Record(Record),
    /// Not a record, for this reason.
    Bad(String),
}

/// The lines of an input that are not blank.
///
/// If the first line is not JSON by itself, but all of them together are one JSON document, that is one item.
pub(in crate::cli) struct Lines<R> {
    reader: R,
    number: u64,
    ready: VecDeque<Line>,
    started: bool,
}

/// A Kafka record in the format of `--records`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    key: Option<String>,
    #[serde(rename = "keyBase64")]
    key_base64: Option<String>,
    headers: Option<Value>,
    value: Option<Value>,
    #[serde(rename = "valueBase64")]
    value_base64: Option<String>,
    timestamp: Option<i64>,
}

/// The record that has a line as its value.
///
/// Brokers give every record a time; without one in the input it is `written_ms`.
pub(in crate::cli) fn value(line: &Line, topic: Option<&Topic>, written_ms: Option<i64>) -> Item {
    let Some(topic) = topic else {
        return Item::Bad("no topic is given".to_owned());
    };
    Item::Record(Record {
        position: Position {
            partition: TopicPartition::new(topic.as_str(), 0),
            offset: offset_of(line),
        },
        key: None,
        value: Some(Bytes::copy_from_slice(&line.bytes)),
        headers: Vec::new(),
        timestamp_ms: written_ms,
    })
}

/// The record that a line describes.
pub(in crate::cli) fn record(line: &Line, topic: Option<&Topic>, written_ms: Option<i64>) -> Item {
    let Ok(text) = std::str::from_utf8(&line.bytes) else {
        return Item::Bad("not a record as --records takes it: not UTF-8".to_owned());
    };
    let described: RecordLine = match serde_json::from_str(&mended(text)) {
        Ok(described) => described,
        Err(error) => {
            return Item::Bad(format!(
                "not a record as --records takes it: {}",
                place(&error)
            ));
        }
    };
    let topic = match (&described.topic, topic) {
        (Some(name), _) => Topic::new(name),
        (None, Some(topic)) => topic.clone(),
        (None, None) => {
            return Item::Bad("the record names no topic, and neither does --topic".to_owned());
        }
    };
    let value = match (described.value, described.value_base64) {
        (Some(_), Some(_)) => {
            return Item::Bad("the record has both value and valueBase64".to_owned());
        }
        (None, None) => None,
        (None, Some(text)) => match bytes_of("valueBase64", &text) {
            Ok(bytes) => Some(bytes),
            Err(problem) => return Item::Bad(problem),
        },
        (Some(Value::String(text)), None) => Some(Bytes::from(text)),
        (Some(other), None) => Some(Bytes::from(other.to_string())),
    };
    let key = match (described.key, described.key_base64) {
        (Some(_), Some(_)) => {
            return Item::Bad("the record has both key and keyBase64".to_owned());
        }
        (key, None) => key.map(Bytes::from),
        (None, Some(text)) => match bytes_of("keyBase64", &text) {
            Ok(bytes) => Some(bytes),
            Err(problem) => return Item::Bad(problem),
        },
    };
    let headers = match headers_of(described.headers) {
        Ok(headers) => headers,
        Err(problem) => return Item::Bad(problem),
    };
    let partition = TopicPartition::new(topic.as_str(), described.partition.unwrap_or_default());
    let offset = described.offset.map_or_else(|| offset_of(line), Offset);
    Item::Record(Record {
        position: Position { partition, offset },
        key,
        value,
        headers,
        timestamp_ms: described.timestamp.or(written_ms),
    })
}

/// Headers as a list of pairs, which may have a name twice, or as a map. What is neither a text nor null is the text of its JSON, but for
/// `{base64: …}`.
fn headers_of(described: Option<Value>) -> Result<Vec<Header>, String> {
    let wrong = || {
        "not a record as --records takes it: headers are a map of names and texts, or a list of pairs [name, text]".to_owned()
    };
    let pairs: Vec<(String, Value)> = match described {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(map)) => map.into_iter().collect(),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| serde_json::from_value(item).ok().ok_or_else(wrong))
            .collect::<Result<_, _>>()?,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => return Err(wrong()),
    };
    let header = |(name, value): (String, Value)| {
        let encoded = value.get("base64").and_then(Value::as_str);
        let value = match (&value, encoded) {
            (Value::Null, _) => None,
            (Value::String(text), _) => Some(Bytes::copy_from_slice(text.as_bytes())),
            (_, Some(text)) => Some(bytes_of("a header's base64", text)?),
            (other, None) => Some(Bytes::from(other.to_string())),
        };
        Ok(Header { name, value })
    };
    pairs.into_iter().map(header).collect()
}

fn bytes_of(what: &str, text: &str) -> Result<Bytes, String> {
    let decoded = STANDARD.decode(text.trim());
    decoded
        .map(Bytes::from)
        .map_err(|error| format!("{what} is not base64: {error}"))
}

/// A line's offset if none is given: counted from 0, so that two lines are two occurrences.
fn offset_of(line: &Line) -> Offset {
    Offset(i64::try_from(line.number.saturating_sub(1)).unwrap_or(i64::MAX))
}

/// What is wrong with a line, without its content.
fn place(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        serde_json::error::Category::Eof
        | serde_json::error::Category::Io
        | serde_json::error::Category::Syntax => format!("not JSON at column {}", error.column()),
    }
}

// === impl Lines ===

impl<R: BufRead> Lines<R> {
    pub(in crate::cli) fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            ready: VecDeque::new(),
            started: false,
        }
    }

    /// The next line that is not blank.
    fn read(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && is_utf16(&bytes) {
                let problem = "it is UTF-16, and records are read as UTF-8: save it as UTF-8";
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
            if self.number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
                bytes.pop();
            }
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Line {
                    number: self.number,
                    bytes,
                }));
            }
        }
    }

    /// Reads the first line and, if it is not JSON by itself, everything: it may be one document.
    fn start(&mut self) -> io::Result<()> {
        let Some(first) = self.read()? else {
            return Ok(());
        };
        if is_json(&first.bytes) {
            self.ready.push_back(first);
            return Ok(());
        }
        let mut size = first.bytes.len();
        self.ready.push_back(first);
        while size <= MAX_DOCUMENT_BYTES {
            let Some(line) = self.read()? else {
                self.join();
                return Ok(());
            };
            size += line.bytes.len();
            self.ready.push_back(line);
        }
        Ok(())
    }

    /// Joins all lines into one item if they are one document.
    fn join(&mut self) {
        let number = self.ready.front().map_or(1, |line| line.number);
        let parts: Vec<&[u8]> = self
            .ready
            .iter()
            .map(|line| line.bytes.as_slice())
            .collect();
        let bytes = parts.join(&b'\n');
        if is_json(&bytes) {
            self.ready.clear();
            self.ready.push_back(Line { number, bytes });
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.started {
            self.started = true;
            if let Err(error) = self.start() {
                return Some(Err(error));
            }
        }
        match self.ready.pop_front() {
            Some(line) => Some(Ok(line)),
            None => self.read().transpose(),
        }
    }
}

/// Whether a text begins like one in UTF-16, as Windows likes to save it.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, _, 0, ..] | [0xfe, 0xff, 0, ..])
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, String)> {
        Lines::new(text.as_bytes())
            .map(|line| line.unwrap())
            .map(|line| (line.number, String::from_utf8(line.bytes).unwrap()))
            .collect()
    }

    #[test]
    fn a_text_in_utf_16_is_named_as_such() {
        let text = "\u{feff}{\"a\":1}\r\n";
        for bytes in [
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ] {
            let error = Lines::new(bytes.as_slice()).next().unwrap().unwrap_err();
            assert!(error.to_string().contains("save it as UTF-8"), "{error}");
        }
    }

    #[test]
    fn one_value_a_line() {
        let expected = vec![(1, "{\"a\":1}".to_owned()), (3, "{\"a\":2}".to_owned())];
        assert_eq!(lines("{\"a\":1}\r\n\n{\"a\":2}"), expected);
        assert_eq!(lines("{}\nnot json\n{}").len(), 3, "a bad line is a line");
        assert_eq!(lines(""), vec![]);
    }

    #[test]
    fn one_document_over_many_lines() {
        assert_eq!(
            lines("\n{\n  \"a\": 1\n}\n"),
            vec![(2, "{\n  \"a\": 1\n}".to_owned())]
        );
        assert_eq!(
            lines("{\nbroken\n{}").len(),
            3,
            "not a document, so line by line"
        );
    }

    fn read(text: &str) -> Item {
        let line = Line {
            number: 5,
            bytes: text.as_bytes().to_vec(),
        };
        record(&line, Some(&Topic::new("t")), Some(11))
    }

    #[test]
    fn a_record_has_what_it_says_and_defaults() {
        let text = r#"{"topic":"u","partition":2,"offset":9,"key":"k","headers":[["a","b"],["c",null]],"value":{"x":1},"timestamp":7}"#;
        let Item::Record(full) = read(text) else {
            panic!("a record")
        };
        assert_eq!(full.position.to_string(), "u[2]@9");
        assert_eq!(full.headers.len(), 2);
        assert_eq!(full.headers[1].value, None);
        assert_eq!(full.value.as_deref(), Some(b"{\"x\":1}".as_slice()));
        assert_eq!(full.timestamp_ms, Some(7));
        let Item::Record(plain) = read(r#"{"value":"{\"x\":1}"}"#) else {
            panic!("a record")
        };
        assert_eq!(plain.position.to_string(), "t[0]@4");
        assert_eq!(plain.timestamp_ms, Some(11));
        assert_eq!(
            plain.value.as_deref(),
            Some(b"{\"x\":1}".as_slice()),
            "a text is the value itself"
        );
        let Item::Record(null) = read(r#"{"value":null}"#) else {
            panic!("a record")
        };
        assert_eq!(null.value, None, "a tombstone");
        let Item::Record(cut) = read(r#"{"value":{"x":"\ud83d"}}"#) else {
            panic!("a record")
        };
        assert_eq!(
            cut.value.as_deref(),
            Some("{\"x\":\"\u{fffd}\"}".as_bytes())
        );
        let Item::Record(bytes) = read(r#"{"valueBase64":"//4="}"#) else {
            panic!("a record")
        };
        assert_eq!(bytes.value.as_deref(), Some([255, 254].as_slice()));
        let text =
            r#"{"keyBase64":"AAE=","headers":[["a",{"base64":"//4="}],["b","t"]],"value":1}"#;
        let Item::Record(bytes) = read(text) else {
            panic!("a record")
        };
        assert_eq!(bytes.key.as_deref(), Some([0, 1].as_slice()));
        assert_eq!(
            bytes.headers[0].value.as_deref(),
            Some([255, 254].as_slice())
        );
        assert_eq!(bytes.headers[1].value.as_deref(), Some(b"t".as_slice()));
        let text = r#"{"headers":{"a":"b","c":null,"d":{"base64":"//4="},"e":{"id":7}},"value":1}"#;
        let Item::Record(map) = read(text) else {
            panic!("a record")
        };
        let values: Vec<Option<&[u8]>> = map.headers.iter().map(|h| h.value.as_deref()).collect();
        let wanted: [Option<&[u8]>; 4] = [Some(b"b"), None, Some(&[255, 254]), Some(b"{\"id\":7}")];
        assert_eq!(values, wanted);
    }

    #[test]
    fn what_is_no_record_is_said_so() {
        for bad in [
            "{",
            "[]",
            "{\"valu\":1}",
            "{\"value\":1,\"valueBase64\":\"\"}",
            "{\"valueBase64\":\"?\"}",
            "{\"keyBase64\":\"?\"}",
            "{\"key\":\"a\",\"keyBase64\":\"\"}",
            "{\"headers\":[[\"a\",{\"base64\":\"?\"}]]}",
            "{\"headers\":[[\"a\"]]}",
        ] {
            assert!(matches!(read(bad), Item::Bad(_)), "{bad}");
        }
        let Item::Bad(problem) = read("{\"headers\":\"a\"}") else {
            panic!("none")
        };
        assert!(problem.contains("a map of names and texts"), "{problem}");
    }
}
