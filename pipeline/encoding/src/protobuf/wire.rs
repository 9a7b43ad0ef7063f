//! The wire format: which fields stand where in the bytes of a message, and what one number of it is.

use prost_reflect::{Kind, Value};

use crate::fault::Fault;

/// The wire types: the lowest three bits in front of a field.
pub(super) const VARINT: u32 = 0;
pub(super) const EIGHT: u32 = 1;
pub(super) const LENGTH: u32 = 2;
pub(super) const GROUP: u32 = 3;
const GROUP_END: u32 = 4;
const FOUR: u32 = 5;

/// Groups and messages nest no deeper than this.
pub(super) const DEEPEST: usize = 100;

/// A stretch of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    from: u32,
    to: u32,
}

/// A field where it stands: twelve bytes, because a value may have half a million of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    key: u32,
    content: Span,
}

/// Walks through the fields of a message.
#[derive(Debug)]
pub(super) struct Parts<'b> {
    bytes: &'b [u8],
    at: usize,
    end: usize,
}

// === impl Span ===

impl Span {
    /// All of these bytes.
    pub(super) fn all(bytes: &[u8]) -> Result<Self, Fault> {
        Self::new(0, bytes.len())
    }

    fn new(from: usize, to: usize) -> Result<Self, Fault> {
        match (u32::try_from(from), u32::try_from(to)) {
            (Ok(from), Ok(to)) => Ok(Self { from, to }),
            _ => Err(Fault::TooLarge("it has more than 4 GiB".to_owned())),
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    /// A text that was checked.
    pub(super) fn text(self, bytes: &[u8]) -> &str {
        std::str::from_utf8(self.of(bytes)).unwrap_or_default()
    }

    fn range(self) -> std::ops::Range<usize> {
        let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
        place(self.from)..place(self.to)
    }
}

// === impl Part ===

impl Part {
    pub(super) fn number(self) -> u32 {
        self.key >> 3
    }

    pub(super) fn wire(self) -> u32 {
        self.key & 7
    }

    pub(super) fn content(self) -> Span {
        self.content
    }

    /// Where it stands among others of the same value.
    pub(super) fn place(self) -> u32 {
        self.content.from
    }
}

// === impl Parts ===

impl<'b> Parts<'b> {
    pub(super) fn new(bytes: &'b [u8], of: Span) -> Self {
        let range = of.range();
        Self {
            bytes,
            at: range.start,
            end: range.end,
        }
    }

    /// The next field, if there is one more.
    pub(super) fn next(&mut self) -> Result<Option<Part>, Fault> {
        if self.at >= self.end {
            return Ok(None);
        }
        let key = self.key()?;
        let content = match key & 7 {
            GROUP => self.group(key >> 3)?,
            wire => self.content(wire)?,
        };
        Ok(Some(Part { key, content }))
    }

    fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    fn key(&mut self) -> Result<u32, Fault> {
        let key = u32::try_from(self.varint()?).ok();
        let key = key.filter(|key| key >> 3 != 0);
        key.ok_or_else(|| Fault::invalid("a field has a number that no field can have"))
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let (number, length) = varint(self.rest()).ok_or_else(cut_off)?;
        self.at += length;
        Ok(number)
    }

    /// What a field has that is no group.
    fn content(&mut self, wire: u32) -> Result<Span, Fault> {
        let length = match wire {
            LENGTH => {
                let length = usize::try_from(self.varint()?).ok();
                length.ok_or_else(cut_off)?
            }
            wire => step(self.rest(), wire)?,
        };
        let from = self.at;
        let to = from.checked_add(length).filter(|to| *to <= self.end);
        self.at = to.ok_or_else(cut_off)?;
        Span::new(from, self.at)
    }

    /// What stands between the beginning of a group, which was read, and its end.
    fn group(&mut self, number: u32) -> Result<Span, Fault> {
        let from = self.at;
        let mut open = vec![number];
        loop {
            let before = self.at;
            let key = self.key()?;
            match key & 7 {
                GROUP if open.len() >= DEEPEST => return Err(Fault::TooDeep(DEEPEST)),
                GROUP => open.push(key >> 3),
                GROUP_END => {
                    if open.pop() != Some(key >> 3) {
                        return Err(Fault::invalid("a group ends that did not begin"));
                    }
                    if open.is_empty() {
                        return Span::new(from, before);
                    }
                }
                wire => {
                    self.content(wire)?;
                }
            }
        }
    }
}

fn cut_off() -> Fault {
    Fault::invalid("it is cut off, or a number in it has no end")
}

/// How many bytes one number of that wire type has.
pub(super) fn step(bytes: &[u8], wire: u32) -> Result<usize, Fault> {
    let length = match wire {
        VARINT => varint(bytes).map(|(_, length)| length),
        EIGHT => Some(8),
        FOUR => Some(4),
        GROUP_END => return Err(Fault::invalid("a group ends that did not begin")),
        other => {
            return Err(Fault::invalid(format!(
                "a field of the wire type {other}, which has no meaning here"
            )));
        }
    };
    length
        .filter(|length| *length <= bytes.len())
        .ok_or_else(cut_off)
}

/// A number of variable length, and how many bytes it has.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        if at == 9 && *byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
    }
    None
}

/// The wire type of a type that is no group.
pub(super) fn wire_of(kind: &Kind) -> u32 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => EIGHT,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => FOUR,
        Kind::String | Kind::Bytes | Kind::Message(_) => LENGTH,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => VARINT,
    }
}

/// The number that these bytes are; `None` for texts, bytes and messages.
pub(super) fn number(kind: &Kind, bytes: &[u8]) -> Option<Value> {
    let long = || Some(varint(bytes)?.0);
    let short = || Some(low(varint(bytes)?.0));
    let four = || Some(*bytes.first_chunk::<4>()?);
    let eight = || Some(*bytes.first_chunk::<8>()?);
    Some(match kind {
        Kind::Double => Value::F64(f64::from_le_bytes(eight()?)),
        Kind::Float => Value::F32(f32::from_le_bytes(four()?)),
        Kind::Fixed64 => Value::U64(u64::from_le_bytes(eight()?)),
        Kind::Sfixed64 => Value::I64(i64::from_le_bytes(eight()?)),
        Kind::Fixed32 => Value::U32(u32::from_le_bytes(four()?)),
        Kind::Sfixed32 => Value::I32(i32::from_le_bytes(four()?)),
        Kind::Uint64 => Value::U64(long()?),
        Kind::Int64 => Value::I64(long()?.cast_signed()),
        Kind::Uint32 => Value::U32(short()?),
        Kind::Int32 => Value::I32(short()?.cast_signed()),
        Kind::Enum(_) => Value::EnumNumber(short()?.cast_signed()),
        Kind::Bool => Value::Bool(long()? != 0),
        // the sign is the lowest bit
        Kind::Sint64 => {
            let number = long()?;
            Value::I64((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
        }
        Kind::Sint32 => {
            let number = short()?;
            Value::I32((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
        }
        Kind::String | Kind::Bytes | Kind::Message(_) => return None,
    })
}

/// The lower half of a number.
fn low(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
