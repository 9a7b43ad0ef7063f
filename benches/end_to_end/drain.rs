//! What the drain estimate says a minute after the start, beside how long the drain then takes.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ingest_kafka::PartitionStatistics;
use ingest_model::outcome::{SkipReason, Verdict};
use ingest_model::record::Offset;
use kustomer_ingest::observe::pace::Pace;
use kustomer_sim::Config;

use crate::world::{World, make};

/// The name on the command line and in the figures.
pub(crate) const NAME: &str = "drain";

const PARTITIONS: i32 = 6;
const SECOND: Duration = Duration::from_secs(1);
/// When it is asked.
const ASKED_AT: [f64; 3] = [60.0, 120.0, LAST_ASKED];
const LAST_ASKED: f64 = 300.0;
/// A drain that takes longer, in virtual time, has failed.
const PATIENCE: Duration = Duration::from_secs(48 * 3_600);

/// A backlog of one kind.
struct Backlog {
    name: &'static str,
    records: u64,
    customers: u64,
    verdict: fn(number: u64, who: u64) -> Verdict,
}

const BACKLOGS: [Backlog; 4] = [
    Backlog {
        name: "orders of 2,000 customers",
        records: 1_000_000,
        customers: 2_000,
        verdict: |n, who| make::emit(vec![make::order(n, 1, who)]),
    },
    Backlog {
        name: "orders of 20,000 customers",
        records: 1_000_000,
        customers: 20_000,
        verdict: |n, who| make::emit(vec![make::order(n, 1, who)]),
    },
    Backlog {
        name: "events",
        records: 30_000,
        customers: 2_000,
        verdict: |n, who| make::emit(vec![make::track(who, n, n / 600)]),
    },
    Backlog {
        name: "a shop's records",
        records: 100_000,
        customers: 2_000,
        verdict: |n, who| match n * 37 % 100 {
            0..60 => Verdict::Skip(SkipReason::NoRoute),
            60..70 => make::emit(vec![make::identify(who, &format!("name {n}"))]),
            70..90 => make::emit(vec![make::track(who, n, n / 600)]),
            _ => make::emit(vec![make::order(n, 1, who)]),
        },
    },
];

/// Plays all backlogs and returns what was estimated.
pub(crate) fn run(limit: u32, short: bool) -> anyhow::Result<String> {
    let mut text = format!("\n{NAME} at {limit} requests a minute\n");
    for backlog in &BACKLOGS {
        let records = backlog.records / if short { 100 } else { 1 };
        let (took, said) = estimates(limit, records, backlog)?;
        write!(text, "  {records} {}: {took:.0} s", backlog.name)?;
        for (at, left) in said {
            let error = (left / (took - at) - 1.0) * 100.0;
            write!(
                text,
                "; after {at:.0} s: {left:.0} s left, {error:+.1} % of what it took"
            )?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// How long the drain took, in seconds, and how long was said to be left at some times in it.
fn estimates(
    limit: u32,
    records: u64,
    backlog: &Backlog,
) -> anyhow::Result<(f64, Vec<(f64, f64)>)> {
    let config = Config {
        limit: u64::from(limit),
        ..Config::default()
    };
    let mut world = World::new(config, limit, PARTITIONS);
    for n in 0..records {
        let who = (n * 7 + n / 100) % backlog.customers;
        world.put(i32::try_from(who % 6)?, (backlog.verdict)(n, who));
    }
    world.start_replica();
    world.assign_all(0);
    let mut pace = Pace::default();
    let mut said = Vec::new();
    while !world.is_done() {
        ensure!(world.elapsed() < PATIENCE, "not done after {PATIENCE:?}");
        let until = world.now + SECOND;
        world.kick(0);
        world.run(SECOND);
        world.now = world.now.max(until);
        let at = world.elapsed().as_secs_f64();
        if at > LAST_ASKED + 1.0 {
            continue;
        }
        let left = estimate(&world, &mut pace)?;
        if ASKED_AT.iter().any(|asked| (at - asked).abs() < 0.5) {
            said.extend(left.map(|left| (at, left)));
        }
    }
    Ok((world.elapsed().as_secs_f64(), said))
}

fn estimate(world: &World, pace: &mut Pace) -> anyhow::Result<Option<f64>> {
    let mut statistics = Vec::new();
    for (partition, log) in &world.logs {
        let end = i64::try_from(log.verdicts.len())?;
        statistics.push(PartitionStatistics {
            partition: partition.clone(),
            low_watermark: Some(Offset(0)),
            high_watermark: Some(Offset(end)),
            lag: Some(u64::try_from(end - log.committed)?),
            readable: true,
        });
    }
    let replica = world.replicas.first().context("a replica")?;
    let machine = replica.machine.as_ref().context("a machine")?;
    let drain = pace.drain(world.now, &machine.snapshot(world.now), &statistics);
    Ok(drain.left.map(|left| left.as_secs_f64()))
}
