//! Which letters are selected.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use ingest_model::outcome::Rejection;
use ingest_model::record::Topic;

use super::error::DeadLettersError;
use super::letter::Letter;
use crate::config::parse_duration;

/// The reason in letters on the hold topic, in place of a rejection.
const HELD: &str = "held";

/// Which letters a person asks for; an empty selection means all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these reasons.
    pub reasons: Vec<String>,
    /// Only records of these topics.
    pub topics: Vec<String>,
    /// Only these routes of the mapping.
    pub routes: Vec<String>,
    /// Written at this time or later.
    pub since: Option<Moment>,
    /// Written before this time.
    pub until: Option<Moment>,
}

/// A time as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A time, in epoch milliseconds.
    At(i64),
    /// This long before now.
    Ago(Duration),
}

/// Which letters are selected.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    reasons: BTreeSet<String>,
    topics: BTreeSet<String>,
    routes: BTreeSet<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
}

// === impl Selection ===

impl Selection {
    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            reasons,
            topics,
            routes,
            since,
            until,
        } = self;
        reasons.is_empty()
            && topics.is_empty()
            && routes.is_empty()
            && since.is_none()
            && until.is_none()
    }
}

// === impl Moment ===

impl Moment {
    /// The time in epoch milliseconds, given the present time.
    #[must_use]
    pub fn resolve(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(ago) => {
                now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(time.as_millisecond()));
        }
        parse_duration(text).map(Self::Ago).map_err(|_neither| {
            "give a time such as 2026-03-04T05:06:07Z, or how long ago, such as 90s, 30m or 2h"
                .to_owned()
        })
    }
}

// === impl Filter ===

impl Filter {
    /// The filter for a selection; durations count back from `now_ms`.
    ///
    /// # Errors
    ///
    /// When no letter can match it.
    pub fn new(asked: &Selection, now_ms: i64) -> Result<Self, DeadLettersError> {
        for reason in &asked.reasons {
            let known = Rejection::ALL.iter().map(|known| known.as_str());
            if !known.clone().chain([HELD]).any(|known| known == reason) {
                let all: Vec<&str> = known.chain([HELD]).collect();
                return Err(DeadLettersError::Usage(format!(
                    "--reason {reason}: there is no such reason; there are {}",
                    all.join(", ")
                )));
            }
        }
        let since_ms = asked.since.map(|moment| moment.resolve(now_ms));
        let until_ms = asked.until.map(|moment| moment.resolve(now_ms));
        if let (Some(since), Some(until)) = (since_ms, until_ms)
            && since >= until
        {
            return Err(DeadLettersError::Usage(
                "--since is not before --until, so no letter fits both".to_owned(),
            ));
        }
        Ok(Self {
            reasons: asked.reasons.iter().cloned().collect(),
            topics: asked.topics.iter().cloned().collect(),
            routes: asked.routes.iter().cloned().collect(),
            since_ms,
            until_ms,
        })
    }

    /// Whether this letter is selected. A letter without the property that a filter asks about is not.
    pub(super) fn takes(&self, letter: &Letter) -> bool {
        let one_of = |wanted: &BTreeSet<String>, has: Option<&str>| {
            wanted.is_empty() || has.is_some_and(|has| wanted.contains(has))
        };
        let at = letter.written_ms;
        one_of(&self.reasons, letter.reason.as_deref())
            && one_of(&self.topics, letter.source_topic().map(Topic::as_str))
            && one_of(&self.routes, letter.route.as_deref())
            && self
                .since_ms
                .is_none_or(|since| at.is_some_and(|at| at >= since))
            && self
                .until_ms
                .is_none_or(|until| at.is_some_and(|at| at < until))
    }
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::letter;
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let at = |text: &str| {
            text.parse::<Moment>()
                .map(|moment| moment.resolve(10_000_000))
        };
        assert_eq!(at("2h"), Ok(10_000_000 - 7_200_000));
        assert_eq!(at("1970-01-01T00:00:05Z"), Ok(5_000));
        for text in ["", "yesterday", "-2h", "2026-03-04"] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_filter_takes_what_fits_all_of_it() {
        let takes = |asked: &Selection| Filter::new(asked, 10_000).unwrap().takes(&letter(1, 0, 1));
        let with = |change: fn(&mut Selection)| {
            let mut asked = Selection::default();
            change(&mut asked);
            takes(&asked)
        };
        assert!(with(|_| ()));
        assert!(with(
            |asked| asked.reasons = vec!["held".into(), "mapping_failed".into()]
        ));
        assert!(!with(|asked| asked.reasons = vec!["held".into()]));
        assert!(with(|asked| asked.topics = vec!["shop.events".into()]));
        assert!(!with(|asked| asked.topics = vec!["dead".into()]));
        assert!(!with(|asked| asked.routes = vec!["other".into()]));
        assert!(with(|asked| asked.since = Some(Moment::At(5_000))));
        assert!(!with(|asked| asked.since = Some(Moment::At(5_001))));
        assert!(!with(|asked| asked.until = Some(Moment::At(5_000))));
        assert!(with(|asked| {
            asked.since = Some(Moment::At(4_999));
            asked.until = Some(Moment::At(5_001));
            asked.routes = vec!["order".into()];
        }));
    }

    #[test]
    fn a_filter_that_nothing_fits_is_refused() {
        let refused =
            |asked: Selection| Filter::new(&asked, 0).err().map(|error| error.to_string());
        let reason = refused(Selection {
            reasons: vec!["maping_failed".to_owned()],
            ..Selection::default()
        });
        assert!(reason.unwrap().contains("there are invalid_json, "));
        let times = refused(Selection {
            since: Some(Moment::At(2)),
            until: Some(Moment::At(2)),
            ..Selection::default()
        });
        assert!(times.unwrap().contains("not before --until"));
    }
}
