//! What lies ahead: how fast may be sent so that the reserve stays, and when there is more than it again.

use std::time::{Duration, Instant};

use super::kind::Kind;
use super::{Group, Seen, Window, real, signed};

/// Into so many parts the time ahead is divided to find its tightest place.
const PARTS: u32 = 24;

impl Window {
    /// How many requests a second this replica may send, so that others find what they use to spend and `reserve` more at any time
    /// ahead, and that no minute has more than `allowance` requests of its own. What strangers leave belongs to the whole group, of
    /// which this replica has a part. `None`: nothing is known.
    pub(in crate::sending::quota) fn pace(
        &self,
        now: Instant,
        reserve: u32,
        allowance: u32,
        group: Group,
    ) -> Option<f64> {
        let last = self.seen.back()?;
        let kind = self.kinds.present();
        let ahead = match kind {
            Kind::Fixed => self.latest_end()?.checked_duration_since(now)?,
            Kind::Sliding => self.minute * 3 / 20,
            Kind::Leaky => self.minute,
        };
        if now.saturating_duration_since(last.at) > self.minute {
            return None;
        }
        let ahead = ahead.max(self.minute / 240);
        let strangers = self.strangers(group);
        let left = self.left(last, now) - f64::from(reserve) - self.spare();
        // What of the own requests of the last minute will be a minute old after that time.
        let ago = now.checked_sub(self.minute);
        let before = ago.map_or(0, |ago| self.sends.number_at(ago));
        let aging = |after: Duration| {
            let upto = ago.map_or(0, |ago| self.sends.number_at(ago + after));
            real(signed(upto.saturating_sub(before)))
        };
        let own = f64::from(allowance) - aging(self.minute);
        let mut pace = f64::INFINITY;
        for part in 1..=PARTS {
            let after = ahead * part / PARTS;
            let seconds = after.as_secs_f64();
            pace = pace.min((own + aging(after)) / seconds);
            let comes_back = match kind {
                Kind::Fixed if part < PARTS => continue,
                Kind::Fixed => 0.0,
                Kind::Sliding | Kind::Leaky => self.comes_back(now, after),
            };
            pace = pace.min(group.part * ((left + comes_back) / seconds - strangers));
        }
        Some(pace.max(0.0))
    }

    /// What strangers spend, a second.
    pub(in crate::sending::quota) fn strangers(&self, group: Group) -> f64 {
        let over = if group.part < 1.0 {
            // As long as the time for which siblings say what they sent, or a change of their pace looks like strangers.
            self.minute / 6
        } else {
            self.minute / 15
        };
        (self.foreign_over(over) - group.siblings).max(0.0)
    }

    /// How much more than the reserve is left where the limit comes back gradually, so that others rarely reach into the reserve. It
    /// costs nothing where it leaks: what is left is not what is lost.
    fn spare(&self) -> f64 {
        let limit = f64::from(self.limit());
        match self.kinds.present() {
            Kind::Fixed => 0.0,
            Kind::Sliding => limit / 200.0,
            Kind::Leaky => limit / 20.0,
        }
    }

    /// When the limit may have more than `reserve` again, after a look that showed less: in a fixed window at its end.
    pub(in crate::sending::quota) fn opens(&self, reserve: u32) -> Option<Instant> {
        let last = self.seen.back()?;
        if self.kinds.present() == Kind::Fixed {
            return self.latest_end();
        }
        let foreign = self.foreign_rate();
        let enough = |after: &Duration| {
            let left = f64::from(last.remaining) + self.comes_back(last.at, *after)
                - foreign * after.as_secs_f64();
            left >= f64::from(reserve) + 1.0
        };
        // Others may need it all now and nothing soon: then look again in a twelfth of a minute.
        let waits = (2..=10).map(|part| self.minute * part / 120);
        let wait = waits.into_iter().find(enough).unwrap_or(self.minute / 12);
        Some(last.at + wait)
    }

    /// What others spend, a second: strangers, and the other replicas of the group.
    pub(super) fn foreign_rate(&self) -> f64 {
        self.foreign_over(self.minute / 15)
    }

    /// The same over so long.
    fn foreign_over(&self, long_ago: Duration) -> f64 {
        let Some(last) = self.seen.back() else {
            return self.rate_before;
        };
        let is_old = |seen: &Seen| last.at.saturating_duration_since(seen.at) >= long_ago;
        let place = self.seen.partition_point(is_old).saturating_sub(1);
        let Some(then) = self.seen.get(place) else {
            return self.rate_before;
        };
        let passed = last.at.saturating_duration_since(then.at);
        if passed < self.minute / 30 {
            return self.rate_before;
        }
        ((last.foreign - then.foreign) / passed.as_secs_f64()).max(0.0)
    }

    /// What is left now: what the newest look showed, less what was sent and probably spent by others since, and what came back.
    fn left(&self, last: &Seen, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(last.at);
        let unseen = real(signed(self.sends.total().saturating_sub(last.number)));
        let came_back = match self.kinds.present() {
            Kind::Fixed => 0.0,
            Kind::Sliding | Kind::Leaky => self.comes_back(last.at, passed),
        };
        let left = f64::from(last.remaining) - unseen - self.foreign_rate() * passed.as_secs_f64();
        (left + came_back).min(f64::from(self.limit()))
    }

    /// What comes back by itself in that time, where the limit comes back gradually.
    fn comes_back(&self, from: Instant, after: Duration) -> f64 {
        match self.kinds.present() {
            Kind::Fixed => 0.0,
            Kind::Sliding => from
                .checked_sub(self.minute)
                .map_or(0.0, |ago| self.aged(ago, ago + after)),
            Kind::Leaky => self.leak() * after.as_secs_f64(),
        }
    }

    /// What everybody spent between two times of the last minutes.
    pub(super) fn aged(&self, from: Instant, to: Instant) -> f64 {
        let own = self
            .sends
            .number_at(to)
            .saturating_sub(self.sends.number_at(from));
        real(signed(own)) + self.foreign_at(to) - self.foreign_at(from)
    }

    /// What others had spent by then.
    fn foreign_at(&self, at: Instant) -> f64 {
        let place = self.seen.partition_point(|seen| seen.at <= at);
        let before = place.checked_sub(1).and_then(|place| self.seen.get(place));
        match (before, self.seen.get(place)) {
            (None, None) => 0.0,
            (Some(one), None) | (None, Some(one)) => one.foreign,
            (Some(before), Some(after)) => {
                let whole = after.at.saturating_duration_since(before.at).as_secs_f64();
                let part = at.saturating_duration_since(before.at).as_secs_f64();
                before.foreign + (after.foreign - before.foreign) * part / whole.max(1e-9)
            }
        }
    }
}
