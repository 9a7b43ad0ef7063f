//! An identity provider: its keys, which the broker knows, and its token endpoint, which the worker asks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kustomer_ingest::clock::Clock;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::json;

/// For whom tokens are meant.
const AUDIENCE: &str = "kafka";
const ISSUER: &str = "https://login.example";
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

/// A token endpoint on this machine.
#[derive(Clone)]
pub(super) struct TokenEndpoint {
    pub(super) url: String,
    state: Arc<Mutex<Provider>>,
}

#[derive(Debug, Default)]
struct Provider {
    client: String,
    secret: String,
    lifetime: i64,
    audience: String,
    given: u32,
    refused: u32,
    asked: Vec<String>,
}

impl TokenEndpoint {
    /// Gives tokens of so many seconds to a client with this secret.
    pub(super) fn start(client: &str, secret: &str, lifetime: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/oauth/token", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Provider {
            client: client.to_owned(),
            secret: secret.to_owned(),
            lifetime,
            audience: AUDIENCE.to_owned(),
            ..Provider::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &shared);
            }
        });
        Self { url, state }
    }

    /// From now on the client has another secret.
    pub(super) fn set_secret(&self, secret: &str) {
        self.lock().secret = secret.to_owned();
    }

    /// From now on tokens are for somebody else.
    pub(super) fn set_audience(&self, audience: &str) {
        self.lock().audience = audience.to_owned();
    }

    /// How many tokens were given, and how often the client was refused.
    pub(super) fn counts(&self) -> (u32, u32) {
        let state = self.lock();
        (state.given, state.refused)
    }

    /// The body of the last request.
    pub(super) fn last(&self) -> String {
        self.lock().asked.last().cloned().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Provider> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<Provider>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut length, mut login) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => value.trim().clone_into(&mut login),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.asked.push(String::from_utf8(body).unwrap());
    let right = STANDARD.encode(format!("{}:{}", state.client, state.secret));
    let (status, answer) = if login == format!("Basic {right}") {
        state.given += 1;
        let token = token(&state);
        let answer =
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": state.lifetime });
        ("200 OK", answer)
    } else {
        state.refused += 1;
        let answer = json!({ "error": "invalid_client", "error_description": "Client authentication failed" });
        ("401 Unauthorized", answer)
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    drop(stream.write_all(format!("{head}{answer}").as_bytes()));
}

fn token(provider: &Provider) -> String {
    let now = Clock.unix_ms() / 1000;
    let head = json!({ "alg": "RS256", "typ": "JWT", "kid": KEY });
    let claims = json!({
        "iss": ISSUER, "sub": provider.client, "aud": provider.audience, "scope": "kafka",
        "iat": now - 1, "exp": now + provider.lifetime,
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let mut signer = Signer::new(MessageDigest::sha256(), &SIGNS).unwrap();
    signer.update(signed.as_bytes()).unwrap();
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(signer.sign_to_vec().unwrap())
    )
}
