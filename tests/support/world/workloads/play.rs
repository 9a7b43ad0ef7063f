//! Plays a workload with the machine, and says what it cost.

use std::collections::BTreeMap;
use std::time::Duration;

use kustomer_sim::{Config, Judged};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::super::carried::mark;
use super::super::{SIM_START_MS, World, make, partition};
use super::{Kind, PARTITIONS, Piece};

/// The part of the limit that the worker may use, as in the world's own settings.
const SHARE: f64 = 0.8;
/// A workload that takes longer, in virtual time, has failed.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);
/// So many records lie ready at most before they are settled.
const READY: usize = 100_000;

/// How a workload is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    pub(crate) limit: u32,
    pub(crate) seed: u64,
    pub(crate) replicas: usize,
    /// The first so many customers are known before it begins.
    pub(crate) known: u64,
}

/// What a workload cost.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) records: usize,
    /// Requests of all kinds.
    pub(crate) units: u64,
    /// Those that settled nothing: refused ones, and reads that showed no result that was not known.
    pub(crate) idle: u64,
    /// Of each whole minute under backlog, from the second on: the part of the allowance that was spent on something; those that
    /// settled nothing do not count.
    pub(crate) spent: Vec<f64>,
    /// The most requests of all replicas in any minute, wherever it begins, by the allowance.
    pub(crate) most: f64,
    /// What objects cost that are not live.
    pub(crate) old_units: f64,
    pub(crate) took: Duration,
    /// Requests by endpoint.
    pub(crate) by_endpoint: BTreeMap<String, u64>,
}

impl Play {
    /// What the simulator is told.
    pub(crate) fn config(&self) -> Config {
        Config {
            limit: u64::from(self.limit),
            seed: self.seed,
            klasses: vec!["order".to_owned(), make::SESSIONS.to_owned()],
            ..Config::default()
        }
    }

    /// Requests a minute.
    pub(crate) fn allowed(&self) -> f64 {
        f64::from(self.limit) * SHARE
    }

    /// All of these at once.
    pub(crate) fn backlog(&self, pieces: &[Piece]) -> Figures {
        let mut world = self.world(PARTITIONS);
        self.introduce(&mut world);
        world.count_requests();
        let before = Spent::of(&world);
        let began = world.elapsed();
        let mut put = 0;
        let mut backlog_until = began;
        while put < pieces.len() || !world.is_done() {
            let settled: u64 = world.settled.values().sum();
            let settled = usize::try_from(settled - self.known).expect("few");
            let room = READY.saturating_sub(put - settled);
            // What is left at the end are the orders of a few customers with very many, of whom no more may be created a minute.
            if pieces.len() - settled > pieces.len() / 50 {
                backlog_until = world.elapsed();
            }
            for piece in pieces.iter().skip(put).take(room) {
                world.put(piece.partition(), piece.verdict());
                put += 1;
            }
            self.kick(&mut world);
            world.run(Duration::from_secs(1));
            assert!(world.elapsed() < PATIENCE, "{:?}", world.settled);
        }
        self.figures(&world, pieces.len(), (began, backlog_until), &before)
    }

    /// These as backfill, all there from the beginning, beside live orders and checkout events of the same customers at that
    /// rate, until the backfill is done. Returns the figures, all that was put, and how long live records waited for their
    /// requests, in order.
    pub(crate) fn beside(
        &self,
        old: &[Piece],
        live_rate: f64,
    ) -> (Figures, Vec<Piece>, Vec<Duration>) {
        let mut world = self.world(2 * PARTITIONS);
        self.introduce(&mut world);
        world.carried = Some(BTreeMap::new());
        world.count_requests();
        let before = Spent::of(&world);
        let began = world.elapsed();
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut pieces = old.to_vec();
        let mut live: Vec<(String, Duration)> = Vec::new();
        let (mut put, mut next) = (0, began);
        let mut done_at = began;
        while put < old.len() || !world.is_done() {
            let settled: u64 = world.settled.values().sum();
            let settled = usize::try_from(settled - self.known).expect("few");
            let ready = (put + live.len()).saturating_sub(settled);
            for piece in old.iter().skip(put).take(READY.saturating_sub(ready)) {
                world.put(PARTITIONS + piece.partition(), piece.verdict());
                put += 1;
            }
            let open = old.len() - put + open_backfill(&world);
            let goes_on = open > 0;
            // The last tenth waits for the results of its jobs.
            if open > old.len() / 10 {
                done_at = world.elapsed();
            }
            let until = world.elapsed() + Duration::from_secs(1);
            while goes_on && next < until {
                world.pass_until(next);
                let number = u64::try_from(pieces.len()).expect("few") + 1;
                let piece = Piece {
                    kind: if random.random_bool(0.5) {
                        Kind::Order
                    } else {
                        Kind::Checkout
                    },
                    who: random.random_range(0..self.known.max(1)),
                    id: number + (1 << 41),
                    number,
                };
                let verdict = piece.verdict();
                let mark = mark(&verdict).expect("something is sent");
                if let Some(counted) = &mut world.counted {
                    counted.live.insert(mark.clone());
                }
                live.push((mark, next));
                pieces.push(piece);
                world.put(piece.partition(), verdict);
                self.kick(&mut world);
                let uniform: f64 = random.random_range(f64::EPSILON..1.0);
                next += Duration::from_secs_f64(-uniform.ln() / live_rate);
            }
            self.kick(&mut world);
            world.pass_until(until);
            assert!(world.elapsed() < PATIENCE, "{:?}", world.settled);
        }
        let mut waits: Vec<Duration> = live
            .iter()
            .filter_map(|(mark, arrived)| world.waited(mark, *arrived))
            .collect();
        waits.sort_unstable();
        let refused = world.sim.account().refused;
        assert!(refused.is_empty(), "{refused:?}");
        let figures = self.figures(&world, pieces.len(), (began, done_at), &before);
        (figures, pieces, waits)
    }

    /// Replicas share the partitions; from the seventh on they bring backfill.
    pub(super) fn world(&self, partitions: i32) -> World {
        let mut world = World::new(self.config(), self.limit, partitions);
        world.old.extend(PARTITIONS..partitions);
        for _ in 0..self.replicas {
            world.start_replica();
        }
        for number in 0..partitions {
            let owner = usize::try_from(number).expect("few") % self.replicas;
            world.assign(&partition(number), owner);
        }
        world
    }

    /// All replicas look for new records.
    pub(super) fn kick(&self, world: &mut World) {
        for replica in 0..self.replicas {
            world.kick(replica);
        }
    }

    /// An order of each customer that is to be known.
    pub(super) fn introduce(&self, world: &mut World) {
        for who in 0..self.known {
            let piece = Piece {
                kind: Kind::Order,
                who,
                id: (1 << 40) + who,
                number: 1,
            };
            world.put(piece.partition(), piece.verdict());
        }
        self.kick(world);
        assert!(world.run(PATIENCE), "{:?}", world.settled);
    }

    pub(super) fn figures(
        &self,
        world: &World,
        records: usize,
        (began, backlog_until): (Duration, Duration),
        before: &Spent,
    ) -> Figures {
        let account = world.sim.account();
        assert!(world.no_invariant_broken(), "an invariant is broken");
        assert_eq!(account.repeated, Judged::default(), "repeated");
        assert_eq!(account.out_of_order, Judged::default(), "out of order");
        assert_eq!(account.refused.get("org_limit"), None, "beyond the limit");
        let after = Spent::of(world);
        let whole = began.as_secs().div_ceil(60) + 1;
        let start = i64::try_from(whole * 60_000).expect("short") + SIM_START_MS;
        let end = i64::try_from(backlog_until.as_millis()).expect("short") + SIM_START_MS;
        let counted = world.counted.as_ref().expect("they were counted");
        let millis = |at: &Duration| i64::try_from(at.as_millis()).expect("short") + SIM_START_MS;
        let idle: Vec<i64> = counted.idle.iter().map(millis).collect();
        let spent = account
            .windows
            .iter()
            .filter(|window| {
                window.start.millis() >= start && window.start.millis() + 60_000 <= end
            })
            .map(|window| {
                let from = window.start.millis();
                let idle = idle.iter().filter(|at| (from..from + 60_000).contains(*at));
                let idle = u64::try_from(idle.count()).expect("few");
                number(window.spent - idle) / self.allowed()
            })
            .collect();
        let by_endpoint = account.requests.by_endpoint.iter().map(|(name, count)| {
            let earlier = before.by_endpoint.get(name).copied().unwrap_or_default();
            (name.clone(), count - earlier)
        });
        Figures {
            records,
            units: after.units - before.units,
            idle: after.refused - before.refused + u64::try_from(idle.len()).expect("few"),
            spent,
            most: number(u64::try_from(counted.most_in_a_minute(began)).expect("few"))
                / self.allowed(),
            old_units: counted.old_units,
            took: world.elapsed() - began,
            by_endpoint: by_endpoint.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl Figures {
    /// Records for each request.
    pub(crate) fn per_unit(&self) -> f64 {
        number(u64::try_from(self.records).expect("few")) / number(self.units)
    }

    /// So many records of backfill for each request of their own.
    pub(crate) fn old_per_unit(&self, records: usize) -> f64 {
        number(u64::try_from(records).expect("few")) / self.old_units
    }

    /// The least part of the allowance that any minute spent.
    pub(crate) fn least_spent(&self) -> Option<f64> {
        self.spent.iter().copied().min_by(f64::total_cmp)
    }
}

/// How much of the partitions of backfill is not committed.
fn open_backfill(world: &World) -> usize {
    let old = world
        .logs
        .iter()
        .filter(|(partition, _)| world.old.contains(&partition.partition.0));
    old.map(|(_, log)| log.verdicts.len() - usize::try_from(log.committed).expect("few"))
        .sum()
}

/// What was spent up to an instant.
pub(super) struct Spent {
    units: u64,
    refused: u64,
    by_endpoint: BTreeMap<String, u64>,
}

impl Spent {
    pub(super) fn of(world: &World) -> Self {
        let account = world.sim.account();
        Self {
            units: account.requests.total,
            refused: account.refused.values().sum(),
            by_endpoint: account.requests.by_endpoint,
        }
    }
}

fn number(of: u64) -> f64 {
    f64::from(u32::try_from(of).expect("few"))
}
