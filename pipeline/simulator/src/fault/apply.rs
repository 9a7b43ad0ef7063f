//! Which faults one request meets.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::script::{FaultAction, FaultScript, LimitScope, names};
use crate::api::endpoint::Endpoint;
use crate::api::request::Cut;
use crate::random::log_normal;
use crate::time::SimTime;

/// What happens to one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) delay_ms: u64,
    pub(crate) status: Option<(u16, LimitScope, bool)>,
    pub(crate) cut: Option<Cut>,
    pub(crate) slow_ms: u64,
    /// `Some(None)` cuts the body in half.
    pub(crate) truncate: Option<Option<usize>>,
    pub(crate) garbage: bool,
    /// `Some(None)` for ever.
    pub(crate) stuck_job: Option<Option<u64>>,
    pub(crate) fail_items: Option<(String, f64)>,
    pub(crate) refuse_client_ref: bool,
    /// Positions of the rules that took effect.
    pub(crate) hits: Vec<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    seen: u64,
    hits: u64,
}

/// A loaded script and how far it has come.
#[derive(Debug)]
pub(crate) struct Faults {
    script: FaultScript,
    tallies: Vec<Tally>,
    loaded_at: Option<SimTime>,
    rng: ChaCha8Rng,
}

impl Faults {
    /// The script's time begins with the first request that asks it.
    pub(crate) fn new(script: Option<FaultScript>, seed: u64) -> Self {
        let script = script.unwrap_or_default();
        Self {
            tallies: vec![Tally::default(); script.rules.len()],
            rng: ChaCha8Rng::seed_from_u64(script.seed.unwrap_or(seed ^ 0xfa17)),
            loaded_at: None,
            script,
        }
    }

    /// As [`Faults::new`], with its time beginning now.
    pub(crate) fn loaded(now: SimTime, script: FaultScript, seed: u64) -> Self {
        Self {
            loaded_at: Some(now),
            ..Self::new(Some(script), seed)
        }
    }

    pub(crate) fn script(&self) -> &FaultScript {
        &self.script
    }

    /// The name of a rule.
    pub(crate) fn label(&self, rule: usize) -> &str {
        self.script.rules.get(rule).map_or("", |rule| rule.label())
    }

    /// What others spend per minute at this time.
    pub(crate) fn drain(&self, now: SimTime) -> u64 {
        let age = self.loaded_at.map_or(0, |loaded| now.since(loaded));
        let rules = self.script.rules.iter();
        rules
            .filter(|rule| within(rule.when.from_ms, rule.when.to_ms, age))
            .filter_map(|rule| match rule.action {
                FaultAction::Drain { per_minute } => Some(per_minute),
                FaultAction::Latency { .. }
                | FaultAction::Status { .. }
                | FaultAction::ResetBefore {}
                | FaultAction::ResetAfter {}
                | FaultAction::SlowBody { .. }
                | FaultAction::TruncatedBody { .. }
                | FaultAction::GarbageBody {}
                | FaultAction::StuckJob { .. }
                | FaultAction::FailItems { .. }
                | FaultAction::RefuseClientRef {} => None,
            })
            .sum()
    }

    /// What happens to a request to this endpoint.
    pub(crate) fn plan(&mut self, now: SimTime, endpoint: Endpoint) -> Plan {
        let mut plan = Plan::default();
        if self.script.rules.is_empty() {
            return plan;
        }
        let age = now.since(*self.loaded_at.get_or_insert(now));
        for (position, (rule, tally)) in self.script.rules.iter().zip(&mut self.tallies).enumerate()
        {
            let when = &rule.when;
            let meant = when
                .endpoint
                .as_deref()
                .is_none_or(|name| names(name, endpoint));
            if !meant || !within(when.from_ms, when.to_ms, age) {
                continue;
            }
            tally.seen += 1;
            let numbered = when.nth.is_empty() || when.nth.contains(&tally.seen);
            let periodic = when
                .every
                .is_none_or(|every| tally.seen.is_multiple_of(every));
            let left = when.count.is_none_or(|count| tally.hits < count);
            if !(numbered && periodic && left) {
                continue;
            }
            if when
                .probability
                .is_some_and(|share| self.rng.random::<f64>() >= share)
            {
                continue;
            }
            if plan.add(&rule.action, &mut self.rng) {
                tally.hits += 1;
                plan.hits.push(position);
            }
        }
        plan
    }
}

impl Plan {
    // False when the action changes nothing here.
    fn add(&mut self, action: &FaultAction, rng: &mut ChaCha8Rng) -> bool {
        let answered = self.status.is_some() || self.cut == Some(Cut::BeforeWrite);
        match action {
            FaultAction::Latency {
                ms,
                median_ms,
                p99_ms,
            } => {
                let random = median_ms
                    .zip(*p99_ms)
                    .map(|(median, p99)| log_normal(rng, median, p99));
                self.delay_ms += ms.unwrap_or(0) + random.unwrap_or(0);
            }
            FaultAction::Status { .. } | FaultAction::ResetBefore {} if answered => return false,
            FaultAction::Status {
                status,
                scope,
                body,
            } => {
                self.status = Some((*status, *scope, *body));
            }
            FaultAction::ResetBefore {} => self.cut = Some(Cut::BeforeWrite),
            FaultAction::ResetAfter {} => {
                self.cut = Some(self.cut.unwrap_or(Cut::AfterWrite));
            }
            FaultAction::SlowBody { ms } => self.slow_ms += ms,
            FaultAction::TruncatedBody { bytes } => self.truncate = Some(*bytes),
            FaultAction::GarbageBody {} => self.garbage = true,
            FaultAction::StuckJob { for_ms } => self.stuck_job = Some(*for_ms),
            FaultAction::FailItems { error, share } => {
                self.fail_items = Some((error.clone(), *share));
            }
            FaultAction::RefuseClientRef {} => self.refuse_client_ref = true,
            FaultAction::Drain { .. } => return false,
        }
        true
    }
}

fn within(from: Option<i64>, to: Option<i64>, age: i64) -> bool {
    from.is_none_or(|from| age >= from) && to.is_none_or(|to| age < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SimTime = SimTime::from_millis(1_000_000);

    fn faults(rules: &str) -> Faults {
        let script = FaultScript::parse(&format!(r#"{{"rules":[{rules}]}}"#)).unwrap();
        Faults::loaded(START, script, 1)
    }

    #[test]
    fn counts_only_matching_requests() {
        let mut faults =
            faults(r#"{"when":{"endpoint":"bulk.*","nth":[2]},"do":{"action":"reset_before"}}"#);
        let cut = |faults: &mut Faults, endpoint| faults.plan(START, endpoint).cut;
        assert_eq!(cut(&mut faults, Endpoint::BulkGet), None);
        assert_eq!(cut(&mut faults, Endpoint::KlassList), None);
        assert_eq!(
            cut(&mut faults, Endpoint::BulkBatches),
            Some(Cut::BeforeWrite)
        );
        assert_eq!(cut(&mut faults, Endpoint::BulkGet), None);
    }

    #[test]
    fn holds_only_in_its_time_and_as_often_as_said() {
        let mut faults = faults(
            r#"{"when":{"from_ms":1000,"to_ms":2000,"count":1},"do":{"action":"latency","ms":7}}"#,
        );
        let mut delay = |after| {
            faults
                .plan(START.plus_millis(after), Endpoint::BulkGet)
                .delay_ms
        };
        assert_eq!(
            [delay(999), delay(1_000), delay(1_001), delay(2_000)],
            [0, 7, 0, 0]
        );
    }

    #[test]
    fn the_first_answer_wins() {
        let mut faults = faults(
            r#"{"do":{"action":"status","status":503}},{"do":{"action":"reset_before"}},
               {"do":{"action":"latency","ms":3}}"#,
        );
        let plan = faults.plan(START, Endpoint::BulkGet);
        assert_eq!(plan.status, Some((503, LimitScope::Org, true)));
        assert_eq!((plan.cut, plan.delay_ms), (None, 3));
        assert_eq!(plan.hits, [0, 2]);
    }

    #[test]
    fn probabilities_are_seeded() {
        let rule = r#"{"when":{"probability":0.5},"do":{"action":"reset_after"}}"#;
        let outcomes = |mut faults: Faults| -> Vec<bool> {
            (0..200)
                .map(|_| faults.plan(START, Endpoint::BulkGet).cut.is_some())
                .collect()
        };
        let first = outcomes(faults(rule));
        assert_eq!(first, outcomes(faults(rule)));
        let hits = first.iter().filter(|hit| **hit).count();
        assert!((60..140).contains(&hits), "{hits}");
    }

    #[test]
    fn drains_in_its_time() {
        let faults = faults(r#"{"when":{"to_ms":5000},"do":{"action":"drain","per_minute":30}}"#);
        assert_eq!(faults.drain(START), 30);
        assert_eq!(faults.drain(START.plus_millis(5_000)), 0);
    }
}
