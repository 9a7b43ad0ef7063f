//! TLS to Kustomer: whom the worker trusts, and what it says of those that it does not trust.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kustomer::{BaseUrl, Client, ClientSettings};
use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::Klass;
use ingest_model::outcome::{Outcome, RetryCause};
use ingest_model::trouble::{Trouble, TroubleKind};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};

/// A server that calls itself `localhost`, and its certificate, which nobody else has signed.
fn stranger() -> (SslAcceptor, X509) {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "localhost")
        .unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    let from = Asn1Time::days_from_now(0).unwrap();
    let to = Asn1Time::days_from_now(2).unwrap();
    certificate.set_not_before(&from).unwrap();
    certificate.set_not_after(&to).unwrap();
    let names = SubjectAlternativeName::new()
        .dns("localhost")
        .build(&certificate.x509v3_context(None, None))
        .unwrap();
    certificate.append_extension(names).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let certificate = certificate.build();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    (acceptor.build(), certificate)
}

/// Does this with every connection; returns the port.
fn serving(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    port
}

/// Why a write to this port could not be sent.
async fn failure(port: u16) -> Trouble {
    let address = BaseUrl::parse(&format!("https://localhost:{port}")).unwrap();
    let mut settings = ClientSettings::new(address, "test-token".into());
    settings.connect_timeout = Duration::from_secs(10);
    settings.total_timeout = Duration::from_secs(20);
    let call = Call::CreateKObject {
        klass: Klass("order".into()),
        body: Body::default(),
    };
    let reply = Client::new(settings).unwrap().send(&call).await;
    let not_sent = CallResult::Written(Outcome::Retry(RetryCause::Network));
    assert_eq!(reply.result, not_sent, "{:?}", reply.trouble);
    reply.trouble.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_the_reason_is_said() {
    let (acceptor, _) = stranger();
    let port = serving(move |stream| drop(acceptor.accept(stream)));
    let trouble = failure(port).await;
    assert_eq!(trouble.kind, TroubleKind::Tls);
    assert_eq!(
        &*trouble.words,
        format!("localhost:{port}: certificate verify failed (self-signed certificate)")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_told_from_a_connection_that_breaks() {
    let plain = serving(|mut stream| {
        let mut hello = [0_u8; 64];
        assert_ne!(stream.read(&mut hello).unwrap(), 0);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
            .unwrap();
    });
    let trouble = failure(plain).await;
    assert_eq!(trouble.kind, TroubleKind::Tls);
    assert_eq!(
        &*trouble.words,
        format!("localhost:{plain}: wrong version number")
    );
    // Closed while the greeting is unread: a reset.
    let reset = serving(|stream| {
        let mut first = [0_u8; 1];
        assert_eq!(stream.peek(&mut first).unwrap(), 1);
    });
    let trouble = failure(reset).await;
    assert_eq!(trouble.kind, TroubleKind::NotConnected, "{}", trouble.words);
}

/// What `check --online` says about this base URL, when it is told to trust the certificates in a file.
fn checked(broker: &EmbeddedBroker, base_url: &str, trusted: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.yaml");
    let brokers = broker.bootstrap_servers();
    let yaml = format!(
        "kafka:\n  brokers: {brokers}\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      mapping:\n        \
         routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ]\nkustomer:\n  base_url: {base_url}\n  \
         limit: 100\n  token: {{ env: KEY }}\n"
    );
    std::fs::write(&file, yaml).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
        .args(["check", "--online", "--config"])
        .arg(&file)
        .env("KEY", "test-token")
        .env("SSL_CERT_FILE", trusted)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_certificates_of_the_file_in_the_environment_are_trusted_for_their_names() {
    let (acceptor, certificate) = stranger();
    let port = serving(move |stream| {
        // Refused by the other side: the next one may accept.
        let Ok(mut stream) = acceptor.accept(stream) else {
            return;
        };
        let mut request = [0_u8; 4096];
        assert_ne!(stream.read(&mut request).unwrap(), 0);
        stream
            .write_all(
                b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            )
            .unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, certificate.to_pem().unwrap()).unwrap();
    let others = folder.path().join("others.pem");
    std::fs::write(&others, stranger().1.to_pem().unwrap()).unwrap();
    let broker = EmbeddedBroker::start(&[("t", 1), ("d", 1)]).unwrap();
    let named = format!("https://localhost:{port}");
    let said = checked(&broker, &named, &trusted);
    assert!(
        said.contains("the API refused the key: bad_token"),
        "{said}"
    );
    let said = checked(&broker, &named, &others);
    assert!(said.contains("certificate verify failed"), "{said}");
    let said = checked(&broker, &format!("https://127.0.0.1:{port}"), &trusted);
    assert!(
        said.contains("certificate verify failed (IP address mismatch)"),
        "{said}"
    );
}
