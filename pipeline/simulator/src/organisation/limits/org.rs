//! The budget of the whole organisation: a fixed minute, the last minute at any time, or a leaky bucket.

use std::collections::VecDeque;

use super::MINUTE;
use crate::config::Window;
use crate::organisation::account::WindowAccount;
use crate::time::SimTime;

/// Windows kept for the account: a week of minutes.
const KEPT_WINDOWS: u16 = 10_080;

/// Shares of one request: a limit of `n` a minute gives back `n` shares a millisecond, exactly.
const SHARES: u64 = 60_000;

/// What others spend arrives in steps of so many milliseconds where the budget refills in between.
const STEP: i64 = 100;

/// The state of the budget as one request sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) admitted: bool,
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// The latest time at which requests are admitted again.
    pub(crate) reset_at: SimTime,
}

/// The budget. What others spend (`drain`, requests per minute) accrues evenly with time.
///
/// The fixed window begins with the first request after the last one ended; while others drain the
/// budget, windows follow one another without a gap, as their requests open them. The account lists
/// fixed windows in all modes.
#[derive(Debug)]
pub(crate) struct OrgWindow {
    mode: Window,
    limit: u64,
    open: Option<WindowAccount>,
    ended: VecDeque<WindowAccount>,
    drained_at: SimTime,
    // what others have spent of their next request, and how full the bucket is: both in `SHARES`
    drain_rest: u64,
    level: u64,
    leaked_at: SimTime,
    // the sliding window: what was admitted when, and the sum
    taken: VecDeque<(SimTime, u64)>,
    in_minute: u64,
}

impl OrgWindow {
    pub(crate) fn new(mode: Window, limit: u64) -> Self {
        Self {
            mode,
            limit,
            open: None,
            ended: VecDeque::new(),
            drained_at: SimTime::default(),
            drain_rest: 0,
            level: 0,
            leaked_at: SimTime::default(),
            taken: VecDeque::new(),
            in_minute: 0,
        }
    }

    /// Counts one request; `admitted` is false when the budget is spent.
    pub(crate) fn admit(&mut self, now: SimTime, drain: u64) -> Admission {
        self.roll(now, drain);
        if self.open.is_none() {
            self.open = Some(WindowAccount::starting(now));
            self.drained_at = now;
        }
        let admitted = self.left() >= 1;
        if admitted {
            self.spend(now, 1);
        }
        if let Some(window) = &mut self.open {
            window.spent += u64::from(admitted);
            window.refused += u64::from(!admitted);
        }
        self.seen(now, admitted)
    }

    /// Counts a request that was refused by script as if the budget were spent.
    pub(crate) fn refuse(&mut self, now: SimTime, drain: u64) -> Admission {
        self.roll(now, drain);
        let window = self
            .open
            .get_or_insert_with(|| WindowAccount::starting(now));
        window.refused += 1;
        Admission {
            remaining: 0,
            ..self.seen(now, false)
        }
    }

    /// Lets time pass: ends windows, lets the bucket leak, adds what others spent.
    pub(crate) fn roll(&mut self, now: SimTime, drain: u64) {
        while let Some(window) = self.open {
            let end = window.start.plus_millis(MINUTE);
            if now < end {
                break;
            }
            self.accrue(end, drain);
            self.end_window();
            if drain == 0 {
                break;
            }
            // after a long silence only the last windows matter
            let skipped = (now.since(end) / MINUTE)
                .saturating_sub(i64::from(KEPT_WINDOWS))
                .max(0);
            let start = end.plus_millis(skipped.saturating_mul(MINUTE));
            self.open = Some(WindowAccount::starting(start));
            self.drained_at = start;
        }
        self.accrue(now, drain);
        self.refill(now);
    }

    /// Every window so far, oldest first, the open one included.
    pub(crate) fn windows(&self) -> Vec<WindowAccount> {
        self.ended.iter().copied().chain(self.open).collect()
    }

    fn end_window(&mut self) {
        if let Some(window) = self.open.take() {
            if self.ended.len() == usize::from(KEPT_WINDOWS) {
                self.ended.pop_front();
            }
            self.ended.push_back(window);
        }
    }

    fn left(&self) -> u64 {
        match self.mode {
            Window::Fixed => {
                let used = self.open.map_or(0, |window| window.spent + window.foreign);
                self.limit.saturating_sub(used)
            }
            Window::Sliding => self.limit.saturating_sub(self.in_minute),
            Window::Leaky => self.limit.saturating_mul(SHARES).saturating_sub(self.level) / SHARES,
        }
    }

    fn accrue(&mut self, until: SimTime, drain: u64) {
        let mut from = self.drained_at;
        self.drained_at = self.drained_at.max(until);
        if self.open.is_none() || drain == 0 {
            return;
        }
        while from < until {
            let to = match self.mode {
                Window::Fixed => until,
                Window::Sliding | Window::Leaky => from.plus_millis(STEP).min(until),
            };
            self.refill(to);
            let passed = millis_between(from, to);
            let due = drain.saturating_mul(passed).saturating_add(self.drain_rest);
            self.drain_rest = due % SHARES;
            let wanted = due / SHARES;
            let foreign = wanted.min(self.left());
            self.spend(to, foreign);
            if let Some(window) = &mut self.open {
                window.foreign += foreign;
                window.foreign_refused += wanted - foreign;
            }
            from = to;
        }
    }

    /// Takes requests out of what refills by itself.
    fn spend(&mut self, now: SimTime, requests: u64) {
        match self.mode {
            Window::Fixed => {}
            Window::Sliding if requests > 0 => {
                self.in_minute += requests;
                self.taken.push_back((now, requests));
            }
            Window::Sliding => {}
            Window::Leaky => {
                let shares = requests.saturating_mul(SHARES);
                self.level = self.level.saturating_add(shares);
            }
        }
    }

    /// Gives back what has leaked, or is a minute old.
    fn refill(&mut self, now: SimTime) {
        let leaked = self
            .limit
            .saturating_mul(millis_between(self.leaked_at, now));
        self.leaked_at = self.leaked_at.max(now);
        self.level = self.level.saturating_sub(leaked);
        while let Some((at, requests)) = self.taken.front().copied() {
            if at.plus_millis(MINUTE) > now {
                break;
            }
            self.in_minute = self.in_minute.saturating_sub(requests);
            self.taken.pop_front();
        }
    }

    fn seen(&self, now: SimTime, admitted: bool) -> Admission {
        let reset_at = match self.mode {
            Window::Fixed => self
                .open
                .map_or(now, |window| window.start.plus_millis(MINUTE)),
            Window::Sliding => {
                let oldest = self.taken.front().map_or(now, |(at, _)| *at);
                oldest.plus_millis(MINUTE)
            }
            Window::Leaky => {
                let full = self.limit.saturating_mul(SHARES);
                let excess = self.level.saturating_add(SHARES).saturating_sub(full);
                let wait = excess.div_ceil(self.limit.max(1)).min(SHARES);
                now.plus_millis(i64::try_from(wait).unwrap_or(MINUTE))
            }
        };
        Admission {
            admitted,
            limit: self.limit,
            remaining: self.left(),
            reset_at,
        }
    }
}

fn millis_between(earlier: SimTime, later: SimTime) -> u64 {
    u64::try_from(later.since(earlier)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: SimTime = SimTime::from_millis(1_700_000_000_000);

    #[test]
    fn the_minute_begins_with_the_first_request() {
        let mut window = OrgWindow::new(Window::Fixed, 2);
        assert_eq!(window.admit(START, 0).remaining, 1);
        assert_eq!(window.admit(START.plus_millis(59_998), 0).remaining, 0);
        let refused = window.admit(START.plus_millis(59_999), 0);
        assert!(!refused.admitted);
        assert_eq!(refused.reset_at, START.plus_millis(MINUTE));
        let next = window.admit(START.plus_millis(90_000), 0);
        assert!(next.admitted);
        assert_eq!(next.reset_at, START.plus_millis(90_000 + MINUTE));
        let windows = window.windows();
        assert_eq!(windows.len(), 2);
        assert_eq!((windows[0].spent, windows[0].refused), (2, 1));
        assert_eq!(windows[1].start, START.plus_millis(90_000));
    }

    #[test]
    fn others_spend_evenly_and_open_windows() {
        let mut window = OrgWindow::new(Window::Fixed, 100);
        window.admit(START, 60);
        let later = window.admit(START.plus_millis(30_000), 60);
        assert_eq!(later.remaining, 100 - 2 - 30);
        window.roll(START.plus_millis(150_000), 60);
        let foreign: Vec<u64> = window
            .windows()
            .iter()
            .map(|window| window.foreign)
            .collect();
        assert_eq!(foreign, [60, 60, 30]);
    }

    #[test]
    fn others_cannot_spend_more_than_there_is() {
        let mut window = OrgWindow::new(Window::Fixed, 10);
        window.admit(START, 1_000);
        assert!(!window.admit(START.plus_millis(59_000), 1_000).admitted);
        assert_eq!(window.windows()[0].foreign, 9);
    }

    #[test]
    fn the_bucket_leaks_continuously() {
        let mut window = OrgWindow::new(Window::Leaky, 60);
        assert!((0..60).all(|_| window.admit(START, 0).admitted));
        let refused = window.admit(START, 0);
        assert!(!refused.admitted);
        assert_eq!(refused.reset_at, START.plus_millis(1_000));
        assert!(!window.admit(START.plus_millis(900), 0).admitted);
        assert!(window.admit(START.plus_millis(1_000), 0).admitted);
        assert!(!window.admit(START.plus_millis(1_000), 0).admitted);
    }

    #[test]
    fn a_sliding_minute_gives_back_what_is_a_minute_old() {
        let mut window = OrgWindow::new(Window::Sliding, 5);
        for second in [0, 10, 20, 30, 40] {
            let at = START.plus_millis(second * 1_000);
            assert!(window.admit(at, 0).admitted);
        }
        let refused = window.admit(START.plus_millis(59_999), 0);
        assert!(!refused.admitted);
        assert_eq!(refused.reset_at, START.plus_millis(MINUTE));
        assert_eq!(window.admit(START.plus_millis(60_000), 0).remaining, 0);
        assert!(!window.admit(START.plus_millis(69_999), 0).admitted);
        let later = window.admit(START.plus_millis(95_000), 0);
        assert_eq!(later.remaining, 2, "40 s, 60 s and this one count");
    }

    #[test]
    fn what_others_wanted_and_did_not_get_is_counted() {
        for mode in [Window::Fixed, Window::Sliding, Window::Leaky] {
            let mut window = OrgWindow::new(mode, 60);
            assert!((0..50).all(|_| window.admit(START, 0).admitted));
            window.roll(START.plus_millis(30_000), 60);
            let (foreign, refused) = window.windows().iter().fold((0, 0), |(f, r), window| {
                (f + window.foreign, r + window.foreign_refused)
            });
            let expected = match mode {
                Window::Fixed | Window::Sliding => (10, 20),
                Window::Leaky => (30, 0),
            };
            assert_eq!((foreign, refused), expected, "{mode:?}");
        }
    }

    #[test]
    fn a_long_silence_with_drain_is_cheap() {
        let mut window = OrgWindow::new(Window::Fixed, 10);
        window.admit(START, 5);
        window.roll(START.plus_millis(MINUTE * 10_000_000), 5);
        assert!(window.windows().len() <= usize::from(KEPT_WINDOWS) + 1);
    }

    proptest! {
        #[test]
        fn a_fixed_window_never_exceeds_its_limit(
            limit in 1_u64..50,
            drain in 0_u64..100,
            pauses in prop::collection::vec(0_i64..10_000, 1..300),
        ) {
            let mut window = OrgWindow::new(Window::Fixed, limit);
            let mut now = START;
            let (mut admitted, mut refused) = (0, 0);
            for pause in pauses {
                now = now.plus_millis(pause);
                let seen = window.admit(now, drain);
                if seen.admitted { admitted += 1 } else { refused += 1 }
                prop_assert!(seen.admitted || seen.remaining == 0);
                prop_assert!(seen.reset_at > now);
            }
            let windows = window.windows();
            for pair in windows.windows(2) {
                prop_assert!(pair[1].start.since(pair[0].start) >= MINUTE);
            }
            for window in &windows {
                prop_assert!(window.spent + window.foreign <= limit);
            }
            prop_assert_eq!(windows.iter().map(|window| window.spent).sum::<u64>(), admitted);
            prop_assert_eq!(windows.iter().map(|window| window.refused).sum::<u64>(), refused);
        }

        #[test]
        fn a_leaky_bucket_admits_its_size_and_what_leaks(
            limit in 1_u64..50,
            pauses in prop::collection::vec(0_i64..5_000, 1..300),
        ) {
            let mut window = OrgWindow::new(Window::Leaky, limit);
            let mut now = START;
            let mut times = Vec::new();
            for pause in pauses {
                now = now.plus_millis(pause);
                if window.admit(now, 0).admitted {
                    times.push(now);
                }
            }
            for (position, first) in times.iter().enumerate() {
                let within = times.iter().skip(position).take_while(|time| {
                    time.since(*first) < MINUTE
                });
                prop_assert!(within.count() as u64 <= 2 * limit);
            }
        }
    }
}
