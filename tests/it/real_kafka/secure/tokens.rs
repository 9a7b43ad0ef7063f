//! An identity provider: its keys, which the broker knows.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use serde_json::json;

/// For whom tokens are meant.
const AUDIENCE: &str = "kafka";
const KEY: &str = "first";

static SIGNS: LazyLock<PKey<Private>> =
    LazyLock::new(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());

/// The keys of the provider, as brokers read them.
pub(super) fn keys() -> Vec<u8> {
    let key = SIGNS.rsa().unwrap();
    let text = |number: Vec<u8>| URL_SAFE_NO_PAD.encode(number);
    let key = json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY, "n": text(key.n().to_vec()), "e": text(key.e().to_vec()) });
    json!({ "keys": [key] }).to_string().into_bytes()
}

/// What the broker has to be told.
pub(super) fn broker_settings() -> [(&'static str, String); 7] {
    let keys = "file:///etc/kafka/secrets/keys.json";
    let package = "org.apache.kafka.common.security.oauthbearer";
    [
        (
            "OPTS",
            format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"),
        ),
        ("SASL_OAUTHBEARER_JWKS_ENDPOINT_URL", keys.to_owned()),
        ("SASL_OAUTHBEARER_EXPECTED_AUDIENCE", AUDIENCE.to_owned()),
        (
            "LISTENER_NAME_OAUTH_SASL_ENABLED_MECHANISMS",
            "OAUTHBEARER".to_owned(),
        ),
        (
            "LISTENER_NAME_OAUTH_CONNECTIONS_MAX_REAUTH_MS",
            "600000".to_owned(),
        ),
        (
            "LISTENER_NAME_OAUTH_OAUTHBEARER_SASL_JAAS_CONFIG",
            format!("{package}.OAuthBearerLoginModule required;"),
        ),
        (
            "LISTENER_NAME_OAUTH_OAUTHBEARER_SASL_SERVER_CALLBACK_HANDLER_CLASS",
            format!("{package}.OAuthBearerValidatorCallbackHandler"),
        ),
    ]
}
