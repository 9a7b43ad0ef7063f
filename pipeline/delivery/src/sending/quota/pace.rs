//! Permits over time: an even pace, the pace that the window allows, and a log that no minute exceeds the allowance.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};

/// The permits of this replica.
///
/// As long as nothing is known of the window, the pace is even: GCRA with a burst of 1 % of the allowance, and the rest over the
/// minute, together never more than the allowance. What is sent whatever is left of the limit (reads) may always use the even
/// pace. Once the window is known, everything else follows it: slower, because others need what is left, or faster, because they
/// left something. Then the log alone keeps the minute within the allowance.
#[derive(Debug)]
pub(super) struct Pace {
    minute: Duration,
    allowance: u32,
    even: Option<Limiter>,
    even_full: Bucket,
    clock: FakeRelativeClock,
    origin: Option<Instant>,
    /// The pace that the window allows, if it is known, in permits a second.
    learnt: Option<f64>,
    window_full: Bucket,
    /// What former allowances had earned towards the next permit of the even pace; at most one.
    credit: f64,
    /// All permits ever given.
    given: u64,
    /// Permits of the last minute.
    issued: VecDeque<Instant>,
    /// Earlier allowances, and until when each counts.
    earlier: VecDeque<(u32, Instant)>,
}

type Limiter =
    RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<governor::nanos::Nanos>>;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    tokens: f64,
    at: Option<Instant>,
}

/// Part of a permit that counts as a whole one.
const WHOLE: f64 = 1.0 - 1e-6;
/// How much faster than the allowance what was left over may be caught up on.
const CATCH_UP: f64 = 1.25;
/// How many permits a minute the group has at least, to learn whether others still need the rest.
const TRICKLE: f64 = 30.0;

impl Pace {
    pub(super) fn new(minute: Duration) -> Self {
        Self {
            minute,
            allowance: 0,
            even: None,
            even_full: Bucket::default(),
            clock: FakeRelativeClock::default(),
            origin: None,
            learnt: None,
            window_full: Bucket::default(),
            credit: 0.0,
            given: 0,
            issued: VecDeque::new(),
            earlier: VecDeque::new(),
        }
    }

    pub(super) fn allowance(&self) -> u32 {
        self.allowance
    }

    /// Another allowance. It grants no burst, unless nothing was sent in the last minute.
    pub(super) fn set_allowance(&mut self, now: Instant, allowance: u32) {
        if self.allowance == allowance {
            return;
        }
        self.pass(now);
        let counts_until = now + self.minute;
        self.earlier.push_back((self.allowance, counts_until));
        self.allowance = allowance;
        let fresh = self.issued.is_empty();
        // What was earned towards the next permit is not lost.
        let burst = self.burst();
        if !fresh {
            self.credit = (self.credit + self.even_full.tokens).min(1.0);
        }
        self.window_full.tokens = if fresh {
            burst
        } else {
            self.window_full.tokens.min(1.0)
        };
        self.even_full.tokens = if fresh { burst } else { 0.0 };
        self.even = self.limiter(fresh);
    }

    /// The window allows this many permits a second, or is not known; this replica has that part of what the group has.
    pub(super) fn learn(&mut self, now: Instant, pace: Option<f64>, part: f64) {
        self.pass(now);
        let even = f64::from(self.allowance) / self.minute.as_secs_f64();
        let trickle = (TRICKLE * part).max(1.0);
        let least = trickle.min(f64::from(self.allowance)) / self.minute.as_secs_f64();
        // Only what was left over in the last minute is caught up on; else the minute would end with a pause.
        let given = f64::from(self.given_in_last_minute()) + self.burst();
        let behind = given < f64::from(self.allowance);
        let most = if behind {
            even * CATCH_UP
        } else {
            self.even_rate()
        };
        self.learnt = pace.map(|pace| pace.clamp(least, most.max(least)));
    }

    /// Takes a permit; `always`: whatever is left of the limit.
    ///
    /// # Errors
    /// When there is one.
    pub(super) fn take(&mut self, now: Instant, always: bool) -> Result<(), Instant> {
        self.pass(now);
        self.forget(now);
        if let Some(until) = self.minute_is_full(now) {
            return Err(until);
        }
        let wait = match self.learnt {
            Some(rate) => match self.window_full.lacks(rate) {
                None => {
                    self.take_even();
                    None
                }
                Some(_) if always && self.take_even().is_none() => None,
                wait @ Some(_) => wait,
            },
            None => self.take_even(),
        };
        if let Some(wait) = wait {
            return Err(now + wait.clamp(Duration::from_micros(1), self.minute));
        }
        for bucket in [&mut self.even_full, &mut self.window_full] {
            bucket.tokens = (bucket.tokens - 1.0).max(0.0);
        }
        self.issued.push_back(now);
        self.given += 1;
        Ok(())
    }

    /// Until when another permit would be too many for some minute, if it would.
    ///
    /// An earlier allowance counts for a minute after it was changed, but not for the minutes that begin after that: so what
    /// was given since each change has to fit into the largest allowance since then.
    fn minute_is_full(&self, now: Instant) -> Option<Instant> {
        let mut most = self.allowance;
        let mut until: Option<Instant> = None;
        let mut fits = |first: usize, most: u32| {
            let given = self.issued.len().saturating_sub(first);
            let over = given.checked_sub(usize::try_from(most).unwrap_or(usize::MAX));
            if let Some(over) = over {
                let oldest = self.issued.get(first + over);
                let leaves = oldest.map_or(now, |at| *at) + self.minute;
                until = Some(until.map_or(leaves, |known| known.max(leaves)));
            }
        };
        for (allowance, counts_until) in self.earlier.iter().rev() {
            let since = |at: &Instant| *at + self.minute <= *counts_until;
            fits(self.issued.partition_point(since), most);
            most = most.max(*allowance);
        }
        fits(0, most);
        until
    }

    /// Takes a permit at the even pace, or says when there is one.
    fn take_even(&mut self) -> Option<Duration> {
        if self.credit >= WHOLE {
            self.credit = 0.0;
            return None;
        }
        let denied = self.even.as_ref()?.check().err()?;
        Some(denied.wait_time_from(self.clock.now()))
    }

    /// How many permits were ever given.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// How many were given in the last minute, up to the last look at it.
    pub(super) fn given_in_last_minute(&self) -> u32 {
        u32::try_from(self.issued.len()).unwrap_or(u32::MAX)
    }

    /// How many were given in the time before now, of the last minute.
    pub(super) fn given_since(&self, now: Instant, time: Duration) -> u32 {
        let before = |at: &Instant| now.saturating_duration_since(*at) >= time;
        let since = self.issued.len() - self.issued.partition_point(before);
        u32::try_from(since).unwrap_or(u32::MAX)
    }

    /// How many permits there are at this moment, about.
    pub(super) fn available(&self, now: Instant, always: bool) -> f64 {
        let burst = self.burst();
        let even = self.even_full.tokens_at(now, self.even_rate(), burst);
        match self.learnt {
            None => even,
            Some(rate) => {
                let learnt = self.window_full.tokens_at(now, rate, burst);
                if always { learnt.max(even) } else { learnt }
            }
        }
    }

    /// Audit of I6: the permits of the last minute do not exceed the largest allowance of that minute.
    pub(super) fn within_allowance(&mut self, now: Instant) -> bool {
        self.forget(now);
        let earlier = self.earlier.iter().map(|(allowance, _)| *allowance);
        let most = earlier.max().unwrap_or(0).max(self.allowance);
        self.issued.len() <= usize::try_from(most).unwrap_or(usize::MAX)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(at) = self.issued.front()
            && now.saturating_duration_since(*at) >= self.minute
        {
            self.issued.pop_front();
        }
        while let Some((_, until)) = self.earlier.front()
            && *until <= now
        {
            self.earlier.pop_front();
        }
    }

    /// From one permit to the next.
    pub(super) fn period(&self) -> Duration {
        let rate = self.learnt.unwrap_or_else(|| self.even_rate());
        if rate > 0.0 {
            Duration::try_from_secs_f64(1.0 / rate)
                .map_or(self.minute, |each| each.min(self.minute))
        } else {
            self.minute
        }
    }

    /// How many permits can be saved up.
    pub(super) fn burst(&self) -> f64 {
        f64::from((self.allowance / 100).max(1).min(self.allowance))
    }

    /// Permits a second at the even pace.
    fn even_rate(&self) -> f64 {
        (f64::from(self.allowance) - self.burst()) / self.minute.as_secs_f64()
    }

    fn limiter(&self, with_burst: bool) -> Option<Limiter> {
        let burst = NonZeroU32::new((self.allowance / 100).max(1).min(self.allowance))?;
        let period = match self.allowance - burst.get() {
            0 => self.minute + self.minute / 100,
            paced => self.minute / paced,
        };
        let rate = Rate::with_period(period)?.allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(rate, self.clock.clone());
        if !with_burst {
            drop(limiter.check_n(burst));
        }
        Some(limiter)
    }

    /// Time moves on.
    fn pass(&mut self, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        self.clock.advance(now.saturating_duration_since(origin));
        self.origin = Some(now.max(origin));
        let burst = self.burst();
        let even = self.even_rate();
        self.even_full.pass(now, even, burst);
        self.window_full
            .pass(now, self.learnt.unwrap_or(even), burst);
    }
}

impl Bucket {
    fn tokens_at(&self, now: Instant, rate: f64, burst: f64) -> f64 {
        let passed = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        (self.tokens + passed.as_secs_f64() * rate).min(burst)
    }

    fn pass(&mut self, now: Instant, rate: f64, burst: f64) {
        self.tokens = self.tokens_at(now, rate, burst);
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// How long until there is a whole token, if there is none.
    fn lacks(&self, rate: f64) -> Option<Duration> {
        if self.tokens >= WHOLE {
            return None;
        }
        let seconds = (1.0 - self.tokens) / rate.max(1e-6);
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}
