//! Whether bytes are a message of their type, all of them: the writer reads only what it shows.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::wire::{DEEPEST, GROUP, LENGTH, Part, Parts, Span, step, wire_of};
use crate::fault::Fault;

/// Checks the message that stands there, and those within it.
pub(super) fn message(
    of: &MessageDescriptor,
    bytes: &[u8],
    at: Span,
    depth: usize,
) -> Result<(), Fault> {
    if depth > DEEPEST {
        return Err(Fault::TooDeep(DEEPEST));
    }
    let mut parts = Parts::new(bytes, at);
    while let Some(part) = parts.next()? {
        if let Some(field) = of.get_field(part.number()) {
            let checked = of_field(&field, bytes, part, depth);
            checked.map_err(|fault| fault.within(field.name()))?;
        }
    }
    Ok(())
}

/// Whether bytes are a message of that type and of no later one: all of its own fields are known.
pub(super) fn fits(of: &MessageDescriptor, bytes: &[u8]) -> bool {
    let own = |at| {
        let mut parts = Parts::new(bytes, at);
        while let Some(part) = parts.next()? {
            if of.get_field(part.number()).is_none() {
                return Err(Fault::invalid("a field that it does not have"));
            }
        }
        message(of, bytes, at, 0)
    };
    Span::all(bytes).and_then(own).is_ok()
}

fn of_field(field: &FieldDescriptor, bytes: &[u8], part: Part, depth: usize) -> Result<(), Fault> {
    let kind = field.kind();
    let wanted = match field.is_group() {
        true => GROUP,
        false => wire_of(&kind),
    };
    let content = part.content().of(bytes);
    if part.wire() != wanted {
        let packed = part.wire() == LENGTH && field.is_list() && wanted != GROUP;
        return match packed {
            true => numbers(content, wanted),
            false => Err(Fault::invalid("its bytes are those of another type")),
        };
    }
    match kind {
        Kind::String if std::str::from_utf8(content).is_err() => {
            Err(Fault::invalid("a text is not UTF-8"))
        }
        Kind::Message(of) => message(&of, bytes, part.content(), depth + 1),
        Kind::Double
        | Kind::Float
        | Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64
        | Kind::Bool
        | Kind::String
        | Kind::Bytes
        | Kind::Enum(_) => Ok(()),
    }
}

/// Numbers of a list, one right behind the other.
fn numbers(mut rest: &[u8], wire: u32) -> Result<(), Fault> {
    while !rest.is_empty() {
        let length = step(rest, wire)?;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}
