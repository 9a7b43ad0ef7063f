//! What the worker needs is missing: topics that were deleted or never created, brokers that do not answer, partitions that
//! are added later. It says by name what is missing, and goes on by itself.

mod letters;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ingest_kafka::OutgoingRecord;
use ingest_model::record::{Partition, Topic};
use kustomer_ingest::clock::Clock;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::broker::{self, Broker};
use super::setup::{Options, Setup};
use super::worker::Worker;
use super::{wait_for, wire};

/// The time within which a person can see what is missing: about nine seconds at worst, and more on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// How often the client looks for topics and partitions, in milliseconds.
const REFRESH: (&str, &str) = ("topic.metadata.refresh.interval.ms", "1500");

const CLASSIC: [(&str, &str); 3] = [
    REFRESH,
    ("heartbeat.interval.ms", "500"),
    ("session.timeout.ms", "6000"),
];
const CONSUMER: [(&str, &str); 2] = [REFRESH, ("group.protocol", "consumer")];

/// Returns, which are diverted to the hold topic, and events.
const MAPPING: &str = "format: segment
routes:
  - name: return
    on: Return Filed
    customer: { externalId: .userId }
    onHold: divert
    do:
      - kobject: order
        externalId: .properties.return_id
        title: '\"Return \\(.properties.return_id)\"'
  - name: tea
    on: Tea Poured
    customer: { externalId: .userId }
    do:
      - track: .event
";

fn tea(setup: &Setup, user: &str, cup: u64) -> OutgoingRecord {
    let value = json!({
        "type": "track", "event": "Tea Poured", "messageId": format!("{user}-{cup}"), "userId": user, "properties": {},
    });
    setup.record(user, value.to_string())
}

fn on(partition: i32, mut record: OutgoingRecord) -> OutgoingRecord {
    record.partition = Some(Partition(partition));
    record
}

/// A world with the mapping above, which asks for a hold topic.
async fn setup(broker: Broker, name: &str, options: Options) -> (Setup, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mapping.yaml");
    std::fs::write(&file, MAPPING).unwrap();
    let options = Options {
        mapping: Some(file),
        hold: true,
        ..options
    };
    (Setup::start(broker, name, options).await, folder)
}

/// Options of a worker that soon sees new topics and partitions.
fn looking(partitions: i32, properties: &[(&'static str, &'static str)]) -> Options {
    Options {
        partitions,
        properties: properties.to_vec(),
        ..Options::default()
    }
}

/// The configuration with one change.
fn config_with(setup: &Setup, from: &str, to: &str) -> PathBuf {
    let file = setup.config_file();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}: {text}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    file
}

async fn make(broker: &Broker, topic: &str) {
    wait_for("the topic's name to be free", String::new, async || {
        wire::try_create_topic(broker, topic, 1).await.then_some(())
    })
    .await;
}

/// What `/ready` says about it, once it does.
async fn until_unready(worker: &Worker, of: &str) -> String {
    wait_for(
        &format!("`/ready` to name {of}"),
        || worker.tail(),
        async || {
            let causes = worker.unready().await?;
            causes.into_iter().find(|cause| cause.contains(of))
        },
    )
    .await
}

async fn until_ready(worker: &Worker) {
    wait_for(
        "`/ready` to be 200",
        || worker.tail(),
        async || worker.is_ready().await.then_some(()),
    )
    .await;
}

fn assert_soon(since: Instant, what: &str, worker: &Worker) -> Duration {
    let took = Clock.now() - since;
    assert!(took < SOON, "{what} after {took:?}\n{}", worker.tail());
    took
}

/// The command that creates a topic.
fn command(setup: &Setup, topic: &str) -> String {
    let brokers = &setup.broker.address;
    format!("kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions")
}

/// What is said about a missing input topic.
async fn assert_missing(setup: &Setup, worker: &Worker, topic: &str) {
    let said = until_unready(worker, &format!("topic {topic} ")).await;
    for part in ["kafka.topics", "does not exist", &command(setup, topic)] {
        assert!(said.contains(part), "no {part}: {said}");
    }
    let status = worker.status().await.unwrap();
    let [one] = status["kafka"]["topics"].as_array().unwrap().as_slice() else {
        panic!("{status}");
    };
    assert_eq!(
        (&one["topic"], &one["setting"], &one["problem"]),
        (
            &json!(topic),
            &json!("kafka.topics"),
            &json!("unknown_topic")
        )
    );
    let way_out = one["what_to_do"].as_str().unwrap();
    assert!(way_out.contains(&command(setup, topic)), "{way_out}");
    let says = |line: &String| line.contains("\"ERROR\"") && line.contains(topic);
    assert!(worker.log().iter().any(says), "{}", worker.tail());
}

async fn input_topic_comes_later(name: &str, properties: &[(&'static str, &'static str)]) {
    let Some(broker) = broker::shared(name).await else {
        return;
    };
    let (setup, _folder) = setup(broker, name, looking(1, properties)).await;
    wire::delete_topic(&setup.broker, &setup.topic).await;
    let since = Clock.now();
    let mut worker = setup.worker().await;
    assert_missing(&setup, &worker, &setup.topic).await;
    let seen = assert_soon(since, "the topic was named", &worker);

    make(&setup.broker, &setup.topic).await;
    let since = Clock.now();
    setup
        .produce((0..12).map(|cup| tea(&setup, "ann", cup)).collect())
        .await;
    worker.wait_until("delivered", 12).await;
    let read = assert_soon(since, "the records were read", &worker);
    setup.wait_until_committed(&[&worker]).await;
    until_ready(&worker).await;
    setup.assert_good(&setup.kustomer.account());
    worker.assert_sound().await;
    setup.say(&format!(
        "named after {seen:.1?}, read {read:.1?} after it was made"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_topic_that_does_not_exist_is_named_and_read_once_it_does() {
    input_topic_comes_later("not-made", &CLASSIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_topic_that_comes_later_is_read_where_the_brokers_give_it_out() {
    input_topic_comes_later("not-made-848", &CONSUMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_topic_that_does_not_exist_keeps_no_other_back() {
    let Some(broker) = broker::shared("one-of-two").await else {
        return;
    };
    let (setup, _folder) = setup(broker, "one-of-two", looking(1, &CLASSIC)).await;
    let later = format!("{}.later", setup.topic);
    let mapping = setup.options.mapping.clone().unwrap();
    let two = format!(
        "topics:\n    - {{ name: {later}, mapping: {} }}\n",
        mapping.display()
    );
    let file = config_with(&setup, "topics:\n", &two);
    let mut worker = Worker::start(&file, setup.options.scale).await;
    setup
        .produce((0..6).map(|cup| tea(&setup, "ann", cup)).collect())
        .await;
    worker.wait_until("delivered", 6).await;
    setup.wait_until_committed(&[&worker]).await;
    assert_missing(&setup, &worker, &later).await;

    make(&setup.broker, &later).await;
    let since = Clock.now();
    let to_later = |cup| {
        let mut record = tea(&setup, "ben", cup);
        record.topic = Topic::new(&later);
        record
    };
    setup.produce((0..5).map(to_later).collect()).await;
    worker.wait_until("delivered", 11).await;
    assert_soon(since, "the records were read", &worker);
    until_ready(&worker).await;
    let status = worker.status().await.unwrap();
    assert_eq!(status["kafka"]["topics"], json!([]));
    setup.assert_good(&setup.kustomer.account());
    worker.assert_sound().await;
}

/// Waits until `/ready` says that the brokers are away, and returns the reason, which contains these words and is the same in
/// `/status`.
async fn until_away(worker: &Worker, because: &str) -> String {
    wait_for(
        &format!("brokers to be away: {because}"),
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let kafka = &status["kafka"];
            let words = kafka["away_because"].as_str()?.to_owned();
            let causes = worker.unready().await?;
            let mut of_brokers = causes.iter().filter(|cause| {
                cause.starts_with("brokers: no answer for ")
                    && cause.contains("check kafka.brokers")
            });
            let said = of_brokers.next()?.contains(&words);
            let long = kafka["away_for_seconds"].as_u64()? >= 5;
            (said && long && words.contains(because)).then_some(words)
        },
    )
    .await
}

async fn until_back(worker: &Worker) {
    until_ready(worker).await;
    let status = worker.status().await.unwrap();
    assert_eq!(status["kafka"]["away_for_seconds"], Value::Null);
    assert_eq!(status["kafka"]["away_because"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_nobody_reaches_at_the_start_are_told_of_and_found_later() {
    let Some(broker) = broker::shared("closed").await else {
        return;
    };
    let options = Options {
        partitions: 1,
        ..Options::default()
    };
    let (setup, _folder) = setup(broker, "closed", options).await;
    setup
        .produce((0..7).map(|cup| tea(&setup, "ann", cup)).collect())
        .await;
    // The port is reserved, and nothing listens on it yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let brokers = format!("brokers: {}", setup.broker.address);
    let file = config_with(&setup, &brokers, &format!("brokers: {address}"));
    let since = Clock.now();
    let mut worker = Worker::start(&file, setup.options.scale).await;
    assert!(!worker.is_ready().await);
    let words = until_away(&worker, "Connection refused").await;
    let seen = assert_soon(since, "that the brokers are away was told", &worker);
    assert!(words.starts_with(&address.to_string()), "{words}");
    // The key is asked about at the start, and nothing else.
    let requests = setup.kustomer.account().requests;
    assert!(requests.total <= 1, "{requests:?}");

    // The way to the brokers opens: a client that asks here learns where they are.
    let listener = socket.listen(64).unwrap();
    let to = setup.broker.address.clone();
    let mut way = JoinSet::new();
    way.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut here, _)) = listener.accept().await {
            let mut there = TcpStream::connect(&to).await.unwrap();
            connections.spawn(async move {
                drop(tokio::io::copy_bidirectional(&mut here, &mut there).await);
            });
        }
    });
    let since = Clock.now();
    worker.wait_until("delivered", 7).await;
    until_back(&worker).await;
    let back = Clock.now() - since;
    setup.wait_until_committed(&[&worker]).await;
    setup.assert_good(&setup.kustomer.account());
    worker.assert_sound().await;
    way.abort_all();
    setup.say(&format!(
        "told after {seen:.1?} ({words}); at work {back:.1?} after the way was open"
    ));
}

/// A worker that has delivered three records, and its own broker.
async fn with_own_broker(
    name: &str,
) -> Option<(broker::OwnBroker, Setup, tempfile::TempDir, Worker)> {
    let own = broker::own(name).await?;
    let options = Options {
        partitions: 1,
        ..Options::default()
    };
    let (setup, folder) = setup(own.broker.clone(), name, options).await;
    let worker = setup.worker().await;
    setup
        .produce((0..3).map(|cup| tea(&setup, "ann", cup)).collect())
        .await;
    worker.wait_until("delivered", 3).await;
    until_ready(&worker).await;
    Some((own, setup, folder, worker))
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_fall_silent_are_told_of() {
    let Some((own, setup, _folder, mut worker)) = with_own_broker("silent").await else {
        return;
    };
    own.pause().await;
    let since = Clock.now();
    let words = until_away(&worker, "").await;
    let seen = assert_soon(since, "that the brokers are silent was told", &worker);
    own.resume().await;
    let since = Clock.now();
    until_back(&worker).await;
    let back = Clock.now() - since;
    setup
        .produce((3..6).map(|cup| tea(&setup, "ann", cup)).collect())
        .await;
    worker.wait_until("delivered", 6).await;
    setup.wait_until_committed(&[&worker]).await;
    setup.assert_good_but_repeats(&setup.kustomer.account());
    worker.assert_sound().await;
    let committed = Clock.now() - since;
    setup.say(&format!(
        "told after {seen:.1?} ({words}), ready {back:.1?} and all committed {committed:.1?} after they answered again"
    ));
}

/// [`super::outage`] shows that the worker goes on afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_die_under_a_worker_are_told_of() {
    let Some((own, setup, _folder, mut worker)) = with_own_broker("dead").await else {
        return;
    };
    own.kill().await;
    let since = Clock.now();
    let words = until_away(&worker, "Connection refused").await;
    let seen = assert_soon(since, "that the brokers are dead was told", &worker);
    assert!(words.contains(&setup.broker.address), "{words}");
    worker.assert_sound().await;
    setup.say(&format!("told after {seen:.1?} ({words})"));
}

async fn partitions_come_later(name: &str, properties: &[(&'static str, &'static str)]) {
    let Some(broker) = broker::shared(name).await else {
        return;
    };
    let (mut setup, _folder) = setup(broker, name, looking(1, properties)).await;
    let mut worker = setup.worker().await;
    until_ready(&worker).await;
    assert_eq!(worker.partition_numbers().await, [0]);

    wire::add_partitions(&setup.broker, &setup.topic, 4).await;
    setup.options.partitions = 4;
    let since = Clock.now();
    let cups = (0..4).flat_map(|partition| (0..5).map(move |cup| (partition, cup)));
    let cups =
        cups.map(|(partition, cup)| on(partition, tea(&setup, &format!("p{partition}"), cup)));
    setup.produce(cups.collect()).await;
    worker.wait_until("delivered", 20).await;
    let read = assert_soon(since, "the new partitions were read", &worker);
    wait_for(
        "four partitions in `/status`",
        || worker.tail(),
        async || (worker.partition_numbers().await == [0, 1, 2, 3]).then_some(()),
    )
    .await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(setup.committed_offsets().await, [5, 5, 5, 5]);
    setup.assert_good(&setup.kustomer.account());
    worker.assert_sound().await;
    setup.say(&format!("read {read:.1?} after they were added"));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_added_are_read_from_their_first_record() {
    partitions_come_later("wider", &CLASSIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_added_are_read_where_the_brokers_give_them_out() {
    partitions_come_later("wider-848", &CONSUMER).await;
}
