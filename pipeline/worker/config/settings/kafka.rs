//! How the Kafka client's settings come from the configuration and its secrets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ingest_kafka::settings::oauth::{self, Oauth};
use ingest_kafka::settings::security::Connection;
use ingest_kafka::{BrokerToken, KafkaOptions, Prefetch, SettingsError, TokenSource};
use ingest_tokens::{TokenKeeper, TokenSettings};
use secrecy::ExposeSecret as _;

use super::{BudgetSettings, KafkaSettings, PropertyValue, Settings};
use crate::clock::Clock;
use crate::config::pauses::Pausable;
use crate::config::secret::SecretError;

/// The part of the budget that may be prefetched, as a divisor.
const PREFETCH_PART: u64 = 4;
/// How long one request for a token may take.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the Kafka client's settings cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientSettingsError {
    /// A secret among the properties cannot be read.
    #[error("kafka.properties[{property}]")]
    Secret {
        /// The property.
        property: String,
        /// The reason.
        #[source]
        source: SecretError,
    },
    /// The instance id cannot be read.
    #[error("kafka.instance_id")]
    InstanceId(#[source] SecretError),
    /// Tokens cannot be asked for.
    #[error("kafka.properties[sasl.oauthbearer.…]")]
    Tokens(#[source] anyhow::Error),
    /// The client refuses the settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Tokens for brokers, from a token endpoint.
#[derive(Debug)]
struct Tokens {
    client: String,
    keeper: TokenKeeper,
}

fn tokens(oauth: &Oauth<'_>) -> anyhow::Result<Tokens> {
    let ca = oauth.authorities.map(|path| {
        std::fs::read(path).with_context(|| format!("https.ca.location: cannot read {path}"))
    });
    let settings = TokenSettings {
        endpoint: oauth.endpoint.parse().context(oauth::ENDPOINT)?,
        client_id: oauth.client_id.to_owned(),
        client_secret: oauth.client_secret.into(),
        scope: oauth.scope.map(str::to_owned),
        ca: ca.transpose()?,
        timeout: TOKEN_TIMEOUT,
    };
    Ok(Tokens {
        client: oauth.client_id.to_owned(),
        keeper: TokenKeeper::new(settings, || Clock.unix_ms())?,
    })
}

impl TokenSource for Tokens {
    fn token(&self) -> Result<BrokerToken, String> {
        let token = self.keeper.token().map_err(|error| error.to_string())?;
        Ok(BrokerToken {
            value: token.value.expose_secret().to_owned(),
            principal: self.client.clone(),
            expires_ms: token.expires_ms,
        })
    }
}

// === impl Settings ===

impl Settings {
    /// The settings of a member of the consumer group, with its name and secrets read now.
    ///
    /// # Errors
    ///
    /// When a secret or the name cannot be read, or the client refuses a setting that it could not check before.
    pub fn kafka_member(&self) -> Result<ingest_kafka::KafkaSettings, ClientSettingsError> {
        let instance_id = self.kafka.instance_id.as_ref().map(PropertyValue::read);
        let instance_id = instance_id
            .transpose()
            .map_err(ClientSettingsError::InstanceId)?;
        self.kafka_settings(instance_id)
    }

    /// The Kafka client's settings for programs that do not join the group, with secrets read now. The name of a member
    /// is not needed.
    ///
    /// # Errors
    ///
    /// As [`Self::kafka_member`].
    pub fn kafka_client(&self) -> Result<ingest_kafka::KafkaSettings, ClientSettingsError> {
        self.kafka_settings(None)
    }

    fn kafka_settings(
        &self,
        instance_id: Option<String>,
    ) -> Result<ingest_kafka::KafkaSettings, ClientSettingsError> {
        let mut properties = BTreeMap::new();
        for (name, value) in &self.kafka.properties {
            let value = value.read().map_err(|source| ClientSettingsError::Secret {
                property: name.clone(),
                source,
            })?;
            properties.insert(name.clone(), value);
        }
        let budget = Some(self.budget);
        let mut options = self.kafka.options(properties, instance_id, budget);
        if let Some(oauth) = Oauth::of(&options.properties) {
            let tokens = tokens(&oauth).map_err(ClientSettingsError::Tokens)?;
            options.tokens = Some(Arc::new(tokens));
        }
        Ok(ingest_kafka::KafkaSettings::try_new(options)?)
    }
}

// === impl KafkaSettings ===

impl KafkaSettings {
    /// What can be paused.
    #[must_use]
    pub fn pausable(&self) -> Pausable {
        let topics = self.topics.iter();
        Pausable::of(topics.map(|one| (&one.topic, one.pipeline.mapping())))
    }

    /// How the brokers are connected to, as far as it is known without secrets.
    ///
    /// # Errors
    ///
    /// When credentials would be sent in the clear or not at all, or are not complete.
    pub fn connection(&self) -> Result<Connection, SettingsError> {
        let known = self.properties.iter().map(|(name, value)| {
            let value = match value {
                PropertyValue::Plain(value) => Some(value.clone()),
                PropertyValue::Secret(_) => None,
            };
            (name.clone(), value)
        });
        Connection::of(&self.brokers, &known.collect())
    }

    /// Checks everything together that is known without secrets.
    pub(in crate::config) fn without_secrets(
        &self,
        budget: Option<BudgetSettings>,
    ) -> Result<(), SettingsError> {
        let plain = self.properties.iter();
        let plain = plain.filter_map(|(name, value)| match value {
            PropertyValue::Plain(value) => Some((name.clone(), value.clone())),
            PropertyValue::Secret(_) => None,
        });
        ingest_kafka::KafkaSettings::check_apart(self.options(plain.collect(), None, budget))?;
        self.connection().map(drop)
    }

    /// The client's options with these raw properties. A quarter of the budget may be prefetched.
    fn options(
        &self,
        properties: BTreeMap<String, String>,
        instance_id: Option<String>,
        budget: Option<BudgetSettings>,
    ) -> KafkaOptions {
        let topics: Vec<&str> = self.topics.iter().map(|t| t.topic.as_str()).collect();
        let dead_letters = self.dead_letter_topic.as_str();
        let mut options = KafkaOptions::new(&self.brokers, &self.group, &topics, dead_letters);
        options.properties = properties;
        options.instance_id = instance_id;
        if let Some(timeout) = self.session_timeout {
            let name = "session.timeout.ms".to_owned();
            options
                .properties
                .insert(name, timeout.as_millis().to_string());
        }
        options.state_topic = self
            .state_topic
            .as_ref()
            .map(|topic| topic.as_str().to_owned());
        options.drain_deadline = self.drain_timeout;
        options.on_lost_position = self.on_lost_position;
        if let Some(budget) = budget {
            let part = |n: u64| usize::try_from(n / PREFETCH_PART).unwrap_or(usize::MAX);
            options.prefetch = Prefetch {
                records: part(budget.records),
                bytes: part(budget.bytes),
            };
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    /// What is said about a configuration for these brokers with these properties.
    fn said(brokers: &str, properties: &str) -> String {
        let text = format!(
            "kafka:\n  brokers: {brokers}\n  group: g\n  dead_letter_topic: d\n  properties:\n{properties}  topics:\n    \
             - name: t\n      mapping: {{ routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ] }}\nkustomer:\n  \
             base_url: http://127.0.0.1:1\n  limit: 100\n  token: {{ env: T }}\n"
        );
        match parse(Path::new("w.yaml"), &text) {
            Ok(settings) => format!("{:?}", settings.kafka.connection().unwrap()),
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn what_is_unsafe_or_not_complete_is_told_with_its_line_and_the_way_out() {
        let scram = "    sasl.mechanism: SCRAM-SHA-512\n    sasl.username: u\n    sasl.password: { env: P }\n";
        let clear = said(
            "k:9092",
            &format!("    security.protocol: SASL_PLAINTEXT\n{scram}"),
        );
        assert!(clear.contains("w.yaml:6:"), "{clear}");
        assert!(clear.contains("kafka.properties[security.protocol]: SASL_PLAINTEXT sends the credentials in clear text to k:9092"), "{clear}");
        assert!(clear.contains("use SASL_SSL and a TLS listener"), "{clear}");
        let unused = said(
            "k:9092",
            "    security.protocol: SSL\n    sasl.username: u\n",
        );
        assert!(
            unused.contains("sasl.username would not be used"),
            "{unused}"
        );
        let half = said(
            "k:9092",
            "    sasl.mechanism: PLAIN\n    sasl.username: u\n",
        );
        assert!(half.contains("w.yaml:6:"), "{half}");
        assert!(
            half.contains("kafka.properties[sasl.password]: PLAIN needs it, and it is missing"),
            "{half}"
        );
        let good = said("k:9092", scram);
        assert!(good.contains("SaslSsl"), "{good}");
    }
}
