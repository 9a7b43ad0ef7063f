//! Limits on connections: how many, how many of one peer, how long, and how long without an answer.
//!
//! A probe of Kubernetes has to get through, or the worker is restarted: so one peer cannot take all places, a connection that
//! asks for nothing, or ever so slowly, ends, and where all places are taken, the one that has waited longest gives way.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
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
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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
        places: Places::default(),
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

/// A listener with so many places for connections.
struct Bounded {
    listener: TcpListener,
    places: Places,
    peers: Peers,
    /// How long a connection may wait.
    idle: Duration,
}

/// A connection that returns its place when it ends, and ends when nothing comes to an end on it, when it is old, or when another
/// one needs the place.
struct Guarded {
    stream: TcpStream,
    /// How long it may wait.
    patience: Duration,
    /// The time for the next request to begin, or for the present one to be answered.
    idle: Pin<Box<Sleep>>,
    /// Everything that was asked is answered.
    answered: bool,
    lifetime: Pin<Box<Sleep>>,
    place: Place,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    _of_peer: OfPeer,
}

/// The places, by when something was last begun or answered on their connections. The lock is held for a look-up.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    by_turn: BTreeMap<u64, CancellationToken>,
    next: u64,
}

/// The place of one connection.
struct Place {
    places: Places,
    turn: u64,
}

/// How many connections each peer has. The lock is held for a look-up.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of the connections of a peer.
struct OfPeer {
    peers: Peers,
    peer: IpAddr,
}

// === impl Places ===

impl Places {
    /// A place, and what ends the connection that has it. If none is free, the one that has waited longest gives way: a request
    /// is answered within milliseconds, so that is one that asks for nothing.
    fn take(&self) -> (Place, CancellationToken) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.by_turn.len() >= MAX_CONNECTIONS
            && let Some((_, longest)) = taken.by_turn.pop_first()
        {
            longest.cancel();
        }
        let evicted = CancellationToken::new();
        let turn = taken.add(evicted.clone());
        drop(taken);
        let places = self.clone();
        (Place { places, turn }, evicted)
    }
}

impl Taken {
    fn add(&mut self, evicted: CancellationToken) -> u64 {
        let turn = self.next;
        self.next += 1;
        self.by_turn.insert(turn, evicted);
        turn
    }
}

impl Place {
    /// Something was begun or answered.
    fn used(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        // one that gave way has no place any more
        if let Some(evicted) = taken.by_turn.remove(&self.turn) {
            self.turn = taken.add(evicted);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.by_turn.remove(&self.turn);
    }
}

// === impl Peers ===

/// Whom an address belongs to: of IPv6, somebody has all addresses of a network.
pub(super) fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Peers {
    /// Another connection of this peer, unless it has too many.
    fn admit(&self, address: IpAddr) -> Option<OfPeer> {
        let peer = peer_of(address);
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
        let (stream, address, of_peer) = loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(of_peer) = self.peers.admit(address.ip()) {
                break (stream, address, of_peer);
            }
        };
        let (place, evicted) = self.places.take();
        let (idle, lifetime) = (Box::pin(sleep(self.idle)), Box::pin(sleep(LIFETIME)));
        (
            Guarded {
                stream,
                patience: self.idle,
                idle,
                answered: true,
                lifetime,
                place,
                evicted: Box::pin(evicted.cancelled_owned()),
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
        if self.idle.as_mut().poll(cx).is_ready()
            || self.lifetime.as_mut().poll(cx).is_ready()
            || self.evicted.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        }
        Poll::Pending
    }

    /// The time begins anew.
    fn restart(&mut self, answered: bool, cx: &mut Context<'_>) {
        use std::future::Future as _;
        self.answered = answered;
        self.place.used();
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
