//! Whether an event is too old for a rule, and what a rule leads to that leads to nothing.

use std::sync::Arc;

use jiff::SignedDuration;

use super::super::model::{Rule, TrackRule};
use super::Work;
use super::unsent::{Unsent, WhyUnsent};
use ingest_model::outcome::SkipReason;

impl Work<'_> {
    /// How old an event of a rule may be, if this one is older.
    pub(super) fn exceeded(&self, rule: &TrackRule) -> Option<SignedDuration> {
        let max_age = rule.max_age?;
        let age = self.now.duration_since(self.occurred()?);
        (age > max_age).then_some(max_age)
    }

    /// Notes that a rule leads to nothing. The items of a list all fall for the same reason.
    pub(super) fn leave(&mut self, rule: &Rule, index: usize, operations: usize, why: WhyUnsent) {
        match self.unsent.last_mut().filter(|last| last.index == index) {
            Some(last) => last.operations += operations,
            None => self.unsent.push(Unsent {
                route: Arc::clone(&self.route.name),
                index,
                kind: rule.kind(),
                operations,
                why,
            }),
        }
    }

    /// Why an event with a route leads to no operation at all.
    pub(super) fn why_nothing(&self) -> SkipReason {
        let too_old = |one: &Unsent| matches!(one.why, WhyUnsent::TooOld(_));
        if self.unsent.iter().any(too_old) {
            SkipReason::TooOld
        } else {
            SkipReason::NoItems
        }
    }
}
