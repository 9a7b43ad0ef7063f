//! Asks a running worker's admin server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::args::ConfigArg;
use crate::cli::exit::CommandError;
use crate::config::SecretRef;

/// How long the worker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer: a status has a few hundred bytes for each partition.
const MAX_ANSWER: usize = 16 << 20;

/// Which worker a command is about.
#[derive(Debug, Clone, Args)]
pub struct WorkerArg {
    /// The worker's configuration, whose `admin` is used.
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
    /// A file with the token that the worker asks for; --config names one by itself.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A worker that can be asked.
#[derive(Debug)]
pub(super) struct Worker {
    address: String,
    token: Option<SecretString>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: &'a str,
}

impl WorkerArg {
    /// The worker as it is asked to show something.
    pub(super) fn to_read(&self) -> Result<Worker, CommandError> {
        self.worker(|admin| {
            let token = admin.read_token.as_ref();
            (admin.listen, token.or(admin.token.as_ref()).cloned())
        })
    }

    /// The worker as it is asked to change something.
    pub(super) fn to_change(&self) -> Result<Worker, CommandError> {
        self.worker(|admin| {
            let address = admin.control.unwrap_or(admin.listen);
            (address, admin.token.clone())
        })
    }

    fn worker(
        &self,
        of: impl FnOnce(&crate::config::AdminSettings) -> (SocketAddr, Option<SecretRef>),
    ) -> Result<Worker, CommandError> {
        let given = self.token_file.clone().map(SecretRef::File);
        let (address, named) = match (&self.address, &self.config) {
            (Some(address), _) => (address.clone(), None),
            (None, Some(config)) => {
                let config = ConfigArg {
                    config: config.clone(),
                };
                let (address, token) = of(&config.load()?.admin);
                (reachable(address).to_string(), token)
            }
            (None, None) => {
                let problem = "say which worker: --config or --address";
                return Err(CommandError::Usage(problem.to_owned()));
            }
        };
        let token = given.or(named).map(|place| place.read());
        let token = token.transpose().context("the token")?;
        Ok(Worker { address, token })
    }
}

impl Worker {
    /// What the worker answers, if it is not a refusal.
    pub(super) fn ask(&self, asked: &Asked<'_>) -> Result<Value, CommandError> {
        let address = &self.address;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let exchange = async { tokio::time::timeout(TIMEOUT, self.exchange(asked)).await };
        let (status, body) = runtime
            .block_on(exchange)
            .with_context(|| format!("{address} did not answer in time"))??;
        let answer: Value = serde_json::from_slice(&body).with_context(|| {
            format!("{address} answered {status} without JSON: is it a worker?")
        })?;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let problem = answer.get("error").and_then(Value::as_str);
        let problem = problem.unwrap_or("no reason");
        Err(anyhow!("{address} answered {status}: {problem}").into())
    }

    async fn exchange(&self, asked: &Asked<'_>) -> anyhow::Result<(StatusCode, Bytes)> {
        let address = &self.address;
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("no worker answers at {address}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .with_context(|| format!("no HTTP at {address}"))?;
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(asked.path)
            .header("host", address);
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", token.expose_secret());
            request = request.header("authorization", value);
        }
        let request = request
            .body(Full::new(Bytes::from(asked.body.to_owned())))
            .with_context(|| format!("`{}` cannot be asked for", asked.path))?;
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
