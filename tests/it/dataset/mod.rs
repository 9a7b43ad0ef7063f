//! The public data set through Kafka, a worker process and the simulator, at the budget of an Ultimate plan.
//!
//! Runs if `INGEST_SAMPLES` names the folder of the samples; otherwise it says that it did not. The simulator is the judge:
//! its content at the end is compared with the files, basket by basket, and every request is accounted for. The figures are
//! printed and compared with their bounds.
//!
//! | variable | default | means |
//! |---|---|---|
//! | `INGEST_SAMPLES` | none: nothing runs | the folder that has `dataset/` |
//! | `INGEST_WORKER_BIN` | the worker built with the tests | the program to run |
//! | `INGEST_DATASET_BROKER` | Apache Kafka in a container | `embedded`: the broker inside the process, as if no engine answers |
//! | `INGEST_DATASET_TIME_SCALE` | 5 | how many times faster than real time the simulated minute passes |
//! | `INGEST_DATASET_JOURNAL` | none | a file for every request of the run, as the simulator saw them |

#![cfg(test)]

mod figures;
mod source;
mod tap;
mod verdict;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::reader::{fetch_committed, fetch_watermarks, read_topic};
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer, SendError};
use ingest_model::record::Topic;
use kustomer_ingest::clock::Clock;
use kustomer_sim::server::Server;
use tokio::task::JoinSet;

use self::figures::Figures;
use self::source::Samples;
use self::tap::Tap;
use crate::real_kafka::broker::{self, Broker};
use crate::real_kafka::wire;
use crate::real_kafka::worker::{TOKEN, Worker, whole};

const MAPPING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/dataset/mapping.yaml");
/// Enough for an embedded broker, which keeps 5 MiB of each, to hold the whole backlog.
const PARTITIONS: i32 = 12;
const LIMIT: u32 = 2_000;
const SHARE: f64 = 0.8;
/// Requests a minute that the worker may make.
const ALLOWANCE: u64 = 1_600;
/// Permits for 0.6 simulated seconds can be saved up. A process that gets no CPU for longer than that, an eighth of a second
/// at this scale, loses permits, and its window cannot be full.
const TIME_SCALE: f64 = 5.0;
/// How long producing takes in the second run: less than delivery needs, so that a backlog builds up.
const PRODUCING_MINUTES: f64 = 2.0;
/// How long any single wait may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Sends that may wait for their acknowledgement at the same time.
const OPEN_SENDS: usize = 2_000;

/// When the records are produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// All of them before the worker starts.
    Backlog,
    /// While it runs.
    Meanwhile,
}

/// Where the records are.
struct Place {
    broker: Broker,
    /// The kind of broker.
    kind: &'static str,
    topic: String,
    letters: String,
    group: String,
    kafka: KafkaSettings,
}

#[test]
fn a_backlog_is_delivered_and_accounted_for() {
    run(Variant::Backlog);
}

#[test]
fn what_is_produced_meanwhile_is_delivered_and_accounted_for() {
    run(Variant::Meanwhile);
}

fn run(variant: Variant) {
    // one after the other, because each measures the machine
    static TURN: Mutex<()> = Mutex::new(());
    let Some(folder) = variable("INGEST_SAMPLES") else {
        say("NOT RUN: INGEST_SAMPLES does not name the folder of the samples");
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let samples = Samples::read(&PathBuf::from(folder).join("dataset")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(deliver(variant, Arc::new(samples)));
}

async fn deliver(variant: Variant, samples: Arc<Samples>) {
    let place = Place::find(variant).await;
    let time_scale =
        variable("INGEST_DATASET_TIME_SCALE").map_or(TIME_SCALE, |text| text.parse().unwrap());
    let config = kustomer_sim::Config {
        limit: u64::from(LIMIT),
        time_scale,
        tokens: vec![TOKEN.1.to_owned()],
        klasses: vec!["order".to_owned()],
        ..kustomer_sim::Config::default()
    };
    let sim = Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let tap = Tap::start(sim.local_addr()).await.unwrap();
    let span = match variant {
        Variant::Backlog => Duration::ZERO,
        Variant::Meanwhile => Duration::from_secs_f64(PRODUCING_MINUTES * 60.0 / time_scale),
    };
    let mut producing = JoinSet::new();
    producing.spawn(produce(
        place.kafka.clone(),
        place.topic.clone(),
        Arc::clone(&samples),
        span,
    ));
    if variant == Variant::Backlog {
        producing.join_next().await.unwrap().unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let config = place.config_file(folder.path(), &tap.url());
    let started: Instant = Clock.now();
    let mut worker = Worker::start(&config, time_scale).await;
    let mut waiting = Vec::new();
    wait_for(
        "the last record to be settled",
        || worker.tail(),
        async || {
            let metrics = worker.metrics().await;
            let lanes = whole(metrics.sum("operations_waiting", &[("cause", "track_permit")]));
            waiting.push((sim.now(), lanes));
            (metrics.settled() >= samples.total()).then_some(())
        },
    )
    .await;
    let wall = Clock.now() - started;
    while let Some(produced) = producing.join_next().await {
        produced.unwrap();
    }
    worker.assert_sound().await;
    let metrics = worker.metrics().await;
    let (processor_time, peak_memory) = (worker.processor_time(), worker.peak_memory());
    let (status, _) = worker.terminate().await;
    assert!(status.success(), "{status}\n{}", worker.tail());
    let (kafka, topic, letters) = (
        place.kafka.clone(),
        place.topic.clone(),
        place.letters.clone(),
    );
    let left = tokio::task::spawn_blocking(move || left_behind(&kafka, &topic, &letters))
        .await
        .unwrap();
    let figures = Figures {
        variant,
        broker: place.kind,
        time_scale,
        samples: &samples,
        metrics,
        identities: tap.seen(),
        account: sim.account(),
        journal: sim.with(|sim| sim.journal(0).collect()),
        waiting,
        processor_time,
        peak_memory,
        wall,
        uncommitted: left.0,
        letters: left.1,
    };
    say(&figures.table());
    if let Some(file) = variable("INGEST_DATASET_JOURNAL") {
        std::fs::write(file, figures.journal_lines()).unwrap();
    }
    let mut faults = figures.faults();
    faults.extend(sim.with(|sim| verdict::differences(sim, &samples)));
    sim.shutdown().await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

impl Place {
    /// Topics on Apache Kafka in a container, or on an embedded broker if there is no engine.
    async fn find(variant: Variant) -> Self {
        let name = match variant {
            Variant::Backlog => "data-set-backlog",
            Variant::Meanwhile => "data-set-meanwhile",
        };
        let (topic, letters) = (format!("{name}.events"), format!("{name}.events.dead"));
        let topics = [(topic.as_str(), PARTITIONS), (letters.as_str(), 1)];
        let real = if variable("INGEST_DATASET_BROKER").is_some_and(|kind| kind == "embedded") {
            None
        } else {
            broker::shared(name).await
        };
        let (broker, kind) = match real {
            Some(broker) => {
                for (topic, partitions) in topics {
                    wire::create_topic(&broker, topic, partitions, &[]).await;
                }
                (broker, "Apache Kafka 4.3.1 in a container")
            }
            None => {
                say("the broker is an embedded one, not Apache Kafka");
                let embedded = EmbeddedBroker::start(&topics).unwrap();
                let address = embedded.bootstrap_servers().to_owned();
                (Broker { address }, "embedded broker")
            }
        };
        let group = format!("{name}-workers");
        let options = KafkaOptions::new(&broker.address, &group, &[topic.as_str()], &letters);
        let kafka = KafkaSettings::try_new(options).unwrap();
        Self {
            broker,
            kind,
            topic,
            letters,
            group,
            kafka,
        }
    }

    fn config_file(&self, folder: &Path, base_url: &str) -> PathBuf {
        let file = folder.join("worker.yaml");
        let text = format!(
            "kafka:\n  brokers: {}\n  group: {}\n  topics:\n    - {{ name: {}, mapping: {MAPPING}, keyed_by: customer \
             }}\n  dead_letter_topic: {}\nkustomer:\n  base_url: {base_url}\n  limit: {LIMIT}\n  share: {SHARE}\n  \
             token: {{ env: {} }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
            self.broker.address, self.group, self.topic, self.letters, TOKEN.0,
        );
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Writes all records in their order, evenly over this time.
async fn produce(kafka: KafkaSettings, topic: String, samples: Arc<Samples>, span: Duration) {
    type Sending = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>;
    let producer = Arc::new(RecordProducer::new(&kafka).unwrap());
    let topic = Topic::new(&topic);
    let count = u32::try_from(samples.records.len()).unwrap();
    let started = Clock.now();
    let mut open: VecDeque<Sending> = VecDeque::new();
    for (number, record) in (0_u32..).zip(&samples.records) {
        let outgoing = OutgoingRecord {
            topic: topic.clone(),
            partition: None,
            key: Some(Bytes::from(record.customer.clone())),
            value: Some(record.value.clone()),
            headers: Vec::new(),
            // the broker's retention uses it, so it is the time of writing
            timestamp_ms: None,
        };
        if number % 100 == 0 {
            let due = started + span * number / count;
            tokio::time::sleep(due.saturating_duration_since(Clock.now())).await;
        }
        let producer = Arc::clone(&producer);
        let mut sending: Sending =
            Box::pin(async move { producer.send(&outgoing).await.map(drop) });
        // The first poll hands the record over: one after the other, so that each key's records keep their order.
        match poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await {
            Poll::Ready(sent) => sent.unwrap(),
            Poll::Pending => open.push_back(sending),
        }
        if open.len() >= OPEN_SENDS
            && let Some(oldest) = open.pop_front()
        {
            oldest.await.unwrap();
        }
    }
    for sending in open {
        sending.await.unwrap();
    }
}

/// Records that are not committed, and dead letters. Blocks.
fn left_behind(kafka: &KafkaSettings, topic: &str, letters: &str) -> (i64, u64) {
    let patience = Duration::from_secs(20);
    let topic = Topic::new(topic);
    let ends = fetch_watermarks(kafka, &topic, patience).unwrap();
    let committed = fetch_committed(kafka, &topic, patience).unwrap();
    let mut open = 0;
    for (partition, marks) in ends {
        assert_eq!(
            marks.low.0, 0,
            "the broker dropped records of partition {}",
            partition.0
        );
        open += marks.high.0 - committed.get(&partition).map_or(0, |offset| offset.0);
    }
    let mut count = 0;
    read_topic(kafka, &Topic::new(letters), patience, |_| {
        count += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    (open, count)
}

/// An environment variable, if it is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?
        .into_string()
        .ok()
        .filter(|value| !value.is_empty())
}

/// Writes a line that is shown even if the test passes.
fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    writeln!(err, "data set: {text}").unwrap();
}

/// Asks every 50 ms until there is an answer. Gives up with a message that says what it waited for, and `state`.
async fn wait_for<T>(
    what: &str,
    state: impl Fn() -> String,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start: Instant = Clock.now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        let waited = Clock.now() - start;
        assert!(
            waited < PATIENCE,
            "waited {} s for {what}\n{}",
            waited.as_secs(),
            state()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
