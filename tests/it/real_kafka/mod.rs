//! The worker's own program against Apache Kafka in a container, with the simulated Kustomer as the judge.
//!
//! Every test starts worker processes as an operator would (a configuration file, signals, the admin server) and is
//! judged by two accounts that the worker cannot influence: what the simulator counted, and what is in Kafka, which
//! [`wire`] reads with a few requests of its own instead of the worker's client library.
//!
//! All tests that do not disturb the broker share one; each has its own topics and groups. Without a Docker engine the
//! tests say that they did not run; with `INGEST_REQUIRE_DOCKER=1` they fail instead. `INGEST_WORKER_BIN` names another
//! worker program to test, such as a release build, and `INGEST_LONG=1` makes the backlog test ten times longer.

#![cfg(test)]

mod absent;
mod backlog;
pub(crate) mod broker;
mod commits;
mod deadly;
mod debezium;
mod delivery;
mod divert;
mod drain;
mod forecast;
mod group;
mod hour;
mod idle;

mod letters;
mod lives;
mod members;
mod memory;
mod outage;
mod positions;
mod quota;
mod rebalance;
mod receipts;
mod refused;
mod replay;
mod restart;
mod retention;
mod schemas;
mod secure;
mod setup;
mod shop;

mod startup;
mod state;
pub(crate) mod wire;
pub(crate) mod worker;

use std::io::Write as _;
use std::time::{Duration, Instant};

use kustomer_ingest::clock::Clock;

/// The longest that a test waits for one thing. Below the 90 s that a whole test may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a line that is shown even if the test passes.
fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    writeln!(err, "real Kafka: {text}").unwrap();
}

/// Asks every 25 ms until there is an answer. Gives up with a message that says what it waited for, and `state`.
pub(crate) async fn wait_for<T>(
    what: &str,
    state: impl Fn() -> String,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start: Instant = Clock.now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        let waited = Clock.now() - start;
        assert!(
            waited < PATIENCE,
            "waited {} s for {what}\n{}",
            waited.as_secs(),
            state()
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
