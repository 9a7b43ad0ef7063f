//! The checks of `pauses`.

use std::sync::Arc;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::checker::Checker;
use crate::config::pauses::{Pausable, PauseSchedule, PauseWindow, Times, Wanted, reason};
use crate::config::raw::{At, RawPause, Scalar};
use crate::config::reserve::{DayTime, Weekly};

/// The most entries.
const MOST: usize = 64;
/// The longest name and reason, in characters.
const LONGEST: (usize, usize) = (64, 200);
const INSTANT: &str = "give a time with a date and an offset, such as 2026-12-01T06:00:00+01:00 or 2026-12-01T05:00:00Z";
const SCOPE: &str = "name one thing: topic: NAME, route: ROUTE (or TOPIC/ROUTE), or destination: all, tracking, kobject:KLASS, customer or company";

impl Checker<'_> {
    /// The planned pauses; topics and mappings that are wrong have been reported.
    pub(super) fn pauses(
        &mut self,
        raw: &[RawPause],
        pausable: Option<&Pausable>,
    ) -> Option<PauseSchedule> {
        if let Some(one) = raw.get(MOST) {
            let place = &one.times.place;
            let problem = format!("has more than {MOST} entries");
            self.fault(place.spot, &place.key, &problem, "leave out some of them");
            return None;
        }
        let mut names = BTreeSet::new();
        let read: Vec<Option<PauseWindow>> = raw
            .iter()
            .map(|one| self.pause(one, pausable, &mut names))
            .collect();
        Some(PauseSchedule::new(read.into_iter().collect::<Option<_>>()?))
    }

    fn pause(
        &mut self,
        raw: &RawPause,
        pausable: Option<&Pausable>,
        names: &mut BTreeSet<String>,
    ) -> Option<PauseWindow> {
        let name = self.name(raw, names);
        let scope = self.scope(raw, pausable);
        let times = if raw.until.is_some() {
            self.once(raw)
        } else {
            self.weekly(raw)
        };
        let reason = match &raw.reason {
            Some(leaf) => self.reason(leaf),
            None => Some(None),
        };
        Some(PauseWindow {
            name: name?.into(),
            scope: scope?,
            times: times?,
            reason: reason?,
        })
    }

    fn name(&mut self, raw: &RawPause, names: &mut BTreeSet<String>) -> Option<String> {
        let way_out = "give it a name of its own, such as night: letters, digits, `.`, `_` and `-`";
        let Some(leaf) = &raw.name else {
            self.missing(&raw.times.place, "name", way_out);
            return None;
        };
        let name = self.text(leaf)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.len() > LONGEST.0 || !name.chars().all(legal) {
            let problem = format!("`{name}` is no name of at most {} characters", LONGEST.0);
            self.at(leaf, &problem, way_out);
            return None;
        }
        if !names.insert(name.clone()) {
            self.at(
                leaf,
                &format!("`{name}` is the name of an entry before it"),
                way_out,
            );
            return None;
        }
        Some(name)
    }

    fn scope(
        &mut self,
        raw: &RawPause,
        pausable: Option<&Pausable>,
    ) -> Option<ingest_delivery::hold::Scope> {
        let given = [&raw.topic, &raw.route, &raw.destination];
        let mut given = given.into_iter().flatten();
        let Some(leaf) = given.next() else {
            let place = &raw.times.place;
            self.fault(place.spot, &place.key, "names nothing to pause", SCOPE);
            return None;
        };
        if let Some(more) = given.next() {
            self.at(more, "an entry pauses one thing, not two", SCOPE);
            return None;
        }
        let name = self.text(leaf)?;
        let wanted = match (&raw.topic, &raw.route) {
            (Some(_), _) => Wanted::Topic(&name),
            (None, Some(_)) => Wanted::Route(&name),
            (None, None) => Wanted::Destination(&name),
        };
        match pausable?.scope(wanted) {
            Ok(scope) => Some(scope),
            Err((problem, way_out)) => {
                self.at(leaf, &problem, &way_out);
                None
            }
        }
    }

    fn weekly(&mut self, raw: &RawPause) -> Option<Times> {
        let weekly = self.weekly_times(&raw.times)?;
        if (weekly.from, weekly.to) == (DayTime::START, DayTime::END) && weekly.days == [true; 7] {
            let place = &raw.times.place;
            let way_out = "leave the topic or the route out of the configuration, name days, or give other times";
            self.fault(place.spot, &place.key, "holds always", way_out);
            return None;
        }
        Some(Times::Weekly(weekly))
    }

    fn once(&mut self, raw: &RawPause) -> Option<Times> {
        let times = &raw.times;
        let beside = [&times.to, &times.zone].into_iter().flatten().next();
        if let Some(leaf) = beside {
            let way_out = "for something that happens once give from and until, each with a date; for every week from, to and zone";
            self.at(leaf, "does not go with until", way_out);
            return None;
        }
        if times.days.is_some() {
            let key = format!("{}.days", times.place.key);
            let way_out = "leave days out, or give from, to and zone instead of until";
            self.fault(times.place.spot, &key, "does not go with until", way_out);
            return None;
        }
        let Some(from) = &times.from else {
            self.missing(&times.place, "from", INSTANT);
            return None;
        };
        let begins = self.instant(from);
        let until = raw.until.as_ref()?;
        let (from, ends) = (begins?, self.instant(until)?);
        if ends <= from {
            self.at(
                until,
                &format!("{ends} is not after from, {from}"),
                "give a later time",
            );
            return None;
        }
        Some(Times::Once { from, until: ends })
    }

    fn instant(&mut self, leaf: &At<Scalar>) -> Option<Timestamp> {
        let text = self.text(leaf)?;
        let at = text.parse().ok();
        if at.is_none() {
            self.at(
                leaf,
                &format!("`{text}` is no time with a date and an offset"),
                INSTANT,
            );
        }
        at
    }

    fn reason(&mut self, leaf: &At<Scalar>) -> Option<Option<Arc<str>>> {
        let text = self.text(leaf)?;
        match reason(&text) {
            Ok(reason) => Some(reason.map(Arc::from)),
            Err(problem) => {
                self.at(leaf, &problem, "say it shorter; it is shown in /status");
                None
            }
        }
    }

    /// A time that comes every week.
    pub(super) fn weekly_times(&mut self, raw: &crate::config::raw::RawTimes) -> Option<Weekly> {
        let days = self.days(raw);
        let from = self.begins(raw, days);
        let to = self.day_time(raw, raw.to.as_ref(), "to", super::reserve::TO);
        let zone = self.zone(raw);
        let (from, to) = (from?, to?);
        if from == to {
            let leaf = raw.to.as_ref()?;
            let mut way_out = "for a whole day write from: \"00:00\", to: \"24:00\"".to_owned();
            if from > DayTime::START {
                way_out.push_str(&format!(
                    "; for 24 hours from {from} on write two entries, {from} to 24:00, and 00:00 to {from} on the days after"
                ));
            }
            self.at(
                leaf,
                "is the same as from, which is no time at all",
                &way_out,
            );
            return None;
        }
        Some(Weekly {
            days: days?,
            from,
            to,
            zone: zone?,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{MINIMAL, check};

    fn told(entry: &str) -> String {
        match check(&format!("{MINIMAL}pauses: [ {entry} ]\n")) {
            Ok(settings) => settings.pauses.windows()[0].to_string(),
            Err(faults) => faults,
        }
    }

    #[test]
    fn pauses_come_every_week_or_once() {
        assert_eq!(
            told(
                "{ name: night, destination: all, days: [mon, tue, wed], from: '22:00', to: '06:00', zone: Europe/Berlin }"
            ),
            "night: destination, mon-wed 22:00-06:00 of the next day, Europe/Berlin"
        );
        assert_eq!(
            told(
                "{ name: move, destination: tracking, from: 2026-12-01T23:00:00+01:00, until: 2026-12-02T03:00:00+01:00, reason: x }"
            ),
            "move: tracking, 2026-12-01T22:00:00Z to 2026-12-02T02:00:00Z"
        );
    }

    #[test]
    fn what_cannot_be_a_pause_is_told_with_the_way_out() {
        for (entry, problem) in [
            (
                "{ destination: all, from: '1:00', to: '2:00', zone: UTC }",
                "name",
            ),
            (
                "{ name: a b, destination: all, from: '1:00', to: '2:00', zone: UTC }",
                "is no name",
            ),
            (
                "{ name: a, from: '1:00', to: '2:00', zone: UTC }",
                "names nothing to pause",
            ),
            (
                "{ name: a, topic: t, destination: all, from: '1:00', to: '2:00', zone: UTC }",
                "one thing, not two",
            ),
            (
                "{ name: a, topic: nobodys, from: '1:00', to: '2:00', zone: UTC }",
                "`nobodys` is no topic of this configuration",
            ),
            (
                "{ name: a, destination: 'kobject:nothing', from: '1:00', to: '2:00', zone: UTC }",
                "nothing is written to `kobject:nothing`",
            ),
            (
                "{ name: a, destination: all, from: '0:00', to: '24:00', zone: UTC }",
                "holds always",
            ),
            (
                "{ name: a, destination: all, from: '8:00', to: '8:00', zone: UTC }",
                "no time at all",
            ),
            (
                "{ name: a, destination: all, from: '8:00', to: '9:00', zone: Mars }",
                "not a known time zone",
            ),
            (
                "{ name: a, destination: all, from: '8:00', until: 2026-12-01T00:00:00Z }",
                "no time with a date",
            ),
            (
                "{ name: a, destination: all, from: 2026-12-01T00:00:00Z, until: 2026-12-01T00:00:00Z }",
                "is not after from",
            ),
            (
                "{ name: a, destination: all, from: 2026-12-01T00:00:00Z, until: 2026-12-02T00:00:00Z, zone: UTC }",
                "does not go with until",
            ),
            (
                "{ name: a, destination: all, from: 2026-12-01T00:00:00Z, until: 2026-12-02T00:00:00Z, days: [mon] }",
                "does not go with until",
            ),
            (
                "{ name: a, destination: all, from: '1:00', to: '2:00', zone: UTC }, { name: a, destination: all, from: '1:00', to: '2:00', zone: UTC }",
                "is the name of an entry before it",
            ),
        ] {
            let said = told(entry);
            assert!(said.contains(problem), "{entry}: {said}");
            assert!(said.contains("pauses["), "{said}");
        }
    }
}
