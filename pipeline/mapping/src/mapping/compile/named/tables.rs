//! `tables`: constants by key, in the file or in another one.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::super::expr::table::{Absent, Table};
use super::super::super::node::{Key, Node};
use super::super::reader::{Fields, Reader};
use super::rows;
use crate::value::Value;

/// The most tables of a file.
const MOST: usize = 50;
/// The most rows of a table.
const MOST_ROWS: usize = 10_000;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 256;

const KNOWN: &[&str] = &[
    "values", "file", "key", "value", "default", "missing", "case",
];

/// The tables of a file, which all of its expressions see.
pub(in crate::mapping::compile) fn tables(reader: &mut Reader<'_>, node: &Node) {
    let entries = reader.map(node, "tables").unwrap_or_default();
    if entries.len() > MOST {
        let problem = format!("has more than {MOST} tables");
        reader.error(node.place, "tables", problem, None);
        return;
    }
    for (key, node) in entries {
        let at = format!("tables.{}", key.name);
        if reader.names.table(&key.name).is_some() {
            let help = "the tables of a file and of those that it includes have different names";
            let problem = format!("a second table is named `{}`", key.name);
            reader.error(key.place, &at, problem, Some(help.to_owned()));
            continue;
        }
        let before = reader.errors.len();
        let table = table(reader, key, node, &at);
        // an unsound table is known all the same, so that each `lookup` in it is not another error
        let table = table.filter(|_| reader.errors.len() == before);
        reader
            .names
            .add_table(Arc::new(table.unwrap_or_else(|| Table {
                name: key.name.clone(),
                rows: HashMap::new(),
                absent: Absent::Is(Value::Null),
                ignores_case: false,
            })));
    }
}

fn table(reader: &mut Reader<'_>, key: &Key, node: &Node, at: &str) -> Option<Table> {
    let fields = reader.fields(node, at, KNOWN)?;
    let ignores_case = match fields.get("case") {
        Some(node) => reader.word(
            node,
            &format!("{at}.case"),
            &[("exact", false), ("ignore", true)],
        )?,
        None => false,
    };
    let absent = absent(reader, &fields, at);
    let listed = match (fields.get("values"), fields.get("file")) {
        (Some(values), None) => {
            for name in ["key", "value"] {
                if let Some(node) = fields.get(name) {
                    let at = format!("{at}.{name}");
                    let help = "it names a column of a CSV file".to_owned();
                    reader.error(node.place, &at, "has no meaning without `file`", Some(help));
                }
            }
            rows::of_map(reader, values, &format!("{at}.values"))?
        }
        (None, Some(file)) => rows::of_file(reader, file, &fields, at)?,
        (Some(_), Some(file)) => {
            let problem = "a table has either `values` or a `file`, not both";
            reader.error(file.place, at, problem, None);
            return None;
        }
        (None, None) => {
            let help = "`values: { EUR: 2 }`, or `file:` with the path of a CSV, YAML or JSON file";
            reader.error(fields.place, at, "has no values", Some(help.to_owned()));
            return None;
        }
    };
    if listed.len() > MOST_ROWS {
        let problem = format!("has {} rows, more than {MOST_ROWS}", listed.len());
        reader.error(key.place, at, problem, None);
        return None;
    }
    let mut rows = HashMap::with_capacity(listed.len());
    for (text, value) in listed {
        if text.len() > LONGEST_KEY {
            let problem = format!("has a key of more than {LONGEST_KEY} bytes");
            reader.error(key.place, at, problem, None);
            return None;
        }
        let folded = if ignores_case {
            text.to_lowercase()
        } else {
            text.clone()
        };
        if rows.insert(folded, value).is_some() {
            let problem = format!("has the key `{text}` twice");
            reader.error(key.place, at, problem, None);
        }
    }
    Some(Table {
        name: key.name.clone(),
        rows,
        absent: absent?,
        ignores_case,
    })
}

/// What a key gives that is not there. A table has to say it, because somebody will send such a key.
fn absent(reader: &mut Reader<'_>, fields: &Fields<'_>, at: &str) -> Option<Absent> {
    match (fields.get("default"), fields.get("missing")) {
        (Some(node), None) => Some(Absent::Is(node.to_json())),
        (None, Some(node)) => reader
            .word(node, &format!("{at}.missing"), &[("error", ())])
            .map(|()| Absent::Fails),
        (Some(_), Some(node)) => {
            let problem = "a table has either a `default` or `missing: error`, not both";
            reader.error(node.place, at, problem, None);
            None
        }
        (None, None) => {
            let help = "say what a key gives that is not in the table: `default: 2`, `default: null` to leave \
                        the field out, or `missing: error` for a bad value";
            reader.error(fields.place, at, "has no `default`", Some(help.to_owned()));
            None
        }
    }
}
