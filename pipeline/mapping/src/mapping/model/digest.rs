//! The rule of a digest: what it takes from an event, and how the session's object is made.

use std::sync::Arc;

use super::bad::BadFields;
use super::rules::{CustomRule, FieldRule};
use crate::mapping::expr::Expr;
use crate::mapping::node::Place;
use ingest_model::digest::Frame;
use ingest_model::operation::Klass;

/// How the events of a route are folded into an object for each session.
#[derive(Debug)]
pub(crate) struct DigestRule {
    pub(crate) klass: Klass,
    /// The key of the session; without one, sessions are stretches of the clock.
    pub(crate) session: Option<Expr>,
    /// What is kept of each of the last events; one field at most, with an object.
    pub(crate) each: Vec<FieldRule>,
    pub(crate) sums: Vec<CustomRule>,
    pub(crate) frame: Arc<Frame>,
    /// The names of the route's events, folded, and as they are counted.
    pub(crate) names: Vec<(String, Arc<str>)>,
    /// The names that the title counts or adds up, and where it does.
    pub(crate) counted: Vec<(Counted, Place)>,
    pub(crate) bad: BadFields,
}

/// A name in a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counted {
    Event(Arc<str>),
    Sum(Arc<str>),
}

/// The digest of events that come late.
#[derive(Debug)]
pub(crate) struct LateTo {
    /// Its klass; without one, the file has to have one klass of digests.
    pub(crate) klass: Option<Klass>,
    pub(crate) place: Place,
    /// The first digest of that klass in the file.
    pub(crate) rule: Option<Arc<DigestRule>>,
}
