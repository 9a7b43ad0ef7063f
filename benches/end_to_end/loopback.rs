//! One loopback run: embedded broker, the worker's pump, the simulator on a socket; the quota never binds.
//!
//! All records are on the topic before the pump starts, so that the run waits only for the worker. Their number is bounded by
//! what the embedded broker keeps of a partition, hence the many partitions.

use std::collections::HashMap;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use ingest_delivery::charge::Charge;
use ingest_delivery::machine::{MachineSettings, TopicSettings};
use ingest_encoding::Encoding;
use ingest_kafka::embedded::{EmbeddedBroker, MAX_PARTITION_BYTES};
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_kustomer::{BaseUrl, Client, ClientSettings};
use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::record::{Partition, Topic};
use kustomer_ingest::clock::Clock;
use kustomer_ingest::config::{RecordingSettings, ReserveSchedule};
use kustomer_ingest::observe::metrics::Metrics;
use kustomer_ingest::observe::{Observer, Tally};
use kustomer_ingest::pump::mappers::Judge;
use kustomer_ingest::pump::recorder::Recorder;
use kustomer_ingest::pump::{self, PauseWatch, PumpParts, ReserveWatch};
use kustomer_sim::server::Server;
use kustomer_sim::{Account, Config};
use secrecy::SecretString;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;
use crate::messages::{MAPPING, TOPIC};
use crate::usage;
use crate::workload::{Customers, Fate, Messages, Workload};

const DEAD_LETTERS: &str = "shop.events.dead";
const PARTITIONS: i32 = 24;
const TOKEN: &str = "bench-key";
/// 100,000 requests a minute on a clock that runs 60 times faster: 80,000 a second may leave, far more than ever do.
const LIMIT: u32 = 100_000;
const TIME_SCALE: f64 = 60.0;
const SHARE: f64 = 0.8;
/// What the broker adds to a record's key and value, at most.
const RECORD_OVERHEAD: usize = 100;
/// A run that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the tally is read.
const LOOK: Duration = Duration::from_millis(2);

/// What must become of the records of a run.
#[derive(Debug, Default)]
struct Expected {
    delivered: u64,
    skipped: u64,
    dead_lettered: u64,
}

/// Runs a workload once.
pub(crate) fn run(workload: Workload, records: u64) -> anyhow::Result<Figures> {
    let broker = EmbeddedBroker::start(&[(TOPIC, PARTITIONS), (DEAD_LETTERS, 1)])?;
    let options = KafkaOptions::new(broker.bootstrap_servers(), "bench", &[TOPIC], DEAD_LETTERS);
    let kafka = KafkaSettings::try_new(options)?;
    let expected = {
        let runtime = runtime("producer", 1)?;
        runtime.block_on(produce(&kafka, workload, records))?
    };
    let simulating = runtime("simulator", 1)?;
    let simulator = simulating.block_on(simulator())?;
    let observer = Observer::new(Metrics::new());
    let parts = parts(&kafka, &simulator.url(), observer.clone())?;
    let figures = runtime("worker", 2)?.block_on(deliver(workload, records, parts, &observer))?;
    let account = simulator.account();
    check(&observer.tally(), &expected, &account)?;
    Ok(figures)
}

fn runtime(name: &str, threads: usize) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
}

async fn simulator() -> std::io::Result<Server> {
    let config = Config {
        klasses: ["order", "browsing"].map(str::to_owned).to_vec(),
        limit: u64::from(LIMIT),
        time_scale: TIME_SCALE,
        tokens: vec![TOKEN.to_owned()],
        ..Config::default()
    };
    Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// The worker with its defaults for budget, prefetch and threads.
fn parts(kafka: &KafkaSettings, url: &str, observer: Observer) -> anyhow::Result<PumpParts> {
    let mapping = Mapping::compile(MAPPING, "schemas/mappings/segment.yaml")
        .map_err(|faults| anyhow::anyhow!("the shipped mapping has {} faults", faults.len()))?;
    let pipeline = Pipeline::new(Format::Segment, Limits::default(), Arc::new(mapping))?;
    let token = SecretString::from(TOKEN.to_owned());
    let client = Client::new(ClientSettings::new(BaseUrl::parse(url)?, token))?;
    let mut machine =
        MachineSettings::new(LIMIT, SHARE, 0, TIME_SCALE).context("the time scale")?;
    machine.budget = Charge {
        records: 37_500,
        bytes: 48 << 20,
    };
    let topic = TopicSettings {
        weight: 1.0,
        keyed: true,
    };
    machine.topics.insert(Topic::new(TOPIC), topic);
    Ok(PumpParts {
        renewal: None,
        traces: None,
        kafka: kafka.clone(),
        dead_letter_topic: Topic::new(DEAD_LETTERS),
        hold_topic: None,
        receipts_topic: None,
        machine,
        reserve: ReserveWatch::new(ReserveSchedule::always(0), TIME_SCALE),
        pauses: PauseWatch::default(),
        client,
        judge: Judge::new(HashMap::from([(
            Topic::new(TOPIC),
            (Encoding::default(), pipeline),
        )])),
        registry: None,
        suspects: None,
        mapper_threads: 1,
        recorder: Recorder::new(RecordingSettings::default(), observer.metrics().clone()),
        observer,
    })
}

async fn produce(
    kafka: &KafkaSettings,
    workload: Workload,
    records: u64,
) -> anyhow::Result<Expected> {
    let producer = Arc::new(RecordProducer::new(kafka)?);
    let start_ms = Clock.unix_ms() - i64::try_from(records)?;
    let mut messages = Messages::new(workload, Customers::Even, start_ms);
    let mut expected = Expected::default();
    let mut sizes: HashMap<i32, usize> = HashMap::new();
    let mut sending: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for _ in 0..records {
        let message = messages.next();
        match message.fate {
            Fate::Delivered => expected.delivered += 1,
            Fate::Skipped => expected.skipped += 1,
            Fate::DeadLettered => expected.dead_lettered += 1,
        }
        let partition = i32::try_from(message.customer)? % PARTITIONS;
        let size = sizes.entry(partition).or_default();
        *size += message.value.len() + RECORD_OVERHEAD;
        ensure!(
            *size < MAX_PARTITION_BYTES,
            "the embedded broker would drop records: fewer, or more partitions"
        );
        let outgoing = OutgoingRecord {
            topic: Topic::new(TOPIC),
            partition: Some(Partition(partition)),
            key: Some(Bytes::from(format!("u-{}", message.customer))),
            value: Some(message.value),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        let producer = Arc::clone(&producer);
        let mut send = Box::pin(async move { Ok(producer.send(&outgoing).await.map(drop)?) });
        // The first poll queues the record. It happens here, so that the order on the topic is the order of this loop.
        match poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await {
            Poll::Ready(sent) => sent?,
            Poll::Pending => drop(sending.spawn(send)),
        }
        if sending.len() >= 5_000 {
            while let Some(sent) = sending.join_next().await {
                sent??;
            }
        }
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    Ok(expected)
}

/// Runs the pump until every record is settled; measures from the first record that reaches it.
async fn deliver(
    workload: Workload,
    records: u64,
    parts: PumpParts,
    observer: &Observer,
) -> anyhow::Result<Figures> {
    let shutdown = CancellationToken::new();
    let (_commands, received) = mpsc::channel(1);
    let (view_in, _views) = watch::channel(None);
    let mut worker = JoinSet::new();
    worker.spawn(pump::run(parts, shutdown.clone(), received, view_in));

    let waiting_since = Clock.now();
    while observer.tally().records_in == 0 {
        ensure!(Clock.now() - waiting_since < PATIENCE, "no record came");
        tokio::time::sleep(LOOK).await;
    }
    let (began, busy_before) = (Clock.now(), usage::busy()?);
    let (before_mib, _) = usage::memory()?;
    usage::forget_peak()?;
    loop {
        let tally = observer.tally();
        if tally.settled() >= records {
            break;
        }
        if Clock.now() - began > PATIENCE {
            bail!("not settled in time: {tally:?}");
        }
        tokio::select! { biased;
            Some(ended) = worker.join_next() => {
                ended??;
                bail!("the worker ended before its work did");
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    let seconds = (Clock.now() - began).as_secs_f64();
    let busy = usage::since(&busy_before, &usage::busy()?);
    let (_, peak_mib) = usage::memory()?;
    let tally = observer.tally();
    shutdown.cancel();
    while let Some(ended) = worker.join_next().await {
        ended??;
    }
    let classes = tally.units.iter();
    Ok(Figures {
        workload: workload.name().to_owned(),
        records,
        seconds,
        busy,
        before_mib,
        peak_mib,
        requests: tally.units_total(),
        classes: classes
            .map(|(class, n)| (class.as_str().to_owned(), *n))
            .collect(),
        delivered: tally.delivered,
        bulk: tally.bulk,
    })
}

/// If a run lost or repeated something, its figures are worth nothing.
fn check(tally: &Tally, expected: &Expected, account: &Account) -> anyhow::Result<()> {
    let skipped: u64 = tally.skipped.values().sum();
    let dead_lettered: u64 = tally.dead_lettered.values().sum();
    ensure!(
        (tally.delivered, skipped, dead_lettered)
            == (expected.delivered, expected.skipped, expected.dead_lettered),
        "settled otherwise than they should be: {tally:?}, not {expected:?}"
    );
    ensure!(tally.broken == 0, "an invariant is broken");
    ensure!(tally.freezes == 0, "the quota was in the way after all");
    let (repeated, disordered) = (&account.repeated, &account.out_of_order);
    ensure!(
        repeated.kobjects == 0 && disordered.kobjects == 0 && disordered.tracking == 0,
        "the simulator disagrees: {account:?}"
    );
    Ok(())
}
