//! The worker end to end inside the test process: embedded broker, real HTTP over loopback, the simulator as the judge.

mod batches;
mod commands;
mod deletions;
mod endpoints;
mod forecast;
mod forecast_loads;
mod forecast_reserve;
mod frontier;
mod guard;
mod keys;
mod letters;
mod pauses;
mod probe;
pub(crate) mod process;
mod receipts;
mod recording;
mod reserve;
mod schemas;
mod suppressed;
mod tls;
mod traces;
mod weather;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
use ingest_model::record::{Header, Topic};
use ingest_registry::{RegistryClient, Store};
use kustomer_ingest::config::ReserveSchedule;
use kustomer_ingest::observe::metrics::Metrics;
use kustomer_ingest::observe::{Observer, Tally};
use kustomer_ingest::pump::Command;
use kustomer_ingest::pump::mappers::Judge;
use kustomer_ingest::pump::recorder::Recorder;
use kustomer_ingest::pump::{self, PauseWatch, PumpError, PumpParts, PumpView, ReserveWatch};
use kustomer_sim::server::Server;
use kustomer_sim::{Config, FaultScript};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "shop.events";
const LETTERS: &str = "shop.events.dead";
const MAPPING: &str = include_str!("../../../schemas/mappings/segment.yaml");
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker with its broker and its Kustomer.
struct Rig {
    kafka: KafkaSettings,
    kustomer: Server,
    observer: Observer,
    producer: RecordProducer,
    shutdown: CancellationToken,
    worker: JoinSet<Result<(), PumpError>>,
    views: watch::Receiver<Option<PumpView>>,
    commands: mpsc::Sender<Command>,
    produced: u64,
}

impl Rig {
    async fn start(limit: u32, scale: f64, faults: Option<Value>) -> Self {
        Self::start_leaving(limit, scale, faults, ReserveSchedule::always(0)).await
    }

    async fn start_leaving(
        limit: u32,
        scale: f64,
        faults: Option<Value>,
        reserve: ReserveSchedule,
    ) -> Self {
        Self::start_reading(limit, scale, faults, reserve, (Encoding::default(), None)).await
    }

    /// A worker that reads values of that encoding, with the schemas of that registry.
    async fn start_reading(
        limit: u32,
        scale: f64,
        faults: Option<Value>,
        reserve: ReserveSchedule,
        reads: (Encoding, Option<RegistryClient>),
    ) -> Self {
        let mapped = (Format::Segment, MAPPING);
        Self::start_mapped(limit, scale, faults, reserve, reads, mapped).await
    }

    /// The same with another mapping.
    async fn start_mapped(
        limit: u32,
        scale: f64,
        faults: Option<Value>,
        reserve: ReserveSchedule,
        reads: (Encoding, Option<RegistryClient>),
        (format, mapping): (Format, &str),
    ) -> Self {
        let broker = EmbeddedBroker::start(&[(TOPIC, 4), (LETTERS, 1)]).unwrap();
        let config = Config {
            limit: u64::from(limit),
            time_scale: scale,
            klasses: ["order", "browsing"].map(str::to_owned).to_vec(),
            faults: faults.map(|script| FaultScript::parse(&script.to_string()).unwrap()),
            ..Config::default()
        };
        let kustomer = Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let options = KafkaOptions::new(broker.bootstrap_servers(), "it", &[TOPIC], LETTERS);
        let kafka = KafkaSettings::try_new(options).unwrap();
        let observer = Observer::new(Metrics::new());
        let token = SecretString::from("sim-key".to_owned());
        let mut client = ClientSettings::new(BaseUrl::parse(&kustomer.url()).unwrap(), token);
        client.total_timeout = Duration::from_secs(5);
        let mapping = Arc::new(Mapping::compile(mapping, "mapping.yaml").unwrap());
        let pipeline = Pipeline::new(format, Limits::default(), mapping).unwrap();
        let mut machine = MachineSettings::new(limit, 0.8, 0, scale).unwrap();
        machine.budget = Charge {
            records: 2_000,
            bytes: 16 << 20,
        };
        machine.topics.insert(
            Topic::new(TOPIC),
            TopicSettings {
                weight: 1.0,
                keyed: true,
            },
        );
        let (encoding, registry) = reads;
        let registry = registry
            .map(|client| ingest_registry::start(client, ingest_registry::RegistrySettings::CACHE));
        let paths = HashMap::from([(Topic::new(TOPIC), (encoding, pipeline))]);
        let judge = match &registry {
            Some((handle, _)) => Judge::new(paths).knowing(Arc::<Store>::clone(handle.store())),
            None => Judge::new(paths),
        };
        let parts = PumpParts {
            renewal: None,
            traces: None,
            kafka: kafka.clone(),
            dead_letter_topic: Topic::new(LETTERS),
            hold_topic: None,
            receipts_topic: None,
            machine,
            reserve: ReserveWatch::new(reserve, scale),
            pauses: PauseWatch::default(),
            client: Client::new(client).unwrap(),
            judge,
            registry,
            suspects: None,
            mapper_threads: 2,
            observer: observer.clone(),
            recorder: Recorder::default(),
        };
        let shutdown = CancellationToken::new();
        let (commands, received) = mpsc::channel(1);
        let (view_in, views) = watch::channel(None);
        let mut worker = JoinSet::new();
        worker.spawn(pump::run(parts, shutdown.clone(), received, view_in));
        let producer = RecordProducer::new(&kafka).unwrap();
        Self {
            kafka,
            kustomer,
            observer,
            producer,
            shutdown,
            worker,
            views,
            commands,
            produced: 0,
        }
    }

    async fn put(&mut self, key: &str, value: impl Into<Bytes>) {
        self.put_with(key, value, Vec::new()).await;
    }

    async fn put_with(&mut self, key: &str, value: impl Into<Bytes>, headers: Vec<Header>) {
        let record = OutgoingRecord {
            topic: Topic::new(TOPIC),
            partition: None,
            key: Some(Bytes::from(key.to_owned())),
            value: Some(value.into()),
            headers,
            timestamp_ms: None,
        };
        self.producer.send(&record).await.unwrap();
        self.produced += 1;
    }

    /// Waits until every record that was produced is settled.
    async fn settled(&mut self) -> Tally {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                if self.observer.tally().settled() >= self.produced {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        if waited.await.is_err() {
            let view = self.views.borrow().clone();
            panic!(
                "not settled in time: {:?} {view:#?} {:#?}",
                self.observer.tally(),
                self.kustomer.account()
            );
        }
        self.observer.tally()
    }

    /// Drains the worker as SIGTERM does; returns the committed offsets, by partition.
    async fn stop(&mut self) -> BTreeMap<i32, i64> {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.worker.join_next());
        ended
            .await
            .expect("the drain ends")
            .unwrap()
            .unwrap()
            .unwrap();
        let kafka = self.kafka.clone();
        let committed = tokio::task::spawn_blocking(move || {
            let patience = Duration::from_secs(10);
            ingest_kafka::reader::fetch_committed(&kafka, &Topic::new(TOPIC), patience).unwrap()
        });
        let committed = committed.await.unwrap();
        committed
            .into_iter()
            .map(|(partition, offset)| (partition.0, offset.0))
            .collect()
    }
}

fn order(customer: u64, id: u64, second: u64) -> String {
    message(
        customer,
        "Order Completed",
        second,
        &json!({"order_id": format!("o{id}"), "total": 10.5}),
    )
}

fn coupon(customer: u64, second: u64) -> String {
    message(
        customer,
        "Coupon Applied",
        second,
        &json!({"cart_id": "c1", "coupon_id": "SPRING"}),
    )
}

fn message(customer: u64, name: &str, second: u64, properties: &Value) -> String {
    let now = jiff::Timestamp::from_millisecond(kustomer_ingest::clock::Clock.unix_ms()).unwrap();
    let time = now - Duration::from_secs(3_600) + Duration::from_secs(second);
    json!({
        "type": "track",
        "messageId": format!("{name}-{customer}-{second}"),
        "userId": format!("u{customer}"),
        "timestamp": time.to_string(),
        "event": name,
        "properties": properties,
    })
    .to_string()
}
