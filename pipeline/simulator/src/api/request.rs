//! Requests and replies as values: what goes into the simulator and what comes out of it.

use bytes::Bytes;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// Anything else; no endpoint answers it.
    Other,
}

impl Method {
    /// The method that an HTTP request line names.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }

    /// The name in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

/// One HTTP request as the simulator sees it.
///
/// ```
/// use kustomer_sim::{Method, Request};
/// let request = Request::new(Method::Post, "/v1/tracking/event")
///     .token("sim-key")
///     .text(r#"{"name":"Order-Placed"}"#);
/// assert_eq!(request.header("authorization"), Some("Bearer sim-key"));
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query as sent, percent-encoded, beginning with `/`.
    pub path_and_query: String,
    /// Header names in lower case with their values. Read: `authorization`, `content-length`, `accept`.
    pub headers: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: Bytes,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, path_and_query: impl Into<String>) -> Self {
        Self {
            method,
            path_and_query: path_and_query.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header; the name is put in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer <token>`.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.with_header("authorization", format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.text(body.to_string())
    }

    /// Sets the body to this text.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = Bytes::from(body.into());
        self
    }

    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Bytes of the body: those that arrived, or those that `content-length` announces if that is more.
    #[must_use]
    pub fn body_len(&self) -> usize {
        let announced = self
            .header("content-length")
            .and_then(|text| text.parse().ok());
        self.body.len().max(announced.unwrap_or(0))
    }
}

/// The answer to one request, with what the network does to it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// What happens on the way back. A caller in virtual time must honour it, too.
    pub delivery: Delivery,
}

impl Reply {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` if it is empty or not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the network does to a reply. The default delivers it whole and at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Milliseconds on the simulator's clock before the reply leaves.
    pub delay_ms: u64,
    /// The connection is dropped and the client gets nothing.
    pub cut: Option<Cut>,
    /// Milliseconds on the simulator's clock over which the body trickles out; 0 for at once.
    pub slow_ms: u64,
    /// The connection is dropped after this many bytes of the body.
    pub truncate_to: Option<usize>,
}

/// A dropped connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Dropped before anything happened: nothing was written.
    BeforeWrite,
    /// Dropped after the request took effect: only the reply is lost.
    AfterWrite,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_length_counts_when_the_body_was_cut_short() {
        let request = Request::new(Method::Post, "/")
            .with_header("Content-Length", "200000")
            .text("short");
        assert_eq!(request.body_len(), 200_000);
        assert_eq!(Request::new(Method::Get, "/").text("abc").body_len(), 3);
    }
}
