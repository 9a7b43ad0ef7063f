//! What has to wait for a person or for the destination's recovery, and when to try again.
//!
//! A hold never drops or dead-letters anything: its operations stay at the heads of their lanes. One request at a time is let
//! through as a probe, at growing intervals; its success ends the hold. The hold of a topic keeps back dead letters and
//! records, not requests: nothing probes it, and only a person ends it. The hold of the topic that letters go to is probed with
//! one letter at a time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::pauses::Pauses;
use crate::common::retry::{Backoff, Jitter};
use crate::seam::hold::{Family, LetterTopic, Scope};
use ingest_model::outcome::HoldCause;
use ingest_model::trouble::{Seen, Trouble};

/// How often a continuing hold is reported.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// One hold.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// A number that names it in `/status` and for its release.
    pub(crate) id: u64,
    /// Why.
    pub(crate) cause: HoldCause,
    /// Since when.
    pub(crate) since: Instant,
    /// What went wrong.
    pub(crate) seen: Seen,
    probes: u32,
    next_probe: Instant,
    probing: bool,
    told: Option<Instant>,
}

/// All holds of this process.
#[derive(Debug)]
pub(crate) struct Holds {
    active: BTreeMap<Scope, Hold>,
    /// What is kept back although nothing is wrong.
    pub(crate) pauses: Pauses,
    /// The delays for what a person has to fix.
    patient: Backoff,
    /// The delays for what recovers by itself.
    eager: Backoff,
    next_id: u64,
}

/// Whether a request of a scope may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Nothing holds it.
    Free,
    /// It is held, but this one may go as a probe.
    Probe,
    /// Not before this time; `None` while a probe is in flight.
    Held(Option<Instant>),
}

impl Holds {
    /// No holds. Probes of what a person has to fix follow `patient`, those of what recovers by itself `eager`.
    pub(crate) fn new(patient: Backoff, eager: Backoff) -> Self {
        Self {
            active: BTreeMap::new(),
            pauses: Pauses::default(),
            patient,
            eager,
            next_id: 1,
        }
    }

    fn backoff(&self, cause: HoldCause) -> Backoff {
        match cause {
            HoldCause::Unhealthy | HoldCause::DeadLetterTopic | HoldCause::HoldTopic => self.eager,
            HoldCause::BadToken
            | HoldCause::Billing
            | HoldCause::MissingRole
            | HoldCause::MissingKlass
            | HoldCause::DeadLetterGuard
            | HoldCause::Quarantine
            | HoldCause::StateTopic
            | HoldCause::LostPosition
            | HoldCause::Paused => self.patient,
        }
    }

    /// Begins a hold. If there is one already, it gets this cause, and a probe in flight counts as failed. `true` if it is new.
    pub(crate) fn hold(
        &mut self,
        now: Instant,
        scope: Scope,
        cause: HoldCause,
        jitter: &mut Jitter,
    ) -> bool {
        let backoff = self.backoff(cause);
        if let Some(hold) = self.active.get_mut(&scope) {
            hold.cause = cause;
            if hold.probing {
                hold.probing = false;
                hold.probes = hold.probes.saturating_add(1);
                hold.next_probe = now + backoff.delay(hold.probes + 1, None, jitter);
            }
            return false;
        }
        let next_probe = now + backoff.delay(1, None, jitter);
        let hold = Hold {
            id: self.number(),
            cause,
            since: now,
            seen: Seen::default(),
            probes: 0,
            next_probe,
            probing: false,
            told: None,
        };
        self.active.insert(scope, hold);
        true
    }

    /// A number for another hold or pause.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next_id;
        self.next_id += 1;
        number
    }

    /// Something went wrong that keeps a scope on hold. Returns the hold if it is to be reported: the trouble is of a new
    /// kind, or a minute has passed.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        scope: &Scope,
        times: u64,
        trouble: Option<Trouble>,
    ) -> Option<&Hold> {
        let hold = self.active.get_mut(scope)?;
        let known = hold.seen.last.as_ref().map(|(_, last)| last.kind);
        let other = trouble.as_ref().map(|trouble| trouble.kind) != known;
        hold.seen.note(now, times, trouble);
        let late = hold.told.is_none_or(|at| now >= at + TOLD_AGAIN);
        if !other && !late {
            return None;
        }
        hold.told = Some(now);
        Some(hold)
    }

    /// Whether a letter to that topic may be tried; nothing else can show that the hold is over.
    pub(crate) fn may_try_letter(&self, now: Instant, to: LetterTopic) -> bool {
        let hold = self.active.get(&Scope::Letters(to));
        hold.is_some_and(|hold| hold.passage(now) == Passage::Probe)
    }

    /// A letter to that topic is being tried.
    pub(crate) fn letter_tried(&mut self, to: LetterTopic) {
        if let Some(hold) = self.active.get_mut(&Scope::Letters(to)) {
            hold.probing = true;
        }
    }

    /// The letter tried last was not refused, but the hold goes on: the next letter may be tried at once.
    pub(crate) fn letter_passed(&mut self, now: Instant, to: LetterTopic) {
        if let Some(hold) = self.active.get_mut(&Scope::Letters(to)) {
            hold.probing = false;
            hold.probes = 0;
            hold.next_probe = now;
        }
    }

    /// Whether a request of this family may be sent now. Changes nothing.
    pub(crate) fn passage(&self, now: Instant, family: Option<&Family>) -> Passage {
        if self.is_empty() {
            return Passage::Free;
        }
        if let Some(until) = self.pauses.of_requests(family) {
            return Passage::Held(until);
        }
        let passage = self.passage_of_holds(now, family);
        if passage == Passage::Probe
            && let Some(until) = self.pauses.of_requests(None)
        {
            return Passage::Held(until); // what a paused destination is still asked is no probe
        }
        passage
    }

    fn passage_of_holds(&self, now: Instant, family: Option<&Family>) -> Passage {
        let wide = self
            .active
            .get(&Scope::Destination)
            .map(|hold| hold.passage(now));
        let narrow = family
            .and_then(|family| self.active.get(&Scope::Family(family.clone())))
            .map(|hold| hold.passage(now));
        match (wide, narrow) {
            (None, None) => Passage::Free,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(Passage::Probe), Some(other)) | (Some(other), Some(Passage::Probe)) => other,
            (Some(Passage::Held(a)), Some(Passage::Held(b))) => {
                Passage::Held(a.zip(b).map(|(a, b)| a.max(b)))
            }
            (Some(Passage::Free), Some(other)) | (Some(other), Some(Passage::Free)) => other,
        }
    }

    /// A probe of this family was sent.
    pub(crate) fn probe_sent(&mut self, family: Option<&Family>) {
        if self.active.is_empty() {
            return;
        }
        for scope in scopes(family) {
            if let Some(hold) = self.active.get_mut(&scope) {
                hold.probing = true;
            }
        }
    }

    /// A probe showed nothing (it was lost, or failed for another reason): the next one is sent later.
    pub(crate) fn probe_lost(
        &mut self,
        now: Instant,
        family: Option<&Family>,
        jitter: &mut Jitter,
    ) {
        if self.active.is_empty() {
            return;
        }
        let (patient, eager) = (self.patient, self.eager);
        for scope in scopes(family) {
            if let Some(hold) = self.active.get_mut(&scope)
                && hold.probing
            {
                let backoff = if hold.cause == HoldCause::Unhealthy {
                    eager
                } else {
                    patient
                };
                hold.probing = false;
                hold.probes = hold.probes.saturating_add(1);
                hold.next_probe = now + backoff.delay(hold.probes + 1, None, jitter);
            }
        }
    }

    /// A request of this family succeeded, which ends its holds, except for a quarantine: only a stored object ends that
    /// ([`end`](Self::end)). Returns the scopes whose holds ended.
    pub(crate) fn succeeded(&mut self, family: Option<&Family>) -> Vec<(Scope, HoldCause)> {
        if self.active.is_empty() {
            return Vec::new();
        }
        scopes(family)
            .filter_map(|scope| {
                if self.active.get(&scope)?.cause == HoldCause::Quarantine {
                    return None;
                }
                let hold = self.active.remove(&scope)?;
                Some((scope, hold.cause))
            })
            .collect()
    }

    /// The destination answered a request of this family: neither is unhealthy. Returns the scopes whose holds ended.
    pub(crate) fn answered(&mut self, family: Option<&Family>) -> Vec<(Scope, HoldCause)> {
        if self.active.is_empty() {
            return Vec::new();
        }
        scopes(family)
            .filter_map(|scope| {
                let hold = self.active.get(&scope)?;
                let ends = hold.cause == HoldCause::Unhealthy;
                let hold = ends.then(|| self.active.remove(&scope)).flatten()?;
                Some((scope, hold.cause))
            })
            .collect()
    }

    /// That hold was there before, so often, without its cause being gone: it begins with the delays of its end.
    pub(crate) fn came_back(
        &mut self,
        now: Instant,
        scope: &Scope,
        times: u32,
        jitter: &mut Jitter,
    ) {
        let eager = self.eager;
        if let Some(hold) = self.active.get_mut(scope) {
            hold.probes = times;
            hold.next_probe = now + eager.delay(times.saturating_add(1), None, jitter);
        }
    }

    /// What these causes hold may have been mended: the next probe may be sent now, and if it fails, the delays begin anew.
    pub(crate) fn try_now(&mut self, now: Instant, mended: impl Fn(HoldCause) -> bool) {
        for hold in self.active.values_mut().filter(|hold| mended(hold.cause)) {
            hold.probes = 0;
            hold.next_probe = now;
        }
    }

    /// Ends the hold of a scope. Returns its cause.
    pub(crate) fn end(&mut self, scope: &Scope) -> Option<HoldCause> {
        self.active.remove(scope).map(|hold| hold.cause)
    }

    /// Releases the hold or pause with that number. Returns what it was.
    pub(crate) fn release(&mut self, id: u64) -> Option<(Scope, HoldCause)> {
        if let Some(scope) = self.pauses.release(id) {
            return Some((scope, HoldCause::Paused));
        }
        let scope = self
            .active
            .iter()
            .find(|(_, hold)| hold.id == id)
            .map(|(s, _)| s.clone())?;
        let hold = self.active.remove(&scope)?;
        Some((scope, hold.cause))
    }

    /// Whether there is a hold or pause with that number.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.active.values().any(|hold| hold.id == id)
            || self.pauses.iter().any(|(_, _, paused)| paused.id == id)
    }

    /// The hold of a scope.
    pub(crate) fn get(&self, scope: &Scope) -> Option<&Hold> {
        self.active.get(scope)
    }

    /// Why exactly that waits, if it does: a hold tells a person more than a pause.
    pub(crate) fn cause(&self, scope: &Scope) -> Option<HoldCause> {
        let hold = self.active.get(scope).map(|hold| hold.cause);
        hold.or_else(|| self.pauses.holds(scope).then_some(HoldCause::Paused))
    }

    /// Whether exactly that is on hold or paused.
    pub(crate) fn is_held(&self, scope: &Scope) -> bool {
        !self.is_empty() && self.cause(scope).is_some()
    }

    /// Whether a family is on hold or paused by itself. Mostly nothing is, so the family is made only when it has to be compared.
    pub(crate) fn holds_family(&self, family: impl FnOnce() -> Family) -> bool {
        !self.is_empty() && self.is_held(&Scope::Family(family()))
    }

    /// Whether nothing is held or paused.
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.pauses.is_empty()
    }

    /// All holds, without pauses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Scope, &Hold)> {
        self.active.iter()
    }

    /// The time of the next probe, if one is due in the future.
    pub(crate) fn next_probe(&self, now: Instant) -> Option<Instant> {
        self.active
            .iter()
            .filter(|(scope, hold)| scope.is_probed() && !hold.probing && hold.next_probe > now)
            .map(|(_, hold)| hold.next_probe)
            .min()
    }
}

fn scopes(family: Option<&Family>) -> impl Iterator<Item = Scope> {
    let narrow = family.map(|family| Scope::Family(family.clone()));
    std::iter::once(Scope::Destination).chain(narrow)
}

impl Hold {
    /// In how long the next probe may be sent; `None` while one is in flight, and where there are none.
    pub(crate) fn next_try(&self, now: Instant, scope: &Scope) -> Option<Duration> {
        let probed = scope.is_probed() && !self.probing;
        probed.then(|| self.next_probe.saturating_duration_since(now))
    }

    fn passage(&self, now: Instant) -> Passage {
        if self.probing {
            Passage::Held(None)
        } else if self.next_probe <= now {
            Passage::Probe
        } else {
            Passage::Held(Some(self.next_probe))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::common::instants::start;
    use crate::seam::hold::{Pause, PausedBy};

    fn holds() -> Holds {
        let seconds = Duration::from_secs;
        let backoff = |from, to| Backoff::new(seconds(from), seconds(to)).unwrap();
        Holds::new(backoff(5, 60), backoff(1, 8))
    }

    #[test]
    fn a_paused_destination_that_is_on_hold_is_not_probed_by_the_read_of_a_job() {
        let now = start();
        let mut holds = holds();
        let pause = Pause {
            scope: Scope::Destination,
            by: PausedBy::Person,
            lasts: None,
            reason: None,
        };
        holds.pauses.begin(now, 1, pause);
        assert_eq!(holds.passage(now, Some(&Family::BulkRead)), Passage::Free);
        let (sick, mut jitter) = (HoldCause::Unhealthy, Jitter::new(1));
        holds.hold(now, Scope::Destination, sick, &mut jitter);
        let later = now + Duration::from_secs(60);
        let held = Passage::Held(None);
        assert_eq!(holds.passage(later, Some(&Family::BulkRead)), held);
        holds.pauses.end(&Scope::Destination, None);
        assert_eq!(holds.passage(later, None), Passage::Probe);
    }

    #[test]
    fn one_probe_at_a_time_and_its_success_ends_the_hold() {
        let now = start();
        let mut jitter = Jitter::new(1);
        let mut holds = holds();
        let family = Family::Tracking;
        assert!(holds.hold(
            now,
            Scope::Family(family.clone()),
            HoldCause::MissingRole,
            &mut jitter
        ));
        assert!(matches!(
            holds.passage(now, Some(&family)),
            Passage::Held(Some(_))
        ));
        assert_eq!(holds.passage(now, Some(&Family::BulkRead)), Passage::Free);
        let later = now + Duration::from_secs(6);
        assert_eq!(holds.passage(later, Some(&family)), Passage::Probe);
        holds.probe_sent(Some(&family));
        assert_eq!(holds.passage(later, Some(&family)), Passage::Held(None));
        assert_eq!(
            holds.succeeded(Some(&family)),
            [(Scope::Family(Family::Tracking), HoldCause::MissingRole)]
        );
        assert_eq!(holds.passage(later, Some(&family)), Passage::Free);
    }

    #[test]
    fn a_failed_probe_waits_longer() {
        let now = start();
        let mut jitter = Jitter::new(1);
        let mut holds = holds();
        holds.hold(now, Scope::Destination, HoldCause::BadToken, &mut jitter);
        let later = now + Duration::from_secs(6);
        holds.probe_sent(None);
        assert!(!holds.hold(later, Scope::Destination, HoldCause::BadToken, &mut jitter));
        let next = holds.next_probe(later).unwrap();
        assert!(next > later && next <= later + Duration::from_secs(10));
    }

    #[test]
    fn a_hold_is_released_by_its_number() {
        let now = start();
        let mut holds = holds();
        holds.hold(
            now,
            Scope::Destination,
            HoldCause::Billing,
            &mut Jitter::new(1),
        );
        let id = holds.get(&Scope::Destination).unwrap().id;
        assert!(holds.release(id + 1).is_none());
        assert_eq!(
            holds.release(id),
            Some((Scope::Destination, HoldCause::Billing))
        );
    }
}
