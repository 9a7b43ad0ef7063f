//! Where the fields of one message stand.

use std::collections::HashMap;

use prost_reflect::{Kind, MessageDescriptor, Value};

use super::wire::{Part, Parts, Span, number};
use crate::fault::Fault;

/// The places of a message's fields; the content stays in the bytes of the value. What a value needs at a time is a dozen bytes for each field of the
/// message, of the one around it, and so on: none of them stands in two.
#[derive(Debug)]
pub(super) struct View<'b> {
    pub(super) of: MessageDescriptor,
    pub(super) bytes: &'b [u8],
    /// By number, and in the order of the bytes.
    parts: Vec<Part>,
}

impl<'b> View<'b> {
    /// The fields of a message that stands there. One that comes in several pieces is all of them.
    pub(super) fn new(of: MessageDescriptor, bytes: &'b [u8], at: &[Span]) -> Result<Self, Fault> {
        let mut parts = Vec::with_capacity(count(&of, bytes, at)?);
        for piece in at {
            let mut all = Parts::new(bytes, *piece);
            while let Some(part) = all.next()? {
                if of.get_field(part.number()).is_some() {
                    parts.push(part);
                }
            }
        }
        choose(&of, &mut parts);
        parts.sort_unstable_by_key(|part| (part.number(), part.place()));
        Ok(Self { of, bytes, parts })
    }

    /// Everything of a field, in order.
    pub(super) fn all(&self, number: u32) -> &[Part] {
        let from = self.parts.partition_point(|part| part.number() < number);
        let rest = self.parts.get(from..).unwrap_or_default();
        let length = rest.partition_point(|part| part.number() == number);
        rest.get(..length).unwrap_or_default()
    }

    /// Any field that is there.
    pub(super) fn any(&self) -> Option<u32> {
        self.parts.first().map(|part| part.number())
    }

    /// The number of a field, or its default; 0 if it has none.
    pub(super) fn whole(&self, field: u32) -> i64 {
        let value = self.of.get_field(field).and_then(|described| {
            let last = self.all(field).last();
            last.and_then(|part| number(&described.kind(), part.content().of(self.bytes)))
        });
        match value {
            Some(Value::I64(number)) => number,
            Some(Value::I32(number)) => i64::from(number),
            _ => 0,
        }
    }

    /// The bytes of a field of that kind; none if it is not there.
    pub(super) fn content(&self, field: u32, kind: &Kind) -> Option<Span> {
        let is = self.of.get_field(field).map(|field| field.kind());
        let last = self.all(field).last();
        last.filter(|_| is.as_ref() == Some(kind))
            .map(|part| part.content())
    }
}

fn count(of: &MessageDescriptor, bytes: &[u8], at: &[Span]) -> Result<usize, Fault> {
    let mut count = 0;
    for piece in at {
        let mut all = Parts::new(bytes, *piece);
        while let Some(part) = all.next()? {
            count += usize::from(of.get_field(part.number()).is_some());
        }
    }
    Ok(count)
}

/// Of fields that exclude each other, keeps the one that came last, as far as no other came between.
fn choose(of: &MessageDescriptor, parts: &mut Vec<Part>) {
    if of.oneofs().len() == 0 {
        return;
    }
    // the first field of a choice names it
    let choice = |part: &Part| {
        let oneof = of.get_field(part.number())?.containing_oneof()?;
        let first = oneof.fields().next().map(|field| field.number());
        first.filter(|_| oneof.fields().len() > 1)
    };
    let mut chosen: HashMap<u32, (u32, u32)> = HashMap::new();
    for part in parts.iter() {
        if let Some(choice) = choice(part) {
            let (number, since) = chosen.entry(choice).or_insert((0, 0));
            if *number != part.number() {
                (*number, *since) = (part.number(), part.place());
            }
        }
    }
    if chosen.is_empty() {
        return;
    }
    parts.retain(|part| {
        let chosen = choice(part).and_then(|choice| chosen.get(&choice));
        chosen.is_none_or(|(number, since)| *number == part.number() && part.place() >= *since)
    });
}
