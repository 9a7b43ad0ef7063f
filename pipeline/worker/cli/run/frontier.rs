//! `frontier`: shows what holds back the frontier of a partition of a running worker.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::args::ConfigArg;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;

/// How long the worker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer: a record leads to only a few operations.
const MAX_ANSWER: usize = 4 << 20;

/// `frontier`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It sends GET /status/partitions/TOPIC/PARTITION to the worker's admin address and prints the answer: the lowest \
unsettled record, its operations, the stage and the lane of each, what it waits for, and when it can go on. If \
several replicas share a topic, ask the one that owns the partition.\n\nExample:\n  \
kustomer-ingest frontier --config worker.yaml shop.events 3"
)]
pub struct FrontierArgs {
    /// The worker's configuration, whose `admin.listen` is used.
    #[arg(
        long,
        short = 'c',
        value_name = "FILE",
        conflicts_with = "address",
        required_unless_present = "address"
    )]
    pub config: Option<PathBuf>,
    /// The worker's admin address, such as `10.0.0.7:9464`.
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// Asks the worker and prints its answer.
///
/// # Errors
///
/// When the configuration cannot be used, the worker does not answer, or the output cannot be written.
pub fn run(args: &FrontierArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let address = match (&args.address, &args.config) {
        (Some(address), _) => address.clone(),
        (None, Some(config)) => {
            let config = ConfigArg {
                config: config.clone(),
            };
            reachable(config.load()?.admin_listen).to_string()
        }
        (None, None) => {
            let problem = "say which worker: --config or --address";
            return Err(CommandError::Usage(problem.to_owned()));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    let asked = async { tokio::time::timeout(TIMEOUT, ask(&address, args)).await };
    let (status, body) = runtime
        .block_on(asked)
        .with_context(|| format!("{address} did not answer in time"))??;
    let answer: Value = serde_json::from_slice(&body)
        .with_context(|| format!("{address} answered {status} without JSON: is it a worker?"))?;
    if status == StatusCode::OK {
        let text = serde_json::to_string_pretty(&answer).context("the answer")?;
        out.line(&text)?;
        return Ok(CommandExit::Good);
    }
    let problem = answer.get("error").and_then(Value::as_str);
    Err(anyhow!(
        "{address} answered {status}: {}",
        problem.unwrap_or("no reason")
    )
    .into())
}

/// Where to reach the worker on this machine; an address that listens everywhere is reached locally.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: &str, args: &FrontierArgs) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("no worker answers at {address}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .with_context(|| format!("no HTTP at {address}"))?;
    let path = format!("/status/partitions/{}/{}", args.topic, args.partition);
    let request = Request::get(path)
        .header("host", address)
        .body(Empty::<Bytes>::new())
        .with_context(|| format!("`{}` is not a topic", args.topic))?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        let body = body.collect().await.map_err(|error| anyhow!(error))?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(answered);
    tokio::select! { biased;
        answer = &mut answered => answer,
        ended = connection => {
            ended.with_context(|| format!("the connection to {address} broke"))?;
            answered.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_listens_everywhere_is_asked_here() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(asked("[::]:9464"), "[::1]:9464");
        assert_eq!(asked("10.1.2.3:80"), "10.1.2.3:80");
    }
}
