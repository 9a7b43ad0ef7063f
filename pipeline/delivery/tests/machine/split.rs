//! Requests that are refused as a whole because of one item.

use std::collections::HashMap;
use std::time::Duration;

use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, Limits};
use ingest_model::outcome::{Outcome, RetryCause};

use crate::driver::Driver;
use crate::make::{object, settings, shop, split, write};

/// The numbers of the objects that a call writes.
fn objects(call: &Call) -> Vec<u64> {
    let title = |body: &Body| body.parse()["title"].as_u64().unwrap();
    match call {
        Call::CreateKObjects { items, .. } => items.iter().map(|item| title(&item.body)).collect(),
        Call::CreateKObject { body, .. } => vec![title(body)],
        _ => Vec::new(),
    }
}

/// Refuses every request that contains one of these, as a whole and without naming an item.
fn refuse(call: &Call, bad: &[u64]) -> Option<CallResult> {
    let guilty = objects(call).iter().any(|number| bad.contains(number));
    guilty.then(|| match call {
        Call::CreateKObject { .. } => {
            CallResult::Written(Outcome::Reject("400: no such attribute".to_owned()))
        }
        _ => split(),
    })
}

/// A driver whose only partition has a hundred objects of one klass waiting for the same request.
fn hundred(bad: &'static [u64]) -> Driver {
    // Long enough for what goes back to the groups to find company.
    let mut settings = settings();
    settings.patience.linger = Duration::from_millis(200);
    let mut driver = Driver::new(settings, 1);
    driver.answer(move |call| refuse(call, bad));
    for n in 0..100 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    driver
}

#[test]
fn the_search_ends_at_each_place_within_its_bound() {
    for place in 0..100 {
        let bad: &'static [u64] = Vec::leak(vec![place]);
        let mut driver = hundred(bad);
        driver.run(60);
        assert_eq!(driver.letters.len(), 1);
        assert_eq!(driver.letters[0].detail, "400: no such attribute");
        assert_eq!(driver.used(), 0);
        let mut accepted: HashMap<u64, u32> = HashMap::new();
        let mut requests = 0;
        for call in driver.calls(|_| true) {
            let numbers = objects(call);
            requests += 1;
            if !numbers.contains(&place) {
                for number in numbers {
                    *accepted.entry(number).or_default() += 1;
                }
            }
        }
        assert_eq!(accepted.len(), 99);
        assert!(
            accepted.values().all(|times| *times == 1),
            "what is done is done"
        );
        // Twelve, plus those for what goes back to the groups and finds no company here.
        assert!(requests <= 12 + 3, "{requests} requests for place {place}");
    }
}

#[test]
fn of_two_in_one_request_each_ends_with_an_error_of_its_own() {
    for bad in [[3_u64, 4], [3, 90], [61, 62], [98, 99]] {
        let bad: &'static [u64] = Vec::leak(bad.to_vec());
        let mut driver = hundred(bad);
        driver.run(120);
        assert_eq!(driver.letters.len(), 2, "{bad:?}");
        assert_eq!(driver.used(), 0, "{bad:?}");
        driver.all_is_well();
        driver.run_to_rest();
    }
}

#[test]
fn the_organisations_limit_interrupts_a_search_and_does_not_end_it() {
    let mut driver = Driver::new(settings(), 1);
    let mut asked = 0;
    driver.answer(move |call| {
        let writes = !objects(call).is_empty();
        asked += u32::from(writes);
        if writes && asked % 3 == 0 {
            let limited = RetryCause::OrgQuota;
            return Some(match call {
                Call::CreateKObject { .. } => CallResult::Written(Outcome::Retry(limited)),
                _ => CallResult::Submitted(Outcome::Retry(limited)),
            });
        }
        refuse(call, &[50])
    });
    driver.limits = Limits {
        remaining: Some(500),
        ..Limits::default()
    };
    for n in 0..100 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    driver.run(600);
    assert_eq!(driver.letters.len(), 1);
    assert_eq!(driver.used(), 0);
    let wholes = driver.calls(|call| objects(call).len() == 100).len();
    assert_eq!(wholes, 1, "the search goes on where it was");
}

#[test]
fn a_partition_that_leaves_in_the_middle_of_a_search_leaves_nothing_behind() {
    for at in [150, 350, 650, 950] {
        let mut driver = Driver::new(settings(), 2);
        driver.answer(|call| refuse(call, &[50]));
        for n in 0..50 {
            driver.record(n, write(object("order", n.unsigned_abs())));
            let verdict = ingest_model::outcome::Verdict::Emit(vec![write(object(
                "order",
                n.unsigned_abs() + 50,
            ))]);
            driver.judged(shop(1), n, verdict);
        }
        driver.run_for(Duration::from_millis(at));
        driver.revoke(shop(1));
        driver.run(60);
        assert_eq!(driver.handed_back, [shop(1)]);
        assert_eq!(driver.used(), 0, "after {at} ms: what stayed is delivered");
        driver.run_to_rest();
    }
}
