//! The environment of a run: its own broker, topics, a simulated Kustomer, and what is recorded during the run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingest_kafka::{KafkaOptions, KafkaSettings, RecordProducer};
use kustomer_ingest::clock::Clock;
use kustomer_sim::server::Server;
use tokio::task::JoinSet;

use super::commits::Commits;
use super::faults::{Counts, LOST_TRACKING};
use super::load::{self, Draft, Ledger, PARTITIONS};
use super::names::Names;
use super::{Mode, SCALE};
use crate::real_kafka::broker::OwnBroker;
use crate::real_kafka::wire;
use crate::real_kafka::worker::TOKEN;

const MAPPING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/crash/mapping.yaml");
/// The state topic, if there is one.
const STATE: &str = "crash.state";
/// Requests a minute of the organisation.
pub(super) const LIMIT: u64 = 1_000;
/// Requests that one worker may have under way.
pub(super) const CONCURRENCY: u32 = 32;
/// How long the group waits for a silent worker.
pub(super) const SESSION: Duration = Duration::from_secs(6);
/// How long the brokers may take to answer one sample.
const SAMPLE_PATIENCE: Duration = Duration::from_secs(2);

/// What can happen to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Kill,
    Terminate,
    ShortStop,
    LongStop,
    ScaleOut,
    ScaleIn,
    BrokerRestart,
    BrokerUnreachable,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Kill,
        Self::Terminate,
        Self::ShortStop,
        Self::LongStop,
        Self::ScaleOut,
        Self::ScaleIn,
        Self::BrokerRestart,
        Self::BrokerUnreachable,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Terminate => "SIGTERM, restart",
            Self::ShortStop => "SIGSTOP within the session",
            Self::LongStop => "SIGSTOP beyond the session",
            Self::ScaleOut => "scale out",
            Self::ScaleIn => "scale in",
            Self::BrokerRestart => "broker restart",
            Self::BrokerUnreachable => "broker unreachable",
        }
    }
}

/// One thing that happened to the workers. Times are the simulator's.
#[derive(Debug, Clone)]
pub(super) struct Disruption {
    pub(super) kind: Kind,
    pub(super) from_ms: i64,
    /// When it was over.
    pub(super) until_ms: i64,
    /// When a worker continued that had been stopped beyond its session.
    pub(super) woke_ms: Option<i64>,
    /// Requests that were under way in all workers, just before.
    pub(super) in_flight: u64,
}

/// Everything that the tasks of a run share.
#[derive(Debug)]
pub(super) struct World {
    pub(super) mode: Mode,
    pub(super) seed: u64,
    pub(super) own: OwnBroker,
    pub(super) kustomer: Server,
    pub(super) orders: String,
    pub(super) shipments: String,
    pub(super) letters: String,
    group: String,
    pub(super) kafka: KafkaSettings,
    producer: RecordProducer,
    folder: tempfile::TempDir,
    /// The time of record 0.
    pub(super) start_ms: i64,
    pub(super) ledger: Ledger,
    commits: Mutex<Commits>,
    /// Which name each customer had.
    pub(super) names: Mutex<Names>,
    pub(super) disruptions: Mutex<Vec<Disruption>>,
    /// Answers to tracking events lost so far, by the simulator's time.
    pub(super) lost_answers: Mutex<Vec<(i64, u64)>>,
    /// Writes of the producer that failed so far, and why the last one did.
    refused: Mutex<(u64, String)>,
    pub(super) faults: Mutex<Counts>,
    /// What went wrong before the judgement: panics, exits, broken invariants.
    pub(super) troubles: Mutex<Vec<String>>,
}

/// The value of a lock, even if somebody panicked while holding it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) async fn start(mode: Mode, seed: u64, own: OwnBroker) -> Arc<Self> {
        let broker = &own.broker;
        let [orders, shipments, letters] =
            ["orders", "shipments", "dead"].map(|name| format!("crash.{name}"));
        wire::create_topic(broker, &orders, PARTITIONS, &[]).await;
        wire::create_topic(broker, &shipments, PARTITIONS, &[]).await;
        wire::create_topic(broker, &letters, 1, &[]).await;
        if mode.keeps_state() {
            let compacted = [("cleanup.policy", "compact")];
            wire::create_topic(broker, STATE, PARTITIONS, &compacted).await;
        }
        let mut config = kustomer_sim::Config {
            limit: LIMIT,
            time_scale: f64::from(SCALE),
            tokens: vec![TOKEN.1.to_owned()],
            seed,
            ..kustomer_sim::Config::default()
        };
        for (switch, value) in mode.switches() {
            config.set(switch, value).unwrap();
        }
        let kustomer = Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let options = KafkaOptions::new(&broker.address, "crash-judge", &[&orders], &letters);
        let kafka = KafkaSettings::try_new(options).unwrap();
        let now_ms = kustomer.now().millis();
        let partitions = usize::try_from(2 * PARTITIONS).unwrap();
        Arc::new(Self {
            mode,
            seed,
            orders,
            shipments,
            letters,
            group: "crash-workers".to_owned(),
            producer: RecordProducer::new(&kafka).unwrap(),
            kafka,
            folder: tempfile::tempdir().unwrap(),
            start_ms: Clock.unix_ms() - 3_600_000,
            ledger: Ledger::default(),
            commits: Mutex::new(Commits::new(partitions, now_ms)),
            names: Mutex::default(),
            // The first workers join one after the other.
            disruptions: Mutex::new(vec![Disruption {
                kind: Kind::ScaleOut,
                from_ms: now_ms,
                until_ms: now_ms,
                woke_ms: None,
                in_flight: 0,
            }]),
            lost_answers: Mutex::default(),
            refused: Mutex::default(),
            faults: Mutex::default(),
            troubles: Mutex::default(),
            own,
            kustomer,
        })
    }

    /// The simulator's time, in milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.kustomer.now().millis()
    }

    /// The workers' configuration.
    pub(super) fn config_file(&self) -> PathBuf {
        let file = self.folder.path().join("worker.yaml");
        let properties = format!(
            "heartbeat.interval.ms: \"500\", session.timeout.ms: \"{}\", socket.timeout.ms: \"4000\"",
            SESSION.as_millis()
        );
        let topic = |name: &str, keyed_by: &str, weight: u8| {
            let settings = format!("keyed_by: {keyed_by}, weight: {weight}");
            format!("    - {{ name: {name}, mapping: {MAPPING}, {settings} }}\n")
        };
        let text = format!(
            "kafka:\n  brokers: {}\n  group: {}\n  topics:\n{}{}  dead_letter_topic: {}\n  drain_timeout: 12s\n  properties: \
             {{ {properties} }}\nkustomer:\n  base_url: {}\n  limit: {LIMIT}\n  request_timeout: 10s\n  max_concurrency: \
             {CONCURRENCY}\n  token: {{ env: {} }}\nstate: {{ topic: {} }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
            self.own.broker.address,
            self.group,
            topic(&self.orders, "customer", 3),
            topic(&self.shipments, "none", 1),
            self.letters,
            self.kustomer.url(),
            TOKEN.0,
            if self.mode.keeps_state() {
                STATE
            } else {
                "null"
            },
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Writes records, those with the same turn in order, and returns when all are acknowledged.
    pub(super) async fn write(self: &Arc<Self>, drafts: Vec<Draft>) {
        let mut by_turn: BTreeMap<_, Vec<Draft>> = BTreeMap::new();
        for draft in drafts {
            by_turn.entry(draft.turn).or_default().push(draft);
        }
        let mut writing = JoinSet::new();
        for drafts in by_turn.into_values() {
            let world = Arc::clone(self);
            writing.spawn(async move {
                for draft in drafts {
                    let position = loop {
                        match world.producer.send(&draft.record).await {
                            Ok(position) => break position,
                            Err(error) => {
                                assert!(error.kind.is_retriable(), "{error}");
                                let mut refused = locked(&world.refused);
                                *refused = (refused.0 + 1, error.to_string());
                            }
                        }
                    };
                    let place = load::place_of(&position, &world.shipments);
                    world.ledger.lock()[draft.number].at = Some((place, position.offset.0));
                }
            });
        }
        while let Some(written) = writing.join_next().await {
            written.unwrap();
        }
    }

    /// How many writes failed, and why the last one did; nothing if none failed.
    pub(super) fn refused(&self) -> String {
        let (writes, why) = &*locked(&self.refused);
        if *writes == 0 {
            return String::new();
        }
        format!("; {writes} writes failed, the last: {why}")
    }

    /// Samples names, lost answers and commits; returns whether the brokers answered.
    pub(super) async fn sample(&self) -> bool {
        let now_ms = self.now_ms();
        let account = self.kustomer.account();
        let lost = account.faults.iter();
        let lost = lost.filter(|(name, _)| name.starts_with(LOST_TRACKING));
        let lost = lost.map(|(_, count)| count).sum();
        locked(&self.lost_answers).push((now_ms, lost));
        self.kustomer.with(|sim| {
            let named =
                |one: kustomer_sim::CustomerView| Some((one.external_id?, one.display_name));
            locked(&self.names).sample(now_ms, sim.customers().filter_map(named));
        });
        let asked = tokio::time::timeout(SAMPLE_PATIENCE, async {
            let mut found = Vec::new();
            for topic in [&self.orders, &self.shipments] {
                let broker = &self.own.broker;
                let some = wire::try_committed(broker, &self.group, topic, PARTITIONS).await;
                found.extend(some.ok()?.ok()?);
            }
            Some(found)
        });
        match asked.await {
            Ok(Some(found)) => {
                self.commits().sample(now_ms, found);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// The ends of all partitions.
    pub(super) async fn ends(&self) -> Vec<i64> {
        let mut ends = Vec::new();
        for topic in [&self.orders, &self.shipments] {
            ends.extend(wire::ends(&self.own.broker, topic, PARTITIONS).await);
        }
        ends
    }

    /// The commits seen so far.
    pub(super) fn commits(&self) -> MutexGuard<'_, Commits> {
        locked(&self.commits)
    }

    /// Records that are written and not yet committed.
    pub(super) fn behind(&self) -> u64 {
        let written = self.ledger.len();
        let committed: i64 = self.commits().offsets().iter().map(|at| (*at).max(0)).sum();
        u64::try_from(written)
            .unwrap()
            .saturating_sub(u64::try_from(committed).unwrap())
    }

    /// Sends a fault script to the simulator.
    pub(super) async fn inject(&self, script: &serde_json::Value) {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("{}/_sim/faults", self.kustomer.url());
        let answer = client
            .post(url)
            .body(script.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{}: {script}",
            answer.text().await.unwrap()
        );
    }

    /// Records what went wrong.
    pub(super) fn trouble(&self, what: String) {
        self.say(&format!("TROUBLE: {what}"));
        locked(&self.troubles).push(what);
    }

    /// A line about the run.
    pub(super) fn say(&self, text: &str) {
        super::say(&format!("{}: {text}", self.mode.name()));
    }
}
