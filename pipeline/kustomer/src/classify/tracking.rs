//! Answers to identities and tracking events.

use std::sync::Arc;

use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use super::answer::pick::{Object, Text, fields};
use super::answer::{Answer, not_empty};
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

fields! {
    /// Whose it is: by a relationship, or by the attribute of that name in a flat object.
    struct Identity<'a> {
        "relationships" => relationships: Object<Relationships<'a>>,
        "attributes" => attributes: Object<Named<'a>>,
        "customer" => customer: Text<'a>,
    }
}

fields! {
    struct Named<'a> {
        "customer" => customer: Text<'a>,
    }
}

fields! {
    struct Relationships<'a> {
        "customer" => customer: Object<Relationship<'a>>,
    }
}

fields! {
    struct Relationship<'a> {
        "data" => data: Object<Link<'a>>,
    }
}

fields! {
    struct Link<'a> {
        "id" => id: Text<'a>,
    }
}

/// The customer's id if the answer has it. The status alone says that the event was accepted: a plain event is answered
/// without any body.
pub(super) fn tracked(reply: &HttpReply) -> Outcome<Option<Arc<str>>> {
    match weigh::<_, Answer<Identity<'_>>>(Effect::Write, reply) {
        Weighed::Accepted(answer) => Outcome::Delivered(answer.and_then(customer_id)),
        Weighed::Settled(outcome) => outcome,
        // The path has no id in it: unless a field is named, this is not the API's address.
        Weighed::NotFound(errors) if errors.names_a_field() => Outcome::Reject(errors.detail()),
        Weighed::NotFound(_) => Outcome::Hold(HoldCause::Unhealthy),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

fn customer_id(answer: Answer<Identity<'_>>) -> Option<Arc<str>> {
    let identity = answer.one()??;
    let attribute = identity
        .attributes
        .and_then(|Object(attributes)| attributes?.customer);
    let named = attribute.or(identity.customer).flatten();
    let linked = identity
        .relationships
        .and_then(|Object(all)| all?.customer?.0?.data?.0?.id)
        .flatten();
    not_empty(linked.or(named).as_ref()).map(Arc::from)
}
