//! Walking a mapping document: known keys, kinds of values, and errors with their place.

use super::super::error::{MappingError, nearest};
use super::super::expr::Expr;
use super::super::node::{Content, Key, Node, Place};

/// Collects errors while the document is walked.
pub(super) struct Reader<'a> {
    file: &'a str,
    pub(super) errors: Vec<MappingError>,
    /// What is valid, but probably a mistake.
    pub(super) doubts: Vec<MappingError>,
}

/// The fields of one map. Keys that are not known have been reported.
pub(super) struct Fields<'n> {
    pub(super) place: Place,
    entries: &'n [(Key, Node)],
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self {
            file,
            errors: Vec::new(),
            doubts: Vec::new(),
        }
    }

    /// Notes what is probably a mistake.
    pub(super) fn doubt(&mut self, place: Place, field: &str, problem: String, help: &str) {
        self.doubts.push(MappingError {
            file: self.file.to_owned(),
            place,
            field: field.to_owned(),
            expression: None,
            problem,
            help: Some(help.to_owned()),
        });
    }

    /// Notes an error.
    pub(super) fn error(
        &mut self,
        place: Place,
        field: &str,
        problem: impl Into<String>,
        help: Option<String>,
    ) {
        self.errors.push(MappingError {
            file: self.file.to_owned(),
            place,
            field: field.to_owned(),
            expression: None,
            problem: problem.into(),
            help,
        });
    }

    /// The fields of a map. Unknown keys are errors.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        field: &str,
        known: &[&str],
    ) -> Option<Fields<'n>> {
        let entries = self.map(node, field)?;
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                let help = match nearest(&key.name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known: {}", known.join(", ")),
                };
                self.error(
                    key.place,
                    field,
                    format!("unknown key `{}`", key.name),
                    Some(help),
                );
            }
        }
        Some(Fields {
            place: node.place,
            entries,
        })
    }

    /// The entries of a map.
    pub(super) fn map<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n [(Key, Node)]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text(_)
            | Content::List(_) => {
                self.error(
                    node.place,
                    field,
                    format!("must be a map, is {}", node.kind()),
                    None,
                );
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n [Node]> {
        match &node.content {
            Content::List(items) => Some(items),
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text(_)
            | Content::Map(_) => {
                self.error(
                    node.place,
                    field,
                    format!("must be a list, is {}", node.kind()),
                    None,
                );
                None
            }
        }
    }

    /// A text that is not empty.
    pub(super) fn text<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n str> {
        match node.as_text() {
            Some(text) if !text.trim().is_empty() => Some(text.trim()),
            Some(_) => {
                self.error(node.place, field, "must not be empty", None);
                None
            }
            None => {
                self.error(
                    node.place,
                    field,
                    format!("must be a text, is {}", node.kind()),
                    None,
                );
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: &Node,
        field: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, field)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(text, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", all.join(", ")),
        };
        self.error(
            node.place,
            field,
            format!("unknown word `{text}`"),
            Some(help),
        );
        None
    }

    /// An expression: a text is jq, a number or boolean is a constant, and an empty value is an error.
    pub(super) fn expr(&mut self, node: &Node, field: &str) -> Option<Expr> {
        let text = match &node.content {
            Content::Text(text) => text,
            Content::Bool(_) | Content::Number(_) => return Some(Expr::literal(node.to_json())),
            Content::Null => {
                let help =
                    "to leave the field out, remove the key; a null is the expression `null`";
                self.error(
                    node.place,
                    field,
                    "has no expression",
                    Some(help.to_owned()),
                );
                return None;
            }
            Content::List(_) | Content::Map(_) => {
                let problem = format!("must be an expression, is {}", node.kind());
                self.error(
                    node.place,
                    field,
                    problem,
                    Some("an expression with brackets needs quotes in YAML".to_owned()),
                );
                return None;
            }
        };
        match Expr::compile(text) {
            Ok(expr) => {
                if expr.gives_several() {
                    let problem = format!("can give several values in `{}`", expr.text());
                    self.doubt(
                        node.place,
                        field,
                        problem,
                        "a field takes one: put them in [ ], or take `first(…)`",
                    );
                }
                if let Some((problem, help)) = expr.doubt() {
                    let problem = format!("{problem}, in `{}`", expr.text());
                    self.doubt(node.place, field, problem, &help);
                }
                Some(expr)
            }
            Err(refused) => {
                self.errors.push(MappingError {
                    file: self.file.to_owned(),
                    place: node.place,
                    field: field.to_owned(),
                    expression: Some(text.clone()),
                    problem: refused.problem,
                    help: refused.help,
                });
                None
            }
        }
    }
}

/// The place of each value below a node, by its path.
pub(super) fn places(node: &Node) -> Vec<(String, Place)> {
    fn walk(node: &Node, at: &str, places: &mut Vec<(String, Place)>) {
        match &node.content {
            Content::Map(entries) => {
                for (key, node) in entries {
                    walk(node, &format!("{at}.{}", key.name), places);
                }
            }
            Content::List(items) => {
                for (index, node) in items.iter().enumerate() {
                    walk(node, &format!("{at}[{index}]"), places);
                }
            }
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => {
                places.push((at.to_owned(), node.place));
            }
        }
    }
    let mut places = Vec::new();
    walk(node, "", &mut places);
    places
}

impl<'n> Fields<'n> {
    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }
}
