//! Records of one object in several partitions, handled by several replicas: an older state never overwrites a newer one if the
//! organisation honours revisions, however it counts them; if it does not, each update follows a read.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use kustomer_sim::Config;

use super::world::{World, make};

const HOUR: Duration = Duration::from_secs(3_600);
const OBJECTS: u64 = 40;

fn config(switch: &str, value: &str) -> Config {
    let mut config = Config {
        limit: 2_000,
        ..Config::default()
    };
    config.switches.set(switch, value).unwrap();
    config
}

/// Two replicas, two partitions, and the states of every object scattered over both, in no particular order.
fn play(config: Config) -> (World, kustomer_sim::Account) {
    let mut world = World::new(config, 2_000, 2);
    let first = world.start_replica();
    let second = world.start_replica();
    for n in 0..OBJECTS {
        world.put(0, make::emit(vec![make::order(n, 0, n)]));
    }
    world.assign_all(first);
    world.move_partition(1, second);
    assert!(world.run(HOUR));
    for version in 1..=30_u64 {
        for n in 0..OBJECTS {
            // In one of the partitions, newer states sometimes come first.
            let said = version ^ (n & 1);
            let partition = i32::from((version * 7 + n * 3).is_multiple_of(5));
            world.put(partition, make::emit(vec![make::order(n, said, n)]));
        }
        world.kick(first);
        world.kick(second);
        world.run(Duration::from_secs(9));
    }
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    (world, account)
}

fn newest(world: &World) -> usize {
    let newest = world
        .sim
        .objects("order")
        .filter(|object| matches!(object.version.as_deref(), Some("30" | "31")));
    newest.count()
}

fn count(world: &World, matches: impl Fn(&Fact) -> bool + Copy) -> usize {
    (0..2).map(|replica| world.count(replica, matches)).sum()
}

#[test]
fn where_revisions_are_minded_no_state_is_set_back() {
    let (world, account) = play(config("rev", "honour"));
    assert_eq!(account.out_of_order.kobjects, 0, "{account:#?}");
    assert_eq!(newest(&world), usize::try_from(OBJECTS).unwrap());
    assert!(
        count(&world, |fact| matches!(fact, Fact::Conflict)) > 0,
        "the replicas never met"
    );
    assert_eq!(count(&world, |f| matches!(f, Fact::LockIgnored)), 0);
}

#[test]
fn where_revisions_are_counted_by_two_no_state_is_set_back() {
    let (world, account) = play(config("rev-step", "2"));
    assert_eq!(account.out_of_order.kobjects, 0, "{account:#?}");
    assert_eq!(newest(&world), usize::try_from(OBJECTS).unwrap());
    assert!(
        count(&world, |f| matches!(f, Fact::LockOff)) > 0,
        "it is noticed"
    );
}

#[test]
fn where_revisions_are_ignored_it_is_noticed_and_each_update_follows_a_read() {
    let (world, account) = play(config("rev", "ignore"));
    assert_eq!(count(&world, |f| matches!(f, Fact::LockIgnored)), 2);
    // What remains is the time from the read to the end of the write's job: here 44 of 1,200, because states are made to cross.
    assert!(
        account.out_of_order.kobjects <= 60,
        "{} states were set back",
        account.out_of_order.kobjects
    );
    let reads = account.requests.by_endpoint["kobject.get_by_external_id"];
    assert!(reads > 300, "{:?}", account.requests.by_endpoint);
}

#[test]
fn a_replica_that_is_alone_reads_nothing_in_vain() {
    let mut world = World::new(config("rev", "ignore"), 2_000, 2);
    let only = world.start_replica();
    world.assign_all(only);
    for version in 0..10 {
        for n in 0..OBJECTS {
            world.put(0, make::emit(vec![make::order(n, version, n)]));
        }
        world.kick(only);
        world.run(Duration::from_secs(30));
    }
    assert!(world.run(HOUR));
    let account = world.sim.account();
    assert_eq!(account.out_of_order.kobjects, 0);
    assert_eq!(
        count(&world_of(world), |f| matches!(f, Fact::LockIgnored)),
        0
    );
}

/// The same world with a second replica that does nothing, so that both are counted.
fn world_of(mut world: World) -> World {
    world.start_replica();
    world
}
