//! PostgreSQL and Kafka Connect with Debezium, in one container.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use super::super::broker::Broker;
use super::super::{say, wait_for};

const IMAGE: (&str, &str) = ("kustomer-ingest/debezium", "3.6.1.Final");

/// A database whose changes go to Kafka. Removed when dropped.
#[derive(Debug)]
pub(super) struct Connect {
    container: ContainerAsync<GenericImage>,
    postgres: u16,
    rest: String,
    http: reqwest::Client,
}

impl Connect {
    /// Starts both; `None`, with a message, if nobody has built the image. `INGEST_REQUIRE_DEBEZIUM=1` asks for it.
    pub(super) async fn start(broker: &Broker, test: &str) -> Option<Self> {
        if !image_exists() {
            let required = std::env::var_os("INGEST_REQUIRE_DEBEZIUM").is_some_and(|it| it == "1");
            assert!(
                !required,
                "there is no image {IMAGE:?}, and INGEST_REQUIRE_DEBEZIUM=1 asks for it"
            );
            say(&format!(
                "{test} did not run: there is no image {}:{} (.ci/debezium-image builds it)",
                IMAGE.0, IMAGE.1
            ));
            return None;
        }
        let (postgres, connect) = (free_port(), free_port());
        // On the host's network, because the broker is known by an address of the host.
        let container = GenericImage::new(IMAGE.0, IMAGE.1)
            .with_wait_for(WaitFor::Nothing)
            .with_network("host")
            .with_env_var("POSTGRES_PORT", postgres.to_string())
            .with_env_var("CONNECT_PORT", connect.to_string())
            .with_env_var("BOOTSTRAP_SERVERS", &broker.address)
            .with_startup_timeout(Duration::from_secs(60))
            .with_mapped_port(connect, connect.tcp())
            .start()
            .await
            .unwrap();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .build()
            .unwrap();
        let started = Self {
            container,
            postgres,
            rest: format!("http://127.0.0.1:{connect}/connectors"),
            http,
        };
        wait_for("Kafka Connect", String::new, async || {
            let answer = started.http.get(&started.rest).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        wait_for("PostgreSQL", String::new, async || {
            started.psql("select 1").ok()
        })
        .await;
        Some(started)
    }

    /// Runs statements.
    pub(super) fn sql(&self, statements: &str) {
        self.psql(statements)
            .unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    fn psql(&self, statements: &str) -> Result<(), String> {
        let port = self.postgres.to_string();
        let output = Command::new("docker")
            .args([
                "exec",
                self.container.id(),
                "psql",
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
            ])
            .args(["-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", statements])
            .output()
            .unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Lets a connector write the changes of these tables (`public.orders`) to topics that begin with the prefix, and returns
    /// when it runs.
    pub(super) async fn watch(&self, prefix: &str, tables: &str, settings: &[(&str, &str)]) {
        let slot = prefix.replace(['.', '-'], "_");
        let mut config = json!({
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "plugin.name": "pgoutput",
            "database.hostname": "127.0.0.1",
            "database.port": self.postgres.to_string(),
            "database.user": "postgres",
            "database.dbname": "postgres",
            "topic.prefix": prefix,
            "table.include.list": tables,
            "slot.name": slot,
            "publication.name": slot,
            "publication.autocreate.mode": "filtered",
            "topic.creation.default.replication.factor": "1",
            "topic.creation.default.partitions": "1",
        });
        for (name, value) in settings {
            config[*name] = Value::from(*value);
        }
        let url = format!("{}/{prefix}/config", self.rest);
        let answer = self.http.put(url).json(&config).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status} {text}");
        let url = format!("{}/{prefix}/status", self.rest);
        let last = std::sync::Mutex::new(String::new());
        let state = || last.lock().unwrap().clone();
        wait_for(&format!("the connector {prefix}"), state, async || {
            let answer = self.http.get(&url).send().await.ok()?;
            let status: Value = answer.json().await.ok()?;
            *last.lock().unwrap() = status.to_string();
            (status["tasks"][0]["state"] == "RUNNING").then_some(())
        })
        .await;
    }
}

fn image_exists() -> bool {
    let image = format!("{}:{}", IMAGE.0, IMAGE.1);
    let output = Command::new("docker")
        .args(["image", "inspect", &image])
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// It was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
