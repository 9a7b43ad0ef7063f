//! The state topic: nothing is submitted before it is journalled, and what an earlier owner began is not begun again.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest_delivery::fact::Settlement;
use ingest_delivery::hold::Scope;
use ingest_delivery::machine::{Input, MachineSettings, StateSettings};
use ingest_model::batch::Verb;
use ingest_model::call::{Call, CallResult, ItemFate, ItemResult, JobReport, ObjectState};
use ingest_model::known::Revision;
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::{ExternalId, Klass, Planned, Version};
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, Rejection, SkipReason, Verdict};
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::repeat::{ChangeKey, Changes};
use ingest_model::state_log::format::decode_key;
use ingest_model::state_log::reduce::{Slice, SliceReader};
use ingest_model::state_log::{
    Content, Entity, Entry, Intent, IntentItem, OperationRef, OwnerId, SliceId,
};

use crate::driver::Driver;
use crate::make::{brokers_silent, object, seen, settings, shop, titled, track, versioned, write};

pub(crate) fn with_state() -> MachineSettings {
    MachineSettings {
        state: Some(StateSettings::default()),
        ..settings()
    }
}

pub(crate) fn is_write(call: &Call) -> bool {
    matches!(
        call,
        Call::CreateKObject { .. }
            | Call::UpdateKObject { .. }
            | Call::CreateKObjects { .. }
            | Call::UpdateKObjects { .. }
    )
}

/// What an earlier owner left: a create of these orders, from the records with the same numbers.
pub(crate) fn left_open(orders: &[u64], job: Option<&str>) -> Slice {
    let items = orders.iter().map(|n| IntentItem {
        reference: format!("r{n}"),
        object: object_hash(&Klass("order".into()), &ExternalId(format!("o{n}").into())),
        version: Some(Version::new("1")),
        operations: vec![OperationRef {
            offset: Offset(i64::try_from(*n).unwrap()),
            ordinal: 0,
            mark: ChangeKey::of(&order(*n)).mark(),
        }],
    });
    let intent = Intent {
        klass: Klass("order".into()),
        verb: Verb::Create,
        with_refs: true,
        job: job.map(|id| JobTicket {
            id: id.into(),
            created_ms: None,
        }),
        items: items.collect(),
    };
    let owner = OwnerId::new(99, 1);
    let entry = Entry {
        at: intent.at(),
        content: Content::Intent(intent),
    };
    Slice {
        entries: vec![(owner.intent(1), owner, entry)],
        ..Slice::default()
    }
}

/// A driver whose partition was restored from that slice.
pub(crate) fn successor(slice: Slice) -> Driver {
    let mut driver = Driver::new(with_state(), 1);
    driver.run(1);
    driver.revoke(shop(0));
    driver.slices.insert(shop(0), slice);
    driver.assign(shop(0));
    driver.run_for(std::time::Duration::from_millis(20));
    driver
}

/// The order in its first state; the same event whenever it is read.
pub(crate) fn order(number: u64) -> Planned {
    Planned {
        event_key: uuid::Uuid::from_u128(u128::from(number)),
        ..write(versioned(object("order", number), "1"))
    }
}

/// The job reports this for each item.
pub(crate) fn report(fates: Vec<(u64, ItemFate)>) -> impl FnMut(&Call) -> Option<CallResult> {
    move |call| match call {
        Call::ReadJob { job } => {
            assert_eq!(&**job, "theirs");
            let items = fates.iter().map(|(n, fate)| ItemResult {
                reference: format!("r{n}"),
                fate: fate.clone(),
            });
            Some(CallResult::Job(Outcome::Delivered(JobReport {
                complete: true,
                items: items.collect(),
                ..JobReport::default()
            })))
        }
        _ => None,
    }
}

/// What a partition's slice holds after everything was written.
pub(crate) fn slice_of(written: &Driver, partition: &TopicPartition) -> Slice {
    let mut reader = SliceReader::new(SliceId::of(partition));
    for (_, of, records) in &written.written {
        for record in records.iter().filter(|_| of == partition) {
            reader.take(&record.key, record.value.as_deref());
        }
    }
    reader.finish()
}

/// How many intents the topic has at the end.
pub(crate) fn intents(written: &Driver, partition: &TopicPartition) -> usize {
    let mut last = BTreeMap::new();
    for (_, of, records) in &written.written {
        if of != partition {
            continue;
        }
        for record in records {
            let key = decode_key(&record.key).unwrap();
            if matches!(key.entity, Entity::Intent(_)) {
                last.insert(key, record.value.is_some());
            }
        }
    }
    last.values().filter(|there| **there).count()
}

#[test]
fn a_write_leaves_only_when_its_intent_is_acknowledged() {
    let mut driver = Driver::new(with_state(), 1);
    driver.run(1);
    driver.hold_state = true;
    for n in 0..2 {
        driver.record(n, order(u64::try_from(n).unwrap()));
    }
    driver.run(30);
    assert!(driver.calls(is_write).is_empty());
    driver.record(2, track(7));
    driver.run(2);
    assert_eq!(driver.sent.len(), 1, "an event needs no journal");
    let (batch, _, records) = driver.written.first().cloned().unwrap();
    assert_eq!(records.len(), 1, "one intent for one request");
    driver.hold_state = false;
    driver.put(Input::StateWritten {
        write: batch,
        result: Ok(()),
    });
    assert_eq!(driver.calls(is_write).len(), 1);
    driver.run_to_rest();
    assert_eq!(intents(&driver, &shop(0)), 0);
}

#[test]
fn a_topic_that_takes_nothing_is_a_hold_and_ends_by_itself() {
    let mut driver = Driver::new(with_state(), 1);
    driver.run(1);
    driver.hold_state = true;
    driver.record(0, order(0));
    driver.run(2);
    let (batch, ..) = driver.written.first().cloned().unwrap();
    driver.put(Input::StateWritten {
        write: batch,
        result: Err(brokers_silent()),
    });
    assert_eq!(driver.holds(), [(Scope::State, HoldCause::StateTopic)]);
    driver.hold_state = false;
    driver.run(3);
    assert!(driver.holds().is_empty());
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered]);
}

#[test]
fn a_write_that_waits_for_its_intent_is_left_to_the_next_owner_unsent() {
    let mut driver = Driver::new(with_state(), 1);
    driver.run(1);
    driver.hold_state = true;
    driver.record(0, order(0));
    driver.run(2);
    driver.revoke(shop(0));
    let mut answered = 0;
    while let Some((batch, ..)) = driver.written.get(answered).cloned() {
        answered += 1;
        driver.put(Input::StateWritten {
            write: batch,
            result: Ok(()),
        });
    }
    driver.run(30);
    assert_eq!(driver.handed_back, [shop(0)]);
    assert!(driver.calls(is_write).is_empty());
    assert_eq!(
        intents(&driver, &shop(0)),
        0,
        "it never left: nothing is in doubt"
    );
}

#[test]
fn what_an_earlier_owner_submitted_settles_by_its_own_fate() {
    let mut driver = successor(left_open(&[0, 1, 2], Some("theirs")));
    driver.answer(report(vec![
        (0, ItemFate::Stored(Some(Arc::from("there")))),
        (1, ItemFate::Permanent("refused".to_owned())),
        (2, ItemFate::Transient("later".to_owned())),
    ]));
    for n in 0..3 {
        driver.record(n, order(u64::try_from(n).unwrap()));
    }
    driver.run_to_rest();
    let mut settled = driver.settled();
    settled.sort_unstable();
    assert_eq!(
        settled,
        [
            Settlement::Delivered,
            Settlement::Delivered,
            Settlement::DeadLettered(Rejection::RefusedByApi)
        ]
    );
    let writes = driver.calls(is_write);
    assert_eq!(writes.len(), 1, "only what was not written is: {writes:?}");
    assert_eq!(intents(&driver, &shop(0)), 0, "nothing is open any more");
}

#[test]
fn a_newer_state_follows_the_one_that_an_earlier_owner_submitted() {
    let mut driver = successor(left_open(&[0], Some("theirs")));
    let stored = ItemFate::Stored(Some(Arc::from("there")));
    let mut told = report(vec![(0, stored)]);
    driver.answer(move |call| match call {
        Call::GetKObject { .. } => Some(seen("there", Some("1"))),
        _ => told(call),
    });
    driver.record(0, order(0));
    driver.record(1, write(versioned(object("order", 0), "2")));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
    let creates = driver.calls(|call| matches!(call, Call::CreateKObject { .. }));
    assert!(creates.is_empty());
    let updates = driver.calls(|call| matches!(call, Call::UpdateKObject { .. }));
    assert_eq!(updates.len(), 1, "the newer state alone");
}

/// The titles of updates by a successor of an owner that has stored a create of that order, from the record with its
/// number.
fn updates_after(stored: u64, records: Vec<(i64, Planned)>) -> Vec<Option<u64>> {
    let mut driver = successor(left_open(&[stored], Some("theirs")));
    let mut told = report(vec![(stored, ItemFate::Stored(Some(Arc::from("there"))))]);
    driver.answer(move |call| match call {
        Call::GetKObject { .. } => Some(seen("there", Some("1"))),
        _ => told(call),
    });
    let done = vec![Settlement::Delivered; records.len()];
    for (offset, plan) in records {
        driver.record(offset, plan);
    }
    driver.run_to_rest();
    assert_eq!(driver.settled(), done);
    assert_eq!(intents(&driver, &shop(0)), 0, "nothing is open any more");
    let title = |call: &Call| match call {
        Call::UpdateKObject { body, .. } => Some(body.parse()["title"].as_u64()),
        _ => None,
    };
    let sent = driver.sent.iter();
    sent.filter_map(|(_, call)| title(call)).collect()
}

#[test]
fn a_record_of_another_log_is_not_the_one_that_was_written_from_its_offset() {
    let corrected = write(titled(versioned(object("order", 4), "2"), 9));
    assert_eq!(updates_after(4, vec![(4, corrected)]), [Some(9)]);
    assert!(updates_after(4, vec![(4, order(4))]).is_empty());
}

#[test]
fn a_write_that_was_left_open_is_made_again_where_an_older_state_was_laid_over_it() {
    let older = write(titled(object("order", 4), 3));
    let updates = updates_after(4, vec![(2, older), (4, order(4))]);
    assert_eq!(updates, [Some(3), Some(4)]);
}

#[test]
fn a_write_that_nobody_knows_of_is_looked_for_after_the_wait() {
    let mut driver = successor(left_open(&[0], None));
    driver.record(0, order(0));
    driver.run(55);
    assert!(driver.sent.is_empty(), "a copy may still be under way");
    driver.run(10);
    let looks = driver.calls(|call| matches!(call, Call::GetKObject { .. }));
    assert_eq!(looks.len(), 1);
    driver.run_to_rest();
    assert_eq!(driver.calls(is_write).len(), 1, "it was not there");
    assert_eq!(driver.settled(), [Settlement::Delivered]);
}

#[test]
fn an_open_job_holds_only_its_own_objects_back() {
    let mut driver = successor(left_open(&[0], Some("theirs")));
    driver.answer(|call| match call {
        Call::ReadJob { job } if &**job == "theirs" => {
            Some(CallResult::Job(Outcome::Delivered(JobReport::default())))
        }
        _ => None,
    });
    driver.record(0, order(0));
    driver.record(1, order(1));
    driver.run(30);
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    // The partition moves away, so any other partition may write the object.
    driver.revoke(shop(0));
    driver.run(30);
    assert_eq!(driver.handed_back.len(), 2);
    assert_eq!(driver.machine.snapshot(driver.now).jobs, 0);
}

#[test]
fn a_partition_delivers_when_its_state_is_there() {
    let mut driver = Driver::new(with_state(), 1);
    driver.paused.insert(shop(0));
    let epoch = driver.epoch(&shop(0));
    driver.lose_answers();
    driver.put(Input::RestoreFailed {
        partition: shop(0),
        epoch,
        trouble: brokers_silent(),
    });
    assert_eq!(driver.holds(), [(Scope::State, HoldCause::StateTopic)]);
    assert!(driver.paused.contains(&shop(0)));
    driver.run(3);
    assert!(driver.holds().is_empty());
    assert!(!driver.paused.contains(&shop(0)));
    assert_eq!(driver.restores, 2);
}

/// A slice that knows this version of order 0.
fn known(version: &str, revision: i64) -> Slice {
    let object = Entity::Object(object_hash(
        &Klass("order".into()),
        &ExternalId("o0".into()),
    ));
    let content = Content::Object(KnownObject {
        id: Some(Arc::from("theirs")),
        version: Some(Version::new(version)),
        fingerprint: None,
        revision: Revision::Known(revision),
        doubtful: false,
        gone: false,
        changes: Changes::default(),
        company: ingest_model::known::Affiliation::default(),
    });
    let owner = OwnerId::new(99, 1);
    let at = Offset(0);
    let entry = Entry { at, content };
    Slice {
        entries: vec![(object, owner, entry)],
        ..Slice::default()
    }
}

#[test]
fn an_inherited_update_counts_only_on_the_object_that_it_wrote() {
    for (wrote, revision) in [("theirs", 6), ("copy", 9)] {
        let mut slice = known("1", 5);
        let second = write(versioned(object("order", 0), "2"));
        let mut open = left_open(&[0], Some("j-7"));
        for (_, _, entry) in &mut open.entries {
            if let Content::Intent(intent) = &mut entry.content {
                intent.verb = Verb::Update;
                intent.items[0].version = Some(Version::new("2"));
                intent.items[0].operations[0].mark = ChangeKey::of(&second).mark();
            }
        }
        slice.entries.append(&mut open.entries);
        let mut driver = Driver::new(with_state(), 1);
        driver.revoke(shop(0));
        driver.run(1);
        driver.slices.insert(shop(0), slice);
        driver.answer(move |call| match call {
            Call::ReadJob { .. } => {
                let fate = ItemFate::Stored(Some(wrote.into()));
                let reference = "r0".to_owned();
                Some(CallResult::Job(Outcome::Delivered(JobReport {
                    complete: true,
                    items: vec![ItemResult { reference, fate }],
                    ..JobReport::default()
                })))
            }
            Call::GetKObject { .. } => {
                Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                    id: wrote.into(),
                    rev: Some(9),
                    version: Some(Version::new("2")),
                    customer: None,
                    shown: serde_json::Map::new(),
                    company: None,
                }))))
            }
            _ => None,
        });
        driver.assign(shop(0));
        driver.record(0, second);
        driver.record(1, write(titled(versioned(object("order", 0), "3"), 9)));
        driver.run_to_rest();
        assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
        let writes = driver.calls(is_write);
        let [Call::UpdateKObject { id, body, .. }] = writes[..] else {
            panic!("{writes:?}");
        };
        assert_eq!((&**id, &body.parse()["rev"]), (wrote, &revision.into()));
    }
}

#[test]
fn what_a_slice_tells_between_decision_and_dispatch_is_minded() {
    for (theirs, skipped) in [("3", true), ("1", false)] {
        let mut driver = Driver::new(with_state(), 2);
        driver.run(1);
        driver.revoke(shop(1));
        driver.run(1);
        driver.judged(
            shop(0),
            0,
            Verdict::Emit(vec![write(versioned(object("order", 0), "2"))]),
        );
        driver.answer(|call| match call {
            Call::GetKObject { .. } => Some(seen("theirs", Some("1"))),
            _ => None,
        });
        assert!(driver.calls(is_write).is_empty(), "it waits for company");
        driver.slices.insert(shop(1), known(theirs, 5));
        driver.assign(shop(1));
        driver.run_to_rest();
        assert_eq!(driver.machine.snapshot(driver.now).lanes, 0);
        let creates = driver.calls(|call| matches!(call, Call::CreateKObject { .. }));
        assert!(creates.is_empty(), "it exists: {creates:?}");
        let expected = if skipped {
            Settlement::Skipped(SkipReason::Stale)
        } else {
            Settlement::Delivered
        };
        assert_eq!(driver.settled(), [expected]);
        assert_eq!(driver.calls(is_write).is_empty(), skipped);
        // The object's next state finds its lane free.
        driver.record(1, write(titled(versioned(object("order", 0), "4"), 9)));
        driver.run_to_rest();
        assert_eq!(driver.settled(), [expected, Settlement::Delivered]);
    }
}
