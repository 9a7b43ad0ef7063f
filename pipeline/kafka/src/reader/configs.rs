//! Questions that only the client's admin side can ask: the configuration of topics.

use std::time::Duration;

use ingest_model::record::Topic;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, OwnedResourceSpecifier, ResourceSpecifier,
};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::client::log::ClientLog;
use crate::error::StartError;
use crate::settings::KafkaSettings;

/// The admin client's callbacks: only its log.
#[derive(Default)]
struct AdminLog(ClientLog);

/// The configuration of one topic.
pub(crate) struct TopicConfig(ConfigResource);

/// The configuration of each of these topics that the credentials may ask about; `None` if there is no answer, and some brokers never
/// give one.
///
/// # Errors
/// The client refuses the settings as a whole.
pub(crate) async fn topic_configs(
    settings: &KafkaSettings,
    topics: &[Topic],
    timeout: Duration,
) -> Result<Option<Vec<(Topic, TopicConfig)>>, StartError> {
    let admin =
        AdminClient::from_config_and_context(settings.producer_config(), AdminLog::default())
            .map_err(|error| StartError::Client {
                detail: error.to_string(),
            })?;
    let wanted = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic.as_str()));
    let wanted: Vec<ResourceSpecifier<'_>> = wanted.collect();
    let options = AdminOptions::new().request_timeout(Some(timeout));
    let answered = tokio::time::timeout(timeout, admin.describe_configs(&wanted, &options)).await;
    let Ok(Ok(answers)) = answered else {
        return Ok(None);
    };
    let known = answers.into_iter().filter_map(Result::ok);
    let named = known.filter_map(|resource| match &resource.specifier {
        OwnedResourceSpecifier::Topic(name) => Some((Topic::new(name), TopicConfig(resource))),
        OwnedResourceSpecifier::Group(_) | OwnedResourceSpecifier::Broker(_) => None,
    });
    Ok(Some(named.collect()))
}

// === impl TopicConfig ===

impl TopicConfig {
    /// The value of one property.
    pub(crate) fn get(&self, property: &str) -> Option<&str> {
        self.0.get(property)?.value.as_deref()
    }

    /// Whether the topic's cleanup policy includes this word; `None` if the brokers do not say.
    pub(crate) fn cleans_by(&self, word: &str) -> Option<bool> {
        let policy = self.get("cleanup.policy")?;
        Some(policy.split(',').any(|one| one.trim() == word))
    }
}

// === impl AdminLog ===

impl ClientContext for AdminLog {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        self.0.line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let text = format!("{error}: {reason}");
        self.0.line(RDKafkaLogLevel::Warning, "ADMIN", &text);
    }
}
