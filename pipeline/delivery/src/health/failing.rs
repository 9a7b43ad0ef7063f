//! Failures in a row, by endpoint: whether one of them fails while others answer, or all of them do.
//!
//! An endpoint whose failures began after the last answer of any other says nothing of itself: then the destination is suspected,
//! which is asked about by a request that needs no endpoint. If that is answered, the next failure is the endpoint's own.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Endpoint;

/// What a failure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ill {
    /// Nothing yet.
    Not,
    /// The endpoint fails while others answer. `times`: the failures that show it; `before`: how often that was said since the
    /// endpoint last answered.
    Alone { times: u32, before: u32 },
    /// Nothing answers; so many failures show it.
    All { times: u32 },
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    /// Of all endpoints that are not held alone.
    all: u32,
    of: BTreeMap<Endpoint, Row>,
    /// When something answered last.
    answered: Option<Instant>,
}

#[derive(Debug)]
struct Row {
    failures: u32,
    since: Instant,
    said: u32,
}

impl Failing {
    /// An endpoint answered, or the destination did without one.
    pub(crate) fn answered(&mut self, now: Instant, endpoint: Option<&Endpoint>) {
        self.all = 0;
        self.answered = Some(now);
        if let Some(endpoint) = endpoint {
            self.of.remove(endpoint);
        }
    }

    /// A request failed; `held` if its endpoint is held alone already. From `most` failures in a row on, something is ill.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        endpoint: Option<Endpoint>,
        held: bool,
        most: u32,
    ) -> Ill {
        if !held {
            self.all = self.all.saturating_add(1);
        }
        if let Some(endpoint) = endpoint {
            let row = self.of.entry(endpoint).or_insert(Row {
                failures: 0,
                since: now,
                said: 0,
            });
            row.failures = row.failures.saturating_add(1);
            let others_answer = self.answered.is_some_and(|at| at >= row.since);
            if held || (row.failures >= most && others_answer) {
                let times = if row.said == 0 { row.failures } else { 1 };
                let before = row.said;
                row.said = row.said.saturating_add(u32::from(!held));
                self.all = 0;
                return Ill::Alone { times, before };
            }
        }
        if self.all < most {
            return Ill::Not;
        }
        let times = if self.all == most { most } else { 1 };
        Ill::All { times }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ingest_model::operation::Klass;

    use super::*;
    use crate::common::instants::start;

    fn at(seconds: u64) -> impl Fn(Instant) -> Instant {
        move |start| start + Duration::from_secs(seconds)
    }

    const EVENT: Option<Endpoint> = Some(Endpoint::Event);

    fn look() -> Option<Endpoint> {
        Some(Endpoint::Look(Klass("order".into())))
    }

    #[test]
    fn what_fails_while_others_answer_is_ill_alone() {
        let now = start();
        let mut failing = Failing::default();
        for second in 0..7 {
            let now = at(second)(now);
            assert_eq!(failing.failed(now, EVENT, false, 8), Ill::Not);
            failing.answered(now, look().as_ref());
        }
        let alone = Ill::Alone {
            times: 8,
            before: 0,
        };
        assert_eq!(failing.failed(at(8)(now), EVENT, false, 8), alone);
        let probe = Ill::Alone {
            times: 1,
            before: 1,
        };
        assert_eq!(failing.failed(at(9)(now), EVENT, true, 8), probe);
        failing.answered(at(10)(now), EVENT.as_ref());
        assert_eq!(failing.failed(at(11)(now), EVENT, false, 8), Ill::Not);
    }

    #[test]
    fn where_nothing_answers_all_are_ill_until_the_destination_answers() {
        let now = start();
        let mut failing = Failing::default();
        failing.answered(now, look().as_ref());
        let at = |second: u64| at(second)(now);
        for second in 1..8 {
            assert_eq!(failing.failed(at(second), EVENT, false, 8), Ill::Not);
        }
        assert_eq!(
            failing.failed(at(8), EVENT, false, 8),
            Ill::All { times: 8 }
        );
        assert_eq!(failing.failed(at(9), None, false, 8), Ill::All { times: 1 });
        failing.answered(at(10), None);
        assert_eq!(
            failing.failed(at(11), EVENT, false, 8),
            Ill::Alone {
                times: 9,
                before: 0
            }
        );
        // What is held alone says nothing against the rest.
        for second in 12..40 {
            let ill = failing.failed(at(second), EVENT, true, 8);
            assert!(matches!(ill, Ill::Alone { times: 1, .. }), "{ill:?}");
        }
        assert_eq!(failing.failed(at(41), look(), false, 8), Ill::Not);
    }

    #[test]
    fn an_endpoint_that_never_answered_in_between_is_ill_again_at_once() {
        let now = start();
        let mut failing = Failing::default();
        for _ in 0..8 {
            failing.failed(now, EVENT, false, 8);
        }
        failing.answered(at(1)(now), Some(&Endpoint::Identity));
        let told: Vec<Ill> = (0..3)
            .map(|n| failing.failed(at(2 + n)(now), EVENT, false, 8))
            .collect();
        let again = |times, before| Ill::Alone { times, before };
        assert_eq!(told, [again(9, 0), again(1, 1), again(1, 2)]);
    }
}
