//! Brokers that let nobody in who does not prove who they are, over TLS; and what is said when somebody cannot.

mod bearer;
mod broker;
mod certificates;
mod refusals;
mod renewal;
mod tokens;

use std::path::{Path, PathBuf};

use kustomer_ingest::clock::Clock;

use self::broker::{PLAIN_USER, Secure, secure};
use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::worker::Worker;

/// A test's world, and a folder with the files that its workers read.
struct World {
    secure: &'static Secure,
    setup: Setup,
    folder: tempfile::TempDir,
}

impl World {
    async fn start(name: &str, options: Options) -> Option<Self> {
        let secure = secure(name).await?;
        let setup = Setup::start(secure.judge(), name, options).await;
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            secure,
            setup,
            folder,
        };
        world.write("ca.pem", &secure.authority.pem());
        Some(world)
    }

    /// Writes a file of the folder, or another content.
    fn write(&self, name: &str, content: &[u8]) {
        // As a mounted secret changes: the new file takes the name of the old one.
        let new = self.folder.path().join("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A configuration that reaches the brokers at this address, with these properties, one a line.
    fn config(&self, brokers: &str, properties: &str) -> PathBuf {
        let text = std::fs::read_to_string(self.setup.config_file()).unwrap();
        let clear = format!("brokers: {}", self.setup.broker.address);
        assert!(text.contains(&clear), "{text}");
        let text = text.replace(&clear, &format!("brokers: {brokers}"));
        let (before, after) = text.split_once("  properties: { ").unwrap();
        let (group, after) = after.split_once(" }\n").unwrap();
        let properties = properties.replace("FOLDER", self.folder.path().to_str().unwrap());
        let all = group
            .split(", ")
            .chain(properties.lines().map(str::trim))
            .filter(|line| !line.is_empty());
        let all: Vec<String> = all.map(|line| format!("    {line}\n")).collect();
        let file = self.path("worker.yaml");
        std::fs::write(
            &file,
            format!("{before}  properties:\n{}{after}", all.concat()),
        )
        .unwrap();
        file
    }

    async fn worker(&self, config: &Path) -> Worker {
        Worker::start(config, self.setup.options.scale).await
    }
}

/// SCRAM with this hash.
fn scram(user: &str, mechanism: &str) -> String {
    format!(
        "sasl.mechanism: {mechanism}\nsasl.username: {user}\nsasl.password: {{ file: FOLDER/password }}\nssl.ca.location: FOLDER/ca.pem"
    )
}

const MTLS: &str = "ssl.ca.location: FOLDER/ca.pem\nssl.certificate.location: FOLDER/client.pem\nssl.key.location: FOLDER/client.key";

/// A worker with these properties delivers what a shop writes.
async fn delivers(name: &str, listener: &str, prepare: impl Fn(&World), properties: &str) {
    let Some(world) = World::start(name, Options::default()).await else {
        return;
    };
    prepare(&world);
    let config = world.config(&world.secure.address(listener), properties);
    let mut shop = Shop::new(8, Clock.unix_ms());
    world.setup.produce(shop.take(&world.setup, round())).await;
    let mut worker = world.worker(&config).await;
    world.setup.wait_until_committed(&[&worker]).await;
    let account = world.setup.kustomer.account();
    world.setup.assert_good(&account);
    world.setup.assert_delivered(&account, shop.expected());
    world.setup.assert_dead_letters(shop.expected()).await;
    worker.assert_sound().await;
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn scram_over_tls_with_either_hash_delivers() {
    for (user, mechanism) in [("ship", "SCRAM-SHA-256"), ("shop", "SCRAM-SHA-512")] {
        let prepare = |world: &World| {
            world
                .secure
                .set_password(user, mechanism, "zz-secret-right");
            world.write("password", b"zz-secret-right\n");
        };
        delivers(user, "SASL", prepare, &scram(user, mechanism)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_over_tls_delivers() {
    let prepare = |world: &World| world.write("password", PLAIN_USER.1.as_bytes());
    delivers("plain", "SASL", prepare, &scram(PLAIN_USER.0, "PLAIN")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_worker_is_enough() {
    let prepare = |world: &World| {
        let client = world.secure.authority.issue("worker", &[], (-1, 30));
        world.write("client.pem", &client.certificate);
        world.write("client.key", &client.key);
    };
    delivers("mtls", "MTLS", prepare, MTLS).await;
}
