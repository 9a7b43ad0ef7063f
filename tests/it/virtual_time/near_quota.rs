//! A shop's traffic at parts of what the budget carries: what a record costs, and how long it waits.

use std::time::Duration;

use kustomer_sim::Config;

use super::world::shop::{Crowd, Figures, backlog, least_waits, percentile, stream};
use super::world::{World, make};

const LIMIT: u32 = 1_000;
/// Requests a second: 80 % of the limit.
const ALLOWED: f64 = 800.0 / 60.0;
const SEEDS: [u64; 3] = [1, 2, 3];

/// The middle one of a figure of each seed.
fn median(of: impl Fn(u64) -> f64) -> f64 {
    let mut all: Vec<f64> = SEEDS.into_iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[1]
}

/// The traffic at that part of what a backlog shows the budget to carry, and what that backlog's records cost.
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn at(load: f64) -> [(Figures, f64); 3] {
    SEEDS.map(|seed| {
        let full = backlog(LIMIT, seed, 6_000);
        let (rate, time) = (full.carries() * load, Duration::from_secs(240));
        let stream = stream(LIMIT, seed, rate, time);
        let least = percentile(&least_waits(LIMIT, seed, rate, time), 50);
        assert!(least <= stream.at(50) + 0.01, "{least} s without orders");
        eprintln!(
            "{load}, seed {seed}: {:.3} units, {:.3} in a backlog; {:.3} s ({least:.3} if orders cost nothing), 95 % {:.2} s, 99 % {:.2} s",
            stream.units,
            full.units,
            stream.at(50),
            stream.at(95),
            stream.at(99)
        );
        (stream, full.units)
    })
}

fn of(all: &[(Figures, f64)], figure: impl Fn(&Figures, f64) -> f64) -> f64 {
    median(|seed| {
        let place = SEEDS.iter().position(|one| *one == seed).unwrap();
        let (figures, full) = &all[place];
        figure(figures, *full)
    })
}

#[test]
fn near_the_quota_records_share_requests_as_in_a_backlog_and_wait_little() {
    let all = at(0.95);
    let dearer = of(&all, |one, full| one.units / full);
    assert!(dearer <= 1.1, "{dearer} times the requests of a backlog");
    let waits = of(&all, |one, _| one.at(50));
    assert!(waits <= 3.0, "{waits} s");
}

#[test]
fn with_permits_to_spare_records_leave_at_once() {
    let all = at(0.3);
    let waits = of(&all, |one, _| one.at(50));
    assert!(waits <= 0.1, "{waits} s");
    let waits = of(&all, |one, _| one.at(99));
    assert!(waits <= 0.5, "99 %: {waits} s");
}

#[test]
fn in_an_idle_system_an_order_of_a_known_customer_waits_for_no_other() {
    let config = Config {
        limit: u64::from(LIMIT),
        ..Config::default()
    };
    let mut world = World::new(config, LIMIT, 1);
    let replica = world.start_replica();
    world.assign_all(replica);
    world.put(0, make::emit(vec![make::track(1, 1, 1)]));
    world.kick(0);
    assert!(world.run(Duration::from_secs(60)));
    world.run_on(Duration::from_secs(60));
    let before = world.delays.len();
    world.put(0, make::emit(vec![make::order(1, 1, 1)]));
    world.kick(0);
    assert!(world.run(Duration::from_secs(60)));
    // The wait, and the 80 ms of its request.
    let took = world.delays[before..].to_vec();
    assert!(
        took.len() == 1 && took[0] <= Duration::from_millis(130),
        "{took:?}"
    );
}

/// Checkout events of a few hundred customers at that part of the budget; if `noisy`, one more customer has as many events as
/// all of them. Returns how long the 99th percentile of the few hundred waited for their requests, in seconds, and the part of
/// the budget that all of them spent.
fn wait_of_others(seed: u64, load: f64, noisy: bool) -> (f64, f64) {
    let mut crowd = Crowd::new(LIMIT, seed);
    let figures = crowd.run(ALLOWED * load, noisy, Duration::from_secs(240));
    (figures.at(99), figures.rate / ALLOWED)
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn a_noisy_customer_delays_the_others_by_two_turns_at_most_and_gets_the_rest() {
    let turn = 1.0 / ALLOWED;
    for load in [0.45, 0.7] {
        let more = median(|seed| {
            let ((with, spent), (without, _)) = (
                wait_of_others(seed, load, true),
                wait_of_others(seed, load, false),
            );
            eprintln!(
                "{load}, seed {seed}: {:.2} turns more, {spent:.3} of the budget",
                (with - without) / turn
            );
            assert!(spent >= (2.0 * load).min(1.0) * 0.97, "{spent} spent");
            with - without
        });
        assert!(
            more <= 2.0 * turn,
            "at {load}: {more} s, a turn is {turn} s"
        );
    }
}

/// 1,600 orders a second at the limit of the largest plan, in jobs of about 15 s.
#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn many_orders_in_slow_jobs_fit_into_the_record_budget() {
    let mut config = Config {
        limit: 2_000,
        ..Config::default()
    };
    config.switches.bulk_median_ms = 14_500;
    config.switches.bulk_p99_ms = 16_000;
    let mut world = World::new(config, 2_000, 6);
    world.settings.quota.share = 1.0;
    let replica = world.start_replica();
    world.assign_all(replica);
    // Their customers are known.
    for who in 0..1_500 {
        world.put(
            i32::try_from(who % 6).unwrap(),
            make::emit(vec![make::identify(who, "Ann")]),
        );
    }
    world.kick(0);
    assert!(world.run(Duration::from_secs(60)));
    let mut most = 0;
    for tenth in 0..450_u64 {
        for n in 0..160 {
            let number = tenth * 160 + n;
            let order = make::order(number, 1, number % 1_500);
            world.put(i32::try_from(number % 6).unwrap(), make::emit(vec![order]));
        }
        world.kick(0);
        world.run_on(Duration::from_millis(100));
        let machine = world.replicas[0].machine.as_ref().unwrap();
        most = most.max(machine.snapshot(world.now).used.records);
    }
    assert!(world.run(Duration::from_secs(120)), "{:?}", world.settled);
    eprintln!(
        "at most {most} records, {:?}",
        world.sim.account().requests.by_endpoint
    );
    assert!(most < 45_000, "{most} records of 50,000");
    assert!(world.no_invariant_broken());
}
