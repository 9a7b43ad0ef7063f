//! From a reply and its delivery to a response on the wire.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures::stream;

use super::connection::Cutter;
use crate::api::request::Reply;
use crate::time::clock::Clock;

/// Pieces in which a slow body is sent.
const PIECES: usize = 8;

/// Time that a truncated body has to reach the client before the connection is cut.
const LINGER: Duration = Duration::from_millis(20);

pub(super) async fn deliver(reply: Reply, clock: Clock, cutter: &Cutter) -> Response<Body> {
    let delivery = reply.delivery;
    if delivery.delay_ms > 0 {
        tokio::time::sleep(clock.real(delivery.delay_ms)).await;
    }
    if delivery.cut.is_some() {
        cutter.cut();
        return Response::new(Body::empty());
    }
    let length = reply.body.len();
    let truncated = delivery.truncate_to.filter(|bytes| *bytes < length);
    let pace = clock.real(delivery.slow_ms).div_f64(PIECES as f64);
    let body = match (truncated, delivery.slow_ms) {
        (None, 0) => Body::from(reply.body),
        (None, _) => Body::from_stream(pieces(&reply.body, pace)),
        (Some(bytes), _) => Body::from_stream(broken(reply.body.slice(..bytes), cutter.clone())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if reply.status != 204 {
        headers.insert(
            HeaderName::from_static("content-length"),
            HeaderValue::from(length),
        );
    }
    response
}

fn pieces(body: &Bytes, pace: Duration) -> impl stream::Stream<Item = io::Result<Bytes>> + use<> {
    let size = body.len().div_ceil(PIECES).max(1);
    let pieces: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    stream::unfold(pieces.into_iter(), move |mut left| async move {
        let piece = left.next()?;
        tokio::time::sleep(pace).await;
        Some((Ok(piece), left))
    })
}

// The beginning of the body, then an error that closes the connection.
fn broken(
    beginning: Bytes,
    cutter: Cutter,
) -> impl stream::Stream<Item = io::Result<Bytes>> + use<> {
    stream::unfold(Some(beginning), move |left| {
        let cutter = cutter.clone();
        async move {
            if let Some(beginning) = left.filter(|beginning| !beginning.is_empty()) {
                return Some((Ok(beginning), None));
            }
            tokio::time::sleep(LINGER).await;
            cutter.cut();
            Some((
                Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "cut by a fault",
                )),
                None,
            ))
        }
    })
}
