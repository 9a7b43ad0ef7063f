//! What says which schema a value has: the frame in front of it, or a header.
//!
//! - `0x00` and the number of the schema in four bytes, in front of the value.
//! - The same, or `0x01` and the GUID of the schema in sixteen bytes, in the header `__value_schema_id` (of a key:
//!   `__key_schema_id`). The value has no frame then.
//! - `0xC3 0x01` and a fingerprint of eight bytes in front of an Avro value.
//!
//! With Protobuf, a list says which message of the schema it is: how many numbers, then the numbers, one for each level of nesting; a single
//! `0x00` is short for the first message. It stands after the id, in the value or in the header.

use std::fmt;

use crate::fault::Fault;

/// What begins a value of Avro with a fingerprint.
const SINGLE_OBJECT: &[u8] = &[0xc3, 0x01];
/// The length of the id in the frame of AWS Glue's registry.
const GLUE_ID: usize = 16;
/// Messages nest no deeper than this.
const MAX_NESTING: usize = 32;

/// The id of a schema in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaId {
    /// A number, as registries give them.
    Number(u32),
    /// A GUID, which is the same in every registry.
    Guid([u8; 16]),
}

/// A value and what was said in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framed<'v> {
    pub(crate) schema: SchemaId,
    /// What follows the id in the header, if it came from there: the list of message numbers, or nothing.
    pub(crate) beside: Option<&'v [u8]>,
    pub(crate) content: &'v [u8],
}

/// The frame in front of a value, if it has one.
pub(crate) fn of_value(value: &[u8]) -> Option<Framed<'_>> {
    let rest = value.strip_prefix(&[0])?;
    let (id, content) = rest.split_first_chunk::<4>()?;
    // No registry gives the id 0; a number of eight bytes begins like that.
    if *id == [0; 4] {
        return None;
    }
    Some(Framed {
        schema: SchemaId::Number(u32::from_be_bytes(*id)),
        beside: None,
        content,
    })
}

/// The frame in a header.
pub(crate) fn of_header<'v>(header: &'v [u8], value: &'v [u8]) -> Result<Framed<'v>, Fault> {
    let found = match header.split_first() {
        Some((0, rest)) => rest
            .split_first_chunk::<4>()
            .map(|(id, beside)| (SchemaId::Number(u32::from_be_bytes(*id)), beside)),
        Some((1, rest)) => rest
            .split_first_chunk::<16>()
            .map(|(guid, beside)| (SchemaId::Guid(*guid), beside)),
        Some(_) | None => None,
    };
    let Some((schema, beside)) = found else {
        return Err(Fault::invalid(
            "the header of the schema id is neither 0x00 and 4 bytes nor 0x01 and 16 bytes",
        ));
    };
    Ok(Framed {
        schema,
        beside: Some(beside),
        content: value,
    })
}

/// The fingerprint and the content of an Avro value that has one.
pub(crate) fn single_object(value: &[u8]) -> Option<(u64, &[u8])> {
    let rest = value.strip_prefix(SINGLE_OBJECT)?;
    let (print, content) = rest.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*print), content))
}

/// What a value is that begins as none of the encodings does which a setting reads, and the way out.
pub(crate) fn unread(value: &[u8]) -> Option<&'static str> {
    match value {
        [0x03, 0x00 | 0x05, rest @ ..] if rest.len() >= GLUE_ID => Some(
            "it begins with 0x03 and a compression byte, as values of AWS Glue's registry do, which are not read: have the producer write JSON, \
             or Avro without a frame (`encoding: avro`)",
        ),
        [b'O', b'b', b'j', 0x01, ..] => Some(
            "it begins with `Obj` and 0x01: a container file of Avro, which is not read. Have the producer write each record by itself, \
             as Avro (`encoding: avro`) or JSON",
        ),
        _ => None,
    }
}

/// The list of message numbers, and what follows it.
pub(crate) fn message_path(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), Fault> {
    let broken = || Fault::invalid("the list that says which message it is, is cut off or not one");
    let (count, mut rest) = zigzag(bytes).ok_or_else(broken)?;
    if count == 0 {
        return Ok((vec![0], rest));
    }
    let count = usize::try_from(count).ok();
    let count = count.filter(|n| *n <= MAX_NESTING).ok_or_else(broken)?;
    let mut path = Vec::with_capacity(count);
    for _ in 0..count {
        let (number, after) = zigzag(rest).ok_or_else(broken)?;
        path.push(usize::try_from(number).ok().ok_or_else(broken)?);
        rest = after;
    }
    Ok((path, rest))
}

/// A number of variable length whose sign is its lowest bit, and what follows it.
pub(crate) fn zigzag(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        if at == 9 && part > 1 {
            return None;
        }
        number |= part << (7 * at);
        if byte & 0x80 == 0 {
            let half = i64::try_from(number >> 1).ok()?;
            let sign = if number & 1 == 1 { -1 } else { 0 };
            return Some((half ^ sign, bytes.get(at + 1..)?));
        }
    }
    None
}

// === impl SchemaId ===

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) => write!(f, "{id}"),
            Self::Guid(guid) => {
                for (at, byte) in guid.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}
