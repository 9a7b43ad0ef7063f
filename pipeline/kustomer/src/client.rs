//! One exchange over the network.
//!
//! A call is sent once: no retry, no redirect, no second page. Bodies are sent with a `Content-Length`, answers are read
//! up to a limit, and as many connections are kept as there are requests in flight. HTTP/1.1 only: with one request per
//! connection, a lost connection makes one write ambiguous and not a hundred.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ingest_model::call::{Call, Reply};
use ingest_model::outcome::RetryCause;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect;

use crate::classify::{HttpReply, NoAnswer, ReplyBody, classify, not_done, trouble_of, unanswered};
use crate::encode::{HttpRequest, Method, encode};
use crate::failure;
use crate::key::{ApiKey, IllegalKey, KeyInUse};
use crate::limits;
use crate::settings::{BaseUrl, ClientSettings};

/// Less than the idle time after which common load balancers close a connection, so that a request rarely meets a closed
/// one.
const IDLE_CONNECTION: Duration = Duration::from_secs(45);

/// The headers that say something about the limit, or help to read those that do.
const LIMIT_HEADERS: [&str; 5] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "retry-after",
    "date",
];

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Sends calls to the API. Cheap to clone; clones share their connections and their key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Arc<BaseUrl>,
    key: KeyInUse,
    max_body_bytes: usize,
}

/// Why a client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The token cannot be one.
    #[error(transparent)]
    Token(#[from] IllegalKey),
    /// The user agent is not a valid header.
    #[error("the user agent has characters that are not allowed in a header")]
    UserAgent,
    /// TLS or the connection pool could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

// === impl Client ===

impl Client {
    /// A client with these settings; nothing is sent yet.
    ///
    /// # Errors
    /// [`BuildError`], if the token or the user agent is not a valid header, or TLS cannot be set up.
    pub fn new(settings: ClientSettings) -> Result<Self, BuildError> {
        let key = ApiKey::new(&settings.token)?;
        let user_agent =
            HeaderValue::from_str(&settings.user_agent).map_err(|_e| BuildError::UserAgent)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(user_agent)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.total_timeout)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .gzip(true)
            .pool_max_idle_per_host(settings.connections)
            .pool_idle_timeout(IDLE_CONNECTION)
            .tcp_nodelay(true);
        if settings.base_url.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(BuildError::Http)?;
        let ClientSettings {
            base_url,
            max_body_bytes,
            ..
        } = settings;
        Ok(Self {
            http,
            base_url: Arc::new(base_url),
            key: KeyInUse::new(key),
            max_body_bytes,
        })
    }

    /// From now on requests carry this key. The answers to those under way are still judged by the key that they carried.
    pub fn replace_key(&self, key: ApiKey) {
        self.key.replace(key);
    }

    /// The key in use.
    #[must_use]
    pub fn key(&self) -> ApiKey {
        self.key.get()
    }

    /// Ends when the API has refused the key in use since the last call.
    pub async fn key_refused(&self) {
        self.key.refused().await;
    }

    /// Sends a call and returns the result. Dropping the future leaves a write ambiguous.
    pub async fn send(&self, call: &Call) -> Reply {
        self.send_telling(call).await.0
    }

    /// The same, and the status of the answer, if one came: nothing but what people are shown may depend on that.
    pub async fn send_telling(&self, call: &Call) -> (Reply, Option<u16>) {
        let request = encode(call);
        let endpoint = request.endpoint;
        let key = self.key.get();
        match self.exchange_with(&key, request).await {
            Ok(reply) => {
                tracing::debug!(endpoint, status = reply.status, "answered");
                let of_former_key = self.of_former_key(&key, reply.status);
                let result = if of_former_key {
                    not_done(call, RetryCause::KeyReplaced)
                } else {
                    classify(call, &reply)
                };
                let answered = Reply {
                    limits: reply.limits,
                    trouble: trouble_of(&reply, &result),
                    result,
                };
                (answered, Some(reply.status))
            }
            Err(NoAnswer { why, trouble }) => {
                tracing::debug!(endpoint, failure = %trouble, "not answered");
                let unanswered = Reply {
                    trouble: Some(trouble),
                    ..unanswered(call, why)
                };
                (unanswered, None)
            }
        }
    }

    /// Whether a refusal is about a key that is not in use any more. Each of these says that nothing was done.
    fn of_former_key(&self, key: &ApiKey, status: u16) -> bool {
        match status {
            401 => !self.key.refuse(key),
            402 | 403 => self.key.get() != *key,
            _ => false,
        }
    }

    /// Sends one request as it is, for the few that are not a [`Call`], such as set-up requests.
    ///
    /// # Errors
    /// [`NoAnswer`], if no answer came.
    pub async fn exchange(&self, request: HttpRequest) -> Result<HttpReply, NoAnswer> {
        self.exchange_with(&self.key.get(), request).await
    }

    /// The same, and the headers about the limit as they came, by name: for people who want to know what they look like.
    ///
    /// # Errors
    /// [`NoAnswer`], if no answer came.
    pub async fn exchange_telling(
        &self,
        request: HttpRequest,
    ) -> Result<(HttpReply, Vec<(String, String)>), NoAnswer> {
        let mut told = Vec::new();
        let see = |headers: &HeaderMap| {
            let named = LIMIT_HEADERS.iter().filter_map(|name| {
                let value = headers.get(*name)?.to_str().ok()?;
                Some(((*name).to_owned(), value.to_owned()))
            });
            told.extend(named);
        };
        let reply = self.exchange_seeing(&self.key.get(), request, see).await?;
        Ok((reply, told))
    }

    /// The same, with a key that need not be the one in use.
    pub(crate) async fn exchange_with(
        &self,
        key: &ApiKey,
        request: HttpRequest,
    ) -> Result<HttpReply, NoAnswer> {
        self.exchange_seeing(key, request, |_| {}).await
    }

    async fn exchange_seeing(
        &self,
        key: &ApiKey,
        request: HttpRequest,
        see: impl FnOnce(&HeaderMap),
    ) -> Result<HttpReply, NoAnswer> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = match self.base_url.at(&request.path) {
            Some(url) => self.http.request(method, url),
            // The library says what is wrong with it.
            None => self.http.request(method, request.path),
        };
        outgoing = outgoing.header(AUTHORIZATION, key.header());
        if let Some(body) = request.body {
            outgoing = outgoing.header(CONTENT_TYPE, JSON).body(body);
        }
        let sent = outgoing.send().await;
        let mut answer = sent.map_err(|error| failure::of(&error, &self.base_url))?;
        let headers = answer.headers();
        see(headers);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let limits = limits::read(text);
        let location = text(LOCATION.as_str()).map(str::to_owned);
        let status = answer.status().as_u16();
        let body = self.read_body(&mut answer).await;
        Ok(HttpReply {
            status,
            limits,
            location,
            body,
        })
    }

    /// Most answers come in one piece, which is not copied.
    async fn read_body(&self, answer: &mut reqwest::Response) -> ReplyBody {
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        loop {
            let read = first.len() + all.len();
            match answer.chunk().await {
                Ok(None) if all.is_empty() => return ReplyBody::Whole(first),
                Ok(None) => return ReplyBody::Whole(all.freeze()),
                Ok(Some(chunk)) if read + chunk.len() > self.max_body_bytes => {
                    return ReplyBody::Cut;
                }
                Ok(Some(chunk)) if read == 0 => first = chunk,
                Ok(Some(chunk)) => {
                    if all.is_empty() {
                        all = self.room(answer, read + chunk.len());
                        all.extend_from_slice(&std::mem::take(&mut first));
                    }
                    all.extend_from_slice(&chunk);
                }
                Err(_broken) => return ReplyBody::Cut,
            }
        }
    }

    /// Room for all of an answer of which so much has come.
    fn room(&self, answer: &reqwest::Response, come: usize) -> BytesMut {
        // What is left to come, if the answer says so.
        let left = answer.content_length().unwrap_or(0);
        let all = usize::try_from(left).map_or(usize::MAX, |left| come.saturating_add(left));
        BytesMut::with_capacity(all.min(self.max_body_bytes))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
