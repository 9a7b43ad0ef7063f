//! Protobuf: a message becomes JSON by its schema, a `.proto` file that is compiled when it is first needed.
//!
//! Fields have the names of the file. 64-bit numbers are numbers, because nothing here makes them inexact; bytes are base64; an enum is the name
//! of its value, or its number where it has none. A field that can be unset is left out when it is; any other has its default, so 0 is 0. The
//! types that everybody knows are what they mean (`known`).
//!
//! No tree of the message is built: it is checked as a whole (`check`), then each message is written from the places of its fields (`view`). So a value of
//! a mebibyte takes a few times its size at most, however small its fields are.

mod check;
mod compile;
mod known;
mod view;
mod wire;
mod write;

use prost_reflect::{FileDescriptor, MessageDescriptor};

use crate::fault::{Fault, SchemaFault};
use crate::json::Out;
use crate::source::Source;

/// A compiled file.
#[derive(Debug)]
pub(crate) struct ProtoSchema {
    file: FileDescriptor,
}

/// A type of message.
#[derive(Debug, Clone)]
pub(crate) struct ProtoMessage {
    of: MessageDescriptor,
}

// === impl ProtoSchema ===

impl ProtoSchema {
    /// Compiles a file and what it imports: a text, or a descriptor in base64.
    pub(crate) fn compile(text: &str, references: &[Source]) -> Result<Self, SchemaFault> {
        let file = compile::file(text, references)?;
        if file.messages().len() == 0 {
            return Err(SchemaFault("the file has no message".to_owned()));
        }
        Ok(Self { file })
    }

    /// The bytes of memory that it takes with what it imports, about: what the library has for each thing that the files name, as measured.
    pub(crate) fn weight(&self) -> usize {
        let pool = self.file.parent_pool();
        let mut things = 0;
        let mut names = 0;
        for message in pool.all_messages() {
            things += 1 + message.fields().len() + message.oneofs().len();
            names += message.full_name().len() * (1 + message.fields().len());
            names += message.fields().map(|one| one.name().len()).sum::<usize>();
        }
        for of in pool.all_enums() {
            things += 1 + of.values().len();
            names += of.full_name().len() * (1 + of.values().len());
            names += of.values().map(|one| one.name().len()).sum::<usize>();
        }
        things += pool.all_extensions().len();
        32 * 1024 + things * 2_200 + names * 8
    }

    /// The message at that place: the number of a message of the file, then of those within it.
    ///
    /// The entries of maps are messages in the wire format. Confluent's serializer for Java does not count them, the one for Python does. Where both
    /// ways find a message and only one has all the fields of `content`, it is that one; else it is Java's.
    pub(crate) fn message(&self, path: &[usize], content: &[u8]) -> Result<ProtoMessage, Fault> {
        let missing = || {
            let path: Vec<String> = path.iter().map(usize::to_string).collect();
            let path = path.join(", ");
            Fault::invalid(format!("its schema has no message at [{path}]"))
        };
        let (first, below) = path.split_first().ok_or_else(missing)?;
        let first = self.file.messages().nth(*first).ok_or_else(missing)?;
        let find = |counts_entries: bool| {
            below.iter().try_fold(first.clone(), |found, number| {
                let mut inner = found
                    .child_messages()
                    .filter(|one| counts_entries || !one.is_map_entry());
                inner.nth(*number)
            })
        };
        let python = find(true).filter(|one| !one.is_map_entry());
        let of = match (find(false), python) {
            (Some(java), Some(python)) if java != python => {
                let fits = |of| check::fits(of, content);
                if !fits(&java) && fits(&python) {
                    python
                } else {
                    java
                }
            }
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => return Err(missing()),
        };
        Ok(ProtoMessage { of })
    }

    /// The message of that full name.
    pub(crate) fn named(&self, name: &str) -> Result<ProtoMessage, SchemaFault> {
        let pool = self.file.parent_pool();
        if let Some(of) = pool.get_message_by_name(name) {
            return Ok(ProtoMessage { of });
        }
        let names: Vec<String> = self
            .file
            .messages()
            .map(|one| one.full_name().to_owned())
            .collect();
        Err(SchemaFault(format!(
            "it has no message {name}; it has {}",
            names.join(", ")
        )))
    }
}

// === impl ProtoMessage ===

impl ProtoMessage {
    /// The JSON of a message.
    pub(crate) fn json(&self, bytes: &[u8], out: Out) -> Result<String, Fault> {
        write::json(&self.of, bytes, out)
    }

    /// Its type, to be read by other means in tests.
    #[cfg(test)]
    pub(crate) fn descriptor(&self) -> &MessageDescriptor {
        &self.of
    }
}
