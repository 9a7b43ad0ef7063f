//! Customers and companies that are written as operations of their own: in bulk like objects, with the company that a customer
//! has kept, and the one that it is given looked up.

use std::time::Duration;

use ingest_delivery::fact::{Fact, ResolvedBy, Settlement};
use ingest_model::body::Body;
use ingest_model::call::{
    BulkItem, Call, CallResult, ItemFate, ItemResult, JobReport, ObjectState, Written,
};
use ingest_model::operation::{
    CustomerKey, ExternalId, KObject, Klass, Operation, Party, Planned, Version,
};
use ingest_model::outcome::{JobTicket, Outcome, Rejection, RetryCause, SkipReason, Verdict};
use serde_json::{Map, Value, json};

use crate::driver::Driver;
use crate::make::{customer, object, owned, settings, shop, track, write};

const OLD: &str = "00000000000000000000c0a1";
const NEW: &str = "00000000000000000000c0b2";

fn body(value: &Value) -> Body {
    value.as_object().unwrap().into()
}

/// The customer with that number in a state of that version, who belongs to that company.
fn person(number: u64, version: &str, company: Option<&str>) -> KObject {
    let id = format!("u{number}");
    let email = json!({"emails": [{"type": "home", "email": format!("{id}@shop.example")}]});
    let said = json!({"externalId": id, "name": format!("Name {version}"), "custom": {"ingestVersionStr": version}});
    KObject {
        klass: Klass::customer(),
        external_id: ExternalId(id.into()),
        customer: None,
        version: Some(Version::new(version)),
        body: body(&said),
        fold: None,
        deletes: false,
        party: Some(Box::new(Party {
            company: company.map(|id| ExternalId(id.into())),
            on_create: body(&email),
        })),
    }
}

fn company(id: &str, version: &str) -> KObject {
    KObject {
        klass: Klass::company(),
        external_id: ExternalId(id.into()),
        body: body(&json!({"externalId": id, "name": format!("Company {version}")})),
        party: Some(Box::default()),
        ..person(0, version, None)
    }
}

/// What Kustomer shows of a customer.
fn shown(id: &str, rev: i64, version: &str, company: Option<&str>) -> CallResult {
    CallResult::KObject(Outcome::Delivered(Some(ObjectState {
        id: id.into(),
        rev: Some(rev),
        version: Some(Version::new(version)),
        company: company.map(Into::into),
        ..ObjectState::default()
    })))
}

fn written(written: Written) -> CallResult {
    CallResult::Written(Outcome::Delivered(written))
}

fn stored(id: &str, rev: i64) -> CallResult {
    written(Written::Stored {
        id: Some(id.into()),
        rev: Some(rev),
    })
}

fn is_company(call: &Call) -> bool {
    matches!(call, Call::GetKObject { klass, .. } if *klass == Klass::company())
}

fn is_write(call: &Call) -> bool {
    matches!(
        call,
        Call::CreateKObject { .. } | Call::UpdateKObject { .. }
    )
}

/// The bodies of single writes, in their order.
fn bodies(driver: &Driver) -> Vec<Map<String, Value>> {
    let all = driver.sent.iter().filter_map(|(_, call)| match call {
        Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => Some(body.parse()),
        _ => None,
    });
    all.collect()
}

fn items(call: &Call) -> &[BulkItem] {
    match call {
        Call::CreateKObjects { items, .. } | Call::UpdateKObjects { items, .. } => items,
        _ => &[],
    }
}

fn settle(driver: &mut Driver, wanted: &[Settlement]) {
    driver.run_to_rest();
    assert_eq!(driver.settled(), wanted);
}

#[test]
fn a_new_customer_is_created_with_its_contacts_and_looked_up_by_nobody() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(1, write(person(1, "1", None)));
    settle(&mut driver, &[Settlement::Delivered]);
    let [Call::CreateKObject { klass, body }] = &driver.calls(|_| true)[..] else {
        panic!("{:?}", driver.sent)
    };
    assert_eq!(*klass, Klass::customer());
    let body = body.parse();
    assert_eq!(body["externalId"], "u1");
    assert_eq!(body["emails"][0]["email"], "u1@shop.example");
    assert!(!body.contains_key("company"));
}

#[test]
fn a_thousand_new_customers_take_few_requests() {
    let mut driver = Driver::new(settings(), 1);
    for number in 0..1_000 {
        let offset = i64::try_from(number).unwrap();
        driver.record(offset + 1, write(person(number, "1", None)));
    }
    settle(&mut driver, &[Settlement::Delivered; 1_000]);
    let created = driver.sent.len();
    assert!(created <= 25, "{created} requests for a thousand creates");
}

#[test]
fn an_update_keeps_the_company_that_the_customer_has() {
    let mut driver = Driver::new(settings(), 1);
    let mut rev = 4;
    driver.answer(move |call| match call {
        Call::CreateKObject { .. } => Some(written(Written::Duplicate)),
        Call::GetKObject { .. } => Some(shown("c1", rev, "1", Some(OLD))),
        Call::UpdateKObject { body, .. } if body.parse()["rev"] == rev => {
            rev += 1;
            Some(stored("c1", rev))
        }
        Call::UpdateKObject { .. } => {
            Some(CallResult::Written(Outcome::Retry(RetryCause::Conflict)))
        }
        _ => None,
    });
    driver.record(1, write(person(1, "2", None)));
    driver.run_to_rest();
    // What was written stays known: the next update asks nobody.
    let reads = driver
        .calls(|call| matches!(call, Call::GetKObject { .. }))
        .len();
    driver.record(2, write(person(1, "3", None)));
    settle(&mut driver, &[Settlement::Delivered; 2]);
    let after = driver
        .calls(|call| matches!(call, Call::GetKObject { .. }))
        .len();
    assert_eq!(after, reads);
    let bodies = bodies(&driver);
    assert!(bodies.len() >= 3, "{bodies:?}");
    for update in &bodies[1..] {
        assert_eq!(update["company"], OLD, "{update:?}");
        assert!(!update.contains_key("emails"), "{update:?}");
        assert!(update.contains_key("rev"), "{update:?}");
    }
    assert_eq!(bodies.last().unwrap()["rev"], 5);
    assert_eq!(bodies.last().unwrap()["name"], "Name 3");
}

#[test]
fn a_company_that_an_agent_chose_in_between_is_kept() {
    let mut driver = Driver::new(settings(), 1);
    let mut rev = 4;
    driver.answer(move |call| match call {
        Call::CreateKObject { .. } => Some(written(Written::Duplicate)),
        Call::GetKObject { .. } => {
            let company = if rev > 6 { NEW } else { OLD };
            Some(shown("c1", rev, "1", Some(company)))
        }
        Call::UpdateKObject { body, .. } => {
            let named = body.parse()["rev"].as_i64();
            if named == Some(rev) && rev > 6 {
                return Some(stored("c1", rev + 1));
            }
            // Somebody else is always faster until then.
            rev += 1;
            Some(CallResult::Written(Outcome::Retry(RetryCause::Conflict)))
        }
        _ => None,
    });
    driver.record(1, write(person(1, "2", None)));
    settle(&mut driver, &[Settlement::Delivered]);
    let last = bodies(&driver).pop().unwrap();
    assert_eq!((&last["company"], &last["rev"]), (&json!(NEW), &json!(7)));
}

#[test]
fn the_company_that_the_record_names_is_read_once_and_given() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| is_company(call).then(|| shown(NEW, 1, "1", None)));
    for number in 0..30 {
        let offset = i64::try_from(number).unwrap();
        driver.record(offset + 1, write(person(number, "1", Some("acme"))));
    }
    settle(&mut driver, &[Settlement::Delivered; 30]);
    assert_eq!(driver.calls(is_company).len(), 1);
    let all = driver.sent.iter().flat_map(|(_, call)| items(call));
    let given: Vec<_> = all.map(|item| item.company.as_deref()).collect();
    assert_eq!(given.len() + bodies(&driver).len(), 30);
    assert!(
        given.iter().all(|company| *company == Some(NEW)),
        "{given:?}"
    );
    assert!(bodies(&driver).iter().all(|body| body["company"] == NEW));
}

#[test]
fn a_customer_waits_for_the_company_that_its_record_creates() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObject { klass, .. } if *klass == Klass::company() => Some(stored(NEW, 1)),
        _ => None,
    });
    let both = vec![
        write(person(1, "1", Some("acme"))),
        write(company("acme", "1")),
    ];
    driver.judged(shop(0), 1, Verdict::Emit(both));
    settle(&mut driver, &[Settlement::Delivered]);
    let writes = driver.calls(is_write);
    let [
        Call::CreateKObject { klass, .. },
        Call::CreateKObject { body, .. },
    ] = &writes[..]
    else {
        panic!("{writes:?}")
    };
    assert_eq!(*klass, Klass::company());
    assert_eq!(body.parse()["company"], NEW);
    assert!(
        driver.calls(is_company).is_empty(),
        "its create says its id"
    );
}

#[test]
fn a_company_that_does_not_exist_is_left_out_and_given_later() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        call if is_company(call) => Some(CallResult::KObject(Outcome::Delivered(None))),
        Call::CreateKObject { .. } => Some(stored("c1", 1)),
        _ => None,
    });
    driver.record(1, write(person(1, "1", Some("acme"))));
    driver.record(2, write(person(2, "1", Some("acme"))));
    settle(&mut driver, &[Settlement::Delivered; 2]);
    assert_eq!(
        driver.calls(is_company).len(),
        1,
        "for a while it is believed"
    );
    let missing = |fact: &&Fact| matches!(fact, Fact::CompanyMissing);
    assert_eq!(driver.facts.iter().filter(missing).count(), 2);
    assert!(
        bodies(&driver)
            .iter()
            .all(|body| !body.contains_key("company"))
    );
    // The same state comes again when the company is there: that changes something now.
    driver.run(120);
    driver.answer(|call| match call {
        call if is_company(call) => Some(shown(NEW, 1, "1", None)),
        Call::GetKObject { .. } => Some(shown("c1", 1, "1", None)),
        Call::UpdateKObject { .. } => Some(stored("c1", 2)),
        _ => None,
    });
    driver.record(3, write(person(1, "1", Some("acme"))));
    driver.run_to_rest();
    assert_eq!(bodies(&driver).pop().unwrap()["company"], NEW);
}

#[test]
fn a_company_that_is_gone_is_looked_up_again() {
    let mut driver = Driver::new(settings(), 1);
    let mut looks = 0;
    driver.answer(move |call| match call {
        call if is_company(call) => {
            looks += 1;
            Some(shown(if looks == 1 { OLD } else { NEW }, 1, "1", None))
        }
        Call::CreateKObject { body, .. } if body.parse()["company"] == OLD => {
            Some(written(Written::Gone))
        }
        _ => None,
    });
    driver.record(1, write(person(1, "1", Some("acme"))));
    settle(&mut driver, &[Settlement::Delivered]);
    assert_eq!(bodies(&driver).pop().unwrap()["company"], NEW);
}

#[test]
fn a_state_that_is_older_than_the_customers_is_skipped() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => Some(written(Written::Duplicate)),
        Call::GetKObject { .. } => Some(shown("c1", 4, "9", Some(OLD))),
        _ => None,
    });
    driver.record(1, write(person(1, "2", None)));
    settle(&mut driver, &[Settlement::Skipped(SkipReason::Stale)]);
    assert!(
        driver
            .calls(|call| matches!(call, Call::UpdateKObject { .. }))
            .is_empty()
    );
}

#[test]
fn a_customer_whom_somebody_else_made_by_mail_gets_the_external_id() {
    for owner in [None, Some("u1"), Some("somebody")] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(move |call| match call {
            Call::CreateKObject { .. } => Some(written(Written::Duplicate)),
            Call::GetKObject { .. } => Some(CallResult::KObject(Outcome::Delivered(None))),
            Call::FindCustomer { key } => {
                assert_eq!(*key, CustomerKey::Email("u1@shop.example".into()));
                let external = owner.map(|id| ("externalId".to_owned(), Value::from(id)));
                Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                    id: "by mail".into(),
                    rev: Some(1),
                    company: Some(OLD.into()),
                    shown: external.into_iter().collect(),
                    ..ObjectState::default()
                }))))
            }
            Call::UpdateKObject { .. } => Some(stored("by mail", 2)),
            _ => None,
        });
        driver.record(1, write(person(1, "2", None)));
        driver.run_to_rest();
        if owner == Some("somebody") {
            let rejected = Settlement::DeadLettered(Rejection::RefusedByApi);
            assert_eq!(driver.settled(), [rejected]);
            assert!(driver.letters[0].detail.contains("another external id"));
            continue;
        }
        assert_eq!(driver.settled(), [Settlement::Delivered], "{owner:?}");
        let updates = driver.calls(|call| matches!(call, Call::UpdateKObject { .. }));
        let Some(Call::UpdateKObject { id, body, .. }) = updates.last() else {
            panic!("{:?}", driver.sent)
        };
        assert_eq!(&**id, "by mail");
        let body = body.parse();
        assert_eq!(
            (&body["externalId"], &body["company"]),
            (&json!("u1"), &json!(OLD))
        );
    }
}

#[test]
fn whom_the_directory_knows_is_not_created_again() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::GetKObject { .. } => Some(shown("id of u1", 3, "1", Some(OLD))),
        Call::UpdateKObject { .. } => Some(stored("id of u1", 4)),
        _ => None,
    });
    driver.record(1, track(1));
    driver.run(5);
    driver.record(2, write(person(1, "2", None)));
    settle(&mut driver, &[Settlement::Delivered; 2]);
    assert!(
        driver
            .calls(|call| matches!(call, Call::CreateKObject { .. }))
            .is_empty()
    );
    assert_eq!(bodies(&driver).pop().unwrap()["company"], OLD);
}

#[test]
fn who_was_created_is_known_to_the_directory() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(1, write(person(1, "1", None)));
    driver.run(5);
    driver.record(2, write(owned(object("order", 1), customer(1))));
    settle(&mut driver, &[Settlement::Delivered; 2]);
    assert_eq!(
        driver.sent.len(),
        2,
        "nobody is looked up: {:?}",
        driver.sent
    );
    let by_create = |fact: &&Fact| {
        matches!(
            fact,
            Fact::Resolved {
                way: ResolvedBy::Create
            }
        )
    };
    assert_eq!(driver.facts.iter().filter(by_create).count(), 1);
}

#[test]
fn states_that_wait_are_one_update_with_the_newest_company() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::GetKObject { external_id, klass } if *klass == Klass::company() => {
            let id = if &*external_id.0 == "acme" { OLD } else { NEW };
            Some(shown(id, 1, "1", None))
        }
        _ => None,
    });
    let states: Vec<Planned> = [("1", Some("acme")), ("3", Some("other")), ("2", None)]
        .map(|(version, company)| write(person(1, version, company)))
        .into();
    driver.judged(shop(0), 1, Verdict::Emit(states));
    settle(&mut driver, &[Settlement::Delivered]);
    let bodies = bodies(&driver);
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0]["company"], NEW);
    assert_eq!(bodies[0]["name"], "Name 3");
}

#[test]
fn companies_are_updated_without_a_revision() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => Some(written(Written::Duplicate)),
        Call::GetKObject { .. } => Some(shown(NEW, 4, "1", None)),
        _ => None,
    });
    driver.record(1, write(company("acme", "2")));
    driver.run(5);
    driver.record(2, write(company("acme", "3")));
    settle(&mut driver, &[Settlement::Delivered; 2]);
    let bodies = bodies(&driver);
    assert!(
        bodies.iter().all(|body| !body.contains_key("rev")),
        "{bodies:?}"
    );
    assert_eq!(bodies.len(), 3);
}

#[test]
fn a_customer_that_keeps_failing_is_refused_alone() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObjects { .. } => {
            let ticket = JobTicket {
                id: "job".into(),
                created_ms: None,
            };
            Some(CallResult::Submitted(Outcome::Pending(ticket)))
        }
        Call::ReadJob { .. } => Some(CallResult::Job(Outcome::Delivered(JobReport {
            complete: true,
            items: (1..20)
                .map(|number: u64| ItemResult {
                    reference: number.to_string(),
                    fate: if number == 2 {
                        ItemFate::Permanent("gender is wrong".to_owned())
                    } else {
                        ItemFate::Stored(Some(format!("c{number}").into()))
                    },
                })
                .collect(),
            ..JobReport::default()
        }))),
        _ => None,
    });
    for number in 1..4 {
        driver.record(number, write(person(number.unsigned_abs(), "1", None)));
    }
    driver.run_for(Duration::from_secs(120));
    let refused = driver.letters.len();
    assert_eq!(refused, 1, "{:?}", driver.settled());
    let kinds: Vec<&str> = [person(1, "1", None), company("acme", "1")]
        .map(|one| Operation::KObject(one).kind())
        .into();
    assert_eq!(kinds, ["customer", "company"]);
}
