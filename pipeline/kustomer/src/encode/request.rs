//! One HTTP request, as the API expects it.

use std::fmt;

use bytes::Bytes;
use ingest_model::body::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// The HTTP methods that the client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// For reads.
    Get,
    /// For creates, tracking and search.
    Post,
    /// For updates.
    Put,
    /// For deletions.
    Delete,
}

/// One request, complete except for host and token. `Debug` shows neither path nor body: both contain personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded, beginning with `/v1/`.
    pub path: String,
    /// The JSON body, if the request has one.
    pub body: Option<Bytes>,
    /// The endpoint's name for logs, without any id.
    pub endpoint: &'static str,
}

/// Everything except letters, digits, `-`, `.`, `_` and `~` is encoded: a bare `+` could be read as a space, and a `/`
/// would start a new path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A value encoded for a path: a segment, or the part after `externalId=`.
pub(crate) fn segment(value: &str) -> String {
    match value {
        // A segment consisting of dots would go up the path, even if encoded once.
        "." => "%252E".to_owned(),
        ".." => "%252E%252E".to_owned(),
        other => utf8_percent_encode(other, SEGMENT).to_string(),
    }
}

/// A body as it is, without a copy.
pub(crate) fn shared(body: &Body) -> Bytes {
    Bytes::from_owner(body.clone())
}

/// The JSON text of a body.
#[expect(
    clippy::expect_used,
    reason = "maps of strings to JSON values have no value that cannot be written"
)]
pub(crate) fn json<T: Serialize + ?Sized>(body: &T) -> Bytes {
    Bytes::from(serde_json::to_vec(body).expect("a JSON value can be written"))
}

// === impl Method ===

impl Method {
    /// The HTTP name of the method.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

// === impl HttpRequest ===

impl HttpRequest {
    /// A read.
    pub(crate) fn get(endpoint: &'static str, path: String) -> Self {
        Self::without_body(Method::Get, endpoint, path)
    }

    /// A request without a body.
    pub(crate) fn without_body(method: Method, endpoint: &'static str, path: String) -> Self {
        Self {
            method,
            path,
            body: None,
            endpoint,
        }
    }

    /// A request with a JSON body.
    pub(crate) fn with_body(
        method: Method,
        endpoint: &'static str,
        path: String,
        body: Bytes,
    ) -> Self {
        Self {
            method,
            path,
            body: Some(body),
            endpoint,
        }
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("endpoint", &self.endpoint)
            .field("body_bytes", &self.body.as_ref().map_or(0, Bytes::len))
            .finish_non_exhaustive()
    }
}
