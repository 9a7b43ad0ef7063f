//! The commands that people can send to the pump, what it shows, and why it ends unasked.

use std::time::Instant;

use ingest_delivery::hold::{Pause, Scope};
use ingest_delivery::machine::{FrontierView, Input, Machine, Snapshot};
use ingest_kafka::Statistics;
use ingest_model::operation::CustomerKey;
use ingest_model::record::TopicPartition;
use tokio::sync::oneshot;

use super::brokers::BrokersView;
use super::receipts::ReceiptsStatus;
use super::requests::ReserveChange;
use super::state::{Progress, StateTopicError};

/// A command from a person, or from what watches the API key and the suppressed people.
#[derive(Debug)]
pub enum Command {
    /// The client uses another API key from now on.
    KeyReplaced,
    /// Nothing is sent of customers with these keys from now on, and of no others.
    Suppressed(Vec<CustomerKey>),
    /// End the hold with this number.
    ReleaseHold {
        /// The number.
        id: u64,
        /// Receives whether there was such a hold.
        found: oneshot::Sender<bool>,
    },
    /// Pause something.
    Pause {
        /// What, by whom and for how long.
        pause: Pause,
        /// Told when that is taken.
        done: oneshot::Sender<()>,
    },
    /// End all pauses of a scope.
    Resume {
        /// The scope.
        scope: Scope,
        /// Receives whether it was paused.
        found: oneshot::Sender<bool>,
    },
    /// Tell what holds back the frontier of a partition.
    Frontier {
        /// The partition.
        partition: TopicPartition,
        /// Receives the answer; `None` if the partition does not belong to this worker.
        view: oneshot::Sender<Option<FrontierView>>,
    },
}

/// The pump's state, published once a second.
#[derive(Debug, Clone)]
pub struct PumpView {
    /// The machine's state.
    pub snapshot: Snapshot,
    /// When it was taken.
    pub at: Instant,
    /// The source's latest report of lag and prefetch.
    pub statistics: Statistics,
    /// The last trouble of the source, and when.
    pub source_error: Option<(Instant, String)>,
    /// Whether the partition counts are known.
    pub topology_known: bool,
    /// Whether the group has been joined and has handed out its partitions, even if this worker received none.
    pub joined: bool,
    /// When the reserve changes by the time of day, as far as that is known.
    pub reserve: Option<ReserveChange>,
    /// Records that came in.
    pub records_in: u64,
    /// The progress of the current restore.
    pub restore: Option<Progress>,
    /// The result of the last checks of the brokers.
    pub brokers: BrokersView,
    /// How the schema registry is, if there is one.
    pub registry: Option<ingest_registry::RegistryStatus>,
    /// What has become of receipts, if any are wanted.
    pub receipts: Option<ReceiptsStatus>,
}

/// Why a pump ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// A client could not be created.
    #[error(transparent)]
    Start(#[from] ingest_kafka::StartError),
    /// The Kafka client cannot go on.
    #[error("the Kafka client cannot go on: {0}")]
    Source(String),
    /// The state topic cannot be used as it is.
    #[error(transparent)]
    State(#[from] StateTopicError),
    /// The threads that decode and map ended.
    #[error("a mapper thread ended")]
    Mapper,
    /// A mapper thread could not be started.
    #[error("a mapper thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

// === impl Command ===

impl Command {
    /// What it tells the machine, if anything. It is answered from what is known before that.
    pub(super) fn input(self, machine: &Machine) -> Option<Input> {
        Some(match self {
            Self::KeyReplaced => Input::KeyReplaced,
            Self::Suppressed(keys) => Input::Suppressed(keys),
            Self::ReleaseHold { id, found } => {
                let _nobody_waits = found.send(machine.has_hold(id));
                Input::ReleaseHold(id)
            }
            Self::Pause { pause, done } => {
                let _nobody_waits = done.send(());
                Input::Pause(pause)
            }
            Self::Resume { scope, found } => {
                let _nobody_waits = found.send(machine.is_paused_by_plan(&scope));
                Input::Resume { scope, by: None }
            }
            Self::Frontier { partition, view } => {
                if view.send(machine.frontier(&partition)).is_err() {
                    tracing::debug!("whoever asked for a frontier did not wait for the answer");
                }
                return None;
            }
        })
    }
}
