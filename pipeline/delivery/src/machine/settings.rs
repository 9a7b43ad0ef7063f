//! The numbers the machine works with; durations are already divided by the time scale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::common::retry::Backoff;
use crate::customers::CustomerSettings;
use crate::jobs::JobTiming;
use crate::memory::journal::StateSettings;
use crate::objects::ObjectSettings;
use crate::partitions::PartitionSettings;
use crate::seam::beliefs::Beliefs;
use crate::seam::charge::Charge;
use crate::seam::settled::ReceiptsOf;
use crate::sending::quota::QuotaSettings;
use ingest_model::batch::Patience;
use ingest_model::operation::Klass;
use ingest_model::record::Topic;

/// All settings.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone)]
pub struct MachineSettings {
    /// The cap on what unsettled records cost.
    pub budget: Charge,
    /// The organisation's limit and this fleet's part of it.
    pub quota: QuotaSettings,
    /// The subscribed topics.
    pub topics: BTreeMap<Topic, TopicSettings>,
    /// How many requests may be in flight at once.
    pub max_in_flight: usize,
    /// When a bulk request that is not full is sent.
    pub patience: Patience,
    /// Delays between attempts.
    pub retry: Backoff,
    /// A record is given up after this many failures, counted only while others of its kind (an endpoint, a klass) succeed.
    pub max_failures: u32,
    /// Delays between probes of what a person has to fix.
    pub patient_probes: Backoff,
    /// Delays between probes of what recovers by itself.
    pub eager_probes: Backoff,
    /// After this many failures in a row the destination counts as down.
    pub unhealthy_after: u32,
    /// How long to wait for a missing customer if the route says `park`.
    pub park_for: Duration,
    /// Times of bulk jobs.
    pub jobs: JobTiming,
    /// The least time before the result of an ambiguous create is looked up.
    pub verification_wait: Duration,
    /// How long a drain may take; real time.
    pub drain_timeout: Duration,
    /// Time between commits; real time.
    pub commit_interval: Duration,
    /// Two steps this far apart mean that the process slept and may have lost its partitions; real time. `None` if nobody steps
    /// the machine regularly.
    pub asleep_after: Option<Duration>,
    /// How long to wait before a letter that was not acknowledged is sent again; real time.
    pub letter_retry: Duration,
    /// Topics that may dead-letter any number of records: the guard never holds them.
    pub accept_dead_letters: BTreeSet<Topic>,
    /// The routes of each topic whose held work is diverted to the hold topic at the limit. For all others the partitions wait.
    pub diverting: BTreeMap<Topic, BTreeSet<Arc<str>>>,
    /// Topics that are keyed by customer: an identity that says what was said last can be left out.
    #[serde(default)]
    pub by_customer: BTreeSet<Topic>,
    /// Klasses whose objects name the customers of events: whom they belong to is remembered.
    #[serde(default)]
    pub owners_of: BTreeSet<Klass>,
    /// Entries of each cache, if the budget has room for them.
    pub directory_capacity: usize,
    /// How many objects of a customer may be created in a minute.
    pub creates_per_customer: u32,
    /// What was found out beforehand.
    #[serde(default)]
    pub beliefs: Beliefs,
    /// How many events are remembered, so that repeats are skipped.
    pub repeat_window: usize,
    /// How a topic keeps what is known, and open jobs, across restarts; with `None` they are kept in memory only.
    pub state: Option<StateSettings>,
    /// Which records have a receipt.
    #[serde(default)]
    pub receipts: ReceiptsOf,
    /// The seed of the jitter.
    pub seed: u64,
}

/// What the machine knows of a topic.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq)]
pub struct TopicSettings {
    /// The topic's weight in this replica's share.
    pub weight: f64,
    /// All records of one object are in one partition, so that a write that changes nothing can be left out.
    pub keyed: bool,
}

impl MachineSettings {
    /// Sensible values for a limit of `limit` requests a minute, of which `share` may be used, and an API whose clock runs
    /// `time_scale` times faster than this one. `None` if the scale is not a positive number.
    #[must_use]
    pub fn new(limit: u32, share: f64, reserve: u32, time_scale: f64) -> Option<Self> {
        if !time_scale.is_finite() || time_scale <= 0.0 {
            return None;
        }
        let scaled = |seconds: f64| Duration::from_secs_f64(seconds / time_scale);
        Some(Self {
            budget: Charge {
                records: 50_000,
                bytes: 64 << 20,
            },
            quota: QuotaSettings {
                limit,
                share,
                reserve,
                minute: scaled(60.0),
                time_scale,
            },
            topics: BTreeMap::new(),
            max_in_flight: 64,
            patience: Patience {
                linger: scaled(0.02),
                max_delay: scaled(20.0),
            },
            retry: Backoff::new(scaled(1.0), scaled(60.0))?,
            max_failures: 10,
            patient_probes: Backoff::new(scaled(5.0), scaled(60.0))?,
            eager_probes: Backoff::new(scaled(1.0), scaled(8.0))?,
            unhealthy_after: 8,
            park_for: scaled(600.0),
            jobs: JobTiming {
                first_read: scaled(9.0),
                max_pause: scaled(15.0),
                give_up: scaled(900.0),
                time_scale,
            },
            verification_wait: scaled(60.0),
            drain_timeout: Duration::from_secs(20),
            commit_interval: Duration::from_millis(250),
            asleep_after: None,
            letter_retry: Duration::from_secs(1),
            accept_dead_letters: BTreeSet::new(),
            diverting: BTreeMap::new(),
            by_customer: BTreeSet::new(),
            owners_of: BTreeSet::new(),
            directory_capacity: 200_000,
            creates_per_customer: 120,
            beliefs: Beliefs::default(),
            repeat_window: 100_000,
            state: None,
            receipts: ReceiptsOf::Nothing,
            seed: 1,
        })
    }

    pub(in crate::machine) fn partitions(&self) -> PartitionSettings {
        PartitionSettings {
            budget: self.budget,
            accept_dead_letters: self.accept_dead_letters.clone(),
            drain_timeout: self.drain_timeout,
            commit_interval: self.commit_interval,
            letter_retry: self.letter_retry,
            receipts: self.receipts,
        }
    }

    pub(in crate::machine) fn objects(&self, capacity: usize) -> ObjectSettings {
        ObjectSettings {
            capacity,
            budget: self.budget.bytes,
            creates_per_customer: self.creates_per_customer,
            beliefs: self.beliefs,
            minute: self.quota.minute,
        }
    }

    /// How many entries each of these caches has is decided elsewhere.
    pub(in crate::machine) fn customers(
        &self,
        ids: usize,
        identities: usize,
        owners: usize,
    ) -> CustomerSettings {
        CustomerSettings {
            ids,
            identities,
            owners,
            patience: self.patience,
            park_for: self.park_for,
            minute: self.quota.minute,
        }
    }
}
