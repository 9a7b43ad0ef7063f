//! `tracing`: the collector of spans.

use std::time::Duration;

use url::Url;

use super::Checker;
use crate::config::defaults;
use crate::config::raw::{At, RawProperty, RawTracing};
use crate::config::secret::SECRET_WAY_OUT;
use crate::config::settings::{PropertyValue, TracingPlace};

const EXAMPLE: &str =
    "give the collector's address for OTLP over HTTP, such as http://otel-collector:4318";

impl Checker<'_> {
    pub(super) fn tracing(&mut self, raw: &RawTracing) -> Option<TracingPlace> {
        let endpoint = match &raw.endpoint {
            None => {
                self.missing(&raw.place, "endpoint", EXAMPLE);
                None
            }
            Some(leaf) => {
                let text = self.text(leaf);
                text.and_then(|text| {
                    let read = collector(&text);
                    read.map_err(|problem| self.at(leaf, problem, EXAMPLE)).ok()
                })
            }
        };
        let headers = raw.headers.iter().map(|one| self.header(one));
        // every one of them is checked
        let headers: Vec<Option<_>> = headers.collect();
        let ca = match &raw.ca {
            None => Some(None),
            Some(leaf) => self.text(leaf).map(|path| Some(self.path(&path))),
        };
        let (short, long) = (Duration::from_millis(100), Duration::from_secs(60));
        let timeout = self.duration(&raw.timeout, defaults::TRACING_TIMEOUT, short..=long);
        let interval = self.duration(&raw.interval, defaults::TRACING_INTERVAL, short..=long);
        let queue = self.whole(&raw.queue, defaults::TRACING_QUEUE, 100..=10_000);
        let ratio = self.number(&raw.ratio, defaults::TRACING_RATIO);
        let ratio = ratio.filter(|ratio| {
            let good = (0.0..=1.0).contains(ratio);
            if let (false, Some(leaf)) = (good, &raw.ratio) {
                let way_out = "give the part of the records to follow, from 0 to 1";
                self.at(leaf, &format!("{ratio} is out of range"), way_out);
            }
            good
        });
        let spans = self.whole(
            &raw.spans_per_second,
            defaults::TRACING_SPANS_PER_SECOND,
            1..=10_000,
        );
        Some(TracingPlace {
            endpoint: endpoint?,
            headers: headers.into_iter().collect::<Option<_>>()?,
            ca: ca?,
            timeout: timeout?,
            interval: interval?,
            queue: usize::try_from(queue?).ok()?,
            ratio: ratio?,
            spans_per_second: u32::try_from(spans?).ok()?,
        })
    }

    fn header(&mut self, raw: &At<RawProperty>) -> Option<(String, PropertyValue)> {
        let (name, key) = (&raw.key, format!("tracing.headers[{}]", raw.key));
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(legal) {
            let problem = format!("`{name}` is not the name of a header");
            self.fault(raw.spot, &key, &problem, "use letters, digits and hyphens");
            return None;
        }
        let value = match &raw.value {
            RawProperty::Secret(place) => PropertyValue::Secret(self.secret(place)?),
            RawProperty::Plain(_) if is_secret(name) => {
                let problem = "a secret must not be in the configuration";
                self.fault(raw.spot, &key, problem, SECRET_WAY_OUT);
                return None;
            }
            RawProperty::Plain(value) => PropertyValue::Plain(value.to_string()),
        };
        Some((name.clone(), value))
    }
}

/// Headers whose values open something.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let secrets = [
        "auth", "key", "token", "secret", "password", "team", "cookie",
    ];
    secrets.iter().any(|part| name.contains(part))
}

/// The address in a text. It may have a password, so it is not shown.
fn collector(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_e| "is not an address")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("is no address of http or https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it; they belong into tracing.headers");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment");
    }
    if url.port() == Some(4317) {
        return Err("has the port of OTLP over gRPC; OTLP over HTTP has 4318");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{parse, show_duration};

    fn tracing(section: &str) -> Result<TracingPlace, String> {
        let text = format!(
            "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      mapping:\n        \
             routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ]\nkustomer:\n  base_url: http://127.0.0.1:1\n  \
             limit: 100\n  token: {{ env: T }}\ntracing: {section}\n"
        );
        let settings = parse(Path::new("/etc/w.yaml"), &text).map_err(|faults| faults.to_string());
        Ok(settings?.tracing.expect("the section is there"))
    }

    #[test]
    fn a_collector_is_all_that_has_to_be_named() {
        let place = tracing("{ endpoint: 'http://collector:4318' }").unwrap();
        assert_eq!(place.endpoint.as_str(), "http://collector:4318/");
        assert_eq!((place.ratio, place.spans_per_second), (0.01, 100));
        assert_eq!(place.queue, 2_048);
        let place = tracing(
            "{ endpoint: 'https://c/otlp', ca: ca.pem, headers: { authorization: { file: token }, x-scope-orgid: 7 }, ratio: 1 }",
        );
        let place = place.unwrap();
        assert_eq!(place.ca.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(place.headers.len(), 2);
        assert_eq!(place.headers[1].1.read().unwrap(), "7");
    }

    #[test]
    fn what_would_not_work_is_refused_and_no_secret_is_shown() {
        for (section, expected) in [
            ("{ ratio: 0.5 }", "tracing.endpoint: is missing"),
            ("{ endpoint: collector }", "is not an address"),
            ("{ endpoint: 'grpc://c:4317' }", "is no address of http"),
            ("{ endpoint: 'http://c:4317' }", "OTLP over gRPC"),
            ("{ endpoint: 'http://u:s3cret@c' }", "tracing.headers"),
            ("{ endpoint: 'http://c?s3cret' }", "has a query"),
            (
                "{ endpoint: 'http://c', ratio: 1.5 }",
                "1.5 is out of range",
            ),
            ("{ endpoint: 'http://c', queue: 5 }", "5 is out of range"),
            ("{ endpoint: 'http://c', timeout: 5 }", "tracing.timeout"),
            (
                "{ endpoint: 'http://c', headers: { Authorization: s3cret } }",
                "a secret must not be in the configuration",
            ),
            (
                "{ endpoint: 'http://c', headers: { x-honeycomb-team: s3cret } }",
                "a secret must not be in the configuration",
            ),
            ("{ endpoint: 'http://c', headers: [ a ] }", "not a map"),
            (
                "{ endpoint: 'http://c', headers: { 'a b': x } }",
                "name of a header",
            ),
        ] {
            let faults = tracing(section).expect_err(section);
            assert!(faults.contains(expected), "{section}: {faults}");
            assert!(!faults.contains("s3cret"), "{faults}");
        }
    }

    #[test]
    fn the_documented_defaults_are_the_workers() {
        let documented = include_str!("../../../../docs/configuration.md");
        for (key, default) in [
            ("timeout", show_duration(defaults::TRACING_TIMEOUT)),
            ("interval", show_duration(defaults::TRACING_INTERVAL)),
            ("queue", defaults::TRACING_QUEUE.to_string()),
            ("ratio", defaults::TRACING_RATIO.to_string()),
            (
                "spans_per_second",
                defaults::TRACING_SPANS_PER_SECOND.to_string(),
            ),
        ] {
            let row = format!("| `tracing.{key}` |");
            let row = documented.lines().find(|line| line.starts_with(&row));
            assert!(row.unwrap().contains(&format!("| `{default}` |")), "{key}");
        }
    }
}
