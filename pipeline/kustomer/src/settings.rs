//! What a client needs to know before its first request.
//!
//! The base URL is parsed once into a type that cannot be wrong, because the token goes wherever it points: paths or
//! credentials hidden in it must not get past start-up.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

/// The scheme, host and port of the API, without a path.
///
/// Plain HTTP would send the token in clear text: it is accepted only for loopback, or when the caller allows it.
///
/// ```
/// # use ingest_kustomer::BaseUrl;
/// assert_eq!(BaseUrl::parse("https://acme.api.kustomerapp.com/")?.as_str(), "https://acme.api.kustomerapp.com");
/// assert!(BaseUrl::parse("http://acme.api.kustomerapp.com").is_err());
/// assert!(BaseUrl::parse("http://127.0.0.1:8080")?.is_loopback());
/// # Ok::<(), ingest_kustomer::BaseUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    url: Url,
    loopback: bool,
}

/// Why a base URL is refused, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It is not an absolute URL with a host.
    #[error(
        "the base URL is not an absolute URL with a host, such as https://acme.api.kustomerapp.com"
    )]
    NotAUrl,
    /// Neither `https` nor `http`.
    #[error("the base URL must begin with https://")]
    Scheme,
    /// Plain HTTP to a host that is not this machine.
    #[error(
        "the base URL is plain http to another machine, which would send the token in clear text: use https"
    )]
    PlainHttp,
    /// User name or password in the URL.
    #[error("the base URL holds a user name or password: set the token in its own setting")]
    UserInfo,
    /// A path. The client adds the version prefix itself.
    #[error("the base URL has a path: leave it out, /v1 included")]
    Path,
    /// A query or a fragment.
    #[error("the base URL has a query or a fragment: leave it out")]
    Query,
}

/// Settings of a [`Client`](crate::Client). `Debug` never shows the token.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// The API key, without the word `Bearer`.
    pub token: SecretString,
    /// The time limit for connecting, including name resolution and TLS.
    pub connect_timeout: Duration,
    /// The time limit from the start of a request to the end of its answer.
    pub total_timeout: Duration,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// How many idle connections are kept: as many as there can be requests in flight.
    pub connections: usize,
    /// An answer with more bytes than this is not read to its end.
    pub max_body_bytes: usize,
}

// === impl BaseUrl ===

impl BaseUrl {
    /// The base URL in a text; a trailing slash is tolerated. `https`, or `http` to this machine.
    ///
    /// # Errors
    /// What is wrong with it, see [`BaseUrlError`].
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let base = Self::parse_insecure(text)?;
        if base.text.starts_with("http://") && !base.loopback {
            return Err(BaseUrlError::PlainHttp);
        }
        Ok(base)
    }

    /// Like [`parse`](Self::parse), but accepts plain HTTP to any host: for a simulator in another container.
    ///
    /// # Errors
    /// What is wrong with it, see [`BaseUrlError`].
    pub fn parse_insecure(text: &str) -> Result<Self, BaseUrlError> {
        // The parser repairs what it can ("https:/host", tabs, backslashes); it is better to refuse an operator's typo.
        let repaired = text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '\\');
        let url = Url::parse(text).map_err(|_parse| BaseUrlError::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BaseUrlError::Scheme);
        }
        if repaired || !text.contains("://") {
            return Err(BaseUrlError::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Query);
        }
        if !matches!(url.path(), "" | "/") {
            return Err(BaseUrlError::Path);
        }
        let loopback = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => return Err(BaseUrlError::NotAUrl),
        };
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            url,
            loopback,
        })
    }

    /// The host and, if present, the port: what to connect to.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.text.split_once("://");
        host.map_or(self.text.as_str(), |(_, host)| host)
    }

    /// The host's name or address alone, and its port.
    #[must_use]
    pub fn server(&self) -> (&str, u16) {
        let port = self.url.port_or_known_default();
        (self.url.host_str().unwrap_or_default(), port.unwrap_or(443))
    }

    /// The URL without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of a path with a query, both encoded; the host is not parsed again.
    pub(crate) fn at(&self, path: &str) -> Option<Url> {
        self.url.join(path).ok()
    }

    /// Whether it points to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl ClientSettings ===

impl ClientSettings {
    /// Settings with the defaults of `docs/kustomer-api.md`, section 11: 5 s to connect, 30 s in total, answers of 8 MiB.
    #[must_use]
    pub fn new(base_url: BaseUrl, token: SecretString) -> Self {
        Self {
            base_url,
            token,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            user_agent: concat!("kustomer-ingest/", env!("CARGO_PKG_VERSION")).to_owned(),
            connections: 64,
            max_body_bytes: 8 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, BaseUrlError, ClientSettings};

    #[test]
    fn takes_hosts_with_and_without_a_trailing_slash() {
        for text in [
            "https://api.kustomerapp.com",
            "https://api.kustomerapp.com/",
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(base.as_str(), "https://api.kustomerapp.com");
            assert!(!base.is_loopback());
        }
        assert_eq!(
            BaseUrl::parse("https://H.example:8443/").unwrap().as_str(),
            "https://h.example:8443"
        );
    }

    #[test]
    fn takes_plain_http_for_this_machine_only() {
        for text in [
            "http://127.0.0.1:8080",
            "http://localhost:1/",
            "http://[::1]:8080",
            "http://sim.localhost",
        ] {
            assert!(BaseUrl::parse(text).unwrap().is_loopback(), "{text}");
        }
        assert_eq!(
            BaseUrl::parse("http://sim:8080"),
            Err(BaseUrlError::PlainHttp)
        );
        assert_eq!(
            BaseUrl::parse("http://localhost.evil.example"),
            Err(BaseUrlError::PlainHttp)
        );
        assert_eq!(
            BaseUrl::parse_insecure("http://sim:8080").unwrap().as_str(),
            "http://sim:8080"
        );
    }

    #[test]
    fn refuses_what_would_surprise() {
        let cases = [
            ("", BaseUrlError::NotAUrl),
            ("api.kustomerapp.com", BaseUrlError::NotAUrl),
            ("https:api.kustomerapp.com", BaseUrlError::NotAUrl),
            ("https://api.kustomer\tapp.com", BaseUrlError::NotAUrl),
            ("https:\\\\api.kustomerapp.com", BaseUrlError::NotAUrl),
            ("ftp://api.kustomerapp.com", BaseUrlError::Scheme),
            ("file:///etc/passwd", BaseUrlError::Scheme),
            (
                "https://me:secret@api.kustomerapp.com",
                BaseUrlError::UserInfo,
            ),
            (
                "https://api.kustomerapp.com@evil.example",
                BaseUrlError::UserInfo,
            ),
            ("https://api.kustomerapp.com/v1", BaseUrlError::Path),
            ("https://api.kustomerapp.com//", BaseUrlError::Path),
            ("https://api.kustomerapp.com/?x=1", BaseUrlError::Query),
            ("https://api.kustomerapp.com/#x", BaseUrlError::Query),
        ];
        for (text, why) in cases {
            assert_eq!(BaseUrl::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_path_stays_as_it_was_encoded() {
        let base = BaseUrl::parse("https://api.kustomerapp.com:8443/").unwrap();
        for path in [
            "/v1/customers/externalId=a%2Fb%3Fc%23d",
            "/v1/customers/search?pageSize=100",
            "/v1/klasses/%252E%252E/externalId=%252E",
            "/v1/klasses/%C3%BCber/bulk",
            "/v1/customers/email=%2F%2Fevil.example%2F",
        ] {
            let url = base.at(path).unwrap();
            assert_eq!(url.as_str(), format!("{}{path}", base.as_str()));
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let base = BaseUrl::parse("https://api.kustomerapp.com").unwrap();
        let settings = ClientSettings::new(base, "very-secret".into());
        assert!(!format!("{settings:?}").contains("very-secret"));
    }
}
