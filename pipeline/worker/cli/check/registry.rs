//! The checks of the schema registry: what its section names, and whether it answers.

use ingest_encoding::Kind;

use super::finding::Finding;
use crate::config::{Settings, TopicSettings};

/// What the registry's section names and may only exist where the worker runs, and what deserves a second look.
pub(super) fn warnings(settings: &Settings) -> Vec<Finding> {
    let Some(place) = &settings.registry else {
        return Vec::new();
    };
    let elsewhere = "it need not exist here, but where the worker runs";
    let mut findings = Vec::new();
    if let Some(Err(error)) = place.secret().map(|secret| secret.read()) {
        let text = format!("schema_registry: {:#}", anyhow::Error::from(error));
        findings.push(Finding::warning(text, elsewhere));
    }
    if let Some(path) = place.ca.as_ref().filter(|path| !path.exists()) {
        let text = format!("schema_registry.ca: there is no {}", path.display());
        findings.push(Finding::warning(text, elsewhere));
    }
    if place.url.scheme() == "http" && place.secret().is_some() {
        findings.push(Finding::warning(
            "schema_registry.url sends the secret in clear text".to_owned(),
            "use https, unless the registry is in a private network",
        ));
    }
    let asks = |topic: &TopicSettings| matches!(topic.encoding.kind(), Kind::Registry | Kind::Auto);
    if !settings.kafka.topics.iter().any(asks) {
        findings.push(Finding::warning(
            "schema_registry: no topic has encoding registry or auto".to_owned(),
            "give the topics whose values have schema ids encoding: registry, or leave the section out",
        ));
    }
    findings
}

/// Whether it answers.
pub(super) async fn asked(settings: &Settings) -> Option<Finding> {
    let place = settings.registry.as_ref()?;
    let client = match place.client() {
        Ok(client) => client,
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::new(error));
            return Some(Finding::fault(text, "without it, no schema is read"));
        }
    };
    Some(match client.probe().await {
        Ok(()) => Finding::ok(format!("schema registry {} answers", client.place())),
        Err(failure) => Finding::fault(
            format!("schema registry {}: {failure}", client.place()),
            match place.secret() {
                Some(secret) => format!(
                    "is the address right, and can it be reached from here? its secret is {secret}"
                ),
                None => "is the address right, and can it be reached from here?".to_owned(),
            },
        ),
    })
}
