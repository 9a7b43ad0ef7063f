//! `demo`: everything in one process.
//!
//! It has an embedded broker, a simulated Kustomer with a faster clock, and a generated shop. There is nothing to install
//! or configure, and nothing leaves the machine.
//!
//! It succeeds only if the simulator's own account agrees with what the shop produced, record by record.

mod report;
mod shop;

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use ingest_delivery::charge::Charge;
use ingest_delivery::machine::{MachineSettings, TopicSettings};
use ingest_encoding::Encoding;
use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_kustomer::{BaseUrl, Client, ClientSettings};
use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::record::{Record, Topic};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::report::{Finished, SESSIONS};
use self::shop::{Expected, Shop};
use crate::clock::{Clock, TimeScale};
use crate::config::ReserveSchedule;
use crate::lifecycle::Signals;
use crate::observe::metrics::Metrics;
use crate::observe::words::plural;
use crate::observe::{Observer, Tally};
use crate::pump::mappers::Judge;
use crate::pump::recorder::Recorder;
use crate::pump::{self, PauseWatch, PumpParts, ReserveWatch};

const TOPIC: &str = "shop.events";
const DEAD_LETTERS: &str = "shop.events.dead";
const PARTITIONS: i32 = 6;
const TOKEN: &str = "demo-key";
const LIMIT: u32 = 1_000;
const SHARE: f64 = 0.8;
/// The number of unsettled records above which the shop waits: the embedded broker keeps only a few megabytes of a
/// partition.
const MAX_BEHIND: u64 = 8_000;
/// After this time the demonstration gives up: something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);
const MAPPING: &str = include_str!("../../../../schemas/mappings/segment.yaml");

/// The options of the demonstration.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Keep running after the last record: broker, simulated Kustomer and pages stay up until Ctrl-C.
    pub keep: bool,
    /// How many records the shop produces; at least one.
    pub records: u64,
    /// The seed of the shop: the same seed gives the same records.
    pub seed: u64,
    /// How many times faster than real time the API's minute passes.
    pub time_scale: TimeScale,
}

/// Whether the simulator's account agrees with what the shop produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// They agree, record by record.
    Full,
    /// They disagree somewhere.
    Broken,
}

/// Runs the demonstration.
///
/// # Errors
/// A part of it cannot be started, or it does not finish.
pub fn run(options: Options) -> anyhow::Result<Agreement> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.block_on(demonstrate(&options))
}

async fn demonstrate(options: &Options) -> anyhow::Result<Agreement> {
    let broker = EmbeddedBroker::start(&[(TOPIC, PARTITIONS), (DEAD_LETTERS, 1)])?;
    let config = kustomer_sim::Config {
        limit: u64::from(LIMIT),
        time_scale: options.time_scale.factor(),
        tokens: vec![TOKEN.to_owned()],
        klasses: ["order", SESSIONS].map(str::to_owned).to_vec(),
        seed: options.seed,
        ..kustomer_sim::Config::default()
    };
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let kustomer = kustomer_sim::server::Server::start(config, loopback)
        .await
        .context("the simulated Kustomer cannot listen on this machine")?;
    say(&format!(
        "kustomer-ingest {} demo\n  Kafka     embedded broker at {}, topic {TOPIC}, {PARTITIONS} partitions\n  Kustomer  \
         simulated at {}, {LIMIT} requests a minute, {}x faster than real\n  Worker    may use {:.0} % of the requests\n",
        env!("CARGO_PKG_VERSION"),
        broker.bootstrap_servers(),
        kustomer.url(),
        options.time_scale.factor(),
        SHARE * 100.0
    ))?;
    let kafka = KafkaSettings::try_new(KafkaOptions::new(
        broker.bootstrap_servers(),
        "kustomer-ingest-demo",
        &[TOPIC],
        DEAD_LETTERS,
    ))?;
    let observer = Observer::new(Metrics::new());
    let parts = parts(options, &kafka, &kustomer.url(), observer.clone())?;
    let finished = deliver(options, kafka, parts, &observer).await?;
    let account = kustomer.account();
    let counted = kustomer.with(|sim| report::views(sim));
    let faults = report::disagreements(&finished, &account, counted);
    let timeline = kustomer.with(|sim| report::timeline(sim, finished.expected.best_customer()));
    say(&report::render(
        &finished,
        &account,
        &timeline,
        &faults,
        options.time_scale.factor(),
    ))?;
    let page = format!(
        "{}/_sim/timeline/{}",
        kustomer.url(),
        finished.expected.best_customer()
    );
    if options.keep {
        say(&format!(
            "The page stays up until Ctrl-C: {page}\nAll customers: {}/_sim/\n",
            kustomer.url()
        ))?;
        Signals::install()?.next().await;
    } else {
        say(&format!(
            "The same as a page: run `kustomer-ingest demo --keep` and open {page}\n(the port changes)\n"
        ))?;
    }
    kustomer.shutdown().await;
    Ok(if faults.is_empty() {
        Agreement::Full
    } else {
        Agreement::Broken
    })
}

fn parts(
    options: &Options,
    kafka: &KafkaSettings,
    url: &str,
    observer: Observer,
) -> anyhow::Result<PumpParts> {
    let mapping = Mapping::compile(MAPPING, "schemas/mappings/segment.yaml").map_err(|faults| {
        anyhow::anyhow!("the shipped mapping has {}", plural(faults.len(), "fault"))
    })?;
    let pipeline = Pipeline::new(Format::Segment, Limits::default(), Arc::new(mapping))?;
    // All records of a customer are in one partition.
    let pipeline = pipeline.keyed_by_customer(true);
    let token = SecretString::from(TOKEN.to_owned());
    let client = Client::new(ClientSettings::new(BaseUrl::parse(url)?, token))?;
    let mut machine = MachineSettings::new(LIMIT, SHARE, 0, options.time_scale.factor())
        .context("the time scale is out of range")?;
    machine.budget = Charge {
        records: 20_000,
        bytes: 64 << 20,
    };
    machine.topics.insert(
        Topic::new(TOPIC),
        TopicSettings {
            weight: 1.0,
            keyed: true,
        },
    );
    Ok(PumpParts {
        renewal: None,
        traces: None,
        registry: None,
        kafka: kafka.clone(),
        dead_letter_topic: Topic::new(DEAD_LETTERS),
        hold_topic: None,
        receipts_topic: None,
        machine,
        reserve: ReserveWatch::new(ReserveSchedule::always(0), options.time_scale.factor()),
        pauses: PauseWatch::default(),
        client,
        judge: Judge::new(HashMap::from([(
            Topic::new(TOPIC),
            (Encoding::default(), pipeline),
        )])),
        suspects: None,
        mapper_threads: 1,
        observer,
        recorder: Recorder::default(),
    })
}

/// Produces, delivers and waits until every record is settled and the worker has drained.
async fn deliver(
    options: &Options,
    kafka: KafkaSettings,
    parts: PumpParts,
    observer: &Observer,
) -> anyhow::Result<Finished> {
    let started = Clock.now();
    let shutdown = CancellationToken::new();
    let (_commands, received) = mpsc::channel(1);
    let (view_in, _views) = watch::channel(None);
    let mut worker = JoinSet::new();
    worker.spawn(pump::run(parts, shutdown.clone(), received, view_in));
    let mut producing = JoinSet::new();
    let shop = Shop::new(options.seed, options.records, Clock.unix_ms());
    producing.spawn(produce(kafka.clone(), shop, observer.clone()));

    let mut signals = Signals::install()?;
    let mut expected: Option<Expected> = None;
    let mut progress = Progress::default();
    loop {
        let tally = observer.tally();
        if expected
            .as_ref()
            .is_some_and(|expected| tally.settled() >= expected.records)
        {
            break;
        }
        let elapsed = Clock.now() - started;
        progress.show(&tally, options.records, elapsed)?;
        if elapsed > PATIENCE {
            bail!(
                "not every record was settled within {} s: {tally:?}",
                PATIENCE.as_secs()
            );
        }
        tokio::select! { biased;
            _ = signals.next() => bail!("interrupted"),
            Some(ended) = worker.join_next() => {
                ended??;
                bail!("the worker ended before its work did");
            }
            Some(ended) = producing.join_next() => expected = Some(ended??),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    let tally = observer.tally();
    let took = Clock.now() - started;
    progress.end(&tally, options.records, took)?;
    shutdown.cancel();
    while let Some(ended) = worker.join_next().await {
        ended??;
    }
    let letters = tokio::task::spawn_blocking(move || read_letters(&kafka)).await??;
    let expected = expected.context("the shop did not say what it produced")?;
    Ok(Finished {
        tally,
        expected,
        letters,
        took,
    })
}

/// Records produced at a time.
const BATCH: usize = 200;

/// Puts the shop's records on the topic, not too far ahead of the worker. The records of one key are sent one after the
/// other, as a shop would do: the demonstration is judged by the order within a key.
async fn produce(
    kafka: KafkaSettings,
    mut shop: Shop,
    observer: Observer,
) -> anyhow::Result<Expected> {
    let producer = Arc::new(RecordProducer::new(&kafka)?);
    let mut produced: u64 = 0;
    loop {
        let mut by_key: HashMap<Option<Bytes>, Vec<OutgoingRecord>> = HashMap::new();
        for record in std::iter::from_fn(|| shop.next_record()).take(BATCH) {
            produced += 1;
            by_key
                .entry(record.key.clone())
                .or_default()
                .push(OutgoingRecord {
                    topic: Topic::new(TOPIC),
                    partition: None,
                    key: record.key,
                    value: record.value,
                    headers: Vec::new(),
                    timestamp_ms: None,
                });
        }
        if by_key.is_empty() {
            return Ok(shop.expected());
        }
        let mut sending: JoinSet<anyhow::Result<()>> = JoinSet::new();
        for records in by_key.into_values() {
            let producer = Arc::clone(&producer);
            sending.spawn(async move {
                for record in &records {
                    producer.send(record).await?;
                }
                Ok(())
            });
        }
        while let Some(sent) = sending.join_next().await {
            sent??;
        }
        while produced > observer.tally().settled() + MAX_BEHIND {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn read_letters(kafka: &KafkaSettings) -> anyhow::Result<Vec<Record>> {
    let mut letters = Vec::new();
    let patience = Duration::from_secs(10);
    ingest_kafka::reader::read_topic(kafka, &Topic::new(DEAD_LETTERS), patience, |record| {
        letters.push(record);
        ControlFlow::Continue(())
    })?;
    Ok(letters)
}

/// The progress line: rewritten on a terminal, printed every two seconds elsewhere.
#[derive(Default)]
struct Progress {
    shown: Duration,
}

impl Progress {
    fn show(&mut self, tally: &Tally, records: u64, elapsed: Duration) -> std::io::Result<()> {
        let interactive = std::io::stdout().is_terminal();
        let pause = if interactive {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(2)
        };
        if elapsed < self.shown + pause {
            return Ok(());
        }
        self.shown = elapsed;
        let line = progress_line(tally, records, elapsed);
        let mut out = std::io::stdout().lock();
        if interactive {
            write!(out, "\r{line}\x1b[K")?;
        } else {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    fn end(&mut self, tally: &Tally, records: u64, elapsed: Duration) -> std::io::Result<()> {
        self.shown = Duration::ZERO;
        self.show(tally, records, elapsed.max(Duration::from_secs(3)))?;
        writeln!(std::io::stdout())
    }
}

fn progress_line(tally: &Tally, records: u64, elapsed: Duration) -> String {
    let letters: u64 = tally.dead_lettered.values().sum();
    let skipped: u64 = tally.skipped.values().sum();
    format!(
        "  {:5.1} s  {:>6} of {records} settled: {} delivered, {skipped} skipped, {letters} dead-lettered; {}",
        elapsed.as_secs_f64(),
        tally.settled(),
        tally.delivered,
        plural(tally.units_total(), "request")
    )
}

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
