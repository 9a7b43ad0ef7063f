//! Who may do what at an address of the admin server.
//!
//! Health is open to everybody: probes cannot log in. Reading asks for a token where one is configured. What changes something
//! needs a token, or a connection to an address that only this machine can reach. Requests that a browser sends for the page of
//! another site are refused, as are those for a host name that is not this machine's: a page elsewhere could have it point here.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::problem::problem_response;
use crate::clock::Clock;
use crate::config::SecretRef;
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::{AdminAction, AdminResult};

/// How often a refusal is logged.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// Who may do what at one address; cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    /// Only this machine reaches the address.
    local: bool,
    /// What is said where changes are not taken at all.
    elsewhere: String,
    change: Option<SecretRef>,
    read: Option<SecretRef>,
    metrics: Metrics,
    /// When a refusal was last logged: whoever sends many must not fill the log.
    told: Mutex<Option<Instant>>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// It has no token, or another one.
    Token(&'static str),
    /// It was sent for another site, or for a name that is not this machine's.
    Foreign(&'static str),
    /// Changes are taken elsewhere.
    Elsewhere,
    /// The token to compare with cannot be read.
    Unreadable,
}

// === impl Access ===

impl Access {
    /// The rules of an address. Without a token for changes these are taken only at an address that is this machine's alone;
    /// `elsewhere` says where that is.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        (change, read): (Option<SecretRef>, Option<SecretRef>),
        elsewhere: String,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Rules {
            local: address.ip().is_loopback(),
            elsewhere,
            change,
            read,
            metrics,
            told: Mutex::new(None),
        }))
    }

    async fn judge(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let rules = &*self.0;
        if matches!(path, "/live" | "/ready") {
            return Ok(());
        }
        // Whoever looks inside needs the right to change something.
        let inside = path.starts_with("/debug/");
        let reads = matches!(*method, Method::GET | Method::HEAD) && !inside;
        if reads && rules.read.is_none() {
            return Ok(());
        }
        if !reads {
            not_of_another_site(headers)?;
        }
        let needed: Vec<&SecretRef> = match (reads, &rules.change) {
            (true, change) => rules.read.iter().chain(change).collect(),
            (false, Some(change)) => vec![change],
            (false, None) if rules.local => return of_this_machine(headers),
            (false, None) => return Err(Refusal::Elsewhere),
        };
        let Some(given) = bearer(headers) else {
            let problem = if reads {
                "this needs the token that admin.read_token names, or that of admin.token, as `Authorization: Bearer …`"
            } else {
                "this needs the token that admin.token names, as `Authorization: Bearer …`"
            };
            return Err(Refusal::Token(problem));
        };
        let mut unreadable = false;
        for place in needed {
            match read(place).await {
                Some(token) => {
                    let token = token.expose_secret().as_bytes();
                    if bool::from(token.ct_eq(given.as_bytes())) {
                        return Ok(());
                    }
                }
                None => unreadable = true,
            }
        }
        Err(if unreadable {
            Refusal::Unreadable
        } else {
            Refusal::Token("the token is not the right one")
        })
    }

    /// Something was changed by hand, or could not be.
    pub(super) fn note(&self, action: AdminAction, result: AdminResult) {
        self.0.metrics.by_hand(action, result);
    }
}

impl Rules {
    fn may_tell(&self) -> bool {
        let now = Clock.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let may = told.is_none_or(|at| now.saturating_duration_since(at) >= TOLD_AGAIN);
        if may {
            *told = Some(now);
        }
        may
    }
}

/// Lets a request in, or says why not.
pub(super) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    match access.judge(method, path, request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            if !matches!(*method, Method::GET | Method::HEAD) {
                let action = AdminAction::of_path(path);
                access.note(action, AdminResult::Refused);
                if access.0.may_tell() {
                    tracing::warn!(
                        action = action.as_str(),
                        "a request to change something was refused; more of them are only counted for a minute"
                    );
                }
            }
            refusal.answer(&access.0.elsewhere)
        }
    }
}

/// Browsers say which page a request was sent for. Nothing here is for pages.
fn not_of_another_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let foreign = site.is_some_and(|site| site != b"none");
    if foreign || headers.contains_key(header::ORIGIN) {
        return Err(Refusal::Foreign(
            "changes are not taken from pages in a browser",
        ));
    }
    Ok(())
}

fn of_this_machine(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_address || name == "localhost" || name.ends_with(".localhost") {
        return Ok(());
    }
    Err(Refusal::Foreign(
        "changes without a token are taken for localhost or an IP address, not for another host name",
    ))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Read each time: it may be replaced.
async fn read(place: &SecretRef) -> Option<SecretString> {
    let place = place.clone();
    let read = tokio::task::spawn_blocking(move || place.read()).await;
    match read {
        Ok(Ok(token)) => Some(token),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a token of the admin server cannot be read");
            None
        }
        Err(error) => {
            tracing::error!(%error, "reading a token of the admin server failed");
            None
        }
    }
}

// === impl Refusal ===

impl Refusal {
    fn answer(&self, elsewhere: &str) -> Response {
        match self {
            Self::Token(problem) => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
                let answer = problem_response(StatusCode::UNAUTHORIZED, problem);
                (challenge, answer).into_response()
            }
            Self::Foreign(problem) => problem_response(StatusCode::FORBIDDEN, problem),
            Self::Elsewhere => problem_response(StatusCode::FORBIDDEN, elsewhere),
            Self::Unreadable => problem_response(
                StatusCode::SERVICE_UNAVAILABLE,
                "the token to compare with cannot be read here; the log says why",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        all.iter()
            .map(|(name, text)| (header::HeaderName::from_static(name), value(text)))
            .collect()
    }

    #[test]
    fn a_name_that_could_point_anywhere_is_not_this_machine() {
        for host in [
            "127.0.0.1:9465",
            "localhost:80",
            "[::1]:9465",
            "10.1.2.3",
            "a.localhost",
        ] {
            assert_eq!(
                of_this_machine(&headers(&[("host", host)])),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.example:9465",
            "localhost.evil.example",
            "",
            "127.0.0.1.evil.example",
        ] {
            let refused = of_this_machine(&headers(&[("host", host)]));
            assert!(matches!(refused, Err(Refusal::Foreign(_))), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        assert_eq!(not_of_another_site(&headers(&[])), Ok(()));
        assert_eq!(
            not_of_another_site(&headers(&[("sec-fetch-site", "none")])),
            Ok(())
        );
        for (name, text) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let refused = not_of_another_site(&headers(&[(name, text)]));
            assert!(
                matches!(refused, Err(Refusal::Foreign(_))),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn a_bearer_token_is_found_as_clients_write_it() {
        let given = |text: &str| bearer(&headers(&[("authorization", text)])).map(str::to_owned);
        assert_eq!(given("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(given("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(given("Basic abc"), None);
        assert_eq!(given("Bearer"), None);
    }
}
