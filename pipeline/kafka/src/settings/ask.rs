//! What the client library says about properties: whether they exist, and whether their values are valid.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::options::is_secret;
use crate::error::SettingsError;

/// Asks the client library about one property.
pub(super) fn ask_one(property: &str, value: &str) -> Result<(), SettingsError> {
    let mut config = ClientConfig::new();
    config.set(property, value);
    ask(&config)
}

/// Asks the client library about every property of a configuration.
pub(super) fn ask(config: &ClientConfig) -> Result<(), SettingsError> {
    config.create_native_config().map(drop).map_err(describe)
}

/// The effective value of a property, which may be the client's default.
pub(super) fn milliseconds(
    config: &ClientConfig,
    property: &'static str,
) -> Result<Duration, SettingsError> {
    let native = config.create_native_config().map_err(describe)?;
    let text = native.get(property).map_err(describe)?;
    let count = text
        .trim()
        .parse()
        .map_err(|_not_a_number| SettingsError::Value {
            property: property.to_owned(),
            detail: String::new(),
        })?;
    Ok(Duration::from_millis(count))
}

/// The client's error without the value, which may be a secret and is part of the client's text.
fn describe(error: KafkaError) -> SettingsError {
    let KafkaError::ClientConfig(kind, text, property, value) = error else {
        // The only other error is a name or value that contains a zero byte.
        return SettingsError::Value {
            property: "(one of them)".to_owned(),
            detail: ": it contains a zero byte".to_owned(),
        };
    };
    if kind == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN {
        return SettingsError::Unknown { property };
    }
    let hidden = is_secret(&property) || text.trim().is_empty();
    let detail = if hidden {
        String::new()
    } else {
        format!(" ({value:?}): {text}")
    };
    SettingsError::Value { property, detail }
}
