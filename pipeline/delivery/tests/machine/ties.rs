//! Versions that are equal or cannot be compared: equal versions do not mean equal states.

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::{MachineSettings, StateSettings};
use ingest_model::batch::Verb;
use ingest_model::call::{Call, CallResult, ItemFate, ItemResult, JobReport, ObjectState, Written};
use ingest_model::known::Revision;
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::{ExternalId, Klass, Planned, Version};
use ingest_model::outcome::{JobTicket, Outcome, Rejection, SkipReason};
use ingest_model::record::Offset;
use ingest_model::repeat::{ChangeKey, Changes};
use ingest_model::state_log::reduce::Slice;
use ingest_model::state_log::{Content, Entity, Entry, Intent, IntentItem, OperationRef, OwnerId};
use serde_json::{Map, Value};

use crate::driver::Driver;
use crate::make::{object, remembering, settings, shop, titled, versioned, write};

const SECOND: &str = "2026-07-08T09:10:11Z";

/// The order in a state with that version and title.
fn order(version: &str, title: u64) -> Planned {
    write(titled(versioned(object("order", 1), version), title))
}

/// The order as a look shows it.
fn standing(version: &str, title: u64) -> CallResult {
    let title = ("title".to_owned(), Value::from(title));
    CallResult::KObject(Outcome::Delivered(Some(ObjectState {
        id: "object 1".into(),
        rev: Some(4),
        version: Some(Version::new(version)),
        customer: None,
        shown: Map::from_iter([title]),
        company: None,
    })))
}

/// The titles of writes that contain the order's Kustomer id.
fn updates(driver: &Driver) -> Vec<u64> {
    let title = |call: &Call| match call {
        Call::UpdateKObject { body, .. } => body.parse()["title"].as_u64(),
        _ => None,
    };
    driver
        .sent
        .iter()
        .filter_map(|(_, call)| title(call))
        .collect()
}

/// The order exists with title 1. The first update of it, to title 2 within the same second, gets no answer, and the look
/// that follows shows this title.
fn update_in_doubt(shown: u64) -> Driver {
    let mut driver = Driver::new(settings(), 1);
    driver.record(0, order(SECOND, 1));
    driver.run(5);
    let mut lost = false;
    driver.answer(move |call| match call {
        Call::UpdateKObject { .. } if !std::mem::replace(&mut lost, true) => {
            Some(CallResult::Written(Outcome::Ambiguous))
        }
        Call::GetKObject { .. } => Some(standing(SECOND, shown)),
        _ => None,
    });
    driver.record(1, order(SECOND, 2));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
    driver
}

#[test]
fn an_update_in_doubt_is_written_again_where_another_state_of_its_version_stands() {
    assert_eq!(updates(&update_in_doubt(1)), [2, 2]);
}

#[test]
fn an_update_in_doubt_is_done_where_its_own_state_stands() {
    assert_eq!(updates(&update_in_doubt(2)), [2]);
}

#[test]
fn a_create_in_doubt_is_done_only_where_its_own_state_stands() {
    for (shown, written) in [(7, vec![8]), (8, vec![])] {
        let mut driver = Driver::new(settings(), 1);
        let mut lost = false;
        driver.answer(move |call| match call {
            Call::CreateKObject { .. } if !std::mem::replace(&mut lost, true) => {
                Some(CallResult::Written(Outcome::Ambiguous))
            }
            Call::CreateKObject { .. } => {
                Some(CallResult::Written(Outcome::Delivered(Written::Duplicate)))
            }
            Call::GetKObject { .. } => Some(standing("41", shown)),
            _ => None,
        });
        driver.record(0, order("41.0", 8));
        driver.run_to_rest();
        assert_eq!(updates(&driver), written);
        assert_eq!(driver.settled(), [Settlement::Delivered]);
    }
}

#[test]
fn states_of_one_second_are_all_written_and_the_last_one_stands() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(remembering(&[Some(SECOND)]));
    for title in 1..=4_u64 {
        driver.record(i64::try_from(title).unwrap(), order(SECOND, title));
        driver.run(90);
    }
    driver.run_to_rest();
    assert_eq!(updates(&driver), [2, 3, 4]);
    assert_eq!(driver.settled(), [Settlement::Delivered; 4]);
}

#[test]
fn whole_numbers_that_are_written_as_fractions_grow() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(remembering(&[
        Some("8.0"),
        Some("9.0"),
        Some("10.0"),
        Some("1.1e1"),
    ]));
    for (place, version) in ["8.0", "9.0", "10.0", "1.1e1"].into_iter().enumerate() {
        let place = u64::try_from(place).unwrap();
        driver.record(i64::try_from(place).unwrap(), order(version, place));
        driver.run(90);
    }
    driver.record(9, order("9.5", 77));
    driver.run_to_rest();
    assert_eq!(updates(&driver), [1, 2, 3]);
    assert_eq!(driver.settled()[4], Settlement::Skipped(SkipReason::Stale));
}

#[test]
fn a_version_of_another_kind_is_a_dead_letter_that_says_so() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(remembering(&[Some("17"), Some("18")]));
    driver.record(0, order("17", 1));
    driver.run(5);
    driver.record(1, order(SECOND, 2));
    driver.record(2, order("18", 3));
    driver.run_to_rest();
    assert_eq!(updates(&driver), [3], "the klass goes on");
    let [letter] = &driver.letters[..] else {
        panic!("{:?}", driver.letters)
    };
    assert_eq!(letter.reason, Rejection::MixedVersions);
    for word in ["order", "a time", "a number"] {
        assert!(letter.detail.contains(word), "{}", letter.detail);
    }
}

#[test]
fn a_version_of_another_kind_that_only_a_look_shows_is_a_dead_letter() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Delivered(Written::Duplicate)))
        }
        Call::GetKObject { .. } => Some(standing("17", 1)),
        _ => None,
    });
    driver.record(0, order(SECOND, 2));
    driver.run_to_rest();
    assert!(updates(&driver).is_empty());
    assert_eq!(driver.letters[0].reason, Rejection::MixedVersions);
}

#[test]
fn a_write_without_a_version_does_not_make_the_objects_version_unknown() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(0, order("10", 1));
    driver.run(5);
    driver.record(1, write(titled(object("order", 1), 2)));
    driver.run(5);
    driver.record(2, order("9", 3));
    driver.run_to_rest();
    assert_eq!(updates(&driver), [2]);
    assert_eq!(driver.settled()[2], Settlement::Skipped(SkipReason::Stale));
}

/// The order as an earlier owner knew it, and the update within the same second that this owner had submitted.
fn left_open(fingerprint: u64, update: &Planned) -> Slice {
    let hash = object_hash(&Klass("order".into()), &ExternalId("o1".into()));
    let owner = OwnerId::new(77, 3);
    let known = Content::Object(KnownObject {
        id: Some("object 1".into()),
        version: Some(Version::new(SECOND)),
        fingerprint: Some(fingerprint),
        revision: Revision::Known(4),
        doubtful: false,
        gone: false,
        changes: Changes::default(),
        company: ingest_model::known::Affiliation::default(),
    });
    let offset = Offset(1);
    let intent = Intent {
        klass: Klass("order".into()),
        verb: Verb::Update,
        with_refs: true,
        job: Some(JobTicket {
            id: "theirs".into(),
            created_ms: None,
        }),
        items: vec![IntentItem {
            reference: "r".to_owned(),
            object: hash,
            version: Some(Version::new(SECOND)),
            operations: vec![OperationRef {
                offset,
                ordinal: 0,
                mark: ChangeKey::of(update).mark(),
            }],
        }],
    };
    let entry = |at, content| Entry { at, content };
    Slice {
        entries: vec![
            (Entity::Object(hash), owner, entry(Offset(0), known)),
            (
                owner.intent(1),
                owner,
                entry(offset, Content::Intent(intent)),
            ),
        ],
        ..Slice::default()
    }
}

/// What a machine remembers of its last write, so that it does not repeat it.
fn fingerprint_of(plan: Planned) -> u64 {
    let mut driver = Driver::new(with_state(), 1);
    driver.run(1);
    driver.record(0, plan);
    driver.run_to_rest();
    let slice = crate::state::slice_of(&driver, &shop(0));
    let print = |(_, _, entry): &(Entity, OwnerId, Entry)| match &entry.content {
        Content::Object(object) => object.fingerprint,
        _ => None,
    };
    slice.entries.iter().find_map(print).unwrap()
}

fn with_state() -> MachineSettings {
    MachineSettings {
        state: Some(StateSettings::default()),
        ..settings()
    }
}

#[test]
fn what_an_earlier_owner_wrote_last_is_not_taken_for_what_it_wrote_before_at_the_same_version() {
    let mut driver = Driver::new(with_state(), 1);
    driver.run(1);
    driver.revoke(shop(0));
    let update = order(SECOND, 2);
    let slice = left_open(fingerprint_of(order(SECOND, 1)), &update);
    driver.slices.insert(shop(0), slice);
    driver.answer(|call| match call {
        Call::ReadJob { .. } => Some(CallResult::Job(Outcome::Delivered(JobReport {
            complete: true,
            items: vec![ItemResult {
                reference: "r".to_owned(),
                fate: ItemFate::Stored(Some("object 1".into())),
            }],
            ..JobReport::default()
        }))),
        Call::GetKObject { .. } => Some(standing(SECOND, 2)),
        _ => None,
    });
    driver.assign(shop(0));
    driver.run(1);
    // Title 1 came first, then 2 from the open job; now it is 1 again.
    driver.record(1, update);
    driver.record(2, order(SECOND, 1));
    driver.run_to_rest();
    assert_eq!(updates(&driver), [1]);
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}
