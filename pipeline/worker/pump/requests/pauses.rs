//! Pauses that the configuration plans, by this machine's clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::hold::{Pause, PausedBy};
use ingest_delivery::machine::Input;

use crate::config::pauses::PauseSchedule;

/// An end that moves by more than this was moved by a clock that was set.
const NOISE_MS: u64 = 2_000;

/// Watches the time for them.
#[derive(Debug, Default)]
pub struct PauseWatch {
    schedule: PauseSchedule,
    /// The entries that hold, and when they end, as the machine was told.
    told: BTreeMap<usize, i64>,
    /// When the entries were last looked at, and until when nothing changes.
    looked: Option<(i64, i64)>,
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
    pub fn news(&mut self, wall_ms: i64) -> Vec<Input> {
        let known = self
            .looked
            .is_some_and(|(at, until)| at <= wall_ms && wall_ms < until);
        if known || self.schedule.windows().is_empty() {
            return Vec::new();
        }
        let mut news = Vec::new();
        for (place, window) in self.schedule.windows().iter().enumerate() {
            let by = PausedBy::Window(Arc::clone(&window.name));
            let scope = window.scope.clone();
            match (window.ends(wall_ms), self.told.get(&place)) {
                (Some(end), known) => {
                    let moved = known.is_none_or(|known| known.abs_diff(end) > NOISE_MS);
                    if moved {
                        let left = u64::try_from(end - wall_ms).unwrap_or(0);
                        let lasts = Some(Duration::from_millis(left));
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
        self.looked = Some((wall_ms, self.schedule.unchanged_until(wall_ms)));
        news
    }

    /// When the entries have to be looked at again.
    #[must_use]
    pub fn next(&self, now: Instant, wall_ms: i64) -> Option<Instant> {
        let (_, until) = self.looked?;
        let left = u64::try_from(until - wall_ms).unwrap_or(0);
        now.checked_add(Duration::from_millis(left))
    }
}

#[cfg(test)]
mod tests {
    use ingest_delivery::hold::Scope;
    use jiff::Timestamp;

    use super::*;
    use crate::clock::Clock;
    use crate::config::pauses::{PauseWindow, Times};

    const SECOND: i64 = 1_000;

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
        let mut watch = watch();
        assert!(watch.news(50 * SECOND).is_empty());
        let next = watch.next(now, 50 * SECOND);
        assert_eq!(next, Some(now + Duration::from_secs(50)));
        let news = watch.news(100 * SECOND);
        let [Input::Pause(pause)] = news.as_slice() else {
            panic!("{news:?}");
        };
        assert_eq!(pause.lasts, Some(Duration::from_secs(100)));
        assert_eq!(pause.by, PausedBy::Window("night".into()));
        assert!(
            watch.news(150 * SECOND).is_empty(),
            "it is no news any more"
        );
        let news = watch.news(200 * SECOND);
        assert!(
            matches!(news.as_slice(), [Input::Resume { .. }]),
            "{news:?}"
        );
    }

    #[test]
    fn a_worker_that_starts_in_between_is_told_at_once_and_for_what_is_left() {
        let news = watch().news(190 * SECOND);
        let [Input::Pause(pause)] = news.as_slice() else {
            panic!("{news:?}");
        };
        assert_eq!(pause.lasts, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_pause_that_has_not_begun() {
        let mut watch = watch();
        assert_eq!(watch.news(150 * SECOND).len(), 1);
        let news = watch.news(20 * SECOND);
        assert!(
            matches!(news.as_slice(), [Input::Resume { .. }]),
            "{news:?}"
        );
        assert_eq!(watch.news(100 * SECOND).len(), 1);
    }

    #[test]
    fn without_entries_there_is_never_news() {
        let mut watch = PauseWatch::default();
        assert!(watch.news(0).is_empty());
        assert_eq!(watch.next(Clock.now(), 0), None);
    }
}
