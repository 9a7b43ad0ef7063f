//! The worker processes, and the disruptions of them and of their broker.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::world::{CONCURRENCY, Disruption, Kind, SESSION, World, locked};
use super::{SCALE, pause};
use crate::real_kafka::worker::{Worker, whole};

/// Workers at the same time, at most.
const WORKERS: usize = 3;
/// How often each kind is drawn, relative to the others.
const WEIGHTS: [(Kind, u32); 8] = [
    (Kind::Kill, 8),
    (Kind::Terminate, 3),
    (Kind::ShortStop, 2),
    (Kind::LongStop, 2),
    (Kind::ScaleOut, 3),
    (Kind::ScaleIn, 2),
    (Kind::BrokerRestart, 1),
    (Kind::BrokerUnreachable, 2),
];

/// The running workers, and the random source that decides what happens to them.
#[derive(Debug)]
pub(super) struct Fleet {
    world: Arc<World>,
    rng: StdRng,
    workers: Vec<Worker>,
    /// How many workers were started.
    pub(super) started: u64,
}

impl Fleet {
    pub(super) async fn start(world: &Arc<World>) -> Self {
        let mut fleet = Self {
            world: Arc::clone(world),
            rng: StdRng::seed_from_u64(world.seed ^ 0xf1ee7),
            workers: Vec::new(),
            started: 0,
        };
        fleet.add().await;
        fleet.add().await;
        fleet
    }

    /// Waits a little, then disrupts the fleet.
    pub(super) async fn suffer(&mut self) {
        pause(self.rng.random_range(2_000..7_000)).await;
        self.look_after().await;
        let kind = WEIGHTS
            .choose_weighted(&mut self.rng, |(_, weight)| *weight)
            .unwrap()
            .0;
        let running = self.workers.len();
        let kind = if kind == Kind::ScaleOut && running == WORKERS {
            Kind::ScaleIn
        } else if kind == Kind::ScaleIn && running == 1 {
            Kind::ScaleOut
        } else {
            kind
        };
        let in_flight = self.in_flight().await;
        let from_ms = self.world.now_ms();
        // Recorded from its beginning, because something may be judged meanwhile; its end follows.
        let place = {
            let mut all = locked(&self.world.disruptions);
            all.push(Disruption {
                kind,
                from_ms,
                until_ms: i64::MAX,
                woke_ms: None,
                in_flight,
            });
            all.len() - 1
        };
        let until_ms = self.happen(kind).await;
        let woke_ms = (kind == Kind::LongStop).then(|| self.world.now_ms());
        let mut all = locked(&self.world.disruptions);
        (all[place].until_ms, all[place].woke_ms) = (until_ms, woke_ms);
    }

    /// Carries out a disruption. Returns the time when it was over.
    async fn happen(&mut self, kind: Kind) -> i64 {
        match kind {
            Kind::Kill => {
                let mut worker = self.pick();
                worker.kill();
                let until = self.world.now_ms();
                self.bury(&worker);
                pause(self.rng.random_range(0..3_000)).await;
                self.add().await;
                until
            }
            Kind::Terminate | Kind::ScaleIn => {
                let mut worker = self.pick();
                self.terminate(&mut worker).await;
                let until = self.world.now_ms();
                if kind == Kind::Terminate {
                    self.add().await;
                }
                until
            }
            Kind::ShortStop => {
                let for_ms = self.session_share(0.2, 0.6);
                self.stop(for_ms).await;
                self.world.now_ms()
            }
            Kind::LongStop => {
                let for_ms = self.session_share(1.3, 2.0);
                self.stop(for_ms).await
            }
            Kind::ScaleOut => {
                self.add().await;
                self.world.now_ms()
            }
            Kind::BrokerRestart => {
                self.world.own.kill().await;
                self.perhaps_kill().await;
                pause(self.rng.random_range(500..4_000)).await;
                self.world.own.start().await;
                self.refill().await;
                self.world.now_ms()
            }
            Kind::BrokerUnreachable => {
                self.world.own.pause().await;
                self.perhaps_kill().await;
                let away_ms = self.session_share(0.3, 1.6);
                pause(away_ms).await;
                self.world.own.resume().await;
                self.refill().await;
                self.world.now_ms()
            }
        }
    }

    fn session_share(&mut self, least: f64, most: f64) -> u64 {
        let share = self.rng.random_range(least..most);
        u64::try_from(SESSION.mul_f64(share).as_millis()).unwrap()
    }

    fn pick(&mut self) -> Worker {
        let place = self.rng.random_range(0..self.workers.len());
        self.workers.remove(place)
    }

    /// Stops a worker for a while; returns the time when it had stopped.
    async fn stop(&mut self, for_ms: u64) -> i64 {
        let worker = self.pick();
        worker.signal("STOP");
        let stopped = self.world.now_ms();
        pause(for_ms).await;
        worker.signal("CONT");
        self.workers.push(worker);
        stopped
    }

    /// A worker may be lost together with the broker.
    async fn perhaps_kill(&mut self) {
        if self.rng.random_bool(0.3) {
            let mut worker = self.pick();
            worker.kill();
            self.bury(&worker);
            pause(500).await;
        }
    }

    async fn refill(&mut self) {
        if self.workers.is_empty() {
            self.add().await;
        }
    }

    async fn add(&mut self) {
        let worker = Worker::start(&self.world.config_file(), f64::from(SCALE)).await;
        self.started += 1;
        self.workers.push(worker);
    }

    async fn terminate(&mut self, worker: &mut Worker) {
        let (status, _) = worker.terminate().await;
        // 1: the drain ran out of time, because of jobs or faults.
        if !matches!(status.code(), Some(0 | 1)) {
            self.world
                .trouble(format!("SIGTERM ended with {status}\n{}", worker.tail()));
        }
        self.bury(worker);
    }

    /// Requests under way in all workers; for a worker that does not answer, the most that it may have.
    async fn in_flight(&self) -> u64 {
        let mut sum = 0;
        for worker in &self.workers {
            let metrics = worker.metrics().await;
            let lines = metrics.settled() > 0;
            sum += if lines {
                whole(metrics.sum("requests_in_flight", &[]))
            } else {
                u64::from(CONCURRENCY)
            };
        }
        sum
    }

    /// Checks that every worker that should run does, and is sound.
    pub(super) async fn look_after(&mut self) {
        for worker in &mut self.workers {
            if let Some(status) = worker.ended() {
                self.world.trouble(format!(
                    "a worker ended by itself: {status}\n{}",
                    worker.tail()
                ));
                continue;
            }
            let metrics = worker.metrics().await;
            let broken = metrics.lines("invariants_broken_total");
            if !broken.is_empty() {
                self.world.trouble(format!("broken: {broken:?}"));
            }
        }
        let ended = self
            .workers
            .extract_if(.., |worker| worker.ended().is_some());
        for worker in ended {
            note_panics(&self.world, &worker);
        }
        self.refill().await;
    }

    fn bury(&self, worker: &Worker) {
        note_panics(&self.world, worker);
    }

    /// Ends the last workers.
    pub(super) async fn end(mut self) {
        self.look_after().await;
        for mut worker in std::mem::take(&mut self.workers) {
            let (status, _) = worker.terminate().await;
            if status.code() != Some(0) {
                self.world.trouble(format!(
                    "the last worker ended with {status}\n{}",
                    worker.tail()
                ));
            }
            self.bury(&worker);
        }
    }

    /// The last log lines of all workers.
    pub(super) fn tails(&self) -> String {
        let tails: Vec<String> = self.workers.iter().map(Worker::tail).collect();
        tails.join("\n")
    }
}

fn note_panics(world: &World, worker: &Worker) {
    let log = worker.log();
    if let Some(at) = log.iter().position(|line| line.contains("panicked")) {
        let from = at.saturating_sub(5);
        let lines = log[from..].iter().take(12);
        let lines: Vec<&str> = lines.map(String::as_str).collect();
        world.trouble(format!("a worker panicked:\n{}", lines.join("\n")));
    }
    if let Some(folder) = std::env::var_os("INGEST_CRASH_LOGS") {
        let name = format!(
            "{}-{}.log",
            world.mode.name().replace(' ', "-"),
            worker.pid()
        );
        std::fs::write(std::path::Path::new(&folder).join(name), log.join("\n")).unwrap();
    }
}

/// How long the last workers may take for the remaining work.
pub(super) const DRAIN_PATIENCE: Duration = Duration::from_secs(300);
