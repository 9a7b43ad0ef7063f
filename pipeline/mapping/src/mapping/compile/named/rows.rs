//! The rows of a table: from a map, or from a file in CSV, YAML or JSON.

use super::super::super::node::{Content, Key, Node};
use super::super::super::yaml::yaml_fault;
use super::super::reader::{Fields, Reader};
use crate::value::Value;

type Rows = Vec<(String, Value<'static>)>;
/// The number of a line, and its cells.
type Line = (usize, Vec<String>);
/// What is wrong, and the way out.
type Wrong = (String, Option<String>);

/// The rows in a map.
pub(super) fn of_map(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Rows> {
    let entries = reader.map(node, at)?;
    Some(listed(entries))
}

fn listed(entries: &[(Key, Node)]) -> Rows {
    let row = |(key, node): &(Key, Node)| (key.name.clone(), node.to_json());
    entries.iter().map(row).collect()
}

/// The rows in a file.
pub(super) fn of_file(
    reader: &mut Reader<'_>,
    file: &Node,
    fields: &Fields<'_>,
    at: &str,
) -> Option<Rows> {
    let path = reader.text(file, &format!("{at}.file"))?;
    let at_file = format!("{at}.file");
    let ending = path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let is_csv = ending == "csv";
    if !is_csv && !matches!(ending.as_str(), "yaml" | "yml" | "json") {
        let problem = format!("`{path}` is neither CSV nor YAML nor JSON");
        let help = "the name of the file ends in .csv, .yaml, .yml or .json".to_owned();
        reader.error(file.place, &at_file, problem, Some(help));
        return None;
    }
    let column = |reader: &mut Reader<'_>, name: &str| {
        let node = fields.get(name)?;
        if !is_csv {
            let problem = "has a meaning only for a CSV file";
            reader.error(node.place, &format!("{at}.{name}"), problem, None);
        }
        reader
            .text(node, &format!("{at}.{name}"))
            .map(str::to_owned)
    };
    let (key, value) = (column(reader, "key"), column(reader, "value"));
    let found = reader.read_beside(file.place, &at_file, path)?;
    let refused = |reader: &mut Reader<'_>, problem: String, help: Option<String>| {
        let problem = format!("{}: {problem}", found.name);
        reader.error(file.place, &at_file, problem, help);
        None
    };
    if is_csv {
        return match csv(&found.text, key.as_deref(), value.as_deref()) {
            Ok(rows) => Some(rows),
            Err((problem, help)) => refused(reader, problem, help),
        };
    }
    match Node::from_yaml(&found.text) {
        Ok(node) => match &node.content {
            Content::Map(entries) => Some(listed(entries)),
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text(_)
            | Content::List(_) => {
                let problem = format!("must be a map from keys to values, is {}", node.kind());
                refused(reader, problem, None)
            }
        },
        Err(error) => {
            let fault = yaml_fault(&found.text, &error);
            let problem = format!("line {}: {}", fault.place.line, fault.problem);
            refused(reader, problem, fault.help)
        }
    }
}

/// The rows of a CSV file: of its first two columns, or of those that are named. Values are texts.
fn csv(text: &str, key: Option<&str>, value: Option<&str>) -> Result<Rows, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = csv_lines(text)?.into_iter();
    let Some((_, head)) = lines.next() else {
        return Err(("is empty".to_owned(), None));
    };
    let place = |named: Option<&str>, or: usize| match named {
        None if or < head.len() => Ok(or),
        None => Err((
            "has only one column".to_owned(),
            Some("the first line names the columns: `key,value`".to_owned()),
        )),
        Some(name) => head
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| {
                let help = format!("its first line names: {}", head.join(", "));
                (format!("has no column `{name}`"), Some(help))
            }),
    };
    let (key, value) = (place(key, 0)?, place(value, 1)?);
    let mut rows = Rows::new();
    for (number, cells) in lines {
        match (cells.get(key), cells.get(value)) {
            (Some(key), Some(value)) if cells.len() == head.len() => {
                rows.push((key.clone(), Value::from(value.clone())));
            }
            _ => {
                let problem = format!(
                    "line {number} has {} columns, and the first line {}",
                    cells.len(),
                    head.len()
                );
                let help = "a cell with a comma in it needs double quotes".to_owned();
                return Err((problem, Some(help)));
            }
        }
    }
    Ok(rows)
}

/// The lines of a CSV text (RFC 4180) that are not empty, each with its number. Blanks around cells are dropped.
fn csv_lines(text: &str) -> Result<Vec<Line>, Wrong> {
    let mut lines = Vec::new();
    let mut cells: Vec<String> = Vec::new();
    let mut cell = String::new();
    let mut quoted: Option<usize> = None;
    let mut was_quoted = false;
    let (mut number, mut begun) = (1, 1);
    let mut chars = text.chars().peekable();
    let done = |cell: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(cell);
        if std::mem::take(was_quoted) {
            text
        } else {
            text.trim().to_owned()
        }
    };
    while let Some(next) = chars.next() {
        number += usize::from(next == '\n');
        match (next, quoted) {
            ('"', Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', Some(_)) => quoted = None,
            (next, Some(_)) => cell.push(next),
            ('"', None) if cell.trim().is_empty() && !was_quoted => {
                cell.clear();
                quoted = Some(number);
                was_quoted = true;
            }
            (',', None) => cells.push(done(&mut cell, &mut was_quoted)),
            ('\n', None) => {
                cells.push(done(&mut cell, &mut was_quoted));
                let line = std::mem::take(&mut cells);
                if line.len() > 1 || line.first().is_some_and(|cell| !cell.is_empty()) {
                    lines.push((begun, line));
                }
                begun = number;
            }
            ('\r', None) => {}
            (next, None) if was_quoted => {
                if !next.is_whitespace() {
                    let problem = format!("line {number} has text after a closing quote");
                    return Err((problem, None));
                }
            }
            (next, None) => cell.push(next),
        }
    }
    if let Some(line) = quoted {
        let problem = format!("line {line} opens a double quote that nothing closes");
        return Err((problem, None));
    }
    cells.push(done(&mut cell, &mut was_quoted));
    if cells.len() > 1 || cells.first().is_some_and(|cell| !cell.is_empty()) {
        lines.push((begun, cells));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_may_be_quoted() {
        let text = "code, name\r\nDE,\"Germany, \"\"Bund\"\"\"\n\n FR , France \nIT,\"two\nlines\"";
        let rows = csv(text, None, None).unwrap();
        let rows: Vec<(String, String)> = rows
            .into_iter()
            .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let wanted = [
            ("DE", "Germany, \"Bund\""),
            ("FR", "France"),
            ("IT", "two\nlines"),
        ];
        let wanted = wanted.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(rows, wanted);
        let named = csv("a,b,c\n1,2,3\n", Some("c"), Some("a")).unwrap();
        assert_eq!(named, [("3".to_owned(), Value::from("1".to_owned()))]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line() {
        let said = |text: &str, key| match csv(text, key, None) {
            Ok(rows) => panic!("{rows:?}"),
            Err((problem, help)) => format!("{problem}; {}", help.unwrap_or_default()),
        };
        for (text, key, wanted) in [
            ("", None, "is empty"),
            ("code\nDE\n", None, "has only one column"),
            (
                "a,b\n1,2\n3\n",
                None,
                "line 3 has 1 columns, and the first line 2",
            ),
            ("a,b\n1,2,3\n", None, "needs double quotes"),
            ("a,b\n1,\"2\n", None, "line 2 opens a double quote"),
            ("a,b\n1,\"2\"x\n", None, "text after a closing quote"),
            (
                "a,b\n1,2\n",
                Some("code"),
                "has no column `code`; its first line names: a, b",
            ),
        ] {
            let found = said(text, key);
            assert!(found.contains(wanted), "{found}");
        }
    }
}
