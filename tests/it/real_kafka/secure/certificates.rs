//! Certificates for brokers and for workers, and the authorities that sign them.

use std::time::Duration;

use kustomer_ingest::clock::Clock;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Somebody who signs certificates.
pub(super) struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

/// A key on the usual curve.
pub(super) fn key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = key();
        let named = named(name);
        let certificate = certificate(&named, &named, &key, &key, (-1, 30), &[], true);
        Self { key, certificate }
    }

    /// What has to be trusted.
    pub(super) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// A certificate for these hosts, valid from and to so many days from now.
    pub(super) fn issue(&self, name: &str, hosts: &[&str], days: (i64, i64)) -> Issued {
        let key = key();
        let issuer = self.certificate.subject_name();
        let made = certificate(&named(name), issuer, &key, &self.key, days, hosts, false);
        Issued {
            certificate: made.to_pem().unwrap(),
            key: key.private_key_to_pem_pkcs8().unwrap(),
        }
    }
}

impl Issued {
    /// Key and certificate in one file, as brokers read them.
    pub(super) fn together(&self) -> Vec<u8> {
        [&self.key[..], &self.certificate[..]].concat()
    }
}

fn named(name: &str) -> X509Name {
    let mut named = X509NameBuilder::new().unwrap();
    named.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    named.build()
}

fn certificate(
    subject: &X509Name,
    issuer: &openssl::x509::X509NameRef,
    key: &PKey<Private>,
    signs: &PKey<Private>,
    (from, to): (i64, i64),
    hosts: &[&str],
    authority: bool,
) -> X509 {
    let mut made = X509::builder().unwrap();
    made.set_version(2).unwrap();
    let mut number = BigNum::new().unwrap();
    number.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    let number = number.to_asn1_integer().unwrap();
    made.set_serial_number(&number).unwrap();
    made.set_subject_name(subject).unwrap();
    made.set_issuer_name(issuer).unwrap();
    made.set_pubkey(key).unwrap();
    let day = i64::try_from(DAY.as_secs()).unwrap();
    let at = |days: i64| Asn1Time::from_unix(Clock.unix_ms() / 1000 + days * day).unwrap();
    made.set_not_before(&at(from)).unwrap();
    made.set_not_after(&at(to)).unwrap();
    if authority {
        let is = BasicConstraints::new().critical().ca().build().unwrap();
        made.append_extension(is).unwrap();
    }
    if !hosts.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for host in hosts {
            if host.parse::<std::net::IpAddr>().is_ok() {
                names.ip(host);
            } else {
                names.dns(host);
            }
        }
        let names = names.build(&made.x509v3_context(None, None)).unwrap();
        made.append_extension(names).unwrap();
    }
    made.sign(signs, MessageDigest::sha256()).unwrap();
    made.build()
}
