use std::collections::BTreeMap;

use proptest::prelude::*;

use super::StateRecord;
use super::format::{
    HEADER_KEY, decode_header, decode_value, encode_header, encode_key, encode_value,
};
use super::reduce::{Slice, SliceReader};
use super::writer::{Capacity, SliceWriter};
use super::*;
use crate::remembered::known::Revision;
use crate::remembered::repeat::{ChangeKey, Changes};

const CAPACITY: Capacity = Capacity {
    facts: 1_000,
    events: 1_000,
};

fn slice() -> SliceId {
    SliceId::of(&TopicPartition::new("shop.events", 1))
}

fn owner(n: u64) -> OwnerId {
    OwnerId::new(7, n)
}

fn object(at: i64, version: u64) -> Entry {
    Entry {
        at: Offset(at),
        content: Content::Object(KnownObject {
            id: Some(Arc::from("5f75c63cd5c0384ad82a17ae")),
            version: Some(Version::new(&version.to_string())),
            fingerprint: Some(version),
            revision: Revision::SinceCreate(2),
            doubtful: false,
            gone: false,
            changes: Changes::from_iter([ChangeKey(version), ChangeKey(u64::MAX)]),
            company: crate::known::Affiliation::default(),
        }),
    }
}

fn intent(at: i64, job: Option<&str>) -> Intent {
    let operation = |offset, ordinal| OperationRef {
        offset: Offset(offset),
        ordinal,
        mark: u32::from(ordinal) + 7,
    };
    Intent {
        klass: Klass(Arc::from("order")),
        verb: Verb::Create,
        with_refs: true,
        job: job.map(|id| JobTicket {
            id: Arc::from(id),
            created_ms: Some(5),
        }),
        items: vec![IntentItem {
            reference: "17".to_owned(),
            object: 9,
            version: None,
            operations: vec![operation(at - 2, 0), operation(at - 1, 0), operation(at, 1)],
        }],
    }
}

fn intended(at: i64, job: Option<&str>) -> Entry {
    let intent = intent(at, job);
    Entry {
        at: intent.at(),
        content: Content::Intent(intent),
    }
}

fn record(entity: Entity, by: u64, entry: Option<&Entry>) -> StateRecord {
    let key = EntryKey {
        slice: slice(),
        entity,
        owner: owner(by),
    };
    StateRecord {
        key: encode_key(&key),
        value: entry.map(encode_value),
    }
}

fn read(log: &[StateRecord]) -> Slice {
    let mut reader = SliceReader::new(slice());
    for one in log {
        reader.take(&one.key, one.value.as_deref());
    }
    reader.finish()
}

fn holding(slice: &Slice) -> BTreeMap<Entity, Entry> {
    let entries = slice.entries.iter();
    entries
        .map(|(entity, _, entry)| (*entity, entry.clone()))
        .collect()
}

/// Writes out everything that a writer holds, acknowledged batch by batch.
fn flush(writer: &mut SliceWriter, log: &mut Vec<StateRecord>) {
    while let Some(batch) = writer.next_batch() {
        log.extend(batch);
        writer.acknowledged();
    }
}

#[test]
fn every_sort_of_entry_comes_back_as_it_was() {
    let (customer, event) = (Entity::Customer(1), Entity::Event(3));
    let known = Entry {
        at: Offset(4),
        content: Content::Customer(Arc::from("abc")),
    };
    let seen = Entry {
        at: Offset(5),
        content: Content::Event,
    };
    let write = owner(1).intent(1);
    let all = [
        (customer, known),
        (event, seen),
        (Entity::Object(2), object(6, 3)),
        (write, intended(9, Some("job-1"))),
    ];
    let log: Vec<StateRecord> = all
        .iter()
        .map(|(entity, entry)| record(*entity, 1, Some(entry)))
        .collect();
    assert_eq!(holding(&read(&log)), BTreeMap::from(all));
    assert_eq!(decode_header(&encode_header(12)), Some(12));
}

#[test]
fn what_another_version_wrote_is_counted_and_does_no_harm() {
    let entity = Entity::Object(2);
    let good = record(entity, 1, Some(&object(6, 3)));
    let mut newer = record(entity, 2, Some(&object(7, 4)));
    newer.value = Some(br#"{"v":2,"at":7,"what":"unheard of"}"#.to_vec());
    let odd = |key: &[u8]| StateRecord {
        key: key.to_vec(),
        value: Some(b"x".to_vec()),
    };
    let header = StateRecord {
        key: HEADER_KEY.as_bytes().to_vec(),
        value: Some(encode_header(3)),
    };
    let slice = read(&[good, newer, odd(b"2/abc"), odd(&[0xff]), header]);
    assert_eq!(slice.unknown, 3);
    assert_eq!(holding(&slice), BTreeMap::from([(entity, object(6, 3))]));
}

#[test]
fn another_slice_in_the_same_partition_is_not_read() {
    let key = EntryKey {
        slice: SliceId::of(&TopicPartition::new("shop.events", 2)),
        entity: Entity::Object(2),
        owner: owner(1),
    };
    let mut reader = SliceReader::new(slice());
    reader.take(&encode_key(&key), Some(&encode_value(&object(1, 1))));
    assert_eq!(reader.finish(), Slice::default());
}

#[test]
fn a_job_that_is_known_outranks_the_bare_intent_of_its_successor() {
    let write = owner(1).intent(1);
    let log = [
        record(write, 2, Some(&intended(9, None))),
        record(write, 1, Some(&intended(9, Some("job-1")))),
    ];
    let slice = read(&log);
    assert_eq!(
        holding(&slice)[&write],
        intended(9, Some("job-1")),
        "whoever knows more is right"
    );
    assert_eq!(slice.outranked, [(write, owner(2))]);
}

#[test]
fn an_intent_leaves_only_after_what_it_led_to() {
    let write = owner(1).intent(1);
    let mut writer = SliceWriter::new(slice(), owner(1), &Slice::default(), CAPACITY);
    writer.intend(write, intended(9, None));
    assert!(writer.is_urgent());
    assert_eq!(writer.next_batch().map(|batch| batch.len()), Some(1));
    assert!(!writer.is_urgent());
    assert_eq!(writer.acknowledged(), [write]);
    writer.learn(Entity::Object(9), object(9, 1));
    writer.conclude(write);
    let facts = writer.next_batch().unwrap();
    assert_eq!(facts, [record(Entity::Object(9), 1, Some(&object(9, 1)))]);
    assert!(writer.next_batch().is_none(), "one batch at a time");
    writer.failed();
    assert_eq!(writer.next_batch().unwrap(), facts);
    assert_eq!(writer.acknowledged(), []);
    assert_eq!(writer.next_batch().unwrap(), [record(write, 1, None)]);
    writer.acknowledged();
    assert!(writer.is_idle());
}

#[test]
fn the_oldest_facts_make_room() {
    let capacity = Capacity {
        facts: 2,
        events: 1,
    };
    let mut log = Vec::new();
    let mut writer = SliceWriter::new(slice(), owner(1), &Slice::default(), capacity);
    for n in 1..=3 {
        writer.learn(Entity::Object(n), object(1, 1));
        let event = Entry {
            at: Offset(1),
            content: Content::Event,
        };
        writer.learn(Entity::Event(n), event);
        flush(&mut writer, &mut log);
    }
    let left: Vec<Entity> = holding(&read(&log)).into_keys().collect();
    assert_eq!(
        left,
        [Entity::Object(2), Entity::Object(3), Entity::Event(3)]
    );
}

#[test]
fn what_waits_is_counted_and_beyond_the_limit_only_objects_are_added() {
    let capacity = Capacity {
        facts: 40_000,
        events: 1,
    };
    let mut writer = SliceWriter::new(slice(), owner(1), &Slice::default(), capacity);
    let empty = writer.bytes();
    let said = |at| Entry {
        at: Offset(at),
        content: Content::Identity(Said::default()),
    };
    for n in 0..30_000 {
        writer.learn(Entity::Identity(n), said(1));
    }
    assert_eq!(writer.waiting(), 20_000);
    assert_eq!(writer.left_out(), 10_000);
    let full = writer.bytes();
    assert!(full - empty > 20_000 * 300, "{empty} {full}");
    writer.learn(Entity::Object(1), object(2, 1));
    assert!(writer.waiting() > 20_000);
}

/// Writes of several owners, each with offsets that only grow: owner, entity, offset, version.
fn writes() -> impl Strategy<Value = Vec<(u64, u128, i64, u64)>> {
    let one = (0_u64..4, 0_u128..4, 1_i64..5, 0_u64..5);
    prop::collection::vec(one, 0..60).prop_map(|steps| {
        let mut reached: BTreeMap<u64, i64> = BTreeMap::new();
        steps
            .into_iter()
            .map(|(by, entity, step, version)| {
                let at = reached.entry(by).or_default();
                *at += step;
                (by, entity, *at, version)
            })
            .collect()
    })
}

/// Any compaction: drops some records that a later one replaces, and some final deletions, each with all that it deleted.
fn compact(log: &[StateRecord], dice: &[bool]) -> Vec<StateRecord> {
    let mut dice = dice.iter().copied().cycle();
    let is_last = |index: usize, key: &[u8]| log[index + 1..].iter().all(|r| r.key != key);
    let kept = log.iter().enumerate().filter(|(index, record)| {
        let roll = dice.next().unwrap_or(false);
        let last = is_last(*index, &record.key);
        (last && record.value.is_some()) || !roll
    });
    // A deletion may go only together with what it deleted.
    let kept: Vec<StateRecord> = kept.map(|(_, record)| record.clone()).collect();
    let deleted = |record: &StateRecord| {
        let last = log.iter().rev().find(|other| other.key == record.key);
        last.is_some_and(|last| last.value.is_none())
    };
    let whole = |record: &StateRecord| {
        let before = kept
            .iter()
            .any(|other| other.key == record.key && other.value.is_none());
        !deleted(record) || before
    };
    kept.iter()
        .filter(|record| whole(record))
        .cloned()
        .collect()
}

proptest! {
    /// In whatever order the owners' writes reached the log, and however it was compacted, the highest entry of each
    /// entity holds. So an owner that writes late never wins over one that has read further.
    #[test]
    fn the_highest_holds_in_any_order_and_after_any_compaction(
        writes in writes(),
        interleaving in prop::collection::vec(any::<prop::sample::Index>(), 60),
        dice in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let mut queues: BTreeMap<u64, Vec<StateRecord>> = BTreeMap::new();
        let mut latest: BTreeMap<(u64, u128), (i64, u64)> = BTreeMap::new();
        for (by, entity, at, version) in &writes {
            let made = record(Entity::Object(*entity), *by, Some(&object(*at, *version)));
            queues.entry(*by).or_default().push(made);
            latest.insert((*by, *entity), (*at, *version));
        }
        let mut expected: BTreeMap<Entity, Entry> = BTreeMap::new();
        for ((_, entity), (at, version)) in latest {
            let entry = object(at, version);
            let best = expected.entry(Entity::Object(entity)).or_insert_with(|| entry.clone());
            if entry.outranks(best) {
                *best = entry;
            }
        }
        let mut log = Vec::new();
        for place in interleaving {
            queues.retain(|_, queue| !queue.is_empty());
            if queues.is_empty() {
                break;
            }
            let by = *queues.keys().nth(place.index(queues.len())).unwrap();
            log.push(queues.get_mut(&by).unwrap().remove(0));
        }
        prop_assert_eq!(holding(&read(&log)), expected.clone());
        let compacted = compact(&log, &dice);
        prop_assert_eq!(holding(&read(&compacted)), expected.clone());

        // The next owner cleans up; what holds stays the same, and once more changes nothing.
        let mut writer = SliceWriter::new(slice(), owner(9), &read(&compacted), CAPACITY);
        let mut cleaned = compacted;
        flush(&mut writer, &mut cleaned);
        let after = read(&cleaned);
        prop_assert_eq!(holding(&after), expected);
        prop_assert_eq!(&after.outranked, &Vec::new());
        let mut again = SliceWriter::new(slice(), owner(10), &after, CAPACITY);
        prop_assert!(again.next_batch().is_none());
    }

    /// An owner that does not know that it lost the partition goes on writing and deleting. What its successor wrote
    /// after higher offsets still holds for every later reader.
    #[test]
    fn a_late_writer_never_wins(
        old in prop::collection::vec((0_u128..4, 1_i64..50), 1..20),
        new in prop::collection::vec((0_u128..4, 51_i64..90), 1..20),
        late in prop::collection::vec((0_u128..4, any::<bool>()), 0..20),
        order in prop::collection::vec(any::<bool>(), 1..60),
    ) {
        let mut log = Vec::new();
        let mut before: Vec<(u128, i64)> = old;
        before.sort_by_key(|(_, at)| *at);
        let mut first = SliceWriter::new(slice(), owner(1), &Slice::default(), CAPACITY);
        for (entity, at) in before {
            first.learn(Entity::Object(entity), object(at, 1));
        }
        flush(&mut first, &mut log);
        let mut second = SliceWriter::new(slice(), owner(2), &read(&log), CAPACITY);
        let mut expected = holding(&read(&log));
        let mut fresh = new;
        fresh.sort_by_key(|(_, at)| *at);
        for (entity, at) in &fresh {
            second.learn(Entity::Object(*entity), object(*at, 2));
            expected.insert(Entity::Object(*entity), object(*at, 2));
        }
        for (entity, deletes) in late {
            // Only what the successor wrote again is its own and safe.
            let entity = Entity::Object(entity);
            if fresh.iter().all(|(other, _)| Entity::Object(*other) != entity) {
                continue;
            }
            if deletes {
                first.forget(entity);
            } else {
                first.learn(entity, object(50, 1));
            }
        }
        for turn in order {
            let writer = if turn { &mut first } else { &mut second };
            if let Some(batch) = writer.next_batch() {
                log.extend(batch);
                writer.acknowledged();
            }
        }
        flush(&mut second, &mut log);
        flush(&mut first, &mut log);
        prop_assert_eq!(holding(&read(&log)), expected);
    }
}

#[test]
fn an_object_whose_id_is_not_known_comes_back_without_one() {
    let mut entry = object(4, 2);
    let Content::Object(known) = &mut entry.content else {
        panic!("an object");
    };
    known.id = None;
    let written = encode_value(&entry);
    let text = String::from_utf8(written.clone()).unwrap();
    assert!(
        text.contains(r#""id":"""#),
        "as workers before this one read it: {text}"
    );
    assert_eq!(decode_value(Entity::Object(9), &written), Some(entry));
}
