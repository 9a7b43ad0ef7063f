//! The machine and the simulator in virtual time at the real quota: how much of it is spent, and on what.
//!
//! The same world as in the tests in virtual time: real encoding and classification, jobs of the simulator's usual length
//! (about five seconds), answers after 80 ms. The figures are exact and the same in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ingest_delivery::fact::Fact;
use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::call::Class;
use ingest_model::outcome::Verdict;
use jiff::Timestamp;
use kustomer_sim::{Config, Judged};

use crate::figures::number;
use crate::messages;
use crate::workload::{Customers, Messages, Workload};
use crate::world::World;

/// A named situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// A backlog of tracking events, each a request of its own.
    TrackingBacklog,
    /// A backlog of the shop's records.
    ShopBacklog,
    /// The shop's records at a steady pace that needs about three quarters of the quota.
    ShopStream,
}

/// What the worker may use of the limit, as in the world's own settings.
const SHARE: f64 = 0.8;
const PARTITIONS: i32 = 6;
/// When the first event happened, epoch milliseconds: before the simulator's clock begins.
const START_MS: i64 = 1_767_225_600_000 - 3_600_000;
/// How far time moves between two measurements.
const LOOK: Duration = Duration::from_millis(500);
/// A scenario that takes longer, in virtual time, has failed.
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);
/// With this many events waiting at its end, a window counts as one with a backlog.
const BACKLOG: usize = 100;

impl Scenario {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::TrackingBacklog, Self::ShopBacklog, Self::ShopStream];

    /// The name on the command line and in the figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TrackingBacklog => "tracking-backlog",
            Self::ShopBacklog => "shop-backlog",
            Self::ShopStream => "shop-stream",
        }
    }

    fn workload(self) -> Workload {
        match self {
            Self::TrackingBacklog => Workload::Tracking,
            Self::ShopBacklog | Self::ShopStream => Workload::Shop,
        }
    }

    /// Records for about five minutes, and how many of them arrive every [`LOOK`]; `None`: all at once.
    fn records(self, limit: u64, short: bool) -> (u64, Option<u64>) {
        let part = if short { 20 } else { 1 };
        match self {
            Self::TrackingBacklog => (limit * 5 / part, None),
            Self::ShopBacklog => (limit * 12 / part, None),
            Self::ShopStream => (limit * 7 / part, Some(limit * 7 / 5 / 120)),
        }
    }
}

/// Plays a scenario and returns its result.
pub(crate) fn run(scenario: Scenario, limit: u32, short: bool) -> anyhow::Result<String> {
    let config = Config {
        klasses: ["order", "browsing"].map(str::to_owned).to_vec(),
        limit: u64::from(limit),
        ..Config::default()
    };
    let (records, pace) = scenario.records(u64::from(limit), short);
    let mut world = World::new(config, limit, PARTITIONS);
    let replica = world.start_replica();
    world.assign_all(replica);
    let mut source = Source::new(scenario.workload())?;
    let mut put = 0;
    // Events that waited for a permit, at each measurement.
    let mut waiting: Vec<usize> = Vec::new();
    while put < records || !world.is_done() {
        for _ in 0..pace.unwrap_or(records).min(records - put) {
            let (partition, verdict) = source.next()?;
            world.put(partition, verdict);
            put += 1;
        }
        world.kick(replica);
        let until = world.now + LOOK;
        world.run(LOOK);
        world.now = world.now.max(until);
        ensure!(
            world.elapsed() < PATIENCE,
            "not settled: {:?}",
            world.settled
        );
        let machine = world.replicas.first().and_then(|one| one.machine.as_ref());
        waiting.push(machine.map_or(0, |machine| machine.snapshot(world.now).ready_tracks));
    }
    check(&world)?;
    report(scenario, limit, records, &world, &waiting)
}

/// Records, already decoded and mapped.
struct Source {
    messages: Messages,
    pipeline: Pipeline,
    made: i64,
}

impl Source {
    fn new(workload: Workload) -> anyhow::Result<Self> {
        let mapping = Mapping::compile(messages::MAPPING, "schemas/mappings/segment.yaml")
            .map_err(|faults| anyhow::anyhow!("the shipped mapping has {} faults", faults.len()))?;
        Ok(Self {
            messages: Messages::new(workload, Customers::Skewed, START_MS),
            pipeline: Pipeline::new(Format::Segment, Limits::default(), Arc::new(mapping))?,
            made: 0,
        })
    }

    fn next(&mut self) -> anyhow::Result<(i32, Verdict)> {
        let message = self.messages.next();
        self.made += 1;
        let partition = i32::try_from(message.customer)? % PARTITIONS;
        let record = messages::record(
            partition,
            self.made,
            message.customer,
            message.value,
            START_MS,
        );
        let now = Timestamp::from_millisecond(START_MS)?;
        Ok((partition, self.pipeline.judge(&record, now).1))
    }
}

fn check(world: &World) -> anyhow::Result<()> {
    let account = world.sim.account();
    ensure!(world.no_invariant_broken(), "an invariant is broken");
    ensure!(
        account.repeated == Judged::default() && account.out_of_order == Judged::default(),
        "repeated or out of order: {account:?}"
    );
    ensure!(
        !account.refused.contains_key("org_limit"),
        "the limit was exceeded"
    );
    Ok(())
}

fn report(
    scenario: Scenario,
    limit: u32,
    records: u64,
    world: &World,
    waiting: &[usize],
) -> anyhow::Result<String> {
    let account = world.sim.account();
    let allowed = f64::from(limit) * SHARE;
    let looks_a_window = usize::try_from(60_000 / LOOK.as_millis())?;
    let mut shares: Vec<f64> = account
        .windows
        .iter()
        .enumerate()
        .filter(|(index, _)| {
            let end = (index + 1) * looks_a_window;
            waiting
                .get(end - 1)
                .is_some_and(|waiting| *waiting >= BACKLOG)
        })
        .map(|(_, window)| number(window.spent) / allowed)
        .collect();
    shares.sort_by(f64::total_cmp);
    let facts = &world.replicas.first().context("a replica")?.facts;
    let mut sent: BTreeMap<Class, (u64, usize)> = BTreeMap::new();
    for fact in facts {
        if let Fact::Sent {
            class, operations, ..
        } = fact
        {
            let (requests, carried) = sent.entry(*class).or_default();
            *requests += 1;
            *carried += operations;
        }
    }
    let requests: u64 = sent.values().map(|(requests, _)| requests).sum();
    let delivered = number(u64::try_from(world.delays.len())?);
    let took = world.elapsed().as_secs_f64();
    let mut text = format!(
        "\n{} at {limit} requests a minute: {records} records in {took:.0} s\n",
        scenario.name()
    );
    if let (Some(low), Some(high)) = (shares.first(), shares.last()) {
        let mean = shares.iter().sum::<f64>() / number(u64::try_from(shares.len())?);
        writeln!(
            text,
            "  spent of what is allowed, {} windows with a backlog: {:.1} % ({:.1} to {:.1})",
            shares.len(),
            mean * 100.0,
            low * 100.0,
            high * 100.0
        )?;
    }
    writeln!(
        text,
        "  requests a minute, all of the time: {:.0} ({:.1} % of what is allowed)",
        number(requests) * 60.0 / took,
        number(requests) * 6_000.0 / took / allowed
    )?;
    writeln!(
        text,
        "  records per request: {:.2}; delivered per request: {:.2}",
        number(records) / number(requests),
        delivered / number(requests)
    )?;
    for (class, (requests, carried)) in &sent {
        let fill = number(u64::try_from(*carried)?) / number(*requests);
        writeln!(
            text,
            "  requests: {:<8}{requests:>6}, with {fill:.1} operations each",
            class.as_str()
        )?;
    }
    let mut delays = world.delays.clone();
    delays.sort();
    let at = |percent: usize| {
        let place = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(place).copied().unwrap_or_default().as_secs_f64()
    };
    writeln!(
        text,
        "  delay from arrival to settlement, s: median {:.2}, 95 % {:.2}, 99 % {:.2}, longest {:.2}",
        at(50),
        at(95),
        at(99),
        at(100)
    )?;
    Ok(text)
}
