//! What an earlier owner left open is not forgotten, whoever comes to the object first, until its outcome is known.

use std::sync::Arc;
use std::time::Duration;

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::Input;
use ingest_model::batch::Verb;
use ingest_model::call::{Call, CallResult, ItemFate, ObjectState};
use ingest_model::known::Revision;
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::{ExternalId, Klass, Planned, Version};
use ingest_model::outcome::{Outcome, SkipReason, Verdict};
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::repeat::ChangeKey;
use ingest_model::state_log::format::{encode_key, encode_value};
use ingest_model::state_log::reduce::{Slice, SliceReader};
use ingest_model::state_log::{
    Content, Entity, Entry, EntryKey, Intent, OperationRef, OwnerId, SliceId,
};
use serde_json::{Map, Value};

use crate::driver::Driver;
use crate::make::{
    made_and_not_named, object, seen, settings, shop, titled, track, versioned, write,
};
use crate::state::{intents, is_write, left_open, order, report, slice_of, successor, with_state};

const REPEAT: Settlement = Settlement::Skipped(SkipReason::Repeat);

/// Order 0 in that state, from the event with that number.
fn state(event: u128, version: &str, title: u64) -> Planned {
    Planned {
        event_key: uuid::Uuid::from_u128(1_000 + event),
        ..write(titled(versioned(object("order", 0), version), title))
    }
}

/// Order 0 exists at the first version, for everybody who looks.
fn stands() -> impl FnMut(&Call) -> Option<CallResult> {
    |call| match call {
        Call::GetKObject { .. } => Some(seen("there", Some("1"))),
        _ => None,
    }
}

fn creates(driver: &Driver) -> usize {
    let is_create = |call: &Call| {
        matches!(
            call,
            Call::CreateKObject { .. } | Call::CreateKObjects { .. }
        )
    };
    driver.calls(is_create).len()
}

fn looks(driver: &Driver) -> usize {
    driver
        .calls(|call| matches!(call, Call::GetKObject { .. }))
        .len()
}

/// The titles of updates, in order.
fn updates(driver: &Driver) -> Vec<Option<u64>> {
    let title = |call: &Call| match call {
        Call::UpdateKObject { body, .. } => Some(body.parse()["title"].as_u64()),
        _ => None,
    };
    let sent = driver.sent.iter();
    sent.filter_map(|(_, call)| title(call)).collect()
}

/// A successor of an owner whose create of order 0, from the record at 0, is in doubt. That record was deleted: the first
/// remaining one, at 8, is committed.
fn record_deleted() -> Driver {
    let mut driver = successor(left_open(&[0], None));
    driver.answer(stands());
    driver.record(8, track(1));
    driver.run(5);
    let committed = driver.commits.last().and_then(|entries| entries.last());
    assert_eq!(committed.map(|entry| entry.offset), Some(Offset(9)));
    driver
}

#[test]
fn a_write_in_doubt_is_looked_for_although_its_record_was_deleted() {
    let mut driver = record_deleted();
    assert_eq!(intents(&driver, &shop(0)), 1, "nobody has looked");
    driver.record(9, state(9, "2", 20));
    driver.run_to_rest();
    assert_eq!((looks(&driver), creates(&driver)), (1, 0));
    assert_eq!(updates(&driver), [Some(20)]);
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
    assert_eq!(intents(&driver, &shop(0)), 0, "somebody has looked");
}

/// The partition's next owner finds the doubt, looks, and creates nothing twice.
fn assert_next_owner_looks(slice: Slice) {
    let mut next = successor(slice);
    next.answer(stands());
    next.record(9, state(9, "2", 20));
    next.run_to_rest();
    assert_eq!((looks(&next), creates(&next)), (1, 0));
    assert_eq!(updates(&next), [Some(20)]);
    assert_eq!(intents(&next, &shop(0)), 0, "somebody has looked");
}

#[test]
fn a_doubt_outlives_an_owner_that_leaves_before_its_look() {
    // The process is killed, or hands the partition back, or loses it.
    for leave in [
        |_: &mut Driver| {},
        |driver: &mut Driver| driver.revoke(shop(0)),
        |driver: &mut Driver| {
            let epoch = driver.epoch(&shop(0));
            driver.put(Input::Lost {
                partition: shop(0),
                epoch,
            });
        },
    ] {
        let mut driver = successor(left_open(&[0], None));
        driver.answer(stands());
        driver.record(8, track(1));
        driver.record(9, state(9, "2", 20));
        driver.run(20);
        assert_eq!(looks(&driver), 0, "it waits for what may be under way");
        assert_eq!(driver.settled().len(), 1, "the commits passed the write");
        leave(&mut driver);
        driver.run(2);
        assert_next_owner_looks(slice_of(&driver, &shop(0)));
    }
}

#[test]
fn a_doubt_goes_back_when_who_was_to_look_leaves_with_another_partition() {
    let mut driver = Driver::new(with_state(), 2);
    driver.run(1);
    driver.revoke(shop(0));
    driver.slices.insert(shop(0), left_open(&[0], None));
    driver.answer(stands());
    driver.assign(shop(0));
    driver.run_for(Duration::from_millis(20));
    driver.judged(shop(1), 4, Verdict::Emit(vec![state(4, "2", 20)]));
    driver.run(10);
    driver.revoke(shop(1));
    driver.run(1);
    assert_eq!(looks(&driver), 0, "it left before its look");
    driver.record(9, state(9, "3", 30));
    driver.run_to_rest();
    assert_eq!((looks(&driver), creates(&driver)), (1, 0));
    assert_eq!(updates(&driver), [Some(30)]);
}

/// References to these records' operations, as in an intent.
fn operations<'a>(records: impl IntoIterator<Item = (i64, &'a Planned)>) -> Vec<OperationRef> {
    let operation = |(offset, plan)| OperationRef {
        offset: Offset(offset),
        ordinal: 0,
        mark: ChangeKey::of(plan).mark(),
    };
    records.into_iter().map(operation).collect()
}

/// The only intent of a slice, changed.
fn with_intent(mut slice: Slice, change: impl FnOnce(&mut Intent)) -> Slice {
    let [(_, _, entry)] = &mut slice.entries[..] else {
        panic!("{:?}", slice.entries)
    };
    let Content::Intent(intent) = &mut entry.content else {
        panic!("{:?}", entry.content)
    };
    change(intent);
    entry.at = intent.at();
    slice
}

#[test]
fn two_states_of_one_version_that_were_written_together_are_looked_for_together() {
    let (first, second) = (state(1, "7", 71), state(2, "7", 72));
    let slice = with_intent(left_open(&[0], None), |intent| {
        intent.items[0].version = Some(Version::new("7"));
        intent.items[0].operations = operations([(0, &first), (1, &second)]);
    });
    let mut driver = successor(slice);
    driver.answer(|call| match call {
        Call::GetKObject { .. } => {
            let shown = ("title".to_owned(), Value::from(72));
            Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                id: "there".into(),
                rev: None,
                version: Some(Version::new("7")),
                customer: None,
                shown: Map::from_iter([shown]),
                company: None,
            }))))
        }
        _ => None,
    });
    driver.record(0, first);
    driver.run(10);
    assert!(driver.sent.is_empty(), "a copy may still be under way");
    driver.record(1, second);
    driver.run_to_rest();
    assert_eq!(looks(&driver), 1);
    let writes = driver.calls(is_write);
    assert!(writes.is_empty(), "the later state stands: {writes:?}");
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

/// What a slice knows of order 0: its Kustomer id if that is known, its version, the changes made to it.
fn known<'a>(id: impl Into<Option<&'a str>>, version: &str, made: &[&Planned]) -> Slice {
    let hash = object_hash(&Klass("order".into()), &ExternalId("o0".into()));
    let content = Content::Object(KnownObject {
        id: id.into().map(Arc::from),
        version: Some(Version::new(version)),
        fingerprint: None,
        revision: Revision::SinceCreate(0),
        doubtful: false,
        gone: false,
        changes: made.iter().map(|plan| ChangeKey::of(plan)).collect(),
        company: ingest_model::known::Affiliation::default(),
    });
    let entry = Entry {
        at: Offset(0),
        content,
    };
    Slice {
        entries: vec![(Entity::Object(hash), OwnerId::new(98, 1), entry)],
        ..Slice::default()
    }
}

/// The same, with an open update to this state, from the record at 1, which is a job.
fn known_and_updated(mut slice: Slice, plan: &Planned, version: &str) -> Slice {
    let update = with_intent(left_open(&[0], Some("theirs")), |intent| {
        intent.verb = Verb::Update;
        intent.items[0].version = Some(Version::new(version));
        intent.items[0].operations = operations([(1, plan)]);
    });
    slice.entries.extend(update.entries);
    slice
}

/// The job has written its only item, to the object with that Kustomer id.
fn stored(id: &str) -> impl FnMut(&Call) -> Option<CallResult> + use<> {
    let mut told = report(vec![(0, ItemFate::Stored(Some(Arc::from(id))))]);
    let id = id.to_owned();
    move |call| match call {
        Call::GetKObject { .. } => Some(seen(&id, Some("5"))),
        _ => told(call),
    }
}

/// What the topic holds of a partition after an owner that found this slice and wrote its own entries.
fn topic_after(found: &Slice, owner: &Driver, partition: &TopicPartition) -> Slice {
    let slice = SliceId::of(partition);
    let mut reader = SliceReader::new(slice);
    for (entity, by, entry) in &found.entries {
        let key = EntryKey {
            slice,
            entity: *entity,
            owner: *by,
        };
        reader.take(&encode_key(&key), Some(&encode_value(entry)));
    }
    for (_, _, records) in owner.written.iter().filter(|(_, of, _)| of == partition) {
        for record in records {
            reader.take(&record.key, record.value.as_deref());
        }
    }
    reader.finish()
}

/// The owner that finds this slice and reads its job, and its successor after a kill, which has not read a record yet.
fn two_owners(found: &Slice) -> [Driver; 2] {
    let mut driver = successor(found.clone());
    driver.answer(stored("there"));
    driver.run(10);
    let mut next = successor(topic_after(found, &driver, &shop(0)));
    next.answer(stored("there"));
    [driver, next]
}

#[test]
fn an_inherited_job_counts_as_the_next_write_only_of_what_was_older() {
    // A number and a text cannot be compared.
    for (before, revision) in [
        ("4", Revision::SinceCreate(1)),
        ("draft", Revision::Unknown),
    ] {
        let found = known_and_updated(known("there", before, &[]), &state(1, "5", 51), "5");
        let [driver, _] = two_owners(&found);
        let after = topic_after(&found, &driver, &shop(0));
        let object = after.entries.iter().find_map(|(_, _, entry)| {
            if let Content::Object(object) = &entry.content {
                Some((object.version.clone(), object.revision))
            } else {
                None
            }
        });
        let expected = (Some(Version::new("5")), revision);
        assert_eq!(object, Some(expected), "after {before}");
    }
}

#[test]
fn what_an_inherited_job_made_anew_is_there() {
    let mut found = known(None, "5", &[]);
    for (_, _, entry) in &mut found.entries {
        if let Content::Object(object) = &mut entry.content {
            object.gone = true;
        }
    }
    let made = with_intent(left_open(&[0], Some("theirs")), |intent| {
        intent.items[0].version = Some(Version::new("5"));
        intent.items[0].operations = operations([(1, &state(2, "5", 52))]);
    });
    found.entries.extend(made.entries);
    let [driver, _] = two_owners(&found);
    let after = topic_after(&found, &driver, &shop(0));
    let objects = after.entries.iter().filter_map(|(_, _, entry)| {
        let Content::Object(object) = &entry.content else {
            return None;
        };
        Some((object.id.as_deref(), object.gone))
    });
    assert_eq!(objects.collect::<Vec<_>>(), [(Some("there"), false)]);
}

#[test]
fn an_inherited_job_leaves_the_changes_of_its_version_known() {
    let (first, second) = (state(1, "5", 51), state(2, "5", 52));
    // The object's id was not given when it was created; the job gives it.
    for id in [None, Some("there")] {
        let found = known_and_updated(known(id, "5", &[&first]), &second, "5");
        for mut owner in two_owners(&found) {
            owner.record(1, second.clone());
            owner.record(2, first.clone());
            owner.run_to_rest();
            assert_eq!(updates(&owner), [], "a copy sets nothing back: {id:?}");
            assert!(owner.settled().contains(&REPEAT), "{:?}", owner.settled());
        }
    }
}

#[test]
fn an_inherited_job_does_not_lay_its_version_over_a_later_one() {
    let (job, between) = (state(1, "5", 51), state(2, "6", 61));
    let found = known_and_updated(known("there", "7", &[]), &job, "5");
    for mut owner in two_owners(&found) {
        owner.record(2, between.clone());
        owner.run_to_rest();
        let stale = Settlement::Skipped(SkipReason::Stale);
        assert_eq!(owner.settled(), [stale]);
        assert_eq!(owner.calls(is_write).len(), 0);
    }
}

#[test]
fn a_look_at_an_object_that_was_not_named_leaves_its_changes_known() {
    let (first, second) = (state(1, "5", 51), state(2, "5", 52));
    let mut driver = Driver::new(settings(), 1);
    driver.answer(made_and_not_named("5"));
    driver.record(0, first.clone());
    driver.run(10);
    driver.record(1, second);
    driver.run(10);
    assert_eq!(updates(&driver), [Some(52)]);
    assert!(looks(&driver) > 0, "its id was not known");
    driver.record(2, first);
    driver.run_to_rest();
    assert_eq!(updates(&driver), [Some(52)], "a copy sets nothing back");
    assert_eq!(driver.settled()[2], REPEAT);
}

#[test]
fn a_refusal_is_no_end_while_another_write_of_the_object_is_in_doubt() {
    // The previous owner tried it twice: one job refused it, and the other write's outcome is unknown.
    let mut slice = left_open(&[0], None);
    let mut refused = left_open(&[0], Some("theirs"));
    for (entity, owner, _) in &mut refused.entries {
        *entity = owner.intent(2);
    }
    slice.entries.extend(refused.entries);
    let mut driver = successor(slice);
    let mut told = report(vec![(0, ItemFate::Permanent("no such attribute".into()))]);
    driver.answer(move |call| match call {
        Call::GetKObject { .. } => Some(seen("there", Some("1"))),
        _ => told(call),
    });
    driver.record(0, order(0));
    driver.run_to_rest();
    assert_eq!((looks(&driver), creates(&driver)), (1, 0));
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    assert_eq!(intents(&driver, &shop(0)), 0, "somebody has looked");
}
