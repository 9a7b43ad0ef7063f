//! A shop's traffic: a tenth identities, six tenths browsing that is skipped, two tenths checkout events, a tenth orders.
//!
//! The same records and times come from the same seed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_model::operation::{CustomerRef, Operation};
use ingest_model::outcome::{SkipReason, Verdict};
use kustomer_sim::Config;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::carried::mark;
use super::{World, make};

/// Partitions of the shop's topic.
pub(crate) const PARTITIONS: i32 = 6;
/// Customers of the shop: so many that waiting records are seldom of one customer.
const CUSTOMERS: u64 = 20_000;
/// An order is of one of the last so many customers with a checkout event.
const BUYING: usize = 50;
/// What is not measured of a stream: its beginning, in which nothing is known of customers and jobs.
const WARM_UP: Duration = Duration::from_secs(60);

/// What the shop's records cost and how long they waited.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Requests of all kinds for each settled record that was not skipped.
    pub(crate) units: f64,
    /// From arrival to the request that carries a record, in order.
    pub(crate) delays: Vec<Duration>,
    /// Requests a second.
    pub(crate) rate: f64,
}

/// Makes records.
pub(crate) struct Shop {
    random: StdRng,
    records: u64,
    /// The last customers with checkout events.
    buying: VecDeque<u64>,
    /// Orders and their customers.
    orders: Vec<(u64, u64)>,
}

impl Shop {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            records: 0,
            buying: VecDeque::new(),
            orders: Vec::new(),
        }
    }

    /// The next record and its partition, which is that of its customer.
    pub(crate) fn record(&mut self) -> (i32, Verdict) {
        self.records += 1;
        let number = self.records;
        let who = self.random.random_range(0..CUSTOMERS);
        match self.random.random_range(0..100) {
            0..10 => {
                let identify = make::identify(who, &format!("Customer {number}"));
                (home(who), make::emit(vec![identify]))
            }
            10..70 => (home(who), Verdict::Skip(SkipReason::NoRoute)),
            70..90 => {
                self.buying.truncate(BUYING - 1);
                self.buying.push_front(who);
                (
                    home(who),
                    make::emit(vec![make::track(who, number, number / 60)]),
                )
            }
            part => {
                // A quarter of the orders change one that is there.
                let changes = part >= 97 && !self.orders.is_empty();
                let (order, who) = if changes {
                    self.orders[self.random.random_range(0..self.orders.len())]
                } else {
                    let place = self.random.random_range(0..self.buying.len().max(1));
                    (number, self.buying.get(place).copied().unwrap_or(who))
                };
                if !changes {
                    self.orders.push((order, who));
                }
                (home(who), make::emit(vec![make::order(order, number, who)]))
            }
        }
    }

    /// How long until the next record, at so many a second.
    fn pause(&mut self, rate: f64) -> Duration {
        let uniform: f64 = self.random.random_range(f64::EPSILON..1.0);
        Duration::from_secs_f64(-uniform.ln() / rate)
    }
}

fn home(who: u64) -> i32 {
    i32::try_from(who % 6).expect("few")
}

fn world(limit: u32, seed: u64) -> World {
    world_of(limit, seed, PARTITIONS)
}

fn world_of(limit: u32, seed: u64, partitions: i32) -> World {
    let config = Config {
        limit: u64::from(limit),
        seed,
        ..Config::default()
    };
    let mut world = World::new(config, limit, partitions);
    world.carried = Some(BTreeMap::new());
    world.old.extend(PARTITIONS..partitions);
    let replica = world.start_replica();
    world.assign_all(replica);
    world
}

impl World {
    /// Lives until that time since the start.
    pub(crate) fn pass_until(&mut self, at: Duration) {
        self.run_until(at.saturating_sub(self.elapsed()), false);
        self.now += at.saturating_sub(self.elapsed());
    }
}

/// So many records at once.
pub(crate) fn backlog(limit: u32, seed: u64, records: u64) -> Figures {
    let mut world = world(limit, seed);
    let mut shop = Shop::new(seed);
    let mut put = Vec::new();
    for _ in 0..records {
        let (partition, verdict) = shop.record();
        put.extend(mark(&verdict).map(|mark| (mark, Duration::ZERO)));
        world.put(partition, verdict);
    }
    world.kick(0);
    world.run(Duration::from_secs(36_000));
    assert!(world.is_done(), "{:?}", world.settled);
    figures(&world, &put, 0, 0, world.elapsed())
}

/// So many records a second for that time.
pub(crate) fn stream(limit: u32, seed: u64, rate: f64, time: Duration) -> Figures {
    let mut world = world(limit, seed);
    let mut shop = Shop::new(seed);
    let mut put = Vec::new();
    let mut before = None;
    let mut next = Duration::ZERO;
    while next < WARM_UP + time {
        world.pass_until(next);
        if before.is_none() && next >= WARM_UP {
            before = Some((requests(&world), settled(&world)));
        }
        let (partition, verdict) = shop.record();
        if next >= WARM_UP {
            put.extend(mark(&verdict).map(|mark| (mark, next)));
        }
        world.put(partition, verdict);
        world.kick(0);
        next += shop.pause(rate);
    }
    let (requests, settled) = before.expect("a warm-up");
    figures(&world, &put, requests, settled, time)
}

/// The waits for the same records if orders cost nothing, and events and identities leave in the order of their arrival, each as
/// soon as the budget has a request. An identity that waits rides on an event of its customer.
pub(crate) fn least_waits(limit: u32, seed: u64, rate: f64, time: Duration) -> Vec<Duration> {
    let each = Duration::from_secs(60) * 5 / (limit * 4);
    let burst = each * (limit * 4 / 5 / 50).saturating_sub(1);
    let mut shop = Shop::new(seed);
    let mut waiting: VecDeque<(Duration, Option<CustomerRef>, bool)> = VecDeque::new();
    let (mut waits, mut next) = (Vec::new(), Duration::ZERO);
    // When the next request could leave if no burst had been saved up.
    let mut even = Duration::ZERO;
    while next < WARM_UP + time || !waiting.is_empty() {
        let leaves = even.saturating_sub(burst);
        let first = waiting.front().map(|(arrived, _, _)| leaves.max(*arrived));
        if let Some(at) = first.filter(|at| *at <= next || next >= WARM_UP + time) {
            even = even.max(at) + each;
            let (_, who, is_event) = waiting.front().cloned().expect("one is there");
            let shares = |one: &(Duration, Option<CustomerRef>, bool), event_left: &mut bool| {
                one.1 == who && (!one.2 || std::mem::take(event_left))
            };
            let event = is_event || waiting.iter().any(|one| one.1 == who && one.2);
            let mut event_left = event;
            let mut alone = !event;
            waiting.retain(|one| {
                let goes = shares(one, &mut event_left) && (event || std::mem::take(&mut alone));
                if goes && one.0 >= WARM_UP {
                    waits.push(at - one.0);
                }
                !goes
            });
            continue;
        }
        let (_, verdict) = shop.record();
        if let Verdict::Emit(planned) = &verdict {
            match planned.first().map(|one| &one.operation) {
                Some(Operation::Track(track)) => {
                    waiting.push_back((next, Some(track.customer.clone()), true));
                }
                Some(Operation::Identify(identify)) => {
                    waiting.push_back((next, Some(identify.customer.clone()), false));
                }
                Some(Operation::KObject(_)) if next >= WARM_UP => waits.push(Duration::ZERO),
                Some(Operation::KObject(_)) | None => {}
            }
        }
        next += shop.pause(rate);
    }
    waits.sort_unstable();
    waits
}

/// The shop's stream at that rate for that time, beside so many orders of other customers in partitions of backfill. Returns the
/// figures of the stream, what the organisation's windows spent, and how many of those orders were delivered.
pub(crate) fn beside(
    limit: u32,
    seed: u64,
    rate: f64,
    time: Duration,
    orders: u64,
) -> (Figures, Vec<u64>, usize) {
    const OTHERS: u64 = 1_000_000;
    let mut world = world_of(limit, seed, 2 * PARTITIONS);
    let mut shop = Shop::new(seed);
    let mut old = Vec::new();
    for n in 0..orders {
        let who = OTHERS + shop.random.random_range(0..CUSTOMERS);
        let verdict = make::emit(vec![make::order(OTHERS + n, n, who)]);
        old.extend(mark(&verdict));
        world.put(PARTITIONS + home(who), verdict);
    }
    let (mut put, mut next) = (Vec::new(), Duration::ZERO);
    while next < WARM_UP + time {
        world.pass_until(next);
        let (partition, verdict) = shop.record();
        if next >= WARM_UP {
            put.extend(mark(&verdict).map(|mark| (mark, next)));
        }
        world.put(partition, verdict);
        world.kick(0);
        next += shop.pause(rate);
    }
    let delivered = old.iter().filter(|mark| {
        let sent = world.waited(mark, Duration::ZERO);
        sent.is_some()
    });
    let delivered = delivered.count();
    let account = world.sim.account();
    let spent = account.windows.iter().map(|one| one.spent).collect();
    (figures(&world, &put, 0, 0, time), spent, delivered)
}

/// Checkout events of many customers, and perhaps of one that has as many as all of them.
pub(crate) struct Crowd {
    world: World,
    shop: Shop,
}

impl Crowd {
    pub(crate) fn new(limit: u32, seed: u64) -> Self {
        Self {
            world: world(limit, seed),
            shop: Shop::new(seed),
        }
    }

    /// So many events a second of the many for that time. Returns the figures of those alone.
    pub(crate) fn run(&mut self, rate: f64, noisy: bool, time: Duration) -> Figures {
        const NOISY: u64 = 1_000_000;
        let mut put = Vec::new();
        let (mut next, mut noise) = (Duration::ZERO, Duration::ZERO);
        let mut number = 0;
        while next < time {
            number += 1;
            let (at, who) = if noisy && noise < next {
                (noise, NOISY)
            } else {
                (next, self.shop.random.random_range(0..600))
            };
            self.world.pass_until(at);
            let verdict = make::emit(vec![make::track(who, number, 1)]);
            if who == NOISY {
                noise += self.shop.pause(rate);
            } else {
                put.extend(mark(&verdict).map(|mark| (mark, at)));
                next += self.shop.pause(rate);
            }
            self.world.put(home(who), verdict);
            self.world.kick(0);
        }
        figures(&self.world, &put, 0, 0, time)
    }
}

fn requests(world: &World) -> usize {
    world.count(0, |fact| matches!(fact, Fact::Sent { .. }))
}

/// Records that were settled, those apart for which there is nothing to do.
fn settled(world: &World) -> u64 {
    let all: u64 = world.settled.values().sum();
    all - world.settled.get("no_route").copied().unwrap_or_default()
}

fn figures(
    world: &World,
    put: &[(String, Duration)],
    requests_before: usize,
    settled_before: u64,
    time: Duration,
) -> Figures {
    assert!(world.no_invariant_broken());
    let spent = requests(world) - requests_before;
    let moved = settled(world) - settled_before;
    let mut delays: Vec<Duration> = put
        .iter()
        .filter_map(|(mark, arrived)| world.waited(mark, *arrived))
        .collect();
    delays.sort_unstable();
    Figures {
        units: float(spent) / float(usize::try_from(moved).expect("few")),
        delays,
        rate: float(spent) / time.as_secs_f64(),
    }
}

impl Figures {
    /// Records a second that the budget carries, if this was a backlog: of ten, four lead to a request.
    pub(crate) fn carries(&self) -> f64 {
        self.rate / self.units / 0.4
    }

    /// That many percent waited no longer, in seconds.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        percentile(&self.delays, percent)
    }
}

/// Of times in order: that many percent are no longer, in seconds.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> f64 {
    let place = times.len() * percent / 100;
    let place = place.min(times.len().saturating_sub(1));
    times.get(place).map_or(0.0, Duration::as_secs_f64)
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("few"))
}
