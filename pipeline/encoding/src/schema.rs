//! A schema that is ready to be used, and how one is asked for.

use std::sync::Arc;

use crate::avro::AvroSchema;
use crate::fault::{Fault, SchemaFault};
use crate::frame::{Framed, SchemaId, message_path};
use crate::json::Out;
use crate::protobuf::ProtoSchema;
use crate::source::Source;

/// The most bytes of a schema with everything that it refers to.
const MAX_BYTES: usize = 2 << 20;

/// The language of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaType {
    /// Avro.
    Avro,
    /// JSON Schema.
    Json,
    /// Protobuf.
    Protobuf,
}

/// What a schema of Avro takes of memory for each byte of its text and of those that it refers to, at most about.
const AVRO_WEIGHT: usize = 10;

/// A schema that is ready to be used.
#[derive(Debug)]
pub struct Schema {
    inner: Inner,
    weight: usize,
}

#[derive(Debug)]
enum Inner {
    Avro(AvroSchema),
    Json,
    Protobuf(ProtoSchema),
}

/// What is known of a schema id.
#[derive(Debug, Clone)]
pub enum Found {
    /// The schema.
    Known(Arc<Schema>),
    /// There is none of that id, or none that can be used, for this reason.
    Unusable(Arc<str>),
    /// Nobody has asked yet.
    NotYet,
}

/// Where schemas are looked up.
pub trait Schemas {
    /// What is known of a schema id.
    fn find(&self, id: SchemaId) -> Found;
}

/// Knows no schema: without a registry.
#[derive(Debug, Clone, Copy)]
pub struct NoSchemas;

impl Schemas for NoSchemas {
    fn find(&self, _: SchemaId) -> Found {
        Found::Unusable(Arc::from("no schema_registry is configured"))
    }
}

// === impl Schema ===

impl Schema {
    /// Reads a schema and those that it refers to, each after those that it refers to itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(
        kind: SchemaType,
        text: &str,
        references: &[Source],
    ) -> Result<Self, SchemaFault> {
        let all = references.iter().map(|one| one.text.len()).sum::<usize>() + text.len();
        if all > MAX_BYTES {
            return Err(SchemaFault(format!(
                "it has {all} bytes with what it refers to, more than the limit of {MAX_BYTES}"
            )));
        }
        let (inner, weight) = match kind {
            SchemaType::Avro => {
                let schema = AvroSchema::read(text, references)?;
                (Inner::Avro(schema), AVRO_WEIGHT * all)
            }
            // nothing of it is kept
            SchemaType::Json => (Inner::Json, 0),
            SchemaType::Protobuf => {
                let schema = ProtoSchema::compile(text, references)?;
                let weight = schema.weight() + all;
                (Inner::Protobuf(schema), weight)
            }
        };
        Ok(Self { inner, weight })
    }

    /// The bytes of memory that it takes, about, and rather too many.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Its language.
    #[must_use]
    pub fn kind(&self) -> SchemaType {
        match &self.inner {
            Inner::Avro(_) => SchemaType::Avro,
            Inner::Json => SchemaType::Json,
            Inner::Protobuf(_) => SchemaType::Protobuf,
        }
    }

    /// The JSON of a value with a frame; `None` if the content is JSON itself.
    pub(crate) fn json(&self, framed: &Framed<'_>, out: Out) -> Result<Option<String>, Fault> {
        match &self.inner {
            Inner::Avro(schema) => schema.json(framed.content, out).map(Some),
            Inner::Json => Ok(None),
            Inner::Protobuf(schema) => {
                let (path, content) = match framed.beside {
                    None => message_path(framed.content)?,
                    Some([]) => (vec![0], framed.content),
                    Some(beside) => (message_path(beside)?.0, framed.content),
                };
                schema.message(&path, content)?.json(content, out).map(Some)
            }
        }
    }
}

// === impl SchemaType ===

impl SchemaType {
    /// The word that registries have for it.
    #[must_use]
    pub fn of_registry(word: &str) -> Option<Self> {
        match word {
            "AVRO" => Some(Self::Avro),
            "JSON" => Some(Self::Json),
            "PROTOBUF" => Some(Self::Protobuf),
            _ => None,
        }
    }
}
