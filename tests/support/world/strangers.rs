//! A backlog beside a client of somebody else that takes a random part of the limit.

use std::time::Duration;

use kustomer_sim::{
    Account, Config, Method, Request, ResetHeader, ResetUnit, Sim, SimTime, Switches, Window,
};

use super::watch::Watch;
use super::workloads::naive::Naive;
use super::workloads::{Kind, Piece};
use super::{SIM_START_MS, World, make};

/// What is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    pub(crate) window: Window,
    pub(crate) header: ResetHeader,
    pub(crate) unit: ResetUnit,
    pub(crate) seed: u64,
    /// The organisation's limit, and what is configured as such.
    pub(crate) limit: u32,
    pub(crate) configured: u32,
    pub(crate) share: f64,
    pub(crate) reserve: u32,
    /// The most that the other client takes a minute.
    pub(crate) most: u64,
    pub(crate) minutes: u64,
    /// Replicas that share the partitions.
    pub(crate) replicas: usize,
}

impl Default for Play {
    fn default() -> Self {
        Self {
            window: Window::Fixed,
            header: ResetHeader::Refused,
            unit: ResetUnit::Seconds,
            seed: 1,
            limit: 1_000,
            configured: 1_000,
            share: 0.8,
            reserve: 50,
            most: 600,
            minutes: 15,
            replicas: 1,
        }
    }
}

/// What became of it, from the second window on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// What the other client left of the allowance, and what of it was used.
    pub(crate) left: u64,
    pub(crate) used: u64,
    /// All requests, and those that were refused because the limit was used up.
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    /// The fewest requests that could have delivered what was delivered, and how many records that was.
    pub(crate) least: u64,
    pub(crate) delivered: u64,
    /// Requests of the other client that were refused, and how many would have been if it were alone with the limit less the reserve.
    pub(crate) foreign_refused: u64,
    pub(crate) foreign_refused_alone: u64,
    /// Other than reads, after a response showed less than the reserve, in the same window.
    pub(crate) late: u64,
    /// The same, whatever the window.
    pub(crate) tries: u64,
    /// What was left of each window, and what was spent.
    pub(crate) windows: Vec<(u64, u64)>,
}

impl Seen {
    /// The part of what was left that was used.
    pub(crate) fn part(&self) -> f64 {
        ratio(self.used, self.left)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    let number = |count: u64| f64::from(u32::try_from(count).expect("a count of requests"));
    number(part) / number(whole.max(1))
}

impl Play {
    fn config(&self) -> Config {
        let switches = Switches {
            window: self.window,
            reset_header: self.header,
            reset_unit: self.unit,
            drain_random: self.most,
            ..Switches::default()
        };
        Config {
            limit: u64::from(self.limit),
            seed: self.seed,
            switches,
            ..Config::default()
        }
    }

    /// Plays it: there is always more to send than may be sent.
    pub(crate) fn run(&self) -> Seen {
        let mut world = World::new(self.config(), self.configured, PARTITIONS);
        world.settings.quota.share = self.share;
        world.settings.quota.reserve = self.reserve;
        world.watch = Some(Watch::new(self.reserve));
        for _ in 0..self.replicas {
            world.start_replica();
        }
        for number in 0..PARTITIONS {
            let owner = usize::try_from(number).expect("few") % self.replicas;
            world.assign(&super::partition(number), owner);
        }
        let mut put = 0;
        for _ in 0..self.minutes * 120 {
            let machines = world.replicas.iter().filter_map(|one| one.machine.as_ref());
            let ready = machines.map(|machine| machine.snapshot(world.now).ready_tracks);
            if ready.min().unwrap_or(0) < BACKLOG {
                for _ in 0..2 * BACKLOG {
                    put += 1;
                    let number = i32::try_from(put % 6).expect("small");
                    world.put(number, record(put));
                }
                for replica in 0..self.replicas {
                    world.kick(replica);
                }
            }
            let until = world.now + LOOK;
            world.run(LOOK);
            world.now = world.now.max(until);
        }
        assert!(
            world.no_invariant_broken(),
            "an invariant is broken: {self:?}"
        );
        self.judge(&world)
    }

    fn judge(&self, world: &World) -> Seen {
        let watch = world.watch.as_ref().expect("it was watched");
        Seen {
            late: watch.in_window,
            tries: watch.tries,
            ..self.seen(&world.sim.account())
        }
    }

    /// The same records from a simple sender, which sends at an even pace and tries again what was refused.
    pub(crate) fn naive(&self) -> Seen {
        let limit = f64::from(self.limit.min(self.configured));
        let allowed = u32::try_from(whole(limit * self.share)).expect("a limit");
        let mut naive = Naive::new(self.config(), allowed);
        let until = i64::try_from(self.minutes * 60).expect("minutes");
        for number in 1.. {
            if naive.seconds() >= until {
                break;
            }
            naive.send(&piece(number));
        }
        self.seen(&naive.account())
    }

    fn seen(&self, account: &Account) -> Seen {
        let limit = self.limit.min(self.configured);
        let shared = f64::from(limit) * self.share;
        let spared = u64::from(self.limit.saturating_sub(self.reserve));
        let mut seen = Seen {
            requests: account.requests.total,
            refused: account.refused.get("org_limit").copied().unwrap_or(0),
            foreign_refused: account
                .windows
                .iter()
                .map(|window| window.foreign_refused)
                .sum(),
            foreign_refused_alone: self.alone(),
            least: fewest(account),
            delivered: account.accepted.tracking + account.accepted.kobjects_created,
            ..Seen::default()
        };
        let (_, complete) = account.windows.split_last().expect("a window");
        for window in complete.iter().skip(1) {
            let left = spared.saturating_sub(window.foreign).min(whole(shared));
            seen.left += left;
            seen.used += window.spent.min(left);
            seen.windows.push((left, window.spent));
        }
        seen
    }

    /// How often the other client is refused that is alone with the limit less the reserve.
    fn alone(&self) -> u64 {
        let mut config = self.config();
        config.limit = config.limit.saturating_sub(u64::from(self.reserve));
        let mut sim = Sim::new(config);
        let start = SimTime::from_millis(SIM_START_MS);
        let ask = Request::new(Method::Get, "/v1/auth/tokens/current").token("sim-key");
        drop(sim.handle(start, &ask));
        for second in 0..self.minutes * 60 {
            let millis = i64::try_from(second * 1_000).expect("minutes");
            sim.advance(start.plus_millis(millis));
        }
        sim.account()
            .windows
            .iter()
            .map(|window| window.foreign_refused)
            .sum()
    }
}

const PARTITIONS: i32 = 6;
const LOOK: Duration = Duration::from_millis(500);
const BACKLOG: usize = 1_000;

/// Mostly events, which cost a request each, and some orders, which are sent together and whose jobs are read.
fn record(number: u64) -> ingest_model::outcome::Verdict {
    let who = number / 3 * 6 + number % 6;
    make::emit(vec![if number.is_multiple_of(5) {
        make::order(number, number, who)
    } else {
        make::track(who, number, number / 600)
    }])
}

/// The same as what a simple sender takes.
fn piece(number: u64) -> Piece {
    Piece {
        kind: if number.is_multiple_of(5) {
            Kind::Order
        } else {
            Kind::Checkout
        },
        who: number / 3 * 6 + number % 6,
        id: number,
        number,
    }
}

/// An event is a request; a hundred objects are one, and a read of the results.
fn fewest(account: &Account) -> u64 {
    account.accepted.tracking + 2 * account.accepted.kobjects_created.div_ceil(100)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a limit"
)]
fn whole(requests: f64) -> u64 {
    requests.floor() as u64
}
