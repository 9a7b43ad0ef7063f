//! `check --online`: what only Kustomer and the brokers can say. Reads only; a handful of requests.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use ingest_core::body::attribute::Suffix;
use ingest_core::outcome::HoldCause;
use ingest_core::record::Topic;
use ingest_kafka::ReadError;
use ingest_kafka::state::inspect;
use ingest_kafka::topics::fetch_partition_counts_of;
use ingest_kustomer::classify::ReplyBody;
use ingest_kustomer::encode::{HttpRequest, Method};
use ingest_kustomer::{Client, ClientSettings, Need, TokenError};
use serde_json::Value;

use super::CommandError;
use super::check::{Finding, klasses, needs};
use crate::admin::status::what_to_do;
use crate::config::Settings;
use crate::pump::judge_state_topic;
use crate::words::plural;

/// How long the brokers may take to answer about one topic.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);
/// Klasses on one page of the list.
const PAGE: usize = 100;
/// No organisation has more pages of klasses than this.
const MAX_PAGES: usize = 20;

/// Asks both sides. A fault on one does not keep the other from being asked.
pub(super) fn findings(settings: &Settings) -> Result<Vec<Finding>, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut findings = match settings.kustomer_client() {
        Ok(client) => runtime.block_on(kustomer(settings, client)),
        Err(error) => vec![Finding::fault(
            format!("kustomer: {:#}", anyhow::Error::new(error)),
            "without the key nothing can be asked",
        )],
    };
    let (brokers, reachable) = kafka(settings);
    findings.extend(brokers);
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
    let mut findings = vec![Finding::ok(format!("key: {name}"))];
    for need in needs(settings) {
        findings.push(role(need, token.allows(need)));
    }
    let klasses = klasses(settings);
    if klasses.is_empty() {
        return findings;
    }
    if !token.allows(Need::SearchCustomers) {
        findings.push(Finding::warning(
            "the key may not search customers, so they are looked up one by one",
            format!(
                "make a key with {} too; it saves requests",
                Need::SearchCustomers.roles().join(" or ")
            ),
        ));
    }
    match existing_klasses(&client).await {
        Ok(existing) => {
            for (klass, used) in &klasses {
                if existing.contains(klass) {
                    findings.push(Finding::ok(format!("klass {klass} exists")));
                    findings.extend(attributes(&client, klass, &used.attributes).await);
                } else {
                    findings.push(Finding::fault(
                        format!("klass {klass} does not exist"),
                        "make it in Kustomer, or correct the mapping; until then its objects wait",
                    ));
                }
            }
        }
        Err(problem) => findings.push(Finding::warning(
            format!("klasses cannot be listed: {problem}"),
            format!(
                "look yourself, or make a key with {}",
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
            "a key's roles cannot be changed: make a new one with {}",
            need.roles().join(" or ")
        ),
    )
}

/// The attributes that the mapping writes to a klass and that the klass's metadata does not know.
async fn attributes(client: &Client, klass: &str, written: &[String]) -> Vec<Finding> {
    let known = match known_attributes(client, klass).await {
        Ok(known) => known,
        Err(problem) => {
            return vec![Finding::warning(
                format!("the attributes of klass {klass} cannot be read: {problem}"),
                format!(
                    "look yourself, or make a key with {}",
                    Need::ReadMetadata.roles().join(" or ")
                ),
            )];
        }
    };
    let missing = written.iter().filter(|name| !known.contains(*name));
    missing
        .map(|name| {
            let kind = Suffix::of_custom(name).map_or("", Suffix::in_words);
            Finding::warning(
                format!("klass {klass} has no attribute {name} ({kind})"),
                "add it to the klass in Kustomer, so that agents see it; the API may refuse or hide what it does not know",
            )
        })
        .collect()
}

async fn known_attributes(client: &Client, klass: &str) -> Result<BTreeSet<String>, String> {
    let document = read(client, format!("/v1/metadata/kobject.{klass}"), "metadata").await?;
    let properties = document
        .pointer("/data/attributes/properties")
        .or_else(|| document.pointer("/attributes/properties"))
        .or_else(|| document.get("properties"));
    // a klass that nobody has given any attribute need not have the key
    let properties = properties.and_then(Value::as_object);
    Ok(properties
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default())
}

async fn read(client: &Client, path: String, endpoint: &'static str) -> Result<Value, String> {
    let request = HttpRequest {
        method: Method::Get,
        path,
        body: None,
        endpoint,
    };
    let reply = client
        .exchange(request)
        .await
        .map_err(|error| error.to_string())?;
    if reply.status != 200 {
        return Err(format!("the API answered {}", reply.status));
    }
    let ReplyBody::Whole(bytes) = reply.body else {
        return Err("the answer broke off".to_owned());
    };
    serde_json::from_slice(&bytes).map_err(|_not_json| "the answer is not JSON".to_owned())
}

/// The names of all klasses of the organisation.
async fn existing_klasses(client: &Client) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for page in 1..=MAX_PAGES {
        let path = format!("/v1/klasses?pageSize={PAGE}&page={page}&status=existing_only");
        let document = read(client, path, "klasses").await?;
        let items = document.get("data").unwrap_or(&document).as_array();
        let items = items.ok_or_else(|| "the answer is not a list".to_owned())?;
        names.extend(items.iter().filter_map(klass_name));
        if items.len() < PAGE {
            break;
        }
    }
    Ok(names)
}

fn klass_name(item: &Value) -> Option<String> {
    let name = item
        .pointer("/attributes/name")
        .or_else(|| item.get("name"))?;
    name.as_str().map(str::to_owned)
}

/// Whether the state topic can be used.
async fn state(settings: &Settings, topic: &Topic) -> Vec<Finding> {
    let Ok(client) = settings.kafka_client() else {
        return Vec::new(); // said already
    };
    let found = match inspect(&client, topic, KAFKA_TIMEOUT).await {
        Ok(found) => found,
        Err(error @ ReadError::UnknownTopic { .. }) => {
            let way_out = "make it, with cleanup.policy=compact and its partitions for good: their number cannot be changed";
            return vec![Finding::fault(format!("state.topic: {error}"), way_out)];
        }
        Err(error) => return vec![unreadable(settings, &error, false)],
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
            "see yourself that its cleanup.policy is compact, or allow DescribeConfigs on it for these credentials",
        )],
    }
}

/// What the brokers say, and whether they answer.
fn kafka(settings: &Settings) -> (Vec<Finding>, bool) {
    let client = match settings.kafka_client() {
        Ok(client) => client,
        Err(error) => {
            let fault = Finding::fault(format!("kafka: {:#}", anyhow::Error::new(error)), "");
            return (vec![fault], false);
        }
    };
    let count = |topic: &Topic| {
        fetch_partition_counts_of(&client, std::slice::from_ref(topic), KAFKA_TIMEOUT)
            .map(|counts| counts.get(topic).copied().unwrap_or_default())
    };
    let mut findings = Vec::new();
    let inputs = settings.kafka.topics.iter().map(|t| (&t.topic, false));
    let letters = [&settings.kafka.dead_letter_topic];
    let letters = letters.into_iter().chain(&settings.kafka.hold_topic);
    for (topic, of_letters) in inputs.chain(letters.map(|topic| (topic, true))) {
        match count(topic) {
            Ok(partitions) => {
                findings.push(Finding::ok(format!(
                    "topic {topic} has {}",
                    plural(partitions, "partition")
                )));
            }
            Err(error) => {
                findings.push(unreadable(settings, &error, of_letters));
                // Each further topic would only wait for the same silence.
                if matches!(error, ReadError::Unreachable { .. }) {
                    return (findings, false);
                }
            }
        }
    }
    (findings, true)
}

fn unreadable(settings: &Settings, error: &ReadError, of_letters: bool) -> Finding {
    let text = format!("kafka: {error}");
    match error {
        ReadError::UnknownTopic { .. } if of_letters => Finding::warning(
            text,
            "make it, unless the brokers make topics by themselves (auto.create.topics.enable)",
        ),
        ReadError::UnknownTopic { .. } => Finding::fault(text, "make it, or correct kafka.topics"),
        ReadError::NotAuthorized { topic } => Finding::fault(
            text,
            format!("allow Describe and Read on {topic} for these credentials"),
        ),
        ReadError::Unreachable { .. } | ReadError::Start(_) => Finding::fault(
            text,
            format!(
                "are {} the right brokers, and can they be reached from here?",
                settings.kafka.brokers
            ),
        ),
    }
}
