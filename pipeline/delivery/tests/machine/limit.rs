//! The limit of held work: every cause of a hold, with routes that pause and with routes that divert.

use std::collections::BTreeSet;
use std::sync::Arc;

use ingest_delivery::fact::Settlement;
use ingest_delivery::hold::{Family, LetterTopic, Scope};
use ingest_delivery::machine::{Input, MachineSettings};
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::MissingCustomer;
use ingest_model::outcome::{
    HeldBy, HoldCause, Outcome, Rejected, Rejection, RetryCause, Verdict, Waits,
};
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};

use crate::driver::Driver;
use crate::make::{SHOP, brokers_silent, by_email, object, owned, settings, shop, track, write};

/// Room for a hundred records, so that fifty of them may be held.
const ROOM: u64 = 100;

fn small(diverts: bool) -> MachineSettings {
    let mut settings = settings();
    settings.budget.records = ROOM;
    if diverts {
        let routes = BTreeSet::from([Arc::from("route")]);
        settings.diverting.insert(Topic::new(SHOP), routes);
    }
    settings
}

/// An answer that causes the hold, or the failure, for any call.
fn answer(call: &Call, cause: HoldCause) -> CallResult {
    macro_rules! of {
        ($kind:ident) => {
            CallResult::$kind(match cause {
                HoldCause::Unhealthy => Outcome::Retry(RetryCause::ServerError),
                HoldCause::Quarantine => Outcome::Reject("400: Invalid type".to_owned()),
                _ => Outcome::Hold(cause),
            })
        };
    }
    match call {
        Call::Identify { .. } | Call::Track { .. } => of!(Tracked),
        Call::SearchCustomers { .. } => of!(Searched),
        Call::GetCustomer { .. } => of!(Customer),
        Call::CreateCustomers { .. }
        | Call::CreateKObjects { .. }
        | Call::UpdateKObjects { .. } => of!(Submitted),
        Call::CreateKObject { .. } | Call::UpdateKObject { .. } | Call::DeleteKObject { .. } => {
            of!(Written)
        }
        Call::FindCustomer { .. } | Call::GetKObject { .. } => of!(KObject),
        Call::ReadJob { .. } | Call::ReadJobState { .. } => of!(Job),
        Call::Probe => of!(Probed),
    }
}

/// Every cause that an answer of the destination can trigger. Letters and pauses have tests of their own.
fn of_the_destination() -> impl Iterator<Item = HoldCause> {
    let of_others = [
        HoldCause::StateTopic,
        HoldCause::DeadLetterTopic,
        HoldCause::HoldTopic,
        HoldCause::LostPosition,
        HoldCause::Paused,
    ];
    let all = HoldCause::ALL.iter().copied();
    all.filter(move |cause| !of_others.contains(cause))
}

/// One record whose work the cause holds.
fn put(driver: &mut Driver, cause: HoldCause, n: i64) {
    let number = n.unsigned_abs();
    match cause {
        HoldCause::DeadLetterGuard => {
            let mut rejected = Rejected::new(Rejection::MissingField, "`title` has no value");
            rejected.route = Some(Arc::from("route"));
            driver.judged(shop(0), n, Verdict::Reject(rejected));
        }
        HoldCause::MissingKlass | HoldCause::Quarantine => {
            driver.record(n, write(object("order", number)));
        }
        HoldCause::BadToken
        | HoldCause::Billing
        | HoldCause::MissingRole
        | HoldCause::StateTopic
        | HoldCause::DeadLetterTopic
        | HoldCause::HoldTopic
        | HoldCause::LostPosition
        | HoldCause::Paused
        | HoldCause::Unhealthy => driver.record(n, track(number)),
    }
}

/// Puts in twenty records at a time until the cause holds them. Returns how many that took.
fn begin(driver: &mut Driver, cause: HoldCause) -> i64 {
    driver.answer(move |call| Some(answer(call, cause)));
    // The guard lets a hundred letters pass before it holds.
    let first = if cause == HoldCause::DeadLetterGuard {
        100
    } else {
        22
    };
    for n in 0..first {
        put(driver, cause, n);
    }
    driver.run(60);
    assert_eq!(driver.holds().len(), 1, "{cause:?}");
    assert_eq!(driver.holds()[0].1, cause);
    first
}

fn waits(driver: &Driver) -> Option<Waits> {
    driver.machine.snapshot(driver.now).partitions[0].waits
}

/// What a partition waits for, however much is held.
fn resting(cause: HoldCause) -> Option<Waits> {
    (cause == HoldCause::DeadLetterGuard).then_some(Waits::Guard)
}

#[test]
fn every_cause_pauses_the_partitions_once_half_of_the_budget_is_held() {
    for cause in of_the_destination() {
        let mut driver = Driver::new(small(false), 1);
        let mut n = begin(&mut driver, cause);
        // The guard's partitions are paused even before that.
        while waits(&driver) == resting(cause) && n < 1_000 {
            put(&mut driver, cause, n);
            driver.run(2);
            n += 1;
        }
        assert_eq!(waits(&driver), Some(Waits::HeldWork(HeldBy::Hold(cause))));
        let used = driver.used();
        assert!((50..=52).contains(&used), "{cause:?}: {used} held");
        assert!(driver.paused.contains(&shop(0)), "{cause:?}");
        assert!(driver.diverted.is_empty());
        let letters = driver.letters.len();
        driver.all_is_well();
        if cause == HoldCause::DeadLetterGuard {
            let id = driver.machine.snapshot(driver.now).holds[0].id;
            driver.put(Input::ReleaseHold(id));
        } else {
            driver.run(120);
            assert_eq!(
                driver.letters.len(),
                letters,
                "{cause:?}: nothing is dead for a hold"
            );
        }
        driver.run(2);
        assert_eq!(waits(&driver), None, "{cause:?}");
        assert!(!driver.paused.contains(&shop(0)), "{cause:?}");
        driver.run_to_rest();
    }
}

#[test]
fn every_cause_diverts_the_oldest_once_half_of_the_budget_is_held() {
    for cause in of_the_destination() {
        let mut driver = Driver::new(small(true), 1);
        let first = begin(&mut driver, cause);
        let before = driver.letters.len();
        for n in first..first + 200 {
            put(&mut driver, cause, n);
            driver.run(2);
            assert!(driver.used() <= 52, "{cause:?}: {}", driver.used());
        }
        assert!(
            driver.diverted.len() >= 150,
            "{cause:?}: {}",
            driver.diverted.len()
        );
        assert!(
            driver
                .diverted
                .iter()
                .all(|held| held.by == HeldBy::Hold(cause))
        );
        assert!(
            driver
                .diverted
                .iter()
                .all(|held| held.route.as_deref() == Some("route"))
        );
        assert_eq!(driver.letters.len(), before, "{cause:?}: none is dead");
        assert_eq!(waits(&driver), resting(cause), "{cause:?}");
        let settled = driver.settled();
        let aside = |one: &&Settlement| matches!(one, Settlement::Diverted(_));
        assert_eq!(settled.iter().filter(aside).count(), driver.diverted.len());
        if cause != HoldCause::DeadLetterGuard {
            driver.all_is_well();
            driver.run_to_rest();
            let all = usize::try_from(first + 200).unwrap();
            assert_eq!(driver.settled().len(), all, "{cause:?}");
        }
    }
}

#[test]
fn a_record_is_set_aside_only_when_the_brokers_have_it() {
    let mut driver = Driver::new(small(true), 1);
    let first = begin(&mut driver, HoldCause::MissingRole);
    driver.letters_fail = Some(brokers_silent());
    for n in first..first + 60 {
        put(&mut driver, HoldCause::MissingRole, n);
    }
    driver.run(10);
    assert!(!driver.diverted.is_empty());
    assert!(driver.settled().is_empty(), "not acknowledged");
    assert_eq!(driver.used(), first.unsigned_abs() + 60);
    driver.letters_fail = None;
    driver.run(10);
    assert!(!driver.settled().is_empty());
    driver.all_is_well();
    driver.run_to_rest();
}

#[test]
fn partitions_of_routes_that_divert_are_read_on_when_the_hold_topic_is_back() {
    let mut driver = Driver::new(small(true), 1);
    let mut n = begin(&mut driver, HoldCause::MissingRole);
    driver.letters_fail = Some(Trouble::of_machines(TroubleKind::UnknownTopic, "aside"));
    while waits(&driver).is_none() && n < 1_000 {
        put(&mut driver, HoldCause::MissingRole, n);
        driver.run(2);
        n += 1;
    }
    assert!(
        driver
            .holds()
            .contains(&(Scope::Letters(LetterTopic::Held), HoldCause::HoldTopic))
    );
    assert!(driver.paused.contains(&shop(0)));
    driver.letters_fail = None;
    driver.run(20);
    let role = (Scope::Family(Family::Tracking), HoldCause::MissingRole);
    assert_eq!(driver.holds(), [role], "the role is still missing");
    assert_eq!(waits(&driver), None, "{} held", driver.used());
    assert!(!driver.paused.contains(&shop(0)));
    assert!(driver.used() < 40, "{} held", driver.used());
    let before = driver.diverted.len();
    for n in n..n + 60 {
        put(&mut driver, HoldCause::MissingRole, n);
        driver.run(2);
    }
    assert!(driver.diverted.len() > before + 30);
    driver.all_is_well();
    driver.run_to_rest();
    let all = usize::try_from(n + 60).unwrap();
    assert_eq!(driver.settled().len(), all);
}

#[test]
fn parked_work_counts_and_healthy_work_does_not() {
    let mut driver = Driver::new(small(false), 2);
    driver.answer(|call| match call {
        Call::SearchCustomers { .. } => {
            Some(CallResult::Searched(Outcome::Delivered(Default::default())))
        }
        Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Delivered(None))),
        _ => None,
    });
    for n in 0..50 {
        let who = by_email(&format!("u{n}@example.com"), MissingCustomer::Park);
        driver.record(n, write(owned(object("order", n.unsigned_abs()), who)));
    }
    driver.run(30);
    assert_eq!(waits(&driver), Some(Waits::HeldWork(HeldBy::Parked)));
    assert!(driver.paused.contains(&shop(0)));
    assert!(!driver.paused.contains(&shop(1)), "nothing of it is held");
    for n in 0..200 {
        driver.judged(shop(1), n, Verdict::Emit(vec![track(n.unsigned_abs())]));
    }
    driver.run(60);
    assert_eq!(driver.settled().len(), 200);
    assert!(
        !driver.paused.contains(&shop(1)),
        "the gate opened beside what is held"
    );
    driver.run(600);
    assert_eq!(driver.letters.len(), 50, "nobody ever made the customers");
    assert_eq!(waits(&driver), None);
    driver.run_to_rest();
}
