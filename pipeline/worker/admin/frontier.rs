//! What holds back the frontier of one partition: the body of `GET /status/partitions/{topic}/{partition}`.
//!
//! It names offsets, routes, stages, times and causes, but never keys or content.

use std::time::Instant;

use ingest_delivery::machine::{FrontierView, Keeps, OperationView, RecordView};
use serde::Serialize;

/// What holds back a frontier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrontierStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Every offset below this one is settled; `null` before the first record.
    pub frontier_offset: Option<i64>,
    /// For how long the frontier is known not to have moved; it is checked every five seconds.
    pub stands_for_seconds: Option<u64>,
    /// The lowest record that is not settled; `null` if there is none.
    pub record: Option<LowestRecord>,
}

/// The lowest record that is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LowestRecord {
    /// Its offset.
    pub offset: i64,
    /// The time since its Kafka timestamp.
    pub age_seconds: Option<u64>,
    /// What its letter waits for, if it needs one and all its operations have ended.
    pub letter: Option<Cause>,
    /// Its operations that have not ended.
    pub operations: Vec<OpenOperation>,
}

/// An operation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenOperation {
    /// The route that made it.
    pub route: String,
    /// `identify`, `track`, `kobject`.
    pub kind: &'static str,
    /// Where it is, for example `queued`, `ready_track`, `in_job`.
    pub stage: &'static str,
    /// Operations in its lane, including itself.
    pub lane_length: usize,
    /// Requests sent for it.
    pub attempts: u32,
    /// What it waits for.
    pub cause: Cause,
}

/// What something waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The label: a cause of a hold, or `permit`, `customer`, `time`, `job`, `answer`, `acknowledgement`, `commit_room`.
    /// `nothing` is a bug in the worker.
    pub name: &'static str,
    /// The time until it may go on, if that is a matter of time.
    pub in_seconds: Option<u64>,
}

impl FrontierStatus {
    /// The same in a form for people and programs, at that time.
    #[must_use]
    pub fn of(view: &FrontierView, now: Instant, now_ms: i64) -> Self {
        Self {
            topic: view.partition.topic.as_str().to_owned(),
            partition: view.partition.partition.0,
            frontier_offset: view.frontier.map(|offset| offset.0),
            stands_for_seconds: view
                .since
                .map(|since| now.saturating_duration_since(since).as_secs()),
            record: view
                .record
                .as_ref()
                .map(|record| LowestRecord::of(record, now, now_ms)),
        }
    }
}

impl LowestRecord {
    fn of(record: &RecordView, now: Instant, now_ms: i64) -> Self {
        let age = |at: i64| u64::try_from(now_ms.saturating_sub(at) / 1_000).unwrap_or(0);
        let operations = record.operations.iter();
        Self {
            offset: record.offset.0,
            age_seconds: record.record_ms.map(age),
            letter: record.letter.map(|keeps| Cause::of(keeps, now)),
            operations: operations.map(|one| OpenOperation::of(one, now)).collect(),
        }
    }
}

impl OpenOperation {
    fn of(operation: &OperationView, now: Instant) -> Self {
        Self {
            route: operation.route.to_string(),
            kind: operation.kind,
            stage: operation.stage,
            lane_length: operation.lane,
            attempts: operation.attempts,
            cause: Cause::of(operation.keeps, now),
        }
    }
}

impl Cause {
    fn of(keeps: Keeps, now: Instant) -> Self {
        let until = keeps.until();
        Self {
            name: keeps.as_str(),
            in_seconds: until.map(|at| at.saturating_duration_since(now).as_secs()),
        }
    }
}
