//! Replicas of one group lend each other what they do not need of the quota.

use std::time::Duration;

use kustomer_sim::Config;

use super::world::{World, make};

/// Requests a minute of the fleet: 0.8 of a limit of 1,000, which is [`World`]'s share.
const TARGET: u64 = 800;

fn four(seed: u64) -> World {
    of(4, seed)
}

fn of(replicas: usize, seed: u64) -> World {
    let config = Config {
        seed,
        limit: 1_000,
        ..Config::default()
    };
    let mut world = World::new(config, 1_000, 8);
    world.count_requests();
    for _ in 0..replicas {
        world.start_replica();
    }
    world
}

fn share_out(world: &mut World) {
    for number in 0..8 {
        world.give(number, usize::try_from(number % 4).unwrap());
    }
}

/// Events on the partitions of the first replica, and a tenth as many on those of the others.
fn skewed(world: &mut World, events: u64) {
    for n in 0..events {
        let place = if n % 10 < 9 {
            4 * i32::try_from(n % 2).unwrap()
        } else {
            [1, 2, 3, 5, 6, 7][usize::try_from(n / 10 % 6).unwrap()]
        };
        world.put(place, make::emit(vec![make::track(n % 900, n, n / 900)]));
    }
}

/// No minute, wherever it begins, has more requests of all replicas than the target.
fn keeps_to_the_target(world: &World) {
    let counted = world.counted.as_ref().unwrap();
    let most = counted.most_in_a_minute(Duration::ZERO);
    let target = usize::try_from(TARGET).unwrap();
    assert!(most <= target, "{most} in a minute");
}

/// The minute that begins one window after something happened uses the target again.
fn is_back_within_a_window(world: &World, happened: Duration) {
    let counted = world.counted.as_ref().unwrap();
    let sent = counted.in_minute(happened + Duration::from_secs(60));
    let target = usize::try_from(TARGET).unwrap();
    assert!(100 * sent >= 97 * target, "{sent} a window later");
}

#[test]
fn a_backlog_that_stands_on_one_of_four_replicas_uses_the_whole_target() {
    for seed in [3, 17, 40] {
        let mut world = four(seed);
        skewed(&mut world, 8_000);
        share_out(&mut world);
        assert!(world.run(Duration::from_secs(3_600)));
        let account = world.sim.account();
        assert_eq!(account.accepted.tracking, 8_000);
        assert_eq!(account.refused.get("org_limit"), None);
        assert!(world.no_invariant_broken());
        let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
        // In the second window the others come to the end of their part; the last one ends with the backlog.
        let whole = &spent[2..spent.len() - 1];
        let least = whole.iter().min().copied().unwrap_or_default();
        assert!(whole.len() >= 7, "{spent:?}");
        assert!(100 * spent[1] >= 97 * TARGET, "{spent:?}");
        assert!(100 * least >= 98 * TARGET, "{spent:?}");
        keeps_to_the_target(&world);
    }
}

/// What each leaves, and what it had borrowed, is the others' a moment later.
#[test]
fn replicas_that_end_one_after_the_other_leave_no_window_unused() {
    for (seed, works) in [
        (21, [300, 700, 1_200, 5_000]),
        (22, [900, 1_000, 1_100, 4_000]),
        (23, [500, 520, 1_500, 4_500]),
    ] {
        let mut world = four(seed);
        for (replica, work) in (0..).zip(works) {
            for n in 0..work {
                let place = replica + 4 * i32::try_from(n % 2).unwrap();
                let who = 1_000 * u64::try_from(replica).unwrap() + n % 300;
                let event = make::track(who, 10_000 * who + n, n / 300);
                world.put(place, make::emit(vec![event]));
            }
        }
        share_out(&mut world);
        assert!(world.run(Duration::from_secs(3_600)));
        let account = world.sim.account();
        assert_eq!(account.accepted.tracking, works.iter().sum::<u64>());
        assert_eq!(account.refused.get("org_limit"), None);
        assert!(world.no_invariant_broken());
        let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
        let whole = &spent[1..spent.len() - 1];
        let least = whole.iter().min().copied().unwrap_or_default();
        assert!(
            whole.len() >= 6 && 100 * least >= 97 * TARGET,
            "{works:?}: {spent:?}"
        );
        keeps_to_the_target(&world);
    }
}

/// One customer has half of all events, so its replica has most to do; the others have a backlog, too.
#[test]
fn a_customer_with_half_of_all_events_leaves_no_window_unused() {
    for replicas in [1, 2, 3, 4] {
        let mut world = of(replicas, 11);
        for n in 0..9_600 {
            let who = if n % 2 == 0 { 0 } else { 1 + n % 900 };
            let place = i32::try_from(who % 8).unwrap();
            world.put(place, make::emit(vec![make::track(who, n, n / 900)]));
        }
        for number in 0..8 {
            world.give(number, usize::try_from(number).unwrap() % replicas);
        }
        world.run(Duration::from_secs(300));
        let account = world.sim.account();
        assert_eq!(account.refused.get("org_limit"), None);
        assert!(world.no_invariant_broken());
        let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
        let whole = &spent[1..5];
        let least = whole.iter().min().copied().unwrap_or_default();
        assert!(100 * least >= 97 * TARGET, "{replicas} replicas: {spent:?}");
        keeps_to_the_target(&world);
        assert!(world.run(Duration::from_secs(3_600)));
        assert_eq!(world.sim.account().accepted.tracking, 9_600);
    }
}

#[test]
fn the_part_of_a_replica_that_was_killed_is_used_again_within_a_window() {
    let mut world = four(5);
    skewed(&mut world, 8_000);
    share_out(&mut world);
    world.run(Duration::from_secs(150));
    let killed = world.elapsed();
    world.kill(2);
    world.run(Duration::from_secs(10));
    for number in [2, 6] {
        world.give(number, 3);
    }
    assert!(world.run(Duration::from_secs(3_600)));
    let account = world.sim.account();
    assert_eq!(account.refused.get("org_limit"), None);
    let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
    // Killed in the third window, back in the fifth.
    let whole = &spent[4..spent.len() - 1];
    let least = whole.iter().min().copied().unwrap_or_default();
    assert!(100 * least >= 97 * TARGET, "{spent:?}");
    is_back_within_a_window(&world, killed);
    keeps_to_the_target(&world);
}

#[test]
fn what_a_replica_had_borrowed_that_was_killed_is_used_again_within_a_window() {
    let mut world = four(6);
    skewed(&mut world, 8_000);
    share_out(&mut world);
    world.run(Duration::from_secs(150));
    let killed = world.elapsed();
    world.kill(0);
    world.run(Duration::from_secs(10));
    for number in [0, 4] {
        world.give(number, 3);
    }
    assert!(world.run(Duration::from_secs(3_600)));
    assert_eq!(world.sim.account().refused.get("org_limit"), None);
    is_back_within_a_window(&world, killed);
    keeps_to_the_target(&world);
}

#[test]
fn a_replica_that_is_added_leaves_no_window_unused() {
    let mut world = four(9);
    skewed(&mut world, 9_000);
    // The last one is not there yet.
    for number in 0..8 {
        world.give(number, usize::try_from(number % 4 % 3).unwrap());
    }
    world.run(Duration::from_secs(190));
    let added = world.elapsed();
    for number in [3, 7] {
        world.move_partition(number, 3);
    }
    assert!(world.run(Duration::from_secs(3_600)));
    let account = world.sim.account();
    assert_eq!(account.refused.get("org_limit"), None);
    assert!(world.no_invariant_broken());
    let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
    // Added in the fourth window; everything is back in the fifth.
    let whole = &spent[4..spent.len() - 1];
    let least = whole.iter().min().copied().unwrap_or_default();
    assert!(whole.len() >= 5 && 100 * least >= 97 * TARGET, "{spent:?}");
    assert!(100 * spent[3] >= 90 * TARGET, "{spent:?}");
    is_back_within_a_window(&world, added);
    keeps_to_the_target(&world);
}

/// The server's clock is what leases end by. It is far from the worker's anyway; here it is also set forward by ten minutes.
/// A replica without requests of its own does not hear of that, and then lends nothing (gaps.md), but nothing is used twice.
#[test]
fn a_server_clock_that_is_set_breaks_no_lease() {
    let mut world = four(9);
    skewed(&mut world, 8_000);
    share_out(&mut world);
    world.run(Duration::from_secs(150));
    world.server_ahead = Duration::from_secs(600);
    assert!(world.run(Duration::from_secs(7_200)));
    let account = world.sim.account();
    assert_eq!(account.accepted.tracking, 8_000);
    assert_eq!(account.refused.get("org_limit"), None);
    assert!(world.no_invariant_broken());
    let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
    let whole = &spent[4..spent.len() - 1];
    let least = whole.iter().min().copied().unwrap_or_default();
    assert!(least * 100 >= TARGET / 4 * 97, "its guarantee: {spent:?}");
    keeps_to_the_target(&world);
}

#[test]
fn a_replica_alone_minds_no_server_clock() {
    let config = Config {
        seed: 9,
        limit: 1_000,
        ..Config::default()
    };
    let mut world = World::new(config, 1_000, 8);
    let replica = world.start_replica();
    world.assign_all(replica);
    skewed(&mut world, 8_000);
    world.run(Duration::from_secs(150));
    world.server_ahead = Duration::from_secs(600);
    assert!(world.run(Duration::from_secs(3_600)));
    let account = world.sim.account();
    assert_eq!(account.accepted.tracking, 8_000);
    assert_eq!(account.refused.get("org_limit"), None);
    let spent: Vec<u64> = account.windows.iter().map(|one| one.spent).collect();
    let whole = &spent[4..spent.len() - 1];
    assert!(
        whole.iter().all(|spent| (776..=800).contains(spent)),
        "{spent:?}"
    );
}
