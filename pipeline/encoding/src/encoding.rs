//! The encoding of a topic, and how a record is opened.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ingest_model::outcome::Rejected;
use ingest_model::record::{Header, Record};

use crate::avro::AvroSchema;
use crate::expand;
use crate::fault::{Fault, SchemaFault};
use crate::frame::{self, Framed, SchemaId};
use crate::json::Out;
use crate::protobuf::{ProtoMessage, ProtoSchema};
use crate::schema::{Found, Schemas};
use crate::source::Source;

/// The largest value: as it comes, expanded, and as JSON.
const LIMIT: usize = 1024 * 1024;
/// The deepest nesting of what is written.
const DEPTH: usize = 128;
/// The headers that have ids of schemas.
const VALUE_ID: &str = "__value_schema_id";
const KEY_ID: &str = "__key_schema_id";
const CONTENT_TYPE: &str = "content-type";
const STRUCTURED: &str = "application/cloudevents";

/// The encoding of a topic.
#[derive(Debug, Clone)]
pub struct Encoding {
    values: Values,
    compression: Compression,
    keys: bool,
}

/// The encodings by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// JSON text.
    Json,
    /// With the id of a schema, in front or in a header: Avro, JSON Schema or Protobuf.
    Registry,
    /// Avro without an id.
    Avro,
    /// Avro with a fingerprint.
    AvroSingleObject,
    /// A message of Protobuf without an id.
    Protobuf,
    /// Each record as its first bytes and headers say: with a schema id, with a fingerprint, or JSON.
    Auto,
}

/// Compression that the producer applied to values itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// None: values are as they are.
    None,
    /// All values are.
    Gzip,
    /// All values are.
    Zstd,
    /// A value that begins as gzip or zstd do, is.
    Auto,
}

/// How values are read.
#[derive(Debug, Clone)]
enum Values {
    Json,
    Registry,
    Avro(Arc<AvroSchema>),
    SingleObject(Arc<Fingerprints>),
    Protobuf(Arc<ProtoMessage>),
    Auto(Arc<Fingerprints>),
}

/// Schemas by their fingerprints.
type Fingerprints = HashMap<u64, AvroSchema>;

/// What became of a record.
#[derive(Debug)]
pub enum Opened<'r> {
    /// The record in JSON; the same one if it was.
    Record(Cow<'r, Record>),
    /// The schema of this id has to be fetched first.
    Needs(SchemaId),
    /// It cannot be read.
    Rejected(Rejected),
}

/// Why there is no JSON.
enum Stop {
    Needs(SchemaId),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

// === impl Encoding ===

impl Default for Encoding {
    fn default() -> Self {
        Self::of(Values::Json, Compression::Auto)
    }
}

impl Encoding {
    fn of(values: Values, compression: Compression) -> Self {
        Self {
            values,
            compression,
            keys: false,
        }
    }

    /// Values with the id of a schema.
    #[must_use]
    pub fn registry() -> Self {
        Self::of(Values::Registry, Compression::Auto)
    }

    /// Values of Avro without an id, all of this schema.
    ///
    /// # Errors
    /// The schema cannot be read.
    pub fn avro(schema: &str) -> Result<Self, SchemaFault> {
        let schema = AvroSchema::read(schema, &[])?;
        Ok(Self::of(Values::Avro(Arc::new(schema)), Compression::None))
    }

    /// Values of Avro with the fingerprint of one of these schemas.
    ///
    /// # Errors
    /// The name of the schema that cannot be read, and why.
    pub fn single_object(schemas: &[Source]) -> Result<Self, (String, SchemaFault)> {
        let schemas = fingerprints(schemas)?;
        Ok(Self::of(
            Values::SingleObject(Arc::new(schemas)),
            Compression::Auto,
        ))
    }

    /// Messages of Protobuf without an id, all of this type of a `.proto` file, which imports the other files.
    ///
    /// # Errors
    /// The file cannot be compiled, or has no such message.
    pub fn protobuf(text: &str, imports: &[Source], message: &str) -> Result<Self, SchemaFault> {
        let message = ProtoSchema::compile(text, imports)?.named(message)?;
        Ok(Self::of(
            Values::Protobuf(Arc::new(message)),
            Compression::None,
        ))
    }

    /// Each record as it says itself; fingerprints are of these schemas.
    ///
    /// # Errors
    /// The name of the schema that cannot be read, and why.
    pub fn auto(schemas: &[Source]) -> Result<Self, (String, SchemaFault)> {
        let schemas = fingerprints(schemas)?;
        Ok(Self::of(Values::Auto(Arc::new(schemas)), Compression::Auto))
    }

    /// With that compression.
    #[must_use]
    pub fn compressed(self, compression: Compression) -> Self {
        Self {
            compression,
            ..self
        }
    }

    /// Whether keys have ids of schemas, too. A key without one stays as it is.
    #[must_use]
    pub fn with_keys(self, keys: bool) -> Self {
        Self { keys, ..self }
    }

    /// Which one it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.values {
            Values::Json => Kind::Json,
            Values::Registry => Kind::Registry,
            Values::Avro(_) => Kind::Avro,
            Values::SingleObject(_) => Kind::AvroSingleObject,
            Values::Protobuf(_) => Kind::Protobuf,
            Values::Auto(_) => Kind::Auto,
        }
    }

    /// The record in JSON.
    pub fn open<'r>(&self, record: &'r Record, schemas: &dyn Schemas) -> Opened<'r> {
        let Some(value) = &record.value else {
            return Opened::Record(Cow::Borrowed(record));
        };
        let json = match self.value(value, record, schemas) {
            Ok(json) => json,
            Err(stop) => return stop.of("value"),
        };
        let key = match self.key(record, schemas) {
            Ok(key) => key,
            Err(stop) => return stop.of("key"),
        };
        if json.is_none() && key.is_none() {
            return Opened::Record(Cow::Borrowed(record));
        }
        let headers = match &json {
            Some(Read::Written(_)) => headers(record),
            Some(Read::Expanded(_)) | None => record.headers.clone(),
        };
        Opened::Record(Cow::Owned(Record {
            position: record.position.clone(),
            key: key.or_else(|| record.key.clone()),
            value: json.map(Read::bytes).or_else(|| record.value.clone()),
            headers,
            timestamp_ms: record.timestamp_ms,
        }))
    }

    /// The JSON of a value, unless it is JSON as it is.
    fn value(
        &self,
        value: &Bytes,
        record: &Record,
        schemas: &dyn Schemas,
    ) -> Result<Option<Read>, Stop> {
        let expanded = self.expanded(value)?.map(Bytes::from);
        let bytes = expanded.as_ref().unwrap_or(value);
        let written = match &self.values {
            Values::Json => match marked(bytes) {
                Some(fault) => return Err(fault.into()),
                None => None,
            },
            Values::Registry => match framed(record, VALUE_ID, bytes)? {
                Some(framed) => Some(registered(&framed, schemas)?),
                None => return Err(without_frame(bytes).into()),
            },
            Values::Avro(schema) => Some(schema.json(small(bytes)?, out())?.into()),
            Values::SingleObject(known) => match frame::single_object(bytes) {
                Some(found) => Some(fingerprinted(known, found)?),
                None => {
                    let detail =
                        "it does not begin with 0xC3 0x01, as Avro with a fingerprint does";
                    return Err(Fault::invalid(frame::unread(bytes).unwrap_or(detail)).into());
                }
            },
            Values::Protobuf(message) => Some(message.json(small(bytes)?, out())?.into()),
            Values::Auto(known) => match framed(record, VALUE_ID, bytes)? {
                Some(framed) => Some(registered(&framed, schemas)?),
                None => match frame::single_object(bytes) {
                    Some(found) => Some(fingerprinted(known, found)?),
                    None => match frame::unread(bytes) {
                        Some(detail) => return Err(Fault::invalid(detail).into()),
                        None => None,
                    },
                },
            },
        };
        Ok(written
            .map(Read::Written)
            .or_else(|| expanded.map(Read::Expanded)))
    }

    fn expanded(&self, value: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.compression {
            Compression::None => Ok(None),
            Compression::Gzip => expand::gzip(value, LIMIT).map(Some),
            Compression::Zstd => expand::zstd(value, LIMIT).map(Some),
            Compression::Auto if expand::is_gzip(value) => expand::gzip(value, LIMIT).map(Some),
            Compression::Auto if expand::is_zstd(value) => expand::zstd(value, LIMIT).map(Some),
            Compression::Auto => Ok(None),
        }
    }

    /// The text of a key that has the id of a schema.
    fn key(&self, record: &Record, schemas: &dyn Schemas) -> Result<Option<Bytes>, Stop> {
        let Some(key) = record.key.as_ref().filter(|_| self.keys) else {
            return Ok(None);
        };
        let Some(framed) = framed(record, KEY_ID, key)? else {
            return Ok(None);
        };
        let json = registered(&framed, schemas)?;
        // a key that is a text is that text, as without a schema
        match serde_json::from_slice::<String>(&json) {
            Ok(text) => Ok(Some(Bytes::from(text))),
            Err(_) => Ok(Some(json)),
        }
    }
}

/// What a value was made.
enum Read {
    /// JSON of another encoding.
    Written(Bytes),
    /// What was compressed.
    Expanded(Bytes),
}

impl Read {
    fn bytes(self) -> Bytes {
        match self {
            Self::Written(bytes) | Self::Expanded(bytes) => bytes,
        }
    }
}

/// The id of a schema in a header, or else in front of the bytes.
fn framed<'r>(
    record: &'r Record,
    header: &str,
    bytes: &'r Bytes,
) -> Result<Option<Framed<'r>>, Fault> {
    match record.header(header) {
        Some(id) => frame::of_header(id, bytes).map(Some),
        None => Ok(frame::of_value(bytes)),
    }
}

fn registered(framed: &Framed<'_>, schemas: &dyn Schemas) -> Result<Bytes, Stop> {
    let id = framed.schema;
    let schema = match schemas.find(id) {
        Found::Known(schema) => schema,
        Found::NotYet => return Err(Stop::Needs(id)),
        Found::Unusable(why) => {
            return Err(Fault::Schema(format!("its schema {id}: {why}")).into());
        }
    };
    small(framed.content)?;
    let json = schema.json(framed, out()).map_err(|fault| match fault {
        Fault::Invalid(detail) => Fault::Invalid(format!("by its schema {id}, {detail}")),
        other @ (Fault::TooLarge(_) | Fault::TooDeep(_) | Fault::NotUtf8 | Fault::Schema(_)) => {
            other
        }
    })?;
    Ok(match json {
        Some(json) => Bytes::from(json),
        None => Bytes::copy_from_slice(framed.content),
    })
}

fn fingerprinted(known: &Fingerprints, found: (u64, &[u8])) -> Result<Bytes, Fault> {
    let (print, content) = found;
    let Some(schema) = known.get(&print) else {
        return Err(Fault::Schema(format!(
            "no configured schema has its fingerprint {print:016x}; add its file to the topic's `schemas`"
        )));
    };
    Ok(schema.json(small(content)?, out())?.into())
}

fn fingerprints(schemas: &[Source]) -> Result<Fingerprints, (String, SchemaFault)> {
    let mut all = Fingerprints::new();
    for one in schemas {
        let schema = AvroSchema::read(&one.text, &[]);
        let schema = schema.map_err(|fault| (one.name.clone(), fault))?;
        all.insert(schema.fingerprint(), schema);
    }
    Ok(all)
}

fn out() -> Out {
    Out::new(LIMIT, DEPTH)
}

fn small(bytes: &[u8]) -> Result<&[u8], Fault> {
    if bytes.len() <= LIMIT {
        return Ok(bytes);
    }
    let is = bytes.len();
    Err(Fault::TooLarge(format!(
        "it has {is} bytes, more than the limit of {LIMIT}"
    )))
}

/// What is wrong with a value that begins as no JSON does, but as encodings do that another setting reads.
fn marked(bytes: &[u8]) -> Option<Fault> {
    if frame::of_value(bytes).is_some() {
        let detail =
            "it begins with 0x00, as values with a schema id do: `encoding: registry` reads them";
        return Some(Fault::invalid(detail));
    }
    if frame::single_object(bytes).is_some() {
        let detail = "it begins with 0xC3 0x01, as Avro with a fingerprint does: `encoding: avro-single-object` reads it";
        return Some(Fault::invalid(detail));
    }
    frame::unread(bytes).map(Fault::invalid)
}

/// What is wrong with a value that should have the id of a schema.
fn without_frame(bytes: &[u8]) -> Fault {
    let text = bytes.trim_ascii_start();
    if let Some(detail) = frame::unread(bytes) {
        return Fault::invalid(detail);
    }
    Fault::invalid(if text.starts_with(b"{") || text.starts_with(b"[") {
        "it has no schema id, and begins as JSON does: `encoding: auto` reads both"
    } else {
        "it has no schema id: neither 0x00 in front nor a header `__value_schema_id`"
    })
}

/// The headers of a record whose value is JSON now. What told its encoding is gone, so that no format takes it for something else.
fn headers(record: &Record) -> Vec<Header> {
    let told = |header: &&Header| header.name != VALUE_ID && header.name != KEY_ID;
    let in_json = |header: &Header| {
        let is_type = header.name.eq_ignore_ascii_case(CONTENT_TYPE);
        let value = header.value.as_deref().unwrap_or_default();
        let start = value.get(..STRUCTURED.len()).unwrap_or_default();
        if is_type && !start.eq_ignore_ascii_case(STRUCTURED.as_bytes()) {
            return Header {
                name: header.name.clone(),
                value: Some(Bytes::from_static(b"application/json")),
            };
        }
        header.clone()
    };
    record.headers.iter().filter(told).map(in_json).collect()
}

// === impl Stop ===

impl Stop {
    fn of<'r>(self, part: &str) -> Opened<'r> {
        match self {
            Self::Needs(id) => Opened::Needs(id),
            Self::Fault(fault) => Opened::Rejected(fault.rejected(part)),
        }
    }
}

// === impl Kind ===

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Json,
        Self::Registry,
        Self::Avro,
        Self::AvroSingleObject,
        Self::Protobuf,
        Self::Auto,
    ];

    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Registry => "registry",
            Self::Avro => "avro",
            Self::AvroSingleObject => "avro-single-object",
            Self::Protobuf => "protobuf",
            Self::Auto => "auto",
        }
    }
}

// === impl Compression ===

impl Compression {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::None, Self::Gzip, Self::Zstd, Self::Auto];

    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Auto => "auto",
        }
    }
}
