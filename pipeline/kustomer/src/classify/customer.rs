//! Answers to customer look-ups.

use std::borrow::Cow;
use std::sync::Arc;

use ingest_model::call::{CustomerFound, SearchFound};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::{HoldCause, Outcome, RetryCause, SplitHint};
use serde::de::SeqAccess;

use super::answer::pick::{Object, Pick, Text, TextOr, fields, next};
use super::answer::{Answer, Nothing, Resource, Subject};
use super::errors::ErrorReport;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// The most characters of an external id.
const MAX_EXTERNAL_ID: usize = 256;

/// The customer; `None` if nobody has the key. Where it was read by its id, with the keys that it shows.
///
/// A read by the id of a customer that was merged into another may be answered with a redirect to the other. The redirect
/// is not followed: its path contains the id.
pub(super) fn got(key: &CustomerKey, reply: &HttpReply) -> Outcome<Option<CustomerFound>> {
    if let (CustomerKey::Id(_), 300..=399) = (key, reply.status)
        && let Some(id) = reply.location.as_deref().and_then(merged_into)
    {
        return Outcome::Delivered(Some(id.into()));
    }
    match weigh::<_, Answer<Resource<'_, Shown<'_>>>>(Effect::Read, reply) {
        Weighed::Accepted(answer) => match answer.and_then(Answer::one) {
            Some(None) => Outcome::Delivered(None),
            Some(Some(customer)) => match (customer.id(), key) {
                (Some(id), CustomerKey::Id(_)) => {
                    let keys = shown_keys(&customer.attributes());
                    Outcome::Delivered(Some(CustomerFound { id, keys }))
                }
                (Some(id), _) => Outcome::Delivered(Some(id.into())),
                (None, _) => Outcome::Retry(RetryCause::Garbled),
            },
            None => Outcome::Retry(RetryCause::Garbled),
        },
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Delivered(None),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// The customers found, matched to the keys that were asked for.
pub(super) fn searched(keys: &[CustomerKey], reply: &HttpReply) -> Outcome<SearchFound> {
    match weigh::<_, Answer<Nothing, Hits<'_>>>(Effect::Read, reply) {
        Weighed::Accepted(answer) => match answer.map(|answer| answer.subject) {
            Some(Subject::Many(Hits(hits))) => Outcome::Delivered(matched(keys, &hits)),
            Some(Subject::Nothing | Subject::One(_) | Subject::Odd) | None => {
                Outcome::Retry(RetryCause::Garbled)
            }
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

fn matched(keys: &[CustomerKey], hits: &[Hit<'_>]) -> SearchFound {
    let mut found = SearchFound::default();
    for hit in hits {
        let mut known = false;
        if let Some((id, shown)) = &hit.customer {
            for key in keys.iter().filter(|key| has_key(id, shown, key)) {
                known = true;
                // If two customers have one key, the first one counts; a key has one answer.
                if !found.customers.iter().any(|(taken, _)| taken == key) {
                    found.customers.push((key.clone(), Arc::clone(id)));
                }
            }
        }
        if !known {
            found.unmatched += 1;
        }
    }
    found
}

/// The objects in a list.
#[derive(Debug, Default)]
struct Hits<'a>(Vec<Hit<'a>>);

/// One of them; a customer if it has an id.
#[derive(Debug)]
struct Hit<'a> {
    customer: Option<(Arc<str>, Box<Shown<'a>>)>,
}

impl<'a> Pick<'a> for Hits<'a> {
    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let mut hits = Vec::new();
        while let Some(Object(hit)) = next::<Object<Resource<'a, Shown<'a>>>, A>(&mut list)? {
            hits.extend(hit.map(|hit| Hit {
                customer: hit.id().map(|id| (id, Box::new(hit.attributes()))),
            }));
        }
        Ok(Self(hits))
    }
}

fields! {
    /// The keys of a customer: the single ones, and lists of objects or texts.
    struct Shown<'a> {
        "externalId" => external_id: Text<'a>,
        "externalIds" => external_ids: List<'a>,
        "email" => email: Text<'a>,
        "emails" => emails: List<'a>,
        "phone" => phone: Text<'a>,
        "phones" => phones: List<'a>,
    }
}

/// A list of keys, without what cannot be one.
#[derive(Debug, Default)]
struct List<'a>(Vec<Listed<'a>>);

/// An entry of a list of keys: the key as text, or an object with it.
type Listed<'a> = TextOr<'a, Contact<'a>>;

fields! {
    struct Contact<'a> {
        "externalId" => external_id: Text<'a>,
        "email" => email: Text<'a>,
        "phone" => phone: Text<'a>,
    }
}

impl<'a> Pick<'a> for List<'a> {
    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let mut kept = Vec::new();
        while let Some(entry) = next::<Listed<'a>, A>(&mut list)? {
            if entry.has_text() {
                kept.push(entry);
            }
        }
        Ok(Self(kept))
    }
}

impl Listed<'_> {
    fn has_text(&self) -> bool {
        let Contact {
            external_id,
            email,
            phone,
        } = &self.object;
        let inner = [external_id, email, phone];
        self.text.is_some() || inner.iter().any(|text| matches!(text, Some(Some(_))))
    }
}

/// By what the tracking API knows this customer: one key of each kind. A masked or odd one is as good as none.
fn shown_keys(shown: &Shown<'_>) -> Vec<CustomerKey> {
    let (single, list) = (shown.external_id.as_ref(), shown.external_ids.as_ref());
    let external_id = values(single, list, |c| c.external_id.as_ref())
        .find(|id| !id.trim().is_empty() && id.chars().count() <= MAX_EXTERNAL_ID);
    let (single, list) = (shown.email.as_ref(), shown.emails.as_ref());
    let email = values(single, list, |c| c.email.as_ref()).find(|email| email.trim().contains('@'));
    let (single, list) = (shown.phone.as_ref(), shown.phones.as_ref());
    let phone = values(single, list, |c| c.phone.as_ref()).find(|phone| {
        let digits = phone.strip_prefix('+').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    let keys = [
        external_id.map(|id| CustomerKey::ExternalId(Arc::from(id))),
        email.map(|email| CustomerKey::Email(Arc::from(email.to_lowercase()))),
        phone.map(|phone| CustomerKey::Phone(Arc::from(phone))),
    ];
    keys.into_iter().flatten().collect()
}

fn has_key(id: &Arc<str>, shown: &Shown<'_>, key: &CustomerKey) -> bool {
    match key {
        CustomerKey::Id(wanted) => id == wanted,
        CustomerKey::ExternalId(wanted) => {
            let (single, list) = (shown.external_id.as_ref(), shown.external_ids.as_ref());
            values(single, list, |c| c.external_id.as_ref()).any(|v| v == wanted.as_ref())
        }
        CustomerKey::Email(wanted) => {
            let (single, list) = (shown.email.as_ref(), shown.emails.as_ref());
            let wanted = wanted.to_lowercase();
            values(single, list, |c| c.email.as_ref()).any(|v| v.to_lowercase() == wanted)
        }
        CustomerKey::Phone(wanted) => {
            let (single, list) = (shown.phone.as_ref(), shown.phones.as_ref());
            let wanted = digits(wanted);
            values(single, list, |c| c.phone.as_ref()).any(|v| digits(v) == wanted)
        }
        CustomerKey::Owner(_) => false,
    }
}

/// The values of a kind of key: the single attribute, and those of the list.
fn values<'s, 'a>(
    single: Option<&'s Text<'a>>,
    list: Option<&'s List<'a>>,
    inner: impl Fn(&'s Contact<'a>) -> Option<&'s Text<'a>>,
) -> impl Iterator<Item = &'s str> {
    let single = single.and_then(Option::as_ref);
    let listed = list.into_iter().flat_map(|list| &list.0);
    let listed = listed.filter_map(move |entry| {
        let in_object = || inner(&entry.object)?.as_ref();
        entry.text.as_ref().or_else(in_object)
    });
    single.into_iter().chain(listed).map(Cow::as_ref)
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
