//! What the status alone decides, the same for every endpoint.

use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use super::errors::ErrorReport;
use super::reply::HttpReply;

/// What the call may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it may be made again at will.
    Read,
    /// Something: whether it happened matters.
    Write,
}

/// An answer after the general rules; the rest is the endpoint's own.
#[derive(Debug)]
pub(super) enum Weighed<T> {
    /// 2xx.
    Accepted,
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

/// Sorts an answer by its status.
pub(super) fn weigh<T>(effect: Effect, reply: &HttpReply) -> Weighed<T> {
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

/// The hold that a status asks for wherever it comes from.
///
/// Some stacks answer 401 for a missing role, too: whoever gets `BadToken` can probe the key to tell (section 12). A
/// redirect is never followed, since the token would travel with it; it and the statuses that complain about method,
/// media type or proxy say that the address is not the API's, which no record can help.
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
fn accepted<T>(effect: Effect, reply: &HttpReply) -> Weighed<T> {
    match ErrorReport::instead_of_data(reply) {
        None => Weighed::Accepted,
        Some(report) => match effect {
            Effect::Read => Weighed::Settled(Outcome::Retry(RetryCause::Garbled)),
            Effect::Write => Weighed::Refused(report),
        },
    }
}

/// While something is left of the organisation's budget, the limit that was hit is another one: of the object, of the
/// customer, of searches. Without a word about it the organisation's is assumed, the safe side.
fn quota(reply: &HttpReply) -> RetryCause {
    match reply.limits.remaining {
        Some(remaining) if remaining > 0 => RetryCause::ObjectQuota,
        Some(_) | None => RetryCause::OrgQuota,
    }
}

/// 501 means that nobody handled it, and a 503 that names a time to come back that the server turned it away. Any other
/// server error may have followed the write.
fn server_error<T>(effect: Effect, reply: &HttpReply) -> Outcome<T> {
    let turned_away =
        reply.status == 501 || (reply.status == 503 && reply.limits.retry_after.is_some());
    match effect {
        Effect::Read => Outcome::Retry(RetryCause::ServerError),
        Effect::Write if turned_away => Outcome::Retry(RetryCause::ServerError),
        Effect::Write => Outcome::Ambiguous,
    }
}
