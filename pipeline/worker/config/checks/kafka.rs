//! The checks of the `kafka` section: topic names, mappings, times that depend on each other, raw properties.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ingest_kafka::{KafkaOptions, OnLostPosition, SettingsError};
use ingest_mapping::route::Pipeline;
use ingest_model::record::{Topic, Traffic};

use super::checker::Checker;
use super::mappings::Mappings;
use crate::config::defaults;
use crate::config::fault::Spot;
use crate::config::raw::{At, Leaf, RawKafka, RawProperty, RawTopic, Scalar};
use crate::config::secret::SECRET_WAY_OUT;
use crate::config::settings::units::show_duration;
use crate::config::settings::{
    BudgetSettings, KafkaSettings, KeyedBy, PropertyValue, TopicSettings,
};

/// The settings of the section, or `None` if something is missing or wrong.
pub(in crate::config) fn settings(
    raw: &RawKafka,
    state: Option<&At<Scalar>>,
    budget: Option<BudgetSettings>,
    has_registry: bool,
    checker: &mut Checker<'_>,
) -> Option<KafkaSettings> {
    let brokers = match &raw.brokers {
        Some(leaf) => checker.text(leaf),
        None => {
            checker.missing(
                &raw.place,
                "brokers",
                "give host:port of at least one broker, comma-separated",
            );
            None
        }
    };
    let group = match &raw.group {
        Some(leaf) => checker.text(leaf),
        None => {
            let way_out =
                "name the consumer group, the same for all replicas, such as kustomer-ingest";
            checker.missing(&raw.place, "group", way_out);
            None
        }
    };
    let instance_id = match &raw.instance_id {
        None => Some(None),
        Some(raw) => checker.instance_id(raw).map(Some),
    };
    let topics = checker.topics(raw, has_registry);
    let dead_letter_topic = checker.dead_letter_topic(raw);
    let hold_topic = checker.hold_topic(raw, dead_letter_topic.as_ref());
    let on_lost_position = checker.on_lost_position(&raw.on_lost_position);
    let letters = [
        dead_letter_topic.as_ref(),
        hold_topic.iter().flatten().next(),
    ];
    let receipts = checker.receipts(raw, &letters);
    let told = receipts.iter().flatten().next().map(|(topic, _)| topic);
    let [dead, held] = letters;
    let state_topic = checker.state_topic(state, raw, &[dead, held, told]);
    let properties = checker.properties(&raw.properties);
    let times = checker.times(raw);
    let (drain_timeout, commit_interval, session_timeout) = times?;
    let settings = KafkaSettings {
        brokers: brokers?,
        group: group?,
        instance_id: instance_id?,
        topics: topics?,
        dead_letter_topic: dead_letter_topic?,
        hold_topic: hold_topic?,
        receipts: receipts?,
        on_lost_position: on_lost_position?,
        state_topic: state_topic?,
        properties: properties?,
        drain_timeout,
        commit_interval,
        session_timeout,
    };
    checker.together(raw, &settings, budget).then_some(settings)
}

impl Checker<'_> {
    /// The times of the section; librdkafka's own rules for them are checked with the raw properties.
    fn times(&mut self, raw: &RawKafka) -> Option<(Duration, Duration, Option<Duration>)> {
        let secs = Duration::from_secs;
        let drain = self.duration(
            &raw.drain_timeout,
            defaults::DRAIN_TIMEOUT,
            secs(1)..=secs(600),
        );
        let commit = self.duration(
            &raw.commit_interval,
            defaults::COMMIT_INTERVAL,
            Duration::from_millis(50)..=secs(10),
        );
        let session = match &raw.session_timeout {
            None => Some(None),
            Some(leaf) => {
                let both = raw.properties.iter().any(|p| p.key == "session.timeout.ms");
                if both {
                    self.at(
                        leaf,
                        "is also set as session.timeout.ms in kafka.properties",
                        "keep one of the two",
                    );
                }
                let range = secs(1)..=secs(1800);
                self.duration(&raw.session_timeout, secs(45), range)
                    .filter(|_| !both)
                    .map(Some)
            }
        };
        Some((drain?, commit?, session?))
    }

    fn topics(&mut self, raw: &RawKafka, has_registry: bool) -> Option<Vec<TopicSettings>> {
        let example = "name at least one: - { name: shop.events, mapping: mappings/segment.yaml }";
        if raw.topics.is_empty() {
            if raw.topics_given {
                let key = format!("{}.topics", raw.place.key);
                self.fault(raw.place.spot, &key, "is empty", example);
            } else {
                self.missing(&raw.place, "topics", example);
            }
            return None;
        }
        let mut seen: HashMap<Topic, Spot> = HashMap::new();
        let mut mappings = Mappings::new(raw.hold_topic.is_some());
        let mut topics = Vec::new();
        for raw in &raw.topics {
            let topic = self.topic(raw, &mut mappings, has_registry);
            let Some(topic) = topic else { continue };
            if let Some(first) = seen.insert(topic.topic.clone(), raw.place.spot) {
                let key = format!("{}.name", raw.place.key);
                let problem = format!(
                    "the topic {} is already in line {}",
                    topic.topic, first.line
                );
                self.fault(
                    raw.place.spot,
                    &key,
                    &problem,
                    "keep one of the two; one mapping may have many routes",
                );
            }
            topics.push(topic);
        }
        (topics.len() == raw.topics.len() && topics.len() == seen.len()).then_some(topics)
    }

    fn topic(
        &mut self,
        raw: &RawTopic,
        mappings: &mut Mappings,
        has_registry: bool,
    ) -> Option<TopicSettings> {
        let topic = match &raw.name {
            Some(leaf) => self.topic_name(leaf),
            None => {
                self.missing(&raw.place, "name", "name the topic to read");
                None
            }
        };
        let pipeline = self.pipeline(raw, mappings);
        let format = pipeline.as_ref().map(Pipeline::format);
        let encoding = self.encoding(&raw.encoding, format, has_registry);
        let words: Vec<&str> = KeyedBy::ALL.iter().map(|k| k.as_str()).collect();
        let keyed_by = match &raw.keyed_by {
            Some(leaf) => self
                .one_of(leaf, &words)
                .and_then(|word| KeyedBy::ALL.iter().copied().find(|k| k.as_str() == word)),
            None => Some(KeyedBy::default()),
        };
        let traffic = self.traffic(&raw.traffic);
        let weight = self.weight(&raw.weight);
        let by_customer = keyed_by == Some(KeyedBy::Customer);
        Some(TopicSettings {
            topic: topic?,
            encoding: encoding?,
            pipeline: pipeline?.keyed_by_customer(by_customer),
            keyed_by: keyed_by?,
            traffic: traffic?,
            weight: weight?,
        })
    }

    fn on_lost_position(&mut self, leaf: &Leaf) -> Option<OnLostPosition> {
        let Some(leaf) = leaf else {
            return Some(OnLostPosition::default());
        };
        let words: Vec<&str> = OnLostPosition::ALL.iter().map(|one| one.as_str()).collect();
        let word = self.one_of(leaf, &words)?;
        let mut all = OnLostPosition::ALL.iter().copied();
        all.find(|one| one.as_str() == word)
    }

    fn traffic(&mut self, leaf: &Leaf) -> Option<Option<Traffic>> {
        let Some(leaf) = leaf else {
            return Some(None);
        };
        let mut words = vec!["auto"];
        words.extend(Traffic::ALL.iter().map(|traffic| traffic.as_str()));
        let word = self.one_of(leaf, &words)?;
        Some(
            Traffic::ALL
                .iter()
                .copied()
                .find(|one| one.as_str() == word),
        )
    }

    fn properties(&mut self, raw: &[At<RawProperty>]) -> Option<BTreeMap<String, PropertyValue>> {
        let mut all = BTreeMap::new();
        let mut good = true;
        for property in raw {
            match self.property(property) {
                Some(value) => {
                    all.insert(property.key.clone(), value);
                }
                None => good = false,
            }
        }
        good.then_some(all)
    }

    fn property(&mut self, raw: &At<RawProperty>) -> Option<PropertyValue> {
        let name = raw.key.as_str();
        let key = format!("kafka.properties[{name}]");
        match &raw.value {
            RawProperty::Secret(secret) => self.secret(secret).map(PropertyValue::Secret),
            RawProperty::Plain(_) if is_secret(name) => {
                let problem = "a secret must not be in the configuration";
                self.fault(raw.spot, &key, problem, SECRET_WAY_OUT);
                None
            }
            RawProperty::Plain(scalar) => {
                let value = scalar.to_string();
                // Each on its own, so that every faulty property is reported.
                match ingest_kafka::KafkaSettings::check_property(name, &value) {
                    Ok(()) => Some(PropertyValue::Plain(value)),
                    Err(error) => {
                        let (problem, way_out) = explain(&error);
                        self.fault(raw.spot, &key, &problem, &way_out);
                        None
                    }
                }
            }
        }
    }

    fn instance_id(&mut self, raw: &At<RawProperty>) -> Option<PropertyValue> {
        let value = match &raw.value {
            RawProperty::Secret(place) => return self.secret(place).map(PropertyValue::Secret),
            RawProperty::Plain(scalar) => scalar.to_string(),
        };
        let mut options = KafkaOptions::new("localhost:9092", "g", &["t"], "d");
        options.instance_id = Some(value.clone());
        match ingest_kafka::KafkaSettings::try_new(options) {
            Ok(_) => Some(PropertyValue::Plain(value)),
            Err(error) => {
                let (problem, _) = explain(&error);
                let way_out =
                    "give each replica its own, such as { env: POD_NAME }, or leave it out";
                self.fault(raw.spot, &raw.key, &problem, way_out);
                None
            }
        }
    }

    /// Problems that only appear with all settings together, such as a drain that is longer than the poll interval.
    fn together(
        &mut self,
        raw: &RawKafka,
        settings: &KafkaSettings,
        budget: Option<BudgetSettings>,
    ) -> bool {
        let Err(error) = settings.without_secrets(budget) else {
            return true;
        };
        let (leaf, key) = match &error {
            SettingsError::DrainTooLong { .. } => (&raw.drain_timeout, "drain_timeout"),
            SettingsError::Invalid {
                setting: "brokers", ..
            } => (&raw.brokers, "brokers"),
            // The configuration key that sets this property.
            SettingsError::Refused { property, reason }
                if property == "session.timeout.ms" && raw.session_timeout.is_some() =>
            {
                if let Some(leaf) = &raw.session_timeout {
                    self.fault(leaf.spot, &leaf.key, "cannot be set here", reason);
                }
                return false;
            }
            SettingsError::SessionTooLong { .. } => (&raw.session_timeout, "session_timeout"),
            SettingsError::Refused { property, .. }
            | SettingsError::Unknown { property }
            | SettingsError::Value { property, .. }
            | SettingsError::Insecure { property, .. } => {
                // What is missing belongs to the others of its kind.
                let find =
                    |wanted: &dyn Fn(&str) -> bool| raw.properties.iter().find(|p| wanted(&p.key));
                let kind = property.split('.').next().unwrap_or_default();
                let found = find(&|key| key == property);
                let found = found.or_else(|| find(&|key| key.split('.').next() == Some(kind)));
                let spot = found.map_or(raw.place.spot, |p| p.spot);
                let (problem, way_out) = explain(&error);
                self.fault(
                    spot,
                    &format!("kafka.properties[{property}]"),
                    &problem,
                    &way_out,
                );
                return false;
            }
            SettingsError::Invalid { .. } => (&None, "properties"),
        };
        let spot = leaf.as_ref().map_or(raw.place.spot, |leaf| leaf.spot);
        let (problem, way_out) = explain(&error);
        self.fault(
            spot,
            &format!("{}.{key}", raw.place.key),
            &problem,
            &way_out,
        );
        false
    }
}

/// Whether a property is a secret, which has to be a reference and never a literal.
fn is_secret(property: &str) -> bool {
    let name = property.to_ascii_lowercase();
    ["password", "passphrase", "secret", "key.pem"]
        .iter()
        .any(|part| name.contains(part))
}

/// What is wrong, and what to do.
fn explain(error: &SettingsError) -> (String, String) {
    match error {
        SettingsError::Invalid { problem, .. } => (problem.clone(), String::new()),
        SettingsError::Refused { reason, .. } => ("cannot be set here".to_owned(), reason.clone()),
        SettingsError::Insecure {
            problem, way_out, ..
        } => (problem.clone(), way_out.clone()),
        SettingsError::Unknown { .. } => (
            "is not a setting of the Kafka client".to_owned(),
            "check the spelling against librdkafka's list of configuration properties".to_owned(),
        ),
        SettingsError::Value { detail, .. } => (
            format!("has a value that the Kafka client refuses{detail}"),
            "give one that librdkafka documents for it".to_owned(),
        ),
        SettingsError::SessionTooLong { session, max_poll } => (
            format!(
                "a session time-out of {} is longer than max.poll.interval.ms, {}",
                show_duration(*session),
                show_duration(*max_poll)
            ),
            "shorten it, or lengthen max.poll.interval.ms in kafka.properties".to_owned(),
        ),
        SettingsError::DrainTooLong { drain, max_poll } => (
            format!(
                "a drain of {} is not shorter than max.poll.interval.ms, {}",
                show_duration(*drain),
                show_duration(*max_poll)
            ),
            "shorten it, or lengthen max.poll.interval.ms in kafka.properties".to_owned(),
        ),
    }
}
