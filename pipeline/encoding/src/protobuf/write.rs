//! Writes a message as JSON while it is read: no tree of it is built, so what it needs is bounded by its bytes.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, Value};

use super::check;
use super::known::{self, Any, Known};
use super::view::View;
use super::wire::{GROUP, LENGTH, Part, Span, number, step, wire_of};
use crate::fault::Fault;
use crate::json::Out;
use crate::texts;

/// Looks at fields for one value. A text of a mebibyte needs far fewer, unless most of them are looks at fields that are not there.
const MAX_LOOKS: usize = 20_000_000;

/// Writes the messages of one value.
#[derive(Debug)]
struct Writer<'b> {
    bytes: &'b [u8],
    out: Out,
    looks: usize,
}

/// Checks a message and writes it.
pub(super) fn json(of: &MessageDescriptor, bytes: &[u8], out: Out) -> Result<String, Fault> {
    let all = Span::all(bytes)?;
    check::message(of, bytes, all, 0).map_err(|fault| match fault {
        Fault::Invalid(detail) => {
            let name = of.full_name();
            Fault::Invalid(format!("it is not a message {name}: {detail}"))
        }
        other @ (Fault::TooLarge(_) | Fault::TooDeep(_) | Fault::NotUtf8 | Fault::Schema(_)) => {
            other
        }
    })?;
    let mut writer = Writer {
        bytes,
        out,
        looks: 0,
    };
    let view = View::new(of.clone(), bytes, &[all])?;
    writer.message(&view)?;
    Ok(writer.out.done())
}

// === impl Writer ===

impl Writer<'_> {
    /// A message: what it means if its type is known, or else an object.
    fn message(&mut self, message: &View<'_>) -> Result<(), Fault> {
        match known::of(message)? {
            Some(known) => self.known(message, known),
            None => {
                self.out.open('{')?;
                self.fields(message, &mut true)?;
                self.out.close('}')
            }
        }
    }

    fn known(&mut self, message: &View<'_>, known: Known<'_>) -> Result<(), Fault> {
        match known {
            Known::Field(number) => match message.of.get_field(number) {
                Some(field) => self.field(message, &field),
                None => self.out.raw("null"),
            },
            Known::Null => self.out.raw("null"),
            Known::Text(text) => self.out.string(&text),
            Known::Instant(nanoseconds) => texts::instant(nanoseconds, true, &mut self.out),
            Known::TimeOfDay(nanoseconds) => texts::time_of_day(nanoseconds, &mut self.out),
            Known::Decimal(bytes, scale) => texts::scaled(bytes, scale, &mut self.out),
            Known::Any(any) => self.any(any),
        }
    }

    fn any(&mut self, Any { url, of, at }: Any<'_>) -> Result<(), Fault> {
        self.out.open('{')?;
        self.out.name("@type")?;
        self.out.string(url)?;
        match of {
            Some(of) => {
                let pieces: Vec<Span> = at.into_iter().collect();
                let inner = View::new(of, self.bytes, &pieces)?;
                self.fields(&inner, &mut false)?;
            }
            None => {
                self.out.raw(",")?;
                self.out.name("value")?;
                let content = at.map(|at| at.of(self.bytes)).unwrap_or_default();
                self.out.bytes(content)?;
            }
        }
        self.out.close('}')
    }

    /// The fields of a message, within an object that was begun.
    fn fields(&mut self, message: &View<'_>, first: &mut bool) -> Result<(), Fault> {
        for field in message.of.fields() {
            self.looks += 1;
            if self.looks > MAX_LOOKS {
                let many = "it has too many messages of types with too many fields";
                return Err(Fault::TooLarge(many.to_owned()));
            }
            if field.supports_presence() && message.all(field.number()).is_empty() {
                continue;
            }
            self.out.next(first)?;
            self.out.name(field.name())?;
            self.field(message, &field)
                .map_err(|fault| fault.within(field.name()))?;
        }
        Ok(())
    }

    /// A field: all of a list or a map; of anything else, what came last.
    fn field(&mut self, message: &View<'_>, field: &FieldDescriptor) -> Result<(), Fault> {
        let parts = message.all(field.number());
        let kind = field.kind();
        if field.is_list() {
            return self.list(&kind, field.is_group(), parts);
        }
        let Kind::Message(of) = kind else {
            return match parts.last() {
                Some(part) => self.content(&kind, part.content()),
                None => self.value(&field.default_value(), &kind),
            };
        };
        if field.is_map() {
            return self.map(&of, parts);
        }
        if parts.is_empty() {
            return self.out.raw("null");
        }
        let pieces: Vec<Span> = parts.iter().map(|part| part.content()).collect();
        let inner = View::new(of, self.bytes, &pieces)?;
        drop(pieces);
        self.message(&inner)
    }

    fn map(&mut self, entry: &MessageDescriptor, parts: &[Part]) -> Result<(), Fault> {
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        // in an order that every process gives them; of two with one key, the later one is
        let mut entries: BTreeMap<String, Span> = BTreeMap::new();
        for part in parts {
            let found = View::new(entry.clone(), self.bytes, &[part.content()])?;
            let kind = key.kind();
            let name = match found.all(key.number()).last() {
                Some(part) => key_of(&kind, part.content(), self.bytes),
                None => text_of(&key.default_value()),
            };
            entries.insert(name, part.content());
        }
        self.out.open('{')?;
        let mut first = true;
        for (name, at) in entries {
            self.out.next(&mut first)?;
            self.out.name(&name)?;
            let found = View::new(entry.clone(), self.bytes, &[at])?;
            if found.all(value.number()).is_empty()
                && let Kind::Message(of) = value.kind()
            {
                // an entry without a value has an empty one
                self.message(&View::new(of, self.bytes, &[])?)?;
            } else {
                self.field(&found, &value)?;
            }
        }
        self.out.close('}')
    }

    fn list(&mut self, kind: &Kind, is_group: bool, parts: &[Part]) -> Result<(), Fault> {
        self.out.open('[')?;
        let mut first = true;
        let wire = if is_group { GROUP } else { wire_of(kind) };
        for part in parts {
            if part.wire() == LENGTH && wire != LENGTH {
                let mut rest = part.content().of(self.bytes);
                while !rest.is_empty() {
                    let length = step(rest, wire)?;
                    self.out.next(&mut first)?;
                    let one = number(kind, rest).ok_or_else(|| Fault::invalid("no number"))?;
                    self.value(&one, kind)?;
                    rest = rest.get(length..).unwrap_or_default();
                }
                continue;
            }
            self.out.next(&mut first)?;
            if let Kind::Message(of) = kind {
                let inner = View::new(of.clone(), self.bytes, &[part.content()])?;
                self.message(&inner)?;
            } else {
                self.content(kind, part.content())?;
            }
        }
        self.out.close(']')
    }

    /// A text, bytes or a number.
    fn content(&mut self, kind: &Kind, at: Span) -> Result<(), Fault> {
        let bytes = at.of(self.bytes);
        match number(kind, bytes) {
            Some(number) => self.value(&number, kind),
            None if *kind == Kind::Bytes => self.out.bytes(bytes),
            None => self.out.string(at.text(self.bytes)),
        }
    }

    fn value(&mut self, value: &Value, kind: &Kind) -> Result<(), Fault> {
        let out = &mut self.out;
        match value {
            Value::Bool(yes) => out.raw(if *yes { "true" } else { "false" }),
            Value::I32(number) => out.whole(number),
            Value::I64(number) => out.whole(number),
            Value::U32(number) => out.whole(number),
            Value::U64(number) => out.whole(number),
            Value::F32(number) => out.float(*number),
            Value::F64(number) => out.double(*number),
            Value::String(text) => out.string(text),
            Value::Bytes(bytes) => out.bytes(bytes),
            Value::EnumNumber(number) => {
                let of = kind.as_enum();
                if of.is_some_and(|of| of.full_name() == "google.protobuf.NullValue") {
                    return out.raw("null");
                }
                match of.and_then(|of| of.get_value(*number)) {
                    Some(named) => out.string(named.name()),
                    None => out.whole(number),
                }
            }
            // defaults of fields that are none of these
            Value::Message(_) | Value::List(_) | Value::Map(_) => out.raw("null"),
        }
    }
}

/// The text that is the key of a map.
fn key_of(kind: &Kind, at: Span, bytes: &[u8]) -> String {
    match number(kind, at.of(bytes)) {
        Some(number) => text_of(&number),
        None => at.text(bytes).to_owned(),
    }
}

fn text_of(key: &Value) -> String {
    match key {
        Value::Bool(yes) => yes.to_string(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::String(text) => text.clone(),
        // no key is one of these
        Value::F32(_)
        | Value::F64(_)
        | Value::Bytes(_)
        | Value::EnumNumber(_)
        | Value::Message(_)
        | Value::List(_)
        | Value::Map(_) => String::new(),
    }
}
