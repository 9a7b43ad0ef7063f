//! Apache Kafka in a container: one for all tests, and a separate one for each test that restarts it.
//!
//! A container in a static is never dropped, so a small separate process removes it: it waits until the pipe from this
//! process closes, which happens however this process ends.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use testcontainers::core::IntoContainerPort as _;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, Image, ImageExt as _};
use testcontainers_modules::kafka::apache::{KAFKA_PORT, Kafka};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::{say, wire};

pub(super) const TAG: &str = "4.3.1";
const ENGINE_PATIENCE: Duration = Duration::from_secs(3);
/// How often the engine is asked to freeze a broker.
const PAUSES: u32 = 10;

/// The address of a broker.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    /// `host:port`.
    pub(crate) address: String,
}

/// A broker that can be killed and started again.
#[derive(Debug)]
pub(crate) struct OwnBroker {
    pub(crate) broker: Broker,
    container: ContainerAsync<Kafka>,
}

/// The broker that all tests share, or why there is none; started by the first test that asks.
static SHARED: LazyLock<Result<Broker, String>> = LazyLock::new(start_shared);
/// Processes that remove containers. Their pipes close when this process ends.
static REMOVERS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// The shared broker; `None`, with a message, if there is no Docker engine.
pub(crate) async fn shared(test: &str) -> Option<Broker> {
    if !engine(test).await {
        return None;
    }
    let started = tokio::task::spawn_blocking(|| SHARED.clone())
        .await
        .unwrap();
    Some(started.unwrap_or_else(|cause| panic!("{cause}")))
}

/// A broker for one test, on a fixed port so that it can be restarted; `None` as for [`shared`].
pub(crate) async fn own(test: &str) -> Option<OwnBroker> {
    if !engine(test).await {
        return None;
    }
    // A port picked by the engine would change with every start. This one was free a moment ago; somebody may have taken it since.
    for tries_left in (0..3).rev() {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let request = request().with_mapped_port(port, KAFKA_PORT.as_u16().tcp());
        match start(request).await {
            Ok(container) => {
                let broker = Broker {
                    address: format!("127.0.0.1:{port}"),
                };
                return Some(OwnBroker { broker, container });
            }
            Err(cause) => {
                let taken = cause.to_string().contains("address already in use");
                assert!(taken && tries_left > 0, "{cause}");
            }
        }
    }
    panic!("no port stayed free");
}

impl OwnBroker {
    /// Kills the broker, like a loss of power.
    pub(crate) async fn kill(&self) {
        self.container.stop_with_timeout(Some(0)).await.unwrap();
    }

    /// Freezes it: connections stay open and nothing answers, as if the network were gone.
    ///
    /// On a busy machine the engine may fail to stop all of its threads in time, and leaves it running: then it tries again.
    pub(crate) async fn pause(&self) {
        for _ in 1..PAUSES {
            if self.container.pause().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.container.pause().await.unwrap();
    }

    /// Lets it continue.
    pub(crate) async fn resume(&self) {
        self.container.unpause().await.unwrap();
    }

    /// Runs a program in the container; returns what it printed.
    pub(crate) fn exec(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .args(["exec", self.container.id()])
            .args(arguments)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {out}\n{err}");
        out
    }

    /// Starts it again with its data, and returns when it answers.
    pub(crate) async fn start(&self) {
        self.container.start().await.unwrap();
        super::wait_for("the restarted broker", String::new, async || {
            wire::answers(&self.broker).await.then_some(())
        })
        .await;
    }
}

fn request() -> ContainerRequest<Kafka> {
    Kafka::default()
        .with_jvm_image()
        .with_tag(TAG)
        // Otherwise the first member of every group waits three seconds for others.
        .with_env_var("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
        .with_env_var("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        // Lets a cluster of one broker keep the transaction log.
        .with_env_var("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        .with_env_var("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        .with_startup_timeout(Duration::from_secs(240))
}

async fn start<I: Image>(request: ContainerRequest<I>) -> Result<ContainerAsync<I>, String> {
    let container = request.start().await.map_err(|error| {
        format!("Kafka's container did not start (.ci/kafka-image builds its image): {error}")
    })?;
    remove_at_the_end(container.id());
    Ok(container)
}

/// Starts the shared broker on its own runtime, which outlives the test that asked first.
fn start_shared() -> Result<Broker, String> {
    kept_with(request(), async |container| {
        let port = container.get_host_port_ipv4(KAFKA_PORT).await;
        let port = port.map_err(|error| format!("the container's port is not known: {error}"))?;
        Ok(Broker {
            address: format!("127.0.0.1:{port}"),
        })
    })
}

/// Starts a container on a runtime of its own, which lives as long as this process; returns its id.
pub(super) fn kept<I: Image + 'static>(request: ContainerRequest<I>) -> Result<String, String> {
    kept_with(request, async |container| Ok(container.id().to_owned()))
}

fn kept_with<I: Image + 'static, T: Send + 'static>(
    request: ContainerRequest<I>,
    look: impl AsyncFnOnce(&ContainerAsync<I>) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (started, found) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let container = start(request).await;
            let seen = match &container {
                Ok(container) => look(container).await,
                Err(cause) => Err(cause.clone()),
            };
            started.send(seen).unwrap();
            std::future::pending::<()>().await;
        });
    });
    found.recv().map_err(|error| error.to_string())?
}

fn remove_at_the_end(container: &str) {
    let remover = Command::new("sh")
        .args(["-c", "cat >/dev/null; exec docker rm -f -v \"$0\"", container])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // The Ctrl-C that ends this process does not reach it.
        .process_group(0)
        .spawn();
    match remover {
        Ok(child) => REMOVERS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(child),
        Err(error) => say(&format!(
            "the container {container} has to be removed by hand: {error}"
        )),
    }
}

pub(super) async fn engine(test: &str) -> bool {
    if engine_answers().await {
        return true;
    }
    let required = std::env::var_os("INGEST_REQUIRE_DOCKER").is_some_and(|value| value == "1");
    assert!(
        !required,
        "no Docker engine answers, and INGEST_REQUIRE_DOCKER=1 asks for one"
    );
    say(&format!("{test} did not run: no Docker engine answers"));
    false
}

/// Whether a Docker engine answers where the container library looks for one.
async fn engine_answers() -> bool {
    let host = std::env::var_os("DOCKER_HOST").and_then(|host| host.into_string().ok());
    let hosts = match host {
        Some(host) => vec![host],
        None => vec!["unix:///var/run/docker.sock".to_owned()]
            .into_iter()
            .chain(
                ["XDG_RUNTIME_DIR", "HOME"]
                    .into_iter()
                    .filter_map(|folder| {
                        let folder = std::env::var_os(folder)?.into_string().ok()?;
                        Some(format!("unix://{folder}/.docker/run/docker.sock"))
                    }),
            )
            .collect(),
    };
    for host in hosts {
        if tokio::time::timeout(ENGINE_PATIENCE, ping(&host))
            .await
            .is_ok_and(|answer| answer.is_ok())
        {
            return true;
        }
    }
    false
}

async fn ping(host: &str) -> std::io::Result<()> {
    const REQUEST: &[u8] = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n";
    let mut answer = Vec::new();
    if let Some(path) = host.strip_prefix("unix://") {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(REQUEST).await?;
        stream.read_to_end(&mut answer).await?;
    } else if let Some((_scheme, address)) = host.split_once("://") {
        let mut stream = TcpStream::connect(address.trim_end_matches('/')).await?;
        // An engine behind TLS does not answer this; it is enough that it accepted the connection.
        if !host.starts_with("https://") {
            stream.write_all(REQUEST).await?;
            stream.read_to_end(&mut answer).await?;
        }
        return Ok(());
    }
    let status = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    if status.ends_with(b" 200 OK") {
        Ok(())
    } else {
        Err(std::io::ErrorKind::InvalidData.into())
    }
}
