//! The built program as a process of a test.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_model::record::Topic;
use kustomer_ingest::clock::Clock;
use kustomer_sim::Config;
use kustomer_sim::server::Server;
use serde_json::Value;

use super::{MAPPING, PATIENCE};

pub(super) const EVENTS: &str = "quay.events";
pub(super) const DEAD: &str = "quay.dead";

pub(super) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
}

/// Writes records of [`EVENTS`].
pub(super) fn producer(broker: &EmbeddedBroker) -> RecordProducer {
    let options = KafkaOptions::new(broker.bootstrap_servers(), "put", &[EVENTS], DEAD);
    RecordProducer::new(&KafkaSettings::try_new(options).unwrap()).unwrap()
}

/// A Kustomer whose minutes are seconds.
pub(super) async fn kustomer() -> Server {
    let config = Config {
        limit: 3_000,
        time_scale: 60.0,
        ..Config::default()
    };
    let started = Server::start(config, "127.0.0.1:0".parse().unwrap());
    started.await.unwrap()
}

/// A quay's broker, its Kustomer, and a folder with the configuration of a worker between them.
pub(super) struct Quay {
    pub(super) broker: EmbeddedBroker,
    pub(super) kustomer: Server,
    pub(super) folder: tempfile::TempDir,
    /// The configuration.
    pub(super) file: PathBuf,
}

impl Quay {
    /// With so many partitions of the input topic, and these further keys of `debug.recording`.
    pub(super) async fn start(partitions: i32, recording: &str) -> Self {
        let broker = EmbeddedBroker::start(&[(EVENTS, partitions), (DEAD, 1)]).unwrap();
        let kustomer = kustomer().await;
        let folder = tempfile::tempdir().unwrap();
        let servers = broker.bootstrap_servers();
        let file = configuration(folder.path(), servers, &kustomer.url(), recording);
        Self {
            broker,
            kustomer,
            folder,
            file,
        }
    }

    /// Writes something else into the configuration.
    pub(super) fn edit(&self, change: impl FnOnce(String) -> String) {
        let yaml = std::fs::read_to_string(&self.file).unwrap();
        std::fs::write(&self.file, change(yaml)).unwrap();
    }
}

/// Puts a file into its place as a whole, as whoever writes it should.
pub(super) fn put_whole(folder: &Path, name: &str, text: &str) {
    let draft = folder.join(format!("{name}.new"));
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, folder.join(name)).unwrap();
}

/// A record of [`EVENTS`].
pub(super) fn record(key: String, value: String) -> OutgoingRecord {
    OutgoingRecord {
        topic: Topic::new(EVENTS),
        partition: None,
        key: Some(key.into()),
        value: Some(value.into()),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// A worker process of this test; it is killed if the test ends early.
pub(super) struct Worker {
    child: Child,
    /// Where its admin server is, as `http://127.0.0.1:port`.
    pub(super) admin: String,
    /// The lines of its log, once it has ended.
    log: Option<JoinHandle<Vec<String>>>,
}

impl Worker {
    pub(super) fn start(configuration: &Path) -> Self {
        let mut child = program()
            .args(["run", "--time-scale", "60", "--config"])
            .arg(configuration)
            .env("QUAY_TOKEN", "sim-key")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = Vec::new();
        let admin = loop {
            let line = log.next().expect("the log goes on").unwrap();
            lines.push(line.clone());
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            let found = line.to_string();
            if found.contains("admin server listens") {
                let address = line["address"].as_str().expect("an address").to_owned();
                break format!("http://{address}").replace("0.0.0.0", "127.0.0.1");
            }
        };
        // Keep reading, or the process would block on a full pipe.
        let log = std::thread::spawn(move || {
            lines.extend(log.map_while(Result::ok));
            lines
        });
        Self {
            child,
            admin,
            log: Some(log),
        }
    }

    /// What its admin server answers.
    pub(super) async fn get(&self, path: &str) -> String {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        let url = format!("{}{path}", self.admin);
        let answer = client.build().unwrap().get(url).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Waits until `/status` is so.
    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let end = Clock.now() + PATIENCE;
        loop {
            let status = serde_json::from_str(&self.get("/status").await).unwrap();
            if is_so(&status) {
                return status;
            }
            assert!(Clock.now() < end, "{what}: {status:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Worker {
    /// Drains it as SIGTERM does. Returns its log.
    pub(super) async fn terminate(mut self) -> Vec<String> {
        let id = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(ended.await.is_ok(), "waited for the drain");
        self.read_log()
    }

    /// All of its log, once it has ended.
    fn read_log(&mut self) -> Vec<String> {
        let lines = self.log.take().and_then(|log| log.join().ok());
        let lines = lines.unwrap_or_default();
        if !std::thread::panicking() {
            assert_nothing_personal(&lines);
        }
        lines
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.read_log();
    }
}

/// What the fixtures have of persons and keys, besides what looks like an address or a telephone number: none of it may be in a log.
const NEVER_LOGGED: [&str; 7] = [
    "sim-key",
    "second-key",
    "other-key",
    "zz-secret",
    "Ingrid Moe",
    "Strandgata",
    "Bearer ",
];

/// Checks that lines of a log name nobody and tell no key.
pub(crate) fn assert_nothing_personal(lines: &[String]) {
    let told: Vec<&String> = lines.iter().filter(|line| is_personal(line)).collect();
    assert!(told.is_empty(), "a person or a key in the log: {told:#?}");
}

fn is_personal(line: &str) -> bool {
    let fixture = NEVER_LOGGED.iter().any(|text| line.contains(text));
    fixture || has_address(line) || has_telephone(line)
}

/// `name@host.domain`; positions in a topic are `topic[0]@17`.
fn has_address(line: &str) -> bool {
    let mut words = line.split(|one: char| !one.is_ascii_alphanumeric() && !"@._+-".contains(one));
    words.any(|word| {
        word.split_once('@').is_some_and(|(name, host)| {
            let host = host.trim_end_matches('.');
            !name.is_empty()
                && host.contains('.')
                && host.starts_with(|one: char| one.is_ascii_alphabetic())
        })
    })
}

/// A plus sign and at least nine digits.
fn has_telephone(line: &str) -> bool {
    let after = line.split('+').skip(1);
    let mut digits = after.map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    digits.any(|digits| digits >= 9)
}

#[test]
fn what_a_log_must_not_say_is_noticed() {
    for line in [
        r#"{"message":"u3 is ingrid.moe@quay.example"}"#,
        "called +4791234567",
        "Authorization: Bearer abc",
        "the key sim-key was refused",
        "lives at Strandgata 4",
    ] {
        assert!(is_personal(line), "{line}");
    }
    for line in [
        r#"{"timestamp":"2026-11-30T10:11:32.285680+01:00","partition":"shop.events[1]@10"}"#,
        "kafka.example.com:9092, 4791234567 records, a@b",
    ] {
        assert!(!is_personal(line), "{line}");
    }
}

pub(super) fn configuration(
    folder: &Path,
    broker: &str,
    kustomer: &str,
    recording: &str,
) -> PathBuf {
    std::fs::write(folder.join("mapping.yaml"), MAPPING).unwrap();
    let yaml = format!(
        "kafka:\n  brokers: {broker}\n  group: quay\n  dead_letter_topic: {DEAD}\n  topics:\n    - {{ name: {EVENTS}, mapping: \
         mapping.yaml, keyed_by: customer }}\nkustomer:\n  base_url: {kustomer}\n  token: {{ env: QUAY_TOKEN }}\n  limit: \
         3000\nadmin: {{ listen: '127.0.0.1:0' }}\ndebug:\n  recording: {{ dir: recordings{recording} }}\nstate: {{ dir: state }}\n"
    );
    let file = folder.join("worker.yaml");
    std::fs::write(&file, yaml).unwrap();
    file
}
