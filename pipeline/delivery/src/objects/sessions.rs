//! What the objects of open sessions have, as far as this process has written or read it.
//!
//! Only confirmed states are here; what waits is in the lanes. So a session may be forgotten at any time: its object is read
//! when another event of it comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::generations::Generations;
use ingest_model::digest::{Fold, Session};
use ingest_model::known::KnownObject;
use ingest_model::record::TopicPartition;

/// What the state of a session takes, about.
const SESSION: usize = 2_048;
/// How often sessions that are over are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// The confirmed states of sessions, by the hashes of their objects' external ids.
#[derive(Debug)]
pub(crate) struct Sessions {
    of: Generations<u128, Open>,
    swept: Option<Instant>,
    /// When the first event came: patience ends at multiples of it from then on.
    since: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Open {
    session: Arc<Session>,
    /// It is over if nothing comes by then.
    until: Instant,
}

impl Sessions {
    /// None yet; at most as many as fit into a quarter of the budget for records, of which they count as part.
    pub(crate) fn within(budget: u64) -> Self {
        let room = usize::try_from(budget / 4).unwrap_or(usize::MAX);
        Self::new((room / SESSION).max(100))
    }

    /// None yet; at most that many.
    fn new(capacity: usize) -> Self {
        Self {
            of: Generations::weighing(capacity, |open| open.session.bytes()),
            swept: None,
            since: None,
        }
    }

    /// The state of an object's session, if it is that of the object as it stands.
    pub(crate) fn current(
        &mut self,
        object: u128,
        standing: Option<&KnownObject>,
    ) -> Option<Arc<Session>> {
        let open = self.of.get(&object)?;
        let is_that = standing.is_none_or(|known| known.version == Some(open.session.version()));
        is_that.then(|| Arc::clone(&open.session))
    }

    /// Whether all events of a fold are in a session already.
    pub(crate) fn has_all(&self, object: u128, fold: &Fold) -> bool {
        self.of.peek(&object).is_some_and(|open| {
            let mut events = fold.events.iter();
            events.all(|event| open.session.has(&fold.partition, event))
        })
    }

    /// Until when an event that comes now waits for others. All sessions of one patience end it at the same times, so that they
    /// share requests.
    pub(crate) fn ends(&mut self, now: Instant, patience: Duration) -> Instant {
        let since = *self.since.get_or_insert(now);
        let gone = now.saturating_duration_since(since).as_nanos();
        let gone = gone.checked_rem(patience.as_nanos()).unwrap_or(0);
        let gone = Duration::from_nanos(u64::try_from(gone).unwrap_or(u64::MAX));
        now + patience.saturating_sub(gone)
    }

    /// A state was written or read.
    pub(crate) fn learn(&mut self, object: u128, session: Arc<Session>, until: Instant) {
        self.of.insert(object, Open { session, until });
    }

    /// The object is gone.
    pub(crate) fn forget(&mut self, object: u128) {
        self.of.remove(&object);
    }

    /// Forgets the sessions that are over.
    pub(crate) fn close(&mut self, now: Instant) {
        let swept = self.swept.get_or_insert(now);
        if now.saturating_duration_since(*swept) < SWEEP {
            return;
        }
        *swept = now;
        self.of.retain(|open| open.until > now);
    }

    /// Another process may have written what is folded from that partition.
    pub(crate) fn forget_of(&mut self, partition: &TopicPartition) {
        self.of.retain(|open| !open.session.has_of(partition));
    }

    /// How many are open.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.of.len()
    }

    /// The bytes that they occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.of.bytes(size_of::<Session>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::instants::start as begin;
    use ingest_model::known::Revision;
    use ingest_model::operation::Version;
    use ingest_model::repeat::Changes;

    fn counted(count: &str) -> Arc<Session> {
        Arc::new(Session::since(Some(&Version::new(count))))
    }

    fn standing(version: &str) -> KnownObject {
        KnownObject {
            id: None,
            version: Some(Version::new(version)),
            fingerprint: None,
            revision: Revision::Unknown,
            doubtful: false,
            gone: false,
            changes: Changes::default(),
            company: ingest_model::known::Affiliation::default(),
        }
    }

    #[test]
    fn a_state_of_an_object_that_has_another_by_now_is_not_used() {
        let mut sessions = Sessions::new(10);
        sessions.learn(1, counted("4"), begin());
        assert_eq!(sessions.current(1, Some(&standing("5"))), None);
        assert_eq!(
            sessions.current(1, Some(&standing("4"))),
            Some(counted("4"))
        );
        assert_eq!(sessions.current(1, None), Some(counted("4")));
        assert_eq!(sessions.current(2, None), None);
    }

    #[test]
    fn patience_ends_for_all_at_once() {
        let (mut sessions, start) = (Sessions::new(10), begin());
        let patience = Duration::from_secs(30);
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        assert_eq!(sessions.ends(at(0), patience), at(300));
        assert_eq!(sessions.ends(at(1), patience), at(300));
        assert_eq!(sessions.ends(at(299), patience), at(300));
        assert_eq!(sessions.ends(at(300), patience), at(600));
        assert_eq!(sessions.ends(at(7), Duration::ZERO), at(7));
    }

    #[test]
    fn sessions_end_and_their_number_is_bounded() {
        let (mut sessions, start) = (Sessions::new(100), begin());
        for object in 0..1_000 {
            sessions.learn(object, counted("1"), start + Duration::from_secs(100));
        }
        assert!(sessions.len() <= 100 && sessions.bytes() > 0);
        sessions.learn(5_000, counted("2"), start + Duration::from_secs(900));
        sessions.close(start);
        sessions.close(start + Duration::from_secs(30));
        assert!(sessions.len() > 1);
        sessions.close(start + Duration::from_secs(200));
        assert_eq!(sessions.len(), 1);
    }
}
