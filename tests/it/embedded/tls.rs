//! TLS to Kustomer: whom the worker trusts, and what it says of those that it does not trust.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// A certificate with its key.
struct Identity {
    key: PKey<Private>,
    certificate: X509,
}

/// Somebody of this name. Without a signer it signs itself, and may then sign others.
fn identity(called: &str, signer: Option<&Identity>) -> Identity {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, called).unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    let issuer = signer.map_or(&*name, |signer| signer.certificate.subject_name());
    certificate.set_issuer_name(issuer).unwrap();
    certificate.set_pubkey(&key).unwrap();
    let from = Asn1Time::days_from_now(0).unwrap();
    let to = Asn1Time::days_from_now(2).unwrap();
    certificate.set_not_before(&from).unwrap();
    certificate.set_not_after(&to).unwrap();
    let names = SubjectAlternativeName::new()
        .dns(called)
        .build(&certificate.x509v3_context(None, None))
        .unwrap();
    certificate.append_extension(names).unwrap();
    let mut may_sign = BasicConstraints::new();
    if signer.is_none() {
        may_sign.ca();
    }
    certificate
        .append_extension(may_sign.critical().build().unwrap())
        .unwrap();
    let by = signer.map_or(&key, |signer| &signer.key);
    certificate.sign(by, MessageDigest::sha256()).unwrap();
    Identity {
        certificate: certificate.build(),
        key,
    }
}

/// A server that shows this certificate.
fn acceptor(of: &Identity) -> SslAcceptor {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&of.key).unwrap();
    acceptor.set_certificate(&of.certificate).unwrap();
    acceptor.build()
}

/// A server that calls itself `localhost`, and its certificate, which nobody else has signed.
fn stranger() -> (SslAcceptor, X509) {
    let stranger = identity("localhost", None);
    (acceptor(&stranger), stranger.certificate)
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

/// Says the same to everybody who accepts the server; returns the port.
fn answering(acceptor: SslAcceptor, status: &'static str, body: String) -> u16 {
    serving(move |stream| {
        // Refused by the other side: the next one may accept.
        let Ok(mut stream) = acceptor.accept(stream) else {
            return;
        };
        let mut request = [0_u8; 4096];
        assert_ne!(stream.read(&mut request).unwrap(), 0);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).unwrap();
    })
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
    let port = answering(acceptor, "401 Unauthorized", String::new());
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

/// What `explain` says of a value with the id of a schema, when the registry is at this address and these certificates are trusted.
fn explained(registry: &str, ca: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.yaml");
    let ca = ca.display();
    let yaml = format!(
        "kafka:\n  brokers: localhost:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      encoding: registry\n      \
         mapping:\n        event: {{ name: '\"sold\"' }}\n        routes: [ {{ name: r, on: sold, customer: none, do: [ {{ kobject: sale, \
         externalId: .id, title: .id }} ] }} ]\nschema_registry: {{ url: {registry}, ca: {ca}, timeout: 10s }}\nkustomer:\n  \
         base_url: http://127.0.0.1:9\n  limit: 100\n  token: {{ env: KEY }}\n"
    );
    std::fs::write(&file, yaml).unwrap();
    // an id of a schema, and a text of two characters
    let value = STANDARD.encode(b"\x00\x00\x00\x00\x07\x04s1");
    let records = folder.path().join("records.ndjson");
    std::fs::write(&records, format!("{{\"valueBase64\":\"{value}\"}}\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
        .args(["explain", "--records", "--config"])
        .args([&file, &records])
        .env("KEY", "test-token")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("{told}{}", String::from_utf8_lossy(&output.stdout))
}

#[test]
fn a_registry_of_a_private_authority_is_trusted_by_the_certificate_of_the_authority() {
    let authority = identity("The Shop's Authority", None);
    let server = identity("localhost", Some(&authority));
    let schema = r#"{"type":"record","name":"Sale","fields":[{"name":"id","type":"string"}]}"#;
    let body = serde_json::json!({ "schema": schema }).to_string();
    let port = answering(acceptor(&server), "200 OK", body);
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("authority.pem");
    // files of authorities often have several
    let both = [
        stranger().1.to_pem().unwrap(),
        authority.certificate.to_pem().unwrap(),
    ];
    std::fs::write(&trusted, both.concat()).unwrap();
    let others = folder.path().join("others.pem");
    std::fs::write(&others, stranger().1.to_pem().unwrap()).unwrap();
    let named = format!("https://localhost:{port}");
    let said = explained(&named, &trusted);
    assert!(said.contains(r#""externalId":"s1""#), "{said}");
    // Neither another authority nor another name will do.
    for (address, ca) in [
        (&named, &others),
        (&format!("https://127.0.0.1:{port}"), &trusted),
    ] {
        let said = explained(address, ca);
        assert!(said.contains("certificate verify failed"), "{said}");
        assert!(!said.contains(r#""externalId":"s1""#), "{said}");
    }
}
