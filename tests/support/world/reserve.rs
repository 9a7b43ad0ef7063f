//! More to send than may be sent, while what is left alone follows the time of day.

use std::time::Duration;

use ingest_delivery::machine::Input;
use kustomer_ingest::config::reserve::{ReserveEntry, ReserveSchedule, Weekly, Zone};
use kustomer_sim::{Config, Switches, Window};

use super::watch::Watch;
use super::{SIM_START_MS, World, make, partition};

const LIMIT: u32 = 1_000;
const RESERVE: u32 = 400;
const PARTITIONS: i32 = 6;
const LOOK: Duration = Duration::from_millis(500);
const BACKLOG: usize = 1_000;
/// Minutes from the beginning: the reserve holds between two of them.
pub(crate) const FROM: u64 = 4;
pub(crate) const TO: u64 = 8;
pub(crate) const END: u64 = 11;

/// 400 of 1,000 between two minutes of the day, else nothing.
fn schedule() -> ReserveSchedule {
    let start = SIM_START_MS.div_euclid(60_000);
    let clock = |minutes: u64| {
        let minute = (start + i64::try_from(minutes).unwrap()).rem_euclid(24 * 60);
        format!("{:02}:{:02}", minute / 60, minute % 60)
            .parse()
            .unwrap()
    };
    let entry = ReserveEntry {
        when: Weekly {
            days: [true; 7],
            from: clock(FROM),
            to: clock(TO),
            zone: Zone::named("UTC").unwrap(),
        },
        reserve: RESERVE,
        spot: None,
    };
    ReserveSchedule::new(0, vec![entry])
}

/// More to send than may be sent. When each request was sent, in seconds.
pub(crate) fn play(window: Window, replicas: usize) -> (World, Vec<f64>) {
    let config = Config {
        limit: u64::from(LIMIT),
        seed: 7,
        switches: Switches {
            window,
            ..Switches::default()
        },
        ..Config::default()
    };
    let schedule = schedule();
    let mut world = World::new(config, LIMIT, PARTITIONS);
    world.settings.quota.share = 1.0;
    world.settings.quota.reserve = 0;
    world.watch = Some(Watch::new(0));
    for _ in 0..replicas {
        world.start_replica();
    }
    for number in 0..PARTITIONS {
        let owner = usize::try_from(number).unwrap() % replicas;
        world.assign(&partition(number), owner);
    }
    let (mut put, mut told) = (0_u64, None);
    while world.elapsed().as_secs() < END * 60 {
        let elapsed = i64::try_from(world.elapsed().as_millis()).unwrap();
        let requests = schedule.at(SIM_START_MS + elapsed).requests;
        if told.replace(requests) != Some(requests) {
            for replica in 0..replicas {
                world.step(replica, Input::Reserve(requests));
            }
        }
        let machines = world.replicas.iter().filter_map(|one| one.machine.as_ref());
        let ready = machines.map(|machine| machine.snapshot(world.now).ready_tracks);
        if ready.min().unwrap_or(0) < BACKLOG {
            for _ in 0..2 * BACKLOG {
                put += 1;
                let number = i32::try_from(put % 6).unwrap();
                let who = put / 3 * 6 + put % 6;
                world.put(number, make::emit(vec![make::track(who, put, put / 600)]));
            }
            for replica in 0..replicas {
                world.kick(replica);
            }
        }
        let until = world.now + LOOK;
        world.run(LOOK);
        world.now = world.now.max(until);
    }
    assert!(world.no_invariant_broken());
    let sent = world.watch.as_ref().unwrap().sent.clone();
    let sent = sent.iter().map(Duration::as_secs_f64).collect();
    (world, sent)
}
