//! Payloads of others, which are no part of the project.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// The files of a folder of samples; nothing where there are none.
#[expect(
    clippy::disallowed_methods,
    reason = "the place of the samples is no configuration of the worker"
)]
#[expect(
    clippy::print_stderr,
    reason = "a test that cannot run says so where people look"
)]
fn samples(folder: &str) -> Vec<(PathBuf, Value<'static>)> {
    let Ok(root) = std::env::var("INGEST_SAMPLES") else {
        eprintln!("NOT RUN: the samples of {folder}, because INGEST_SAMPLES is not set");
        return Vec::new();
    };
    let folder = Path::new(&root).join(folder);
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == "json"));
    let read = files.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let value = Value::read(&text).unwrap().into_owned();
        (path, value)
    });
    let found: Vec<_> = read.collect();
    assert!(!found.is_empty(), "no samples in {}", folder.display());
    found
}

#[test]
fn every_sample_of_shopify_decodes() {
    for (path, value) in samples("shopify") {
        // the collection has `{topic, api_version, payload}`; without a topic, the file is named after it
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let topic = value
            .get("topic")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned);
        let topic = topic.unwrap_or_else(|| format!("{}/update", stem.split('-').nth(1).unwrap()));
        let body = value.get("payload").unwrap();
        let relayed = event(Format::Shopify, body, &[("x-shopify-topic", &topic)]);
        assert_eq!(relayed.name, topic, "{stem}");
        assert_eq!(&relayed.payload, body, "{stem}");
        // the anonymous ones have words instead of times
        let is_real = stem.starts_with("doc");
        assert!(!is_real || relayed.notes.bad_time().is_none(), "{stem}");
        if value.get("topic").is_some_and(|topic| !topic.is_null()) {
            let wrapped = event(Format::Shopify, &value, &[]);
            assert_eq!(
                (wrapped.name, wrapped.customer),
                (relayed.name, relayed.customer),
                "{stem}"
            );
        }
    }
}

#[test]
fn every_sample_of_stripe_decodes() {
    for (path, value) in samples("stripe") {
        let event = event(Format::Stripe, &value, &[]);
        assert!(
            event.id.is_some() && event.notes.is_empty(),
            "{}: {:?}",
            path.display(),
            event.notes
        );
        let names_customer = value
            .get("data")
            .and_then(|data| data.get("object")?.get("customer")?.as_str())
            .is_some();
        assert!(
            !names_customer || event.customer.external_id.is_some(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_sample_of_carriers_decodes() {
    for (path, value) in samples("easypost") {
        // the answer of another endpoint: no event
        if path.ends_with("refunds-retrieve.json") {
            assert_eq!(
                rejected(Format::Easypost, &value, &[]).reason,
                Rejection::FormatMismatch
            );
            continue;
        }
        let event = event(Format::Easypost, &value, &[]);
        assert!(
            event.id.is_some() && event.time.is_some(),
            "{}",
            path.display()
        );
    }
    for (path, value) in samples("aftership") {
        let event = event(Format::Aftership, &value, &[]);
        assert!(
            event.id.is_some() && event.time.is_some(),
            "{}",
            path.display()
        );
    }
}
