//! The built program as a process of a test.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::{KafkaOptions, KafkaSettings, RecordProducer};
use kustomer_sim::Config;
use kustomer_sim::server::Server;
use serde_json::Value;

use super::MAPPING;

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

/// A worker process of this test; it is killed if the test ends early.
pub(super) struct Worker {
    child: Child,
    /// Where its admin server is, as `http://127.0.0.1:port`.
    pub(super) admin: String,
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
        let admin = loop {
            let line = log.next().expect("the log goes on").unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            let found = line.to_string();
            if found.contains("admin server listens") {
                let address = line["address"].as_str().expect("an address").to_owned();
                break format!("http://{address}").replace("0.0.0.0", "127.0.0.1");
            }
        };
        // Keep reading, or the process would block on a full pipe.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, admin }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
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
