//! Answers to single writes and reads of objects.

use ingest_model::call::{ObjectState, Written};
use ingest_model::operation::{VERSION_ATTRIBUTE, Version};
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};
use serde_json::Value;

use super::document::Document;
use super::document::Resource;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// A create. A 404 is about the klass in the path, unless it names something in the body: the customer may have been
/// merged or deleted since its id was learnt.
pub(super) fn created(reply: &HttpReply) -> Outcome<Written> {
    match weigh(Effect::Write, reply) {
        Weighed::Accepted => Outcome::Delivered(stored(reply)),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(errors) if errors.names_missing_customer() => {
            Outcome::Delivered(Written::Gone)
        }
        Weighed::NotFound(errors) if errors.names_a_field() => Outcome::Reject(errors.detail()),
        Weighed::NotFound(_) => Outcome::Hold(HoldCause::MissingKlass),
        Weighed::Conflict(_) if reply.status == 409 => Outcome::Delivered(Written::Duplicate),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::Refused(errors) if errors.names_missing_customer() => {
            Outcome::Delivered(Written::Gone)
        }
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// An update. A conflict is the optimistic lock: somebody else wrote in between.
pub(super) fn updated(reply: &HttpReply) -> Outcome<Written> {
    match weigh(Effect::Write, reply) {
        Weighed::Accepted => Outcome::Delivered(stored(reply)),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Delivered(Written::Gone),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// A read by external id. A klass that does not exist is answered with 404 as well; the object is not there either way.
pub(super) fn got(reply: &HttpReply) -> Outcome<Option<ObjectState>> {
    match weigh(Effect::Read, reply) {
        Weighed::Accepted => match Document::read(reply).as_ref().and_then(Document::one) {
            Some(None) => Outcome::Delivered(None),
            Some(Some(object)) => object_state(object)
                .map_or(Outcome::Retry(RetryCause::Garbled), |state| {
                    Outcome::Delivered(Some(state))
                }),
            None => Outcome::Retry(RetryCause::Garbled),
        },
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) => Outcome::Delivered(None),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

/// The status says that it is stored; id and revision are a bonus.
fn stored(reply: &HttpReply) -> Written {
    let document = Document::read(reply);
    let object = document.as_ref().and_then(Document::one).flatten();
    Written::Stored {
        id: object.and_then(Resource::id),
        rev: object.and_then(rev),
    }
}

fn object_state(object: Resource<'_>) -> Option<ObjectState> {
    // A masked attribute is an object instead of text; then the version is unknown.
    let version = object
        .attribute("custom")
        .and_then(|custom| custom.get(VERSION_ATTRIBUTE));
    Some(ObjectState {
        id: object.id()?,
        rev: rev(object),
        version: version.and_then(Value::as_str).map(Version::new),
        customer: object.related("customer"),
        shown: object.attributes(),
    })
}

fn rev(object: Resource<'_>) -> Option<i64> {
    let value = object.attribute("rev")?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
