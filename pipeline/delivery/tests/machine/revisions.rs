//! Whether an organisation checks revisions: what counts as evidence, and what depends on it.

use std::collections::HashMap;
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::MachineSettings;
use ingest_model::call::{Call, CallResult, ObjectState, Written};
use ingest_model::operation::{Planned, Version};
use ingest_model::outcome::{Outcome, Rejection, RetryCause};

use crate::driver::Driver;
use crate::make::{object, settings, shop, titled, versioned, write};

/// The revision of every existing object.
const REV: i64 = 5;

/// Records of one object reach any partition, and another replica owns some of the partitions.
fn in_company() -> Driver {
    believing(None)
}

/// The same, where revisions are believed to be minded or not.
fn believing(minds_revisions: Option<bool>) -> Driver {
    let mut unkeyed: MachineSettings = settings();
    unkeyed.beliefs.minds_revisions = minds_revisions;
    for topic in unkeyed.topics.values_mut() {
        topic.keyed = false;
    }
    let mut driver = Driver::new(unkeyed, 2);
    driver.run(1);
    driver.revoke(shop(1));
    driver.run(1);
    driver
}

/// A newer state of an existing object.
fn update(number: u64) -> Planned {
    write(versioned(object("order", number), "2"))
}

/// The answers to updates, by the revision in them; every object exists at version 1.
fn standing(
    mut answer: impl FnMut(Option<i64>) -> Outcome<Written>,
) -> impl FnMut(&Call) -> Option<CallResult> {
    move |call| match call {
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Delivered(Written::Duplicate)))
        }
        Call::GetKObject { .. } => {
            Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                id: "there".into(),
                rev: Some(REV),
                version: Some(Version::new("1")),
                customer: None,
                shown: serde_json::Map::new(),
                company: None,
            }))))
        }
        Call::UpdateKObject { body, .. } => Some(CallResult::Written(answer(
            body.parse().get("rev").and_then(serde_json::Value::as_i64),
        ))),
        _ => None,
    }
}

fn stored() -> Outcome<Written> {
    Outcome::Delivered(Written::Stored {
        id: Some("there".into()),
        rev: None,
    })
}

fn refused() -> Outcome<Written> {
    Outcome::Reject("statusStr is unknown".to_owned())
}

/// The revisions in the updates.
fn named(driver: &Driver) -> Vec<Option<i64>> {
    let rev = |call: &Call| match call {
        Call::UpdateKObject { body, .. } => {
            Some(body.parse().get("rev").and_then(serde_json::Value::as_i64))
        }
        _ => None,
    };
    driver
        .sent
        .iter()
        .filter_map(|(_, call)| rev(call))
        .collect()
}

fn ignored(driver: &Driver) -> bool {
    let noticed = |fact: &Fact| matches!(fact, Fact::LockIgnored);
    driver.facts.iter().any(noticed)
}

#[test]
fn an_object_that_is_refused_for_itself_does_not_show_that_revisions_are_minded() {
    let mut driver = in_company();
    driver.answer(standing(|_| refused()));
    driver.record(0, update(0));
    driver.run(30);
    assert_eq!(named(&driver), [Some(REV - 1), Some(REV)]);
    driver.answer(standing(|_| stored()));
    driver.record(1, update(1));
    driver.run_to_rest();
    assert!(ignored(&driver), "the next one is asked again");
    assert_eq!(
        driver.settled(),
        [
            Settlement::DeadLettered(Rejection::RefusedByApi),
            Settlement::Delivered
        ]
    );
}

#[test]
fn an_old_revision_that_is_refused_like_a_bad_object_costs_the_object_nothing() {
    let mut driver = in_company();
    driver.answer(standing(|rev| {
        if rev == Some(REV) {
            stored()
        } else {
            refused()
        }
    }));
    for number in 0..2 {
        driver.record(i64::try_from(number).unwrap(), update(number));
        driver.run(30);
    }
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
    assert_eq!(
        named(&driver),
        [Some(REV - 1), Some(REV), Some(REV)],
        "asked once"
    );
}

#[test]
fn a_test_that_met_the_organisations_limit_is_made_anew_after_another_look() {
    let mut driver = in_company();
    let mut limited = false;
    driver.answer(standing(move |_| {
        if std::mem::replace(&mut limited, true) {
            stored()
        } else {
            Outcome::Retry(RetryCause::OrgQuota)
        }
    }));
    driver.record(0, update(0));
    driver.run_to_rest();
    let looks_and_writes: Vec<bool> = driver
        .sent
        .iter()
        .filter_map(|(_, call)| match call {
            Call::GetKObject { .. } => Some(false),
            Call::UpdateKObject { .. } => Some(true),
            _ => None,
        })
        .collect();
    assert_eq!(
        looks_and_writes,
        [false, true, false, true],
        "{:?}",
        driver.sent
    );
    assert_eq!(named(&driver), [Some(REV - 1); 2]);
    assert!(ignored(&driver));
}

#[test]
fn an_update_in_doubt_waits_where_nobody_knows_that_revisions_are_minded() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(standing(|_| Outcome::Ambiguous));
    driver.record(0, update(0));
    driver.run(10);
    assert_eq!(named(&driver), [Some(REV)], "a keyed topic asks nothing");
    let sent = driver.sent.len();
    driver.answer(standing(|_| stored()));
    // The copy in flight may take effect until then, and after whatever is written now.
    driver.record(1, write(versioned(titled(object("order", 0), 3), "3")));
    driver.run_for(Duration::from_secs(45));
    assert_eq!(driver.sent.len(), sent, "{:?}", driver.sent);
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

#[test]
fn what_is_believed_of_revisions_is_not_tested() {
    // Minded: no old revision is named on purpose. An update in doubt is sent again at once.
    let mut driver = believing(Some(true));
    let mut lost = true;
    driver.answer(standing(move |_| {
        let first = std::mem::take(&mut lost);
        if first { Outcome::Ambiguous } else { stored() }
    }));
    driver.record(0, update(0));
    driver.run(10);
    assert_eq!(named(&driver), [Some(REV); 2]);
    // Not minded: each is read first, and nobody is told that something was found out.
    let mut driver = believing(Some(false));
    driver.answer(standing(|_| stored()));
    driver.record(0, update(0));
    driver.run_to_rest();
    assert_eq!(named(&driver).len(), 1);
    assert!(!ignored(&driver));
}

/// Objects are created here and updated once each; every look finds an object with that id and revision. Returns how many
/// looks there were.
fn after_looks(id: fn(&str) -> String, rev: i64) -> usize {
    let mut driver = Driver::new(settings(), 1);
    let mut made = 0..;
    driver.answer(move |call| match call {
        Call::CreateKObject { .. } => {
            let id = made.next().map(|number| format!("made o{number}"));
            Some(CallResult::Written(Outcome::Delivered(Written::Stored {
                id: id.map(Into::into),
                rev: None,
            })))
        }
        Call::GetKObject { external_id, .. } => {
            Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                id: id(&external_id.0).into(),
                rev: Some(rev),
                version: Some(Version::new("1")),
                customer: None,
                shown: serde_json::Map::new(),
                company: None,
            }))))
        }
        _ => None,
    });
    for number in 0..6 {
        let first = versioned(object("order", number), "1");
        driver.record(i64::try_from(2 * number).unwrap(), write(first.clone()));
        driver.run(30);
        let second = versioned(titled(first, 7), "2");
        driver.record(i64::try_from(2 * number + 1).unwrap(), write(second));
        driver.run(30);
    }
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 12]);
    assert_eq!(named(&driver), [Some(rev); 6]);
    driver
        .calls(|call| matches!(call, Call::GetKObject { .. }))
        .len()
}

#[test]
fn where_an_organisation_begins_to_count_is_learnt_from_few_looks() {
    let made = |id: &str| format!("made {id}");
    assert_eq!(after_looks(made, 0), 1, "less than 0 there is not");
    assert_eq!(
        after_looks(made, 1),
        3,
        "somebody else may have written one of them"
    );
}

#[test]
fn a_copy_does_not_tell_where_an_organisation_begins_to_count() {
    let copy = |id: &str| format!("copy of {id}");
    assert_eq!(after_looks(copy, 0), 6, "each object is looked at");
}

#[test]
fn only_a_few_objects_are_looked_at_to_learn_where_revisions_start() {
    const OBJECTS: u64 = 40;
    let mut driver = Driver::new(settings(), 1);
    // The answer to a create does not show a revision.
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => Some(CallResult::Written(stored())),
        _ => None,
    });
    for number in 0..OBJECTS {
        let created = write(versioned(object("order", number), "1"));
        driver.record(i64::try_from(number).unwrap(), created);
    }
    driver.run_to_rest();
    // A body tells which object it is of.
    let ids: HashMap<String, String> = driver
        .sent
        .iter()
        .filter_map(|(_, call)| match call {
            Call::CreateKObjects { items, .. } => Some(items),
            _ => None,
        })
        .flatten()
        .map(|item| {
            let number = (0..OBJECTS).find(|number| object("order", *number).body == item.body);
            let external_id = object("order", number.unwrap()).external_id;
            (
                external_id.0.to_string(),
                format!("item {}", item.reference),
            )
        })
        .collect();
    // The created objects as they stand: this organisation starts at 1.
    driver.answer(move |call| match call {
        Call::GetKObject { external_id, .. } => {
            Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                id: ids
                    .get(&*external_id.0)
                    .map_or("there", String::as_str)
                    .into(),
                rev: Some(1),
                version: Some(Version::new("1")),
                customer: None,
                shown: serde_json::Map::new(),
                company: None,
            }))))
        }
        _ => None,
    });
    for number in 0..OBJECTS {
        let changed = write(versioned(
            titled(object("order", number), 1_000 + number),
            "2",
        ));
        driver.record(i64::try_from(OBJECTS + number).unwrap(), changed);
        assert_eq!(driver.machine.snapshot(driver.now).held.records, 0);
    }
    driver.run_to_rest();
    let looks = driver.calls(|call| matches!(call, Call::GetKObject { .. }));
    assert!((1..=6).contains(&looks.len()), "{} looks", looks.len());
    let wanted = usize::try_from(2 * OBJECTS).unwrap();
    assert_eq!(driver.settled(), vec![Settlement::Delivered; wanted]);
}
