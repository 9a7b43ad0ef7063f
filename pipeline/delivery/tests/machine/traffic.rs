//! Live records go before backfill, and nothing overtakes within a lane.

use std::time::Duration;

use ingest_delivery::charge::Charge;
use ingest_delivery::machine::MachineSettings;
use ingest_model::body::Body;
use ingest_model::call::{Call, Limits};
use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::Waits;

use crate::driver::Driver;
use crate::make::{customer, object, owned, settings, shop, track, write};

/// The event with that number, of that customer.
fn event(number: u64, who: u64) -> Planned {
    let mut planned = track(number);
    if let Operation::Track(track) = &mut planned.operation {
        track.customer = customer(who);
    }
    planned
}

/// Whose events were sent, in order.
fn sent(driver: &Driver) -> Vec<String> {
    let who = |call: &Call| match call {
        Call::Track { identity, .. } => Some(format!("{:?}", identity.parse())),
        _ => None,
    };
    driver
        .sent
        .iter()
        .filter_map(|(_, call)| who(call))
        .collect()
}

fn whose(who: u64) -> String {
    format!("{:?}", customer(who).identity().parse())
}

#[test]
fn a_live_event_goes_before_what_backfill_has_waiting() {
    let mut driver = Driver::new(settings(), 2);
    for n in 0..200 {
        driver.old_record(
            shop(1),
            n,
            event(1_000 + n.unsigned_abs(), 100 + n.unsigned_abs()),
        );
    }
    driver.run(2);
    let before = sent(&driver).len();
    assert!(before < 190, "{before}");
    driver.record(0, event(1, 1));
    driver.run_for(Duration::from_millis(1));
    assert_eq!(
        sent(&driver)[before..],
        [whose(1)],
        "a permit was saved up for it"
    );
    driver.run_to_rest();
    assert_eq!(sent(&driver).len(), 201);
}

#[test]
fn what_a_live_event_waits_for_in_its_lane_goes_with_it() {
    let mut driver = Driver::new(settings(), 1);
    for n in 0..303_u64 {
        let who = if n < 300 { 100 + n } else { 1 };
        driver.old_record(shop(0), n.cast_signed(), event(1_000 + n, who));
    }
    driver.run(2);
    let before = sent(&driver).len();
    driver.record(303, event(1, 1));
    driver.run(1);
    let of_one = |all: &[String]| all.iter().filter(|one| **one == whose(1)).count();
    assert_eq!(of_one(&sent(&driver)[before..]), 4, "within a second");
    driver.run_to_rest();
}

#[test]
fn backfill_has_one_turn_in_forty_while_live_events_need_everything() {
    let mut driver = Driver::new(settings(), 2);
    for n in 0..2_000 {
        driver.record(
            n,
            event(10_000 + n.unsigned_abs(), 10_000 + n.unsigned_abs()),
        );
    }
    for n in 0..2_000 {
        driver.old_record(
            shop(1),
            n,
            event(1_000 + n.unsigned_abs(), 100 + n.unsigned_abs()),
        );
    }
    let old: Vec<String> = (0..2_000).map(|n| whose(100 + n)).collect();
    driver.run(60);
    let all = sent(&driver);
    let of_old = all.iter().filter(|one| old.contains(one)).count();
    assert!(
        of_old >= all.len() / 50 && of_old <= all.len() / 30,
        "{of_old} of {}",
        all.len()
    );
}

#[test]
fn backfill_leaves_a_quarter_of_the_budget_to_partitions_that_may_bring_live_records() {
    let budget = Charge {
        records: 100,
        bytes: 64 << 20,
    };
    let settings = MachineSettings {
        budget,
        ..settings()
    };
    let mut driver = Driver::new(settings, 2);
    for n in 0..80 {
        driver.old_record(
            shop(1),
            n,
            event(1_000 + n.unsigned_abs(), 100 + n.unsigned_abs()),
        );
    }
    assert!(driver.paused.contains(&shop(1)) && !driver.paused.contains(&shop(0)));
    let view = driver.machine.snapshot(driver.now);
    let waits = |partition| {
        let view = view
            .partitions
            .iter()
            .find(|one| one.partition == partition);
        view.unwrap().waits
    };
    assert_eq!(waits(shop(1)), Some(Waits::LiveFirst));
    assert_eq!(waits(shop(0)), None);
    assert!(view.backfill.records >= 75 && view.used.records == view.backfill.records);
    driver.run_to_rest();
    assert!(driver.paused.is_empty());
    assert_eq!(driver.machine.snapshot(driver.now).backfill.records, 0);
}

/// What the creates of objects say of `importedAt`, once for each time that it stands in a body.
fn imports(driver: &Driver) -> Vec<String> {
    let mut said = Vec::new();
    for (_, call) in &driver.sent {
        let bodies: Vec<&Body> = match call {
            Call::CreateKObject { body, .. } => vec![body],
            Call::CreateKObjects { items, .. } => {
                let added = items.iter().filter_map(|item| item.time_of_import());
                said.extend(added.map(|at| format!("\"{at}\"")));
                items.iter().map(|item| &item.body).collect()
            }
            _ => Vec::new(),
        };
        let parts = bodies.into_iter().flat_map(Body::parts);
        let parts = parts.filter(|part| part.name == "importedAt");
        said.extend(parts.map(|part| part.value.to_owned()));
    }
    said
}

#[test]
fn backfill_says_once_when_it_was_imported() {
    let mut driver = Driver::new(settings(), 1);
    driver.limits = Limits {
        date_ms: Some(1_767_330_000_000),
        ..Limits::default()
    };
    // The first answer tells the server's time.
    driver.old_record(shop(0), 0, track(1));
    driver.run_to_rest();
    driver.old_record(shop(0), 1, write(owned(object("order", 1), customer(1))));
    driver.run_to_rest();
    let by_server = imports(&driver);
    assert!(
        matches!(by_server.as_slice(), [at] if at.starts_with("\"2026-01-02T")),
        "{by_server:?}"
    );
    // A mapping may say so itself, with the time of the snapshot.
    let own = "\"2025-12-31T00:00:00.000Z\"";
    let mut told = owned(object("order", 2), customer(1));
    told.body = Body::written(100, |writer| {
        writer.fields(&told.body);
        writer.json("importedAt", own);
    });
    driver.old_record(shop(0), 2, write(told));
    driver.run_to_rest();
    assert_eq!(imports(&driver)[1..], [own]);
}
