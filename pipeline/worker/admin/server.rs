//! Limits on connections: how many, how many of one peer, how long, and how long without an answer.
//!
//! A probe of Kubernetes has to get through, or the worker is restarted: so one peer cannot take all places, and a connection
//! that asks for nothing, or ever so slowly, ends.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// More than Prometheus, a kubelet and a few people need.
const MAX_CONNECTIONS: usize = 64;
/// How many of them one peer may have; more are closed at once.
const MAX_CONNECTIONS_OF_A_PEER: usize = 16;
/// How long one request may take once its headers are read.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may wait for a request, and how long a request may take to come.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may live, so that one fed byte by byte ends too.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long requests in flight may take after the end was requested.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    idle: Duration,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let router = router.layer(from_fn(within_time));
    let listener = Bounded {
        listener,
        free: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        peers: Peers::default(),
        idle,
    };
    let asked = shutdown.clone();
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(async move { asked.cancelled().await });
    let grace_over = async {
        shutdown.cancelled().await;
        sleep(GRACE).await;
    };
    tokio::select! { biased;
        // A server that ends by itself says why; the other branch cannot win before the end was requested.
        result = async { serving.await } => result,
        () = grace_over => Ok(()),
    }
}

async fn within_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// A listener that accepts a connection only when there is room for it.
struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
    peers: Peers,
    /// How long a connection may wait.
    idle: Duration,
}

/// A connection that returns its slot when it ends, and ends when nothing comes to an end on it or when it is old.
struct Guarded {
    stream: TcpStream,
    /// How long it may wait.
    patience: Duration,
    /// The time for the next request to begin, or for the present one to be answered.
    idle: Pin<Box<Sleep>>,
    /// Everything that was asked is answered.
    answered: bool,
    lifetime: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
    _of_peer: OfPeer,
}

/// How many connections each peer has. The lock is held for a look-up.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of the connections of a peer.
struct OfPeer {
    peers: Peers,
    peer: IpAddr,
}

// === impl Peers ===

impl Peers {
    /// Another connection of this peer, unless it has too many.
    fn admit(&self, peer: IpAddr) -> Option<OfPeer> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(peer).or_insert(0);
        if *count >= MAX_CONNECTIONS_OF_A_PEER {
            return None;
        }
        *count += 1;
        drop(all);
        let peers = self.clone();
        Some(OfPeer { peers, peer })
    }
}

impl Drop for OfPeer {
    fn drop(&mut self) {
        let mut all = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.peer);
            }
        }
    }
}

// === impl Bounded ===

impl Listener for Bounded {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        // The semaphore is never closed, so a slot does become free in the end.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        let (stream, address, of_peer) = loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(of_peer) = self.peers.admit(address.ip()) {
                break (stream, address, of_peer);
            }
        };
        let (idle, lifetime) = (Box::pin(sleep(self.idle)), Box::pin(sleep(LIFETIME)));
        (
            Guarded {
                stream,
                patience: self.idle,
                idle,
                answered: true,
                lifetime,
                _place: place,
                _of_peer: of_peer,
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

// === impl Guarded ===

impl Guarded {
    /// Ready when the connection should end.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        use std::future::Future as _;
        if self.idle.as_mut().poll(cx).is_ready() || self.lifetime.as_mut().poll(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        }
        Poll::Pending
    }

    /// The time begins anew.
    fn restart(&mut self, answered: bool, cx: &mut Context<'_>) {
        use std::future::Future as _;
        self.answered = answered;
        let patience = self.patience;
        self.idle.set(sleep(patience));
        // Whoever looks next may be woken by nothing else.
        if self.idle.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Bytes moved, or the connection is over.
    fn moved<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            return result;
        }
        match self.poll_over(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if result.is_ready() && self.answered {
            // Another request begins. What comes of it later does not give it more time.
            self.restart(false, cx);
        }
        self.moved(result, cx)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        if result.is_ready() {
            self.restart(true, cx);
        }
        self.moved(result, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
