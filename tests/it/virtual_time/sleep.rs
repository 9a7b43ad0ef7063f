//! A replica that stands still (a stop signal, a paused machine) and wakes.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use kustomer_sim::Config;

use super::world::{SESSION, World, make};

const HOUR: Duration = Duration::from_secs(3_600);

fn world() -> World {
    let config = Config {
        limit: 600,
        ..Config::default()
    };
    let mut world = World::new(config, 600, 2);
    world.watch_for_sleep();
    world.start_replica();
    world.start_replica();
    for n in 0..1_200 {
        let partition = i32::try_from(n % 2).unwrap();
        let verdict = match n % 5 {
            0 => vec![make::order(n, 1, n % 50)],
            _ => vec![make::track(n % 50, n, n % 1_440)],
        };
        world.put(partition, make::emit(verdict));
    }
    world
}

fn sent(world: &World, replica: usize) -> usize {
    world.count(replica, |fact| matches!(fact, Fact::Sent { .. }))
}

fn slept(world: &World, replica: usize) -> usize {
    world.count(replica, |fact| matches!(fact, Fact::Slept { .. }))
}

#[test]
fn who_slept_too_long_sends_nothing_for_what_another_owns_now() {
    let mut world = world();
    world.assign_all(0);
    world.run(Duration::from_secs(20));
    let before = sent(&world, 0);
    let under_way = world.replicas[0]
        .machine
        .as_ref()
        .unwrap()
        .snapshot(world.now)
        .requests as u64;
    assert!(before > 50, "{before}");
    world.sleep(0, SESSION * 2, 1);
    world.run(SESSION * 2 + Duration::from_secs(1));
    assert_eq!(slept(&world, 0), 1);
    assert!(sent(&world, 1) > 50, "the other one works meanwhile");
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert_eq!(sent(&world, 0), before, "nothing was sent after waking");
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    assert_eq!(account.repeated.kobjects, 0);
    // 8 requests a second: what was in flight, and what was settled since the last commit.
    assert!(
        account.repeated.tracking <= under_way + 4,
        "{} repeats, {under_way} were under way",
        account.repeated.tracking
    );
    assert_eq!(account.out_of_order.tracking, account.out_of_order_repeats);
}

#[test]
fn who_kept_its_partitions_goes_on_after_a_commit() {
    let mut world = world();
    world.assign_all(0);
    world.run(Duration::from_secs(20));
    let before = sent(&world, 0);
    // Long enough to be noticed, not long enough for the group.
    world.sleep(0, SESSION * 4 / 5, 1);
    world.run(SESSION * 4 / 5 + Duration::from_millis(3));
    assert_eq!(slept(&world, 0), 1);
    assert_eq!(sent(&world, 0), before, "the commit is not answered yet");
    world.run(Duration::from_secs(20));
    assert!(sent(&world, 0) > before + 20);
    assert_eq!(sent(&world, 1), 0);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert_eq!(world.sim.account().repeated.tracking, 0);
    assert!(world.no_invariant_broken());
}

#[test]
fn a_commit_that_fails_on_waking_is_tried_again() {
    let mut world = world();
    world.assign_all(0);
    world.run(Duration::from_secs(20));
    let before = sent(&world, 0);
    world.sleep(0, SESSION * 4 / 5, 1);
    world.fail_commits = 3;
    world.run(SESSION * 4 / 5 + Duration::from_millis(500));
    assert_eq!(sent(&world, 0), before, "no commit has succeeded yet");
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(sent(&world, 0) > before);
}
