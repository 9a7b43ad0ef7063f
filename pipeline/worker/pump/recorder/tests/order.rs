//! Where the machine follows the order of customers' keys.

use ingest_model::operation::Track;

use super::super::*;
use super::rig::*;

/// An object of a customer who is waited for if nobody knows them.
fn waits(offset: i64, customer: &str) -> Input {
    let key = CustomerKey::ExternalId(customer.into());
    record(
        offset,
        Operation::KObject(KObject {
            customer: CustomerRef::new(vec![key], MissingCustomer::Park),
            ..object(offset.unsigned_abs(), 1)
        }),
    )
}

#[test]
fn customers_who_are_due_at_once_are_taken_in_the_same_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    run.tick = Duration::ZERO;
    for offset in 0..60 {
        // No order of arrival, of length, or of the number alone.
        let number = offset * 17 % 60;
        run.step(waits(offset, &format!("{}Solveig Dahl", number * number)));
    }
    for _ in 0..60 {
        run.pass(120);
    }
    let (_, text) = run.write();
    assert_nobody(&text);
    let (result, said) = replayed(&text, &nothing());
    assert_eq!((result.differences, result.exact), (0, true), "{said}");
}

#[test]
fn keys_are_numbered_and_nothing_of_them_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    let names = [
        "aslaug@fjord.example",
        "birk@fjord.example",
        "caspara@fjord.example",
    ];
    for (offset, name) in (0..).zip(names) {
        run.step(waits(offset, name));
    }
    run.pass(60);
    let (_, text) = run.write();
    for name in names {
        let (person, _) = name.split_once('@').unwrap();
        assert!(!text.contains(person), "{person}");
    }
    assert!(!text.contains("fjord"), "{text}");
    let mut keys = Vec::new();
    for line in text.lines().skip(1) {
        let step: Value = serde_json::from_str(line).unwrap();
        let key =
            step.pointer("/in/Record/verdict/Emit/0/operation/KObject/customer/keys/0/ExternalId");
        keys.extend(key.and_then(Value::as_str).map(str::to_owned));
    }
    assert_eq!(keys.len(), 3);
    assert!(keys.is_sorted(), "{keys:?}");
    for (key, name) in keys.iter().zip(names) {
        assert_eq!(key.len(), name.len());
    }
}

#[test]
fn customers_whom_objects_name_are_found_in_the_same_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = machine_settings();
    machine.owners_of = std::collections::BTreeSet::from([Klass("order".into())]);
    let mut run = Recorded::new(settings(dir.path()), machine);
    run.assign(0);
    let about = |number: u64| {
        let id = ExternalId(format!("acct-solveig-77/o{number}").into());
        let key = CustomerKey::of_object(&Klass("order".into()), &id);
        CustomerRef::new(vec![key], MissingCustomer::Park).unwrap()
    };
    for offset in 0..40_i64 {
        let number = (offset.unsigned_abs() * 7) % 20;
        let operation = match offset % 3 {
            0 => Operation::KObject(object(number, offset.unsigned_abs())),
            1 => Operation::Track(Track::new(
                about(number),
                "Shipped",
                None,
                None,
                &map(json!({"who": "Solveig Dahl"})),
                Uuid::from_u128(u128::from(offset.unsigned_abs())),
            )),
            _ => Operation::KObject(KObject {
                klass: Klass("shipment".into()),
                customer: Some(about(number)),
                ..object(100 + number, 1)
            }),
        };
        run.step(record(offset, operation));
    }
    for _ in 0..60 {
        run.pass(120);
    }
    let (_, text) = run.write();
    assert!(
        text.contains(r#"{"Owner":{"klass":"order","external_id":"#),
        "the klass is kept"
    );
    assert_nobody(&text);
    let (result, said) = replayed(&text, &nothing());
    assert_eq!((result.differences, result.exact), (0, true), "{said}");
}
