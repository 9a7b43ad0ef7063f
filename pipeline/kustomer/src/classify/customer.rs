//! Answers to customer look-ups.

use std::sync::Arc;

use ingest_model::call::SearchFound;
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::{HoldCause, Outcome, RetryCause, SplitHint};
use serde_json::Value;

use super::document::Document;
use super::document::Resource;
use super::errors::ErrorReport;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// The customer's id; `None` if no customer has the key.
///
/// A read by the id of a customer that was merged into another may be answered with a redirect to the other. The redirect
/// is not followed: its path contains the id.
pub(super) fn got(key: &CustomerKey, reply: &HttpReply) -> Outcome<Option<Arc<str>>> {
    if let (CustomerKey::Id(_), 300..=399) = (key, reply.status)
        && let Some(id) = reply.location.as_deref().and_then(merged_into)
    {
        return Outcome::Delivered(Some(id));
    }
    match weigh(Effect::Read, reply) {
        Weighed::Accepted => match Document::read(reply).as_ref().and_then(Document::one) {
            Some(None) => Outcome::Delivered(None),
            Some(Some(customer)) if customer.id().is_some() => Outcome::Delivered(customer.id()),
            Some(Some(_)) | None => Outcome::Retry(RetryCause::Garbled),
        },
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Delivered(None),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// The customers found, matched to the keys that were asked for.
pub(super) fn searched(keys: &[CustomerKey], reply: &HttpReply) -> Outcome<SearchFound> {
    match weigh(Effect::Read, reply) {
        Weighed::Accepted => match Document::read(reply).as_ref().and_then(|d| d.many(&[])) {
            Some(hits) => Outcome::Delivered(matched(keys, &hits)),
            None => Outcome::Retry(RetryCause::Garbled),
        },
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Hold(HoldCause::Unhealthy),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => refused(keys, &errors),
    }
}

/// The maximum number of search terms is not documented: a smaller search may pass.
fn refused(keys: &[CustomerKey], errors: &ErrorReport) -> Outcome<SearchFound> {
    if keys.len() <= 1 {
        return Outcome::Reject(errors.detail());
    }
    Outcome::Split(SplitHint {
        item: None,
        detail: errors.detail(),
        refs_refused: false,
        too_large: false,
    })
}

fn matched(keys: &[CustomerKey], hits: &[Resource<'_>]) -> SearchFound {
    let mut found = SearchFound::default();
    for hit in hits {
        let mut known = false;
        if let Some(id) = hit.id() {
            for key in keys.iter().filter(|key| has_key(*hit, key)) {
                known = true;
                // If two customers have one key, the first one counts; a key has one answer.
                if !found.customers.iter().any(|(taken, _)| taken == key) {
                    found.customers.push((key.clone(), Arc::clone(&id)));
                }
            }
        }
        if !known {
            found.unmatched += 1;
        }
    }
    found
}

fn has_key(hit: Resource<'_>, key: &CustomerKey) -> bool {
    match key {
        CustomerKey::Id(id) => hit.id().as_ref() == Some(id),
        CustomerKey::ExternalId(wanted) => {
            values(hit, "externalId", "externalIds", "externalId").any(|v| v == wanted.as_ref())
        }
        CustomerKey::Email(wanted) => values(hit, "email", "emails", "email")
            .any(|v| v.to_lowercase() == wanted.to_lowercase()),
        CustomerKey::Phone(wanted) => {
            values(hit, "phone", "phones", "phone").any(|v| digits(v) == digits(wanted))
        }
    }
}

/// The values of a kind of key: the single attribute, and a list of objects or texts.
fn values<'a>(
    hit: Resource<'a>,
    single: &str,
    list: &str,
    inner: &'static str,
) -> impl Iterator<Item = &'a str> {
    let listed = hit
        .attribute(list)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let listed = listed.iter().filter_map(move |entry| {
        entry
            .as_str()
            .or_else(|| entry.get(inner).and_then(Value::as_str))
    });
    hit.text(single).into_iter().chain(listed)
}

/// A phone number is compared by its digits: formats differ in spaces, brackets and the leading plus.
fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// The id in `/v1/customers/{id}`, whatever host the redirect points to.
fn merged_into(location: &str) -> Option<Arc<str>> {
    let path = location.split(['?', '#']).next()?;
    let id = path.rsplit_once("/v1/customers/")?.1.trim_end_matches('/');
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| Arc::from(id))
}
