//! Why a broker's certificate is not accepted.
//!
//! The client library says no more than that verification failed. So whoever has time to wait connects once more, with the
//! same trust, and reads the verdict and the certificate.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509Ref, X509VerifyResult};
use rdkafka::ClientConfig;

/// How long each step of the connection may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The places where systems keep the authorities that they trust; those that the client library tries, too.
const USUAL: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Verdicts of OpenSSL.
const NOT_YET: i32 = 9;
const EXPIRED: i32 = 10;
const UNKNOWN: [i32; 5] = [2, 18, 19, 20, 21];
const OTHER_NAME: [i32; 2] = [62, 64];

/// Whom a client trusts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    location: Option<String>,
    pem: Option<String>,
    own: Option<String>,
}

impl Trust {
    pub(crate) fn of(config: &ClientConfig) -> Self {
        let own = |name| config.get(name).map(str::to_owned);
        Self {
            location: own("ssl.ca.location"),
            pem: own("ssl.ca.pem"),
            own: own("ssl.certificate.location"),
        }
    }

    /// That this client's own certificate has expired, if it has.
    pub(crate) fn own_expired(&self) -> Option<String> {
        let pem = std::fs::read(self.own.as_deref()?).ok()?;
        let certificate = X509::from_pem(&pem).ok()?;
        let now = Asn1Time::days_from_now(0).ok()?;
        let ends = certificate.not_after();
        (ends < now).then(|| format!("expired on {ends}"))
    }

    /// What is wrong with the certificate at this address; `None` if that cannot be found out, or nothing is.
    pub(crate) fn verdict_on(&self, address: &str) -> Option<String> {
        let (host, _port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut connector = SslConnector::builder(SslMethod::tls()).ok()?;
        // The handshake goes on, so that there is a certificate to read.
        connector.set_verify(SslVerifyMode::NONE);
        if let Some(pem) = &self.pem {
            for one in X509::stack_from_pem(pem.as_bytes()).ok()? {
                connector.cert_store_mut().add_cert(one).ok()?;
            }
        }
        let usual = || {
            USUAL
                .into_iter()
                .find(|path| std::fs::exists(path).unwrap_or(false))
        };
        let location = self.location.as_deref().filter(|path| *path != "probe");
        if let Some(location) = location.or_else(usual) {
            let is_folder = std::fs::metadata(location).is_ok_and(|found| found.is_dir());
            let loaded = if is_folder {
                connector.load_verify_locations(None, Some(location.as_ref()))
            } else {
                connector.load_verify_locations(Some(location.as_ref()), None)
            };
            loaded.ok()?;
        }
        let mut found = address.to_socket_addrs().ok()?;
        let stream = found.find_map(|one| TcpStream::connect_timeout(&one, PATIENCE).ok())?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let connected = connector.build().connect(host, stream).ok()?;
        let certificate = connected.ssl().peer_certificate()?;
        said(connected.ssl().verify_result(), host, &certificate)
    }
}

fn said(verdict: X509VerifyResult, host: &str, certificate: &X509Ref) -> Option<String> {
    let code = verdict.as_raw();
    if verdict == X509VerifyResult::OK {
        return None;
    }
    Some(if code == EXPIRED {
        format!("expired on {}", certificate.not_after())
    } else if code == NOT_YET {
        format!("not valid before {}", certificate.not_before())
    } else if OTHER_NAME.contains(&code) {
        format!("for {}, not for {host}", names(certificate))
    } else if UNKNOWN.contains(&code) {
        format!("signed by {}", issuer(certificate))
    } else {
        verdict.error_string().to_owned()
    })
}

fn names(certificate: &X509Ref) -> String {
    let all = certificate.subject_alt_names();
    let all: Vec<String> = all
        .iter()
        .flatten()
        .filter_map(|name| {
            let address = name.ipaddress().map(|bytes| match bytes {
                [a, b, c, d] => format!("{a}.{b}.{c}.{d}"),
                other => format!("{other:?}"),
            });
            name.dnsname().map(str::to_owned).or(address)
        })
        .take(5)
        .collect();
    if all.is_empty() {
        "no name".to_owned()
    } else {
        all.join(", ")
    }
}

fn issuer(certificate: &X509Ref) -> String {
    let entries = certificate.issuer_name().entries();
    let named: Vec<String> = entries
        .filter_map(|entry| entry.data().to_string().ok())
        .collect();
    named.join(", ")
}
