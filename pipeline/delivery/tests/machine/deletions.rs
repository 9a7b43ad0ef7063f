//! Deletions: an object goes once, and neither an older state brings it back nor a late deletion takes a newer one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::{Family, Scope};
use ingest_delivery::machine::{Input, MachineSettings, StateSettings};
use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, ItemFate, ItemResult, JobReport, ObjectState, Written};
use ingest_model::operation::{KObject, Klass, Planned, VERSION_ATTRIBUTE, Version};
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, RetryCause, SkipReason};
use ingest_model::record::Topic;
use serde_json::json;

use crate::driver::Driver;
use crate::make::{SHOP, object, settings, shop, write};

const DONE: Settlement = Settlement::Delivered;
const STALE: Settlement = Settlement::Skipped(SkipReason::Stale);
const REPEAT: Settlement = Settlement::Skipped(SkipReason::Repeat);
const NOT_THERE: Settlement = Settlement::Skipped(SkipReason::NotThere);

/// The objects of a destination, by their external ids.
#[derive(Default, Clone)]
pub(crate) struct Shelf(Rc<RefCell<Objects>>);

#[derive(Default)]
struct Objects {
    of: BTreeMap<String, ObjectState>,
    made: u32,
    jobs: BTreeMap<String, Vec<ItemResult>>,
}

impl Objects {
    fn create(&mut self, body: &Body) -> Result<String, ()> {
        let fields = body.parse();
        let external_id = fields["externalId"].as_str().unwrap().to_owned();
        if self.of.contains_key(&external_id) {
            return Err(());
        }
        self.made += 1;
        let id = format!("object {}", self.made);
        let state = ObjectState {
            id: id.as_str().into(),
            rev: Some(1),
            version: version_in(body),
            shown: fields,
            ..ObjectState::default()
        };
        self.of.insert(external_id, state);
        Ok(id)
    }

    fn update(&mut self, id: &str, body: &Body) -> Option<i64> {
        let one = self.of.values_mut().find(|one| &*one.id == id)?;
        one.shown.extend(body.parse());
        one.version = version_in(body).or_else(|| one.version.take());
        one.rev = one.rev.map(|rev| rev + 1);
        one.rev
    }
}

impl Shelf {
    /// What the shelf holds: external ids with the ids of objects.
    pub(crate) fn holds(&self) -> Vec<(String, String)> {
        let objects = self.0.borrow();
        let all = objects.of.iter();
        all.map(|(name, one)| (name.clone(), one.id.to_string()))
            .collect()
    }

    /// The version of an object.
    fn version(&self, name: &str) -> Option<String> {
        let objects = self.0.borrow();
        Some(objects.of.get(name)?.version.as_ref()?.0.to_string())
    }

    /// Somebody else puts an object there.
    fn put(&self, name: &str, version: &str) {
        let body = json!({"externalId": name, "custom": {VERSION_ATTRIBUTE: version}});
        let mut objects = self.0.borrow_mut();
        objects.of.remove(name);
        objects.create(&body.as_object().unwrap().into()).unwrap();
    }

    /// Answers calls about objects.
    pub(crate) fn answer(&self, call: &Call) -> Option<CallResult> {
        let written = |written| CallResult::Written(Outcome::Delivered(written));
        let mut objects = self.0.borrow_mut();
        Some(match call {
            Call::CreateKObject { body, .. } => written(match objects.create(body) {
                Ok(id) => Written::Stored {
                    id: Some(id.into()),
                    rev: Some(1),
                },
                Err(()) => Written::Duplicate,
            }),
            Call::UpdateKObject { id, body, .. } => written(match objects.update(id, body) {
                Some(rev) => Written::Stored {
                    id: Some(Arc::clone(id)),
                    rev: Some(rev),
                },
                None => Written::Gone,
            }),
            Call::DeleteKObject { id, .. } => {
                objects.of.retain(|_, one| one.id != *id);
                written(Written::Gone)
            }
            Call::CreateKObjects { items, .. } | Call::UpdateKObjects { items, .. } => {
                let results = items.iter().map(|item| ItemResult {
                    reference: item.reference.clone(),
                    fate: match &item.id {
                        Some(id) => match objects.update(id, &item.body) {
                            Some(_) => ItemFate::Stored(Some(Arc::clone(id))),
                            None => ItemFate::Gone,
                        },
                        None => match objects.create(&item.body) {
                            Ok(id) => ItemFate::Stored(Some(id.into())),
                            Err(()) => ItemFate::Duplicate,
                        },
                    },
                });
                let results = results.collect();
                let job = format!("job {}", objects.jobs.len());
                objects.jobs.insert(job.clone(), results);
                CallResult::Submitted(Outcome::Pending(JobTicket {
                    id: job.into(),
                    created_ms: None,
                }))
            }
            Call::GetKObject { external_id, .. } => {
                let found = objects.of.get(&*external_id.0).cloned();
                CallResult::KObject(Outcome::Delivered(found))
            }
            Call::ReadJob { job } => CallResult::Job(Outcome::Delivered(JobReport {
                complete: true,
                items: objects.jobs[&**job].clone(),
                ..JobReport::default()
            })),
            _ => return None,
        })
    }
}

fn version_in(body: &Body) -> Option<Version> {
    let custom = body.parse();
    let version = custom.get("custom")?.get(VERSION_ATTRIBUTE)?.as_str()?;
    Some(Version::new(version))
}

/// A state of an order.
pub(crate) fn state(number: u64, version: Option<&str>) -> Planned {
    let plain = object("order", number);
    let mut body = json!({"externalId": &*plain.external_id.0, "title": "Order"});
    if let Some(version) = version {
        body["custom"] = json!({ VERSION_ATTRIBUTE: version });
    }
    write(KObject {
        version: version.map(Version::new),
        body: body.as_object().unwrap().into(),
        ..plain
    })
}

/// The deletion of an order.
pub(crate) fn deletion(number: u64, version: Option<&str>) -> Planned {
    let plain = object("order", number);
    let version = version.map(Version::new);
    write(KObject::deletion(plain.klass, plain.external_id, version))
}

fn on(shelf: &Shelf) -> Driver {
    with(settings(), shelf)
}

fn with(settings: MachineSettings, shelf: &Shelf) -> Driver {
    let mut driver = Driver::new(settings, 1);
    let shelf = shelf.clone();
    driver.answer(move |call| shelf.answer(call));
    driver
}

/// Records, each after the one before has ended.
fn one_by_one(driver: &mut Driver, plans: impl IntoIterator<Item = Planned>) {
    for (offset, plan) in (0..).zip(plans) {
        driver.record(offset, plan);
        driver.run(90);
    }
    driver.run_to_rest();
}

fn deletes(driver: &Driver) -> usize {
    driver
        .calls(|call| matches!(call, Call::DeleteKObject { .. }))
        .len()
}

fn looks(driver: &Driver) -> usize {
    driver
        .calls(|call| matches!(call, Call::GetKObject { .. }))
        .len()
}

#[test]
fn an_object_that_is_known_is_deleted_with_one_request() {
    let shelf = Shelf::default();
    let mut driver = on(&shelf);
    one_by_one(&mut driver, [state(1, Some("1")), deletion(1, Some("2"))]);
    assert_eq!(driver.settled(), [DONE, DONE]);
    assert_eq!((deletes(&driver), looks(&driver)), (1, 0));
    assert_eq!(shelf.holds(), []);
}

#[test]
fn an_object_that_is_not_known_is_looked_up_and_none_is_done() {
    let shelf = Shelf::default();
    shelf.put("o1", "1");
    let mut driver = on(&shelf);
    one_by_one(&mut driver, [deletion(1, Some("2")), deletion(2, None)]);
    assert_eq!(driver.settled(), [DONE, NOT_THERE]);
    assert_eq!((deletes(&driver), looks(&driver)), (1, 2));
    assert_eq!(shelf.holds(), []);
    // A second event says the same.
    driver.record(9, deletion(1, Some("2")));
    driver.run_to_rest();
    assert_eq!(driver.settled()[2], NOT_THERE);
    assert_eq!(looks(&driver), 2);
}

#[test]
fn an_older_deletion_takes_no_newer_state() {
    let shelf = Shelf::default();
    shelf.put("o2", "9");
    let mut driver = on(&shelf);
    let plans = [
        state(1, Some("9")),
        deletion(1, Some("8")),
        deletion(2, Some("8")),
    ];
    one_by_one(&mut driver, plans);
    assert_eq!(driver.settled(), [DONE, STALE, STALE]);
    assert_eq!(deletes(&driver), 0);
    assert_eq!(shelf.holds().len(), 2);
}

#[test]
fn no_older_state_brings_it_back_and_a_newer_one_makes_it_anew() {
    let shelf = Shelf::default();
    let mut driver = on(&shelf);
    let late = state(1, Some("4"));
    let gone = deletion(1, Some("5"));
    let plans = [
        state(1, Some("3")),
        gone.clone(),
        late,
        deletion(1, Some("7")),
        state(1, Some("6")),
        state(1, Some("8")),
        gone,
    ];
    one_by_one(&mut driver, plans);
    let expected = [DONE, DONE, STALE, NOT_THERE, STALE, DONE, STALE];
    assert_eq!(driver.settled(), expected);
    assert_eq!(shelf.holds(), [("o1".to_owned(), "object 2".to_owned())]);
    assert_eq!(shelf.version("o1").as_deref(), Some("8"));
}

#[test]
fn without_versions_the_order_of_arrival_counts() {
    let shelf = Shelf::default();
    let mut driver = on(&shelf);
    let (first, gone) = (state(1, None), deletion(1, None));
    let again = state(1, None);
    let plans = [
        first.clone(),
        gone.clone(),
        first,
        again,
        gone,
        state(2, Some("5")),
        deletion(2, None),
        state(2, Some("4")),
    ];
    one_by_one(&mut driver, plans);
    let expected = [DONE, DONE, REPEAT, DONE, REPEAT, DONE, DONE, STALE];
    assert_eq!(driver.settled(), expected);
    assert_eq!(shelf.holds(), [("o1".to_owned(), "object 2".to_owned())]);
}

#[test]
fn what_waits_is_never_made_and_what_comes_after_is() {
    let shelf = Shelf::default();
    let mut driver = on(&shelf);
    for (offset, plan) in (0..).zip([
        state(1, Some("1")),
        deletion(1, Some("2")),
        state(2, Some("1")),
        deletion(2, Some("2")),
        state(2, Some("3")),
    ]) {
        driver.record(offset, plan);
    }
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 5);
    assert_eq!(deletes(&driver), 0, "{:?}", driver.sent);
    assert_eq!(shelf.holds(), [("o2".to_owned(), "object 1".to_owned())]);
    let saved = |fact: &&Fact| matches!(fact, Fact::Saved { .. });
    assert_eq!(driver.facts.iter().filter(saved).count(), 2);
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again() {
    for arrived in [true, false] {
        let shelf = Shelf::default();
        shelf.put("o1", "1");
        let mut driver = on(&shelf);
        let (all, mut lost) = (shelf.clone(), 0);
        driver.answer(move |call| match call {
            Call::DeleteKObject { .. } if lost < 3 => {
                lost += 1;
                if arrived {
                    all.answer(call);
                }
                Some(CallResult::Written(Outcome::Ambiguous))
            }
            _ => all.answer(call),
        });
        one_by_one(&mut driver, [deletion(1, Some("2"))]);
        assert_eq!(driver.settled(), [DONE]);
        assert_eq!(deletes(&driver), 4);
        assert_eq!(shelf.holds(), []);
    }
}

#[test]
fn a_missing_role_holds_deletions_alone() {
    let shelf = Shelf::default();
    shelf.put("o1", "1");
    let mut driver = on(&shelf);
    let all = shelf.clone();
    driver.answer(move |call| match call {
        Call::DeleteKObject { .. } => {
            let cause = HoldCause::MissingRole;
            Some(CallResult::Written(Outcome::Hold(cause)))
        }
        _ => all.answer(call),
    });
    driver.record(0, deletion(1, Some("2")));
    driver.record(1, state(2, Some("1")));
    driver.record(2, state(1, Some("3")));
    driver.run(600);
    let scope = Scope::Family(Family::KObjectDelete(Klass("order".into())));
    assert_eq!(scope.to_string(), "kobject_delete:order");
    assert_eq!(driver.holds(), [(scope, HoldCause::MissingRole)]);
    assert_eq!(driver.settled(), [DONE], "other writes go on");
    let all = shelf.clone();
    driver.answer(move |call| all.answer(call));
    driver.run_to_rest();
    assert_eq!(driver.holds(), []);
    assert_eq!(driver.settled(), [DONE; 3]);
    assert_eq!(shelf.version("o1").as_deref(), Some("3"));
}

#[test]
fn a_refusal_is_a_dead_letter_and_no_quarantine() {
    let shelf = Shelf::default();
    let mut driver = on(&shelf);
    let all = shelf.clone();
    driver.answer(move |call| match call {
        Call::DeleteKObject { .. } => Some(CallResult::Written(Outcome::Reject("no".to_owned()))),
        _ => all.answer(call),
    });
    for n in 0..60 {
        shelf.put(&format!("o{n}"), "1");
        driver.record(i64::try_from(n).unwrap(), deletion(n, Some("2")));
    }
    driver.record(60, state(90, Some("1")));
    driver.run_to_rest();
    assert_eq!(driver.letters.len(), 60);
    assert_eq!(driver.holds(), []);
}

#[test]
fn a_deletion_is_tried_again_while_the_api_is_busy_or_limited() {
    let causes = [
        RetryCause::OrgQuota,
        RetryCause::ObjectQuota,
        RetryCause::ServerError,
        RetryCause::Conflict,
        RetryCause::Network,
    ];
    for cause in causes {
        let shelf = Shelf::default();
        shelf.put("o1", "1");
        let mut driver = on(&shelf);
        let (all, mut times) = (shelf.clone(), 0);
        driver.answer(move |call| match call {
            Call::DeleteKObject { .. } if times < 2 => {
                times += 1;
                Some(CallResult::Written(Outcome::Retry(cause)))
            }
            _ => all.answer(call),
        });
        one_by_one(&mut driver, [deletion(1, None)]);
        assert_eq!(driver.settled(), [DONE], "{cause:?}");
        assert_eq!(shelf.holds(), [], "{cause:?}");
    }
}

#[test]
fn where_others_write_the_object_is_looked_at_right_before() {
    // With keys, too: what is known may be from before the partition was elsewhere.
    for keyed in [false, true] {
        let mut shared = settings();
        shared.topics.get_mut(&Topic::new(SHOP)).unwrap().keyed = keyed;
        let shelf = Shelf::default();
        let mut driver = with(shared, &shelf);
        // Another replica owns the other partition.
        driver.put(Input::Topology(vec![(Topic::new(SHOP), 2)]));
        driver.record(0, state(1, Some("1")));
        driver.record(1, state(2, Some("1")));
        driver.run(90);
        shelf.put("o1", "5");
        driver.record(2, deletion(1, Some("3")));
        driver.record(3, deletion(2, Some("3")));
        driver.run(90);
        assert_eq!(driver.settled()[2..], [STALE, DONE], "keyed: {keyed}");
        assert_eq!(shelf.version("o1").as_deref(), Some("5"));
        assert_eq!(shelf.holds().len(), 1);
    }
}

fn remembering() -> MachineSettings {
    MachineSettings {
        state: Some(StateSettings::default()),
        ..settings()
    }
}

/// Another process takes over what this one has left in the state topic.
fn successor(before: &Driver, shelf: &Shelf) -> Driver {
    let mut after = with(remembering(), shelf);
    after.run(1);
    after.revoke(shop(0));
    let slice = crate::state::slice_of(before, &shop(0));
    after.slices.insert(shop(0), slice);
    after.assign(shop(0));
    after.run(1);
    after
}

#[test]
fn a_deletion_survives_a_restart() {
    let shelf = Shelf::default();
    let mut before = with(remembering(), &shelf);
    before.run(1);
    let gone = deletion(1, Some("5"));
    one_by_one(&mut before, [state(1, Some("3")), gone.clone()]);
    let mut after = successor(&before, &shelf);
    let late = state(1, Some("4"));
    for (offset, plan) in (2..).zip([late, gone, state(1, Some("6"))]) {
        after.record(offset, plan);
        after.run(90);
    }
    after.run_to_rest();
    assert_eq!(after.settled(), [STALE, REPEAT, DONE]);
    assert_eq!(looks(&after), 0);
    assert_eq!(shelf.version("o1").as_deref(), Some("6"));
}
