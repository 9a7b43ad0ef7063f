//! Records, operations and answers for the scenarios.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ingest_delivery::machine::{CommitAnswer, CommitEntry, Input, MachineSettings, TopicSettings};
use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, ObjectState, Written};
use ingest_model::digest::{Fold, Frame, Piece, Small, Title};
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, Klass, MissingCustomer, Occurrence,
    Operation, Planned, Version,
};
use ingest_model::outcome::members::MEMBERS_HEADER;
use ingest_model::outcome::{Outcome, SplitHint};
use ingest_model::record::{Offset, Position, Record, Topic, TopicPartition};
use ingest_model::trouble::{Trouble, TroubleKind};
use serde_json::{Map, Value};

/// The topic of every scenario that needs only one.
pub(crate) const SHOP: &str = "shop";

/// 1,000 requests a minute, of which 800 may be used and 50 are reserved for others; one keyed topic.
pub(crate) fn settings() -> MachineSettings {
    let mut settings = MachineSettings::new(1_000, 0.8, 50, 1.0).unwrap();
    let shop = TopicSettings {
        weight: 1.0,
        keyed: true,
    };
    settings.topics.insert(Topic::new(SHOP), shop);
    settings
}

pub(crate) fn shop(partition: i32) -> TopicPartition {
    TopicPartition::new(SHOP, partition)
}

pub(crate) fn record(partition: TopicPartition, offset: i64) -> Record {
    Record {
        position: Position {
            partition,
            offset: Offset(offset),
        },
        key: None,
        value: None,
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// Brokers that do not answer, and may accept it later.
pub(crate) fn brokers_silent() -> Trouble {
    Trouble::of_machines(TroubleKind::TimedOut, "no answer")
}

/// The customer with that number, created if missing.
pub(crate) fn customer(number: u64) -> CustomerRef {
    let key = CustomerKey::ExternalId(format!("u{number}").into());
    CustomerRef::new(vec![key], MissingCustomer::Create).unwrap()
}

pub(crate) fn by_email(email: &str, missing: MissingCustomer) -> CustomerRef {
    CustomerRef::new(vec![CustomerKey::Email(email.into())], missing).unwrap()
}

/// One event on the timeline of the customer with that number.
pub(crate) fn track(number: u64) -> Planned {
    planned(Operation::Track(
        Occurrence {
            customer: customer(number),
            name: "Viewed".into(),
            session_id: None,
            tracking_id: None,
            meta: Map::new(),
            event_key: uuid::Uuid::from_u128(u128::from(number)),
        }
        .into(),
    ))
}

pub(crate) fn identify(customer: CustomerRef) -> Planned {
    planned(Operation::Identify(Identify {
        customer,
        fields: Body::default(),
    }))
}

/// An object with that klass and number, without a customer or version.
pub(crate) fn object(klass: &str, number: u64) -> KObject {
    KObject {
        klass: Klass(klass.into()),
        external_id: ExternalId(format!("o{number}").into()),
        customer: None,
        version: None,
        body: body(number),
        fold: None,
        party: None,
        deletes: false,
    }
}

pub(crate) fn owned(object: KObject, customer: CustomerRef) -> KObject {
    KObject {
        customer: Some(customer),
        ..object
    }
}

pub(crate) fn versioned(object: KObject, version: &str) -> KObject {
    KObject {
        version: Some(Version::new(version)),
        ..object
    }
}

pub(crate) fn titled(object: KObject, title: u64) -> KObject {
    KObject {
        body: body(title),
        ..object
    }
}

/// An event of that session, in the record at this offset of a partition of [`shop`].
pub(crate) fn viewed(session: u64, partition: TopicPartition, offset: i64) -> Planned {
    let frame = Frame {
        keep: 3,
        title: Title(vec![vec![Piece::Text("Views: ".into()), Piece::Count]]),
        patience: Duration::from_secs(20),
        gap: Duration::from_secs(600),
    };
    let event = Small {
        name: "Viewed".into(),
        at_ms: Some(1_780_000_000_000 + offset),
        offset: Offset(offset),
        written_ms: None,
        key: offset.unsigned_abs() + 1_000_000,
        sums: [("priceNum".into(), "0.1".parse().unwrap())]
            .into_iter()
            .collect(),
        each: Map::from_iter([("offset".to_owned(), Value::from(offset))]).into(),
    };
    let fold = Fold {
        frame: Arc::new(frame),
        partition,
        events: vec![event],
    };
    write(KObject {
        body: Body::default(),
        fold: Some(Box::new(fold)),
        ..object("browsing", session)
    })
}

/// The members that a letter is for.
pub(crate) fn members(record: &Record) -> Option<String> {
    let header = record.header(MEMBERS_HEADER)?;
    Some(String::from_utf8(header.to_vec()).unwrap())
}

pub(crate) fn write(object: KObject) -> Planned {
    planned(Operation::KObject(object))
}

fn body(title: u64) -> Body {
    Map::from_iter([("title".to_owned(), Value::from(title))]).into()
}

/// An operation with an event of its own.
fn planned(operation: Operation) -> Planned {
    static EVENTS: AtomicU64 = AtomicU64::new(1);
    let number = EVENTS.fetch_add(1, Ordering::Relaxed);
    Planned {
        route: "route".into(),
        event_key: uuid::Uuid::from_u128(u128::from(number) << 64),
        operation,
    }
}

// === Answers ===

/// A request was refused as a whole, and the error names no item.
pub(crate) fn split() -> CallResult {
    CallResult::Submitted(Outcome::Split(SplitHint {
        item: None,
        detail: "refused".to_owned(),
        refs_refused: false,
        too_large: false,
    }))
}

pub(crate) fn seen(id: &str, version: Option<&str>) -> CallResult {
    CallResult::KObject(Outcome::Delivered(Some(ObjectState {
        id: id.into(),
        rev: None,
        version: version.map(Version::new),
        customer: None,
        shown: Map::new(),
        company: None,
    })))
}

/// A destination that creates an object without returning its id, and shows it with that version to everybody who looks.
pub(crate) fn made_and_not_named(version: &str) -> impl FnMut(&Call) -> Option<CallResult> + use<> {
    let version = version.to_owned();
    move |call| match call {
        Call::CreateKObject { .. } => {
            let nameless = Written::Stored {
                id: None,
                rev: None,
            };
            Some(CallResult::Written(Outcome::Delivered(nameless)))
        }
        Call::GetKObject { .. } => Some(seen("there", Some(&version))),
        _ => None,
    }
}

/// A destination with one object, which always shows what was written last. Its writes have these versions; the last one
/// can occur any number of times.
pub(crate) fn remembering(
    versions: &'static [Option<&'static str>],
) -> impl FnMut(&Call) -> Option<CallResult> {
    let mut written = Map::new();
    let mut rev = 0;
    move |call| {
        match call {
            Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => {
                written.extend(body.parse());
                rev += 1;
            }
            Call::GetKObject { .. } if rev > 0 => {
                let version = versions
                    .get(rev - 1)
                    .or_else(|| versions.last())
                    .copied()
                    .flatten();
                return Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                    id: "object 1".into(),
                    rev: i64::try_from(rev).ok(),
                    version: version.map(Version::new),
                    customer: None,
                    shown: written.clone(),
                    company: None,
                }))));
            }
            _ => {}
        }
        None
    }
}

/// The broker's answer for these entries.
pub(crate) fn committed(entries: &[CommitEntry], accepted: bool) -> Input {
    let entries = entries
        .iter()
        .map(|entry| (entry.partition.clone(), entry.epoch, entry.offset))
        .collect();
    let answer = if accepted {
        CommitAnswer::Accepted
    } else {
        CommitAnswer::Failed
    };
    Input::Committed { entries, answer }
}
