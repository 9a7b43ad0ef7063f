//! What the organisation has, by the API: klasses and attributes (`docs/kustomer-api.md`, section 13).

use std::collections::BTreeMap;

use bytes::Bytes;
use ingest_kustomer::Client;
use ingest_kustomer::classify::ReplyBody;
use ingest_kustomer::encode::{HttpRequest, Method};
use serde_json::{Map, Value, json};

use super::needed::{Needed, title};
use super::step::Step;

/// Klasses on one page of the list.
const PAGE: usize = 100;
/// The most pages of klasses; no organisation has more.
const MAX_PAGES: usize = 20;
/// What a write of metadata may have; everything else in what was read is the API's own.
const WRITABLE: [&str; 4] = [
    "standardProperties",
    "relationships",
    "properties",
    "validations",
];
/// The parts of an attribute's definition; everything else in it is the API's own.
const PARTS: [&str; 6] = [
    "type",
    "displayName",
    "enumeration",
    "target",
    "multi",
    "sensitive",
];
/// The longest text of the API that is shown.
const LONG: usize = 300;

/// What is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Organisation {
    /// The klasses, and whether they are enabled.
    pub(super) klasses: BTreeMap<String, bool>,
    /// The attributes with their definitions by metadata resource, of those that exist.
    pub(super) attributes: BTreeMap<String, Map<String, Value>>,
}

impl Organisation {
    /// Reads what the plan has to know.
    pub(super) async fn read(client: &Client, needed: &Needed) -> Result<Self, String> {
        let klasses = existing_klasses(client)
            .await
            .map_err(|problem| format!("klasses cannot be listed: {problem}"))?;
        let mut attributes = BTreeMap::new();
        for resource in needed.attributes.keys() {
            let is_there = match resource.strip_prefix("kobject.") {
                Some(klass) => klasses.contains_key(klass),
                None => true,
            };
            if is_there {
                let known = metadata(client, resource).await.map_err(|problem| {
                    format!("the attributes of {resource} cannot be read: {problem}")
                })?;
                attributes.insert(resource.clone(), properties(&known));
            }
        }
        Ok(Self {
            klasses,
            attributes,
        })
    }
}

/// The names of all klasses of the organisation, and whether they are enabled.
pub(in crate::cli) async fn existing_klasses(
    client: &Client,
) -> Result<BTreeMap<String, bool>, String> {
    let mut klasses = BTreeMap::new();
    for page in 1..=MAX_PAGES {
        let path = format!("/v1/klasses?pageSize={PAGE}&page={page}&status=existing_only");
        let document = read(client, path, "klasses").await?;
        let items = document.get("data").unwrap_or(&document).as_array();
        let items = items.ok_or_else(|| "the answer is not a list".to_owned())?;
        klasses.extend(items.iter().filter_map(klass));
        if items.len() < PAGE {
            break;
        }
    }
    Ok(klasses)
}

fn klass(item: &Value) -> Option<(String, bool)> {
    let fields = item.get("attributes").unwrap_or(item);
    let name = fields.get("name")?.as_str()?;
    // A klass that says nothing of its status is one that can be used.
    let is_enabled = fields.get("status").and_then(Value::as_str) != Some("disabled");
    Some((name.to_owned(), is_enabled))
}

/// The names of the attributes of a metadata resource.
pub(in crate::cli) async fn known_attributes(
    client: &Client,
    resource: &str,
) -> Result<Vec<String>, String> {
    Ok(names(&metadata(client, resource).await?))
}

/// What of attributes or of their definitions is not as it was.
pub(super) fn lost(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let mut lost = Vec::new();
    for (name, before) in before {
        match (after.get(name), before) {
            (None, _) => lost.push(name.clone()),
            (Some(Value::Object(after)), Value::Object(before)) => {
                let changed = PARTS.iter().filter(|part| {
                    let value = before.get(**part).filter(|value| !value.is_null());
                    value.is_some_and(|value| after.get(**part) != Some(value))
                });
                lost.extend(changed.map(|part| format!("{part} of {name}")));
            }
            (Some(after), before) if after != before => lost.push(name.clone()),
            (Some(_), _) => {}
        }
    }
    lost
}

fn names(metadata: &Map<String, Value>) -> Vec<String> {
    properties(metadata).keys().cloned().collect()
}

/// The attributes; if nobody has made any, the key may be missing.
fn properties(metadata: &Map<String, Value>) -> Map<String, Value> {
    let properties = metadata.get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default()
}

/// A metadata resource, without what is around it in an answer.
async fn metadata(client: &Client, resource: &str) -> Result<Map<String, Value>, String> {
    let document = read(client, format!("/v1/metadata/{resource}"), "metadata").await?;
    let fields = document
        .pointer("/data/attributes")
        .or_else(|| document.get("attributes"))
        .unwrap_or(&document);
    let fields = fields.as_object();
    fields
        .cloned()
        .ok_or_else(|| "the answer is not metadata".to_owned())
}

/// Carries out a step, and looks whether it had an effect.
pub(super) async fn carry_out(client: &Client, step: &Step) -> Result<(), String> {
    match step {
        Step::Create { klass } => create(client, klass).await,
        Step::Add {
            resource,
            names,
            shown,
        } => add(client, resource, names, shown).await,
    }
}

async fn create(client: &Client, klass: &str) -> Result<(), String> {
    let body = json!({ "name": klass, "displayName": title(klass) });
    let made = write(
        client,
        Method::Post,
        "/v1/klasses".to_owned(),
        &body,
        "klasses",
    )
    .await;
    match made {
        // Somebody else was quicker, or an earlier answer was lost.
        Err(Refused {
            status: Some(409), ..
        })
        | Ok(()) => {}
        Err(refused) => {
            let there = existing_klasses(client).await;
            if !there.is_ok_and(|klasses| klasses.contains_key(klass)) {
                return Err(refused.text);
            }
        }
    }
    if existing_klasses(client).await?.contains_key(klass) {
        return Ok(());
    }
    Err("the API says that it is made, but does not list it".to_owned())
}

async fn add(
    client: &Client,
    resource: &str,
    added: &[String],
    shown: &[String],
) -> Result<(), String> {
    // What is there now, not what was there when the plan was made.
    let before = metadata(client, resource).await?;
    let mut all = properties(&before);
    for (name, shown) in added.iter().zip(shown) {
        let made = || json!({ "displayName": shown });
        all.entry(name.clone()).or_insert_with(made);
    }
    let mut body: Map<String, Value> = before
        .iter()
        .filter(|(key, value)| WRITABLE.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    body.insert("properties".to_owned(), Value::Object(all));
    let path = format!("/v1/metadata/{resource}");
    let wrote = write(client, Method::Put, path, &Value::Object(body), "metadata").await;
    let after = properties(&metadata(client, resource).await?);
    let lost = lost(&properties(&before), &after);
    if !lost.is_empty() {
        return Err(format!(
            "the API has dropped or changed {}, which it had before and which was written back as it was read: restore it in Kustomer",
            lost.join(", ")
        ));
    }
    let missing: Vec<&str> = added
        .iter()
        .filter(|name| !after.contains_key(name.as_str()))
        .map(String::as_str)
        .collect();
    match (missing.is_empty(), wrote) {
        (true, _) => Ok(()),
        (false, Err(refused)) => Err(refused.text),
        (false, Ok(())) => Err(format!(
            "the API took it, but does not show {}",
            missing.join(", ")
        )),
    }
}

/// A write that was not accepted.
struct Refused {
    status: Option<u16>,
    text: String,
}

async fn write(
    client: &Client,
    method: Method,
    path: String,
    body: &Value,
    endpoint: &'static str,
) -> Result<(), Refused> {
    let request = HttpRequest {
        method,
        path,
        body: Some(Bytes::from(body.to_string())),
        endpoint,
    };
    let reply = client.exchange(request).await.map_err(|error| Refused {
        status: None,
        text: error.to_string(),
    })?;
    if (200..300).contains(&reply.status) {
        return Ok(());
    }
    let said = match &reply.body {
        ReplyBody::Whole(bytes) => said(bytes),
        ReplyBody::Cut => String::new(),
    };
    Err(Refused {
        status: Some(reply.status),
        text: format!(
            "the API answered {}{said}{}",
            reply.status,
            way_out(reply.status)
        ),
    })
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
        return Err(format!(
            "the API answered {}{}",
            reply.status,
            way_out(reply.status)
        ));
    }
    let ReplyBody::Whole(bytes) = reply.body else {
        return Err("the answer was cut off".to_owned());
    };
    serde_json::from_slice(&bytes).map_err(|_not_json| "the answer is not JSON".to_owned())
}

/// The API's own words, shortened. Nobody's data is in them: nothing about persons was sent.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LONG)
        .collect();
    if text.trim().is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

fn way_out(status: u16) -> &'static str {
    match status {
        401 | 403 => "; does the key have the role?",
        429 => "; the organisation's requests are used up, try again in a minute",
        500..=599 => "; try again later",
        _ => "",
    }
}
