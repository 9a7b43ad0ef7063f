//! How connections to the brokers are secured.
//!
//! Off this machine it is TLS unless the configuration says otherwise, and credentials are never sent where others can
//! read them. What is set and would not be used is refused, too: somebody believes that it protects them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::oauth;
use crate::error::SettingsError;

/// Raw properties by name; `None` is a value that is not known here, because it is a secret.
pub type Known = BTreeMap<String, Option<String>>;

const PROTOCOL: &str = "security.protocol";
/// Two names of one property.
const MECHANISM: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];
/// The mechanisms that take a user and a password.
const WITH_PASSWORD: [&str; 3] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"];
/// What a user with a password has to say, with an example.
const WITH_A_PASSWORD: [(&str, &str); 2] = [
    ("sasl.username", "kustomer-ingest"),
    ("sasl.password", "{ file: /path/of/the/password }"),
];
/// What a client of a token endpoint has to say.
const WITH_A_TOKEN: [(&str, &str); 3] = [
    (oauth::ENDPOINT, "https://login.example/oauth2/token"),
    (oauth::CLIENT, "kustomer-ingest"),
    (oauth::SECRET, "{ file: /path/of/the/secret }"),
];
/// How a client's certificate may be given, and its key.
const CERTIFICATE: [&str; 2] = ["ssl.certificate.location", "ssl.certificate.pem"];
const KEY: [&str; 2] = ["ssl.key.location", "ssl.key.pem"];

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// Credentials in clear text: for brokers on this machine only.
    SaslPlaintext,
    /// Credentials within TLS.
    SaslSsl,
}

/// How this configuration connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The protocol, whether it was chosen or is the default for these brokers.
    pub protocol: Protocol,
    /// What deserves a second look.
    pub doubts: Vec<Doubt>,
}

/// Something that works, but not as safely as it could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What it is.
    pub problem: String,
    /// What to do.
    pub way_out: &'static str,
}

// === impl Connection ===

impl Connection {
    /// Judges these brokers and properties.
    ///
    /// # Errors
    /// Credentials would be sent in the clear, would not be sent at all, or are not complete.
    pub fn of(brokers: &str, properties: &Known) -> Result<Self, SettingsError> {
        let local = brokers.split(',').all(is_local);
        let tls = first(properties, "ssl.");
        let protocol = match (chosen(brokers, properties)?, first(properties, "sasl.")) {
            (Some(protocol), _) => protocol,
            (None, sasl) => match (sasl.is_some(), local && tls.is_none()) {
                (false, true) => Protocol::Plaintext,
                (false, false) => Protocol::Ssl,
                (true, true) => Protocol::SaslPlaintext,
                (true, false) => Protocol::SaslSsl,
            },
        };
        let connection = Self {
            protocol,
            doubts: doubts(brokers, local, protocol, properties),
        };
        if properties.get(PROTOCOL).is_some_and(Option::is_none) {
            // Where it is a reference, it is judged when it was read.
            return Ok(connection);
        }
        if let Some(set) = first(properties, "sasl.").filter(|_| !protocol.is_sasl()) {
            return Err(insecure(
                PROTOCOL,
                format!("{protocol} sends no credentials, so {set} would not be used"),
                format!("set {PROTOCOL}: SASL_SSL, or leave out what begins with sasl."),
            ));
        }
        if protocol == Protocol::SaslPlaintext && !local {
            return Err(insecure(
                PROTOCOL,
                format!("{protocol} sends the credentials in clear text to {brokers}"),
                "use SASL_SSL and a TLS listener of the brokers; without TLS, credentials are only sent to brokers on \
                 this machine (localhost)"
                    .to_owned(),
            ));
        }
        if protocol.is_sasl() {
            complete(properties)?;
        }
        let given = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find(|name| properties.contains_key(*name))
        };
        match (given(CERTIFICATE), given(KEY)) {
            (Some(set), None) => Err(insecure(
                set,
                "a certificate without its key proves nothing".to_owned(),
                "set ssl.key.location to the file of its key".to_owned(),
            )),
            (None, Some(set)) => Err(insecure(
                set,
                "a key without its certificate proves nothing".to_owned(),
                "set ssl.certificate.location to the file of its certificate".to_owned(),
            )),
            (Some(_), Some(_)) | (None, None) => Ok(connection),
        }
    }
}

/// The protocol that the configuration names, as a property or in front of the addresses.
fn chosen(brokers: &str, properties: &Known) -> Result<Option<Protocol>, SettingsError> {
    let named = properties.get(PROTOCOL).and_then(Option::as_deref);
    let named = named.and_then(Protocol::named);
    let mut prefixes = brokers.split(',').map(|one| prefix(one.trim()));
    let first = prefixes.next().flatten();
    if prefixes.any(|other| other != first) {
        return Err(SettingsError::Invalid {
            setting: "brokers",
            problem: format!("the addresses name different protocols; set {PROTOCOL} instead"),
        });
    }
    match (named, first) {
        (Some(named), Some(first)) if named != first => Err(SettingsError::Invalid {
            setting: "brokers",
            problem: format!(
                "the addresses say {first}, but {PROTOCOL} is {named}; write host:port only"
            ),
        }),
        (Some(protocol), _) | (None, Some(protocol)) => Ok(Some(protocol)),
        (None, None) => Ok(None),
    }
}

/// Whether a SASL mechanism and what it needs is set.
fn complete(properties: &Known) -> Result<(), SettingsError> {
    let set = MECHANISM
        .into_iter()
        .find(|name| properties.contains_key(*name));
    let Some(name) = set else {
        return Err(insecure(
            "sasl.mechanism",
            "credentials need a mechanism, and none is set".to_owned(),
            "set it to SCRAM-SHA-512, SCRAM-SHA-256, PLAIN or OAUTHBEARER, as the brokers' listener has it"
                .to_owned(),
        ));
    };
    let Some(mechanism) = properties.get(name).and_then(Option::as_deref) else {
        return Ok(());
    };
    let mechanism = mechanism.trim().to_ascii_uppercase();
    let needed: &[(&str, &str)] = if WITH_PASSWORD.contains(&mechanism.as_str()) {
        &WITH_A_PASSWORD
    } else if mechanism == "OAUTHBEARER" {
        &WITH_A_TOKEN
    } else {
        return Err(insecure(
            name,
            format!("the mechanism {mechanism} is not built in"),
            "use SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER, or a TLS certificate without SASL"
                .to_owned(),
        ));
    };
    for (needed, example) in needed {
        if !properties.contains_key(*needed) {
            return Err(insecure(
                needed,
                format!("{mechanism} needs it, and it is missing"),
                format!("set it in kafka.properties, such as {needed}: {example}"),
            ));
        }
    }
    let endpoint = properties.get(oauth::ENDPOINT).and_then(Option::as_deref);
    match endpoint.filter(|_| mechanism == "OAUTHBEARER") {
        Some(endpoint) => safe_endpoint(endpoint),
        None => Ok(()),
    }
}

/// The client's secret goes there.
fn safe_endpoint(endpoint: &str) -> Result<(), SettingsError> {
    let (scheme, rest) = endpoint.trim().split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    match scheme {
        "https" if !host.is_empty() => Ok(()),
        "http" if !host.is_empty() && is_local(host) => Ok(()),
        "http" => Err(insecure(
            oauth::ENDPOINT,
            format!("http sends the client's secret in clear text to {host}"),
            "use https".to_owned(),
        )),
        _ => Err(insecure(
            oauth::ENDPOINT,
            "is not the address of a token endpoint".to_owned(),
            "write https://HOST/PATH".to_owned(),
        )),
    }
}

fn doubts(brokers: &str, local: bool, protocol: Protocol, properties: &Known) -> Vec<Doubt> {
    let is = |name: &str, word: &str| {
        let value = properties.get(name).and_then(Option::as_deref);
        value.is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let mut doubts = Vec::new();
    if !protocol.is_tls() {
        if !local {
            doubts.push(Doubt {
                problem: format!("records travel in clear text to {brokers} ({PROTOCOL} {protocol})"),
                way_out: "set security.protocol: SSL where the brokers have a TLS listener; PLAINTEXT is for private networks",
            });
        }
        if let Some(set) = first(properties, "ssl.") {
            doubts.push(Doubt {
                problem: format!("{set} is set, but {PROTOCOL} {protocol} does not use TLS"),
                way_out: "set security.protocol: SSL, or leave out what begins with ssl.",
            });
        }
        return doubts;
    }
    if is("enable.ssl.certificate.verification", "false") {
        doubts.push(Doubt {
            problem: "the brokers' certificates are not checked: anybody in between can read and change everything".to_owned(),
            way_out: "leave enable.ssl.certificate.verification out, and name the authority in ssl.ca.location",
        });
    } else if is("ssl.endpoint.identification.algorithm", "none") {
        doubts.push(Doubt {
            problem: "the names in the brokers' certificates are not checked: whoever has any certificate of that authority can pose as a broker".to_owned(),
            way_out: "leave ssl.endpoint.identification.algorithm out, and have the brokers' names put into their certificates",
        });
    }
    doubts
}

/// The first property whose name begins like this.
fn first<'a>(properties: &'a Known, prefix: &str) -> Option<&'a str> {
    let mut names = properties.keys().map(String::as_str);
    names.find(|name| name.starts_with(prefix))
}

fn prefix(broker: &str) -> Option<Protocol> {
    broker
        .split_once("://")
        .and_then(|(name, _)| Protocol::named(name))
}

/// Whether a broker is on this machine, as far as its address says.
fn is_local(broker: &str) -> bool {
    let broker = broker.trim();
    let address = broker
        .split_once("://")
        .map_or(broker, |(_, address)| address);
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn insecure(property: &str, problem: String, way_out: String) -> SettingsError {
    SettingsError::Insecure {
        property: property.to_owned(),
        problem,
        way_out,
    }
}

// === impl Protocol ===

impl Protocol {
    const ALL: [Self; 4] = [
        Self::Plaintext,
        Self::Ssl,
        Self::SaslPlaintext,
        Self::SaslSsl,
    ];

    /// The client's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether credentials are sent.
    #[must_use]
    pub fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL
            .into_iter()
            .find(|one| one.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(brokers: &str, properties: &[(&str, &str)]) -> Result<Connection, SettingsError> {
        let known = properties.iter().map(|(name, value)| {
            let value = (*value != "?").then(|| (*value).to_owned());
            ((*name).to_owned(), value)
        });
        Connection::of(brokers, &known.collect())
    }

    fn protocol(brokers: &str, properties: &[(&str, &str)]) -> Protocol {
        of(brokers, properties).unwrap().protocol
    }

    const SCRAM: [(&str, &str); 3] = [
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "ingest"),
        ("sasl.password", "?"),
    ];

    #[test]
    fn off_this_machine_it_is_tls_unless_said_otherwise() {
        for local in [
            "localhost:9092",
            "127.0.0.1:1,[::1]:2",
            "kafka.localhost:9",
            "127.0.0.53:1",
        ] {
            assert_eq!(protocol(local, &[]), Protocol::Plaintext, "{local}");
            assert_eq!(protocol(local, &SCRAM), Protocol::SaslPlaintext, "{local}");
            let certificate = [("ssl.ca.location", "ca.pem")];
            assert_eq!(protocol(local, &certificate), Protocol::Ssl, "{local}");
        }
        for away in [
            "kafka:9092",
            "localhost:9092,k2:9092",
            "10.0.0.1:9092",
            "[fd00::1]:9092",
            "localhost.example:1",
        ] {
            assert_eq!(protocol(away, &[]), Protocol::Ssl, "{away}");
            assert_eq!(protocol(away, &SCRAM), Protocol::SaslSsl, "{away}");
            let clear = of(away, &[(PROTOCOL, "plaintext")]).unwrap();
            assert_eq!(clear.protocol, Protocol::Plaintext, "{away}");
            assert_eq!(clear.doubts.len(), 1, "{clear:?}");
        }
        assert_eq!(
            protocol("plaintext://k:1,PLAINTEXT://l:1", &[]),
            Protocol::Plaintext
        );
        assert!(of("localhost:1", &[]).unwrap().doubts.is_empty());
        assert!(of("k:1", &SCRAM).unwrap().doubts.is_empty());
    }

    #[test]
    fn credentials_are_not_sent_in_the_clear() {
        let with = |protocol| {
            let mut all = SCRAM.to_vec();
            all.push((PROTOCOL, protocol));
            all
        };
        let refused = of("localhost:1,k:9092", &with("sasl_plaintext")).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("in clear text to localhost:1,k:9092"),
            "{refused}"
        );
        assert!(refused.to_string().contains("use SASL_SSL"), "{refused}");
        assert!(of("localhost:1", &with("SASL_PLAINTEXT")).is_ok());
        assert!(of("sasl_plaintext://k:1", &SCRAM).is_err());
    }

    #[test]
    fn what_would_not_be_used_is_told() {
        for protocol in ["PLAINTEXT", "SSL"] {
            let refused = of("k:1", &[(PROTOCOL, protocol), ("sasl.username", "me")]).unwrap_err();
            assert!(
                refused
                    .to_string()
                    .contains("sasl.username would not be used"),
                "{refused}"
            );
        }
        let doubted = of(
            "localhost:1",
            &[(PROTOCOL, "PLAINTEXT"), ("ssl.ca.location", "a")],
        )
        .unwrap();
        assert!(
            doubted.doubts[0].problem.contains("ssl.ca.location is set"),
            "{doubted:?}"
        );
        let doubted = of("k:1", &[("enable.ssl.certificate.verification", "false")]).unwrap();
        assert!(
            doubted.doubts[0].problem.contains("not checked"),
            "{doubted:?}"
        );
        let doubted = of("k:1", &[("ssl.endpoint.identification.algorithm", "none")]).unwrap();
        assert!(doubted.doubts[0].problem.contains("names"), "{doubted:?}");
        assert!(of("ssl://k:1,l:1", &[]).is_err(), "half of them");
        assert!(of("ssl://k:1", &[(PROTOCOL, "PLAINTEXT")]).is_err());
    }

    #[test]
    fn credentials_are_complete_or_refused() {
        let missing = |properties: &[(&str, &str)]| {
            let error = of("k:1", properties).unwrap_err();
            let SettingsError::Insecure { property, .. } = &error else {
                panic!("{error}");
            };
            property.clone()
        };
        assert_eq!(missing(&[(PROTOCOL, "SASL_SSL")]), "sasl.mechanism");
        assert_eq!(missing(&[("sasl.mechanisms", "GSSAPI")]), "sasl.mechanisms");
        let token = [
            ("sasl.mechanism", "OAUTHBEARER"),
            (oauth::CLIENT, "me"),
            (oauth::SECRET, "?"),
            (oauth::ENDPOINT, "http://login.example/token"),
        ];
        assert_eq!(missing(&token[..1]), oauth::ENDPOINT);
        assert_eq!(missing(&token), oauth::ENDPOINT, "in the clear");
        let mut safe = token;
        for endpoint in ["https://login.example/token", "http://127.0.0.1:8080/token"] {
            safe[3] = (oauth::ENDPOINT, endpoint);
            assert_eq!(protocol("k:1", &safe), Protocol::SaslSsl);
        }
        assert_eq!(missing(&SCRAM[..1]), "sasl.username");
        assert_eq!(missing(&SCRAM[..2]), "sasl.password");
        assert_eq!(
            missing(&[("ssl.certificate.location", "a")]),
            "ssl.certificate.location"
        );
        assert_eq!(missing(&[("ssl.key.pem", "?")]), "ssl.key.pem");
        assert!(
            of("k:1", &[(PROTOCOL, "?"), ("sasl.username", "me")]).is_ok(),
            "not known here"
        );
    }
}
