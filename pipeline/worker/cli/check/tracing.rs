//! The checks of tracing: the files that its section names, and whether the collector takes spans.

use super::finding::Finding;
use crate::config::settings::TracingPlace;
use crate::config::{PropertyValue, Settings};
use ingest_traces::{Collector, ExportError};

/// What the section names and may only exist where the worker runs, and what deserves a second look.
pub(super) fn warnings(settings: &Settings) -> Vec<Finding> {
    let Some(place) = &settings.tracing else {
        return Vec::new();
    };
    let elsewhere = "it need not exist here, but where the worker runs";
    let mut findings = Vec::new();
    for (name, value) in &place.headers {
        if let Err(error) = value.read() {
            let text = format!("tracing.headers[{name}]: {:#}", anyhow::Error::from(error));
            findings.push(Finding::warning(text, elsewhere));
        }
    }
    if let Some(path) = place.ca.as_ref().filter(|path| !path.exists()) {
        let text = format!("tracing.ca: there is no {}", path.display());
        findings.push(Finding::warning(text, elsewhere));
    }
    if in_the_clear(place) {
        findings.push(Finding::warning(
            "tracing.endpoint sends the secret in clear text".to_owned(),
            "use https, unless the collector is in a private network",
        ));
    }
    findings
}

fn in_the_clear(place: &TracingPlace) -> bool {
    let secret = |(_, value): &(String, PropertyValue)| matches!(value, PropertyValue::Secret(_));
    let local = ["localhost", "127.0.0.1", "[::1]"];
    place.endpoint.scheme() == "http"
        && place.headers.iter().any(secret)
        && !local.contains(&place.endpoint.host_str().unwrap_or_default())
}

/// Whether the collector takes a request without spans. If not, the worker runs all the same.
pub(super) async fn asked(settings: &Settings) -> Option<Finding> {
    let place = settings.tracing.as_ref()?;
    let export = match place.export("check") {
        Ok(export) => export,
        Err(error) => return Some(problem(&anyhow::Error::new(error), "")),
    };
    let collector = match Collector::new(&export) {
        Ok(collector) => collector,
        Err(error) => return Some(problem(&anyhow::Error::new(error), "")),
    };
    let error = match collector.probe().await {
        Ok(()) => return Some(Finding::ok("tracing: the collector takes spans".to_owned())),
        Err(error) => error,
    };
    let way_out = match &error {
        ExportError::Header(_) => "it need not exist here, but where the worker runs".to_owned(),
        ExportError::Unanswered(_) | ExportError::Later(..) => format!(
            "is {} the right address, and can it be reached from here? Without it the worker runs, and spans are lost",
            place.endpoint
        ),
        ExportError::Refused(_) => format!(
            "does {} take OTLP over HTTP, and what it asks for in tracing.headers? Without it the worker runs, and spans are lost",
            place.endpoint
        ),
    };
    Some(problem(&anyhow::Error::new(error), &way_out))
}

fn problem(error: &anyhow::Error, way_out: &str) -> Finding {
    Finding::warning(format!("tracing: {error:#}"), way_out)
}
