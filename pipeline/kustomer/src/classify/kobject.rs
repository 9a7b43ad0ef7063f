//! Answers to single writes and reads of objects.

use std::borrow::Cow;

use ingest_model::call::{ObjectState, Written};
use ingest_model::operation::{ExternalId, Klass, KlassKind, VERSION_ATTRIBUTE, Version};
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};
use serde_json::{Map, Value};

use super::answer::document::Document;
use super::answer::pick::{Pick, fields};
use super::answer::{Answer, Resource};
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// A create. A 404 is about the klass in the path, unless it names something in the body: the customer may have been
/// merged or deleted since its id was learnt, and so may the company of a customer.
pub(super) fn created(klass: &Klass, reply: &HttpReply) -> Outcome<Written> {
    let owner = match klass.kind() {
        KlassKind::Objects => "customer",
        KlassKind::Customers | KlassKind::Companies => "company",
    };
    match weigh(Effect::Write, reply) {
        Weighed::Accepted(answer) => Outcome::Delivered(stored(answer)),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(errors) if errors.names_missing(owner) => {
            Outcome::Delivered(Written::Gone)
        }
        Weighed::NotFound(errors) if errors.names_a_field() => Outcome::Reject(errors.detail()),
        Weighed::NotFound(_) => Outcome::Hold(match klass.kind() {
            KlassKind::Objects => HoldCause::MissingKlass,
            // Nothing about a record makes such a path wrong.
            KlassKind::Customers | KlassKind::Companies => HoldCause::Unhealthy,
        }),
        Weighed::Conflict(_) if reply.status == 409 => Outcome::Delivered(Written::Duplicate),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::Refused(errors) if errors.names_missing(owner) => {
            Outcome::Delivered(Written::Gone)
        }
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// An update. A conflict is the optimistic lock: somebody else wrote in between.
pub(super) fn updated(reply: &HttpReply) -> Outcome<Written> {
    match weigh(Effect::Write, reply) {
        Weighed::Accepted(answer) => Outcome::Delivered(stored(answer)),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Delivered(Written::Gone),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        // The company of a customer.
        Weighed::Refused(errors) if errors.names_missing("company") => {
            Outcome::Delivered(Written::Gone)
        }
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// A deletion: 204, or 404 if somebody was faster. The answer says nothing else.
pub(super) fn deleted(reply: &HttpReply) -> Outcome<Written> {
    match weigh::<_, Answer<Resource<'_, Revised>>>(Effect::Write, reply) {
        Weighed::Accepted(_) | Weighed::NotFound(_) => Outcome::Delivered(Written::Gone),
        Weighed::Settled(outcome) => outcome,
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// A read by external id. A klass that does not exist is answered with 404 as well; the object is not there either way.
pub(super) fn got(reply: &HttpReply) -> Outcome<Option<ObjectState>> {
    match weigh(Effect::Read, reply) {
        Weighed::Accepted(document) => document
            .and_then(object_state)
            .map_or(Outcome::Retry(RetryCause::Garbled), Outcome::Delivered),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Delivered(None),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// The companies that are filtered by an external id. One that shows another is not meant: then the filter is not known.
pub(super) fn filtered(
    external_id: &ExternalId,
    reply: &HttpReply,
) -> Outcome<Option<ObjectState>> {
    let outcome = got(reply);
    if let Outcome::Delivered(Some(found)) = &outcome {
        let shown = found.shown.get("externalId").and_then(Value::as_str);
        if shown != Some(&*external_id.0) {
            return Outcome::Delivered(None);
        }
    }
    outcome
}

/// The status says that it is stored; id and revision are a bonus.
fn stored(answer: Option<Answer<Resource<'_, Revised>>>) -> Written {
    let object = answer.and_then(Answer::one).flatten();
    Written::Stored {
        id: object.as_ref().and_then(Resource::id),
        rev: object.and_then(|object| object.attributes().rev?.0),
    }
}

/// The object; `Some(None)` if the answer says that there is none.
fn object_state(document: Document) -> Option<Option<ObjectState>> {
    let Some(object) = document.one()? else {
        return Some(None);
    };
    // A masked attribute is an object instead of text; then the version is unknown.
    let version = object
        .attribute("custom")
        .and_then(|custom| custom.get(VERSION_ATTRIBUTE));
    let mut state = ObjectState {
        id: object.id()?,
        rev: object.attribute("rev").and_then(rev),
        version: version.and_then(Value::as_str).map(Version::new),
        customer: object.related("customer"),
        company: object.related("company").filter(|id| is_id(id)),
        shown: Map::new(),
    };
    state.shown = document.into_attributes();
    Some(Some(state))
}

/// What identities say of a company is a name, and may be shown in the same place.
fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn rev(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fields! {
    struct Revised {
        "rev" => rev: Revision,
    }
}

/// A revision: a whole number, or one as text.
#[derive(Debug, Default)]
struct Revision(Option<i64>);

impl<'a> Pick<'a> for Revision {
    fn whole(value: u64) -> Self {
        Self(i64::try_from(value).ok())
    }

    fn negative(value: i64) -> Self {
        Self(Some(value))
    }

    fn text(value: Cow<'a, str>) -> Self {
        Self(value.parse().ok())
    }
}
