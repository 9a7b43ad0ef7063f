//! What the poll thread reports about itself: errors and statistics.

use std::sync::Arc;

use ingest_model::record::{Epoch, TopicPartition};
use rdkafka::Statistics as ClientStatistics;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Driver, ERROR_INTERVAL, REPEAT_INTERVAL, Told};
use crate::client::convert;
use crate::client::diagnosis::{self, Diagnosis};
use crate::client::stats;
use crate::clock;
use crate::driver::offsets::{Bounds, Task};
use crate::port::{FatalError, SourceError, SourceErrorKind, SourceEvent};

impl Driver {
    /// Passes statistics on, and asks for the ends of the partitions that deliver nothing now.
    pub(super) fn report_statistics(&mut self) {
        let context = Arc::clone(self.consumer.context());
        let Some(statistics) = context.take_statistics() else {
            return;
        };
        self.judge_readings(&statistics);
        let empty_ahead = |partition: &TopicPartition| self.partitions.empty_ahead(partition);
        let statistics = stats::of(
            &statistics,
            (&self.starts, &self.ends),
            empty_ahead,
            self.consumer_protocol,
        );
        self.outbox.replaceable(SourceEvent::Statistics(statistics));
        let quiet = if self.throttled {
            self.partitions.active()
        } else {
            self.partitions.paused()
        };
        self.ask_for_ends(quiet);
    }

    /// Tells the readings of delivering partitions how far the client has fetched.
    fn judge_readings(&mut self, statistics: &ClientStatistics) {
        if self.throttled {
            return;
        }
        for partition in self.partitions.delivering() {
            let Some(seen) = stats::of_partition(statistics, &partition) else {
                continue;
            };
            let (fetched, start, end) = stats::bounds(seen);
            let Some(reading) = self.partitions.reading(&partition) else {
                continue;
            };
            let passed = reading.passed(start);
            let gone = reading.statistics(fetched, start, end);
            self.empty(&partition, passed);
            self.vanished(&partition, gone);
        }
    }

    /// Asks the brokers for the ends of partitions, one request at a time.
    pub(super) fn ask_for_ends(&mut self, partitions: Vec<TopicPartition>) {
        if !partitions.is_empty() && !self.asked_ends && self.stopping.is_none() {
            self.asked_ends = true;
            let asked = self.partitions.with_epochs(partitions);
            self.send_task(Task::ReadBounds(asked));
        }
    }

    /// Start and end of logs have arrived. A partition that was paused throughout can only continue at the start or
    /// above. An answer to a request from before a new life is about another log, and is ignored.
    pub(super) fn bounds_read(&mut self, bounds: Vec<(TopicPartition, Epoch, Bounds)>) {
        self.asked_ends = false;
        self.ends.clear();
        self.starts.clear();
        for (partition, epoch, Bounds { start, end }) in bounds {
            if !self.partitions.reads_under(&partition, epoch) {
                continue;
            }
            if let Some(start) = start {
                self.starts.insert(partition.clone(), start);
            }
            if let Some(end) = end {
                self.ends.insert(partition.clone(), end);
            }
            let rests = self.throttled || self.partitions.is_paused(&partition);
            let Some(reading) = self.partitions.reading(&partition).filter(|_| rests) else {
                continue;
            };
            let (passed, gone) = (reading.passed(start), reading.resting(start, end));
            self.empty(&partition, passed);
            self.vanished(&partition, gone);
        }
    }

    pub(super) fn consumption_failed(&mut self, error: &KafkaError) {
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            self.fatal(fatal_detail(code, &reason));
        } else {
            // What the client reports about itself has already come through the context, with its reason.
            tracing::debug!(%error, "poll");
        }
    }

    pub(super) fn client_error(&mut self, code: Option<RDKafkaErrorCode>, detail: String) {
        if code == Some(RDKafkaErrorCode::Fatal) {
            let reason = self
                .consumer
                .client()
                .fatal_error()
                .map_or(detail, |(code, reason)| fatal_detail(code, &reason));
            self.fatal(reason);
        } else {
            let kind = match Diagnosis::of(&detail) {
                Some(_) => SourceErrorKind::Authentication,
                None if diagnosis::unanswered(&detail) => SourceErrorKind::Connection,
                None => convert::source_error(code),
            };
            self.report(kind, diagnosis::plain(&detail).into_owned());
        }
    }

    pub(super) fn fatal(&mut self, detail: String) {
        if self.stopping.is_none() {
            tracing::error!(detail, "the kafka client cannot go on");
            self.outbox.event(SourceEvent::Fatal(FatalError { detail }));
            self.stop();
        }
    }

    pub(super) fn report(&mut self, kind: SourceErrorKind, detail: String) {
        let now = clock::now();
        let mut suppressed = 0;
        if let Some(last) = self.errors.get_mut(&kind) {
            let same = last.detail == detail;
            let interval = if same {
                REPEAT_INTERVAL
            } else {
                ERROR_INTERVAL
            };
            if now.duration_since(last.at) < interval {
                last.suppressed = last.suppressed.saturating_add(1);
                return;
            }
            suppressed = last.suppressed;
        }
        let told = Told {
            at: now,
            suppressed: 0,
            detail: detail.clone(),
        };
        self.errors.insert(kind, told);
        self.outbox.replaceable(SourceEvent::Error(SourceError {
            kind,
            detail,
            suppressed,
        }));
    }
}

/// Why the client cannot go on, and what to do where that is known.
fn fatal_detail(code: RDKafkaErrorCode, reason: &str) -> String {
    if code == RDKafkaErrorCode::FencedInstanceId {
        format!(
            "another process joined the group with the same kafka.instance_id, and this one was put out: give each \
             process its own ({reason})"
        )
    } else if code == RDKafkaErrorCode::UnreleasedInstanceId {
        format!(
            "another process is in the group with the same kafka.instance_id: give each process its own; if it was \
             killed, its place is free when its session has ended ({reason})"
        )
    } else {
        format!("{code}: {reason}")
    }
}
