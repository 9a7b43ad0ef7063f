//! Planned pauses: what a person, or a time in the configuration, keeps back for a while.
//!
//! A pause is a hold whose end is a time or a person. Nothing is wrong, so nothing is tried while it lasts: it costs no request.
//! It stands beside the holds: a scope that is paused may be on hold as well, and is afterwards if it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::seam::hold::{Family, Pause, PausedBy, Scope};
use ingest_model::record::Topic;

/// A pause that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Paused {
    /// A number that names it, as one names a hold.
    pub(crate) id: u64,
    /// Since when.
    pub(crate) since: Instant,
    /// Until when; `None` until a person ends it.
    pub(crate) until: Option<Instant>,
    /// In the words of whoever began it.
    pub(crate) reason: Option<Arc<str>>,
}

/// All pauses of this process.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    active: BTreeMap<(Scope, PausedBy), Paused>,
}

impl Pauses {
    /// Begins a pause, or gives the one there is another end and another reason. `true` if it is new.
    pub(crate) fn begin(&mut self, now: Instant, id: u64, pause: Pause) -> bool {
        let until = pause.lasts.and_then(|lasts| now.checked_add(lasts));
        let reason = pause.reason;
        let key = (pause.scope, pause.by);
        if let Some(known) = self.active.get_mut(&key) {
            known.until = until;
            known.reason = reason;
            return false;
        }
        let since = now;
        let paused = Paused {
            id,
            since,
            until,
            reason,
        };
        self.active.insert(key, paused);
        true
    }

    /// Ends the pauses of a scope: all of them, or the one that was begun so. Returns how many there were.
    pub(crate) fn end(&mut self, scope: &Scope, by: Option<&PausedBy>) -> usize {
        let before = self.active.len();
        self.active
            .retain(|(of, who), _| of != scope || by.is_some_and(|by| by != who));
        before - self.active.len()
    }

    /// Ends those whose time has come. Returns their scopes.
    pub(crate) fn end_due(&mut self, now: Instant) -> Vec<Scope> {
        let due = |paused: &Paused| paused.until.is_some_and(|until| until <= now);
        let ended = self.active.iter().filter(|(_, paused)| due(paused));
        let ended = ended.map(|((scope, _), _)| scope.clone()).collect();
        self.active.retain(|_, paused| !due(paused));
        ended
    }

    /// Ends the pause with that number. Returns what it kept back.
    pub(crate) fn release(&mut self, id: u64) -> Option<Scope> {
        let found = self.active.iter().find(|(_, paused)| paused.id == id);
        let key = found.map(|(key, _)| key.clone())?;
        self.active.remove(&key)?;
        Some(key.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether exactly that is paused.
    pub(crate) fn holds(&self, scope: &Scope) -> bool {
        self.active.keys().any(|(of, _)| of == scope)
    }

    /// Whether requests of this family are paused, and until when if that is known. Jobs are read to their ends: they were begun
    /// before, and partitions are handed back when they are over.
    pub(crate) fn of_requests(&self, family: Option<&Family>) -> Option<Option<Instant>> {
        let concerns = |scope: &Scope| match scope {
            Scope::Destination => family != Some(&Family::BulkRead),
            Scope::Family(paused) => family.is_some_and(|family| covers(paused, family)),
            Scope::Topic(_)
            | Scope::Route(..)
            | Scope::Position(_)
            | Scope::State
            | Scope::Letters(_) => false,
        };
        let mut ends = self
            .active
            .iter()
            .filter(|((scope, _), _)| concerns(scope))
            .map(|(_, paused)| paused.until);
        let first = ends.next()?;
        Some(ends.fold(first, |latest, one| Some(latest?.max(one?))))
    }

    /// Whether an operation of this topic and route, which needs that family, is not to be begun.
    pub(crate) fn of_work(
        &self,
        topic: &Topic,
        route: &str,
        family: impl FnOnce() -> Family,
    ) -> bool {
        if self.active.is_empty() {
            return false;
        }
        let family = family();
        self.active.keys().any(|(scope, _)| match scope {
            Scope::Topic(paused) => paused == topic,
            Scope::Route(of, paused) => of == topic && **paused == *route,
            Scope::Family(paused) => covers(paused, &family),
            // Requests are kept back, and what waits for them stays where it is.
            Scope::Destination | Scope::Position(_) | Scope::State | Scope::Letters(_) => false,
        })
    }

    /// The topics that are not to be read.
    pub(crate) fn topics(&self) -> BTreeSet<Topic> {
        let topics = self.active.keys().filter_map(|(scope, _)| match scope {
            Scope::Topic(topic) => Some(topic.clone()),
            Scope::Destination
            | Scope::Family(_)
            | Scope::Route(..)
            | Scope::Position(_)
            | Scope::State
            | Scope::Letters(_) => None,
        });
        topics.collect()
    }

    /// When the next one ends by itself.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.active.values().filter_map(|paused| paused.until).min()
    }

    /// All pauses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Scope, &PausedBy, &Paused)> {
        self.active
            .iter()
            .map(|((scope, by), paused)| (scope, by, paused))
    }
}

/// Whether a pause of one family keeps back another: deletions of a klass are among its writes.
fn covers(paused: &Family, family: &Family) -> bool {
    match (paused, family) {
        (Family::KObjectWrite(paused), Family::KObjectDelete(klass)) => paused == klass,
        (paused, family) => paused == family,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ingest_model::operation::Klass;

    use super::*;
    use crate::common::instants::start;

    fn orders() -> Family {
        Family::KObjectWrite(Klass("order".into()))
    }

    fn pause(scope: Scope, by: PausedBy, seconds: Option<u64>) -> Pause {
        Pause {
            scope,
            by,
            lasts: seconds.map(Duration::from_secs),
            reason: None,
        }
    }

    #[test]
    fn requests_wait_for_the_last_of_their_pauses() {
        let now = start();
        let mut pauses = Pauses::default();
        let night = PausedBy::Window("night".into());
        let of_orders = Scope::Family(orders());
        assert_eq!(pauses.of_requests(Some(&orders())), None);
        pauses.begin(now, 1, pause(of_orders.clone(), night, Some(60)));
        pauses.begin(
            now,
            2,
            pause(Scope::Destination, PausedBy::Person, Some(90)),
        );
        let at = |seconds| Some(Some(now + Duration::from_secs(seconds)));
        assert_eq!(pauses.of_requests(Some(&orders())), at(90));
        let deletions = Family::KObjectDelete(Klass("order".into()));
        assert_eq!(pauses.of_requests(Some(&deletions)), at(90));
        assert_eq!(pauses.of_requests(None), at(90));
        assert_eq!(pauses.of_requests(Some(&Family::BulkRead)), None);
        pauses.begin(now, 3, pause(of_orders.clone(), PausedBy::Person, None));
        assert_eq!(pauses.of_requests(Some(&orders())), Some(None));
        assert_eq!(pauses.next_end(), at(60).flatten());
        let later = now + Duration::from_secs(60);
        assert_eq!(pauses.end_due(later), std::slice::from_ref(&of_orders));
        assert!(pauses.holds(&of_orders), "a person's has no end");
        assert_eq!(pauses.end(&of_orders, None), 1);
        assert_eq!(pauses.of_requests(Some(&orders())), at(90));
        assert_eq!(pauses.release(2), Some(Scope::Destination));
        assert!(pauses.is_empty());
    }

    #[test]
    fn a_pause_that_is_begun_again_gets_another_end() {
        let now = start();
        let mut pauses = Pauses::default();
        let again = |seconds| pause(Scope::Destination, PausedBy::Person, seconds);
        assert!(pauses.begin(now, 1, again(Some(60))));
        assert!(!pauses.begin(now, 2, again(None)));
        assert_eq!(pauses.next_end(), None);
        let ids: Vec<u64> = pauses.iter().map(|(_, _, paused)| paused.id).collect();
        assert_eq!(ids, [1]);
    }

    #[test]
    fn work_is_paused_by_its_topic_its_route_or_what_it_writes() {
        let now = start();
        let topic = Topic::new("shop.events");
        let paused = |scope: Scope| {
            let mut pauses = Pauses::default();
            pauses.begin(now, 1, pause(scope, PausedBy::Person, None));
            pauses.of_work(&topic, "carts", orders)
        };
        assert!(paused(Scope::Topic(topic.clone())));
        assert!(!paused(Scope::Topic(Topic::new("other"))));
        assert!(paused(Scope::Route(topic.clone(), "carts".into())));
        assert!(!paused(Scope::Route(topic.clone(), "orders".into())));
        assert!(!paused(Scope::Route(Topic::new("other"), "carts".into())));
        assert!(paused(Scope::Family(orders())));
        assert!(!paused(Scope::Family(Family::Tracking)));
    }
}
