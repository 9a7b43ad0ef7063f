//! How long brokers keep the records of a topic.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_model::record::Topic;

use super::configs::{TopicConfig, topic_configs};
use crate::error::StartError;
use crate::settings::KafkaSettings;

/// When brokers delete records. Both limits may apply, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// At this age, by the records' own times (`retention.ms`).
    pub age: Option<Duration>,
    /// When a partition holds more than this many bytes (`retention.bytes`).
    pub bytes: Option<u64>,
}

/// The retention of each of these topics for which the credentials have the right `DescribeConfigs`; `None` if the brokers do not
/// answer.
///
/// # Errors
/// The client refuses the settings as a whole.
pub async fn fetch_retention(
    settings: &KafkaSettings,
    topics: &[Topic],
    timeout: Duration,
) -> Result<Option<BTreeMap<Topic, Retention>>, StartError> {
    let Some(configs) = topic_configs(settings, topics, timeout).await? else {
        return Ok(None);
    };
    let known = configs
        .iter()
        .filter_map(|(topic, config)| Some((topic.clone(), Retention::of(config)?)));
    Ok(Some(known.collect()))
}

// === impl Retention ===

impl Retention {
    fn of(config: &TopicConfig) -> Option<Self> {
        let deletes = config.cleans_by("delete")?;
        Self::read(
            deletes,
            config.get("retention.ms")?,
            config.get("retention.bytes")?,
        )
    }

    fn read(deletes: bool, age: &str, bytes: &str) -> Option<Self> {
        if !deletes {
            return Some(Self::default());
        }
        // A negative number is no limit.
        let limit = |text: &str| {
            text.parse::<i64>()
                .ok()
                .map(|number| u64::try_from(number).ok())
        };
        Some(Self {
            age: limit(age)?.map(Duration::from_millis),
            bytes: limit(bytes)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_negative_or_only_compacted_has_no_limit() {
        let week = Duration::from_secs(604_800);
        for (deletes, age, bytes, expected) in [
            (true, "604800000", "-1", Some((Some(week), None))),
            (true, "-1", "1073741824", Some((None, Some(1 << 30)))),
            (true, "604800000", "7", Some((Some(week), Some(7)))),
            (false, "604800000", "7", Some((None, None))),
            (true, "soon", "7", None),
        ] {
            let expected = expected.map(|(age, bytes)| Retention { age, bytes });
            assert_eq!(
                Retention::read(deletes, age, bytes),
                expected,
                "{age} {bytes}"
            );
        }
    }
}
