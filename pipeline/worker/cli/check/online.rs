//! `check --online`: what only Kustomer and the brokers can tell. It only reads, with a handful of requests.

use std::time::Duration;

use anyhow::Context as _;
use ingest_kafka::diagnosis::Diagnosis;
use ingest_kafka::reader::topics::fetch_partition_counts_of;
use ingest_kafka::state::inspect;
use ingest_kafka::{KafkaSettings, ReadError};
use ingest_kustomer::{Client, ClientSettings, Need, TokenError};
use ingest_model::outcome::HoldCause;
use ingest_model::record::Topic;
use ingest_model::trouble::TroubleKind;

use super::backlog;
use super::finding::Finding;
use super::needs::roles;
use super::{quota, registry, tracing};
use crate::app::places;
use crate::cli::exit::CommandError;
use crate::cli::provision::needed::{
    COMPANIES, CUSTOMERS, bearer, company_attributes, customer_attributes, in_words, klasses,
    resource,
};
use crate::cli::provision::organisation::{existing_klasses, known_attributes};
use crate::config::Settings;
use crate::observe::advice::{Places, away, what_to_do};
use crate::observe::words::plural;
use crate::pump::judge_state_topic;

/// How long the brokers may take to answer about one topic.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks both sides. A fault on one side does not keep the other from being asked.
pub(super) fn findings(settings: &Settings) -> Result<Vec<Finding>, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut findings = match settings.kustomer_client() {
        Ok(client) => runtime.block_on(kustomer(settings, client)),
        Err(error) => vec![Finding::fault(
            format!("kustomer: {:#}", anyhow::Error::new(error)),
            "without the key, Kustomer cannot be asked",
        )],
    };
    findings.extend(runtime.block_on(registry::asked(settings)));
    findings.extend(runtime.block_on(tracing::asked(settings)));
    let (brokers, client) = kafka(settings);
    findings.extend(brokers);
    let reachable = client.is_some();
    if let Some(client) = client {
        findings.extend(backlog::findings(settings, &client, &runtime));
    }
    if let Some(topic) = settings.kafka.state_topic.as_ref().filter(|_| reachable) {
        findings.extend(runtime.block_on(state(settings, topic)));
    }
    Ok(findings)
}

async fn kustomer(settings: &Settings, client: ClientSettings) -> Vec<Finding> {
    let client = match Client::new(client) {
        Ok(client) => client,
        Err(error) => {
            return vec![Finding::fault(
                format!("kustomer: {:#}", anyhow::Error::new(error)),
                "",
            )];
        }
    };
    let token = match client.token_info().await {
        Ok(token) => token,
        Err(error) => return vec![refused(settings, error)],
    };
    let name = token.name.as_deref().unwrap_or("without a name");
    let limit = settings.kustomer.quota;
    let mut findings = vec![
        Finding::ok(format!("key: {name}")),
        quota::headroom((limit.limit(), limit.allowance()), &token.limits),
    ];
    let roles = roles(settings);
    for need in roles.needed {
        findings.push(role(need, token.allows(need)));
    }
    for (need, without) in roles.helpful {
        findings.push(helpful(need, without, token.allows(need)));
    }
    let customers = customer_attributes(settings);
    if !customers.is_empty() {
        findings.extend(attributes(&client, settings, CUSTOMERS, &customers).await);
    }
    let companies = company_attributes(settings);
    if !companies.is_empty() {
        findings.extend(attributes(&client, settings, COMPANIES, &companies).await);
    }
    let klasses = klasses(settings);
    if klasses.is_empty() {
        return findings;
    }
    match existing_klasses(&client).await {
        Ok(existing) => {
            for (klass, used) in &klasses {
                if let Some(enabled) = existing.get(klass) {
                    findings.push(if *enabled {
                        Finding::ok(format!("klass {klass} exists"))
                    } else {
                        Finding::warning(
                            format!("klass {klass} is disabled"),
                            "enable it in Kustomer, or its objects are not seen",
                        )
                    });
                    let resource = resource(klass);
                    if used.attributes.is_empty() {
                        continue; // nothing is written, only read
                    }
                    findings
                        .extend(attributes(&client, settings, &resource, &used.attributes).await);
                } else {
                    findings.push(Finding::fault(
                        format!("klass {klass} does not exist"),
                        format!(
                            "{}; until then its objects wait, and so does what they name the customer of",
                            provision(settings)
                        ),
                    ));
                }
            }
        }
        Err(problem) => findings.push(Finding::warning(
            format!("klasses cannot be listed: {problem}"),
            format!(
                "check yourself, or create a key with {}",
                Need::ReadKlasses.roles().join(" or ")
            ),
        )),
    }
    findings
}

fn refused(settings: &Settings, error: TokenError) -> Finding {
    let way_out = match &error {
        TokenError::Refused(cause) => match cause {
            HoldCause::BadToken => format!("see {}", settings.kustomer.token),
            HoldCause::Billing
            | HoldCause::MissingRole
            | HoldCause::MissingKlass
            | HoldCause::DeadLetterGuard
            | HoldCause::Quarantine
            | HoldCause::StateTopic
            | HoldCause::DeadLetterTopic
            | HoldCause::HoldTopic
            | HoldCause::LostPosition
            | HoldCause::Paused
            | HoldCause::Unhealthy => what_to_do(*cause).to_owned(),
        },
        TokenError::Unanswered(_) => {
            format!(
                "is {} the right address, and can it be reached from here?",
                settings.kustomer.base_url
            )
        }
        TokenError::Later { .. } => "ask again in a minute".to_owned(),
        TokenError::Garbled { .. } => {
            format!("is {} the right address?", settings.kustomer.base_url)
        }
    };
    Finding::fault(format!("key: {:#}", anyhow::Error::new(error)), way_out)
}

fn role(need: Need, allowed: bool) -> Finding {
    let first = need.roles().first().copied().unwrap_or_default();
    if allowed {
        return Finding::ok(format!("role {first}"));
    }
    Finding::fault(
        format!("the key lacks the role {first}"),
        format!(
            "a key's roles cannot be changed: create a new one with {}",
            need.roles().join(" or ")
        ),
    )
}

/// A role without which there is another way.
fn helpful(need: Need, without: &str, allowed: bool) -> Finding {
    let first = need.roles().first().copied().unwrap_or_default();
    if allowed {
        return Finding::ok(format!("role {first}"));
    }
    Finding::warning(
        format!("the key lacks the role {first}, so {without}"),
        format!("create a key that also has {}", need.roles().join(" or ")),
    )
}

/// The attributes that the mappings write to a klass or to customers and that the metadata lacks, in one finding.
async fn attributes(
    client: &Client,
    settings: &Settings,
    resource: &str,
    written: &[String],
) -> Option<Finding> {
    let bearer = bearer(resource);
    let known = match known_attributes(client, resource).await {
        Ok(known) => known,
        Err(problem) => {
            return Some(Finding::warning(
                format!("the attributes of {bearer} cannot be read: {problem}"),
                format!(
                    "check yourself, or create a key with {}",
                    Need::ReadMetadata.roles().join(" or ")
                ),
            ));
        }
    };
    let missing: Vec<&String> = written
        .iter()
        .filter(|name| !known.contains(*name))
        .collect();
    let way_out = format!(
        "agents do not see them, and the API may refuse what it does not know; {}",
        provision(settings)
    );
    let named: Vec<String> = missing.iter().map(|name| in_words(name)).collect();
    (!named.is_empty())
        .then(|| Finding::warning(format!("{bearer} lack {}", named.join(", ")), way_out))
}

/// How to make what is missing.
fn provision(settings: &Settings) -> String {
    format!(
        "let it be made: kustomer-ingest provision plan --config {} shows what, provision apply does it (with a key for that: \
         --token-env); or correct the mapping",
        settings.file.display()
    )
}

/// Checks whether the state topic can be used.
async fn state(settings: &Settings, topic: &Topic) -> Vec<Finding> {
    let Ok(client) = settings.kafka_client() else {
        return Vec::new(); // already reported
    };
    let found = match inspect(&client, topic, KAFKA_TIMEOUT).await {
        Ok(found) => found,
        Err(error) => return vec![unreadable(&places(settings), &error)],
    };
    if let Err(error) = judge_state_topic(topic, &found) {
        return vec![Finding::fault(error.to_string(), "")];
    }
    let partitions = plural(found.partitions, "partition");
    match found.compacted {
        Some(_) => vec![Finding::ok(format!(
            "state topic {topic} has {partitions} and is compacted"
        ))],
        None => vec![Finding::warning(
            format!(
                "state topic {topic} has {partitions}; the brokers do not say whether it is compacted"
            ),
            "check yourself that its cleanup.policy is compact, or allow DescribeConfigs on it for these credentials",
        )],
    }
}

/// What the brokers report, and a client if they answer.
fn kafka(settings: &Settings) -> (Vec<Finding>, Option<KafkaSettings>) {
    let client = match settings.kafka_client() {
        Ok(client) => client,
        Err(error) => {
            let fault = Finding::fault(format!("kafka: {:#}", anyhow::Error::new(error)), "");
            return (vec![fault], None);
        }
    };
    let count = |topic: &Topic| {
        fetch_partition_counts_of(&client, std::slice::from_ref(topic), KAFKA_TIMEOUT)
            .map(|counts| counts.get(topic).copied().unwrap_or_default())
    };
    let mut findings = Vec::new();
    let inputs = settings.kafka.topics.iter().map(|t| &t.topic);
    let letters = [&settings.kafka.dead_letter_topic];
    let letters = letters.into_iter().chain(&settings.kafka.hold_topic);
    let receipts = settings.kafka.receipts.as_ref().map(|(topic, _)| topic);
    for topic in inputs.chain(letters).chain(receipts) {
        match count(topic) {
            Ok(partitions) => {
                findings.push(Finding::ok(format!(
                    "topic {topic} has {}",
                    plural(partitions, "partition")
                )));
            }
            Err(error) => {
                findings.push(unreadable(&places(settings), &error));
                // Each further topic would only wait for the same silence.
                if matches!(error, ReadError::Unreachable { .. }) {
                    return (findings, None);
                }
            }
        }
    }
    (findings, Some(client))
}

/// A topic that cannot be read. A topic that the worker only writes to matters just as much: every record that cannot be
/// delivered would wait for it.
fn unreadable(places: &Places, error: &ReadError) -> Finding {
    let text = format!("kafka: {error}");
    let way_out = match error {
        ReadError::UnknownTopic { topic } => missing_topic(places, topic.as_str()),
        ReadError::NotAuthorized { topic } => places
            .for_topic(topic.as_str(), TroubleKind::NotAuthorized)
            .unwrap_or_default(),
        ReadError::Unreachable { detail } if Diagnosis::of(detail).is_some() => {
            away(detail).to_owned()
        }
        ReadError::Unreachable { .. } | ReadError::Start(_) => format!(
            "are {} the right brokers, and can they be reached from here?",
            places.brokers
        ),
    };
    Finding::fault(text, way_out)
}

fn missing_topic(places: &Places, topic: &str) -> String {
    let made = places
        .for_topic(topic, TroubleKind::UnknownTopic)
        .unwrap_or_default();
    match places.setting_of(topic) {
        "state.topic" => format!("{made}; the number of its partitions cannot be changed later"),
        setting => format!("{made}; or correct {setting}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_topic_that_is_not_there_is_a_fault_with_the_command_that_makes_it() {
        let places = Places {
            brokers: "k:9092".to_owned(),
            dead_letter_topic: "till.dead".to_owned(),
            hold_topic: None,
            receipts_topic: None,
            state_topic: Some("till.state".to_owned()),
        };
        for (topic, command, also) in [
            (
                "till.dead",
                "--topic till.dead --partitions 1",
                "or correct kafka.dead_letter_topic",
            ),
            (
                "till.sales",
                "--topic till.sales --partitions N",
                "or correct kafka.topics",
            ),
            (
                "till.state",
                "--topic till.state --partitions N --config cleanup.policy=compact",
                "cannot be changed later",
            ),
        ] {
            let error = ReadError::UnknownTopic {
                topic: Topic::new(topic),
            };
            let found = unreadable(&places, &error);
            assert_eq!(found.level, Level::Fault, "{found}");
            let command = format!("kafka-topics.sh --bootstrap-server k:9092 --create {command}");
            assert!(found.way_out.contains(&command), "{found}");
            assert!(found.way_out.contains(also), "{found}");
        }
    }
}
