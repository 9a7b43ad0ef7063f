//! What `POST /pauses` and `POST /pauses/resume` take: what is meant, until when, and why.

use std::time::Duration;

use ingest_delivery::hold::{Pause, PausedBy, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::parse_duration;
use crate::config::pauses::{Pausable, Wanted, reason};

/// The longest pause: one that is longer has no end.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The body: exactly one of `topic`, `route` and `destination`; of `until` and `for` at most one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// A topic of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// A route, as `ROUTE` or `TOPIC/ROUTE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// `all`, `tracking`, `kobject:KLASS`, `customer` or `company`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// When it ends, such as `2026-12-01T06:00:00+01:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// How long it lasts, such as `90m`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    /// Why, for people. It is shown in `/status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

// === impl PauseBody ===

impl PauseBody {
    /// The body that a request has.
    pub(in crate::admin) fn read(body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|error| {
            format!("the body is not what is expected ({error}): such as {{\"topic\": \"shop.events\", \"for\": \"2h\"}}")
        })
    }

    /// What is meant.
    pub(in crate::admin) fn scope(&self, pausable: &Pausable) -> Result<Scope, String> {
        let wanted = match (&self.topic, &self.route, &self.destination) {
            (Some(topic), None, None) => Wanted::Topic(topic),
            (None, Some(route), None) => Wanted::Route(route),
            (None, None, Some(destination)) => Wanted::Destination(destination),
            _ => return Err("name one of topic, route and destination".to_owned()),
        };
        let scope = pausable.scope(wanted);
        scope.map_err(|(problem, way_out)| format!("{problem}; {way_out}"))
    }

    /// What is to go on: an end or a reason means nothing then.
    pub(in crate::admin) fn resumed(&self, pausable: &Pausable) -> Result<Scope, String> {
        if self.until.is_some() || self.lasts.is_some() || self.reason.is_some() {
            return Err("until, for and reason are for a pause: it ends now".to_owned());
        }
        self.scope(pausable)
    }

    /// The pause that is wanted of that, `unix_ms` being the time.
    pub(in crate::admin) fn pause(&self, scope: Scope, unix_ms: i64) -> Result<Pause, String> {
        let reason = reason(self.reason.as_deref().unwrap_or_default());
        let reason = reason.map_err(|problem| format!("reason: {problem}"))?;
        Ok(Pause {
            scope,
            by: PausedBy::Person,
            lasts: self.lasts(unix_ms)?,
            reason: reason.map(Into::into),
        })
    }

    fn lasts(&self, unix_ms: i64) -> Result<Option<Duration>, String> {
        let lasts = match (&self.until, &self.lasts) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err("give until or for, not both".to_owned()),
            (None, Some(lasts)) => parse_duration(lasts)
                .map_err(|problem| format!("for: {problem}; such as 45s, 90m, 8h"))?,
            (Some(until), None) => left(until, unix_ms)?,
        };
        if lasts.is_zero() {
            return Err("for: that is no time at all".to_owned());
        }
        if lasts > LONGEST {
            return Err(
                "that is more than a year: leave the end out, and resume by hand".to_owned(),
            );
        }
        Ok(Some(lasts))
    }
}

/// How long it is until then.
fn left(until: &str, unix_ms: i64) -> Result<Duration, String> {
    let Ok(at) = until.parse::<Timestamp>() else {
        return Err(format!(
            "`{until}` is no time with a date and an offset, such as 2026-12-01T06:00:00+01:00 or 2026-12-01T05:00:00Z"
        ));
    };
    let left = at.as_millisecond().saturating_sub(unix_ms);
    if left <= 0 {
        let second = unix_ms.div_euclid(1_000);
        let now = Timestamp::from_second(second).unwrap_or_default();
        return Err(format!("{at} is over: this worker's clock says {now}"));
    }
    Ok(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_796_126_400_000; // 2026-12-01T12:00:00Z

    fn pause(body: &str) -> Result<Pause, String> {
        let body = PauseBody::read(body)?;
        let scope = body.scope(&Pausable::default())?;
        body.pause(scope, NOON)
    }

    fn with(more: &str) -> Result<Pause, String> {
        pause(&format!(r#"{{"destination": "all"{more}}}"#))
    }

    #[test]
    fn a_pause_ends_at_a_time_after_a_while_or_by_hand() {
        let lasts = |more: &str| with(more).unwrap().lasts.map(|lasts| lasts.as_secs());
        assert_eq!(lasts(""), None);
        assert_eq!(lasts(r#", "for": "90m""#), Some(5_400));
        let until = r#", "until": "2026-12-01T14:00:00+01:00""#;
        assert_eq!(lasts(until), Some(3_600));
        let why = with(r#", "reason": " the shop moves ""#).unwrap();
        assert_eq!(why.reason.as_deref(), Some("the shop moves"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_reason() {
        let wrong = |body: &str| pause(body).unwrap_err();
        let more = |more: &str| with(more).unwrap_err();
        assert!(wrong("{}").contains("one of topic, route and destination"));
        assert!(wrong("nothing").contains("the body is not what is expected"));
        assert!(wrong(r#"{"topik": "a"}"#).contains("unknown field `topik`"));
        assert!(wrong(r#"{"topic": "a", "route": "b"}"#).contains("name one"));
        assert!(wrong(r#"{"topic": "a"}"#).contains("no topic of this configuration"));
        assert!(more(r#", "for": "soon""#).starts_with("for: "));
        assert!(more(r#", "for": "0s""#).contains("no time at all"));
        assert!(more(r#", "for": "9000h""#).contains("more than a year"));
        assert!(more(r#", "for": "1h", "until": "2026-12-02T00:00:00Z""#).contains("not both"));
        assert!(more(r#", "until": "tomorrow""#).contains("no time with a date"));
        let over = more(r#", "until": "2026-12-01T11:00:00Z""#);
        assert_eq!(
            over,
            "2026-12-01T11:00:00Z is over: this worker's clock says 2026-12-01T12:00:00Z"
        );
        let resumed = |body| PauseBody::read(body).unwrap().resumed(&Pausable::default());
        let told = resumed(r#"{"destination": "all", "for": "1h"}"#).unwrap_err();
        assert!(told.contains("are for a pause"), "{told}");
        assert_eq!(resumed(r#"{"destination": "all"}"#), Ok(Scope::Destination));
        let long = format!(r#", "reason": "{}""#, "x".repeat(201));
        assert!(more(&long).contains("longer than 200"));
        assert!(more(r#", "reason": "a\nb""#).contains("more than one line"));
    }
}
