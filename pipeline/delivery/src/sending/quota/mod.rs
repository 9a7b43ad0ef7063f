//! The organisation's limit over time: when the next request may be sent.
//!
//! A replica's allowance is the fleet's target times the weight of the partitions it owns, so the guarantees of all replicas
//! add up to at most one without a coordinator. The pace is GCRA with a burst of 1 % of the allowance, sized so that burst and
//! pace together never exceed the allowance in any minute. What responses report (what is left of the window, a 429) can close
//! the gate in addition.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};

use ingest_model::call::{Class, Limits};

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
    /// The owned part of all partitions, by weight.
    weight: f64,
    server_limit: Option<u32>,
    server_remaining: Option<u32>,
    pace: Option<Pace>,
    origin: Option<Instant>,
    clock: FakeRelativeClock,
    frozen_until: Option<Instant>,
    /// Until then only reads get permits (of jobs and objects): the rest of the window belongs to others.
    reserved_until: Option<Instant>,
    /// Permits of the last minute, for the audit of I6.
    issued: VecDeque<Instant>,
    /// Earlier allowances, and until when the audit has to count each.
    earlier: VecDeque<(u32, Instant)>,
    freezes: u64,
    unanswered_freezes: u32,
}

/// How much of the burst is used up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) permits: f64,
    /// All permits that can be saved up.
    pub(super) of: f64,
    /// How long it takes until a permit comes.
    pub(super) one_takes: Duration,
    /// Whether permits come.
    pub(super) refills: bool,
}

#[derive(Debug)]
struct Pace {
    allowance: u32,
    burst: u32,
    /// From one permit to the next.
    period: Duration,
    limiter: RateLimiter<
        NotKeyed,
        InMemoryState,
        FakeRelativeClock,
        NoOpMiddleware<governor::nanos::Nanos>,
    >,
    last_full: f64,
    last_at: Instant,
}

impl Quota {
    /// No allowance until partitions are owned.
    pub(crate) fn new(settings: QuotaSettings) -> Self {
        Self {
            settings,
            weight: 0.0,
            server_limit: None,
            server_remaining: None,
            pace: None,
            origin: None,
            clock: FakeRelativeClock::default(),
            frozen_until: None,
            reserved_until: None,
            issued: VecDeque::new(),
            earlier: VecDeque::new(),
            freezes: 0,
            unanswered_freezes: 0,
        }
    }

    /// Sets the owned part of all partitions, from 0 to 1.
    pub(crate) fn set_weight(&mut self, now: Instant, weight: f64) {
        self.weight = weight.clamp(0.0, 1.0);
        self.rebuild(now);
    }

    /// This replica's part of the organisation's target, from 0 to 1.
    pub(crate) fn weight(&self) -> f64 {
        self.weight
    }

    /// How many requests a minute this replica may send.
    pub(crate) fn allowance(&self) -> u32 {
        self.pace.as_ref().map_or(0, |p| p.allowance)
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
        self.advance(now);
        let Some(pace) = self.pace.as_mut() else {
            return Err(Denied::NoAllowance);
        };
        match pace.limiter.check() {
            Ok(()) => {
                pace.last_full = (pace.full_at(now, self.settings.minute) - 1.0).max(0.0);
                pace.last_at = now;
                self.issued.push_back(now);
                Ok(())
            }
            Err(denied) => {
                let wait = denied.wait_time_from(self.clock.now());
                Err(Denied::Until(now + wait.max(Duration::from_micros(1))))
            }
        }
    }

    /// How many of the permits that could have been saved up are not there, about. `None` without an allowance.
    pub(super) fn used(&self, now: Instant) -> Option<Used> {
        let pace = self.pace.as_ref()?;
        let open = self.opens(now).is_none();
        let full = pace.full_at(now, self.settings.minute);
        let burst = f64::from(pace.burst);
        Some(Used {
            permits: if open { burst - full } else { burst },
            of: burst,
            one_takes: pace.period,
            refills: open,
        })
    }

    /// How long a permit takes to come.
    pub(crate) fn turn(&self) -> Duration {
        self.pace
            .as_ref()
            .map_or(Duration::ZERO, |pace| pace.period)
    }

    /// When the server's limit no longer closes the gate, if it does.
    pub(crate) fn opens(&self, now: Instant) -> Option<Instant> {
        self.closed_until(now, Class::Track)
    }

    /// Audit of I6: the permits of the last minute do not exceed the largest allowance of that minute.
    pub(crate) fn within_allowance(&mut self, now: Instant) -> bool {
        while self
            .issued
            .front()
            .is_some_and(|at| now.duration_since(*at) >= self.settings.minute)
        {
            self.issued.pop_front();
        }
        while self.earlier.front().is_some_and(|(_, until)| *until <= now) {
            self.earlier.pop_front();
        }
        let before = self
            .earlier
            .iter()
            .map(|(allowance, _)| *allowance)
            .max()
            .unwrap_or(0);
        let cap = self.allowance().max(before);
        self.issued.len() <= usize::try_from(cap).unwrap_or(usize::MAX)
    }

    /// Learns from a response's headers.
    pub(crate) fn observe(&mut self, now: Instant, limits: &Limits) {
        if let Some(limit) = limits.limit
            && self.server_limit != Some(limit)
        {
            self.server_limit = Some(limit);
            self.rebuild(now);
        }
        let Some(remaining) = limits.remaining else {
            return;
        };
        let jumped = self
            .server_remaining
            .is_some_and(|before| remaining > before.saturating_add(5));
        self.server_remaining = Some(remaining);
        if jumped {
            self.reserved_until = None;
            self.unanswered_freezes = 0;
        }
        if remaining < self.settings.reserve {
            let left = limits
                .resets_in
                .map_or(self.settings.minute, |d| self.scaled(d));
            let until = now + left.min(self.settings.minute);
            if self
                .reserved_until
                .is_none_or(|known| known <= now || limits.resets_in.is_some())
            {
                self.reserved_until = Some(until);
            }
        } else {
            self.reserved_until = None;
        }
    }

    /// A 429 for the whole organisation: nothing is sent until the window is over.
    pub(crate) fn freeze(&mut self, now: Instant, limits: &Limits) {
        let hint = limits.retry_after.or(limits.resets_in);
        let wait = match hint {
            Some(hint) => {
                self.unanswered_freezes = 0;
                self.scaled(hint)
            }
            None => {
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
        let reserved = match class {
            Class::Read => None,
            Class::Resolve | Class::Track | Class::Write | Class::Probe => self.reserved_until,
        };
        self.frozen_until.max(reserved).filter(|until| *until > now)
    }

    fn target(&self) -> u32 {
        let configured = self.settings.limit;
        let limit = self
            .server_limit
            .map_or(configured, |seen| seen.min(configured));
        let shared = f64::from(limit) * self.settings.share;
        let spared = f64::from(limit.saturating_sub(self.settings.reserve));
        to_units(shared.min(spared) * self.weight)
    }

    fn rebuild(&mut self, now: Instant) {
        let allowance = self.target();
        if self.allowance() == allowance {
            return;
        }
        self.advance(now);
        self.earlier
            .push_back((self.allowance(), now + self.settings.minute));
        // A new pace starts without a burst: otherwise every change of the allowance would grant one.
        let fresh = self.issued.is_empty();
        self.pace = Pace::new(allowance, self.settings.minute, &self.clock, now, fresh);
    }

    fn advance(&mut self, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        let elapsed = now.saturating_duration_since(origin);
        self.clock.advance(elapsed);
        self.origin = Some(now.max(origin));
    }
}

impl Pace {
    fn new(
        allowance: u32,
        minute: Duration,
        clock: &FakeRelativeClock,
        now: Instant,
        with_burst: bool,
    ) -> Option<Self> {
        let burst = NonZeroU32::new((allowance / 100).max(1).min(allowance))?;
        let period = match allowance - burst.get() {
            0 => minute + minute / 100,
            paced => minute / paced,
        };
        let rate = Rate::with_period(period)?.allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(rate, clock.clone());
        if !with_burst {
            drop(limiter.check_n(burst));
        }
        let last_full = if with_burst {
            f64::from(burst.get())
        } else {
            0.0
        };
        Some(Self {
            allowance,
            burst: burst.get(),
            period,
            limiter,
            last_full,
            last_at: now,
        })
    }

    fn full_at(&self, now: Instant, minute: Duration) -> f64 {
        let per_second = f64::from(self.allowance - self.burst) / minute.as_secs_f64();
        let gained = now.saturating_duration_since(self.last_at).as_secs_f64() * per_second;
        (self.last_full + gained).min(f64::from(self.burst))
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
