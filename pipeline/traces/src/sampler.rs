//! Which records are followed.
//!
//! Whoever began a trace has decided: a record whose context is sampled is followed, one whose context is not is left alone.
//! Of records without a context a part is, each the beginning of a trace. Above that stands a limit on spans a second. It is
//! asked when a record comes in, so that what is followed is followed to its end; the spans that come of it are taken off later.

use std::time::Instant;

use crate::context::{Context, TraceId};

/// Decides which records are followed; the time is an argument.
#[derive(Debug)]
pub struct Sampler {
    /// Of 2^64 traces that begin here, so many are followed; `None`: all.
    of_all: Option<u64>,
    /// Spans a second.
    rate: f64,
    /// Spans that there may be now; below 0 after a record that came with many.
    left: f64,
    at: Option<Instant>,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is followed.
    Follow,
    /// It is not.
    Leave,
    /// It would be, but there are as many spans as there may be.
    TooMany,
}

impl Sampler {
    /// A part of what begins here, from 0 to 1, and so many spans a second.
    #[must_use]
    pub fn new(ratio: f64, spans_per_second: u32) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 2^64, and `as` keeps to that"
        )]
        let of_all = (ratio * 2f64.powi(64)) as u64;
        let rate = f64::from(spans_per_second);
        Self {
            of_all: (ratio < 1.0).then_some(of_all),
            rate,
            left: rate,
            at: None,
        }
    }

    /// Decides about a record with this context, or without one, whose trace will be this.
    pub fn judge(&mut self, now: Instant, parent: Option<&Context>, trace: TraceId) -> Verdict {
        let wanted = match (parent, self.of_all) {
            (Some(parent), _) => parent.sampled,
            (None, None) => true,
            (None, Some(of_all)) => trace.random() < of_all,
        };
        if !wanted {
            return Verdict::Leave;
        }
        let before = self.at.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(before).as_secs_f64();
        self.left = (self.left + passed * self.rate).min(self.rate);
        if self.left < 1.0 {
            return Verdict::TooMany;
        }
        Verdict::Follow
    }

    /// A span was made. That of a record is spent when it is followed, not when it ends, so that those that wait count.
    pub fn spend(&mut self) {
        // What a busy second spends takes a minute to be made good at most.
        self.left = (self.left - 1.0).max(-60.0 * self.rate);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::context::Ids;

    #[expect(clippy::disallowed_methods, reason = "a test's own beginning of time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn context(sampled: bool) -> Context {
        let mut ids = Ids::new(1);
        Context {
            trace: ids.trace(),
            span: ids.span(),
            sampled,
            state: "".into(),
        }
    }

    #[test]
    fn who_began_the_trace_decides() {
        let (now, mut ids) = (start(), Ids::new(2));
        for ratio in [0.0, 1.0] {
            let mut sampler = Sampler::new(ratio, 100);
            let mut judge = |sampled| sampler.judge(now, Some(&context(sampled)), ids.trace());
            assert_eq!(judge(true), Verdict::Follow, "{ratio}");
            assert_eq!(judge(false), Verdict::Leave, "{ratio}");
        }
    }

    #[test]
    fn of_the_others_a_part_is_followed() {
        let (now, mut ids) = (start(), Ids::new(3));
        for (ratio, least, most) in [(0.0, 0, 0), (0.25, 2_300, 2_700), (1.0, 10_000, 10_000)] {
            let mut sampler = Sampler::new(ratio, 100);
            let all = 0..10_000;
            let followed = all.filter(|_| sampler.judge(now, None, ids.trace()) == Verdict::Follow);
            let followed = followed.count();
            assert!((least..=most).contains(&followed), "{ratio}: {followed}");
        }
    }

    #[test]
    fn no_more_spans_than_allowed_are_begun_and_what_a_record_costs_is_made_good() {
        let (begun, mut ids) = (start(), Ids::new(4));
        let mut sampler = Sampler::new(1.0, 10);
        let mut followed = 0;
        for second in 0..60 {
            for _ in 0..100 {
                let now = begun + Duration::from_secs(second);
                if sampler.judge(now, None, ids.trace()) == Verdict::Follow {
                    followed += 1;
                    // itself, a request, a job
                    (0..3).for_each(|_| sampler.spend());
                }
            }
        }
        // 600 spans, and a second's in advance
        assert!((190..=215).contains(&followed), "{followed}");
        for _ in 0..100_000 {
            sampler.spend();
        }
        let later = begun + Duration::from_secs(60 + 62);
        assert_eq!(
            sampler.judge(later, None, ids.trace()),
            Verdict::Follow,
            "a debt ends"
        );
    }
}
