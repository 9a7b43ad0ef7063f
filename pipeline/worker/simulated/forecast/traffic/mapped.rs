//! What the mapping says of a record, now and when it is late.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Context as _;
use ingest_encoding::{Encoding, Opened};
use ingest_mapping::route::Pipeline;
use ingest_model::operation::Operation;
use ingest_model::outcome::{Rejected, Rejection, Verdict};
use ingest_model::record::{Record, Topic, Traffic};
use ingest_registry::AskedOnce;
use jiff::Timestamp;

use crate::config::Settings;
use crate::pump::mappers::TrafficRules;

/// A record with its verdict.
#[derive(Debug, Clone)]
pub(in crate::simulated::forecast) struct Mapped {
    pub(in crate::simulated::forecast) record: Record,
    pub(in crate::simulated::forecast) event_ms: Option<i64>,
    /// Whether its event is part of a snapshot.
    pub(in crate::simulated::forecast) snapshot: bool,
    /// The time at which it arrives, by its own clock, epoch milliseconds.
    pub(in crate::simulated::forecast) arrives_ms: Option<i64>,
    /// If it is read when it arrives.
    pub(in crate::simulated::forecast) verdict: Verdict,
    /// If it is read only so long after it arrived, in rising order: a route's `maxAge` has passed then.
    pub(in crate::simulated::forecast) later: Vec<(Duration, Verdict)>,
}

/// The mappings of all topics.
#[derive(Debug)]
pub(super) struct Mapper {
    topics: HashMap<Topic, (Encoding, Pipeline, Vec<Duration>)>,
    registry: AskedOnce,
}

/// As of when a record is judged.
#[derive(Debug, Clone, Copy)]
pub(super) enum AsOf {
    /// When it was written: it may have been late already.
    Written(i64),
    /// When its event happened.
    Event,
}

// === impl Mapped ===

impl Mapped {
    fn rejected(record: Record, rejected: Rejected) -> Self {
        Self {
            record,
            event_ms: None,
            snapshot: false,
            arrives_ms: None,
            verdict: Verdict::Reject(rejected),
            later: Vec::new(),
        }
    }

    /// How urgent it is if it is read so long after it arrived.
    pub(in crate::simulated::forecast) fn traffic_after(
        &self,
        rules: &TrafficRules,
        waited: Duration,
    ) -> Traffic {
        let waited = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        // What has no time is as old as it waited.
        let arrives_ms = self.arrives_ms.unwrap_or(0);
        let event_ms = self.event_ms.unwrap_or(arrives_ms);
        rules.of(
            &self.record,
            self.snapshot,
            Some(event_ms),
            arrives_ms.saturating_add(waited),
        )
    }

    /// The record, and the verdict if it is read so long after it arrived.
    pub(in crate::simulated::forecast) fn taken_after(
        mut self,
        waited: Duration,
    ) -> (Record, Verdict) {
        let late = self.later.iter().rposition(|(after, _)| waited > *after);
        let verdict = late.map(|place| self.later.swap_remove(place).1);
        (self.record, verdict.unwrap_or(self.verdict))
    }

    /// The verdict if it is read so long after it arrived.
    pub(in crate::simulated::forecast) fn verdict_after(&self, waited: Duration) -> &Verdict {
        let late = self.later.iter().rev().find(|(after, _)| waited > *after);
        late.map_or(&self.verdict, |(_, verdict)| verdict)
    }
}

// === impl Mapper ===

impl Mapper {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let topics = settings.kafka.topics.iter().map(|topic| {
            let ages = topic.pipeline.mapping().max_ages();
            let path = (topic.encoding.clone(), topic.pipeline.clone(), ages);
            (topic.topic.clone(), path)
        });
        Ok(Self {
            topics: topics.collect(),
            registry: settings.schemas().context("schema_registry")?,
        })
    }

    /// What becomes of a record.
    ///
    /// # Errors
    /// The schema registry does not give the schema that it needs.
    pub(super) fn map(&self, record: Record, as_of: AsOf) -> anyhow::Result<Mapped> {
        let Some((encoding, pipeline, ages)) = self.topics.get(&record.position.partition.topic)
        else {
            let detail = "the topic has no mapping";
            let rejected = Rejected::new(Rejection::FormatMismatch, detail);
            return Ok(Mapped::rejected(record, rejected));
        };
        let opened = self.registry.open(encoding, &record);
        let record = match opened.context("schema_registry")? {
            Opened::Record(Cow::Borrowed(_)) | Opened::Needs(_) => record,
            Opened::Record(Cow::Owned(opened)) => opened,
            Opened::Rejected(rejected) => return Ok(Mapped::rejected(record, rejected)),
        };
        // Of an event that has not happened yet nothing is late.
        let now_ms = match as_of {
            AsOf::Written(at) => at,
            AsOf::Event => 0,
        };
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let (summary, verdict) = match as_of {
            AsOf::Written(_) => pipeline.judge(&record, now),
            // With the time of an event that is skipped.
            AsOf::Event => pipeline.explain(&record, now),
        };
        let snapshot = summary.as_ref().is_some_and(|summary| summary.snapshot);
        let event_ms = summary.and_then(|summary| summary.time);
        let event_ms = event_ms.map(Timestamp::as_millisecond);
        let arrives_ms = match as_of {
            AsOf::Written(at) => Some(at),
            AsOf::Event => event_ms,
        };
        let mut mapped = Mapped {
            record,
            event_ms,
            snapshot,
            arrives_ms,
            verdict,
            later: Vec::new(),
        };
        if let Some(event_ms) = event_ms
            && may_be_late(&mapped.verdict)
        {
            let read_at = match as_of {
                AsOf::Written(at) => at,
                AsOf::Event => event_ms,
            };
            mapped.later = later(pipeline, ages, &mapped, event_ms, read_at);
        }
        Ok(mapped)
    }
}

/// Only tracking events have an age.
fn may_be_late(verdict: &Verdict) -> bool {
    let mut planned = verdict.planned().iter();
    planned.any(|one| matches!(one.operation, Operation::Track(_)))
}

fn later(
    pipeline: &Pipeline,
    ages: &[Duration],
    mapped: &Mapped,
    event_ms: i64,
    read_at: i64,
) -> Vec<(Duration, Verdict)> {
    let mut found: BTreeMap<Duration, Verdict> = BTreeMap::new();
    for age in ages {
        let limit = event_ms.saturating_add(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let Ok(after) = u64::try_from(limit.saturating_sub(read_at)) else {
            continue;
        };
        let Ok(then) = Timestamp::from_millisecond(limit.saturating_add(1)) else {
            continue;
        };
        let verdict = pipeline.judge(&mapped.record, then).1;
        let before = found.values().next_back().unwrap_or(&mapped.verdict);
        if verdict != *before {
            found.insert(Duration::from_millis(after), verdict);
        }
    }
    found.into_iter().collect()
}
