//! The organisation's limit over time: when the next request may be sent.
//!
//! A replica's allowance is the fleet's target times the weight of the partitions it owns, so the guarantees of all replicas
//! add up to at most one without a coordinator. The allowance is spread over the minute. What responses report closes the gate in
//! addition (less than the reserve is left, a 429), and teaches how the server's window refills and what others spend of it: then
//! the pace follows from what is left.

mod pace;
mod window;

use std::time::{Duration, Instant};

use ingest_model::call::{Class, Limits};

use self::pace::Pace;
use self::window::{Group, Look, Window};

/// How much of the organisation's limit the fleet may use.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq)]
pub struct QuotaSettings {
    /// The whole organisation's limit, in requests a minute.
    pub limit: u32,
    /// The part of it that all replicas together may use, in `(0, 1]`.
    pub share: f64,
    /// Requests of every minute that are left to others.
    pub reserve: u32,
    /// The API's minute: 60 s, less under a time scale.
    pub minute: Duration,
    /// How many times faster the API's clock runs than this one.
    pub time_scale: f64,
}

/// Why no permit was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Ask again at this time.
    Until(Instant),
    /// There is no allowance: this replica owns no partition.
    NoAllowance,
}

/// The permits of one replica.
#[derive(Debug)]
pub(crate) struct Quota {
    settings: QuotaSettings,
    /// The part of the fleet's target that this replica may use.
    weight: f64,
    server_limit: Option<u32>,
    server_remaining: Option<u32>,
    pace: Pace,
    window: Window,
    /// What the group's other replicas send a second, by what they say.
    siblings: f64,
    /// Since when strangers have been seen to need more than the target leaves them.
    strangers_since: Option<Instant>,
    /// Until then a group follows the window because of them.
    follows_until: Option<Instant>,
    /// When the pace was last taken from the window.
    looked_ahead: Option<Instant>,
    frozen_until: Option<Instant>,
    /// Less than the reserve is left: until then only reads get permits (of jobs and objects).
    reserved_until: Option<Instant>,
    /// When a request was sent after that to see what is left.
    tried: Option<Instant>,
    freezes: u64,
    unanswered_freezes: u32,
}

/// What a replica spends is measured over this part of a minute: short enough to follow it, long enough not to flicker.
const LATELY: u32 = 6;
/// Parts of many partitions add up to this little less than all.
const ALONE: f64 = 1e-9;

/// When a request was sent, and its number among those that were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentAt {
    number: u64,
    at: Instant,
}

/// How much of the burst is used up.
#[derive(Debug, Clone, Copy)]
pub(in crate::sending) struct Used {
    pub(super) permits: f64,
    /// All permits that can be saved up.
    pub(super) of: f64,
    /// How long it takes until a permit comes.
    pub(super) one_takes: Duration,
    /// Whether permits come.
    pub(super) refills: bool,
}

impl Quota {
    /// No allowance until partitions are owned.
    pub(crate) fn new(settings: QuotaSettings) -> Self {
        Self {
            settings,
            weight: 0.0,
            server_limit: None,
            server_remaining: None,
            pace: Pace::new(settings.minute),
            window: Window::new(settings.minute),
            siblings: 0.0,
            strangers_since: None,
            follows_until: None,
            looked_ahead: None,
            frozen_until: None,
            reserved_until: None,
            tried: None,
            freezes: 0,
            unanswered_freezes: 0,
        }
    }

    /// Sets the part of the fleet's target that this replica may use, from 0 to 1.
    pub(crate) fn set_weight(&mut self, now: Instant, weight: f64) {
        self.weight = weight.clamp(0.0, 1.0);
        self.rebuild(now);
    }

    /// Leaves so many requests of every minute to others from now on.
    pub(crate) fn set_reserve(&mut self, now: Instant, requests: u32) {
        if self.settings.reserve == requests {
            return;
        }
        self.settings.reserve = requests;
        self.tried = None;
        self.keep_reserve();
        self.rebuild(now);
        self.look_ahead(now);
    }

    /// How many requests of every minute are left to others now.
    pub(crate) fn reserve(&self) -> u32 {
        self.settings.reserve
    }

    /// The other replicas of the group send so many requests a minute.
    pub(crate) fn set_siblings(&mut self, a_minute: u32) {
        self.siblings = f64::from(a_minute) / self.settings.minute.as_secs_f64();
    }

    /// How many requests a minute this replica may send.
    pub(crate) fn allowance(&self) -> u32 {
        self.pace.allowance()
    }

    /// How many requests a minute the whole fleet may send.
    pub(crate) fn fleet_target(&self) -> u32 {
        self.part_of_target(1.0)
    }

    /// How many requests a minute this replica sends, by the permits of the last seconds.
    pub(crate) fn spends_a_minute(&self, now: Instant) -> u32 {
        self.pace.given_since(now, self.settings.minute / LATELY) * LATELY
    }

    /// How many permits were ever given.
    pub(crate) fn given(&self) -> u64 {
        self.pace.given()
    }

    /// How much of the window is left, by the last response.
    pub(crate) fn server_remaining(&self) -> Option<u32> {
        self.server_remaining
    }

    /// How often a 429 closed the gate.
    pub(crate) fn freezes(&self) -> u64 {
        self.freezes
    }

    /// Until when the server keeps the gate closed, if it does.
    pub(crate) fn frozen_until(&self, now: Instant) -> Option<Instant> {
        self.frozen_until.filter(|until| *until > now)
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// When to ask again.
    pub(crate) fn take(&mut self, now: Instant, class: Class) -> Result<(), Denied> {
        if let Some(until) = self.closed_until(now, class) {
            return Err(Denied::Until(until));
        }
        if self.allowance() == 0 {
            return Err(Denied::NoAllowance);
        }
        let long_ago =
            |at: Instant| now.saturating_duration_since(at) >= self.settings.minute / 240;
        if self.looked_ahead.is_none_or(long_ago) {
            self.look_ahead(now);
        }
        let always = is_always_sent(class);
        self.pace.take(now, always).map_err(Denied::Until)?;
        if !always && self.reserved_until.is_some() {
            self.tried = Some(now);
        }
        Ok(())
    }

    /// How many of the permits that could have been saved up are not there, about. `None` without an allowance.
    pub(super) fn used(&self, now: Instant) -> Option<Used> {
        if self.allowance() == 0 {
            return None;
        }
        let open = self.opens(now).is_none();
        let burst = self.pace.burst();
        let full = self.pace.available(now, false);
        Some(Used {
            permits: if open { burst - full } else { burst },
            of: burst,
            one_takes: self.pace.period(),
            refills: open,
        })
    }

    /// How long a permit takes to come.
    pub(crate) fn turn(&self) -> Duration {
        self.pace.period()
    }

    /// When the server's limit no longer closes the gate, if it does.
    pub(crate) fn opens(&self, now: Instant) -> Option<Instant> {
        self.closed_until(now, Class::Track)
    }

    /// Audit of I6: the permits of the last minute do not exceed the largest allowance of that minute.
    pub(crate) fn within_allowance(&mut self, now: Instant) -> bool {
        self.pace.within_allowance(now)
    }

    /// A request is sent.
    pub(crate) fn sent(&mut self, now: Instant) -> SentAt {
        let number = self.window.sent(now);
        SentAt { number, at: now }
    }

    /// Learns from a response's headers.
    pub(crate) fn observe(&mut self, now: Instant, sent: SentAt, limits: &Limits) {
        self.note_limit(now, limits);
        let Some(remaining) = limits.remaining else {
            self.window.unanswered();
            return;
        };
        self.server_remaining = Some(remaining);
        let look = Look {
            number: sent.number,
            sent: sent.at,
            came: now,
            remaining,
            resets_in: limits.resets_in.map(|time| self.scaled(time)),
        };
        if !self.window.learn(&look) {
            return;
        }
        self.tried = None;
        let low = self.keep_reserve();
        if !low && self.frozen_until.is_none_or(|until| until <= sent.at) {
            self.unanswered_freezes = 0;
        }
        self.look_ahead(now);
    }

    /// Closes the gate if less than the reserve is left, by the newest look, or opens it. Returns whether it is less.
    fn keep_reserve(&mut self) -> bool {
        let reserve = self.settings.reserve;
        let low = self.window.remaining().is_some_and(|left| left < reserve);
        self.reserved_until = low.then(|| self.window.opens(reserve)).flatten();
        low
    }

    fn note_limit(&mut self, now: Instant, limits: &Limits) {
        let Some(limit) = limits.limit else {
            return;
        };
        self.window.reported(limit);
        if self.server_limit != Some(limit) {
            self.server_limit = Some(limit);
            self.rebuild(now);
        }
    }

    /// A 429 for the whole organisation: nothing is sent until the window is over.
    pub(crate) fn freeze(&mut self, now: Instant, limits: &Limits) {
        self.note_limit(now, limits);
        self.server_remaining = limits.remaining.or(self.server_remaining);
        self.window.unanswered();
        let hint = limits.retry_after.or(limits.resets_in);
        let known_end = self
            .window
            .known_end()
            .and_then(|end| end.checked_duration_since(now));
        let wait = match (hint, known_end) {
            (Some(hint), _) => {
                self.unanswered_freezes = 0;
                self.scaled(hint)
            }
            (None, Some(wait)) => wait,
            (None, None) => {
                // When the window ends is not known: wait a twelfth of a minute, then twice as long each time, up to a minute.
                let factor = 1_u32 << self.unanswered_freezes.min(4);
                self.unanswered_freezes += 1;
                (self.settings.minute / 12).saturating_mul(factor)
            }
        };
        let until = now + wait.clamp(self.settings.minute / 60, self.settings.minute * 2);
        if self.frozen_until.is_none_or(|known| known < until) {
            if self.frozen_until.is_none_or(|known| known <= now) {
                self.freezes += 1;
            }
            self.frozen_until = Some(until);
        }
    }

    fn scaled(&self, server_time: Duration) -> Duration {
        server_time.div_f64(self.settings.time_scale)
    }

    fn closed_until(&self, now: Instant, class: Class) -> Option<Instant> {
        let reserved = if is_always_sent(class) {
            None
        } else {
            // Then one request at a time shows whether there is more.
            let tried = self.tried.map(|at| at + self.settings.minute / 12);
            self.reserved_until.max(tried)
        };
        self.frozen_until.max(reserved).filter(|until| *until > now)
    }

    fn look_ahead(&mut self, now: Instant) {
        self.looked_ahead = Some(now);
        let allowance = self.pace.allowance();
        let alone = self.weight >= 1.0 - ALONE;
        let group = Group {
            siblings: if alone { 0.0 } else { self.siblings },
            part: if alone { 1.0 } else { self.weight },
        };
        let reserve = self.settings.reserve;
        let pace = self.window.pace(now, reserve, allowance, group);
        let follows = alone || self.sees_strangers(now, group);
        self.pace.learn(now, pace.filter(|_| follows), group.part);
    }

    /// Whether strangers have taken for a while more than half of what the group's target leaves them, within the last minute.
    /// Else a group keeps to its even pace: what siblings say comes a little late, and must not slow everybody down.
    fn sees_strangers(&mut self, now: Instant, group: Group) -> bool {
        let limit = self.server_limit.unwrap_or(self.settings.limit);
        let taken = self
            .part_of_target(1.0)
            .saturating_add(self.settings.reserve);
        let spare = f64::from(limit.saturating_sub(taken)) / self.settings.minute.as_secs_f64();
        if self.window.strangers(group) <= spare / 2.0 {
            self.strangers_since = None;
        } else {
            let since = *self.strangers_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= self.settings.minute / LATELY {
                self.follows_until = Some(now + self.settings.minute);
            }
        }
        self.follows_until.is_some_and(|until| until > now)
    }

    fn part_of_target(&self, part: f64) -> u32 {
        let configured = self.settings.limit;
        let limit = self
            .server_limit
            .map_or(configured, |seen| seen.min(configured));
        let shared = f64::from(limit) * self.settings.share;
        let spared = f64::from(limit.saturating_sub(self.settings.reserve));
        to_units(shared.min(spared) * part)
    }

    fn rebuild(&mut self, now: Instant) {
        let allowance = self.part_of_target(self.weight);
        let alone = self.weight >= 1.0 - ALONE;
        self.pace.set_allowance(now, allowance, alone);
    }
}

/// Whether a request of this class is sent whatever is left: it settles what was already paid for.
fn is_always_sent(class: Class) -> bool {
    match class {
        Class::Read => true,
        Class::Resolve | Class::Track | Class::Write | Class::Probe => false,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of the type before the cast"
)]
fn to_units(requests: f64) -> u32 {
    requests.clamp(0.0, f64::from(u32::MAX)).floor() as u32
}

#[cfg(test)]
mod tests;
