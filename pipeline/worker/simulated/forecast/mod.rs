//! `forecast`: what each plan of Kustomer would carry, of traffic that was recorded or is described.
//!
//! The worker's own machine, mapping and client code run in virtual time against the simulated Kustomer. Records are read
//! and mapped once, on a thread of their own; each tier is a world on its own thread, which gets all of them. So memory does
//! not grow with the input, but with the customers and objects that the simulated organisations have to know.

pub mod plan;
pub mod report;
mod tally;
mod traffic;
mod world;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use ingest_delivery::machine::MachineSettings;

use self::plan::{Pacing, Plan, Tier};
use self::report::figures::{Forecast, TierFigures};
use self::report::{Played, tier, traffic};
use self::tally::Second;
pub use self::tally::{Percentiles, Progress};
use self::traffic::{Arriving, Traffic, Unusable};
pub use self::traffic::{Input, Read, Recorded};
pub use self::world::Ended;
use self::world::{Begin, Chunk, Chunks, World};
use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::QuotaSettings;

/// The form of the figures.
const VERSION: u32 = 1;
/// Records that tiers get at a time, and how many times that wait for the slowest.
const CHUNK: usize = 512;
const CHUNKS: usize = 4;
/// Between two looks at the progress.
const LOOK: Duration = Duration::from_millis(200);

/// What a forecast needs besides its plan.
#[derive(Debug)]
pub struct Parts<'s> {
    /// The configuration.
    pub settings: &'s Settings,
    /// The machine's settings by it; the limit is that of each tier.
    pub machine: MachineSettings,
    /// Set by whoever wants it to end early.
    pub stop: Arc<AtomicBool>,
}

/// Plays the traffic once for each tier. `watch` is called several times a second, with the tiers' progress.
///
/// # Errors
/// The input cannot be read, or does not say when its records arrive.
pub fn run(
    parts: &Parts<'_>,
    plan: &Plan,
    input: &mut dyn Input,
    mut watch: impl FnMut(&[(String, Arc<Progress>)]),
) -> anyhow::Result<Forecast> {
    let progress: Vec<(String, Arc<Progress>)> = plan
        .tiers
        .iter()
        .map(|tier| (tier.name.clone(), Arc::new(Progress::default())))
        .collect();
    let origin = Clock.now();
    let (results_in, results) = channel();
    thread::scope(|scope| {
        let mut senders = Vec::new();
        for (place, one) in plan.tiers.iter().enumerate() {
            let (sender, receiver) = sync_channel(CHUNKS);
            senders.push(sender);
            let progress = progress
                .get(place)
                .map(|(_, progress)| Arc::clone(progress));
            let begin = (receiver, progress.unwrap_or_default());
            let results = results_in.clone();
            let stop = &*parts.stop;
            scope.spawn(move || {
                let (receiver, progress) = begin;
                let begin = Begin {
                    plan,
                    tier: one,
                    machine: parts.machine.clone(),
                    rules: app::traffic(parts.settings),
                    quota: quota_of(parts, one),
                    reserve: &parts.settings.kustomer.reserve_at,
                    klasses: klasses(parts.settings),
                    makes_customers: makes_customers(parts.settings),
                    chunks: Chunks::new(receiver),
                    progress,
                    origin,
                };
                let played = play(begin, one, stop);
                // Nobody listens if the input failed.
                results.send((place, played)).is_ok()
            });
        }
        drop(results_in);
        let reader = scope.spawn(|| read(parts, plan, input, senders));
        let mut played: Vec<Option<Played>> = plan.tiers.iter().map(|_| None).collect();
        loop {
            match results.recv_timeout(LOOK) {
                Ok((place, one)) => {
                    if let Some(slot) = played.get_mut(place) {
                        *slot = Some(one);
                    }
                }
                Err(RecvTimeoutError::Timeout) => watch(&progress),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let unusable = reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(forecast(parts, plan, played, &unusable))
    })
}

/// The configured quota with the limit of a tier.
fn quota_of(parts: &Parts<'_>, tier: &Tier) -> QuotaSettings {
    let configured = parts.settings.kustomer.quota;
    let quota = QuotaSettings::try_new(tier.limit, configured.share(), configured.reserve());
    quota.unwrap_or(configured)
}

/// Every klass that the mappings write: the simulated organisation has them.
fn klasses(settings: &Settings) -> Vec<String> {
    let topics = settings.kafka.topics.iter();
    let used = topics.flat_map(|topic| topic.pipeline.mapping().klasses());
    used.map(|one| one.klass.to_string()).collect()
}

/// Whether records of these topics make customers.
fn makes_customers(settings: &Settings) -> bool {
    let topics = settings.kafka.topics.iter();
    let mut routes = topics.flat_map(|topic| topic.pipeline.mapping().routes());
    let makes = |kind: &&str| matches!(*kind, "identify" | "track" | "customer");
    routes.any(|route| route.kinds.iter().any(makes))
}

/// Reads and maps the input, and passes it to all tiers that still take it.
fn read(
    parts: &Parts<'_>,
    plan: &Plan,
    input: &mut dyn Input,
    mut tiers: Vec<SyncSender<Chunk>>,
) -> anyhow::Result<Unusable> {
    let mut traffic = Traffic::new(parts.settings, plan, input)?;
    loop {
        let mut records: Vec<Arriving> = Vec::with_capacity(CHUNK);
        while records.len() < CHUNK {
            match traffic.next()? {
                Some(one) => records.push(one),
                None => break,
            }
        }
        if records.is_empty() || parts.stop.load(Ordering::Relaxed) {
            break;
        }
        let begun_ms = traffic.begun_ms();
        let chunk = Chunk { begun_ms, records };
        // The last one gets the records themselves.
        let last = tiers.pop();
        tiers.retain(|tier| tier.send(chunk.clone()).is_ok());
        tiers.extend(last.filter(|tier| tier.send(chunk).is_ok()));
        if tiers.is_empty() {
            break;
        }
    }
    Ok(traffic.unusable().clone())
}

fn play(begin: Begin<'_>, tier: &Tier, stop: &AtomicBool) -> Played {
    let switches = &begin.plan.switches;
    let is_even = matches!(begin.plan.pacing, Pacing::Repeated(_));
    let mut world = World::new(begin);
    let ended = world.play(stop);
    if ended == Ended::TimeIsUp {
        world.count_rest(stop);
    }
    let left = match ended {
        Ended::TimeIsUp => world.estimate(world.unread()),
        Ended::AllSettled | Ended::Stopped | Ended::Held => None,
    };
    Played {
        tier: tier.clone(),
        ended,
        seconds: world.elapsed().as_secs_f64(),
        refused_429: world.refused_429(),
        left: left.map(|left| left.as_secs()),
        backlog: world.backlog(),
        mean: world.mean(),
        others: switches.drain + switches.drain_random / 2,
        is_even,
        tally: world.tally,
    }
}

fn forecast(
    parts: &Parts<'_>,
    plan: &Plan,
    played: Vec<Option<Played>>,
    unusable: &Unusable,
) -> Forecast {
    let seconds: Vec<Vec<Second>> = played
        .iter()
        .flatten()
        .map(|one| one.tally.seconds.clone())
        .collect();
    let tiers: Vec<TierFigures> = played
        .into_iter()
        .flatten()
        .map(|one| {
            let quota = quota_of(parts, &one.tier);
            tier(one, quota)
        })
        .collect();
    Forecast {
        version: VERSION,
        traffic: traffic(&seconds, plan.pacing, unusable),
        tiers,
    }
}
