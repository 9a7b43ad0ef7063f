//! From a document to a compiled mapping.

mod customer;
mod digest;
mod duration;
mod expect;
mod file;
mod named;
mod party;
mod reader;
mod route;
mod rules;
mod values;

use std::sync::Arc;

use self::expect::test;
use self::file::{RouteHead, documents};
use self::reader::{Fields, Reader};
pub use self::reader::{Files, Found, NoFiles};
use self::route::{route, shadowed};
use super::compiled::Mapping;
use super::error::MappingError;
use super::model::bad::OnBad;
use super::model::batches::Each;
use super::model::{EmptyText, Head, Header, Route, optional};
use super::node::{Content, Node};
use super::yaml::yaml_fault;
use crate::decode::Format;

impl Mapping {
    /// Compiles a mapping file. `file_name` is the name that errors show.
    ///
    /// # Errors
    /// All errors that can be found, each with its place. A file that is not YAML has only one.
    pub fn compile(text: &str, file_name: &str) -> Result<Self, Vec<MappingError>> {
        Self::compile_with(text, file_name, &NoFiles)
    }

    /// As [`Mapping::compile`], for a mapping that may name other files.
    ///
    /// # Errors
    /// As [`Mapping::compile`].
    pub fn compile_with(
        text: &str,
        file_name: &str,
        files: &dyn Files,
    ) -> Result<Self, Vec<MappingError>> {
        let document = Node::from_yaml(text).map_err(|error| {
            let fault = yaml_fault(text, &error);
            vec![MappingError {
                file: file_name.to_owned(),
                place: fault.place,
                field: String::new(),
                expression: None,
                problem: fault.problem,
                help: fault.help,
                excerpt: None,
            }]
        })?;
        Self::compile_node_with(&document, file_name, files)
    }

    /// Compiles a mapping that is part of another document.
    ///
    /// # Errors
    /// As [`Mapping::compile`].
    pub fn compile_node(document: &Node, file_name: &str) -> Result<Self, Vec<MappingError>> {
        Self::compile_node_with(document, file_name, &NoFiles)
    }

    /// As [`Mapping::compile_node`], for a mapping that may name other files.
    ///
    /// # Errors
    /// As [`Mapping::compile`].
    pub fn compile_node_with(
        document: &Node,
        file_name: &str,
        files: &dyn Files,
    ) -> Result<Self, Vec<MappingError>> {
        mapping(document, file_name, files)
    }
}

const HEADER_KEYS: &[&str] = &["each", "name", "id", "time", "deleted"];
/// Keys that only the file itself has, and not one that it includes.
const OF_THE_WHOLE: &[&str] = &["event", "emptyText"];
const KNOWN: &[&str] = &[
    "format",
    "event",
    "emptyText",
    "onBad",
    "defaults",
    "include",
    "let",
    "tables",
    "routes",
    "tests",
];

/// Compiles a document, and reports all errors that can be found.
fn mapping(document: &Node, file: &str, files: &dyn Files) -> Result<Mapping, Vec<MappingError>> {
    let mut reader = Reader::new(file, files);
    let documents = documents(&mut reader, document);
    let mut parts: Vec<(Arc<str>, Fields<'_>)> = Vec::new();
    for document in &documents {
        reader.turn_to(&document.file);
        if !matches!(document.node.content, Content::Map(_)) {
            let problem = match document.node.content {
                Content::Null => "must be a map, and the file is empty".to_owned(),
                Content::Bool(_)
                | Content::Number(_)
                | Content::Text(_)
                | Content::List(_)
                | Content::Map(_) => format!("must be a map, is {}", document.node.kind()),
            };
            let help = "a mapping has at least `routes:`, a list; `init` writes a whole one, `infer` one for a sample";
            reader.error(document.node.place, "", problem, Some(help.to_owned()));
            continue;
        }
        if is_configuration(&document.node) {
            let help = "the `mapping` of a topic names a file with `routes:`; `init` writes one, `infer` proposes one for a sample";
            let problem = "is a configuration, not a mapping";
            reader.error(document.node.place, "", problem, Some(help.to_owned()));
            continue;
        }
        if let Some(fields) = reader.fields(&document.node, "", KNOWN) {
            parts.push((Arc::clone(&document.file), fields));
        }
    }
    let Some((_, whole)) = parts.first().filter(|_| parts.len() == documents.len()) else {
        return Err(reader.errors);
    };
    reader.turn_to(&Arc::from(file));
    let head = head(&mut reader, whole);
    // what a file includes is there when it is read itself
    for (file, fields) in parts.iter().rev() {
        reader.turn_to(file);
        if let Some(node) = fields.get("tables") {
            named::tables(&mut reader, node);
        }
        if let Some(node) = fields.get("let") {
            named::file_lets(&mut reader, node);
        }
    }
    let mut routes = Vec::new();
    for (index, (file, fields)) in parts.iter().enumerate() {
        reader.turn_to(file);
        if index > 0 {
            included(&mut reader, fields, &head);
            on_bad(&mut reader, fields);
        }
        routes_of(&mut reader, fields, &head, &mut routes);
    }
    if routes.is_empty() && parts.iter().all(|(_, part)| part.get("routes").is_none()) {
        reader.turn_to(&Arc::from(file));
        reader.error(
            whole.place,
            "",
            "`routes` is missing",
            Some("a mapping is a list of routes".to_owned()),
        );
    }
    reader.turn_to(&Arc::from(file));
    digest::join(&mut reader, &mut routes);
    // what can be left out is known only if no route or field is wrong
    let is_sound = reader.errors.is_empty();
    let mut can_be_left_out = optional::of_header(&head.header);
    can_be_left_out.extend(
        routes
            .iter()
            .flat_map(|route| optional::of_route(&route.action)),
    );
    can_be_left_out.sort();
    can_be_left_out.dedup();
    let optional = is_sound.then_some(can_be_left_out.as_slice());
    let mut tests = Vec::new();
    for (file, fields) in &parts {
        reader.turn_to(file);
        let nodes = fields
            .get("tests")
            .and_then(|node| reader.list(node, "tests"));
        for (index, node) in nodes.unwrap_or_default().iter().enumerate() {
            let at = format!("tests[{index}]");
            tests.extend(test(&mut reader, node, &at, optional));
        }
    }
    shadowed(&mut reader, &routes);
    reader.turn_to(&Arc::from(file));
    reader.doubt_unused();
    if reader.errors.is_empty() {
        let doubts = std::mem::take(&mut reader.doubts);
        let lets = reader.into_lets();
        Ok(Mapping::assemble(file, head, lets, routes, tests, doubts))
    } else {
        Err(reader.errors)
    }
}

/// Whether a map is the configuration of a worker.
fn is_configuration(document: &Node) -> bool {
    let Content::Map(entries) = &document.content else {
        return false;
    };
    let has = |name: &str| entries.iter().any(|(key, _)| key.name == name);
    has("kafka") && !has("routes") && !has("include")
}

/// What the file says of the whole mapping.
fn head(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Head {
    let format = fields.get("format").and_then(|node| format(reader, node));
    let header = fields
        .get("event")
        .map(|node| header(reader, node))
        .unwrap_or_default();
    let words = &[("keep", EmptyText::Keep), ("drop", EmptyText::Drop)];
    let empty_text = fields
        .get("emptyText")
        .and_then(|node| reader.word(node, "emptyText", words))
        .unwrap_or_default();
    Head {
        format,
        header,
        empty_text,
        on_bad: on_bad(reader, fields).unwrap_or_default(),
    }
}

fn on_bad(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<OnBad> {
    let node = fields.get("onBad")?;
    reader.word(node, "onBad", OnBad::WORDS)
}

/// Checks that a file can be included.
fn included(reader: &mut Reader<'_>, fields: &Fields<'_>, head: &Head) {
    for key in OF_THE_WHOLE {
        if let Some(node) = fields.get(key) {
            let problem =
                "is about all records, and stands only in the file that includes this one";
            reader.error(node.place, key, problem, None);
        }
    }
    let Some(node) = fields.get("format") else {
        return;
    };
    let own = format(reader, node);
    if own.is_some() && own != head.format {
        let problem = match head.format {
            Some(other) => format!("the file that includes this one is for format {other}"),
            None => "the file that includes this one names no format".to_owned(),
        };
        let help = "a file for several formats names none".to_owned();
        reader.error(node.place, "format", problem, Some(help));
    }
}

/// The routes of one file.
fn routes_of(reader: &mut Reader<'_>, fields: &Fields<'_>, head: &Head, routes: &mut Vec<Route>) {
    // the file of the whole has read its own already
    let on_bad = fields.get("onBad").and_then(Node::as_text);
    let word = OnBad::WORDS.iter().find(|(word, _)| Some(*word) == on_bad);
    let on_bad = word.map_or(head.on_bad, |(_, on_bad)| *on_bad);
    let mut of_file = RouteHead::of(reader, fields, head.format, on_bad);
    of_file.names_deletions = head.header.deleted.is_some();
    let Some(node) = fields.get("routes") else {
        return;
    };
    let nodes = reader.list(node, "routes").unwrap_or_default();
    for (index, node) in nodes.iter().enumerate() {
        let at = format!("routes[{index}]");
        let Some(route) = route(reader, node, &at, &of_file) else {
            continue;
        };
        if let Some(other) = routes.iter().find(|other| other.name == route.name) {
            let mut problem = format!("a second route is named `{}`", route.name);
            if other.file == route.file {
                problem.push_str(&format!(", the first is on line {}", other.place.line));
            } else {
                problem.push_str(&format!(", the first is in {}", other.file));
            }
            let way_out = "give one of them another name";
            reader.error(node.place, &at, problem, Some(way_out.to_owned()));
        }
        routes.push(route);
    }
}

fn format(reader: &mut Reader<'_>, node: &Node) -> Option<Format> {
    let words: Vec<(&str, Format)> = Format::KNOWN
        .iter()
        .map(|format| (format.as_str(), *format))
        .collect();
    reader.word(node, "format", &words)
}

fn header(reader: &mut Reader<'_>, node: &Node) -> Header {
    let Some(fields) = reader.fields(node, "event", HEADER_KEYS) else {
        return Header::default();
    };
    reader.names.set_header(true);
    let mut expr = |name: &str| {
        fields
            .get(name)
            .and_then(|node| reader.expr(node, &format!("event.{name}")))
    };
    let header = Header {
        each: expr("each").map(Each::new),
        name: expr("name"),
        id: expr("id"),
        time: expr("time"),
        deleted: expr("deleted"),
    };
    reader.names.set_header(false);
    header
}
