//! What people ask of the pump, and what it shows.

use std::time::Instant;

use ingest_delivery::machine::{FrontierView, Snapshot};
use ingest_kafka::Statistics;
use ingest_model::record::TopicPartition;
use tokio::sync::oneshot;

use super::brokers::BrokersView;
use super::state::Progress;

/// What people ask of the pump.
#[derive(Debug)]
pub enum Command {
    /// End the hold of this number.
    ReleaseHold {
        /// The number.
        id: u64,
        /// Takes whether there was one.
        found: oneshot::Sender<bool>,
    },
    /// Say what holds the frontier of a partition.
    Frontier {
        /// Which.
        partition: TopicPartition,
        /// Takes it; `None` if the partition is not this worker's.
        view: oneshot::Sender<Option<FrontierView>>,
    },
}

/// What the pump looks like, once a second.
#[derive(Debug, Clone)]
pub struct PumpView {
    /// The machine.
    pub snapshot: Snapshot,
    /// When that was.
    pub at: Instant,
    /// What the source last said of lag and prefetch.
    pub statistics: Statistics,
    /// The last trouble of the source, and when.
    pub source_error: Option<(Instant, String)>,
    /// Whether the partition counts are known.
    pub topology_known: bool,
    /// Whether the group has been joined and has given out its partitions, some of them to this worker or none.
    pub joined: bool,
    /// Records that came in.
    pub records_in: u64,
    /// How far the restore under way is.
    pub restore: Option<Progress>,
    /// What the last looks at the brokers saw.
    pub brokers: BrokersView,
}
