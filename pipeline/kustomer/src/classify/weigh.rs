//! What the status alone decides, the same for every endpoint.

use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use super::answer::Accepted;
use super::errors::ErrorReport;
use super::reply::HttpReply;

/// What a call may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it may be repeated at will.
    Read,
    /// Something: whether it happened matters.
    Write,
}

/// An answer after the general rules; each endpoint decides the rest.
#[derive(Debug)]
pub(super) enum Weighed<T, A> {
    /// 2xx, with what is wanted of the body if that can be read.
    Accepted(Option<A>),
    /// Decided.
    Settled(Outcome<T>),
    /// 404, 410.
    NotFound(ErrorReport),
    /// 409, 412, 423.
    Conflict(ErrorReport),
    /// 413.
    TooLarge(ErrorReport),
    /// 400 and every other refusal that is about what was sent.
    Refused(ErrorReport),
}

/// Sorts an answer by its status, and reads `A` of one that is accepted.
pub(super) fn weigh<'a, T, A: Accepted<'a>>(effect: Effect, reply: &'a HttpReply) -> Weighed<T, A> {
    if let Some(cause) = hold_of_status(reply.status) {
        return Weighed::Settled(Outcome::Hold(cause));
    }
    match reply.status {
        200..=299 => accepted(effect, reply),
        404 | 410 => Weighed::NotFound(ErrorReport::read(reply)),
        409 | 412 | 423 => Weighed::Conflict(ErrorReport::read(reply)),
        413 => Weighed::TooLarge(ErrorReport::read(reply)),
        // The server did not take the whole request, or not on this connection: nothing was written.
        408 | 421 | 425 => Weighed::Settled(Outcome::Retry(RetryCause::Network)),
        429 => Weighed::Settled(Outcome::Retry(quota(reply))),
        400..=499 => Weighed::Refused(ErrorReport::read(reply)),
        500..=599 => Weighed::Settled(server_error(effect, reply)),
        _ => Weighed::Settled(match effect {
            Effect::Read => Outcome::Retry(RetryCause::Garbled),
            Effect::Write => Outcome::Ambiguous,
        }),
    }
}

/// The hold that a status calls for, at any endpoint.
///
/// Some stacks also answer 401 for a missing role: on `BadToken`, probing the key tells which it is (section 12). A
/// redirect is never followed, since the token would go with it. Redirects, and statuses about the method, media type or
/// a proxy, say that the address is not the API's, which no change to a record can help.
pub(crate) fn hold_of_status(status: u16) -> Option<HoldCause> {
    match status {
        401 => Some(HoldCause::BadToken),
        402 => Some(HoldCause::Billing),
        403 => Some(HoldCause::MissingRole),
        300..=399 | 405..=407 | 411 | 415 | 417 | 426 => Some(HoldCause::Unhealthy),
        _ => None,
    }
}

/// Errors under a 2xx status, without data, are errors.
fn accepted<'a, T, A: Accepted<'a>>(effect: Effect, reply: &'a HttpReply) -> Weighed<T, A> {
    let answer = A::read(reply);
    // What could not be read for the call may still be read as errors.
    let report = match &answer {
        Some(answer) if !answer.may_be_errors() => None,
        Some(_) | None => ErrorReport::instead_of_data(reply),
    };
    match report {
        None => Weighed::Accepted(answer),
        Some(report) => match effect {
            Effect::Read => Weighed::Settled(Outcome::Retry(RetryCause::Garbled)),
            Effect::Write => Weighed::Refused(report),
        },
    }
}

/// While some of the organisation's limit remains, another limit was hit: that of the object, the customer or searches.
/// If the answer does not say, the organisation's limit is assumed, to be on the safe side.
fn quota(reply: &HttpReply) -> RetryCause {
    match reply.limits.remaining {
        Some(remaining) if remaining > 0 => RetryCause::ObjectQuota,
        Some(_) | None => RetryCause::OrgQuota,
    }
}

/// A 501 means that nobody handled the request; a 503 with `Retry-After` means that the server turned it away. After any
/// other server error the write may have happened.
fn server_error<T>(effect: Effect, reply: &HttpReply) -> Outcome<T> {
    let turned_away =
        reply.status == 501 || (reply.status == 503 && reply.limits.retry_after.is_some());
    match effect {
        Effect::Read => Outcome::Retry(RetryCause::ServerError),
        Effect::Write if turned_away => Outcome::Retry(RetryCause::ServerError),
        Effect::Write => Outcome::Ambiguous,
    }
}
