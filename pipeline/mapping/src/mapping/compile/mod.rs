//! From a document to a compiled mapping.

mod customer;
mod digest;
mod duration;
mod expect;
mod party;
mod reader;
mod route;
mod rules;
mod values;

use self::expect::test;
use self::reader::Reader;
use self::route::{route, shadowed};
use super::compiled::Mapping;
use super::error::MappingError;
use super::model::bad::OnBad;
use super::model::{EmptyText, Head, Header, Route, optional};
use super::node::Node;
use super::yaml::yaml_fault;
use crate::decode::Format;

impl Mapping {
    /// Compiles a mapping file. `file_name` is the name that errors show.
    ///
    /// # Errors
    /// All errors that can be found, each with its place. A file that is not YAML has only one.
    pub fn compile(text: &str, file_name: &str) -> Result<Self, Vec<MappingError>> {
        let document = Node::from_yaml(text).map_err(|error| {
            let fault = yaml_fault(text, &error);
            vec![MappingError {
                file: file_name.to_owned(),
                place: fault.place,
                field: String::new(),
                expression: None,
                problem: fault.problem,
                help: fault.help,
            }]
        })?;
        Self::compile_node(&document, file_name)
    }

    /// Compiles a mapping that is part of another document.
    ///
    /// # Errors
    /// As [`Mapping::compile`].
    pub fn compile_node(document: &Node, file_name: &str) -> Result<Self, Vec<MappingError>> {
        mapping(document, file_name)
    }
}

/// Compiles a document, and reports all errors that can be found.
fn mapping(document: &Node, file: &str) -> Result<Mapping, Vec<MappingError>> {
    const KNOWN: &[&str] = &["format", "event", "emptyText", "onBad", "routes", "tests"];
    let mut reader = Reader::new(file);
    let Some(fields) = reader.fields(document, "", KNOWN) else {
        return Err(reader.errors);
    };
    let format = fields
        .get("format")
        .and_then(|node| format(&mut reader, node));
    let header = fields
        .get("event")
        .map(|node| header(&mut reader, node))
        .unwrap_or_default();
    let words = &[("keep", EmptyText::Keep), ("drop", EmptyText::Drop)];
    let empty_text = fields
        .get("emptyText")
        .and_then(|node| reader.word(node, "emptyText", words))
        .unwrap_or_default();
    let on_bad = fields
        .get("onBad")
        .and_then(|node| reader.word(node, "onBad", OnBad::WORDS))
        .unwrap_or_default();
    let head = Head {
        format,
        header,
        empty_text,
        on_bad,
    };
    let mut routes = Vec::new();
    match fields.get("routes") {
        None => reader.error(
            fields.place,
            "",
            "`routes` is missing",
            Some("a mapping is a list of routes".to_owned()),
        ),
        Some(node) => {
            for (index, node) in reader
                .list(node, "routes")
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                let at = format!("routes[{index}]");
                let Some(route) = route(&mut reader, node, &at, &head) else {
                    continue;
                };
                if routes.iter().any(|other: &Route| other.name == route.name) {
                    reader.error(
                        node.place,
                        &at,
                        format!("a second route is named `{}`", route.name),
                        None,
                    );
                }
                routes.push(route);
            }
        }
    }
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
    let mut tests = Vec::new();
    if let Some(node) = fields.get("tests") {
        for (index, node) in reader
            .list(node, "tests")
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let at = format!("tests[{index}]");
            let optional = is_sound.then_some(can_be_left_out.as_slice());
            tests.extend(test(&mut reader, node, &at, optional));
        }
    }
    shadowed(&mut reader, &routes);
    if reader.errors.is_empty() {
        let doubts = reader.doubts;
        Ok(Mapping::assemble(file, head, routes, tests, doubts))
    } else {
        Err(reader.errors)
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
    let Some(fields) = reader.fields(node, "event", &["name", "id", "time"]) else {
        return Header::default();
    };
    let mut expr = |name: &str| {
        fields
            .get(name)
            .and_then(|node| reader.expr(node, &format!("event.{name}")))
    };
    Header {
        name: expr("name"),
        id: expr("id"),
        time: expr("time"),
    }
}
