//! What the machine decided, in short: which requests, letters, commits and facts, with a print of each body instead of the body.

use std::fmt;

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{CommitEntry, LetterId, RequestId, StateWriteId};
use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call};
use ingest_model::operation::{CustomerKey, ExternalId, Klass};
use ingest_model::outcome::{HeldBy, Rejection};
use ingest_model::record::{Epoch, Offset, Position, TopicPartition};
use serde::Serialize;

use super::encode::Encoder;
use super::kept::Decided;

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum View<'e> {
    Send {
        request: RequestId,
        call: Known,
        #[serde(skip_serializing_if = "Option::is_none")]
        klass: Option<&'e Klass>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        keys: Vec<&'e CustomerKey>,
        #[serde(skip_serializing_if = "Option::is_none")]
        external_id: Option<&'e ExternalId>,
        /// The Kustomer id of an object or a job.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'e str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        with_refs: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<Item<'e>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        bodies: Vec<Sum>,
    },
    DeadLetter {
        letter: LetterId,
        position: &'e Position,
        reason: Rejection,
        attempts: u32,
    },
    Divert {
        letter: LetterId,
        position: &'e Position,
        by: HeldBy,
        attempts: u32,
    },
    Commit(Vec<Committing<'e>>),
    Pause(&'e [TopicPartition]),
    Resume(&'e [TopicPartition]),
    HandBack {
        partition: &'e TopicPartition,
        epoch: Epoch,
    },
    Restore {
        partition: &'e TopicPartition,
        epoch: Epoch,
    },
    /// Of how many partitions.
    ReadRiders(usize),
    WriteState {
        write: StateWriteId,
        partition: &'e TopicPartition,
        records: usize,
        deletes: usize,
    },
    Drained,
    Fact(&'e Fact),
}

/// A word of this program.
#[derive(Debug, Serialize)]
#[serde(rename = "Name")]
struct Known(&'static str);

/// The size of a body as JSON, and what tells it from others.
#[derive(Debug, Serialize)]
struct Sum {
    bytes: usize,
    print: Print,
}

#[derive(Debug, Serialize)]
#[serde(rename = "Name")]
struct Print(String);

#[derive(Debug, Serialize)]
struct Item<'e> {
    reference: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<i64>,
    body: Sum,
}

#[derive(Debug, Serialize)]
struct Committing<'e> {
    partition: &'e TopicPartition,
    epoch: Epoch,
    offset: Offset,
    /// What stands beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Sum>,
}

/// Writes an effect.
pub(super) fn write(encoder: &mut Encoder<'_>, effect: &Decided) -> fmt::Result {
    let view = match effect {
        Decided::Send { request, call } => send(encoder, *request, call)?,
        Decided::DeadLetter {
            letter,
            position,
            reason,
            attempts,
        } => View::DeadLetter {
            letter: *letter,
            position,
            reason: *reason,
            attempts: *attempts,
        },
        Decided::Divert {
            letter,
            position,
            by,
            attempts,
        } => View::Divert {
            letter: *letter,
            position,
            by: *by,
            attempts: *attempts,
        },
        Decided::Commit(entries) => View::Commit(commits(encoder, entries)?),
        Decided::Pause(partitions) => View::Pause(partitions),
        Decided::Resume(partitions) => View::Resume(partitions),
        Decided::HandBack { partition, epoch } => View::HandBack {
            partition,
            epoch: *epoch,
        },
        Decided::Restore { partition, epoch } => View::Restore {
            partition,
            epoch: *epoch,
        },
        Decided::WriteState {
            write,
            partition,
            records,
            deletes,
        } => View::WriteState {
            write: *write,
            partition,
            records: *records,
            deletes: *deletes,
        },
        Decided::ReadRiders(partitions) => View::ReadRiders(*partitions),
        Decided::Drained => View::Drained,
        Decided::Fact(fact) => View::Fact(fact),
    };
    view.serialize(encoder)
}

/// In the order of partitions.
fn commits<'e>(
    encoder: &Encoder<'_>,
    entries: &'e [CommitEntry],
) -> Result<Vec<Committing<'e>>, fmt::Error> {
    let mut all: Vec<&CommitEntry> = entries.iter().collect();
    all.sort_by(|a, b| a.partition.cmp(&b.partition));
    let one = |entry: &'e CommitEntry| {
        // Offsets and times only, but long.
        let metadata = entry
            .metadata
            .as_deref()
            .map(|text| sum_of_metadata(encoder, text));
        Ok(Committing {
            partition: &entry.partition,
            epoch: entry.epoch,
            offset: entry.offset,
            metadata: metadata.transpose()?,
        })
    };
    all.into_iter().map(one).collect()
}

fn sum_of_metadata(encoder: &Encoder<'_>, text: &str) -> Result<Sum, fmt::Error> {
    #[derive(Serialize)]
    #[serde(rename = "Name")]
    struct Own<'t>(&'t str);
    sum(encoder, &Own(text))
}

fn sum(encoder: &Encoder<'_>, value: &impl Serialize) -> Result<Sum, fmt::Error> {
    let (bytes, print) = encoder.sum(value)?;
    Ok(Sum {
        bytes,
        print: Print(format!("{print:016x}")),
    })
}

/// The field by which the body of a digest is known.
const OFFSETS_QUOTED: &str = "\"ingestOffsets\":";

/// The field that says when backfill was imported.
const IMPORTED_QUOTED: &str = "\"importedAt\":";

/// The same of an object's body. That of a digest has sums of numbers, whose pseudonyms do not add up.
fn object_sum(encoder: &Encoder<'_>, body: &Body) -> Result<Sum, fmt::Error> {
    if body.as_str().contains(OFFSETS_QUOTED) {
        return Ok(Sum {
            bytes: 0,
            print: Print("digest".to_owned()),
        });
    }
    if body.as_str().contains(IMPORTED_QUOTED) {
        // The machine makes it of the server's time, so it has no pseudonym when it is made again.
        let mut fields = body.parse();
        fields.remove("importedAt");
        return sum(encoder, &fields);
    }
    sum(encoder, body)
}

fn send<'e>(
    encoder: &Encoder<'_>,
    request: RequestId,
    call: &'e Call,
) -> Result<View<'e>, fmt::Error> {
    let mut bodies = Vec::new();
    let (mut klass, mut keys, mut external_id, mut id) = (None, Vec::new(), None, None);
    let (mut with_refs, mut items) = (None, Vec::new());
    let mut bulk = |of: Option<&'e Klass>, all: &'e [BulkItem], refs: bool| -> fmt::Result {
        (klass, with_refs) = (of, Some(refs));
        items = all
            .iter()
            .map(|one| item(encoder, one))
            .collect::<Result<_, _>>()?;
        Ok(())
    };
    let name = match call {
        Call::Identify { identity } => {
            bodies.push(sum(encoder, identity)?);
            "identify"
        }
        Call::Track { identity, event } => {
            bodies.extend([sum(encoder, identity)?, sum(encoder, event)?]);
            "track"
        }
        Call::SearchCustomers { keys: asked } => {
            keys.extend(asked);
            "search_customers"
        }
        Call::GetCustomer { key } => {
            keys.push(key);
            "get_customer"
        }
        Call::FindCustomer { key } => {
            keys.push(key);
            "find_customer"
        }
        Call::CreateCustomers { items, with_refs } => {
            bulk(None, items, *with_refs)?;
            "create_customers"
        }
        Call::CreateKObjects {
            klass,
            items,
            with_refs,
        } => {
            bulk(Some(klass), items, *with_refs)?;
            "create_kobjects"
        }
        Call::UpdateKObjects {
            klass,
            items,
            with_refs,
        } => {
            bulk(Some(klass), items, *with_refs)?;
            "update_kobjects"
        }
        Call::CreateKObject { klass: of, body } => {
            klass = Some(of);
            bodies.push(object_sum(encoder, body)?);
            "create_kobject"
        }
        Call::UpdateKObject {
            klass: of,
            id: object,
            body,
        } => {
            (klass, id) = (Some(of), Some(&**object));
            bodies.push(object_sum(encoder, body)?);
            "update_kobject"
        }
        Call::DeleteKObject {
            klass: of,
            id: object,
        } => {
            (klass, id) = (Some(of), Some(&**object));
            "delete_kobject"
        }
        Call::GetKObject {
            klass: of,
            external_id: object,
        } => {
            (klass, external_id) = (Some(of), Some(object));
            "get_kobject"
        }
        Call::ReadJob { job } => {
            id = Some(&**job);
            "read_job"
        }
        Call::ReadJobState { job } => {
            id = Some(&**job);
            "read_job_state"
        }
        Call::Probe => "probe",
    };
    let call = Known(name);
    Ok(View::Send {
        request,
        call,
        klass,
        keys,
        external_id,
        id,
        with_refs,
        items,
        bodies,
    })
}

fn item<'e>(encoder: &Encoder<'_>, item: &'e BulkItem) -> Result<Item<'e>, fmt::Error> {
    Ok(Item {
        reference: &item.reference,
        id: item.id.as_deref(),
        customer: item.customer.as_deref(),
        company: item.company.as_deref(),
        rev: item.rev,
        body: object_sum(encoder, &item.body)?,
    })
}
