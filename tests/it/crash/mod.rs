//! Crash harness: worker processes, a real broker and the simulated Kustomer, while everything goes wrong at random.
//!
//! For a while a producer keeps a backlog, workers are killed, terminated, stopped, added and removed, the broker is
//! restarted and cut off, and the simulated Kustomer gets one fault script after another. Then the faults end, the
//! remaining workers finish, and [`judge`] compares what the simulator and the dead-letter topic contain with what was
//! written. `docs/reliability.md` says what is promised and shows the figures of long runs.
//!
//! Everything random is drawn from `INGEST_CRASH_SEED`, which every run prints; it does not repeat the interleaving of
//! processes. `INGEST_CRASH_SECONDS` is how long each mode runs (300), `INGEST_CRASH_LOGS` a folder for the workers'
//! logs. Without a Docker engine the harness says that it did not run; with `INGEST_REQUIRE_DOCKER=1` it fails instead.

#![cfg(test)]

mod attribution;
mod commits;
mod faults;
mod fleet;
mod judge;
mod load;
mod names;
mod table;
mod world;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kustomer_ingest::clock::Clock;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinSet;

use crate::real_kafka::broker;
use fleet::{DRAIN_PATIENCE, Fleet};
use load::Load;
use world::{World, locked};

/// How many times faster than real time Kustomer's time runs.
const SCALE: u8 = 10;
/// Seconds that each mode runs by default.
const SECONDS: u64 = 300;
/// Uncommitted records that the producer keeps waiting.
const BACKLOG: u64 = 2_500;
/// Records written at once.
const PORTION: usize = 250;
/// Time between two samples of what is committed, in milliseconds.
const SAMPLE_MS: u64 = 250;

/// What the simulated organisation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It refuses a second object of the same external id.
    Refused,
    /// It accepts one.
    Allowed,
    /// It refuses one, and ignores `rev`.
    RevIgnored,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Refused => "duplicates refused",
            Self::Allowed => "duplicates allowed",
            Self::RevIgnored => "rev ignored",
        }
    }

    /// Whether a state topic keeps what is known, and open jobs.
    const fn keeps_state(self) -> bool {
        match self {
            Self::Allowed => true,
            Self::Refused | Self::RevIgnored => false,
        }
    }

    const fn switches(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Refused => &[],
            Self::Allowed => &[("duplicates", "allow")],
            Self::RevIgnored => &[("rev", "ignore")],
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_duplicates_are_refused() {
    run(Mode::Refused, seconds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_duplicates_are_allowed() {
    run(Mode::Allowed, seconds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_revisions_are_ignored() {
    run(Mode::RevIgnored, seconds() / 5).await;
}

async fn run(mode: Mode, seconds: u64) {
    let Some(own) = broker::own(&format!("crash harness, {}", mode.name())).await else {
        return;
    };
    let seed = number("INGEST_CRASH_SEED").unwrap_or_else(rand::random);
    let world = World::start(mode, seed, own).await;
    world.say(&format!("INGEST_CRASH_SEED={seed}, {seconds} s"));
    let start = Clock.now();
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    tasks.spawn(produce(Arc::clone(&world), Arc::clone(&over)));
    tasks.spawn(break_kustomer(Arc::clone(&world), Arc::clone(&over)));
    let mut watching = JoinSet::new();
    watching.spawn(watch(Arc::clone(&world)));

    let mut fleet = Fleet::start(&world).await;
    while Clock.now() - start < Duration::from_secs(seconds) {
        fleet.suffer().await;
    }
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    world.inject(&json!({"rules": []})).await;
    world.say("the faults have ended; what is left is delivered");
    let draining = Clock.now();
    let ends = world.ends().await;
    while world.commits().offsets() != ends {
        pause(SAMPLE_MS).await;
        fleet.look_after().await;
        if Clock.now() - draining > DRAIN_PATIENCE {
            world.trouble(format!(
                "not everything is committed {} s after the last fault: {:?} of {ends:?}\n{}",
                DRAIN_PATIENCE.as_secs(),
                world.commits().offsets(),
                fleet.tails()
            ));
            break;
        }
    }
    let drained = Clock.now() - draining;
    let started = fleet.started;
    fleet.end().await;
    watching.shutdown().await;
    world.say(&format!(
        "ran {} s with {started} worker processes, {drained:.1?} until everything was committed",
        (Clock.now() - start).as_secs()
    ));
    judge::judge(&world).await;
}

/// Keeps a backlog until the time is over.
async fn produce(world: Arc<World>, over: Arc<AtomicBool>) {
    let mut load = Load::new(world.seed, &world.orders, &world.shipments, world.start_ms);
    while !over.load(Ordering::Relaxed) {
        if world.behind() < BACKLOG {
            let drafts = load.take(&world.ledger, PORTION);
            world.write(drafts).await;
        } else {
            pause(100).await;
        }
    }
}

/// Sends the simulated Kustomer one fault script after another until the time is over.
async fn break_kustomer(world: Arc<World>, over: Arc<AtomicBool>) {
    let mut rng = StdRng::seed_from_u64(world.seed ^ 0xfa17);
    while !over.load(Ordering::Relaxed) {
        pause(rng.random_range(500..5_000)).await;
        let spell = faults::spell(&mut rng, world.mode);
        for name in &spell.names {
            *locked(&world.faults).entry(name).or_default() += 1;
        }
        world.inject(&spell.script).await;
        pause(spell.lasts_ms).await;
        world.inject(&json!({"rules": []})).await;
    }
}

/// Samples the commits, and reports progress every 15 s.
async fn watch(world: Arc<World>) {
    let start = Clock.now();
    let mut said = Duration::ZERO;
    loop {
        let reached = world.sample().await;
        let passed = Clock.now() - start;
        if passed >= said + Duration::from_secs(15) {
            said = passed;
            let account = world.kustomer.account();
            let (records, behind) = (world.ledger.len(), world.behind());
            let disruptions = locked(&world.disruptions).len();
            world.say(&format!(
                "{:>4} s: {records} records, {behind} not committed{}; {} events, {} repeated, {} objects, {disruptions} \
                 disruptions, {} requests met a fault{}",
                passed.as_secs(),
                if reached { "" } else { " (no broker)" },
                account.accepted.tracking,
                account.repeated.tracking,
                account.kobjects_total,
                account.faults.values().sum::<u64>(),
                world.refused(),
            ));
        }
        pause(SAMPLE_MS).await;
    }
}

fn seconds() -> u64 {
    number("INGEST_CRASH_SECONDS").unwrap_or(SECONDS)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var_os(variable)?.into_string().unwrap();
    Some(text.parse().unwrap())
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Writes a line that is shown even if the test passes.
fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    writeln!(err, "crash harness: {text}").unwrap();
}
