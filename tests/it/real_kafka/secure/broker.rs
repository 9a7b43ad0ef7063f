//! A broker with a listener for each way to connect: in the clear for the judge, SASL within TLS, TLS with a client's
//! certificate, and one whose certificate has expired.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _};

use super::super::broker::{Broker, TAG, engine, kept};
use super::certificates::{Authority, Issued};

/// The user of PLAIN, and the password.
pub(super) const PLAIN_USER: (&str, &str) = ("till", "zz-secret-till");
const SECRETS: &str = "/etc/kafka/secrets";

/// The broker that all these tests share.
pub(super) struct Secure {
    pub(super) authority: Authority,
    container: String,
    ports: BTreeMap<&'static str, u16>,
}

const LISTENERS: [(&str, &str); 5] = [
    ("CLEAR", "PLAINTEXT"),
    ("SASL", "SASL_SSL"),
    ("MTLS", "SSL"),
    ("EXPIRED", "SSL"),
    ("OAUTH", "SASL_SSL"),
];

static SECURE: LazyLock<Result<Secure, String>> = LazyLock::new(start);

/// The broker; `None`, with a message, if there is no Docker engine.
pub(super) async fn secure(test: &str) -> Option<&'static Secure> {
    if !engine(test).await {
        return None;
    }
    let started = tokio::task::spawn_blocking(|| SECURE.as_ref()).await;
    Some(started.unwrap().unwrap_or_else(|cause| panic!("{cause}")))
}

impl Secure {
    /// The listener in the clear.
    pub(super) fn judge(&self) -> Broker {
        Broker {
            address: self.address("CLEAR"),
        }
    }

    /// The address of a listener.
    pub(super) fn address(&self, listener: &str) -> String {
        format!("localhost:{}", self.ports[listener])
    }

    /// Gives a user of SCRAM a password, or another one.
    pub(super) fn set_password(&self, user: &str, mechanism: &str, password: &str) {
        let passwords = format!("{mechanism}=[password={password}]");
        let broker = format!("localhost:{}", self.ports["CLEAR"]);
        let output = Command::new("docker")
            .args(["exec", &self.container, "/opt/kafka/bin/kafka-configs.sh"])
            .args([
                "--bootstrap-server",
                &broker,
                "--alter",
                "--add-config",
                &passwords,
            ])
            .args(["--entity-type", "users", "--entity-name", user])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

fn start() -> Result<Secure, String> {
    let authority = Authority::new("the brokers' authority");
    let hosts = ["localhost"];
    let broker = authority.issue("broker", &hosts, (-1, 30));
    let expired = authority.issue("broker of old", &hosts, (-9, -2));
    let ports: BTreeMap<&str, u16> = LISTENERS
        .iter()
        .map(|(name, _)| (*name, free_port()))
        .collect();
    let request = request(&authority, &broker, &expired, &ports);
    let container = kept(request)?;
    Ok(Secure {
        authority,
        container,
        ports,
    })
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn request(
    authority: &Authority,
    broker: &Issued,
    expired: &Issued,
    ports: &BTreeMap<&str, u16>,
) -> ContainerRequest<GenericImage> {
    let each = |form: &dyn Fn(&str, u16, &str) -> String| {
        let all = LISTENERS.map(|(name, protocol)| form(name, ports[name], protocol));
        all.join(",")
    };
    let (user, password) = PLAIN_USER;
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let image = GenericImage::new("apache/kafka", TAG)
        .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"));
    let mut request = image.with_startup_timeout(Duration::from_secs(240));
    for port in ports.values() {
        request = request.with_mapped_port(*port, port.tcp());
    }
    let settings = [
        ("NODE_ID", "1".to_owned()),
        ("PROCESS_ROLES", "broker,controller".to_owned()),
        ("CONTROLLER_QUORUM_VOTERS", "1@localhost:29093".to_owned()),
        ("CONTROLLER_LISTENER_NAMES", "CONTROLLER".to_owned()),
        ("INTER_BROKER_LISTENER_NAME", "CLEAR".to_owned()),
        (
            "LISTENERS",
            each(&|name, port, _| format!("{name}://0.0.0.0:{port}"))
                + ",CONTROLLER://localhost:29093",
        ),
        (
            "ADVERTISED_LISTENERS",
            each(&|name, port, _| format!("{name}://localhost:{port}")),
        ),
        (
            "LISTENER_SECURITY_PROTOCOL_MAP",
            each(&|name, _, protocol| format!("{name}:{protocol}")) + ",CONTROLLER:PLAINTEXT",
        ),
        ("OFFSETS_TOPIC_REPLICATION_FACTOR", "1".to_owned()),
        ("TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1".to_owned()),
        ("TRANSACTION_STATE_LOG_MIN_ISR", "1".to_owned()),
        ("GROUP_INITIAL_REBALANCE_DELAY_MS", "0".to_owned()),
        ("AUTO_CREATE_TOPICS_ENABLE", "false".to_owned()),
        // A wrong password is answered at once.
        ("CONNECTION_FAILED_AUTHENTICATION_DELAY_MS", "20".to_owned()),
        // Old credentials do not last: they have to be proved again after this time.
        (
            "LISTENER_NAME_SASL_CONNECTIONS_MAX_REAUTH_MS",
            "8000".to_owned(),
        ),
        ("SSL_KEYSTORE_TYPE", "PEM".to_owned()),
        ("SSL_KEYSTORE_LOCATION", format!("{SECRETS}/broker.pem")),
        ("SSL_TRUSTSTORE_TYPE", "PEM".to_owned()),
        (
            "SSL_TRUSTSTORE_LOCATION",
            format!("{SECRETS}/authority.pem"),
        ),
        ("LISTENER_NAME_EXPIRED_SSL_KEYSTORE_TYPE", "PEM".to_owned()),
        (
            "LISTENER_NAME_EXPIRED_SSL_KEYSTORE_LOCATION",
            format!("{SECRETS}/expired.pem"),
        ),
        ("LISTENER_NAME_MTLS_SSL_CLIENT_AUTH", "required".to_owned()),
        (
            "LISTENER_NAME_SASL_SASL_ENABLED_MECHANISMS",
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        ),
        (
            "LISTENER_NAME_SASL_PLAIN_SASL_JAAS_CONFIG",
            format!("{plain} user_{user}=\"{password}\";"),
        ),
        (
            "LISTENER_NAME_SASL_SCRAM___SHA___256_SASL_JAAS_CONFIG",
            scram.to_owned(),
        ),
        (
            "LISTENER_NAME_SASL_SCRAM___SHA___512_SASL_JAAS_CONFIG",
            scram.to_owned(),
        ),
    ];
    for (name, value) in settings.into_iter().chain(super::tokens::broker_settings()) {
        request = request.with_env_var(format!("KAFKA_{name}"), value);
    }
    for (name, content) in [
        ("broker.pem", broker.together()),
        ("expired.pem", expired.together()),
        ("authority.pem", authority.pem()),
        ("keys.json", super::tokens::keys()),
    ] {
        request = request.with_copy_to(format!("{SECRETS}/{name}"), content);
    }
    request
}
