//! What is said of the backlog while it drains, against what becomes of it.

use std::time::Duration;

use ingest_model::outcome::Verdict;
use kustomer_ingest::observe::pace::{DrainState, Pace, WithArrivals};
use kustomer_sim::Config;

use super::world::shop::Shop;
use super::world::{World, make};

const LIMIT: u32 = 1_000;
const PARTITIONS: i32 = 6;

fn world(seed: u64) -> World {
    let config = Config {
        limit: u64::from(LIMIT),
        seed,
        ..Config::default()
    };
    let mut world = World::new(config, LIMIT, PARTITIONS);
    let replica = world.start_replica();
    world.assign_all(replica);
    world
}

/// Lives for so many seconds, and looks at the backlog in each. Returns what was said last.
fn watch(
    world: &mut World,
    pace: &mut Pace,
    seconds: u64,
) -> kustomer_ingest::observe::pace::Drain {
    let mut said = kustomer_ingest::observe::pace::Drain::default();
    for _ in 0..seconds {
        let until = world.now + Duration::from_secs(1);
        world.run_on(Duration::from_secs(1));
        world.now = world.now.max(until);
        let machine = world.replicas[0].machine.as_ref().unwrap();
        said = pace.drain(world.now, &machine.snapshot(world.now), &world.ends());
    }
    said
}

/// How far off the estimate after a minute is, as a part of the time that is left then.
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn off(
    seed: u64,
    name: &str,
    records: u64,
    record: impl Fn(&mut Shop, u64) -> (i32, Verdict),
) -> f64 {
    let mut world = world(seed);
    let mut shop = Shop::new(seed);
    for number in 0..records {
        let (partition, verdict) = record(&mut shop, number);
        world.put(partition, verdict);
    }
    world.kick(0);
    let said = watch(&mut world, &mut Pace::default(), 60);
    assert_eq!(said.state, DrainState::Estimated, "{name}, seed {seed}");
    let said = said.left.unwrap().as_secs_f64();
    let before = world.elapsed();
    assert!(world.run(Duration::from_secs(36_000)));
    let took = (world.elapsed() - before).as_secs_f64();
    eprintln!("{name}, seed {seed}: {said:.0} s, and it took {took:.0} s");
    assert!(took > 120.0, "{name}: too short to tell");
    (said - took).abs() / took
}

#[test]
fn after_a_minute_of_a_backlog_the_rest_is_known_within_a_tenth() {
    for seed in [1, 2, 3] {
        let off = off(seed, "a shop", 12_000, |shop, _| shop.record());
        assert!(off <= 0.1, "a shop, seed {seed}: {off}");
    }
    for seed in [1, 2] {
        let off = off(seed, "events", 4_000, |_, n| {
            let partition = i32::try_from(n % 6).unwrap();
            (
                partition,
                make::emit(vec![make::track(n % 900, n, n / 900)]),
            )
        });
        assert!(off <= 0.1, "events, seed {seed}: {off}");
    }
    // Of few customers, who are found once; their orders share requests.
    let off = off(1, "orders", 120_000, |_, n| {
        let partition = i32::try_from(n % 6).unwrap();
        (partition, make::emit(vec![make::order(n, 1, n % 600)]))
    });
    // The reads of jobs in flight are not counted, nor the time of the last ones (gaps.md).
    assert!(off <= 0.16, "orders: {off}");
}

#[test]
fn a_backlog_that_grows_is_said_never_to_drain_and_one_that_shrinks_when() {
    // 800 events a minute are allowed.
    for (a_second, grows) in [(20, true), (7, false)] {
        let mut world = world(5);
        let mut pace = Pace::default();
        let mut said = None;
        for second in 0..90 {
            let backlog = if second == 0 { 2_000 } else { 0 };
            for n in 0..backlog + a_second {
                let number = second * 10_000 + n;
                let partition = i32::try_from(n % 6).unwrap();
                let event = make::track(number % 900, number, number / 900);
                world.put(partition, make::emit(vec![event]));
            }
            world.kick(0);
            said = Some(watch(&mut world, &mut pace, 1).with_arrivals);
        }
        match said {
            Some(WithArrivals::Never { grows: by }) => {
                // 20 a second come, and 13.3 go: 24,000 more an hour.
                assert!(grows && (20_000..28_000).contains(&by), "{by}");
            }
            Some(WithArrivals::Gone(left)) => {
                // 6.3 a second more go than come.
                let left = left.as_secs();
                assert!(!grows && (150..300).contains(&left), "{left} s");
            }
            other => panic!("{other:?}"),
        }
    }
}
