//! Avro: a value and the schema that it was written with become JSON.
//!
//! Values are read by the writer's schema alone; nothing is resolved against another one, because mappings name what they want. The
//! JSON is what a person expects, not Avro's own: a union is its value; bytes are base64; an enum is its symbol; decimals, dates
//! and times are texts (`texts`), by Avro's logical types or by the names of Kafka Connect and Debezium.

mod canonical;
mod parse;
mod read;
mod types;

use serde_json::Value;

use self::parse::Parser;
use self::types::{Node, NodeId};
use crate::fault::{Fault, SchemaFault};
use crate::json::Out;
use crate::source::Source;

/// A schema and the types in it.
#[derive(Debug)]
pub(crate) struct AvroSchema {
    nodes: Vec<Node>,
    root: NodeId,
    fingerprint: u64,
}

// === impl AvroSchema ===

impl AvroSchema {
    /// Reads a schema. Those it refers to come before it, each after those that it needs itself.
    pub(crate) fn read(text: &str, references: &[Source]) -> Result<Self, SchemaFault> {
        let mut parser = Parser::default();
        for one in references {
            let json = json_of(&one.text);
            let json = json.map_err(|fault| SchemaFault(format!("{}: {}", one.name, fault.0)))?;
            parser.schema(&json, "")?;
        }
        let json = json_of(text)?;
        let root = parser.schema(&json, "")?;
        Ok(Self {
            nodes: parser.nodes()?,
            root,
            fingerprint: canonical::fingerprint(&json),
        })
    }

    /// The fingerprint that stands in front of single objects.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The JSON of a value.
    pub(crate) fn json(&self, bytes: &[u8], mut out: Out) -> Result<String, Fault> {
        let mut reader = read::Reader::new(&self.nodes, bytes);
        reader.value(self.root, &mut out)?;
        let left = reader.left();
        if left > 0 {
            return Err(Fault::invalid(format!(
                "{left} bytes follow the end of the value: it was written with another schema"
            )));
        }
        Ok(out.done())
    }
}

fn json_of(text: &str) -> Result<Value, SchemaFault> {
    match serde_json::from_str(text) {
        Ok(json) => Ok(json),
        // a name alone, as `string`
        Err(_) if is_name(text.trim()) => Ok(Value::from(text.trim())),
        Err(error) => Err(SchemaFault(format!("it is not JSON: {error}"))),
    }
}

fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    !text.is_empty() && text.bytes().all(legal)
}
