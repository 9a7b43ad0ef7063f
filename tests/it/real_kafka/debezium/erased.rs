//! Rows that are deleted in PostgreSQL, whose objects are deleted in Kustomer: once, and no late row brings them back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_model::record::{Record, Topic};
use kustomer_sim::server::Server;

use super::super::broker::Broker;
use super::super::worker::{TOKEN, Worker, whole};
use super::super::{broker, say, wait_for, wire};
use super::connect::Connect;
use super::records;

/// Orders have the position in the database's log as their version, parcels a column.
const MAPPING: &str = r"
format: debezium
routes:
  - name: order
    on: [orders.c, orders.u, orders.r]
    customer: none
    do: [{ kobject: order, externalId: .id, version: $event.version, title: .number }]
  - name: order-erased
    on: orders.d
    delete: delete
    do: [{ kobject: order, externalId: .id, version: $event.version }]
  - name: parcel
    on: [parcels.c, parcels.u, parcels.r]
    customer: none
    do: [{ kobject: parcel, externalId: .id, version: .rev, title: .number }]
  - name: parcel-erased
    on: parcels.d
    delete: delete
    do: [{ kobject: parcel, externalId: .id, version: .rev }]
";

const TOPICS: [&str; 2] = ["gone.public.orders", "gone.public.parcels"];
const LETTERS: &str = "gone.dead";

/// A worker's world: the database and its connector's topics on one side, the simulated Kustomer on the other.
struct Erasure {
    broker: Broker,
    kustomer: Server,
    producer: RecordProducer,
    folder: tempfile::TempDir,
}

impl Erasure {
    async fn start(broker: Broker) -> Self {
        for topic in TOPICS {
            wire::create_topic(&broker, topic, 2, &[]).await;
        }
        wire::create_topic(&broker, LETTERS, 1, &[]).await;
        wire::create_topic(&broker, "gone.state", 2, &[("cleanup.policy", "compact")]).await;
        let config = kustomer_sim::Config {
            time_scale: 60.0,
            klasses: ["order", "parcel"].map(str::to_owned).to_vec(),
            tokens: vec![TOKEN.1.to_owned()],
            ..kustomer_sim::Config::default()
        };
        let kustomer = Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let judge = KafkaOptions::new(&broker.address, "gone-judge", &TOPICS, LETTERS);
        let producer = RecordProducer::new(&KafkaSettings::try_new(judge).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            broker,
            kustomer,
            producer,
            folder,
        }
    }

    async fn worker(&self) -> Worker {
        Worker::start(&self.config_file(), 60.0).await
    }

    fn config_file(&self) -> PathBuf {
        let mapping = self.folder.path().join("erased.yaml");
        std::fs::write(&mapping, MAPPING).unwrap();
        let file = self.folder.path().join("worker.yaml");
        let topic = |name: &str| {
            let mapping = mapping.display();
            format!("    - {{ name: {name}, mapping: {mapping}, keyed_by: object }}\n")
        };
        let text = format!(
            "kafka:\n  brokers: {}\n  group: gone-workers\n  topics:\n{}{}  dead_letter_topic: {LETTERS}\nkustomer:\n  base_url: {}\n  \
             limit: 1000\n  token: {{ env: {} }}\nstate: {{ topic: gone.state, dir: notes }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
            self.broker.address,
            topic(TOPICS[0]),
            topic(TOPICS[1]),
            self.kustomer.url(),
            TOKEN.0,
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// The Kustomer ids of the objects that stand, by external id.
    fn standing(&self, klass: &str) -> BTreeMap<String, String> {
        self.kustomer.with(|sim| {
            let objects = sim.objects(klass);
            objects
                .map(|one| (one.external_id.unwrap_or_default(), one.id))
                .collect()
        })
    }

    fn requests(&self, endpoint: &str) -> u64 {
        let account = self.kustomer.with(|sim| sim.account());
        let sent = account.requests.by_endpoint;
        sent.get(endpoint).copied().unwrap_or(0)
    }

    /// Waits until exactly these objects stand.
    async fn until(
        &self,
        worker: &Worker,
        klass: &str,
        wanted: &[&str],
    ) -> BTreeMap<String, String> {
        let state = || format!("{:?}\n{}", self.standing(klass), worker.tail());
        wait_for(&format!("{klass} {wanted:?}"), state, async || {
            let standing = self.standing(klass);
            standing.keys().eq(wanted).then_some(standing)
        })
        .await
    }

    /// Writes records again, behind everything that is in their topic: an old segment that is replayed, a connector that repeats.
    async fn again<'a>(&self, records: impl IntoIterator<Item = &'a Record>) {
        for record in records {
            let late = OutgoingRecord {
                topic: Topic::new(&record.position.partition.topic.to_string()),
                partition: Some(record.position.partition.partition),
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record.headers.clone(),
                timestamp_ms: record.timestamp_ms,
            };
            self.producer.send(&late).await.unwrap();
        }
    }
}

/// Why a late row changes nothing: its version is old, its operation is known, or what it names is gone or as it says.
const LATE: [&str; 4] = ["stale", "repeat", "not_there", "unchanged"];

async fn until_skipped(worker: &Worker, reasons: &[&str], records: u64) {
    let seen = std::sync::Mutex::new(Vec::new());
    wait_for(
        &format!("{records} records to be {reasons:?}"),
        || format!("{:?}\n{}", seen.lock().unwrap(), worker.tail()),
        async || {
            let metrics = worker.metrics().await;
            let of = |reason: &&str| metrics.sum("records_skipped_total", &[("reason", *reason)]);
            let skipped: f64 = reasons.iter().map(of).sum();
            let lines = metrics.lines("records_skipped_total");
            *seen.lock().unwrap() = lines.into_iter().map(str::to_owned).collect();
            (whole(skipped) >= records).then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_are_deleted_once_and_stay_away() {
    let Some(broker) = broker::shared("debezium deletions").await else {
        return;
    };
    let Some(database) = Connect::start(&broker, "debezium deletions").await else {
        return;
    };
    let world = Erasure::start(broker).await;
    // What a deletion says besides its key is for the table to decide; by default it is nothing.
    database.sql(
        "create table orders (id bigint primary key, number text);
         create table parcels (id bigint primary key, number text, rev bigint);
         insert into orders values (1, '#1'), (2, '#2'), (3, '#3');
         insert into parcels values (1, 'P1', 10), (2, 'P2', 10);",
    );
    let tables = "public.orders,public.parcels";
    database.watch("gone", tables, &[]).await;
    let mut worker = world.worker().await;
    let first = world.until(&worker, "order", &["1", "2", "3"]).await;
    world.until(&worker, "parcel", &["1", "2"]).await;

    // A row that was changed goes, one gets another key, one is made and goes before anybody has seen it.
    database.sql("update orders set number = '#1a' where id = 1");
    database.sql("delete from orders where id = 1; update orders set id = 20 where id = 2");
    database.sql("insert into orders values (4, '#4')");
    database.sql("delete from orders where id = 4");
    world.until(&worker, "order", &["2", "20", "3"]).await;
    until_skipped(&worker, &["tombstone"], 3).await;
    // Three rows of the snapshot, a change, two deletions, a changed key (a deletion and a row), a row; three tombstones.
    let orders = records(&world.broker, TOPICS[0], 12).await;
    assert_eq!(orders.len(), 12);
    let made = world.kustomer.with(|sim| sim.account()).kobjects_total;
    let deleted = world.requests("kobject.delete");
    assert!((1..=2).contains(&deleted), "{deleted} deletions");

    // Everything once more, late: nothing of what is gone comes back, and nothing is deleted twice.
    let of = |id: &str| {
        let key = format!("\"id\":{id}}}");
        let is_it = move |record: &&Record| {
            let text = record.key.as_deref().map(String::from_utf8_lossy);
            text.is_some_and(|text| text.contains(&key))
        };
        orders.iter().filter(is_it).collect::<Vec<_>>()
    };
    let late = of("1");
    assert_eq!(
        late.len(),
        4,
        "a row, its change, its deletion, a tombstone"
    );
    world.again(late).await;
    until_skipped(&worker, &["tombstone"], 4).await;
    until_skipped(&worker, &LATE, 3).await;
    world.until(&worker, "order", &["2", "20", "3"]).await;

    // The next process knows it, too: the state topic has the version of what is gone.
    let (status, _) = worker.terminate().await;
    assert!(status.success(), "{}", worker.tail());
    let mut worker = world.worker().await;
    world.again(of("1").into_iter().take(2)).await;
    until_skipped(&worker, &LATE, 2).await;
    world.until(&worker, "order", &["2", "20", "3"]).await;
    let account = world.kustomer.with(|sim| sim.account());
    assert_eq!(account.kobjects_total, made, "{account:#?}");
    assert_eq!(world.requests("kobject.delete"), deleted, "{account:#?}");

    // A row that is made anew under the old key is a new object.
    database.sql("insert into orders values (1, 'anew')");
    let anew = world.until(&worker, "order", &["1", "2", "20", "3"]).await;
    assert_ne!(anew["1"], first["1"]);
    assert_eq!(anew["3"], first["3"]);

    // By default a deletion has the key alone: a version that is a column is missing, and the record says so as a dead letter.
    database.sql("delete from parcels where id = 1");
    worker.wait_until("dead_lettered", 1).await;
    let letters = records(&world.broker, LETTERS, 1).await;
    let header = |name: &str| {
        let found = letters[0]
            .headers
            .iter()
            .find(|header| &*header.name == name);
        let value = found.and_then(|header| header.value.clone());
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let reason = header("ingest.error.reason");
    assert_eq!(reason.as_deref(), Some("missing_field"), "{letters:?}");
    let said = header("ingest.error.detail").unwrap_or_default();
    assert!(said.contains("version"), "{said}");
    world.until(&worker, "parcel", &["1", "2"]).await;
    // The whole row is there with the other setting.
    database.sql("alter table parcels replica identity full");
    database.sql("delete from parcels where id = 2");
    world.until(&worker, "parcel", &["1"]).await;

    assert_eq!(wire::ends(&world.broker, LETTERS, 1).await, [1]);
    let account = world.kustomer.with(|sim| sim.account());
    assert_eq!(account.repeated.kobjects, 0, "{account:#?}");
    worker.assert_sound().await;
    say(&format!(
        "debezium deletions: {} requests to delete, {} in all",
        world.requests("kobject.delete"),
        account.requests.total
    ));
}
