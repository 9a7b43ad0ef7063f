//! A tap on the wire between worker and simulator: what identities say.
//!
//! Neither side's account can tell an identity that only asks for a customer's id from one that a record asked for, because
//! both are the same request. Their bodies differ: the former contains nothing but keys. Everything is passed on unchanged.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The fields of an identity that only say who it is.
const KEYS: [&str; 3] = ["externalId", "email", "phone"];

/// Identities seen, by purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Identities {
    /// Requests with attributes: records that identify.
    pub(super) told: u64,
    /// Requests with nothing but keys: made to learn a customer's id.
    pub(super) asked: u64,
    /// Tracking events that also carry the attributes of an identify.
    pub(super) fused: u64,
}

/// A running tap; it ends when dropped.
pub(super) struct Tap {
    address: SocketAddr,
    seen: Arc<Mutex<Identities>>,
    _accepting: JoinSet<()>,
}

/// The requests of one connection, as they pass.
struct Requests {
    seen: Arc<Mutex<Identities>>,
    buffer: Vec<u8>,
}

impl Tap {
    /// Listens on a free port and passes everything on to this address.
    pub(super) async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let seen: Arc<Mutex<Identities>> = Arc::default();
        let mut accepting = JoinSet::new();
        let counted = Arc::clone(&seen);
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let seen = Arc::clone(&counted);
                connections.spawn(async move {
                    // it is up to the worker to notice a broken connection
                    drop(pass(client, to, seen).await);
                });
            }
        });
        Ok(Self {
            address,
            seen,
            _accepting: accepting,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn seen(&self) -> Identities {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(client: TcpStream, to: SocketAddr, seen: Arc<Mutex<Identities>>) -> io::Result<()> {
    let server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut requests = Requests {
        seen,
        buffer: Vec::new(),
    };
    let mut ways = JoinSet::new();
    ways.spawn(copy(from_client, to_server, move |bytes| {
        requests.feed(bytes);
    }));
    ways.spawn(copy(from_server, to_client, |_| {}));
    while let Some(ended) = ways.join_next().await {
        ended??;
    }
    Ok(())
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut look: impl FnMut(&[u8]) + Send,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        look(bytes);
        to.write_all(bytes).await?;
    }
}

impl Requests {
    /// Takes bytes of the stream, in which requests follow each other, each with its length.
    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(head_end) = find(&self.buffer, b"\r\n\r\n") {
            let body_start = head_end + 4;
            let head = String::from_utf8_lossy(self.buffer.get(..head_end).unwrap_or_default());
            let end = body_start + content_length(&head);
            if self.buffer.len() < end {
                return;
            }
            let path = head
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned();
            if let Some(body) = self.buffer.get(body_start..end) {
                self.count(&path, body);
            }
            self.buffer.drain(..end);
        }
    }

    fn count(&self, path: &str, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match path {
            "/v1/tracking/identity" if has_attributes(&body) => seen.told += 1,
            "/v1/tracking/identity" => seen.asked += 1,
            "/v1/tracking/identityEvent" => {
                seen.fused += u64::from(body.get("identity").is_some_and(has_attributes));
            }
            _ => {}
        }
    }
}

fn has_attributes(identity: &Value) -> bool {
    identity
        .as_object()
        .is_some_and(|fields| fields.keys().any(|field| !KEYS.contains(&field.as_str())))
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[test]
fn identities_are_told_apart_however_the_stream_is_cut() {
    let request = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let stream = [
        request("/v1/tracking/identity", r#"{"externalId":"a"}"#),
        request(
            "/v1/tracking/identity",
            r#"{"externalId":"a","custom":{"planStr":"x"}}"#,
        ),
        "GET /v1/bulk/1/batches HTTP/1.1\r\nAccept: */*\r\n\r\n".to_owned(),
        request(
            "/v1/tracking/identityEvent",
            r#"{"identity":{"externalId":"a"},"event":{}}"#,
        ),
        request(
            "/v1/tracking/identityEvent",
            r#"{"identity":{"externalId":"a","name":"A"},"event":{}}"#,
        ),
    ]
    .concat();
    for size in [1, 7, 50, 10_000] {
        let seen: Arc<Mutex<Identities>> = Arc::default();
        let mut requests = Requests {
            seen: Arc::clone(&seen),
            buffer: Vec::new(),
        };
        stream
            .as_bytes()
            .chunks(size)
            .for_each(|bytes| requests.feed(bytes));
        let seen = *seen.lock().unwrap();
        assert_eq!(
            seen,
            Identities {
                told: 1,
                asked: 1,
                fused: 1
            },
            "{size}"
        );
    }
}
