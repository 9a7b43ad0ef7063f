//! The properties of OAUTHBEARER, as librdkafka names them.
//!
//! The library that is built in has no HTTP client, and does not take them. The worker asks the token endpoint itself.

use std::collections::BTreeMap;

use crate::error::SettingsError;

/// The token endpoint's address.
pub const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
/// Who asks.
pub const CLIENT: &str = "sasl.oauthbearer.client.id";
/// The secret.
pub const SECRET: &str = "sasl.oauthbearer.client.secret";
/// What tokens shall be good for.
pub const SCOPE: &str = "sasl.oauthbearer.scope";
/// What is said to the brokers beside the token; not supported.
const EXTENSIONS: &str = "sasl.oauthbearer.extensions";
/// The authorities of the token endpoint.
pub const AUTHORITIES: &str = "https.ca.location";
/// Only one way to get a token is known.
const METHOD: &str = "sasl.oauthbearer.method";

/// How tokens are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Oauth<'a> {
    /// The token endpoint's address.
    pub endpoint: &'a str,
    /// Who asks.
    pub client_id: &'a str,
    /// The secret.
    pub client_secret: &'a str,
    /// What tokens shall be good for.
    pub scope: Option<&'a str>,
    /// A file with the authorities of the endpoint.
    pub authorities: Option<&'a str>,
}

impl<'a> Oauth<'a> {
    /// What these properties say; `None` if the mechanism is another one, or something is missing.
    #[must_use]
    pub fn of(properties: &'a BTreeMap<String, String>) -> Option<Self> {
        let own = |name: &str| properties.get(name).map(|value| value.trim());
        let mechanism = own("sasl.mechanism").or_else(|| own("sasl.mechanisms"))?;
        if !mechanism.eq_ignore_ascii_case("OAUTHBEARER") {
            return None;
        }
        Some(Self {
            endpoint: own(ENDPOINT)?,
            client_id: own(CLIENT)?,
            client_secret: own(SECRET)?,
            scope: own(SCOPE),
            authorities: own(AUTHORITIES).filter(|path| *path != "probe"),
        })
    }
}

/// Whether a property is one of these.
pub(super) fn is_one(property: &str) -> bool {
    [
        ENDPOINT,
        CLIENT,
        SECRET,
        SCOPE,
        EXTENSIONS,
        AUTHORITIES,
        METHOD,
    ]
    .contains(&property)
}

pub(super) fn check(property: &str, value: &str) -> Result<(), SettingsError> {
    let wrong = |detail: &str| {
        Err(SettingsError::Value {
            property: property.to_owned(),
            detail: format!(": {detail}"),
        })
    };
    let value = value.trim();
    match property {
        METHOD if !value.eq_ignore_ascii_case("oidc") => wrong("only oidc is known"),
        EXTENSIONS => wrong(
            "the client library has no place for extensions; if the brokers need them, connect with another mechanism, \
             for instance PLAIN and an API key",
        ),
        _ if value.is_empty() || value.chars().any(char::is_control) => {
            wrong("it is empty, or has a control character")
        }
        _ => Ok(()),
    }
}
