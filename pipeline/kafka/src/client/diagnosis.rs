//! What the client's words about a connection that failed mean, and what to do.
//!
//! The words are the only place where the client says why it could not connect: its errors are codes for "no connection".
//! [`plain`] makes a sentence of them that [`Diagnosis::of`] still recognises, so that it can be passed on as text. The tests
//! against real brokers fail if a later version of the library or of the brokers words it differently.

use std::borrow::Cow;

/// What is wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diagnosis {
    /// User and password, or a token, are refused.
    Credentials,
    /// The listener does not offer this SASL mechanism, or SASL at all.
    Mechanism,
    /// The broker's certificate has expired, or is not valid yet.
    Expired,
    /// The broker's certificate is for other names.
    OtherName,
    /// The broker's certificate is not signed by anybody who is trusted.
    Untrusted,
    /// The broker's certificate is not accepted, for whatever reason.
    Certificate,
    /// TLS was tried with a listener that does not speak it.
    NoTls,
    /// A listener closes connections that do not begin with TLS.
    WantsTls,
    /// The brokers want a certificate, and got none that they could trust.
    NoCertificate,
    /// The brokers do not accept the certificate that they got.
    OwnCertificate,
    /// The token endpoint gives no token.
    Token,
}

/// Words of the client or of OpenSSL, and what they mean; the first that fits counts.
const RAW: [(&str, Diagnosis); 16] = [
    ("SASL OAUTHBEARER token", Diagnosis::Token),
    ("mechanism handshake failed", Diagnosis::Mechanism),
    ("SASL authentication error", Diagnosis::Credentials),
    ("authentication failure", Diagnosis::Credentials),
    ("certificate verify failed", Diagnosis::Certificate),
    (
        "connecting to a PLAINTEXT broker listener?",
        Diagnosis::NoTls,
    ),
    ("wrong version number", Diagnosis::NoTls),
    ("connecting to a SSL listener?", Diagnosis::WantsTls),
    ("alert certificate required", Diagnosis::NoCertificate),
    ("alert bad certificate", Diagnosis::NoCertificate),
    (
        "client SSL authentication might be required",
        Diagnosis::NoCertificate,
    ),
    ("alert certificate unknown", Diagnosis::OwnCertificate),
    ("alert certificate expired", Diagnosis::OwnCertificate),
    ("alert certificate revoked", Diagnosis::OwnCertificate),
    ("alert unknown ca", Diagnosis::OwnCertificate),
    ("alert unsupported certificate", Diagnosis::OwnCertificate),
];

/// What the client says when an exchange of SASL got no answer. It gives that the code of a refusal, too.
const UNANSWERED: [&str; 2] = [
    "mechanism handshake failed: Local: ",
    "SaslAuthenticateRequest failed: Local: ",
];

/// How the verdict on a certificate begins, see `client/certificate.rs`.
const VERDICTS: [(&str, Diagnosis); 4] = [
    ("expired on ", Diagnosis::Expired),
    ("not valid before ", Diagnosis::Expired),
    ("for ", Diagnosis::OtherName),
    ("signed by ", Diagnosis::Untrusted),
];

// === impl Diagnosis ===

impl Diagnosis {
    const ALL: [Self; 11] = [
        Self::Credentials,
        Self::Mechanism,
        Self::Expired,
        Self::OtherName,
        Self::Untrusted,
        Self::Certificate,
        Self::NoTls,
        Self::WantsTls,
        Self::NoCertificate,
        Self::OwnCertificate,
        Self::Token,
    ];

    /// What these words mean; `None` if they are about the network, or nothing that is known.
    #[must_use]
    pub fn of(words: &str) -> Option<Self> {
        if unanswered(words) {
            return None;
        }
        if words.contains("certificate verify failed")
            && let Some(verdict) = verdict(words)
        {
            let begins = |known: &(&str, Self)| verdict.starts_with(known.0);
            return Some(
                VERDICTS
                    .iter()
                    .find(|known| begins(known))
                    .map_or(Self::Certificate, |known| known.1),
            );
        }
        let raw = RAW.iter().find(|(part, _)| words.contains(part));
        raw.map(|(_, meaning)| *meaning).or_else(|| {
            let told = |one: &Self| words.contains(one.sentence());
            Self::ALL
                .into_iter()
                .find(told)
                .or_else(|| closed_early(words))
        })
    }

    /// Whether it stays until somebody changes something. A listener that closes a connection may only be restarting.
    #[must_use]
    pub fn stays(self) -> bool {
        match self {
            Self::Credentials
            | Self::Mechanism
            | Self::Expired
            | Self::OtherName
            | Self::Untrusted
            | Self::Certificate
            | Self::NoCertificate
            | Self::OwnCertificate => true,
            Self::NoTls | Self::WantsTls | Self::Token => false,
        }
    }

    /// What to do.
    #[must_use]
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Credentials => {
                "check sasl.username, sasl.password and sasl.mechanism in kafka.properties, and that the brokers know this user \
                 with this mechanism; a file with another password is read within seconds"
            }
            Self::Mechanism => {
                "set sasl.mechanism in kafka.properties to one that this listener offers, or use another listener's port"
            }
            Self::Expired => {
                "have the brokers' certificate renewed; if it is valid, check this machine's clock. The worker continues by itself"
            }
            Self::OtherName => {
                "use a name from the certificate in kafka.brokers and in the brokers' advertised.listeners, or have the certificate \
                 issued for the name that is used"
            }
            Self::Untrusted => {
                "name the file with the certificate of the brokers' authority: ssl.ca.location in kafka.properties"
            }
            Self::Certificate => {
                "check that ssl.ca.location in kafka.properties names the brokers' authority, that their certificate is valid, and \
                 that it has the names that are used"
            }
            Self::NoTls => {
                "use the port of a TLS listener; where the brokers have none and the network is private, set security.protocol: \
                 PLAINTEXT in kafka.properties"
            }
            Self::WantsTls => {
                "if the listener speaks TLS, set security.protocol: SSL in kafka.properties (SASL_SSL with credentials)"
            }
            Self::NoCertificate => {
                "set ssl.certificate.location and ssl.key.location in kafka.properties, with a certificate that an authority of the \
                 brokers' ssl.truststore has signed"
            }
            Self::OwnCertificate => {
                "check that the certificate in ssl.certificate.location has not expired, and that the brokers trust who signed it; a \
                 new file is read within seconds"
            }
            Self::Token => {
                "check the token endpoint, the client id and the client secret in kafka.properties (sasl.oauthbearer.…)"
            }
        }
    }

    /// The sentence about it.
    fn sentence(self) -> &'static str {
        match self {
            Self::Credentials => "the brokers refuse these credentials",
            Self::Mechanism => "this listener does not offer the sasl.mechanism",
            Self::Expired => "the broker's certificate is out of date",
            Self::OtherName => "the broker's certificate is for another name",
            Self::Untrusted => "the broker's certificate is not signed by anybody who is trusted",
            Self::Certificate => "the broker's certificate is not accepted",
            Self::NoTls => "this listener does not speak TLS",
            Self::WantsTls => "this listener closes connections that do not begin with TLS",
            Self::NoCertificate => "the brokers want a certificate that they trust, and got none",
            Self::OwnCertificate => "the brokers refuse this worker's certificate",
            Self::Token => "there is no token",
        }
    }
}

/// The client's words as a sentence, if their meaning is known.
#[must_use]
pub fn plain(words: &str) -> Cow<'_, str> {
    let Some(meaning) = Diagnosis::of(words) else {
        return Cow::Borrowed(words);
    };
    if words.contains(meaning.sentence()) {
        return Cow::Borrowed(words);
    }
    let found = verdict(words);
    let words = without_state(words);
    let (place, rest) = words.split_once(": ").unwrap_or(("", words));
    // Whatever a broker or the one who looked at the certificate said more.
    let more = match meaning {
        Diagnosis::Credentials => rest.rsplit_once("error: ").map(|(_, said)| said),
        Diagnosis::Mechanism => rest.split_once("Broker: ").map(|(_, said)| said),
        Diagnosis::Expired
        | Diagnosis::OtherName
        | Diagnosis::Untrusted
        | Diagnosis::Certificate => found,
        Diagnosis::OwnCertificate => found.or_else(|| alert(rest)),
        Diagnosis::Token => words.split_once("token: ").map(|(_, said)| said),
        Diagnosis::NoTls | Diagnosis::WantsTls | Diagnosis::NoCertificate => None,
    };
    let more = more.map_or_else(String::new, |said| format!(" ({said})"));
    let sentence = meaning.sentence();
    Cow::Owned(match address(place) {
        Some(address) => format!("{address}: {sentence}{more}"),
        None => format!("{sentence}{more}"),
    })
}

/// Whether an exchange of SASL got no answer: that is about the network, whatever its code.
pub(crate) fn unanswered(words: &str) -> bool {
    UNANSWERED.iter().any(|part| words.contains(part))
}

/// The address of the broker whose certificate was not accepted, if that is what the words say.
pub(crate) fn unverified(words: &str) -> Option<&str> {
    let (place, rest) = words.split_once(": ")?;
    let place = address(place)?;
    rest.contains("certificate verify failed").then_some(place)
}

/// What it means that a listener closed a connection before anything was said.
fn closed_early(words: &str) -> Option<Diagnosis> {
    let tls = words.starts_with("ssl://") || words.starts_with("sasl_ssl://");
    let closed_in = |state| words.contains("Disconnected") && words.contains(state);
    if tls {
        closed_in("in state SSL_HANDSHAKE").then_some(Diagnosis::NoTls)
    } else {
        closed_in("in state APIVERSION_QUERY").then_some(Diagnosis::WantsTls)
    }
}

/// `localhost:9093` of `sasl_ssl://localhost:9093/bootstrap`.
fn address(place: &str) -> Option<&str> {
    let place = place.split_once("://").map_or(place, |(_, place)| place);
    let place = place.split_once('/').map_or(place, |(place, _)| place);
    let (host, port) = place.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then_some(place)
}

/// The words without how long the client had been in which state.
fn without_state(words: &str) -> &str {
    words
        .split_once(" (after ")
        .map_or(words, |(words, _)| words)
        .trim_end()
}

/// What was found out about a certificate, which stands in brackets at the end.
fn verdict(words: &str) -> Option<&str> {
    let (_, said) = words.rsplit_once(" [")?;
    said.strip_suffix(']')
}

/// What OpenSSL calls the other side's alert.
fn alert(words: &str) -> Option<&str> {
    let (_, said) = words.split_once("alert ")?;
    Some(said.split_once(':').map_or(said, |(said, _)| said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &str, meaning: Diagnosis, sentence: &str) {
        assert_eq!(Diagnosis::of(words), Some(meaning), "{words}");
        let plain = plain(words);
        assert_eq!(plain, sentence);
        assert_eq!(
            Diagnosis::of(&plain),
            Some(meaning),
            "it is still known: {plain}"
        );
        assert_eq!(super::plain(&plain), plain, "twice is no more");
    }

    #[test]
    fn the_words_of_brokers_become_sentences() {
        told(
            "sasl_ssl://k:9093/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 301ms in state AUTH_REQ, 1 identical error(s) suppressed)",
            Diagnosis::Credentials,
            "k:9093: the brokers refuse these credentials (Authentication failed: Invalid username or password)",
        );
        told(
            "sasl_ssl://[::1]:1/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: OAUTHBEARER (after 301ms in state AUTH_HANDSHAKE)",
            Diagnosis::Mechanism,
            "[::1]:1: this listener does not offer the sasl.mechanism (Unsupported SASL mechanism: broker's supported mechanisms: OAUTHBEARER)",
        );
        told(
            "ssl://k:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
            Diagnosis::NoTls,
            "k:1: this listener does not speak TLS",
        );
        told(
            "ssl://k:1/bootstrap: Disconnected: SSL connection closed by peer (after 1ms in state SSL_HANDSHAKE)",
            Diagnosis::NoTls,
            "k:1: this listener does not speak TLS",
        );
        told(
            "k:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 3ms in state APIVERSION_QUERY, 1 identical error(s) suppressed)",
            Diagnosis::WantsTls,
            "k:1: this listener closes connections that do not begin with TLS",
        );
    }

    #[test]
    fn a_token_that_is_refused_is_told_with_the_endpoints_words() {
        told(
            "Failed to acquire SASL OAUTHBEARER token: the token endpoint refuses: invalid_client (no such client)",
            Diagnosis::Token,
            "there is no token (the token endpoint refuses: invalid_client (no such client))",
        );
    }

    #[test]
    fn the_words_of_openssl_become_sentences() {
        let failed = "ssl://k:1/bootstrap: SSL handshake failed: ssl/statem/statem_clnt.c:2125:tls_post_process_server_certificate error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified (after 8ms in state SSL_HANDSHAKE)";
        told(
            failed,
            Diagnosis::Certificate,
            "k:1: the broker's certificate is not accepted",
        );
        assert_eq!(unverified(failed), Some("k:1"));
        told(
            &format!("{failed} [expired on Nov 28 06:20:00 2026 GMT]"),
            Diagnosis::Expired,
            "k:1: the broker's certificate is out of date (expired on Nov 28 06:20:00 2026 GMT)",
        );
        let received = "ssl://k:1/3: Receive failed: ssl/record/rec_layer_s3.c:918:ssl3_read_bytes error:0A000416:SSL routines::";
        told(
            &format!("{received}tlsv13 alert certificate required: SSL alert number 116"),
            Diagnosis::NoCertificate,
            "k:1: the brokers want a certificate that they trust, and got none",
        );
        told(
            &format!(
                "{received}ssl/tls alert certificate unknown: SSL alert number 46 (after 11ms in state APIVERSION_QUERY)"
            ),
            Diagnosis::OwnCertificate,
            "k:1: the brokers refuse this worker's certificate (certificate unknown)",
        );
    }

    #[test]
    fn a_connection_that_breaks_is_no_matter_of_security() {
        for words in [
            "k:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
            "ssl://k:1/1: Disconnected (after 51234ms in state UP)",
            "k:1/1: Disconnected: connection closed by peer (after 51234ms in state UP)",
            "k:1/bootstrap: Failed to resolve 'k:1': Name or service not known (after 2ms in state CONNECT)",
            "sasl_ssl://k:1/1: SASL SCRAM-SHA-512 mechanism handshake failed: Local: Timed out: broker's supported mechanisms:  (after 10004ms in state AUTH_HANDSHAKE)",
            "sasl_ssl://k:1/1: SASL authentication error: SaslAuthenticateRequest failed: Local: Broker transport failure (after 12ms in state AUTH_REQ)",
        ] {
            assert_eq!(Diagnosis::of(words), None, "{words}");
            assert_eq!(plain(words), words);
        }
    }
}
