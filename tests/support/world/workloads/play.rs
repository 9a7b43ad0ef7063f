//! Plays a workload with the machine, and says what it cost.

use std::collections::BTreeMap;
use std::time::Duration;

use kustomer_sim::{Config, Judged};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::super::carried::mark;
use super::super::{SIM_START_MS, World, make};
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
    /// Those that were refused, and reads that found a job unfinished.
    pub(crate) idle: u64,
    /// Of each whole minute under backlog, from the second on: the part of the allowance that was spent on something.
    pub(crate) spent: Vec<f64>,
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
        let mut world = World::new(self.config(), self.limit, PARTITIONS);
        for replica in 0..self.replicas {
            world.start_replica();
            debug_assert!(replica < self.replicas);
        }
        for number in 0..PARTITIONS {
            world.give(
                number,
                usize::try_from(number).expect("few") % self.replicas,
            );
        }
        self.introduce(&mut world);
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
            for replica in 0..self.replicas {
                world.kick(replica);
            }
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
        let mut world = World::new(self.config(), self.limit, 2 * PARTITIONS);
        world.old.extend(PARTITIONS..2 * PARTITIONS);
        world.start_replica();
        world.assign_all(0);
        self.introduce(&mut world);
        world.carried = Some(BTreeMap::new());
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
            let goes_on = put < old.len() || is_backfill_open(&world);
            if goes_on {
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
                live.extend(mark(&verdict).map(|mark| (mark, next)));
                pieces.push(piece);
                world.put(piece.partition(), verdict);
                world.kick(0);
                let uniform: f64 = random.random_range(f64::EPSILON..1.0);
                next += Duration::from_secs_f64(-uniform.ln() / live_rate);
            }
            world.kick(0);
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

    /// An order of each customer that is to be known.
    fn introduce(&self, world: &mut World) {
        for who in 0..self.known {
            let piece = Piece {
                kind: Kind::Order,
                who,
                id: (1 << 40) + who,
                number: 1,
            };
            world.put(piece.partition(), piece.verdict());
        }
        for replica in 0..self.replicas {
            world.kick(replica);
        }
        assert!(world.run(PATIENCE), "{:?}", world.settled);
    }

    fn figures(
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
        let spent = account
            .windows
            .iter()
            .filter(|window| {
                window.start.millis() >= start && window.start.millis() + 60_000 <= end
            })
            .map(|window| number(window.spent) / self.allowed())
            .collect();
        let by_endpoint = account.requests.by_endpoint.iter().map(|(name, count)| {
            let earlier = before.by_endpoint.get(name).copied().unwrap_or_default();
            (name.clone(), count - earlier)
        });
        Figures {
            records,
            units: after.units - before.units,
            idle: after.idle - before.idle,
            spent,
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

    /// The least part of the allowance that any minute spent.
    pub(crate) fn least_spent(&self) -> Option<f64> {
        self.spent.iter().copied().min_by(f64::total_cmp)
    }
}

/// Whether something of the partitions of backfill is not committed.
fn is_backfill_open(world: &World) -> bool {
    let mut old = world
        .logs
        .iter()
        .filter(|(partition, _)| world.old.contains(&partition.partition.0));
    old.any(|(_, log)| log.committed < i64::try_from(log.verdicts.len()).expect("few"))
}

/// What was spent up to an instant.
struct Spent {
    units: u64,
    idle: u64,
    by_endpoint: BTreeMap<String, u64>,
}

impl Spent {
    fn of(world: &World) -> Self {
        let account = world.sim.account();
        let refused: u64 = account.refused.values().sum();
        Self {
            units: account.requests.total,
            idle: account.bulk.reads.saturating_sub(account.bulk.jobs) + refused,
            by_endpoint: account.requests.by_endpoint,
        }
    }
}

fn number(of: u64) -> f64 {
    f64::from(u32::try_from(of).expect("few"))
}
