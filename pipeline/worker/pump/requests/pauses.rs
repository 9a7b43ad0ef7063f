//! Pauses that the configuration plans, by this machine's clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::hold::{Pause, PausedBy};
use ingest_delivery::machine::Input;

use crate::config::pauses::PauseSchedule;

/// An end that moves by more than this, as this process counts time, was moved by a clock that was set.
const NOISE: Duration = Duration::from_secs(2);

/// Watches the time for them.
#[derive(Debug, Default)]
pub struct PauseWatch {
    schedule: PauseSchedule,
    /// The entries that hold, and when they end, as the machine was told: in its time, which nobody sets.
    told: BTreeMap<usize, Instant>,
    looked: Option<Look>,
}

/// When the entries were last looked at.
#[derive(Debug, Clone, Copy)]
struct Look {
    now: Instant,
    wall_ms: i64,
    /// Until when nothing changes.
    until_ms: i64,
}

impl PauseWatch {
    /// A watch for these.
    #[must_use]
    pub fn new(schedule: PauseSchedule) -> Self {
        Self {
            schedule,
            ..Self::default()
        }
    }

    /// What the machine has to be told, if that is news.
    pub fn news(&mut self, now: Instant, wall_ms: i64) -> Vec<Input> {
        let known = self.looked.is_some_and(|look| look.holds(now, wall_ms));
        if known || self.schedule.windows().is_empty() {
            return Vec::new();
        }
        let mut news = Vec::new();
        for (place, window) in self.schedule.windows().iter().enumerate() {
            let by = PausedBy::Window(Arc::clone(&window.name));
            let scope = window.scope.clone();
            match (window.ends(wall_ms), self.told.get(&place)) {
                (Some(end_ms), known) => {
                    let left = Duration::from_millis(u64::try_from(end_ms - wall_ms).unwrap_or(0));
                    let Some(end) = now.checked_add(left) else {
                        continue;
                    };
                    if known.is_none_or(|known| apart(*known, end) > NOISE) {
                        let lasts = Some(left);
                        let reason = window.reason.clone();
                        self.told.insert(place, end);
                        news.push(Input::Pause(Pause {
                            scope,
                            by,
                            lasts,
                            reason,
                        }));
                    }
                }
                (None, Some(_)) => {
                    self.told.remove(&place);
                    let by = Some(by);
                    news.push(Input::Resume { scope, by });
                }
                (None, None) => {}
            }
        }
        self.looked = Some(Look {
            now,
            wall_ms,
            until_ms: self.schedule.unchanged_until(wall_ms),
        });
        news
    }

    /// When the entries have to be looked at again.
    #[must_use]
    pub fn next(&self, now: Instant, wall_ms: i64) -> Option<Instant> {
        let until_ms = self.looked?.until_ms;
        let left = u64::try_from(until_ms - wall_ms).unwrap_or(0);
        now.checked_add(Duration::from_millis(left))
    }
}

// === impl Look ===

impl Look {
    /// Whether what was seen then still holds: its time is not over, and nobody has set the clock since.
    fn holds(&self, now: Instant, wall_ms: i64) -> bool {
        let passed = u64::try_from(wall_ms - self.wall_ms).map(Duration::from_millis);
        let counted = now.saturating_duration_since(self.now);
        passed.is_ok_and(|passed| passed.abs_diff(counted) <= NOISE) && wall_ms < self.until_ms
    }
}

fn apart(one: Instant, other: Instant) -> Duration {
    one.max(other) - one.min(other)
}

#[cfg(test)]
mod tests {
    use ingest_delivery::hold::Scope;
    use jiff::Timestamp;

    use super::*;
    use crate::clock::Clock;
    use crate::config::pauses::{PauseWindow, Times};

    fn ms(seconds: u64) -> i64 {
        i64::try_from(seconds * 1_000).unwrap()
    }

    fn news_at(watch: &mut PauseWatch, (now, wall_ms): (Instant, i64)) -> Vec<Input> {
        watch.news(now, wall_ms)
    }

    /// From the 100th to the 200th second.
    fn watch() -> PauseWatch {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        PauseWatch::new(PauseSchedule::new(vec![PauseWindow {
            name: "night".into(),
            scope: Scope::Destination,
            times: Times::Once {
                from: at(100),
                until: at(200),
            },
            reason: None,
        }]))
    }

    #[test]
    fn a_pause_is_told_when_it_begins_and_when_it_ends() {
        let now = Clock.now();
        let at = |seconds| (now + Duration::from_secs(seconds), ms(seconds));
        let mut watch = watch();
        assert!(news_at(&mut watch, at(50)).is_empty());
        let next = watch.next(at(50).0, ms(50));
        assert_eq!(next, Some(at(100).0));
        let news = news_at(&mut watch, at(100));
        let [Input::Pause(pause)] = news.as_slice() else {
            panic!("{news:?}");
        };
        assert_eq!(pause.lasts, Some(Duration::from_secs(100)));
        assert_eq!(pause.by, PausedBy::Window("night".into()));
        assert!(
            news_at(&mut watch, at(150)).is_empty(),
            "it is no news any more"
        );
        let news = news_at(&mut watch, at(200));
        assert!(
            matches!(news.as_slice(), [Input::Resume { .. }]),
            "{news:?}"
        );
    }

    #[test]
    fn a_worker_that_starts_in_between_is_told_at_once_and_for_what_is_left() {
        let news = watch().news(Clock.now(), ms(190));
        let [Input::Pause(pause)] = news.as_slice() else {
            panic!("{news:?}");
        };
        assert_eq!(pause.lasts, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_pause_that_has_not_begun() {
        let now = Clock.now();
        let mut watch = watch();
        assert_eq!(watch.news(now, ms(150)).len(), 1);
        let news = watch.news(now + Duration::from_secs(1), ms(20));
        assert!(
            matches!(news.as_slice(), [Input::Resume { .. }]),
            "{news:?}"
        );
        let later = now + Duration::from_secs(81);
        assert_eq!(watch.news(later, ms(100)).len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_moves_the_end_of_a_pause() {
        let now = Clock.now();
        let mut watch = watch();
        assert_eq!(watch.news(now, ms(100)).len(), 1);
        // Ten seconds later it is set back by five, then ahead by thirty: the end comes later, then sooner.
        for (passed, wall, left) in [(10, 105, 95), (20, 145, 55)] {
            let now = now + Duration::from_secs(passed);
            let news = watch.news(now, ms(wall));
            let [Input::Pause(pause)] = news.as_slice() else {
                panic!("{news:?}");
            };
            assert_eq!(pause.lasts, Some(Duration::from_secs(left)));
            let second = Duration::from_secs(1);
            assert!(watch.news(now + second, ms(wall + 2)).is_empty(), "noise");
        }
    }

    #[test]
    fn a_clock_that_runs_a_little_fast_moves_the_end_in_time() {
        let now = Clock.now();
        let mut watch = watch();
        assert_eq!(watch.news(now, ms(100)).len(), 1);
        let told = (1..90).filter(|second| {
            let wall_ms = ms(100) + i64::try_from(second * 1_100).unwrap();
            let news = watch.news(now + Duration::from_secs(*second), wall_ms);
            matches!(news.as_slice(), [Input::Pause(_)])
        });
        assert_eq!(told.count(), 4, "each time that it is two seconds off");
    }

    #[test]
    fn without_entries_there_is_never_news() {
        let mut watch = PauseWatch::default();
        assert!(watch.news(Clock.now(), 0).is_empty());
        assert_eq!(watch.next(Clock.now(), 0), None);
    }
}
