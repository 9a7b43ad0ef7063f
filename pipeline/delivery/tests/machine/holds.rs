//! Holds: they end when their cause does, and keep back nothing else.

use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::{Family, Scope};
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::Klass;
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};
use ingest_model::trouble::{Trouble, TroubleKind};

use crate::driver::Driver;
use crate::make::{object, settings, split, titled, write};

fn klass_of(call: &Call) -> Option<&str> {
    match call {
        Call::CreateKObjects { klass, .. }
        | Call::UpdateKObjects { klass, .. }
        | Call::CreateKObject { klass, .. }
        | Call::UpdateKObject { klass, .. }
        | Call::GetKObject { klass, .. } => Some(&klass.0),
        _ => None,
    }
}

#[test]
fn a_klass_hold_whose_probe_met_a_bad_token_ends_once_all_is_well() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|_| Some(CallResult::Written(Outcome::Hold(HoldCause::MissingKlass))));
    driver.record(1, write(object("order", 1)));
    driver.run(3);
    let orders = Scope::Family(Family::KObjectWrite(Klass("order".into())));
    assert_eq!(driver.holds(), [(orders, HoldCause::MissingKlass)]);

    driver.answer(|call| {
        Some(match call {
            Call::Probe => CallResult::Probed(Outcome::Hold(HoldCause::BadToken)),
            _ => CallResult::Written(Outcome::Hold(HoldCause::BadToken)),
        })
    });
    driver.run(20);
    let everything = (Scope::Destination, HoldCause::BadToken);
    assert!(driver.holds().contains(&everything), "{:?}", driver.holds());

    driver.all_is_well();
    driver.run(300);
    assert_eq!(driver.holds(), []);
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    driver.run_to_rest();
}

#[test]
fn probes_of_a_hold_come_one_at_a_time_and_further_apart() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| {
        Some(match call {
            Call::Probe => CallResult::Probed(Outcome::Hold(HoldCause::BadToken)),
            _ => CallResult::Tracked(Outcome::Hold(HoldCause::BadToken)),
        })
    });
    for n in 0..50 {
        driver.record(n, crate::make::track(n.unsigned_abs()));
    }
    driver.run(10);
    driver.sent.clear();
    driver.run(3_600);
    let probes = driver.calls(|call| *call == Call::Probe).len();
    assert_eq!(probes, driver.sent.len(), "nothing but probes");
    assert!((50..=150).contains(&probes), "{probes} in an hour");
    assert_eq!(driver.used(), 50, "nothing is dropped");
    driver.all_is_well();
    driver.run_to_rest();
}

#[test]
fn a_held_klass_does_not_delay_the_search_in_another() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(0, write(object("a", 0)));
    driver.record(1, write(object("a", 1)));
    driver.run(20);
    assert_eq!(driver.settled().len(), 2);
    // The answer to its updates puts klass a on hold just before its creates, and then those of b, are refused.
    let mut refused = 0;
    driver.answer(move |call| match (klass_of(call), call) {
        (Some("a"), Call::UpdateKObjects { .. }) => Some(CallResult::Submitted(Outcome::Hold(
            HoldCause::MissingKlass,
        ))),
        (Some("a" | "b"), Call::CreateKObjects { .. }) if refused < 2 => {
            refused += 1;
            Some(split())
        }
        (Some("a"), _) => Some(CallResult::Written(Outcome::Hold(HoldCause::MissingKlass))),
        _ => None,
    });
    for n in 0..2 {
        driver.record(n + 10, write(titled(object("a", n.unsigned_abs()), 7)));
    }
    driver.run_for(Duration::from_millis(50));
    for n in 20..28 {
        let klass = if n < 24 { "a" } else { "b" };
        driver.record(n, write(object(klass, n.unsigned_abs())));
    }
    driver.run(1);
    let of_b = |call: &Call| klass_of(call) == Some("b");
    assert_eq!(driver.calls(of_b).len(), 5, "the whole, then one by one");
    driver.run(30);
    assert_eq!(driver.settled().len(), 2 + 4, "klass b is healthy");
    assert_eq!(driver.holds().len(), 1);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 2 + 10);
}

#[test]
fn a_hold_tells_what_went_wrong_how_often_and_when_it_is_tried_again() {
    let mut driver = Driver::new(settings(), 1);
    let down = |call: &Call| {
        Some(match call {
            Call::Probe => CallResult::Probed(Outcome::Retry(RetryCause::Network)),
            _ => CallResult::Tracked(Outcome::Retry(RetryCause::Network)),
        })
    };
    driver.answer(down);
    let refused = Trouble::of_machines(TroubleKind::Refused, "api.example: nobody listens");
    driver.trouble = Some(refused.clone());
    for n in 0..10 {
        driver.record(n, crate::make::track(n.unsigned_abs()));
    }
    driver.run(5);
    let hold = driver.machine.snapshot(driver.now).holds.remove(0);
    let (at, last) = hold.seen.last.clone().expect("what went wrong");
    assert_eq!(last, refused);
    assert!(hold.seen.times >= 8, "{hold:?}");
    assert!(driver.now - at < Duration::from_secs(5));
    assert!(
        hold.next_try
            .is_some_and(|after| after <= Duration::from_secs(8))
    );

    // The same trouble is reported once a minute, another cause at once.
    let told = |driver: &Driver| -> Vec<TroubleKind> {
        let told = driver.facts.iter().filter_map(|fact| match fact {
            Fact::HoldBegan { seen, .. } | Fact::HoldGoesOn { seen, .. } => {
                Some(seen.last.as_ref()?.1.kind)
            }
            _ => None,
        });
        told.collect()
    };
    driver.run(50);
    assert_eq!(told(&driver), [TroubleKind::Refused]);
    driver.trouble = Some(Trouble::new(TroubleKind::Status(500), "500: broken"));
    driver.run(10);
    let kinds = [TroubleKind::Refused, TroubleKind::Status(500)];
    assert_eq!(told(&driver), kinds);
    driver.run(180);
    assert_eq!(told(&driver).len(), 5, "{:?}", told(&driver));
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.holds(), []);
}
