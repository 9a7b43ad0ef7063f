//! What answers show about the API key: whether it is accepted at all, and which requests it may not make.
//!
//! Some organisations answer 401 if a role is missing. That it is the role shows in the key being accepted elsewhere. A way
//! that can be done without is given up for good only on proof: a request met 401, another one sent after that succeeded, and
//! one sent after that met 401 again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Endpoint;

/// What a 401 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As far as is known, that the key is not valid.
    Key,
    /// That a role is missing: the key was accepted elsewhere within the last minute.
    Role,
    /// The same, for certain.
    RoleProved,
}

/// The last answer that accepted the key, and which endpoints refuse it.
#[derive(Debug, Default)]
pub(crate) struct KeyHealth {
    taken: Option<Taken>,
    /// The first 401 of each endpoint since it last accepted the key.
    refused: BTreeMap<Endpoint, Instant>,
}

#[derive(Debug)]
struct Taken {
    at: Instant,
    /// When that request was sent.
    sent: Instant,
    /// `None` for the probe, which needs no role.
    by: Option<Endpoint>,
}

impl KeyHealth {
    /// Another key is in use from now on.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A request sent at that time succeeded.
    pub(crate) fn taken(&mut self, now: Instant, sent: Instant, by: Option<Endpoint>) {
        if let Some(endpoint) = &by {
            self.refused.remove(endpoint);
        }
        self.taken = Some(Taken { at: now, sent, by });
    }

    /// A request sent at that time met 401; `by` is `None` for the probe, which any valid key may make.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        sent: Instant,
        by: Option<Endpoint>,
        minute: Duration,
    ) -> Refused {
        let Some(by) = by else {
            return Refused::Key;
        };
        let taken = self.taken.as_ref().filter(|taken| {
            let same = taken.by.as_ref().is_some_and(|other| other.same_role(&by));
            !same
        });
        let first = *self.refused.entry(by).or_insert(now);
        match taken {
            Some(taken) if first <= taken.sent && taken.sent <= sent => Refused::RoleProved,
            Some(taken) if now.saturating_duration_since(taken.at) < minute => Refused::Role,
            Some(_) | None => Refused::Key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::instants::start;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_role_is_missing_for_certain_when_the_key_was_taken_in_between() {
        let start = start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut key = KeyHealth::default();
        let search = || Some(Endpoint::CustomerSearch);
        assert_eq!(key.refused(at(1), at(0), search(), MINUTE), Refused::Key);
        key.taken(at(2), at(0), Some(Endpoint::Event));
        let left_before = key.refused(at(3), at(2), search(), MINUTE);
        assert_eq!(left_before, Refused::Role, "the event left before the 401");
        key.taken(at(5), at(4), Some(Endpoint::Event));
        let under_way = key.refused(at(6), at(3), search(), MINUTE);
        assert_eq!(under_way, Refused::Role, "the search left before the event");
        let proved = key.refused(at(8), at(7), search(), MINUTE);
        assert_eq!(proved, Refused::RoleProved);
        key.taken(at(9), at(8), search());
        let own = key.refused(at(11), at(10), search(), MINUTE);
        assert_eq!(own, Refused::Key, "its own success says nothing of others");
    }

    #[test]
    fn what_was_taken_long_ago_says_nothing() {
        let now = start();
        let mut key = KeyHealth::default();
        key.taken(now, now, Some(Endpoint::JobRead));
        let later = now + MINUTE;
        let event = Some(Endpoint::Event);
        assert_eq!(key.refused(later, later, event, MINUTE), Refused::Key);
    }

    #[test]
    fn events_and_identities_need_the_same_role() {
        let now = start();
        let mut key = KeyHealth::default();
        key.taken(now, now, Some(Endpoint::Event));
        let identity = Some(Endpoint::Identity);
        assert_eq!(key.refused(now, now, identity, MINUTE), Refused::Key);
    }

    #[test]
    fn the_probe_needs_no_role() {
        let now = start();
        let mut key = KeyHealth::default();
        key.taken(now, now, Some(Endpoint::Event));
        assert_eq!(key.refused(now, now, None, MINUTE), Refused::Key);
    }
}
