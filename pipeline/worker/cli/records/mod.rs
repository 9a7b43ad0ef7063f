//! Records that commands look at: lines of a file, and what Kafka has.

pub(in crate::cli) mod lines;
pub mod receipts;
pub(in crate::cli) mod sample;
pub(in crate::cli) mod topic;

use ingest_model::record::Topic;

use super::exit::CommandError;
use crate::config::Settings;

/// The names of the configured topics.
pub(in crate::cli) fn configured(settings: &Settings) -> String {
    let topics = settings.kafka.topics.iter();
    let names: Vec<&str> = topics.map(|one| one.topic.as_str()).collect();
    names.join(", ")
}

/// The topic of records that do not name one: the one given, or the only one.
pub(in crate::cli) fn topic(
    named: Option<&str>,
    records: bool,
    settings: &Settings,
) -> Result<Option<Topic>, CommandError> {
    let topics = &settings.kafka.topics;
    match (named, topics.as_slice()) {
        (Some(name), _) => match topics.iter().find(|t| t.topic.as_str() == name) {
            Some(found) => Ok(Some(found.topic.clone())),
            None => Err(CommandError::Usage(format!(
                "the configuration has no topic {name}; it has {}",
                configured(settings)
            ))),
        },
        (None, [only]) => Ok(Some(only.topic.clone())),
        // Records may name their own topic.
        (None, _) if records => Ok(None),
        (None, _) => Err(CommandError::Usage(format!(
            "the configuration has several topics: say which with --topic ({})",
            configured(settings)
        ))),
    }
}
