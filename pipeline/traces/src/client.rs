//! One request to a collector: OTLP over HTTP, in Protobuf.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use url::Url;

use crate::settings::{ExportSettings, Headers};
use crate::wire;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const USER_AGENT: &str = concat!(
    "OTel-OTLP-Exporter-kustomer-ingest/",
    env!("CARGO_PKG_VERSION")
);
/// The largest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;
/// The most that is shown of what a collector says.
const MAX_WORDS: usize = 200;

/// Sends to a collector.
#[derive(Clone)]
pub struct Collector {
    http: reqwest::Client,
    url: Url,
    headers: Headers,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The certificates cannot be read.
    #[error("the certificates of tracing.ca are not PEM")]
    Ca(#[source] reqwest::Error),
    /// There are none in the file.
    #[error("there is no certificate (PEM) in tracing.ca")]
    NoCa,
    /// The client cannot be set up.
    #[error("the client of the collector cannot be set up")]
    Http(#[source] reqwest::Error),
}

/// Why spans were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// A header cannot be read, or cannot be one.
    #[error("{0}")]
    Header(String),
    /// There was no answer.
    #[error("the collector does not answer: {0}")]
    Unanswered(String),
    /// The collector asks to come again.
    #[error("the collector cannot take spans now: {0}")]
    Later(String, Option<Duration>),
    /// The collector refuses.
    #[error("the collector refuses: {0}")]
    Refused(String),
}

/// Where the spans of an endpoint go: the address as the environment variable `OTEL_EXPORTER_OTLP_ENDPOINT` has it, to which the
/// signal's path is added, or the whole address.
#[must_use]
pub fn traces_of(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    let path = endpoint.path().trim_end_matches('/');
    if !path.ends_with("/v1/traces") {
        url.set_path(&format!("{path}/v1/traces"));
    }
    url
}

// === impl Collector ===

impl Collector {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(settings: &ExportSettings) -> Result<Self, CollectorError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1);
        if let Some(pem) = &settings.ca {
            let all = reqwest::Certificate::from_pem_bundle(pem).map_err(CollectorError::Ca)?;
            if all.is_empty() {
                return Err(CollectorError::NoCa);
            }
            for one in all {
                builder = builder.add_root_certificate(one);
            }
        }
        let host = settings.endpoint.host_str().unwrap_or_default();
        if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(CollectorError::Http)?,
            url: traces_of(&settings.endpoint),
            headers: settings.headers.clone(),
        })
    }

    /// Whether the collector takes spans: it is sent a request without any.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self) -> Result<(), ExportError> {
        self.send(Bytes::new()).await.map(drop)
    }

    /// Sends a request. Returns how many of its spans were refused all the same, and why.
    pub(crate) async fn send(&self, body: Bytes) -> Result<(usize, String), ExportError> {
        let headers = self.headers.clone();
        // They may be files.
        let headers = tokio::task::spawn_blocking(move || legal(&headers)).await;
        let headers = headers.map_err(|error| ExportError::Header(error.to_string()))??;
        let request = self.http.post(self.url.clone()).headers(headers);
        let request = request.header(CONTENT_TYPE, PROTOBUF).body(body);
        let mut answer = request.send().await.map_err(|error| unanswered(&error))?;
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            if body.len() + chunk.len() > MAX_ANSWER {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        let said = || match shown(&wire::refusal(&body)) {
            words if words.is_empty() => format!("status {status}"),
            words => format!("status {status}, {words}"),
        };
        match status {
            200..=299 => {
                let (spans, why) = wire::rejected(&body);
                Ok((spans, shown(&why)))
            }
            429 | 502..=504 => Err(ExportError::Later(said(), after.map(Duration::from_secs))),
            _ => Err(ExportError::Refused(said())),
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

/// The headers as they are now.
fn legal(headers: &Headers) -> Result<HeaderMap, ExportError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.read().map_err(ExportError::Header)? {
        let problem = || ExportError::Header(format!("tracing.headers[{name}] cannot be a header"));
        let legal = HeaderName::from_bytes(name.as_bytes()).map_err(|_e| problem())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_e| problem())?;
        value.set_sensitive(true);
        map.insert(legal, value);
    }
    Ok(map)
}

/// Why no answer came; only what is below the library's own text, which has the address.
fn unanswered(error: &reqwest::Error) -> ExportError {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    ExportError::Unanswered(if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.source().is_none() {
        "no answer".to_owned()
    } else {
        innermost.to_string()
    })
}

fn shown(words: &str) -> String {
    let shown = words.chars().filter(|one| !one.is_control());
    shown.take(MAX_WORDS).collect()
}

impl ExportError {
    /// Whether the same may be taken later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            // a file that is being replaced
            Self::Header(_) | Self::Unanswered(_) | Self::Later(..) => true,
            Self::Refused(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_signal_is_added_unless_it_is_there() {
        for (endpoint, expected) in [
            ("http://c:4318", "http://c:4318/v1/traces"),
            ("http://c:4318/", "http://c:4318/v1/traces"),
            ("https://g.example/otlp", "https://g.example/otlp/v1/traces"),
            (
                "https://g.example/otlp/",
                "https://g.example/otlp/v1/traces",
            ),
            ("http://c/v1/traces", "http://c/v1/traces"),
        ] {
            let url = traces_of(&Url::parse(endpoint).unwrap());
            assert_eq!(url.as_str(), expected, "{endpoint}");
        }
    }
}
