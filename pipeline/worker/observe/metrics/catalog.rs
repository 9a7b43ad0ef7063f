//! Every metric: its name, type, labels and meaning, in one table.
//!
//! Names are given without the prefix `kustomer_ingest_`. `docs/metrics.md` lists the same; a test compares the two.

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
};

use super::labels::Label;

/// The prefix of every name.
pub const PREFIX: &str = "kustomer_ingest";

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only increases while the process lives.
    Counter,
    /// A present value.
    Gauge,
    /// The distribution of values over buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name without the prefix.
    pub name: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// Its labels, in order.
    pub labels: &'static [Label],
    /// Its meaning, in one sentence.
    pub help: &'static str,
}

/// Buckets for the seconds from an event to its settlement: from half a second to a day.
const DELAYS: &[f64] = &[
    0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0,
];
/// Buckets for the seconds that a request or a job takes.
const DURATIONS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Buckets for the operations in one request, at most 100.
const FILL: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 100.0];
/// Buckets for the reads of one job.
const READS: &[f64] = &[1.0, 2.0, 3.0, 5.0, 8.0, 13.0];

/// A kind of metric whose series can exist before anything has happened.
trait Start {
    fn start(&self, labels: &[Label], topics: &[&str]);
}

impl Start for IntCounterVec {
    fn start(&self, labels: &[Label], topics: &[&str]) {
        let mut combinations: Vec<Vec<&str>> = vec![Vec::new()];
        for label in labels {
            let values = if *label == Label::Topic {
                topics.to_vec()
            } else {
                label.values().unwrap_or_default()
            };
            combinations = combinations
                .iter()
                .flat_map(|head| {
                    let values = values.iter();
                    values.map(move |value| head.iter().copied().chain([*value]).collect())
                })
                .collect();
        }
        for combination in combinations {
            self.with_label_values(&combination).inc_by(0);
        }
    }
}

/// A gauge or histogram at 0 would claim something that is not known yet.
macro_rules! unknown_at_first {
    ($($type:ty),+) => { $(
        impl Start for $type {
            fn start(&self, _: &[Label], _: &[&str]) {}
        }
    )+ };
}
unknown_at_first!(CounterVec, GaugeVec, HistogramVec);

macro_rules! catalog {
    ($($field:ident: $type:ident $(($buckets:expr))?, $name:literal, [$($label:ident),*], $help:literal;)+) => {
        /// Every metric, in the order of the documentation.
        pub const CATALOG: &[Definition] = &[$(Definition {
            name: $name,
            kind: catalog!(@kind $type $(($buckets))?),
            labels: &[$(Label::$label),*],
            help: $help,
        }),+];

        /// The registered metrics.
        #[derive(Debug, Clone)]
        pub(super) struct Families {
            $(pub(super) $field: $type,)+
        }

        impl Families {
            /// Registers all of them; fails only if the table itself is wrong.
            pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
                Ok(Self {
                    $($field: {
                        let labels: &[Label] = &[$(Label::$label),*];
                        let labels: Vec<&str> = labels.iter().map(|label| label.name()).collect();
                        let family = catalog!(@new $type $(($buckets))?, $name, $help, labels)?;
                        registry.register(Box::new(family.clone()))?;
                        family
                    },)+
                })
            }

            /// Sets every counter to 0, in every combination of its labels: those by topic for these topics, none by
            /// partition.
            pub(super) fn start_counters(&self, topics: &[&str]) {
                $(self.$field.start(&[$(Label::$label),*], topics);)+
            }
        }
    };
    (@kind HistogramVec($buckets:expr)) => { Kind::Histogram($buckets) };
    (@kind GaugeVec) => { Kind::Gauge };
    (@kind IntCounterVec) => { Kind::Counter };
    (@kind CounterVec) => { Kind::Counter };
    (@new HistogramVec($buckets:expr), $name:literal, $help:literal, $labels:ident) => {
        HistogramVec::new(
            HistogramOpts::new($name, $help).namespace(PREFIX).buckets($buckets.to_vec()),
            &$labels,
        )
    };
    (@new $type:ident, $name:literal, $help:literal, $labels:ident) => {
        $type::new(Opts::new($name, $help).namespace(PREFIX), &$labels)
    };
}

catalog! {
    // What became of records.
    records_read: IntCounterVec, "records_read_total", [Topic],
        "Records taken from Kafka.";
    records: IntCounterVec, "records_total", [Topic, Verdict],
        "Records settled, by what became of them.";
    records_confirmed: IntCounterVec, "records_confirmed_total", [],
        "Records whose every operation Kustomer confirmed.";
    records_skipped: IntCounterVec, "records_skipped_total", [Topic, SkipReason],
        "Records that led to no request although nothing is wrong with them.";
    saved: IntCounterVec, "records_saved_total", [Saved],
        "What records want written and needed no place in a request of its own: merged into a state or identity that waited, folded into a digest that waited, an identity in the customer's next event, a state that the object has, that is older than what was written, or that was written before. Each operation of a record counts once at most.";
    fields_dropped: IntCounterVec, "fields_dropped_total", [Topic, Route, Field],
        "Optional fields left out of what was written, because their values were bad.";
    dead_letters: IntCounterVec, "dead_letters_total", [Topic, Rejection],
        "Records written to the dead-letter topic.";
    dead_letters_open: GaugeVec, "dead_letters_unacknowledged", [],
        "Dead letters that the brokers have not acknowledged yet.";
    diverted: IntCounterVec, "diverted_total", [Topic, HeldBy],
        "Records written to the hold topic, by what held them.";
    receipts: IntCounterVec, "receipts_total", [ReceiptResult],
        "Receipts of settled records, by what became of them: written to kafka.receipts_topic; failed, because the brokers did not accept them; or dropped, because they found no room. The last two are lost, and nothing else is.";
    keys_unused: IntCounterVec, "customer_keys_unused_total", [Topic, KeyKind, Unusable],
        "Records with a value that should name the customer and was left out.";
    batch_events: IntCounterVec, "batch_events_total", [Topic, EventVerdict],
        "Events of records that are a batch, by what their mapping makes of them; records_total counts such a record once.";
    bad_times: IntCounterVec, "event_times_passed_over_total", [Topic, BadTime],
        "Records whose own time was unusable; a later field or the Kafka record gave one instead.";
    delay: HistogramVec(DELAYS), "delay_seconds", [From, Traffic],
        "Time until a delivered record was confirmed, from the event's own time and from the record's.";
    possible_repeats: IntCounterVec, "possible_repeats_total", [RepeatKind],
        "Operations sent again although an earlier attempt may have arrived.";

    // Kafka.
    partition_lag: GaugeVec, "partition_lag_records", [Topic, Partition],
        "Records between the committed offset and the end of the partition.";
    partition_unsettled: GaugeVec, "partition_unsettled_records", [Topic, Partition],
        "Records read but not settled.";
    partitions_owned: GaugeVec, "partitions_owned", [],
        "Partitions that this replica works on.";
    lives: IntCounterVec, "partition_lives_total", [Topic, LifeCause],
        "How often a partition began a new life while it was read, so that its earlier offsets lost their meaning.";
    begun: IntCounterVec, "partitions_begun_total", [Topic, Begun],
        "Partitions with records that were read from the start of their log, or from its end (kafka.on_lost_position: latest), because nothing was committed.";
    vanished: IntCounterVec, "records_vanished_total", [Topic],
        "Records that were deleted before they were read, or with their topic before they were delivered: they are lost.";
    oldest_unsettled: GaugeVec, "oldest_unsettled_seconds", [Topic],
        "Age of the oldest record that is not settled, by the record's own time; absent while it is not known.";
    retention_left: GaugeVec, "retention_left_seconds", [Topic],
        "For how long that record will be there at least; absent if the topic's records are not deleted by age.";
    deleted_unsettled: GaugeVec, "deleted_unsettled_in_seconds", [Topic],
        "When records will be deleted before they are settled if everything goes on as in the last minutes; absent if never.";
    commits: IntCounterVec, "commits_total", [Commit],
        "Commits of offsets, by result.";
    commit_metadata: GaugeVec, "commit_metadata_ratio", [Topic, Partition],
        "Length of the text stored with the partition's committed offset, relative to the longest that brokers accept; from 0.875 on, its events wait.";
    metadata_cuts: IntCounterVec, "commit_metadata_cuts_total", [],
        "Commits whose text had no room for everything that is settled above the frontier.";
    metadata_ignored: IntCounterVec, "commit_metadata_ignored_total", [Ignored],
        "Texts found with a committed offset that were not used.";
    metadata_restored: IntCounterVec, "commit_metadata_restored_records_total", [],
        "Offsets that a partition's former owner had settled above its last commit.";
    sleeps: IntCounterVec, "sleeps_total", [],
        "How often the process stood still for so long that its partitions may have gone to others.";
    stalled: GaugeVec, "partitions_stalled", [],
        "Partitions with records of which none has been read for ten minutes although nothing keeps them back, or whose oldest record nothing leads on; /live fails while there are any.";
    by_hand: IntCounterVec, "admin_changes_total", [AdminAction, AdminResult],
        "Requests to the admin server that would change something: done, failed, or refused because they had no right to.";
    key_problem: GaugeVec, "key_problem", [],
        "1 while the API refuses the key in use, or another key is in its place that cannot be used or read.";
    key_changes: IntCounterVec, "key_changes_total", [KeyResult],
        "What became of the API key in its place: replaced by another one, or refused, not answered for or not readable; the last three count once for each key.";
    suppressed_keys: GaugeVec, "suppressed_keys", [],
        "Keys of people of whom nothing is sent (privacy.suppressed).";
    suppressed_problem: GaugeVec, "suppressed_list_problem", [],
        "1 while the file of suppressed people cannot be read or has a mistake, so that the list before goes on.";
    source_errors: IntCounterVec, "kafka_errors_total", [SourceError],
        "Errors that the Kafka client handles by itself.";
    credentials_renewed: IntCounterVec, "kafka_credentials_renewed_total", [Renewal],
        "How often files with credentials for the brokers had changed and were taken, or could not be used and were tried again.";
    prefetched_records: GaugeVec, "prefetched_records", [],
        "Records that wait inside the Kafka client.";
    prefetched_bytes: GaugeVec, "prefetched_bytes", [],
        "Their bytes.";

    // Requests and the organisation's quota.
    requests: IntCounterVec, "requests_total", [Class, Outcome],
        "Requests that were answered or given up.";
    request_duration: HistogramVec(DURATIONS), "request_duration_seconds", [Class],
        "Time from a request to its answer.";
    requests_in_flight: GaugeVec, "requests_in_flight", [],
        "Requests in flight.";
    retries: IntCounterVec, "retries_total", [RetryCause],
        "Requests repeated, by cause.";
    quota_spent: IntCounterVec, "quota_spent_requests_total", [SpentOn],
        "Requests sent, each one unit of the organisation's quota.";
    quota_allowance: GaugeVec, "quota_allowance_requests", [],
        "Requests a minute that this replica may make now.";
    quota_reserve: GaugeVec, "quota_reserve_requests", [],
        "Requests of every minute that are left alone now; follows kustomer.reserve_at.";
    quota_guaranteed: GaugeVec, "quota_guaranteed_ratio", [],
        "The part of the organisation's target that this replica is guaranteed; over all replicas never more than 1 (I9).";
    quota_lent: GaugeVec, "quota_lent_ratio", [],
        "The part of the organisation's target that this replica lends to others, out of its guarantee.";
    quota_borrowed: GaugeVec, "quota_borrowed_ratio", [],
        "The part of the organisation's target that others lend to this replica, beyond its guarantee.";
    quota_target: GaugeVec, "quota_target_requests", [],
        "Requests a minute that all replicas together may make.";
    quota_used: GaugeVec, "quota_used_ratio", [],
        "The part of that which all replicas use now, by what each says of its last seconds.";
    allowance_used: GaugeVec, "allowance_used_ratio", [],
        "The part of its own allowance that this replica used in the last five minutes; absent without an allowance.";
    records_per_request: GaugeVec, "records_per_request", [],
        "Records confirmed for each request of the last five minutes; absent without requests.";
    replicas_heard: GaugeVec, "replicas_heard", [],
        "Replicas that this one knows of, itself included; a replica without work says nothing.";
    replicas_useful: GaugeVec, "replicas_useful", [],
        "How many replicas the organisation's quota can keep busy, by how long answers take and how many requests one replica has in flight; more do not make anything faster.";
    request_price: GaugeVec, "request_price_seconds", [],
        "For how long, in all, one more request now would make others wait; 0 while permits lie idle.";
    quota_remaining: GaugeVec, "quota_remaining_requests", [],
        "What the API last reported as left of the minute for everybody; absent until it has.";
    quota_frozen: GaugeVec, "quota_frozen", [],
        "1 while the organisation's limit keeps every request back.";
    quota_freezes: IntCounterVec, "quota_freezes_total", [],
        "How often the organisation's limit was hit.";
    quota_freeze_seconds: CounterVec, "quota_freeze_seconds_total", [],
        "Total time that the API asked the worker to wait.";

    // Bulk requests and their jobs.
    batch_operations: HistogramVec(FILL), "batch_operations", [Class],
        "Operations in one bulk request, of at most 100.";
    jobs: GaugeVec, "jobs_in_flight", [],
        "Bulk jobs that have not ended.";
    job_duration: HistogramVec(DURATIONS), "job_duration_seconds", [],
        "Time from the submission of a job to its end.";
    job_reads: HistogramVec(READS), "job_reads", [],
        "Requests spent on reading one job's results.";
    jobs_abandoned: IntCounterVec, "jobs_abandoned_total", [],
        "Jobs that never ended and were given up; their items are checked one by one.";
    conflicts: IntCounterVec, "conflicts_total", [],
        "Updates refused because somebody else wrote in between.";
    companies_missing: IntCounterVec, "companies_missing_total", [],
        "Customers written without the company that their records name, because there is none.";

    // What waits inside.
    lanes: GaugeVec, "lanes", [],
        "Customers and objects with queued operations.";
    waiting: GaugeVec, "operations_waiting", [Waiting],
        "Operations that wait, by what they wait for.";
    budget_records: GaugeVec, "budget_used_records", [],
        "Records in memory that are not settled.";
    budget_bytes: GaugeVec, "budget_used_bytes", [],
        "Their bytes.";
    unsettled: GaugeVec, "unsettled_records", [Traffic],
        "Records in memory that are not settled: live ones, and backfill.";
    budget_cap_records: GaugeVec, "budget_cap_records", [],
        "The cap on records, budget.records.";
    budget_cap_bytes: GaugeVec, "budget_cap_bytes", [],
        "The cap on bytes: budget.bytes, less what may be fetched ahead and what caches take above 20 MiB.";
    held_records: GaugeVec, "held_records", [],
        "Records in memory that cannot go on now, however many permits there are; at half of the cap, routes pause or divert.";
    held_bytes: GaugeVec, "held_bytes", [],
        "Their bytes.";
    partitions_waiting: GaugeVec, "partitions_waiting", [Waits],
        "Partitions that are paused individually, by what holds their work; commit_room: enough was read ahead; live_first: backfill leaves room for live records; paused: their topic is, or paused work fills its half of the budget; schema: the registry has not given the schema of the next record.";
    gate_closed: GaugeVec, "gate_closed", [],
        "1 while the budget is full and partitions are paused.";
    drain_estimate: GaugeVec, "drain_estimate_seconds", [],
        "Time until the present backlog is gone at the present rate of requests; 0 when there is none; absent unless drain_state is estimated or nothing_to_do.";
    drain_with_arrivals: GaugeVec, "drain_with_arrivals_seconds", [],
        "The same if records go on arriving as in the last minute; absent if it is not known, or never.";
    drain_never: GaugeVec, "drain_never", [],
        "1 while records arrive as fast as the quota delivers them, or faster: the backlog never drains at this rate.";
    drain_state: GaugeVec, "drain_state", [DrainState],
        "1 for the present state of the backlog, 0 for the others.";

    // Who and what is known.
    directory_entries: GaugeVec, "directory_entries", [Kind],
        "Customers and objects whose Kustomer id is known.";
    directory_lookups: IntCounterVec, "directory_lookups_total", [Found],
        "Look-ups in the directory; a miss costs requests.";
    resolutions: IntCounterVec, "resolutions_total", [Way],
        "Customer ids learnt, by the request that returned them.";
    fallbacks: GaugeVec, "api_fallback", [Fallback],
        "1 if the API was found not to offer something and the worker does without it.";

    // What survives a restart.
    state_waiting: GaugeVec, "state_waiting_entries", [],
        "Entries that wait to be written to the state topic, or to be acknowledged.";
    state_written: IntCounterVec, "state_written_entries_total", [],
        "Entries sent to the state topic.";
    state_failures: IntCounterVec, "state_failures_total", [],
        "Batches that could not be written to the state topic, and restores that failed; each is tried again.";
    state_restoring: GaugeVec, "state_restoring_partitions", [],
        "Partitions that wait for their state and deliver nothing until it is there.";
    state_restore_read: GaugeVec, "state_restore_read_offsets", [],
        "Offsets of the state topic that the current restore has read; 0 without one.";
    state_restore_total: GaugeVec, "state_restore_offsets", [],
        "Offsets that the current restore has to read; 0 without one.";
    state_restored: IntCounterVec, "state_restored_entries_total", [],
        "Entries that were restored.";
    state_unknown: IntCounterVec, "state_unknown_entries_total", [],
        "Records in the state topic that another version wrote, or that are not the worker's: left alone.";
    inherited: IntCounterVec, "inherited_items_total", [],
        "Objects whose write an earlier owner left open: its job is read, and they are not submitted again.";
    inherited_writes: GaugeVec, "inherited_writes", [],
        "Writes of earlier owners whose records have not all been read again, or whose result is unknown.";

    // The schema registry.
    registry_failing: GaugeVec, "schema_registry_failing", [],
        "1 while the schema registry does not give a schema that records wait for: it does not answer, is slow or refuses.";
    schemas_wanted: GaugeVec, "schemas_wanted", [],
        "Schemas that records wait for.";
    schemas_kept: GaugeVec, "schemas_kept", [],
        "Schemas that are kept in memory.";
    schemas_kept_bytes: GaugeVec, "schemas_kept_bytes", [],
        "The bytes of memory that these schemas take, about.";
    schemas_fetched: IntCounterVec, "schemas_fetched_total", [],
        "Schemas that the registry gave.";
    schemas_unusable: IntCounterVec, "schemas_unusable_total", [],
        "Schema ids that the registry does not have, or whose schema cannot be used.";
    schema_failures: IntCounterVec, "schema_requests_failed_total", [],
        "Requests to the schema registry that failed; each is made again.";

    // Trouble.
    holds: GaugeVec, "holds", [Scope, HoldCause],
        "What waits for a person or for recovery.";
    holds_begun: IntCounterVec, "holds_begun_total", [Scope, HoldCause],
        "How often something had to wait for a person or for recovery.";
    pauses_without_end: GaugeVec, "pauses_without_end", [],
        "Planned pauses that only a person ends.";
    drain_cut: IntCounterVec, "drain_cut_records_total", [],
        "Records left to the next owner because a drain ran out of time.";
    invariants_broken: IntCounterVec, "invariants_broken_total", [Invariant],
        "Broken invariants; anything above 0 is a bug in the worker.";
    recordings: IntCounterVec, "recordings_written_total", [RecordingCause],
        "How often the last steps were written to a file.";
    spans_exported: IntCounterVec, "spans_exported_total", [],
        "Spans that the collector has taken.";
    spans_lost: IntCounterVec, "spans_dropped_total", [SpanLoss],
        "Spans that did not arrive at the collector, and records that were not followed because there were as many spans as there may be.";
    spans_failing: GaugeVec, "span_export_failing", [],
        "1 while spans do not arrive at the collector; absent while tracing is off.";

    // The process.
    build_info: GaugeVec, "build_info", [Version],
        "Always 1; the label is the worker's version.";
    start_time: GaugeVec, "start_time_seconds", [],
        "When the process started, seconds since 1970.";
}
