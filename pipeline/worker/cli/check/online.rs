//! `check --online`: what only Kustomer and the brokers can tell. It only reads, with a handful of requests.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use ingest_kafka::ReadError;
use ingest_kafka::reader::topics::fetch_partition_counts_of;
use ingest_kafka::state::inspect;
use ingest_kustomer::classify::ReplyBody;
use ingest_kustomer::encode::{HttpRequest, Method};
use ingest_kustomer::{BaseUrl, Client, ClientSettings, Need, TokenError};
use ingest_mapping::body::attribute::Suffix;
use ingest_model::outcome::HoldCause;
use ingest_model::record::Topic;
use ingest_model::trouble::TroubleKind;
use serde_json::{Value, json};

use super::finding::Finding;
use super::needs::{klasses, roles};
use super::registry;
use crate::app::places;
use crate::cli::exit::CommandError;
use crate::config::Settings;
use crate::observe::advice::{Places, what_to_do};
use crate::observe::words::plural;
use crate::pump::judge_state_topic;

/// How long the brokers may take to answer about one topic.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);
/// The metadata resource for customers.
const CUSTOMERS: &str = "customer";
/// The one for companies.
const COMPANIES: &str = "company";
/// Klasses on one page of the list.
const PAGE: usize = 100;
/// The most pages of klasses; no organisation has more.
const MAX_PAGES: usize = 20;

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
    let roles = roles(settings);
    for need in roles.needed {
        findings.push(role(need, token.allows(need)));
    }
    for (need, without) in roles.helpful {
        findings.push(helpful(need, without, token.allows(need)));
    }
    let api = &settings.kustomer.base_url;
    let customers = customer_attributes(settings);
    if !customers.is_empty() {
        findings.extend(attributes(&client, api, CUSTOMERS, &customers).await);
    }
    let companies = company_attributes(settings);
    if !companies.is_empty() {
        findings.extend(attributes(&client, api, COMPANIES, &companies).await);
    }
    let klasses = klasses(settings);
    if klasses.is_empty() {
        return findings;
    }
    match existing_klasses(&client).await {
        Ok(existing) => {
            for (klass, used) in &klasses {
                if existing.contains(klass) {
                    findings.push(Finding::ok(format!("klass {klass} exists")));
                    let resource = format!("kobject.{klass}");
                    if used.attributes.is_empty() {
                        continue; // nothing is written, only read
                    }
                    findings.extend(attributes(&client, api, &resource, &used.attributes).await);
                } else {
                    findings.push(Finding::fault(
                        format!("klass {klass} does not exist"),
                        "create it in Kustomer, or correct the mapping; until then its objects wait, and so does what they name the customer of",
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

/// The attributes of customers that the mappings write.
fn customer_attributes(settings: &Settings) -> Vec<String> {
    let topics = settings.kafka.topics.iter();
    let written = topics.flat_map(|topic| topic.pipeline.mapping().customer_attributes());
    BTreeSet::from_iter(written).into_iter().collect()
}

/// The attributes of companies that the mappings write.
fn company_attributes(settings: &Settings) -> Vec<String> {
    let topics = settings.kafka.topics.iter();
    let written = topics.flat_map(|topic| topic.pipeline.mapping().company_attributes());
    BTreeSet::from_iter(written).into_iter().collect()
}

/// The attributes that the mappings write to a klass or to customers and that the metadata lacks, in one finding.
async fn attributes(
    client: &Client,
    api: &BaseUrl,
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
    let way_out = provision(api, resource, &missing);
    let named: Vec<String> = missing.iter().map(|name| in_words(name)).collect();
    (!named.is_empty())
        .then(|| Finding::warning(format!("{bearer} lack {}", named.join(", ")), way_out))
}

/// Whose attributes a metadata resource describes.
fn bearer(resource: &str) -> String {
    match resource.strip_prefix("kobject.") {
        Some(klass) => format!("objects of klass {klass}"),
        None if resource == COMPANIES => "companies".to_owned(),
        None => "customers".to_owned(),
    }
}

fn in_words(name: &str) -> String {
    let kind = Suffix::of_custom(name).map_or("", Suffix::in_words);
    format!("{name} ({kind})")
}

/// The command that adds attributes to the metadata. Whether a write merges or replaces is not documented, so existing
/// attributes are written back.
fn provision(api: &BaseUrl, resource: &str, missing: &[&String]) -> String {
    let added = missing
        .iter()
        .map(|name| ((*name).clone(), json!({ "displayName": title(name) })));
    let added = Value::Object(added.collect());
    let url = format!("{}/v1/metadata/{resource}", api.as_str());
    format!(
        "add them, so that agents see them (the API may refuse or hide what it does not know), with a key that has {}: \
         curl -sf -H \"Authorization: Bearer $ADMIN_KEY\" {url} -o attributes.json && \
         jq '{{properties: ((.data.attributes.properties // .attributes.properties // .properties // error(\"no properties: see docs/setup.md\")) + \
         {added})}}' attributes.json > attributes.new.json && \
         curl -f -X PUT -H \"Authorization: Bearer $ADMIN_KEY\" -H 'Content-Type: application/json' {url} --data @attributes.new.json",
        Need::UpdateMetadata
            .roles()
            .first()
            .copied()
            .unwrap_or_default(),
    )
}

/// A name in words, without its type: `firstOrderAt` becomes `First Order`.
fn title(name: &str) -> String {
    let base = match Suffix::of_custom(name) {
        Ok(suffix) => name.strip_suffix(suffix.as_str()).unwrap_or(name),
        Err(_illegal) => name,
    };
    let mut title = String::new();
    for (at, c) in base.chars().enumerate() {
        match c {
            '_' | '-' => title.push(' '),
            _ if at == 0 || title.ends_with(' ') => title.extend(c.to_uppercase()),
            _ if c.is_uppercase() => {
                title.push(' ');
                title.push(c);
            }
            _ => title.push(c),
        }
    }
    title
}

async fn known_attributes(client: &Client, resource: &str) -> Result<BTreeSet<String>, String> {
    let document = read(client, format!("/v1/metadata/{resource}"), "metadata").await?;
    let properties = document
        .pointer("/data/attributes/properties")
        .or_else(|| document.pointer("/attributes/properties"))
        .or_else(|| document.get("properties"));
    // If nobody has created any attribute, the key may be missing.
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
        return Err("the answer was cut off".to_owned());
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

/// What the brokers report, and whether they answer.
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
    let inputs = settings.kafka.topics.iter().map(|t| &t.topic);
    let letters = [&settings.kafka.dead_letter_topic];
    let letters = letters.into_iter().chain(&settings.kafka.hold_topic);
    for topic in inputs.chain(letters) {
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
                    return (findings, false);
                }
            }
        }
    }
    (findings, true)
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

    #[test]
    fn attributes_that_are_missing_come_with_one_command_that_adds_them_all() {
        let api = BaseUrl::parse("https://till.api.kustomerapp.com/").unwrap();
        let names = ["firstOrderAt".to_owned(), "loyalty_tierStr".to_owned()];
        let command = provision(&api, "customer", &names.iter().collect::<Vec<_>>());
        let url = "https://till.api.kustomerapp.com/v1/metadata/customer";
        assert_eq!(command.matches(url).count(), 2, "{command}");
        let added = r#"{"firstOrderAt":{"displayName":"First Order"},"loyalty_tierStr":{"displayName":"Loyalty Tier"}}"#;
        assert!(
            command.contains(&format!(") + {added})}}' attributes.json")),
            "{command}"
        );
        assert!(command.contains("org.permission.metadata.update"));
        assert_eq!(bearer("customer"), "customers");
        assert_eq!(bearer("kobject.sale"), "objects of klass sale");
    }
}
