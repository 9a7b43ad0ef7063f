//! Detects that the items of one klass keep failing the same way: the klass has more likely changed than every item is wrong.
//!
//! Refusals are counted by klass and by the way they come: a request refused as a whole, an object refused alone, an item that
//! failed in a job. [`RUN`] of one way in a row, with the same error and nothing accepted in between, put the klass into
//! quarantine. An acceptance counts from when its request was sent: late results of older requests say nothing about what was
//! refused since.

use std::collections::BTreeMap;
use std::time::Instant;

use ingest_model::batch::OperationId;
use ingest_model::operation::Klass;

/// This many refusals in a row with the same error put a klass into quarantine.
pub(crate) const RUN: u32 = 20;

/// How many bytes of an error's words are compared, about.
const COMPARED: usize = 200;

/// How something was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Way {
    /// A bulk request, because of one of its items.
    Whole,
    /// A single object.
    Alone,
    /// An item of a job.
    Job,
}

/// Counts refusals by klass.
#[derive(Debug, Default)]
pub(crate) struct Quarantine {
    klasses: BTreeMap<Klass, Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    runs: BTreeMap<Way, Run>,
    /// A person accepts these errors as they come, until something is stored.
    accepted: bool,
    last_probe: Option<OperationId>,
}

#[derive(Debug)]
struct Run {
    words: String,
    length: u32,
    since: Instant,
}

impl Quarantine {
    /// A request or item of that klass, sent at that time, was refused for good. `true` if that puts the klass into quarantine.
    pub(crate) fn refused(&mut self, klass: &Klass, way: Way, sent: Instant, error: &str) -> bool {
        let watch = self.klasses.entry(klass.clone()).or_default();
        if watch.accepted {
            return false;
        }
        let words = words(error);
        let run = watch.runs.entry(way).or_insert_with(|| Run {
            words: words.clone(),
            length: 0,
            since: sent,
        });
        if run.words != words {
            *run = Run {
                words,
                length: 0,
                since: sent,
            };
        }
        run.length += 1;
        let trips = run.length >= RUN;
        if trips {
            watch.runs.clear();
        }
        trips
    }

    /// A bulk request of that klass, sent at that time, was accepted: its items have the right shape, if the API checks shapes
    /// before it runs jobs.
    pub(crate) fn accepted(&mut self, klass: &Klass, sent: Instant) {
        if let Some(watch) = self.klasses.get_mut(klass) {
            watch
                .runs
                .retain(|way, run| *way == Way::Job || sent < run.since);
        }
    }

    /// An object of that klass, sent at that time, was stored.
    pub(crate) fn stored(&mut self, klass: &Klass, sent: Instant) {
        if let Some(watch) = self.klasses.get_mut(klass) {
            watch.runs.retain(|_, run| sent < run.since);
            watch.accepted = false;
        }
    }

    /// A person accepts the errors as they come: nothing is counted until something of the klass is stored.
    pub(crate) fn release(&mut self, klass: &Klass) {
        let watch = self.klasses.entry(klass.clone()).or_default();
        watch.runs.clear();
        watch.accepted = true;
    }

    /// The operation that was last tried while the klass was in quarantine.
    pub(crate) fn last_probe(&self, klass: &Klass) -> Option<OperationId> {
        self.klasses.get(klass)?.last_probe
    }

    /// This operation is tried now.
    pub(crate) fn probed(&mut self, klass: &Klass, operation: OperationId) {
        self.klasses.entry(klass.clone()).or_default().last_probe = Some(operation);
    }
}

/// What two errors must have in common: their words, without numbers, ids, positions and quoted values.
fn words(error: &str) -> String {
    let mut unquoted = String::new();
    for (index, part) in error.split(['"', '`']).enumerate() {
        if index % 2 == 0 {
            unquoted.push_str(part);
            unquoted.push(' ');
        }
    }
    let words = unquoted
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit()));
    let mut common = String::new();
    for word in words {
        if common.len() >= COMPARED {
            break;
        }
        common.push_str(&word.to_lowercase());
        common.push(' ');
    }
    common
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::common::instants::start;

    fn order() -> Klass {
        Klass(Arc::from("order"))
    }

    fn error(n: u32) -> String {
        format!("400: Invalid type: {n} of \"value {n}\" in /{n}/custom/totalNum (id 5f{n}a)")
    }

    #[test]
    fn the_same_error_in_other_places_is_the_same() {
        let mut quarantine = Quarantine::default();
        let trips: Vec<u32> = (1..=2 * RUN)
            .filter(|n| quarantine.refused(&order(), Way::Job, start(), &error(*n)))
            .collect();
        assert_eq!(trips, [RUN, 2 * RUN]);
    }

    #[test]
    fn another_error_begins_a_new_run_and_ways_are_counted_apart() {
        let mut quarantine = Quarantine::default();
        let now = start();
        for n in 1..RUN {
            assert!(!quarantine.refused(&order(), Way::Whole, now, &error(n)));
            assert!(!quarantine.refused(&order(), Way::Alone, now, "not allowed"));
        }
        assert!(!quarantine.refused(&order(), Way::Whole, now, "something else"));
        assert!(!quarantine.refused(&order(), Way::Whole, now, &error(1)));
        assert!(quarantine.refused(&order(), Way::Alone, now, "not allowed"));
    }

    #[test]
    fn what_was_sent_before_says_nothing() {
        let mut quarantine = Quarantine::default();
        let (before, now) = (start(), start() + Duration::from_secs(10));
        for n in 1..RUN {
            quarantine.refused(&order(), Way::Job, now, &error(n));
            quarantine.stored(&order(), before);
            quarantine.accepted(&order(), now);
        }
        assert!(quarantine.refused(&order(), Way::Job, now, &error(0)));
        for n in 1..RUN {
            quarantine.refused(&order(), Way::Job, now, &error(n));
        }
        quarantine.stored(&order(), now);
        assert!(!quarantine.refused(&order(), Way::Job, now, &error(0)));
    }

    #[test]
    fn an_accepted_request_ends_a_run_of_refused_ones_only() {
        let mut quarantine = Quarantine::default();
        let now = start();
        for n in 1..RUN {
            quarantine.refused(&order(), Way::Whole, now, &error(n));
            quarantine.refused(&order(), Way::Job, now, &error(n));
        }
        quarantine.accepted(&order(), now);
        assert!(!quarantine.refused(&order(), Way::Whole, now, &error(0)));
        assert!(quarantine.refused(&order(), Way::Job, now, &error(0)));
    }

    #[test]
    fn a_release_lasts_until_something_is_stored() {
        let mut quarantine = Quarantine::default();
        let now = start();
        quarantine.release(&order());
        for n in 0..3 * RUN {
            assert!(!quarantine.refused(&order(), Way::Job, now, &error(n)));
        }
        quarantine.stored(&order(), now);
        let trips = (0..RUN).any(|n| quarantine.refused(&order(), Way::Job, now, &error(n)));
        assert!(trips);
    }
}
