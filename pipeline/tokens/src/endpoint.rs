//! One request to the token endpoint, and what its answers mean.

use std::error::Error;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

const FORM: &str = "application/x-www-form-urlencoded";
/// The largest answer, and so the longest token.
const MAX_ANSWER: usize = 256 * 1024;
/// The most that is shown of what the endpoint says about an error.
const MAX_WORDS: usize = 200;

/// Where tokens come from, and who asks.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// The provider's token endpoint.
    pub endpoint: Url,
    /// The client's name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// What the token shall be good for, if the provider wants to know.
    pub scope: Option<String>,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca: Option<Vec<u8>>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Asks for tokens.
pub(crate) struct Endpoint {
    http: reqwest::Client,
    settings: TokenSettings,
}

/// A new token, and how many seconds it is valid.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) value: SecretString,
    pub(crate) seconds: i64,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The certificates cannot be read.
    #[error("the certificates for the token endpoint are not PEM")]
    Ca(#[source] reqwest::Error),
    /// The client cannot be set up.
    #[error("the client of the token endpoint cannot be set up")]
    Http(#[source] reqwest::Error),
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The endpoint refuses the client, in its words.
    #[error("the token endpoint refuses: {0}")]
    Refused(String),
    /// It did not answer.
    #[error("the token endpoint does not answer: {0}")]
    Unanswered(String),
    /// Its answer is not one of a token endpoint.
    #[error("the answer of the token endpoint cannot be used: {0}")]
    Garbled(&'static str),
    /// It has not answered yet.
    #[error("the token endpoint has not answered yet")]
    Late,
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(settings: TokenSettings) -> Result<Self, BuildError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0);
        if let Some(pem) = &settings.ca {
            let all = reqwest::Certificate::from_pem_bundle(pem).map_err(BuildError::Ca)?;
            for one in all {
                builder = builder.add_root_certificate(one);
            }
        }
        let host = settings.endpoint.host_str().unwrap_or_default();
        if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(BuildError::Http)?;
        Ok(Self { http, settings })
    }

    /// Asks for a token. Blocks, and must not be called by a thread of an async runtime.
    pub(crate) fn ask(&self) -> Result<Given, TokenError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| TokenError::Unanswered(error.to_string()))?;
        let (status, body) = runtime.block_on(self.request())?;
        read(status, &body)
    }

    async fn request(&self) -> Result<(u16, Vec<u8>), TokenError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.settings.scope {
            form.append_pair("scope", scope);
        }
        let secret = self.settings.client_secret.expose_secret();
        let request = self
            .http
            .post(self.settings.endpoint.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .basic_auth(&self.settings.client_id, Some(secret))
            .header(CONTENT_TYPE, HeaderValue::from_static(FORM))
            .body(form.finish());
        let mut response = request.send().await.map_err(|error| unanswered(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(TokenError::Garbled("it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

/// What an answer means.
pub(crate) fn read(status: u16, body: &[u8]) -> Result<Given, TokenError> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let text = |name: &str| answer.as_ref()?.get(name)?.as_str();
    if status != 200 {
        let said = match (text("error"), text("error_description")) {
            (Some(error), Some(more)) => format!("{error} ({more})"),
            (Some(error), None) => error.to_owned(),
            (None, _) => format!("status {status}"),
        };
        let said = said
            .chars()
            .filter(|one| !one.is_control())
            .take(MAX_WORDS)
            .collect();
        return Err(TokenError::Refused(said));
    }
    let value = text("access_token").ok_or(TokenError::Garbled("it has no access_token"))?;
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Garbled("its access_token is not one"));
    }
    let lifetime = answer.as_ref().and_then(|answer| answer.get("expires_in"));
    let seconds = lifetime.and_then(|number| {
        // some providers write it as a text
        number.as_i64().or_else(|| number.as_str()?.parse().ok())
    });
    let seconds = seconds
        .or_else(|| life(value))
        .filter(|seconds| *seconds > 0);
    Ok(Given {
        value: SecretString::from(value),
        seconds: seconds.ok_or(TokenError::Garbled(
            "it does not say when the token expires",
        ))?,
    })
}

/// How long a token is valid by its own claims.
fn life(token: &str) -> Option<i64> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let at = |name: &str| claims.get(name)?.as_i64();
    Some(at("exp")? - at("iat")?)
}

/// Why no answer came; only what is below the library's own text, which has the address.
fn unanswered(error: &reqwest::Error) -> TokenError {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    TokenError::Unanswered(if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.source().is_none() {
        "no answer".to_owned()
    } else {
        innermost.to_string()
    })
}
