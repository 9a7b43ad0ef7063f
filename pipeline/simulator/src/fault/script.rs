//! The format of a fault script.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::Endpoint;

/// A fault script: rules that are checked for every request, in order. All that apply take effect
/// together; of several answers (`status`, `reset_before`) the first wins.
///
/// ```
/// use kustomer_sim::FaultScript;
/// let script = FaultScript::parse(r#"{
///   "seed": 7,
///   "rules": [
///     { "name": "slow start", "when": { "to_ms": 60000 },
///       "do": { "action": "latency", "median_ms": 200, "p99_ms": 2000 } },
///     { "name": "third submit is lost", "when": { "endpoint": "kobject.bulk_create", "nth": [3] },
///       "do": { "action": "reset_after" } }
///   ]
/// }"#).unwrap();
/// assert_eq!(script.rules.len(), 2);
/// assert!(FaultScript::parse(r#"{"rules":[{"do":{"action":"explode"}}]}"#).is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultScript {
    /// Seed of probabilities and random durations; the simulator's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The rules.
    pub rules: Vec<FaultRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The name in the account; the action's name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it applies; always when left out.
    #[serde(default)]
    pub when: FaultWhen,
    /// What it does.
    #[serde(rename = "do")]
    pub action: FaultAction,
}

/// When a rule applies: all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultWhen {
    /// An endpoint's name (`kobject.bulk_create`), a family (`kobject.*`) or `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Numbers of requests among those of the endpoint and time, counted from 1 since the script was
    /// loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nth: Vec<u64>,
    /// Every so many of those requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// From this many milliseconds (simulator's clock) after the script was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// Until this many milliseconds after the script was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
    /// The share of requests, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// At most this often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// Which limit a scripted 429 speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// The organisation's budget: nothing remains until the window ends.
    #[default]
    Org,
    /// One object's or customer's limit: the budget is reported as it is.
    Object,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAction {
    /// The reply leaves later: by `ms`, or by a log-normal time with this median and 99th percentile.
    Latency {
        /// A fixed delay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
        /// Median of a random delay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        median_ms: Option<u64>,
        /// 99th percentile of a random delay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p99_ms: Option<u64>,
    },
    /// The request is answered with this status and not executed.
    Status {
        /// 400 to 599.
        status: u16,
        /// For 429: which limit.
        #[serde(default)]
        scope: LimitScope,
        /// Whether there is an error body.
        #[serde(default = "yes")]
        body: bool,
    },
    /// The connection is dropped, and the request is not executed.
    ResetBefore {},
    /// The request is executed, then the connection is dropped.
    ResetAfter {},
    /// The body trickles out over `ms`.
    SlowBody {
        /// Milliseconds on the simulator's clock.
        ms: u64,
    },
    /// The connection is dropped after `bytes` of the body; after half of it when left out.
    TruncatedBody {
        /// Bytes that arrive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<usize>,
    },
    /// The request is executed, but the body is not JSON.
    GarbageBody {},
    /// The bulk job that this request submits completes `for_ms` later, or never.
    StuckJob {
        /// Milliseconds on the simulator's clock; never when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Items of the bulk job that this request submits fail with this error.
    FailItems {
        /// The error of each.
        error: String,
        /// The share of items, 0 to 1; all when left out.
        #[serde(default = "whole")]
        share: f64,
    },
    /// A bulk request whose items carry `_clientRef` is refused with 400.
    RefuseClientRef {},
    /// Others spend this many requests of the budget per minute. Only the times in `when` apply.
    Drain {
        /// Requests per minute.
        per_minute: u64,
    },
}

const fn yes() -> bool {
    true
}

const fn whole() -> f64 {
    1.0
}

impl FaultAction {
    /// The name of the action.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Status { .. } => "status",
            Self::ResetBefore {} => "reset_before",
            Self::ResetAfter {} => "reset_after",
            Self::SlowBody { .. } => "slow_body",
            Self::TruncatedBody { .. } => "truncated_body",
            Self::GarbageBody {} => "garbage_body",
            Self::StuckJob { .. } => "stuck_job",
            Self::FailItems { .. } => "fail_items",
            Self::RefuseClientRef {} => "refuse_client_ref",
            Self::Drain { .. } => "drain",
        }
    }
}

/// A script that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultScriptError {
    /// It is not JSON, or does not have this form.
    #[error("the fault script cannot be read: {0}")]
    Form(#[from] serde_json::Error),
    /// A rule makes no sense.
    #[error("rule {rule} of the fault script: {problem}")]
    Rule {
        /// Its number, from 1.
        rule: usize,
        /// What is wrong.
        problem: String,
    },
}

impl FaultScript {
    /// Reads and checks a script.
    ///
    /// # Errors
    /// It is not of this form, or a rule makes no sense (an endpoint that does not exist, a share
    /// outside 0 to 1, a latency without a duration).
    pub fn parse(text: &str) -> Result<Self, FaultScriptError> {
        let script: Self = serde_json::from_str(text)?;
        script.check()?;
        Ok(script)
    }

    /// Checks a script that was built in code.
    ///
    /// # Errors
    /// A rule makes no sense.
    pub fn check(&self) -> Result<(), FaultScriptError> {
        for (rule, number) in self.rules.iter().zip(1..) {
            rule.problem().map_or(Ok(()), |problem| {
                Err(FaultScriptError::Rule {
                    rule: number,
                    problem,
                })
            })?;
        }
        Ok(())
    }
}

impl FaultRule {
    /// The name under which the account counts it.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.action.as_str())
    }

    fn problem(&self) -> Option<String> {
        if let Some(name) = &self.when.endpoint
            && !Endpoint::ALL.iter().any(|endpoint| names(name, *endpoint))
        {
            let known: Vec<&str> = Endpoint::ALL.iter().map(|known| known.as_str()).collect();
            return Some(format!(
                "there is no endpoint `{name}`; the endpoints are *, {} and families such as kobject.*",
                known.join(", ")
            ));
        }
        let share = |share: f64| !(0.0..=1.0).contains(&share);
        if self.when.probability.is_some_and(share) {
            return Some("`probability` must lie between 0 and 1".to_owned());
        }
        if self.when.every == Some(0) || self.when.nth.contains(&0) {
            return Some("`every` and `nth` count from 1".to_owned());
        }
        match &self.action {
            FaultAction::Latency {
                ms: None,
                median_ms,
                p99_ms,
            } => match (median_ms, p99_ms) {
                (Some(median), Some(p99)) if 0 < *median && median <= p99 => None,
                _ => Some(
                    "`latency` takes `ms`, or `median_ms` above 0 and a `p99_ms` not below it"
                        .to_owned(),
                ),
            },
            FaultAction::Status { status, .. } if !(400..=599).contains(status) => {
                Some("`status` must lie between 400 and 599".to_owned())
            }
            FaultAction::FailItems { share: given, .. } if share(*given) => {
                Some("`share` must lie between 0 and 1".to_owned())
            }
            FaultAction::Latency { .. }
            | FaultAction::Status { .. }
            | FaultAction::ResetBefore {}
            | FaultAction::ResetAfter {}
            | FaultAction::SlowBody { .. }
            | FaultAction::TruncatedBody { .. }
            | FaultAction::GarbageBody {}
            | FaultAction::StuckJob { .. }
            | FaultAction::FailItems { .. }
            | FaultAction::RefuseClientRef {}
            | FaultAction::Drain { .. } => None,
        }
    }
}

/// Whether a name in a script means this endpoint.
pub(super) fn names(name: &str, endpoint: Endpoint) -> bool {
    match name.strip_suffix('*') {
        Some(family) => endpoint.as_str().starts_with(family),
        None => endpoint.as_str() == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        FaultScript::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_action_is_read() {
        let actions = [
            r#"{"action":"latency","ms":5}"#,
            r#"{"action":"status","status":503,"body":false}"#,
            r#"{"action":"status","status":429,"scope":"object"}"#,
            r#"{"action":"reset_before"}"#,
            r#"{"action":"reset_after"}"#,
            r#"{"action":"slow_body","ms":5}"#,
            r#"{"action":"truncated_body","bytes":5}"#,
            r#"{"action":"garbage_body"}"#,
            r#"{"action":"stuck_job"}"#,
            r#"{"action":"stuck_job","for_ms":60000}"#,
            r#"{"action":"fail_items","error":"no","share":0.5}"#,
            r#"{"action":"refuse_client_ref"}"#,
            r#"{"action":"drain","per_minute":100}"#,
        ];
        for action in actions {
            let script =
                FaultScript::parse(&format!(r#"{{"rules":[{{"do":{action}}}]}}"#)).unwrap();
            let text = serde_json::to_string(&script).unwrap();
            assert_eq!(FaultScript::parse(&text).unwrap(), script, "{action}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_rule() {
        let rule = r#"{"do":{"action":"reset_after"}}"#;
        let second = r#"{"when":{"endpoint":"kobjects"},"do":{"action":"reset_after"}}"#;
        let text = error(&format!(r#"{{"rules":[{rule},{second}]}}"#));
        assert!(
            text.contains("rule 2") && text.contains("kobject.bulk_create"),
            "{text}"
        );
        assert!(error(r#"{"rules":[{"do":{"action":"latency"}}]}"#).contains("median_ms"));
        assert!(error(r#"{"rules":[{"do":{"action":"status","status":200}}]}"#).contains("400"));
        assert!(error(r#"{"rules":[{"do":{"action":"latency","mss":1}}]}"#).contains("mss"));
        assert!(
            error(r#"{"rules":[{"when":{"n":1},"do":{"action":"drain","per_minute":1}}]}"#)
                .contains("unknown field")
        );
    }
}
