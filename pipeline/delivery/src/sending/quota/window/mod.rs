//! The server's window, learnt from what responses say is left of it.
//!
//! A response tells what was left when the server counted its request. Together with what this replica had sent by then, that
//! shows what came back (a new window, requests that are a minute old, what leaked) and what others spent. Three kinds of
//! windows are thought possible, and each rules something out:
//!
//! * fixed: nothing comes back within a window, and everything at its end;
//! * sliding: whatever was sent within the last minute is still taken;
//! * leaky: no more comes back than a minute's limit in a minute.
//!
//! The kind is the one whose last contradiction lies furthest back, so a wrong guess mends itself. Times are this process's own,
//! and points in the server's time are not used: a wrong clock changes nothing. A reset header can only bring the end of a fixed
//! window forward, and is ignored for good once it has not come true.

mod ahead;
mod kind;
mod sends;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::kind::{Kind, Kinds};
use self::sends::Sends;

/// A response that says what is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// The number of the request.
    pub(super) number: u64,
    /// When the request was sent.
    pub(super) sent: Instant,
    /// When the response came.
    pub(super) came: Instant,
    /// What is left for everybody.
    pub(super) remaining: u32,
    /// The time to the end of the window, by the reset header.
    pub(super) resets_in: Option<Duration>,
}

/// What is known of the group that this replica belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// What its other replicas send a second.
    pub(super) siblings: f64,
    /// The part of what the group may send that is this replica's.
    pub(super) part: f64,
}

/// A look that was taken into account.
#[derive(Debug, Clone, Copy)]
struct Seen {
    number: u64,
    /// About when the server counted the request.
    at: Instant,
    remaining: u32,
    /// What others have spent since the first look.
    foreign: f64,
}

/// What is known about the server's window.
#[derive(Debug)]
pub(super) struct Window {
    minute: Duration,
    /// The organisation's limit as reported, or the most that was ever left.
    limit: Option<u32>,
    most_left: u32,
    sends: Sends,
    kinds: Kinds,
    /// Some looks a second of the last minute; the newest is the last.
    seen: VecDeque<Seen>,
    began: Option<Began>,
    /// The latest end of the fixed window by the reset header.
    header_end: Option<Instant>,
    header_lied: bool,
    /// The lowest sum of what was left and the number of the request, in this window.
    floor: i64,
    /// Requests of this window that the server may not have counted.
    vague: u32,
    /// What others spent a second before the first of `seen`.
    rate_before: f64,
}

/// When the present fixed window began.
#[derive(Debug, Clone, Copy)]
struct Began {
    /// At the latest.
    latest: Instant,
    /// It was seen to begin; else it must have begun, because the one before is over.
    seen: bool,
}

impl Window {
    pub(super) fn new(minute: Duration) -> Self {
        Self {
            minute,
            limit: None,
            most_left: 0,
            sends: Sends::default(),
            kinds: Kinds::default(),
            seen: VecDeque::new(),
            began: None,
            header_end: None,
            header_lied: false,
            floor: i64::MAX,
            vague: 0,
            rate_before: 0.0,
        }
    }

    /// A request is sent. Returns its number.
    pub(super) fn sent(&mut self, now: Instant) -> u64 {
        self.sends.add(now, self.minute)
    }

    /// A request ended without a word about the limit: whether the server counted it is not known.
    pub(super) fn unanswered(&mut self) {
        self.vague = self.vague.saturating_add(1);
    }

    /// A response told the organisation's limit.
    pub(super) fn reported(&mut self, limit: u32) {
        if self.limit != Some(limit) {
            self.limit = Some(limit);
            self.seen.clear();
            self.began = None;
            self.floor = i64::MAX;
        }
    }

    /// What is left, by the newest look.
    pub(super) fn remaining(&self) -> Option<u32> {
        self.seen.back().map(|last| last.remaining)
    }

    /// When the present window is over at the latest, if it is a fixed one that was seen to begin.
    pub(super) fn known_end(&self) -> Option<Instant> {
        let seen = self.began.is_some_and(|began| began.seen);
        (seen && self.kinds.present() == Kind::Fixed)
            .then(|| self.latest_end())
            .flatten()
    }

    /// Learns from a response. False: it changes nothing, because a newer one is known.
    pub(super) fn learn(&mut self, look: &Look) -> bool {
        self.most_left = self.most_left.max(look.remaining);
        let at = look.sent + look.came.saturating_duration_since(look.sent) / 2;
        let Some(last) = self.seen.back().copied() else {
            self.begin(look, false);
            self.push(look, at, 0.0);
            return true;
        };
        if look.number <= last.number {
            return self.learn_late(look, at);
        }
        let sent_between = signed(look.number - last.number);
        let came_back = i64::from(look.remaining) - i64::from(last.remaining) + sent_between;
        let sum = i64::from(look.remaining) + signed(look.number);
        let margin = self.margin();
        let passed = at.saturating_duration_since(last.at);
        let leaked = self.leak() * passed.as_secs_f64();
        let risen = came_back > margin;
        let jumped = risen && real(came_back) > 1.5 * leaked + real(margin);
        // After a long silence nobody can tell how the limit came back.
        let close = passed <= self.minute / 12;
        let gone = i64::from(self.limit()) - i64::from(look.remaining) - sent_between;
        let full = real(gone) <= real(margin) + 2.0 * leaked + f64::from(self.limit()) / 20.0;
        let over = self.latest_end().is_some_and(|end| look.sent >= end);
        let header_decides = self.header_decides();
        let concluded = over && !header_decides;
        let stayed_down = over && !risen && self.stayed_down(sum, &last);
        let before = self.kinds.present();
        if jumped {
            self.kinds.contradict(Kind::Leaky, at);
        }
        if i64::from(look.remaining) > i64::from(self.limit()) - self.own_minute(at, look) + margin
        {
            self.kinds.contradict(Kind::Sliding, at);
        }
        if stayed_down && header_decides {
            self.header_lied = true;
        } else if stayed_down
            || jumped && close && !full
            || !jumped && !concluded && close && sum > self.floor.saturating_add(margin)
        {
            self.kinds.contradict(Kind::Fixed, at);
            self.floor = sum;
        }
        let began_anew = risen && full && (jumped || !close);
        let foreign = if self.kinds.present() == before {
            last.foreign + self.foreign_since(&last, at, look.remaining, came_back, began_anew)
        } else {
            self.reckon_anew(&last, at, look)
        };
        if began_anew {
            self.begin(look, true);
        } else if concluded {
            self.begin(look, false);
        } else if over {
            self.header_end = None;
        }
        self.floor = self.floor.min(sum);
        self.push(look, at, foreign);
        true
    }

    /// Learns from the response to a request before the one of the newest look. It can only show that less is left.
    fn learn_late(&mut self, look: &Look, at: Instant) -> bool {
        let began = self.began.map(|began| began.latest);
        if began.is_none_or(|began| look.sent < began) {
            return false;
        }
        let Some(last) = self.seen.back_mut() else {
            return false;
        };
        let recent = last.at.saturating_duration_since(at) <= self.minute / 60;
        let lower = recent && look.remaining < last.remaining;
        if lower {
            last.remaining = look.remaining;
        }
        lower
    }

    /// A fixed window began before this look and not before the last one.
    fn begin(&mut self, look: &Look, seen: bool) {
        self.began = Some(Began {
            latest: look.came,
            seen,
        });
        self.header_end = None;
        self.floor = i64::MAX;
        self.vague = 0;
    }

    fn push(&mut self, look: &Look, at: Instant, foreign: f64) {
        let new = Seen {
            number: look.number,
            at,
            remaining: look.remaining,
            foreign,
        };
        let dense = self.seen.len().checked_sub(2).and_then(|place| {
            let one_before = self.seen.get(place)?;
            let newest = self.seen.back()?;
            Some(newest.at.saturating_duration_since(one_before.at) < self.minute / 240)
        });
        if dense == Some(true) {
            self.seen.pop_back();
        }
        self.seen.push_back(new);
        let kept = self.minute + self.minute / 4;
        while let Some(second) = self.seen.get(1)
            && at.saturating_duration_since(second.at) > kept
        {
            self.seen.pop_front();
        }
        if let Some(resets_in) = look.resets_in
            && resets_in <= self.minute + self.minute / 30
        {
            let end = look.came + resets_in;
            self.header_end = Some(self.header_end.map_or(end, |known| known.min(end)));
        }
    }

    /// Whether the limit did not come back although this window is over and much was sent in it.
    fn stayed_down(&self, sum: i64, last: &Seen) -> bool {
        let Some(began) = self.began else {
            return false;
        };
        let before = self.sends.number_at(began.latest);
        let margin = self.margin();
        signed(last.number.saturating_sub(before)) > 2 * margin
            && sum <= self.floor.saturating_add(margin)
    }

    /// The latest end of the present fixed window.
    fn latest_end(&self) -> Option<Instant> {
        let learnt = self.began?.latest + self.minute;
        let header = self.header_end.filter(|_| !self.header_lied);
        Some(header.map_or(learnt, |header| header.min(learnt)))
    }

    fn header_decides(&self) -> bool {
        let learnt = self.began.map(|began| began.latest + self.minute);
        !self.header_lied && self.header_end.is_some() && self.header_end < learnt
    }

    /// How many of the last minute's own requests the server had counted with this one.
    fn own_minute(&self, at: Instant, look: &Look) -> i64 {
        let before = at
            .checked_sub(self.minute)
            .map_or(0, |ago| self.sends.number_at(ago));
        signed(look.number.saturating_sub(before))
    }

    /// What others spent between the newest look and one that shows that so much came back.
    fn foreign_since(
        &self,
        last: &Seen,
        at: Instant,
        remaining: u32,
        came_back: i64,
        began_anew: bool,
    ) -> f64 {
        let passed = at.saturating_duration_since(last.at).as_secs_f64();
        match self.kinds.present() {
            Kind::Fixed if began_anew => self.foreign_rate() * passed,
            Kind::Fixed => -real(came_back),
            Kind::Sliding => {
                let (from, to) = (
                    last.at.checked_sub(self.minute),
                    at.checked_sub(self.minute),
                );
                let aged = from.zip(to).map_or(0.0, |(from, to)| self.aged(from, to));
                aged - real(came_back)
            }
            Kind::Leaky => {
                let nearly_full = self.limit().saturating_sub(self.margin_units());
                if remaining.max(last.remaining) >= nearly_full {
                    // Some of what could have leaked was not there.
                    0.0
                } else {
                    self.leak() * passed - real(came_back)
                }
            }
        }
    }

    /// Another kind is believed: what others spent is reckoned anew. Returns it for this look.
    fn reckon_anew(&mut self, last: &Seen, at: Instant, look: &Look) -> f64 {
        self.rate_before = self.foreign_rate();
        self.seen.clear();
        match (self.kinds.present(), at.checked_sub(self.minute)) {
            // What is taken and not ours is of others; when in the last minute they spent it, nobody knows.
            (Kind::Sliding, Some(minute_ago)) => {
                let taken = i64::from(self.limit()) - i64::from(look.remaining);
                self.seen.push_back(Seen {
                    at: minute_ago,
                    foreign: 0.0,
                    ..*last
                });
                real(taken - self.own_minute(at, look)).max(0.0)
            }
            (Kind::Sliding, None) | (Kind::Fixed | Kind::Leaky, _) => 0.0,
        }
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(self.most_left)
    }

    /// What leaks in a second.
    fn leak(&self) -> f64 {
        f64::from(self.limit()) / self.minute.as_secs_f64()
    }

    /// A difference up to this says nothing: requests overtake each other.
    fn margin(&self) -> i64 {
        i64::from(self.margin_units())
    }

    fn margin_units(&self) -> u32 {
        (self.limit() / 50).max(8).saturating_add(self.vague)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count of requests as a real number; beyond the range of limits it stays at its end.
fn real(requests: i64) -> f64 {
    let least = i64::from(i32::MIN);
    let most = i64::from(i32::MAX);
    f64::from(i32::try_from(requests.clamp(least, most)).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests;
