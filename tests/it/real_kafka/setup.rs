//! The environment of a test: its own topics and group, its own simulated Kustomer, a configuration file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_model::record::{Position, Record, Topic};
use kustomer_sim::server::Server;
use kustomer_sim::{Account, Judged};
use tokio::task::JoinSet;

use super::broker::Broker;
use super::shop::Expected;
use super::wire::{self, Committed};
use super::worker::{MEMBER, TOKEN, Worker};
use super::{say, wait_for};

/// The mapping that is shipped.
const MAPPING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/mappings/segment.yaml");

/// What differs between tests.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) partitions: i32,
    /// How many times faster than real time the simulated Kustomer's minute is.
    pub(super) scale: f64,
    /// Requests a minute of the organisation.
    pub(super) limit: u32,
    /// `kafka.properties`.
    pub(super) properties: Vec<(&'static str, &'static str)>,
    /// Workers are static members of the group, each with its own name.
    pub(super) members: bool,
    /// `budget`, as in the file.
    pub(super) budget: &'static str,
    /// The mapping file, if not the shipped one.
    pub(super) mapping: Option<PathBuf>,
    /// The state topic's partitions and configuration, if there is one.
    pub(super) state: Option<(i32, Vec<(&'static str, &'static str)>)>,
    /// Switches of the simulated Kustomer.
    pub(super) switches: Vec<(&'static str, &'static str)>,
    /// Configuration of the input topic.
    pub(super) topic: Vec<(&'static str, &'static str)>,
    /// Configuration of the dead-letter topic.
    pub(super) letters: Vec<(&'static str, &'static str)>,
    /// There is a hold topic.
    pub(super) hold: bool,
    /// There is a topic of receipts.
    pub(super) receipts: bool,
    /// `kafka.on_lost_position`.
    pub(super) on_lost_position: &'static str,
    /// The address of the schema registry that has the schemas of the input topic, if its values have any.
    pub(super) registry: Option<String>,
}

/// One test's world.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) broker: Broker,
    pub(super) kustomer: Server,
    pub(super) topic: String,
    pub(super) letters: String,
    pub(super) group: String,
    pub(super) options: Options,
    kafka: KafkaSettings,
    producer: Arc<RecordProducer>,
    folder: tempfile::TempDir,
}

impl Default for Options {
    fn default() -> Self {
        // A heartbeat tells a member about a rebalance: every three seconds by default.
        let properties = vec![
            ("heartbeat.interval.ms", "500"),
            ("session.timeout.ms", "6000"),
        ];
        Self {
            partitions: 3,
            scale: 60.0,
            limit: 1_000,
            properties,
            members: false,
            budget: "null",
            mapping: None,
            state: None,
            switches: Vec::new(),
            topic: Vec::new(),
            letters: Vec::new(),
            hold: false,
            receipts: false,
            on_lost_position: "hold",
            registry: None,
        }
    }
}

impl Setup {
    /// Topics, the name of a group and a simulated Kustomer; `name` is unique to the test.
    pub(super) async fn start(broker: Broker, name: &str, options: Options) -> Self {
        let (topic, letters) = (format!("{name}.events"), format!("{name}.events.dead"));
        wire::create_topic(&broker, &topic, options.partitions, &options.topic).await;
        wire::create_topic(&broker, &letters, 1, &options.letters).await;
        if options.hold {
            wire::create_topic(&broker, &format!("{topic}.held"), 1, &[]).await;
        }
        if options.receipts {
            wire::create_topic(&broker, &format!("{topic}.receipts"), 3, &[]).await;
        }
        if let Some((partitions, config)) = &options.state {
            wire::create_topic(&broker, &format!("{name}.state"), *partitions, config).await;
        }
        let mut config = kustomer_sim::Config {
            limit: u64::from(options.limit),
            time_scale: options.scale,
            klasses: ["order", "shipment", "browsing"]
                .map(str::to_owned)
                .to_vec(),
            tokens: vec![TOKEN.1.to_owned()],
            ..kustomer_sim::Config::default()
        };
        for (name, value) in &options.switches {
            config.set(name, value).unwrap();
        }
        let kustomer = Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let judge = KafkaOptions::new(
            &broker.address,
            &format!("{name}-judge"),
            &[&topic],
            &letters,
        );
        let kafka = KafkaSettings::try_new(judge).unwrap();
        let producer = Arc::new(RecordProducer::new(&kafka).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let group = format!("{name}-workers");
        Self {
            broker,
            kustomer,
            topic,
            letters,
            group,
            options,
            kafka,
            producer,
            folder,
        }
    }

    /// Starts a worker of the group.
    pub(super) async fn worker(&self) -> Worker {
        Worker::start(&self.config_file(), self.options.scale).await
    }

    /// Starts a static member of the group with this name.
    pub(super) async fn member(&self, name: &str) -> Worker {
        Worker::start_as(&self.config_file(), self.options.scale, name).await
    }

    /// The name of the state topic.
    pub(super) fn state_topic(&self) -> String {
        format!("{}.state", self.topic.trim_end_matches(".events"))
    }

    /// The configuration that workers are started with.
    pub(super) fn config_file(&self) -> PathBuf {
        let mapping = self.options.mapping.as_deref();
        let mapping = mapping.map_or(MAPPING, |path| path.to_str().unwrap());
        let file = self.folder.path().join("worker.yaml");
        let properties: Vec<String> = self
            .options
            .properties
            .iter()
            .map(|(name, value)| format!("{name}: \"{value}\""))
            .collect();
        let member = if self.options.members {
            format!("{{ env: {MEMBER} }}")
        } else {
            "null".to_owned()
        };
        let state = match &self.options.state {
            Some(_) => self.state_topic(),
            None => "null".to_owned(),
        };
        let hold = if self.options.hold {
            self.hold_topic()
        } else {
            "null".to_owned()
        };
        let receipts = if self.options.receipts {
            format!("{}.receipts", self.topic)
        } else {
            "null".to_owned()
        };
        let (encoding, registry) = match &self.options.registry {
            Some(url) => ("registry", format!("{{ url: \"{url}\", timeout: 500ms }}")),
            None => ("json", "null".to_owned()),
        };
        let text = format!(
            "kafka:\n  brokers: {}\n  group: {}\n  instance_id: {member}\n  topics:\n    - {{ name: {}, mapping: {mapping}, encoding: {encoding}, keyed_by: customer \
             }}\n  dead_letter_topic: {}\n  hold_topic: {hold}\n  receipts_topic: {receipts}\n  on_lost_position: {}\n  properties: {{ {} }}\nschema_registry: {registry}\nkustomer:\n  base_url: {}\n  limit: {}\n  token: {{ \
             env: {} }}\nbudget: {}\nstate: {{ topic: {state}, dir: notes }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
            self.broker.address,
            self.group,
            self.topic,
            self.letters,
            self.options.on_lost_position,
            properties.join(", "),
            self.kustomer.url(),
            self.options.limit,
            TOKEN.0,
            self.options.budget,
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// A record of the input topic without headers.
    pub(super) fn record(&self, key: &str, value: impl Into<Bytes>) -> OutgoingRecord {
        OutgoingRecord {
            topic: Topic::new(&self.topic),
            partition: None,
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: Some(value.into()),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    /// Faults of the simulated Kustomer, from now on.
    pub(super) fn inject(&self, script: &serde_json::Value) {
        let script = kustomer_sim::FaultScript::parse(&script.to_string()).unwrap();
        self.kustomer.with(|sim| sim.inject(script));
    }

    /// Writes records, those of one key in order, and returns their positions when all are acknowledged. A record that is not
    /// acknowledged is written again, as a patient producer does.
    pub(super) async fn produce(
        &self,
        records: Vec<OutgoingRecord>,
    ) -> Vec<(Position, OutgoingRecord)> {
        let mut by_key: BTreeMap<Option<Bytes>, Vec<OutgoingRecord>> = BTreeMap::new();
        for record in records {
            by_key.entry(record.key.clone()).or_default().push(record);
        }
        let mut sending = JoinSet::new();
        for records in by_key.into_values() {
            let producer = Arc::clone(&self.producer);
            sending.spawn(async move {
                let mut written = Vec::new();
                for record in records {
                    let position = loop {
                        match producer.send(&record).await {
                            Ok(position) => break position,
                            Err(error) => assert!(error.kind.is_retriable(), "{error}"),
                        }
                    };
                    written.push((position, record));
                }
                written
            });
        }
        let mut written = Vec::new();
        while let Some(sent) = sending.join_next().await {
            written.extend(sent.unwrap());
        }
        written
    }

    /// The end of each partition.
    pub(super) async fn ends(&self) -> Vec<i64> {
        wire::ends(&self.broker, &self.topic, self.options.partitions).await
    }

    /// What the workers' group has committed.
    pub(super) async fn committed(&self) -> Vec<Committed> {
        wire::committed(
            &self.broker,
            &self.group,
            &self.topic,
            self.options.partitions,
        )
        .await
    }

    /// The committed offsets.
    pub(super) async fn committed_offsets(&self) -> Vec<i64> {
        self.committed()
            .await
            .into_iter()
            .map(|committed| committed.offset)
            .collect()
    }

    /// Waits until everything in the topic is committed. A partition that never had a record has nothing committed.
    pub(super) async fn wait_until_committed(&self, workers: &[&Worker]) {
        let ends = self.ends().await;
        wait_for(
            &format!("commits of all records: ends {ends:?}"),
            || tails(workers),
            async || {
                let committed = self.committed_offsets().await;
                committed
                    .iter()
                    .zip(&ends)
                    .all(|(committed, end)| committed == end || *end == 0)
                    .then_some(())
            },
        )
        .await;
    }

    /// The name of the hold topic.
    pub(super) fn hold_topic(&self) -> String {
        format!("{}.held", self.topic)
    }

    /// Runs `dead-letters COMMAND`; returns what it printed.
    pub(super) fn letters_command(&self, arguments: &[&str]) -> String {
        self.command("dead-letters", arguments)
    }

    /// Runs a command of a family of commands; returns what it printed.
    pub(super) fn command(&self, family: &str, arguments: &[&str]) -> String {
        let output = self.run(family, arguments);
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {out}\n{err}");
        out
    }

    /// Runs `receipts show`; what it printed of a record, if there is a receipt.
    pub(super) fn receipts_of(&self, record: &str) -> Option<String> {
        let output = self.run("receipts", &["show", record, "--json"]);
        let found = output.status.success();
        found.then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn run(&self, family: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
            .args([family, arguments[0], "--config"])
            .arg(self.config_file())
            .args(&arguments[1..])
            .output()
            .unwrap()
    }

    /// Everything on the dead-letter topic.
    pub(super) async fn dead_letters(&self) -> Vec<Record> {
        let (kafka, topic) = (self.kafka.clone(), Topic::new(&self.letters));
        tokio::task::spawn_blocking(move || {
            let mut letters = Vec::new();
            ingest_kafka::reader::read_topic(&kafka, &topic, Duration::from_secs(20), |record| {
                letters.push(record);
                ControlFlow::Continue(())
            })
            .unwrap();
            letters
        })
        .await
        .unwrap()
    }

    /// Checks what the simulator's account must say in any case: nothing malformed, nothing twice, nothing out of order,
    /// at most one request in a thousand over the limit.
    pub(super) fn assert_good(&self, account: &Account) {
        assert_eq!(account.repeated, Judged::default(), "{account:#?}");
        self.assert_good_but(account, &[]);
    }

    /// The same if a partition had more than one owner: tracking events may have been repeated, objects not. A new owner
    /// does not know what exists, so it does no harm if the API refuses something because it exists or was changed.
    pub(super) fn assert_good_but_repeats(&self, account: &Account) {
        self.assert_good_but(account, &["conflict", "duplicate"]);
    }

    fn assert_good_but(&self, account: &Account, refusals: &[&str]) {
        assert_eq!(account.repeated.kobjects, 0, "{account:#?}");
        assert_eq!(
            account.out_of_order.tracking, account.out_of_order_repeats,
            "{account:#?}"
        );
        assert_eq!(account.out_of_order.kobjects, 0, "{account:#?}");
        assert_eq!(account.unjudged, Judged::default(), "{account:#?}");
        let over_limit = account
            .requests
            .by_status
            .get(&429)
            .copied()
            .unwrap_or_default();
        assert!(
            over_limit * 1_000 <= account.requests.total,
            "{over_limit} of {}",
            account.requests.total
        );
        let other: BTreeMap<&String, &u64> = account
            .refused
            .iter()
            .filter(|(reason, _)| *reason != "org_limit" && !refusals.contains(&reason.as_str()))
            .collect();
        assert!(other.is_empty(), "{}: {other:?}", self.topic);
    }

    /// Checks that every expected record is on the dead-letter topic. Returns how many are there more than once.
    pub(super) async fn assert_dead_letters(&self, expected: &Expected) -> u64 {
        let letters = self.dead_letters().await;
        let origins: BTreeSet<Vec<Option<Bytes>>> = letters
            .iter()
            .map(|letter| {
                let origin = letter
                    .headers
                    .iter()
                    .filter(|header| header.name.starts_with("ingest.source."));
                origin.map(|header| header.value.clone()).collect()
            })
            .collect();
        assert_eq!(
            u64::try_from(origins.len()).unwrap(),
            expected.dead_lettered,
            "{letters:?}"
        );
        u64::try_from(letters.len() - origins.len()).unwrap()
    }

    /// Checks that everything the shop expects is at the simulator, and each order is in its last state.
    pub(super) fn assert_delivered(&self, account: &Account, expected: &Expected) {
        assert_eq!(
            account.accepted.tracking - account.repeated.tracking,
            expected.events,
            "{account:#?}"
        );
        assert_eq!(
            account.kobjects_total,
            u64::try_from(expected.orders.len()).unwrap(),
            "{account:#?}"
        );
        assert_eq!(
            account.customers_total,
            u64::try_from(expected.customers).unwrap(),
            "{account:#?}"
        );
        let states: BTreeMap<String, String> = self.kustomer.with(|sim| {
            sim.objects("order")
                .map(|order| {
                    let state = order
                        .custom
                        .get("statusStr")
                        .and_then(|state| state.as_str())
                        .unwrap_or_default();
                    (
                        order.external_id.unwrap_or_default(),
                        format!("{state} {}", order.custom["totalNum"]),
                    )
                })
                .collect()
        });
        assert_eq!(states, expected.orders);
    }

    /// A line about the run.
    pub(super) fn say(&self, text: &str) {
        say(&format!(
            "{}: {text}",
            self.topic.trim_end_matches(".events")
        ));
    }
}

/// The last log lines of all workers.
pub(super) fn tails(workers: &[&Worker]) -> String {
    workers
        .iter()
        .map(|worker| worker.tail())
        .collect::<Vec<_>>()
        .join("\n")
}
