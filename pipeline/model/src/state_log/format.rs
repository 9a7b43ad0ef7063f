//! Entries as bytes: keys as text, values as JSON, both with the format's version.
//!
//! A key is `1/slice/kind and entity/owner`, with hashes in hexadecimal. The only other key, `1/partitions`, says for how
//! many partitions the topic was laid out. What cannot be read is not ours, or of another version: the reader counts it
//! and leaves it alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Content, Entity, Entry, EntryKey, Intent, IntentItem, OperationRef, OwnerId, SliceId};
use crate::batch::Verb;
use crate::operation::{Klass, Version};
use crate::outcome::JobTicket;
use crate::record::Offset;
use crate::remembered::known::{Affiliation, KnownObject, Revision};
use crate::remembered::repeat::ChangeKey;
use crate::remembered::said::{Field, Said};

/// The version of keys and values.
const VERSION: u32 = 1;
/// The key of the entry that says how many partitions the topic has.
pub const HEADER_KEY: &str = "1/partitions";

#[derive(Serialize, Deserialize)]
struct RawHeader {
    v: u32,
    partitions: u32,
}

/// A value; every field but the version depends on the kind of entity.
#[derive(Serialize, Deserialize, Default)]
struct RawValue {
    v: u32,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    print: Option<u64>,
    /// The revision that Kustomer reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rev: Option<i64>,
    /// Updates since the create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updates: Option<i64>,
    /// The company of a customer; empty if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    company: Option<Arc<str>>,
    /// The object was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
    /// The latest changes: of an object, those at its version; of a customer, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    made: Vec<u64>,
    /// Fields of a customer and their times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    said: Vec<(u64, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<RawIntent>,
}

#[derive(Serialize, Deserialize)]
struct RawIntent {
    klass: Arc<str>,
    create: bool,
    refs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    items: Vec<RawItem>,
}

#[derive(Serialize, Deserialize)]
struct RawItem {
    r: String,
    o: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Arc<str>>,
    /// Ordinal, first offset, number of offsets that follow without a gap.
    ops: Vec<(u16, i64, u32)>,
    /// What each of them changes.
    #[serde(default)]
    marks: Vec<u32>,
}

/// An entry's key as bytes.
#[must_use]
pub fn encode_key(key: &EntryKey) -> Vec<u8> {
    let (kind, entity) = match key.entity {
        Entity::Customer(hash) => ('c', hash),
        Entity::Object(hash) => ('o', hash),
        Entity::Event(hash) => ('e', hash),
        Entity::Identity(hash) => ('n', hash),
        Entity::Intent(hash) => ('i', hash),
    };
    let (slice, owner) = (key.slice.0, key.owner.0);
    format!("{VERSION}/{slice:032x}/{kind}{entity:032x}/{owner:032x}").into_bytes()
}

/// The key in these bytes, or `None` if they are not a key of this version.
#[must_use]
pub fn decode_key(bytes: &[u8]) -> Option<EntryKey> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut parts = text.split('/');
    if parts.next()?.parse::<u32>().ok()? != VERSION {
        return None;
    }
    let slice = SliceId(hex(parts.next()?)?);
    let entity = parts.next()?;
    let kind = entity.chars().next()?;
    let hash = hex(entity.get(kind.len_utf8()..)?)?;
    let owner = OwnerId(hex(parts.next()?)?);
    if parts.next().is_some() {
        return None;
    }
    let entity = match kind {
        'c' => Entity::Customer(hash),
        'o' => Entity::Object(hash),
        'e' => Entity::Event(hash),
        'n' => Entity::Identity(hash),
        'i' => Entity::Intent(hash),
        _ => return None,
    };
    Some(EntryKey {
        slice,
        entity,
        owner,
    })
}

/// The value of an entry as bytes.
#[must_use]
pub fn encode_value(entry: &Entry) -> Vec<u8> {
    let mut raw = RawValue {
        v: VERSION,
        at: entry.at.0,
        ..RawValue::default()
    };
    match &entry.content {
        Content::Customer(id) => raw.id = Some(Arc::clone(id)),
        Content::Object(object) => {
            // Empty while the id is not known.
            raw.id = Some(object.id.clone().unwrap_or_else(|| Arc::from("")));
            raw.version = object.version.as_ref().map(|v| Arc::clone(&v.0));
            raw.print = object.fingerprint;
            raw.gone = object.gone;
            raw.made = object.changes.iter().map(|one| one.0).collect();
            if !object.company.is_unknown() {
                let company = object.company.id().cloned();
                raw.company = Some(company.unwrap_or_else(|| Arc::from("")));
            }
            match object.revision {
                Revision::Known(rev) => raw.rev = Some(rev),
                Revision::SinceCreate(updates) => raw.updates = Some(updates),
                Revision::Unknown => {}
            }
        }
        Content::Event => {}
        Content::Identity(said) => {
            raw.made = said.changes.iter().map(|one| one.0).collect();
            raw.said = said.ages.iter().map(|(field, at)| (field.0, at)).collect();
        }
        Content::Intent(intent) => raw.intent = Some(raw_intent(intent)),
    }
    // Only numbers, text and lists: serializing cannot fail.
    serde_json::to_vec(&raw).unwrap_or_default()
}

/// The entry in these bytes, under a key of that entity, or `None` if they are not an entry of this version.
#[must_use]
pub fn decode_value(entity: Entity, bytes: &[u8]) -> Option<Entry> {
    let raw: RawValue = serde_json::from_slice(bytes).ok()?;
    if raw.v != VERSION {
        return None;
    }
    let content = match entity {
        Entity::Customer(_) => Content::Customer(raw.id?),
        Entity::Object(_) => Content::Object(KnownObject {
            id: Some(raw.id?).filter(|id| !id.is_empty()),
            version: raw.version.map(Version),
            fingerprint: raw.print,
            revision: match (raw.rev, raw.updates) {
                (Some(rev), _) => Revision::Known(rev),
                (None, Some(updates)) => Revision::SinceCreate(updates),
                (None, None) => Revision::Unknown,
            },
            doubtful: false,
            gone: raw.gone,
            changes: raw.made.into_iter().map(ChangeKey).collect(),
            company: match raw.company {
                Some(id) => Affiliation::known(Some(id).filter(|id| !id.is_empty())),
                None => Affiliation::default(),
            },
        }),
        Entity::Event(_) => Content::Event,
        Entity::Identity(_) => Content::Identity(Said {
            ages: raw
                .said
                .into_iter()
                .map(|(field, at)| (Field(field), at))
                .collect(),
            changes: raw.made.into_iter().map(ChangeKey).collect(),
        }),
        Entity::Intent(_) => Content::Intent(intent(raw.intent?)?),
    };
    Some(Entry {
        at: Offset(raw.at),
        content,
    })
}

/// The value under [`HEADER_KEY`].
#[must_use]
pub fn encode_header(partitions: u32) -> Vec<u8> {
    let header = RawHeader {
        v: VERSION,
        partitions,
    };
    serde_json::to_vec(&header).unwrap_or_default()
}

/// The number of partitions for which the topic was laid out.
#[must_use]
pub fn decode_header(value: &[u8]) -> Option<u32> {
    let raw: RawHeader = serde_json::from_slice(value).ok()?;
    (raw.v == VERSION).then_some(raw.partitions)
}

fn hex(text: &str) -> Option<u128> {
    (text.len() == 32)
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

fn raw_intent(intent: &Intent) -> RawIntent {
    RawIntent {
        klass: Arc::clone(&intent.klass.0),
        create: intent.verb == Verb::Create,
        refs: intent.with_refs,
        job: intent.job.as_ref().map(|job| Arc::clone(&job.id)),
        since: intent.job.as_ref().and_then(|job| job.created_ms),
        items: intent
            .items
            .iter()
            .map(|item| RawItem {
                r: item.reference.clone(),
                o: format!("{:032x}", item.object),
                version: item.version.as_ref().map(|v| Arc::clone(&v.0)),
                ops: runs(&item.operations),
                marks: item.operations.iter().map(|one| one.mark).collect(),
            })
            .collect(),
    }
}

fn intent(raw: RawIntent) -> Option<Intent> {
    let items: Option<Vec<IntentItem>> = raw
        .items
        .into_iter()
        .map(|item| {
            Some(IntentItem {
                reference: item.r,
                object: hex(&item.o)?,
                version: item.version.map(Version),
                operations: operations(item.ops, &item.marks),
            })
        })
        .collect();
    Some(Intent {
        klass: Klass(raw.klass),
        verb: if raw.create {
            Verb::Create
        } else {
            Verb::Update
        },
        with_refs: raw.refs,
        job: raw.job.map(|id| JobTicket {
            id,
            created_ms: raw.since,
        }),
        items: items?,
    })
}

/// Operations as runs of consecutive offsets; they come in the order of arrival.
fn runs(operations: &[OperationRef]) -> Vec<(u16, i64, u32)> {
    let mut runs: Vec<(u16, i64, u32)> = Vec::new();
    for one in operations {
        match runs.last_mut() {
            Some((ordinal, first, more))
                if *ordinal == one.ordinal
                    && one.offset.0 == first.saturating_add(i64::from(*more) + 1) =>
            {
                *more += 1;
            }
            Some(_) | None => runs.push((one.ordinal, one.offset.0, 0)),
        }
    }
    runs
}

/// Entries of an older version have no marks: the operations in their writes are not recognised, and are written once
/// more.
fn operations(runs: Vec<(u16, i64, u32)>, marks: &[u32]) -> Vec<OperationRef> {
    let marks = marks.iter().copied().chain(std::iter::repeat(0));
    let places = runs.into_iter().flat_map(|(ordinal, first, more)| {
        (0..=i64::from(more)).map(move |n| (Offset(first.saturating_add(n)), ordinal))
    });
    let operations = places.zip(marks);
    operations
        .map(|((offset, ordinal), mark)| OperationRef {
            offset,
            ordinal,
            mark,
        })
        .collect()
}
