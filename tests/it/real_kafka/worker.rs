//! A worker process: started from a configuration file, watched through its log and its admin server.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kustomer_ingest::clock::Clock;
use serde_json::Value;

use super::wait_for;
use crate::embedded::process::assert_nothing_personal;

/// The variable with the API key, and the key.
pub(crate) const TOKEN: (&str, &str) = ("REAL_KAFKA_TEST_KEY", "sim-key");
/// The variable that `kafka.instance_id` is read from, if a test's configuration has one.
pub(crate) const MEMBER: &str = "REAL_KAFKA_TEST_MEMBER";
/// How many log lines a failure shows.
const TAIL: usize = 30;

/// A running worker. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    http: reqwest::Client,
    admin: SocketAddr,
    /// Just before the process was started.
    pub(crate) started_ms: i64,
}

impl Worker {
    /// Starts a worker and waits for its admin server.
    pub(crate) async fn start(config: &Path, scale: f64) -> Self {
        Self::start_as(config, scale, "").await
    }

    /// The same, with a name for `kafka.instance_id`.
    pub(crate) async fn start_as(config: &Path, scale: f64, member: &str) -> Self {
        Self::start_with(config, scale, member, &[]).await
    }

    /// The same, with further arguments of `run`.
    pub(crate) async fn start_with(
        config: &Path,
        scale: f64,
        member: &str,
        arguments: &[&str],
    ) -> Self {
        let program = std::env::var_os("INGEST_WORKER_BIN")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_kustomer-ingest").into());
        let started_ms = Clock.unix_ms();
        let mut child = Command::new(program)
            .args(["run", "--config"])
            .arg(config)
            .args(["--time-scale", &scale.to_string()])
            .args(arguments)
            .env(TOKEN.0, TOKEN.1)
            .env(MEMBER, member)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .no_proxy()
            .build()
            .unwrap();
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut worker = Self {
            child,
            lines,
            http,
            admin: unknown,
            started_ms,
        };
        let address = wait_for(
            "the admin server's address in the log",
            || worker.tail(),
            async || {
                let line = worker.line("admin server listens")?;
                line["address"].as_str()?.parse().ok()
            },
        )
        .await;
        worker.admin = address;
        worker
    }

    /// The address of its admin server.
    pub(crate) fn address(&self) -> String {
        self.admin.to_string()
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The last log lines, for failures.
    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let from = log.len().saturating_sub(TAIL);
        format!("the worker's last log lines:\n{}", log[from..].join("\n"))
    }

    /// The first log line with this message.
    pub(crate) fn line(&self, message: &str) -> Option<Value> {
        self.log()
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["message"] == message)
    }

    /// How many log lines have this message.
    pub(crate) fn count(&self, message: &str) -> usize {
        let log = self.log();
        let lines = log
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).count()
    }

    /// All metrics, as the admin server shows them; empty when it does not answer.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics(self.get("metrics").await.unwrap_or_default())
    }

    /// Waits until this many records are settled as `verdict`.
    pub(crate) async fn wait_until(&self, verdict: &str, records: u64) {
        wait_for(
            &format!("{records} records to be {verdict}"),
            || self.tail(),
            async || (self.metrics().await.records(verdict) >= records).then_some(()),
        )
        .await;
    }

    /// Whether `/ready` says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let body = self.get("ready").await.unwrap_or_default();
        body.contains("\"ok\"")
    }

    /// What `/ready` says is wrong; nothing when it is ready.
    pub(crate) async fn unready(&self) -> Option<Vec<String>> {
        let body: Value = serde_json::from_str(&self.get("ready").await?).ok()?;
        let causes = body["causes"].as_array();
        let causes = causes.into_iter().flatten();
        Some(
            causes
                .filter_map(|cause| cause.as_str().map(str::to_owned))
                .collect(),
        )
    }

    /// `/status`.
    pub(crate) async fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("status").await?).ok()
    }

    /// How many partitions `/status` says the worker has.
    pub(crate) async fn partitions(&self) -> Option<usize> {
        Some(self.status().await?["partitions"].as_array()?.len())
    }

    /// The partitions that `/status` shows.
    pub(crate) async fn partition_numbers(&self) -> Vec<i32> {
        let status = self.status().await.unwrap();
        let partitions = status["partitions"].as_array().unwrap().iter();
        partitions
            .map(|one| i32::try_from(one["partition"].as_i64().unwrap()).unwrap())
            .collect()
    }

    async fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://{}/{path}", self.admin);
        self.http
            .get(url)
            .header("accept", "application/json")
            .send()
            .await
            .ok()?
            .text()
            .await
            .ok()
    }

    /// Sends SIGTERM, waits for the end, and returns how long that took.
    pub(crate) async fn terminate(&mut self) -> (ExitStatus, Duration) {
        let start: Instant = Clock.now();
        self.signal("TERM");
        loop {
            if let Some(status) = self.ended() {
                return (status, Clock.now() - start);
            }
            assert!(
                Clock.now() - start < super::PATIENCE,
                "waited for the drain\n{}",
                self.tail()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends the signal with this name, without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", name, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success(), "SIG{name}");
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Checks that the worker still runs, nothing in it panicked, and no invariant was broken.
    pub(crate) async fn assert_sound(&mut self) {
        assert!(
            self.ended().is_none(),
            "the worker has ended\n{}",
            self.tail()
        );
        let metrics = wait_for(
            "metrics",
            || self.tail(),
            async || Some(self.metrics().await).filter(|metrics| !metrics.0.is_empty()),
        )
        .await;
        let broken = metrics.sum("invariants_broken_total", &[]);
        assert!(
            broken.abs() < 0.5,
            "{broken} invariants broken\n{}",
            self.tail()
        );
        self.assert_no_panic();
    }

    /// Checks that nothing in the log mentions a panic.
    pub(crate) fn assert_no_panic(&self) {
        let panicked: Vec<String> = self
            .log()
            .into_iter()
            .filter(|line| line.contains("panicked"))
            .collect();
        assert!(panicked.is_empty(), "{panicked:#?}");
    }

    /// The largest resident memory so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            * 1024
    }

    /// The processor time used so far, user and system.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
        // After the name in brackets; a tick is 10 ms on every Linux.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_ascii_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if !thread::panicking() {
            assert_nothing_personal(&self.log());
        }
    }
}

/// The text of `/metrics`.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of all samples of a metric (without its prefix) that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let full = format!("kustomer_ingest_{name}");
        self.0
            .lines()
            .filter_map(|line| {
                let rest = line.strip_prefix(&full)?;
                let (found, value) = rest.rsplit_once(' ')?;
                let is_it = found.is_empty() || found.starts_with('{');
                let has_all = labels
                    .iter()
                    .all(|(key, value)| found.contains(&format!("{key}=\"{value}\"")));
                (is_it && has_all).then(|| value.parse::<f64>().unwrap())
            })
            .sum()
    }

    /// The lines of a metric that are not zero.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let full = format!("kustomer_ingest_{name}{{");
        self.0
            .lines()
            .filter(|line| line.starts_with(&full) && !line.ends_with(" 0"))
            .collect()
    }

    /// Records settled as `verdict`.
    pub(crate) fn records(&self, verdict: &str) -> u64 {
        whole(self.sum("records_total", &[("verdict", verdict)]))
    }

    /// Records settled in any way.
    pub(crate) fn settled(&self) -> u64 {
        whole(self.sum("records_total", &[]))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of records"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}
