//! The limits of the API: the budget of the organisation and the smaller ones beside it.
//!
//! Deliberately a separate implementation: it judges programs that pace themselves.

mod keyed;
mod org;
mod stranger;

pub(crate) use keyed::KeyedLimit;
pub(crate) use org::{Admission, OrgWindow};
pub(crate) use stranger::Stranger;

/// Length of every window in milliseconds.
pub(crate) const MINUTE: i64 = 60_000;
