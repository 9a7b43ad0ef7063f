//! W5: four replicas, nine tenths of the backlog on the partitions of one.

use std::time::Duration;

use anyhow::Context as _;
use ingest_delivery::fact::Fact;
use kustomer_sim::Config;

use super::svg::{COLOURS, Panel, Svg};
use crate::world::{World, make};

const LIMIT: u32 = 1_000;
/// Requests a minute of all replicas.
const TARGET: f64 = 800.0;
const REPLICAS: usize = 4;
const PARTITIONS: i32 = 8;
const SEED: u64 = 17;
const EVENTS: u64 = 8_000;
const WIDTH: f64 = 860.0;
/// Requests are counted over so many seconds.
const OVER: usize = 10;

/// A moment.
struct Second {
    /// What each replica had sent by then.
    sent: [usize; REPLICAS],
    /// The parts of the target that all replicas lend, and borrow.
    lent: f64,
    borrowed: f64,
}

pub(super) fn draw(short: bool) -> anyhow::Result<(String, String)> {
    let events = if short { EVENTS / 8 } else { EVENTS };
    let course = play(events)?;
    let end = seconds(course.len());
    let minutes = |at: usize| seconds(at) / 60.0;
    let across = (0.0, end / 60.0);
    let mut svg = Svg::new(
        WIDTH,
        560.0,
        "W5: four replicas, nine tenths of the backlog on one",
    );
    let below: Vec<(f64, String)> = (0..=course.len() / 60)
        .map(|minute| (minutes(minute * 60), minute.to_string()))
        .collect();
    let requests = Panel {
        left: 70.0,
        top: 84.0,
        width: WIDTH - 100.0,
        height: 230.0,
        across,
        up: (0.0, 1_000.0),
        logarithmic: false,
    };
    let steps: Vec<(f64, String)> = (0..=5)
        .map(|step| f64::from(step) * 200.0)
        .map(|value| (value, format!("{value:.0}")))
        .collect();
    svg.frame(
        &requests,
        "requests a minute, over ten seconds, one replica above the other",
        &steps,
        &below,
        "minutes",
    );
    let mut under: Vec<(f64, f64)> = (0..course.len()).map(|at| (minutes(at), 0.0)).collect();
    for (replica, colour) in COLOURS.iter().enumerate().take(REPLICAS) {
        let upper: Vec<(f64, f64)> = under
            .iter()
            .enumerate()
            .map(|(at, (x, below))| (*x, below + rate(&course, replica, at)))
            .collect();
        svg.area(&requests, &under, &upper, colour);
        under = upper;
    }
    let target = [(across.0, TARGET), (across.1, TARGET)];
    svg.curve(
        &requests,
        &target,
        "class=\"mark\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"",
    );
    let names: Vec<(String, String)> = COLOURS
        .iter()
        .take(REPLICAS)
        .enumerate()
        .map(|(replica, colour)| {
            let has = if replica == 0 { ", nine tenths" } else { "" };
            (
                format!("stroke=\"{colour}\" stroke-width=\"9\""),
                format!("replica {}{has}", replica + 1),
            )
        })
        .collect();
    let mut names: Vec<(&str, String)> = names
        .iter()
        .map(|(style, name)| (style.as_str(), name.clone()))
        .collect();
    names.push((
        "class=\"mark\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"",
        format!("what all may send, {TARGET:.0}"),
    ));
    svg.legend((70.0, 52.0), &names);
    let shares = Panel {
        top: 396.0,
        height: 110.0,
        up: (0.0, 100.0),
        ..requests
    };
    let steps: Vec<(f64, String)> = [0.0, 25.0, 50.0, 75.0, 100.0]
        .into_iter()
        .map(|value| (value, format!("{value:.0} %")))
        .collect();
    svg.frame(
        &shares,
        "part of that which replicas lend each other",
        &steps,
        &below,
        "minutes",
    );
    let of = |part: fn(&Second) -> f64| -> Vec<(f64, f64)> {
        let points = course.iter().enumerate();
        points
            .map(|(at, one)| (minutes(at), part(one) * 100.0))
            .collect()
    };
    let (lent, borrowed) = (
        "stroke=\"#d55e00\" stroke-width=\"2\"",
        "stroke=\"#56b4e9\" stroke-width=\"2\" stroke-dasharray=\"5 3\"",
    );
    svg.curve(&shares, &of(|one| one.lent), lent);
    svg.curve(&shares, &of(|one| one.borrowed), borrowed);
    svg.legend(
        (WIDTH - 260.0, 388.0),
        &[(lent, "lent".to_owned()), (borrowed, "borrowed".to_owned())],
    );
    let last = course.last().context("a second")?;
    let all: usize = last.sent.iter().sum();
    let says = format!(
        "{events} events, seed {SEED}, {all} requests in {:.1} minutes",
        end / 60.0
    );
    Ok((svg.end(), says))
}

fn play(events: u64) -> anyhow::Result<Vec<Second>> {
    let config = Config {
        seed: SEED,
        limit: u64::from(LIMIT),
        ..Config::default()
    };
    let mut world = World::new(config, LIMIT, PARTITIONS);
    for _ in 0..REPLICAS {
        world.start_replica();
    }
    for n in 0..events {
        let place = if n % 10 < 9 {
            4 * i32::try_from(n % 2)?
        } else {
            let others = [1, 2, 3, 5, 6, 7];
            let other = others.get(usize::try_from(n / 10 % 6)?);
            *other.context("a partition")?
        };
        world.put(place, make::emit(vec![make::track(n % 900, n, n / 900)]));
    }
    for number in 0..PARTITIONS {
        world.give(number, usize::try_from(number)? % REPLICAS);
    }
    let mut course = Vec::new();
    while !world.is_done() {
        world.run_on(Duration::from_secs(1));
        let now = world.now;
        let mut second = Second {
            sent: [0; REPLICAS],
            lent: 0.0,
            borrowed: 0.0,
        };
        for (replica, sent) in second.sent.iter_mut().enumerate() {
            *sent = world.count(replica, |fact| matches!(fact, Fact::Sent { .. }));
        }
        for machine in world.replicas.iter().filter_map(|one| one.machine.as_ref()) {
            let share = machine.snapshot(now).share;
            second.lent += share.lent;
            second.borrowed += share.borrowed;
        }
        course.push(second);
    }
    Ok(course)
}

/// Requests a minute of a replica, by the last seconds.
fn rate(course: &[Second], replica: usize, at: usize) -> f64 {
    let sent = |at: Option<usize>| {
        let second = at.and_then(|at| course.get(at));
        second
            .and_then(|second| second.sent.get(replica).copied())
            .unwrap_or(0)
    };
    seconds(sent(Some(at)) - sent(at.checked_sub(OVER))) * 60.0 / seconds(OVER)
}

fn seconds(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
