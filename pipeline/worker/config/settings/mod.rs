//! Settings that cannot be wrong: every value checked, typed and ready to use.
//!
//! They come only from [`super::load`]; the checks are in `checks`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ingest_delivery::settled::ReceiptsOf;
use ingest_encoding::Encoding;
use ingest_kafka::OnLostPosition;
use ingest_kustomer::{BaseUrl, ClientSettings};
use ingest_mapping::route::Pipeline;
use ingest_model::record::{Topic, Traffic};
use ingest_registry::AskedOnce;

mod files;
mod kafka;
pub mod profile;
mod property;
pub mod suppressed;
mod tracing;
pub(in crate::config) mod units;

pub use self::files::{FileError, KafkaFiles, LOCATIONS};
pub use self::kafka::ClientSettingsError;
use self::profile::Profile;
pub use self::property::PropertyValue;
use self::suppressed::SuppressedFile;
pub use self::tracing::{TracingError, TracingPlace};
use super::defaults;
use super::pauses::PauseSchedule;
use super::registry::{RegistryError, RegistryPlace};
use super::reserve::ReserveSchedule;
use super::secret::{SecretError, SecretRef};
use crate::observe::telemetry::LogSettings;

/// Everything the worker needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file, as the user named it.
    pub file: PathBuf,
    /// Where records come from.
    pub kafka: KafkaSettings,
    /// Where schemas are asked for, if anywhere.
    pub registry: Option<RegistryPlace>,
    /// Where they go, and how much of the organisation's quota they may use.
    pub kustomer: KustomerSettings,
    /// How much may be unsettled at the same time.
    pub budget: BudgetSettings,
    /// How requests are assembled.
    pub delivery: DeliverySettings,
    /// Where the worker can be watched, and where it takes changes.
    pub admin: AdminSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// `state.dir`: where to keep notes that outlast the process, though not the machine.
    pub state_dir: PathBuf,
    /// `privacy.suppressed`: the list of people of whom nothing is sent, if there is one.
    pub suppressed: Option<SuppressedFile>,
    /// `debug.recording`: how many of the last steps are kept for investigating problems.
    pub recording: RecordingSettings,
    /// `pauses`: what is paused at which times.
    pub pauses: PauseSchedule,
    /// `tracing`: where spans go, if anywhere.
    pub tracing: Option<TracingPlace>,
}

/// `admin`. Port 0 picks a free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it can be watched.
    pub listen: SocketAddr,
    /// Where it takes changes, if that is another address.
    pub control: Option<SocketAddr>,
    /// Whether the configuration names that address.
    pub control_given: bool,
    /// What changes need.
    pub token: Option<SecretRef>,
    /// What reading needs, health excepted.
    pub read_token: Option<SecretRef>,
}

/// `debug.recording`: the last steps of the delivery machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSettings {
    /// The most steps; 0 keeps none.
    pub steps: usize,
    /// The most bytes of memory; 0 keeps none.
    pub bytes: usize,
    /// Keep records, keys and bodies in clear text instead of pseudonyms.
    pub personal_data: bool,
    /// Where recordings are written.
    pub dir: PathBuf,
}

/// The defaults.
impl Default for RecordingSettings {
    fn default() -> Self {
        Self {
            steps: usize::try_from(defaults::RECORDING_STEPS).unwrap_or(usize::MAX),
            bytes: usize::try_from(defaults::RECORDING_BYTES).unwrap_or(usize::MAX),
            personal_data: false,
            dir: defaults::recording_dir(),
        }
    }
}

/// `kafka`: brokers, topics and time limits.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// `host:port`, comma-separated.
    pub brokers: String,
    /// The consumer group.
    pub group: String,
    /// Makes the worker a static member of the group, with this name; every replica has its own.
    pub instance_id: Option<PropertyValue>,
    /// The topics to read, at least one, none twice.
    pub topics: Vec<TopicSettings>,
    /// Where rejected records go; not an input topic.
    pub dead_letter_topic: Topic,
    /// Where held work goes that routes divert, if anywhere; neither an input topic nor the dead-letter topic.
    pub hold_topic: Option<Topic>,
    /// Where receipts of settled records go, if anywhere, and which records have one; a topic of its own.
    pub receipts: Option<(Topic, ReceiptsOf)>,
    /// What to do with a partition whose committed offset lies below the start of its log.
    pub on_lost_position: OnLostPosition,
    /// `state.topic`: where knowledge and open jobs survive a restart, if anywhere; a topic of its own.
    pub state_topic: Option<Topic>,
    /// Raw librdkafka settings, none of them reserved for the worker.
    pub properties: BTreeMap<String, PropertyValue>,
    /// How long a drain may take; shorter than librdkafka's `max.poll.interval.ms`.
    pub drain_timeout: Duration,
    /// How often settled offsets are committed.
    pub commit_interval: Duration,
    /// How long the consumer group waits for a silent worker; `None` leaves it to librdkafka or the brokers.
    pub session_timeout: Option<Duration>,
}

/// One input topic.
#[derive(Debug, Clone)]
pub struct TopicSettings {
    /// Its name.
    pub topic: Topic,
    /// How its values are encoded.
    pub encoding: Encoding,
    /// The decoder and mapping of its records; topics with the same mapping file share it.
    pub pipeline: Pipeline,
    /// What the records' keys guarantee.
    pub keyed_by: KeyedBy,
    /// What all of its records are, if each does not tell by itself.
    pub traffic: Option<Traffic>,
    /// The topic's share of the quota relative to the other topics.
    pub weight: NonZeroU32,
}

/// What a topic's keys guarantee about which records share a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeyedBy {
    /// All records of one customer are in one partition.
    Customer,
    /// All records of one object are in one partition.
    Object,
    /// Nothing.
    #[default]
    None,
}

/// `kustomer`: the destination.
#[derive(Debug, Clone)]
pub struct KustomerSettings {
    /// Scheme, host and port; no path, query or user.
    pub base_url: BaseUrl,
    /// Where to find the API key.
    pub token: SecretRef,
    /// The organisation's request limit, and our part of it.
    pub quota: QuotaSettings,
    /// What is left alone at which time of day; otherwise as many as the quota says.
    pub reserve_at: ReserveSchedule,
    /// The time limit of a request.
    pub request_timeout: Duration,
    /// The most requests in flight at once.
    pub max_concurrency: usize,
    /// How many objects of one customer the API allows to be created in a minute.
    pub creates_per_customer: u32,
    /// What was found out beforehand of what the API leaves open.
    pub profile: Option<Profile>,
}

/// The organisation's request limit, and the part of it that all replicas together may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaSettings {
    limit: u32,
    share: f64,
    reserve: u32,
}

/// `budget`: how much may be unsettled at the same time, including records that wait in the client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Records.
    pub records: u64,
    /// Bytes of keys, values and headers.
    pub bytes: u64,
}

/// `delivery`: how requests are assembled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverySettings {
    /// How long an item may wait, at most, for its bulk request to fill.
    pub max_delay: Duration,
    /// Records of events that happened longer ago are backfill; `None`: no record is because of its age.
    pub backfill_after: Option<Duration>,
    /// The number of threads that decode and map.
    pub mapper_threads: usize,
}

// === impl Settings ===

impl Settings {
    /// How the records of each topic are read.
    #[must_use]
    pub fn paths(&self) -> HashMap<Topic, (Encoding, Pipeline)> {
        let path = |one: &TopicSettings| {
            let reads = (one.encoding.clone(), one.pipeline.clone());
            (one.topic.clone(), reads)
        };
        self.kafka.topics.iter().map(path).collect()
    }

    /// The schema registry for a command; without one, no schema is known.
    ///
    /// # Errors
    /// A secret or certificate cannot be used.
    pub fn schemas(&self) -> Result<AskedOnce, RegistryError> {
        let asked = self.registry.as_ref().map(RegistryPlace::asked_once);
        asked.unwrap_or_else(|| Ok(AskedOnce::nobody()))
    }

    /// The API client's settings, with the token read now.
    ///
    /// # Errors
    ///
    /// When the token cannot be read.
    pub fn kustomer_client(&self) -> Result<ClientSettings, SecretError> {
        let token = self.kustomer.token.read()?;
        let mut client = ClientSettings::new(self.kustomer.base_url.clone(), token);
        client.total_timeout = self.kustomer.request_timeout;
        client.connect_timeout = client.connect_timeout.min(self.kustomer.request_timeout);
        client.connections = self.kustomer.max_concurrency;
        Ok(client)
    }
}

// === impl QuotaSettings ===

impl QuotaSettings {
    /// The largest limit that is accepted: far above the largest plan.
    pub const MAX_LIMIT: u32 = 1_000_000;

    /// A quota, if the numbers leave the worker at least one request a minute.
    ///
    /// # Errors
    ///
    /// The key that is wrong, what is wrong with it, and what to do.
    pub fn try_new(
        limit: u32,
        share: f64,
        reserve: u32,
    ) -> Result<Self, (&'static str, String, String)> {
        if limit == 0 || limit > Self::MAX_LIMIT {
            return Err((
                "limit",
                format!("{limit} is out of range"),
                format!(
                    "give the organisation's requests a minute, 1 to {}",
                    Self::MAX_LIMIT
                ),
            ));
        }
        if !(share > 0.0 && share <= 1.0) {
            return Err((
                "share",
                format!("{share} is out of range"),
                "give the part of the limit that may be used, above 0 and at most 1".to_owned(),
            ));
        }
        if reserve >= limit {
            return Err((
                "reserve",
                format!("{reserve} leaves nothing of the limit of {limit}"),
                "reserve fewer requests than the organisation has".to_owned(),
            ));
        }
        let quota = Self {
            limit,
            share,
            reserve,
        };
        if quota.allowance() == 0 {
            return Err((
                "share",
                format!("{share} of {limit} is less than one request a minute"),
                "raise share".to_owned(),
            ));
        }
        Ok(quota)
    }

    /// The same with another reserve, as far as that leaves a request.
    #[must_use]
    pub fn with_reserve(self, reserve: u32) -> Self {
        Self {
            reserve: reserve.min(self.limit - 1),
            ..self
        }
    }

    /// Requests a minute of the whole organisation.
    #[must_use]
    pub fn limit(self) -> u32 {
        self.limit
    }

    /// The part of the limit that all replicas together may use, above 0 and at most 1.
    #[must_use]
    pub fn share(self) -> f64 {
        self.share
    }

    /// Requests of each minute that are left for others.
    #[must_use]
    pub fn reserve(self) -> u32 {
        self.reserve
    }

    /// The most requests a minute that all replicas together may send if nobody else sends any.
    #[must_use]
    pub fn allowance(self) -> u32 {
        let part = (f64::from(self.limit) * self.share).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the limit, which is a u32"
        )]
        let part = part as u32;
        part.min(self.limit - self.reserve)
    }
}

// === impl KeyedBy ===

impl KeyedBy {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Customer, Self::Object, Self::None];

    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Object => "object",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_documentation_allows_eight_hundred() {
        let quota = QuotaSettings::try_new(1000, 0.8, 50).unwrap();
        assert_eq!(quota.allowance(), 800);
        assert_eq!(
            QuotaSettings::try_new(1000, 1.0, 50).unwrap().allowance(),
            950
        );
    }

    proptest! {
        #[test]
        fn a_quota_is_never_zero_and_never_above_its_parts(
            limit in 0u32..200_000, share in -0.5f64..1.5, reserve in 0u32..2000,
        ) {
            if let Ok(quota) = QuotaSettings::try_new(limit, share, reserve) {
                prop_assert!(quota.allowance() >= 1);
                prop_assert!(f64::from(quota.allowance()) <= f64::from(limit) * share);
                prop_assert!(quota.allowance() <= limit - reserve);
            }
        }
    }
}
