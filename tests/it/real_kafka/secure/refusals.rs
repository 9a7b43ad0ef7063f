//! Connections that do not come about: each has one clear line.

use std::process::Command;

use kustomer_ingest::clock::Clock;

use super::super::setup::Options;
use super::super::worker::TOKEN;
use super::certificates::Authority;
use super::{MTLS, World, scram};

/// What `check --online` says about the brokers.
pub(super) fn checked(world: &World, brokers: &str, properties: &str) -> String {
    let config = world.config(brokers, properties);
    let output = Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
        .args(["check", "--online", "--config"])
        .arg(config)
        .env(TOKEN.0, TOKEN.1)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = said.lines().skip_while(|line| !line.contains("kafka: "));
    lines.take(2).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_keeps_a_connection_from_coming_about_is_said_with_the_way_out() {
    let Some(world) = World::start("refusals", Options::default()).await else {
        return;
    };
    let secure = world.secure;
    secure.set_password("mallory", "SCRAM-SHA-512", "zz-secret-right");
    world.write("password", b"zz-secret-wrong");
    world.write("others.pem", &Authority::new("somebody else").pem());
    let old = secure.authority.issue("worker of old", &[], (-9, -2));
    world.write("old.pem", &old.certificate);
    world.write("old.key", &old.key);
    let stranger = Authority::new("a stranger").issue("stranger", &[], (-1, 9));
    world.write("stranger.pem", &stranger.certificate);
    world.write("stranger.key", &stranger.key);
    let sasl = secure.address("SASL");
    let mtls = secure.address("MTLS");
    let clear = secure.address("CLEAR");
    let (expired, oauth) = (secure.address("EXPIRED"), secure.address("OAUTH"));
    let by_address = sasl.replace("localhost", "127.0.0.1");
    let trusting = "ssl.ca.location: FOLDER/ca.pem";
    let password = scram("mallory", "SCRAM-SHA-512");
    let plain = scram("till", "PLAIN");
    let old = MTLS.replace("client", "old");
    let stranger = MTLS.replace("client", "stranger");
    let cases: [(&str, &str, &str, &str); 12] = [
        (
            &sasl,
            &password,
            "the brokers refuse these credentials (Authentication failed",
            "sasl.password",
        ),
        (
            &sasl,
            &plain,
            "the brokers refuse these credentials (Authentication failed: Invalid",
            "sasl.password",
        ),
        (
            &expired,
            trusting,
            "the broker's certificate is out of date (expired on ",
            "renewed",
        ),
        (
            &sasl,
            "security.protocol: SSL\nssl.ca.location: FOLDER/others.pem",
            "is not signed by anybody who is trusted (signed by the brokers' authority)",
            "ssl.ca.location",
        ),
        (
            &by_address,
            trusting,
            "the broker's certificate is for another name (for localhost, not for 127.0.0.1)",
            "advertised.listeners",
        ),
        (
            &clear,
            trusting,
            "this listener does not speak TLS",
            "security.protocol: PLAINTEXT",
        ),
        (
            &mtls,
            "security.protocol: PLAINTEXT",
            "closes connections that do not begin with TLS",
            "security.protocol: SSL",
        ),
        (
            &mtls,
            trusting,
            "want a certificate that they trust, and got none",
            "ssl.certificate.location",
        ),
        (
            &mtls,
            &old,
            "the brokers refuse this worker's certificate (expired on ",
            "has not expired",
        ),
        (
            &mtls,
            &stranger,
            "want a certificate that they trust, and got none",
            "an authority of the brokers'",
        ),
        (
            &oauth,
            &password,
            "does not offer the sasl.mechanism (Unsupported SASL mechanism: broker's supported mechanisms: OAUTHBEARER)",
            "one that this listener offers",
        ),
        (
            &mtls,
            &password,
            "want a certificate that they trust, and got none",
            "ssl.certificate.location",
        ),
    ];
    for (brokers, properties, problem, way_out) in cases {
        let begun = Clock.now();
        let said = checked(&world, brokers, properties);
        let address = format!("fault: kafka: no answer from the kafka brokers: {brokers}: ");
        assert!(said.starts_with(&address), "{problem}: {said}");
        let (found, to_do) = said.split_once('\n').unwrap();
        assert!(found.contains(problem), "{problem}: {said}");
        assert!(to_do.contains(way_out), "{way_out}: {said}");
        world
            .setup
            .say(&format!("{:.1?}: {found}", Clock.now() - begun));
    }
}
