//! Receipts: what is told of a settled record, and of which records.

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::{Input, MachineSettings, SkippedRun};
use ingest_delivery::settled::{OperationEnd, ReceiptsOf, SettledRecord, Units};
use ingest_model::batch::Verb;
use ingest_model::outcome::{Rejected, Rejection, SkipReason, Verdict};
use ingest_model::record::{EventIds, Traffic};
use ingest_model::trouble::{Trouble, TroubleKind};

use crate::driver::Driver;
use crate::make::{
    customer, identify, object, owned, record, settings, shop, titled, track, versioned, write,
};

fn telling(receipts: ReceiptsOf) -> Driver {
    let settings = MachineSettings {
        receipts,
        ..settings()
    };
    Driver::new(settings, 1)
}

fn attempted() -> Driver {
    telling(ReceiptsOf::Attempted)
}

/// Offset and settlement of each receipt.
fn verdicts(driver: &Driver) -> Vec<(i64, Settlement)> {
    let all = driver.receipts.iter();
    all.map(|one| (one.position.offset.0, one.settlement))
        .collect()
}

/// The only operation of a record.
fn only(settled: &SettledRecord) -> &OperationEnd {
    assert_eq!(settled.operations.len(), 1, "{settled:?}");
    &settled.operations[0]
}

#[test]
fn an_event_is_told_with_its_customer_and_its_cost() {
    let mut driver = attempted();
    let epoch = driver.epoch(&shop(0));
    let mut ids = EventIds::default();
    ids.add("evt_1");
    let ids = Some(Box::new(ids));
    driver.put(Input::Record {
        record: record(shop(0), 3),
        epoch,
        event_ms: Some(77),
        traffic: Traffic::Live,
        verdict: Verdict::Emit(vec![track(1)]),
        dropped: Vec::new(),
        event_ids: ids.clone(),
    });
    let came_in = driver.now;
    driver.run_to_rest();
    let [settled] = driver.receipts.as_slice() else {
        panic!("{:?}", driver.receipts)
    };
    assert_eq!(settled.event_ids, ids);
    assert_eq!((settled.event_ms, settled.attempts), (Some(77), 1));
    assert_eq!(settled.came_in, Some(came_in));
    let event = only(settled);
    assert_eq!(event.customer_id.as_deref(), Some("id of u1"));
    assert_eq!((event.kind, event.attempts, event.carried), ("track", 1, 1));
    assert_eq!(event.units.requests(), 1.0);
    assert!(event.sent.is_some());
}

#[test]
fn objects_of_a_job_share_its_cost_and_name_it() {
    let mut driver = attempted();
    for number in 0..4 {
        driver.record(
            i64::try_from(number).unwrap(),
            write(object("order", number)),
        );
    }
    driver.run_to_rest();
    let requests = driver.sent.len();
    assert_eq!(requests, 2, "one that writes, one that reads the job");
    assert_eq!(driver.receipts.len(), 4);
    for settled in &driver.receipts {
        let order = only(settled);
        assert_eq!(order.job.as_deref(), Some("job 0"));
        assert_eq!(order.verb, Some(Verb::Create));
        assert!(order.object_id.as_deref().unwrap().starts_with("item "));
        assert_eq!(order.units, Units(500_000), "two requests for four");
    }
    let spent: Units = driver.receipts.iter().map(|one| only(one).units).sum();
    assert_eq!(spent, Units(2_000_000), "nothing of the cost is lost");
}

#[test]
fn an_identity_and_its_event_share_a_request_and_their_record_names_both() {
    let mut driver = attempted();
    let plans = vec![identify(customer(1)), track(1)];
    driver.judged(shop(0), 0, Verdict::Emit(plans));
    driver.run_to_rest();
    let [settled] = driver.receipts.as_slice() else {
        panic!("{:?}", driver.receipts)
    };
    let kinds: Vec<&str> = settled.operations.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["identify", "track"], "in the mapping's order");
    for one in &settled.operations {
        assert_eq!(one.units, Units(500_000));
    }
}

#[test]
fn records_that_are_merged_into_one_write_are_told_each() {
    let mut driver = attempted();
    for (offset, title) in [(0, 1), (1, 2), (2, 3)] {
        driver.record(offset, write(titled(object("order", 1), title)));
    }
    driver.run_to_rest();
    let done = Settlement::Delivered;
    assert_eq!(verdicts(&driver), [(0, done), (1, done), (2, done)]);
    for settled in &driver.receipts {
        let order = only(settled);
        assert_eq!((order.carried, order.units), (3, Units::shared(1)));
        assert_eq!(order.object_id.as_deref(), Some("object 1"));
        assert_eq!(order.job, None, "it was written alone");
    }
}

#[test]
fn what_is_late_or_repeated_is_told_with_its_reason() {
    let mut driver = attempted();
    let order = |version: &str| write(versioned(owned(object("order", 1), customer(1)), version));
    driver.record(0, order("2026-01-02T00:00:00Z"));
    driver.run(60);
    driver.record(1, order("2026-01-01T00:00:00Z"));
    driver.record(2, track(1));
    driver.run(60);
    driver.record(3, track(1));
    driver.run_to_rest();
    let skipped = Settlement::Skipped;
    let expected = [
        (0, Settlement::Delivered),
        (1, skipped(SkipReason::Stale)),
        (2, Settlement::Delivered),
        (3, skipped(SkipReason::Repeat)),
    ];
    let mut told = verdicts(&driver);
    told.sort_by_key(|(offset, _)| *offset);
    assert_eq!(told, expected);
    let stale = driver.receipts.iter();
    let stale = stale.filter(|one| one.position.offset.0 == 1).map(only);
    let (kind, end) = stale.map(|one| (one.kind, one.end)).next().unwrap();
    assert_eq!((kind, end), ("kobject", skipped(SkipReason::Stale)));
}

#[test]
fn a_rejected_record_is_told_when_its_letter_was_accepted() {
    let mut driver = attempted();
    driver.letters_fail = Some(Trouble::of_machines(TroubleKind::TimedOut, "no answer"));
    let rejected = Rejected::new(Rejection::InvalidJson, "no JSON");
    driver.judged(shop(0), 0, Verdict::Reject(rejected));
    driver.run(5);
    assert_eq!(driver.receipts, [], "its letter was not accepted yet");
    driver.letters_fail = None;
    driver.run_to_rest();
    let dead = Settlement::DeadLettered(Rejection::InvalidJson);
    assert_eq!(verdicts(&driver), [(0, dead)]);
    assert_eq!(driver.receipts[0].operations, []);
}

#[test]
fn what_the_mapping_skips_is_told_only_where_that_is_wanted() {
    for (receipts, wanted) in [
        (ReceiptsOf::Nothing, 0),
        (ReceiptsOf::Attempted, 0),
        (ReceiptsOf::All, 3),
    ] {
        let mut driver = telling(receipts);
        let epoch = driver.epoch(&shop(0));
        let mut run = SkippedRun::of(&record(shop(0), 5), epoch, SkipReason::NoRoute);
        for offset in [6, 7] {
            assert!(run.add(&record(shop(0), offset), epoch, SkipReason::NoRoute));
        }
        driver.put(Input::Skipped(run));
        driver.run_to_rest();
        let skipped = Settlement::Skipped(SkipReason::NoRoute);
        let all = [(5, skipped), (6, skipped), (7, skipped)];
        assert_eq!(verdicts(&driver), all[..wanted], "{receipts:?}");
    }
}

#[test]
fn nothing_is_told_where_nobody_wants_it() {
    let mut driver = telling(ReceiptsOf::Nothing);
    driver.record(0, track(1));
    driver.record(1, write(object("order", 1)));
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 2);
    assert_eq!(driver.receipts, []);
}

#[test]
fn a_record_that_is_left_to_the_next_owner_is_told_by_that_one() {
    let mut driver = attempted();
    driver.record(0, write(object("order", 1)));
    driver.record(1, write(object("order", 2)));
    driver.revoke(shop(0));
    driver.run_to_rest();
    let settled: u64 = driver
        .facts
        .iter()
        .map(|fact| match fact {
            Fact::Settled { records, .. } => *records,
            _ => 0,
        })
        .sum();
    assert_eq!(driver.receipts.len() as u64, settled);
    assert!(settled < 2, "some of it waited and was dropped");
}
