//! Steps as JSON, without anything about a person.
//!
//! A serializer that hides by default: every text, content and hash becomes a pseudonym unless its type or field is named here as
//! one that says nothing about a person. What a new field of an input holds is therefore hidden until somebody decides otherwise.

mod json;

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use self::json::{decimal, named, quoted};
use super::masks::Masks;

/// The longest name of an item in a job's results that is the machine's own: a number.
const REFERENCE: usize = 9;

/// What the next value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Part of the worker's own types: numbers are kept, texts are not.
    Own,
    /// Part of a body: nothing is kept.
    Body,
    /// A text that is never about a person.
    Known,
    /// The name of a field of a body.
    Name,
    Version,
    Hash,
    /// A hash as a number of 64 or 32 bits.
    HashNumber,
    HashHalf,
    /// The name of an item.
    Reference,
    /// The text beside a committed offset.
    Metadata,
}

/// Writes values as JSON.
pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut String,
    masks: Option<&'a Masks>,
    what: What,
    scratch: String,
    /// What stands for the text beside a committed offset.
    metadata: Option<&'a str>,
}

impl<'a> Encoder<'a> {
    /// An encoder that hides with these masks; without, everything is written as it is.
    pub(super) fn new(out: &'a mut String, masks: Option<&'a Masks>) -> Self {
        Self {
            out,
            masks,
            what: What::Own,
            scratch: String::new(),
            metadata: None,
        }
    }

    /// The same, with what stands for the text beside a committed offset.
    pub(super) fn with_metadata(self, metadata: Option<&'a str>) -> Self {
        Self { metadata, ..self }
    }

    /// Length and print of a value as JSON, pseudonyms in their places.
    pub(super) fn sum(&self, value: &impl Serialize) -> Result<(usize, u64), fmt::Error> {
        let mut text = String::new();
        value.serialize(&mut Encoder::new(&mut text, self.masks))?;
        // FNV-1a: the same in every version.
        let print = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Ok((text.len(), print))
    }

    fn text(&mut self, text: &str) -> fmt::Result {
        let Some(masks) = self.masks else {
            return quoted(self.out, text);
        };
        self.scratch.clear();
        match self.what {
            What::Known => return quoted(self.out, text),
            What::Reference if is_own_reference(text) => return quoted(self.out, text),
            What::Metadata => return quoted(self.out, self.metadata.unwrap_or("-")),
            What::Name => masks.field(text, &mut self.scratch),
            What::Hash => self.scratch = masks.hash_text(text),
            What::Version => masks.version(text, &mut self.scratch),
            What::Own | What::Body | What::HashNumber | What::HashHalf | What::Reference => {
                masks.text(text, &mut self.scratch);
            }
        }
        quoted(self.out, &self.scratch)
    }

    fn whole(&mut self, negative: bool, amount: u64) -> fmt::Result {
        let amount = match (self.masks, self.what) {
            (Some(masks), What::Body) => masks.whole(amount),
            (Some(masks), What::HashNumber) => masks.hash_number(amount, true),
            (Some(masks), What::HashHalf) => masks.hash_number(amount, false),
            (Some(_) | None, _) => amount,
        };
        if negative {
            self.out.push('-');
        }
        decimal(self.out, amount);
        Ok(())
    }

    fn within<T: ?Sized + Serialize>(&mut self, what: What, value: &T) -> fmt::Result {
        let before = std::mem::replace(&mut self.what, what);
        value.serialize(&mut *self)?;
        self.what = before;
        Ok(())
    }

    fn open(&mut self, opening: &str, closing: &'static str) -> Compound<'_, 'a> {
        self.out.push_str(opening);
        Compound {
            what: self.what,
            encoder: self,
            first: true,
            closing,
        }
    }

    fn variant(&mut self, variant: &str) -> fmt::Result {
        self.out.push('{');
        named(self.out, variant);
        self.out.push(':');
        Ok(())
    }
}

/// The machine numbers what it names; `c` stands before the number of a customer.
fn is_own_reference(text: &str) -> bool {
    let number = text.strip_prefix('c').unwrap_or(text);
    (1..=REFERENCE).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

fn of_newtype(name: &str, before: What) -> What {
    match name {
        "Topic" | "Klass" | "Name" => What::Known,
        // What an event adds to a sum: how much, but not whose.
        "Amount" => What::Known,
        "Version" => What::Version,
        "Hash" => What::Hash,
        "ChangeKey" | "Field" => What::HashNumber,
        _ => before,
    }
}

fn of_field(name: &str) -> What {
    match name {
        "route" | "field" | "kind" | "stage" => What::Known,
        "reference" => What::Reference,
        "fingerprint" => What::HashNumber,
        "mark" => What::HashHalf,
        _ => What::Own,
    }
}

/// A list, an object or a variant that is being written.
pub(super) struct Compound<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    what: What,
    first: bool,
    closing: &'static str,
}

impl Compound<'_, '_> {
    fn next(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.encoder.out.push(',');
        }
    }

    fn element<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        self.next();
        self.encoder.within(self.what, value)
    }

    fn field<T: ?Sized + Serialize>(&mut self, name: &str, value: &T) -> fmt::Result {
        self.next();
        named(self.encoder.out, name);
        self.encoder.out.push(':');
        self.encoder.within(of_field(name), value)
    }

    fn close(self) -> fmt::Result {
        self.encoder.out.push_str(self.closing);
        Ok(())
    }
}

impl<'e, 'a> Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Compound<'e, 'a>;
    type SerializeTuple = Compound<'e, 'a>;
    type SerializeTupleStruct = Compound<'e, 'a>;
    type SerializeTupleVariant = Compound<'e, 'a>;
    type SerializeMap = Compound<'e, 'a>;
    type SerializeStruct = Compound<'e, 'a>;
    type SerializeStructVariant = Compound<'e, 'a>;

    fn serialize_bool(self, value: bool) -> fmt::Result {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> fmt::Result {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> fmt::Result {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> fmt::Result {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> fmt::Result {
        self.whole(value < 0, value.unsigned_abs())
    }
    fn serialize_u8(self, value: u8) -> fmt::Result {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> fmt::Result {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> fmt::Result {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(self, value: u64) -> fmt::Result {
        self.whole(false, value)
    }
    fn serialize_f32(self, value: f32) -> fmt::Result {
        self.serialize_f64(value.into())
    }
    fn serialize_f64(self, value: f64) -> fmt::Result {
        let value = match self.masks {
            Some(masks) if self.what == What::Body => masks.fraction(value),
            Some(_) | None => value,
        };
        // As serde_json writes it, so that it is read back as a number with a fraction.
        let number = serde_json::Number::from_f64(value);
        match number {
            Some(number) => write!(self.out, "{number}"),
            None => self.serialize_unit(),
        }
    }
    fn serialize_char(self, value: char) -> fmt::Result {
        self.text(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> fmt::Result {
        self.text(value)
    }
    fn serialize_bytes(self, value: &[u8]) -> fmt::Result {
        match (self.masks, std::str::from_utf8(value)) {
            (Some(_), _) => write!(self.out, "{{\"bytes\":{}}}", value.len()),
            (None, Ok(text)) => quoted(self.out, text),
            (None, Err(_)) => write!(self.out, "{{\"base64\":\"{}\"}}", STANDARD.encode(value)),
        }
    }
    fn serialize_none(self) -> fmt::Result {
        self.serialize_unit()
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> fmt::Result {
        value.serialize(self)
    }
    fn serialize_unit(self) -> fmt::Result {
        self.out.push_str("null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> fmt::Result {
        named(self.out, variant);
        Ok(())
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        value: &T,
    ) -> fmt::Result {
        let what = of_newtype(name, self.what);
        self.within(what, value)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.variant(variant)?;
        let what = if name == "Metadata" {
            What::Metadata
        } else {
            What::Own
        };
        self.within(what, value)?;
        self.out.push('}');
        Ok(())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'e, 'a>, fmt::Error> {
        Ok(self.open("[", "]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<Compound<'e, 'a>, fmt::Error> {
        Ok(self.open("[", "]"))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'e, 'a>, fmt::Error> {
        Ok(self.open("[", "]"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'e, 'a>, fmt::Error> {
        self.variant(variant)?;
        Ok(self.open("[", "]}"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'e, 'a>, fmt::Error> {
        Ok(self.open("{", "}"))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'e, 'a>, fmt::Error> {
        Ok(self.open("{", "}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'e, 'a>, fmt::Error> {
        self.variant(variant)?;
        Ok(self.open("{", "}}"))
    }
}

impl SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}

impl SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}

impl SerializeTupleStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}

impl SerializeTupleVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}

/// Maps are bodies: the machine's own types have none.
impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> fmt::Result {
        self.next();
        self.encoder.within(What::Name, key)?;
        // The revision is the machine's, wherever it stands.
        let ends = |name: &str| self.encoder.out.ends_with(name);
        self.what = if ends("\"rev\"") {
            What::Own
        } else if ends("\"ingestOffsets\"") {
            // Topics, partitions and offsets of a digest.
            What::Known
        } else {
            What::Body
        };
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        self.encoder.out.push(':');
        self.encoder.within(self.what, value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}

impl SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.field(key, value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}

impl SerializeStructVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.field(key, value)
    }
    fn end(self) -> fmt::Result {
        self.close()
    }
}
