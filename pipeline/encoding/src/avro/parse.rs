//! Reads the JSON of a schema.

use std::collections::HashMap;

use ingest_model::decimal::MAX_SCALE;
use serde_json::{Map, Value};

use super::types::{BytesMeans, Node, NodeId, TextMeans, WholeMeans};
use crate::fault::SchemaFault;

/// The most types of a schema.
const MAX_NODES: usize = 50_000;
const MILLI: i64 = 1_000_000;
const MICRO: i64 = 1_000;
const DEBEZIUM: &str = "io.debezium.";
const CONNECT: &str = "org.apache.kafka.connect.data.";

/// Collects the types of a schema and of those that it refers to.
#[derive(Debug, Default)]
pub(super) struct Parser {
    nodes: Vec<Option<Node>>,
    names: HashMap<String, NodeId>,
}

// === impl Parser ===

impl Parser {
    /// The types, in their places.
    pub(super) fn nodes(self) -> Result<Vec<Node>, SchemaFault> {
        let all: Option<Vec<Node>> = self.nodes.into_iter().collect();
        all.ok_or_else(|| fault("a type has no end"))
    }

    /// Adds a schema whose names without a dot are in that namespace.
    pub(super) fn schema(
        &mut self,
        schema: &Value,
        namespace: &str,
    ) -> Result<NodeId, SchemaFault> {
        match schema {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let place = self.reserve()?;
                let mut all = Vec::with_capacity(branches.len());
                for branch in branches {
                    all.push(self.schema(branch, namespace)?);
                }
                if all.is_empty() {
                    return Err(fault("a union has no branch"));
                }
                Ok(self.put(place, Node::Union(all)))
            }
            Value::Object(object) => self.object(object, namespace),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Err(fault("a type is neither a name, a list nor an object"))
            }
        }
    }

    fn reserve(&mut self) -> Result<NodeId, SchemaFault> {
        if self.nodes.len() >= MAX_NODES {
            return Err(fault(format!("it has more than {MAX_NODES} types")));
        }
        self.nodes.push(None);
        Ok(NodeId(self.nodes.len() - 1))
    }

    fn put(&mut self, place: NodeId, node: Node) -> NodeId {
        if let Some(slot) = self.nodes.get_mut(place.0) {
            *slot = Some(node);
        }
        place
    }

    fn add(&mut self, node: Node) -> Result<NodeId, SchemaFault> {
        let place = self.reserve()?;
        Ok(self.put(place, node))
    }

    /// A type by its name alone: one of Avro's own, or one that was defined before.
    fn named(&mut self, name: &str, namespace: &str) -> Result<NodeId, SchemaFault> {
        if let Some(node) = primitive(name, &Map::new()) {
            return self.add(node);
        }
        let full = full_name(name, namespace);
        let known = self.names.get(&full).or_else(|| self.names.get(name));
        known
            .copied()
            .ok_or_else(|| fault(format!("the type {full} is not defined before it is used")))
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Result<NodeId, SchemaFault> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            // a type within a type: what stands around it says what it means
            Some(Value::Object(inner)) => {
                let mut both = object.clone();
                // an inner one without a type must not find itself again
                both.remove("type");
                both.extend(inner.clone());
                return self.object(&both, namespace);
            }
            Some(other) => return self.schema(other, namespace),
            None => return Err(fault("a type has no `type`")),
        };
        match name {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let place = self.reserve()?;
                self.define(object, namespace, place)?;
                let symbols = list(object, "symbols")?.iter().map(Value::as_str);
                let symbols: Option<Vec<String>> =
                    symbols.map(|symbol| symbol.map(str::to_owned)).collect();
                let symbols = symbols.ok_or_else(|| fault("a symbol of an enum is no text"))?;
                Ok(self.put(place, Node::Enum(symbols)))
            }
            "fixed" => {
                let place = self.reserve()?;
                self.define(object, namespace, place)?;
                let size = object.get("size").and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| fault("a fixed has no `size`"))?;
                let means = match bytes_means(object) {
                    BytesMeans::Uuid if size != 16 => BytesMeans::Bytes,
                    BytesMeans::Duration if size != 12 => BytesMeans::Bytes,
                    means @ (BytesMeans::Bytes
                    | BytesMeans::Decimal(_)
                    | BytesMeans::BigDecimal
                    | BytesMeans::Uuid
                    | BytesMeans::Duration) => means,
                };
                Ok(self.put(place, Node::Fixed { size, means }))
            }
            "array" | "map" => {
                let place = self.reserve()?;
                let of = if name == "array" { "items" } else { "values" };
                let of = object
                    .get(of)
                    .ok_or_else(|| fault(format!("a type {name} has no `{of}`")))?;
                let of = self.schema(of, namespace)?;
                let node = if name == "array" {
                    Node::Array(of)
                } else {
                    Node::Map(of)
                };
                Ok(self.put(place, node))
            }
            _ => match primitive(name, object) {
                Some(node) => self.add(node),
                None => self.named(name, namespace),
            },
        }
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Result<NodeId, SchemaFault> {
        let place = self.reserve()?;
        let inner = self.define(object, namespace, place)?;
        let mut fields: Vec<(String, NodeId)> = Vec::new();
        for field in list(object, "fields")? {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| fault("a field of a record has no name"))?;
            let of = field
                .get("type")
                .ok_or_else(|| fault(format!("the field `{name}` has no type")))?;
            fields.push((name.to_owned(), self.schema(of, &inner)?));
        }
        let decimal = connect_name(object) == Some("io.debezium.data.VariableScaleDecimal");
        Ok(self.put(place, Node::Record { fields, decimal }))
    }

    /// Notes down the name of a type, and returns the namespace for what is in it.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        place: NodeId,
    ) -> Result<String, SchemaFault> {
        let full = defined_name(object, namespace).ok_or_else(|| fault("a type has no name"))?;
        let inner = full.rsplit_once('.').map_or("", |(before, _)| before);
        let inner = inner.to_owned();
        self.names.insert(full, place);
        Ok(inner)
    }
}

/// The full name of a type that is defined here.
pub(super) fn defined_name(object: &Map<String, Value>, namespace: &str) -> Option<String> {
    let name = object.get("name").and_then(Value::as_str)?;
    let namespace = object
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or(namespace);
    Some(full_name(name, namespace))
}

/// A name with its namespace.
pub(super) fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// Avro's own types, and what they mean here.
fn primitive(name: &str, object: &Map<String, Value>) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" | "long" => Node::Whole {
            long: name == "long",
            means: whole_means(object),
        },
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes(match bytes_means(object) {
            BytesMeans::Uuid | BytesMeans::Duration => BytesMeans::Bytes,
            means @ (BytesMeans::Bytes | BytesMeans::Decimal(_) | BytesMeans::BigDecimal) => means,
        }),
        "string" => Node::Text(if connect_name(object) == Some("io.debezium.data.Json") {
            TextMeans::Json
        } else {
            TextMeans::Text
        }),
        _ => return None,
    })
}

fn connect_name(object: &Map<String, Value>) -> Option<&str> {
    object.get("connect.name").and_then(Value::as_str)
}

fn whole_means(object: &Map<String, Value>) -> WholeMeans {
    if let Some(name) = connect_name(object) {
        let own = name.strip_prefix(DEBEZIUM).unwrap_or(name);
        let own = own.strip_prefix(CONNECT).unwrap_or(own);
        let found = match own {
            "time.Date" | "Date" => Some(WholeMeans::Date),
            "time.Time" | "Time" => Some(WholeMeans::Time(MILLI)),
            "time.MicroTime" => Some(WholeMeans::Time(MICRO)),
            "time.NanoTime" => Some(WholeMeans::Time(1)),
            "time.Timestamp" | "Timestamp" => Some(WholeMeans::Instant(MILLI)),
            "time.MicroTimestamp" => Some(WholeMeans::Instant(MICRO)),
            "time.NanoTimestamp" => Some(WholeMeans::Instant(1)),
            _ => None,
        };
        if let Some(found) = found {
            return found;
        }
    }
    match object.get("logicalType").and_then(Value::as_str) {
        Some("date") => WholeMeans::Date,
        Some("time-millis") => WholeMeans::Time(MILLI),
        Some("time-micros") => WholeMeans::Time(MICRO),
        Some("timestamp-millis") => WholeMeans::Instant(MILLI),
        Some("timestamp-micros") => WholeMeans::Instant(MICRO),
        Some("timestamp-nanos") => WholeMeans::Instant(1),
        Some("local-timestamp-millis") => WholeMeans::Local(MILLI),
        Some("local-timestamp-micros") => WholeMeans::Local(MICRO),
        Some("local-timestamp-nanos") => WholeMeans::Local(1),
        Some(_) | None => WholeMeans::Number,
    }
}

fn bytes_means(object: &Map<String, Value>) -> BytesMeans {
    let scale = || {
        let said = object.get("scale").map_or(Some(0), Value::as_u64)?;
        usize::try_from(said)
            .ok()
            .filter(|scale| *scale <= MAX_SCALE)
    };
    match object.get("logicalType").and_then(Value::as_str) {
        Some("decimal") => scale().map_or(BytesMeans::Bytes, BytesMeans::Decimal),
        Some("big-decimal") => BytesMeans::BigDecimal,
        Some("uuid") => BytesMeans::Uuid,
        Some("duration") => BytesMeans::Duration,
        Some(_) | None => BytesMeans::Bytes,
    }
}

fn list<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v Vec<Value>, SchemaFault> {
    let found = object.get(name).and_then(Value::as_array);
    found.ok_or_else(|| fault(format!("a type has no list `{name}`")))
}

fn fault(detail: impl Into<String>) -> SchemaFault {
    SchemaFault(detail.into())
}
