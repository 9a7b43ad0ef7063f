//! Reads a value and writes its JSON.

use super::types::{BytesMeans, Node, NodeId, TextMeans, WholeMeans};
use crate::fault::Fault;
use crate::frame::zigzag;
use crate::json::Out;
use crate::texts;

/// Types nest no deeper than this in a value. A record or a union in a union takes no level of the JSON, but one of the stack.
const MAX_DEPTH: usize = 256;

/// A value that is being read.
#[derive(Debug)]
pub(super) struct Reader<'v> {
    nodes: &'v [Node],
    bytes: &'v [u8],
    depth: usize,
}

// === impl Reader ===

impl<'v> Reader<'v> {
    pub(super) fn new(nodes: &'v [Node], bytes: &'v [u8]) -> Self {
        Self {
            nodes,
            bytes,
            depth: 0,
        }
    }

    /// How many bytes were not read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Reads a value of this type.
    pub(super) fn value(&mut self, of: NodeId, out: &mut Out) -> Result<(), Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(MAX_DEPTH));
        }
        self.depth += 1;
        let read = self.value_within(of, out);
        self.depth -= 1;
        read
    }

    fn value_within(&mut self, of: NodeId, out: &mut Out) -> Result<(), Fault> {
        let Some(node) = self.nodes.get(of.0) else {
            return Err(Fault::invalid("a type of the schema is missing"));
        };
        match node {
            Node::Null => out.raw("null"),
            Node::Boolean => match self.take(1)? {
                [0] => out.raw("false"),
                [1] => out.raw("true"),
                _ => Err(Fault::invalid("a boolean is neither 0 nor 1")),
            },
            Node::Whole { long, means } => {
                let number = self.whole()?;
                if !long && i32::try_from(number).is_err() {
                    return Err(Fault::invalid("an int has more than 32 bits"));
                }
                meant(number, *means, out)
            }
            Node::Float => {
                let bits = self.array::<4>()?;
                out.float(f32::from_le_bytes(bits))
            }
            Node::Double => {
                let bits = self.array::<8>()?;
                out.double(f64::from_le_bytes(bits))
            }
            Node::Bytes(means) => {
                let bytes = self.sized()?;
                meant_bytes(bytes, *means, out)
            }
            Node::Fixed { size, means } => {
                let bytes = self.take(*size)?;
                meant_bytes(bytes, *means, out)
            }
            Node::Text(means) => {
                let text = self.text()?;
                match means {
                    TextMeans::Json if is_json(text) => out.raw(text.trim()),
                    TextMeans::Json | TextMeans::Text => out.string(text),
                }
            }
            Node::Enum(symbols) => {
                let at = self.whole()?;
                let symbol = usize::try_from(at).ok().and_then(|at| symbols.get(at));
                match symbol {
                    Some(symbol) => out.string(symbol),
                    None => Err(Fault::invalid("an enum has no such symbol")),
                }
            }
            Node::Union(branches) => {
                let at = self.whole()?;
                let branch = usize::try_from(at).ok().and_then(|at| branches.get(at));
                match branch {
                    Some(branch) => self.value(*branch, out),
                    None => Err(Fault::invalid("a union has no such branch")),
                }
            }
            Node::Array(items) => {
                out.open('[')?;
                self.blocks(out, |reader, out| reader.value(*items, out))?;
                out.close(']')
            }
            Node::Map(values) => {
                out.open('{')?;
                self.blocks(out, |reader, out| {
                    out.name(reader.text()?)?;
                    reader.value(*values, out)
                })?;
                out.close('}')
            }
            Node::Record {
                fields,
                decimal: true,
            } if fields.len() == 2 => self.own_scale(fields, out),
            Node::Record { fields, .. } => {
                out.open('{')?;
                let mut first = true;
                for (name, of) in fields {
                    out.next(&mut first)?;
                    out.name(name)?;
                    let read = self.value(*of, out);
                    read.map_err(|fault| fault.within(name))?;
                }
                out.close('}')
            }
        }
    }

    /// The blocks of an array or a map. A block of nothing that takes bytes still writes some, so the limit of the output ends it.
    fn blocks(
        &mut self,
        out: &mut Out,
        mut item: impl FnMut(&mut Self, &mut Out) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut first = true;
        loop {
            let mut count = self.whole()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // its length in bytes follows, for those who want to skip it
                self.whole()?;
                count = count.checked_neg().ok_or_else(|| cut_off("a block"))?;
            }
            for _ in 0..count {
                out.next(&mut first)?;
                item(self, out)?;
            }
        }
    }

    /// A decimal in a record `{scale, value}`.
    fn own_scale(&mut self, fields: &[(String, NodeId)], out: &mut Out) -> Result<(), Fault> {
        let (mut scale, mut bytes) = (0, None);
        for (_, of) in fields {
            match self.nodes.get(of.0) {
                Some(Node::Whole { .. }) => scale = self.whole()?,
                Some(Node::Bytes(_)) => bytes = Some(self.sized()?),
                _ => return Err(Fault::invalid("a VariableScaleDecimal has other fields")),
            }
        }
        texts::scaled(bytes.unwrap_or_default(), scale, out)
    }

    fn take(&mut self, count: usize) -> Result<&'v [u8], Fault> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| cut_off("a value"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or_else(|| cut_off("a number"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn whole(&mut self) -> Result<i64, Fault> {
        let (number, rest) = zigzag(self.bytes).ok_or_else(|| cut_off("a number"))?;
        self.bytes = rest;
        Ok(number)
    }

    /// Bytes with their length in front.
    fn sized(&mut self) -> Result<&'v [u8], Fault> {
        let length = self.whole()?;
        let length = usize::try_from(length).map_err(|_error| cut_off("a length"))?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'v str, Fault> {
        let bytes = self.sized()?;
        std::str::from_utf8(bytes).map_err(|_error| Fault::NotUtf8)
    }
}

fn cut_off(what: &str) -> Fault {
    Fault::invalid(format!(
        "{what} is cut off, or it was written with another schema"
    ))
}

fn meant(number: i64, means: WholeMeans, out: &mut Out) -> Result<(), Fault> {
    let nanoseconds = |unit: i64| i128::from(number) * i128::from(unit);
    match means {
        WholeMeans::Number => out.whole(number),
        WholeMeans::Date => texts::date(number, out),
        WholeMeans::Time(unit) => texts::time_of_day(nanoseconds(unit), out),
        WholeMeans::Instant(unit) => texts::instant(nanoseconds(unit), true, out),
        WholeMeans::Local(unit) => texts::instant(nanoseconds(unit), false, out),
    }
}

fn meant_bytes(bytes: &[u8], means: BytesMeans, out: &mut Out) -> Result<(), Fault> {
    match means {
        BytesMeans::Bytes => out.bytes(bytes),
        BytesMeans::Decimal(scale) => out.string(&texts::decimal(bytes, scale)?),
        BytesMeans::BigDecimal => {
            // bytes with their length, then the scale
            let mut inner = Reader::new(&[], bytes);
            let digits = inner.sized()?;
            let scale = inner.whole()?;
            texts::scaled(digits, scale, out)
        }
        BytesMeans::Uuid => texts::uuid(bytes, out),
        BytesMeans::Duration => texts::duration(bytes, out),
    }
}

/// Whether a text is JSON, as deep as it may be.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}
