//! What is left alone follows the time of day, by the clock of the API's answers.

use std::time::Duration;

use kustomer_ingest::clock::Clock;
use kustomer_ingest::config::ReserveSchedule;
use kustomer_ingest::config::reserve::{DayTime, ReserveEntry, Weekly, Zone};

use super::{PATIENCE, Rig, order};

/// The whole hour that many hours from now.
fn hour(later: i64) -> DayTime {
    let hour = (Clock.unix_ms().div_euclid(3_600_000) + later).rem_euclid(24);
    format!("{hour:02}:00").parse().unwrap()
}

/// Waits until the worker leaves that much alone.
async fn leaves(rig: &mut Rig, requests: u32) {
    let is_so = rig.views.wait_for(|view| {
        let view = view.as_ref();
        view.is_some_and(|view| view.snapshot.reserve == requests && view.snapshot.allowance > 0)
    });
    let waited = tokio::time::timeout(PATIENCE, is_so).await;
    drop(waited.expect("the reserve changes").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_answer_most_is_left_alone_and_then_what_the_servers_clock_says() {
    let entry = ReserveEntry {
        when: Weekly {
            days: [true; 7],
            from: hour(11),
            to: hour(13),
            zone: Zone::named("UTC").unwrap(),
        },
        reserve: 700,
        spot: None,
    };
    let schedule = ReserveSchedule::new(100, vec![entry]);
    let mut rig = Rig::start_leaving(1_000, 1.0, None, schedule).await;
    leaves(&mut rig, 700).await;
    assert!(rig.views.borrow().as_ref().unwrap().reserve.is_none());
    rig.put("1", order(1, 1, 0)).await;
    rig.settled().await;
    leaves(&mut rig, 100).await;
    let view = rig.views.borrow().clone().unwrap();
    assert_eq!(view.snapshot.allowance, 800);
    let change = view.reserve.expect("the next change is known");
    assert_eq!(change.then, 700);
    let left = change.at.saturating_duration_since(Clock.now());
    let hours = Duration::from_secs(9 * 3_600)..Duration::from_secs(11 * 3_600);
    assert!(hours.contains(&left), "{left:?}");
    rig.stop().await;
}
