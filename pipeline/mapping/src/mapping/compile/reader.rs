//! Walking a mapping document: known keys, kinds of values, and errors with their place.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::error::{Excerpt, MappingError, nearest};
use super::super::expr::Expr;
use super::super::expr::names::Names;
use super::super::model::Named;
use super::super::node::{Content, Key, Node, Place};
use crate::value::Value;
use ingest_model::operation::MissingCustomer;

/// Collects errors while the document is walked.
pub(super) struct Reader<'a> {
    file: Arc<str>,
    pub(super) errors: Vec<MappingError>,
    /// What is valid, but probably a mistake.
    pub(super) doubts: Vec<MappingError>,
    /// What expressions can refer to here.
    pub(super) names: Names,
    /// Objects are marked as deleted here.
    pub(super) marks: bool,
    /// They are there already, so they need no title. What happens if one is not.
    pub(super) untitled: Option<MissingCustomer>,
    /// Objects are deleted here.
    pub(super) deletes: bool,
    /// The values of `let` in the order of their names; none where one is not compiled.
    lets: Vec<Let>,
    /// Those that some expression uses.
    used: BTreeSet<usize>,
    /// How files beside this one are read.
    files: &'a dyn Files,
}

/// A value of `let`.
struct Let {
    /// None if it is wrong.
    expr: Option<Expr>,
    file: Arc<str>,
    place: Place,
    /// Its path in the file.
    at: String,
}

/// A file that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name, as errors show it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// How a mapping reads the files that it names. The compiler itself reads none.
pub trait Files {
    /// The file with this path, which is relative to the file that names it.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, named_in: &str, path: &str) -> Result<Found, String>;
}

/// There are no other files.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _named_in: &str, _path: &str) -> Result<Found, String> {
        Err("there are no other files here".to_owned())
    }
}

/// The fields of one map. Keys that are not known have been reported.
pub(super) struct Fields<'n> {
    pub(super) place: Place,
    entries: &'n [(Key, Node)],
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &str, files: &'a dyn Files) -> Self {
        Self {
            file: Arc::from(file),
            errors: Vec::new(),
            doubts: Vec::new(),
            names: Names::default(),
            marks: false,
            untitled: None,
            deletes: false,
            lets: Vec::new(),
            used: BTreeSet::new(),
            files,
        }
    }

    /// The file that is read.
    pub(super) fn file_name(&self) -> Arc<str> {
        Arc::clone(&self.file)
    }

    /// Goes on in another file.
    pub(super) fn turn_to(&mut self, file: &Arc<str>) {
        self.file = Arc::clone(file);
    }

    /// The number of another value of `let`.
    pub(super) fn new_let(&mut self, place: Place, at: String) -> usize {
        self.lets.push(Let {
            expr: None,
            file: Arc::clone(&self.file),
            place,
            at,
        });
        self.lets.len() - 1
    }

    /// Doubts values that nothing uses. Those of included files are for others, too.
    pub(super) fn doubt_unused(&mut self) {
        let unused: Vec<(Place, String)> = self
            .lets
            .iter()
            .enumerate()
            .filter(|(index, one)| one.file == self.file && !self.used.contains(index))
            .map(|(_, one)| (one.place, one.at.clone()))
            .collect();
        for (place, at) in unused {
            let name = at.rsplit('.').next().unwrap_or_default();
            let help = format!("expressions use it as `${name}`; remove it if none needs it");
            self.doubt(place, &at, "is used by no expression".to_owned(), &help);
        }
    }

    /// Sets a value of `let`.
    pub(super) fn set_let(&mut self, index: usize, expr: Expr) {
        if let Some(place) = self.lets.get_mut(index) {
            place.expr = Some(expr);
        }
    }

    /// The values of `let` that one of them uses.
    pub(super) fn lets_in(&self, index: usize) -> Vec<usize> {
        let expr = self.lets.get(index).and_then(|one| one.expr.as_ref());
        expr.map(|expr| expr.lets().to_vec()).unwrap_or_default()
    }

    /// All values of `let`, and where each is named.
    pub(super) fn into_lets(self) -> (Vec<Expr>, Vec<Named>) {
        let named = |one: Let| {
            let expr = one.expr.unwrap_or_else(|| Expr::literal(Value::Null));
            let named = Named {
                name: one.at.rsplit('.').next().unwrap_or_default().to_owned(),
                file: one.file,
                place: one.place,
            };
            (expr, named)
        };
        self.lets.into_iter().map(named).unzip()
    }

    /// A file that this one names.
    pub(super) fn read_beside(&mut self, place: Place, at: &str, path: &str) -> Option<Found> {
        match self.files.read(&self.file, path) {
            Ok(found) => Some(found),
            Err(why) => {
                let problem = format!("cannot read `{path}`: {why}");
                let help = "paths are relative to the file that names them".to_owned();
                self.error(place, at, problem, Some(help));
                None
            }
        }
    }

    /// Notes what is probably a mistake.
    pub(super) fn doubt(&mut self, place: Place, field: &str, problem: String, help: &str) {
        self.doubts.push(MappingError {
            file: self.file.to_string(),
            place,
            field: field.to_owned(),
            expression: None,
            problem,
            help: Some(help.to_owned()),
            excerpt: None,
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
            file: self.file.to_string(),
            place,
            field: field.to_owned(),
            expression: None,
            problem: problem.into(),
            help,
            excerpt: None,
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
        match Expr::compile_with(text, &self.names) {
            Ok(expr) => {
                self.used.extend(expr.lets());
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
                    file: self.file.to_string(),
                    place: node.place,
                    field: field.to_owned(),
                    expression: Some(text.clone()),
                    problem: refused.problem,
                    help: refused.help,
                    excerpt: refused.at.and_then(|at| Excerpt::of(text, at)),
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
