//! What is left alone follows the time of day.

use std::time::Duration;

use kustomer_sim::Window;

use super::world::SIM_START_MS;
use super::world::reserve::{END, FROM, TO, play};

const MINUTE: u64 = 60;

/// Requests of the minute that ends with each request.
fn minutes(sent: &[f64]) -> impl Iterator<Item = (f64, usize)> + '_ {
    sent.iter().enumerate().map(|(place, at)| {
        // To the microsecond: what was sent exactly a minute before belongs to the minute before.
        let first = sent.partition_point(|other| *other <= at - 60.0 + 1e-6);
        (*at, place + 1 - first)
    })
}

fn between(sent: &[f64], from: u64, to: u64) -> usize {
    let place = |minute: u64| {
        let seconds = Duration::from_secs(minute * MINUTE).as_secs_f64();
        sent.partition_point(|at| *at < seconds)
    };
    place(to) - place(from)
}

#[test]
fn people_find_their_reserve_from_the_first_second_on_and_it_is_used_again_when_it_ends() {
    for (window, replicas) in [
        (Window::Fixed, 1),
        (Window::Sliding, 1),
        (Window::Leaky, 1),
        (Window::Fixed, 3),
    ] {
        let (world, sent) = play(window, replicas);
        let of = format!("{window:?}, {replicas} replicas");
        let seconds = |minutes: u64| Duration::from_secs(minutes * MINUTE).as_secs_f64();
        let (from, to) = (seconds(FROM), seconds(TO));
        let during = minutes(&sent).filter(|(at, _)| (from..to).contains(at));
        let most = during.map(|(_, count)| count).max().unwrap();
        assert!((580..=600).contains(&most), "{most} in a minute: {of}");
        let account = world.sim.account();
        let refused = account.refused.get("org_limit").copied().unwrap_or(0);
        assert_eq!(refused, 0, "{of}");
        for one in &account.windows {
            let begins =
                Duration::from_millis(u64::try_from(one.start.millis() - SIM_START_MS).unwrap());
            let begins = begins.as_secs_f64();
            if begins + 60.0 > from && begins + 60.0 <= to {
                assert!(one.spent <= 600, "{} from {begins} s on: {of}", one.spent);
            }
        }
        // Before, during and after, what is not left alone is used.
        let uses = |from: u64, to: u64, part: f64| {
            let minutes = f64::from(u32::try_from(to - from).unwrap());
            let used = f64::from(u32::try_from(between(&sent, from, to)).unwrap());
            assert!(
                used >= part * minutes,
                "{used} in {minutes} minutes from {from} on: {of}"
            );
        };
        uses(1, FROM - 2, 950.0);
        uses(FROM, TO, 0.95 * 600.0);
        uses(TO, TO + 1, 900.0);
        uses(TO + 1, END, 950.0);
    }
}
