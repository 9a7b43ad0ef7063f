//! The list of people of whom nothing is sent: a file with a JSON object a line.
//!
//! Each line names a person by any of the keys that mappings have, normalised as those are, and says what is to be. Of several lines
//! about a key the last one counts, so a line can be appended for each request, and the file stays a record of them. A list with
//! a mistake is refused as a whole: whoever reads it goes on with the former one. No message has a value of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest_mapping::identity::{self, Key, Unusable};
use ingest_mapping::value::Value;
use ingest_model::operation::CustomerKey;
use serde_json::Value as Json;

/// The longest file.
const MAX_BYTES: u64 = 32 << 20;
/// The most keys on the list.
const MAX_KEYS: usize = 200_000;
/// How many mistakes are told.
const TOLD: usize = 20;
/// A field of a line that is a key: its name, how it is read, and what it becomes.
type KeyField = (
    &'static str,
    fn(&Value<'_>) -> Key,
    fn(Arc<str>) -> CustomerKey,
);
/// All of them.
const KEYS: [KeyField; 4] = [
    ("id", identity::kustomer_id, CustomerKey::Id),
    ("externalId", identity::external_id, CustomerKey::ExternalId),
    ("email", identity::email, CustomerKey::Email),
    ("phone", identity::phone, CustomerKey::Phone),
];
/// The fields of a line as they stand there, also those that are there twice.
struct Fields(Vec<(String, Json)>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> serde::de::Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

/// Fields for people, which are not read.
const REMARKS: [&str; 2] = ["at", "note"];

/// What is to become of a person's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuppressAction {
    /// Nothing is sent.
    Suppress,
    /// The same, and a person has to delete the customer in Kustomer.
    DeleteAndSuppress,
    /// What comes from now on is sent again.
    Unsuppress,
}

/// Where the list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressedFile(pub PathBuf);

/// The list.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SuppressedList {
    keys: BTreeMap<CustomerKey, SuppressAction>,
    /// Lines of people who are to be deleted, by their numbers.
    deletions: Vec<(u64, Vec<CustomerKey>)>,
}

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuppressedError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}", in_lines(path, faults, *more))]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// The first mistakes.
        faults: Vec<LineFault>,
        /// How many more there are.
        more: usize,
    },
}

/// What is wrong with a line. It has no value of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
    /// The field, if it is about one.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub way_out: &'static str,
}

// === impl SuppressAction ===

impl SuppressAction {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Suppress, Self::DeleteAndSuppress, Self::Unsuppress];

    /// The word for it in a line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suppress => "suppress",
            Self::DeleteAndSuppress => "delete_and_suppress",
            Self::Unsuppress => "unsuppress",
        }
    }
}

// === impl SuppressedFile ===

impl SuppressedFile {
    /// Reads the list now.
    ///
    /// # Errors
    /// The file cannot be read, or has a mistake.
    pub fn read(&self) -> Result<SuppressedList, SuppressedError> {
        self.parse(&self.content()?)
    }

    /// Reads the list if its content is another one than that with this mark.
    ///
    /// # Errors
    /// As [`Self::read`]. The second is the mark of the content, which stands for it also if it has a mistake.
    pub fn read_if_changed(
        &self,
        hashing: &RandomState,
        known: Option<u64>,
    ) -> (Result<Option<SuppressedList>, SuppressedError>, Option<u64>) {
        let content = match self.content() {
            Ok(content) => content,
            Err(error) => return (Err(error), None),
        };
        let mark = Some(hashing.hash_one(&content));
        if mark == known {
            return (Ok(None), mark);
        }
        (self.parse(&content).map(Some), mark)
    }

    fn content(&self) -> Result<Vec<u8>, SuppressedError> {
        let mut content = Vec::new();
        let read = std::fs::File::open(&self.0)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
        match read {
            Ok(_) => Ok(content),
            Err(source) => Err(SuppressedError::Unreadable {
                path: self.0.clone(),
                source,
            }),
        }
    }

    fn parse(&self, content: &[u8]) -> Result<SuppressedList, SuppressedError> {
        let (mut list, mut faults) = (SuppressedList::default(), Vec::new());
        if content.len() as u64 > MAX_BYTES {
            let problem = "is longer than 32 MiB";
            faults.push(LineFault::of_line(
                0,
                problem,
                "leave out lines that later ones end",
            ));
        } else {
            for (line, text) in (1..).zip(content.split(|byte| *byte == b'\n')) {
                list.line(line, text.trim_ascii(), &mut faults);
            }
        }
        list.settle();
        if list.len() > MAX_KEYS {
            let problem = format!("{} keys are suppressed: more than {MAX_KEYS}", list.len());
            let way_out = "name each person by fewer keys: the external id and the address";
            faults.push(LineFault::of_line(0, problem, way_out));
        }
        if faults.is_empty() {
            return Ok(list);
        }
        let more = faults.len().saturating_sub(TOLD);
        faults.truncate(TOLD);
        let path = self.0.clone();
        Err(SuppressedError::Wrong { path, faults, more })
    }
}

// === impl SuppressedList ===

impl SuppressedList {
    /// The keys of people of whom nothing is sent.
    pub fn keys(&self) -> impl Iterator<Item = &CustomerKey> {
        self.keys.keys()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key of this list is not on the other one.
    #[must_use]
    pub fn loses_in(&self, other: &Self) -> bool {
        self.keys.keys().any(|key| !other.keys.contains_key(key))
    }

    /// This list, and whoever else was on the former one.
    #[must_use]
    pub fn and_former(mut self, former: &Self) -> Self {
        for (key, action) in &former.keys {
            self.keys.entry(key.clone()).or_insert(*action);
        }
        self
    }

    /// Whether there is nobody on the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of these keys is on it.
    #[must_use]
    pub fn has(&self, keys: &[CustomerKey]) -> bool {
        keys.iter().any(|key| self.keys.contains_key(key))
    }

    /// The people whom somebody has to delete in Kustomer: the line of each, and its keys.
    #[must_use]
    pub fn deletions(&self) -> &[(u64, Vec<CustomerKey>)] {
        &self.deletions
    }

    fn line(&mut self, line: u64, text: &[u8], faults: &mut Vec<LineFault>) {
        // An editor may put a mark of the encoding at the start.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.is_empty() || text.starts_with(b"#") {
            return;
        }
        let Ok(Fields(entry)) = serde_json::from_slice(text) else {
            let way_out =
                r#"write a line such as {"email": "ida@shop.example"}, or begin it with #"#;
            faults.push(LineFault::of_line(line, "is not a JSON object", way_out));
            return;
        };
        let before = faults.len();
        let mut named = BTreeSet::new();
        if !entry.iter().all(|(field, _)| named.insert(field)) {
            let way_out = "write several values of one field as a list, or a line for each";
            faults.push(LineFault::of_line(line, "has a field twice", way_out));
        }
        let action = match entry.iter().find(|(field, _)| field == "action") {
            None => Some(SuppressAction::Suppress),
            Some((_, word)) => {
                let mut all = SuppressAction::ALL.iter().copied();
                all.find(|action| word.as_str() == Some(action.as_str()))
            }
        };
        if action.is_none() {
            let way_out = "give suppress, delete_and_suppress or unsuppress";
            faults.push(LineFault::of_field(line, "action", "is not known", way_out));
        }
        let mut keys = Vec::new();
        for (field, value) in &entry {
            if field == "action" || REMARKS.contains(&field.as_str()) {
                continue;
            }
            let Some(kind) = KEYS.iter().find(|(name, ..)| name == field) else {
                // Its name may be a person's by mistake.
                let way_out = "the fields are id, externalId, email, phone, action, at and note";
                faults.push(LineFault::of_line(
                    line,
                    "has a field that is not known",
                    way_out,
                ));
                continue;
            };
            let values = value
                .as_array()
                .map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                match kind.1(&Value::from(value.clone())) {
                    Ok(Some(key)) => keys.push(kind.2(Arc::from(key))),
                    Ok(None) => {}
                    Err(why) => faults.push(unusable(line, kind.0, why)),
                }
            }
        }
        if keys.is_empty() && faults.len() == before {
            let way_out = "give externalId, email, phone or id: a text, a number or a list of them";
            faults.push(LineFault::of_line(line, "names nobody", way_out));
        }
        let Some(action) = action else { return };
        for key in &keys {
            self.keys.insert(key.clone(), action);
        }
        if action == SuppressAction::DeleteAndSuppress {
            self.deletions.push((line, keys));
        }
    }

    /// All lines were read: those count that no later one has ended.
    fn settle(&mut self) {
        self.keys
            .retain(|_, action| *action != SuppressAction::Unsuppress);
        let listed = &self.keys;
        self.deletions.retain(|(_, keys)| {
            let mut keys = keys.iter();
            keys.any(|key| listed.get(key) == Some(&SuppressAction::DeleteAndSuppress))
        });
    }
}

impl fmt::Debug for SuppressedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuppressedList")
            .field("keys", &self.keys.len())
            .field("deletions", &self.deletions.len())
            .finish()
    }
}

// === impl LineFault ===

impl LineFault {
    fn of_line(line: u64, problem: impl Into<String>, way_out: &'static str) -> Self {
        Self {
            line,
            field: None,
            problem: problem.into(),
            way_out,
        }
    }

    fn of_field(line: u64, field: &str, problem: &str, way_out: &'static str) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::of_line(line, problem, way_out)
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{}: {}", self.problem, self.way_out)
    }
}

fn unusable(line: u64, field: &'static str, why: Unusable) -> LineFault {
    let (problem, way_out) = match (why, field) {
        (Unusable::Nobody, _) => ("stands for nobody", "give the key itself"),
        (Unusable::Illegal, "email") => ("is no e-mail address", "write it as name@host.example"),
        (Unusable::Illegal, "phone") => (
            "is no international phone number",
            "begin it with + and the country's code",
        ),
        (Unusable::Illegal, "id") => ("is no id of Kustomer", "it has 24 hexadecimal digits"),
        (Unusable::Illegal, _) => (
            "is no external id",
            "give a text or a whole number of at most 256 characters",
        ),
    };
    LineFault::of_field(line, field, problem, way_out)
}

fn in_lines(path: &Path, faults: &[LineFault], more: usize) -> String {
    let mut all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    format!("{}: {}", path.display(), all.join("; "))
}

#[cfg(test)]
mod tests;
