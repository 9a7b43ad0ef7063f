//! The shape of the configuration file: which keys there are, and what kind of value each has.
//!
//! Reading ([`read`]) never stops at a mistake. Anything misspelt or of the wrong kind is reported and left out; the rest
//! goes on to [`super::checks`], which interprets it. A key that is null counts as absent.

mod admin;
mod encodings;
mod kustomer;
mod pauses;
mod profile;
mod reader;
mod tracing;

use std::fmt;

use ingest_mapping::mapping::node::{Content, Node, Place as NodePlace};

pub(crate) use self::profile::read_profile;
pub(crate) use self::reader::{is_mapping, read, tree};
use super::fault::Spot;

/// A value with its place and the path of its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) spot: Spot,
    pub(crate) key: String,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Bool(bool),
    Whole(i64),
    Number(f64),
    Text(String),
}

/// A single value that may be absent.
pub(crate) type Leaf = Option<At<Scalar>>;

/// The place of a section; if it is absent, that of the section around it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) spot: Spot,
    pub(crate) key: String,
}

/// The whole file.
#[derive(Debug)]
pub(crate) struct RawConfig {
    pub(crate) kafka: RawKafka,
    pub(crate) registry: Option<RawRegistry>,
    pub(crate) kustomer: RawKustomer,
    pub(crate) budget: RawBudget,
    pub(crate) delivery: RawDelivery,
    pub(crate) state_topic: Leaf,
    pub(crate) state_dir: Leaf,
    pub(crate) suppressed: Leaf,
    pub(crate) admin: RawAdmin,
    pub(crate) log: RawLog,
    pub(crate) recording: RawRecording,
    /// `None` if it is not a list.
    pub(crate) pauses: Option<Vec<RawPause>>,
    pub(crate) tracing: Option<RawTracing>,
}

/// `tracing`.
#[derive(Debug)]
pub(crate) struct RawTracing {
    pub(crate) place: Place,
    pub(crate) endpoint: Leaf,
    /// By name.
    pub(crate) headers: Vec<At<RawProperty>>,
    pub(crate) ca: Leaf,
    pub(crate) timeout: Leaf,
    pub(crate) interval: Leaf,
    pub(crate) queue: Leaf,
    pub(crate) ratio: Leaf,
    pub(crate) spans_per_second: Leaf,
}

/// `pauses[]`.
#[derive(Debug)]
pub(crate) struct RawPause {
    pub(crate) name: Leaf,
    pub(crate) topic: Leaf,
    pub(crate) route: Leaf,
    pub(crate) destination: Leaf,
    pub(crate) until: Leaf,
    pub(crate) reason: Leaf,
    pub(crate) times: RawTimes,
}

/// `admin`.
#[derive(Debug)]
pub(crate) struct RawAdmin {
    pub(crate) listen: Leaf,
    pub(crate) control: Leaf,
    pub(crate) token: Option<RawSecret>,
    pub(crate) read_token: Option<RawSecret>,
}

/// `kafka`.
#[derive(Debug)]
pub(crate) struct RawKafka {
    pub(crate) place: Place,
    pub(crate) brokers: Leaf,
    pub(crate) group: Leaf,
    pub(crate) instance_id: Option<At<RawProperty>>,
    pub(crate) topics: Vec<RawTopic>,
    /// The key `topics` is present and a list, though perhaps an empty one.
    pub(crate) topics_given: bool,
    pub(crate) dead_letter_topic: Leaf,
    pub(crate) hold_topic: Leaf,
    pub(crate) receipts_topic: Leaf,
    pub(crate) receipts_of: Leaf,
    pub(crate) on_lost_position: Leaf,
    pub(crate) properties: Vec<At<RawProperty>>,
    pub(crate) drain_timeout: Leaf,
    pub(crate) commit_interval: Leaf,
    pub(crate) session_timeout: Leaf,
}

/// One entry of `kafka.topics`.
#[derive(Debug)]
pub(crate) struct RawTopic {
    pub(crate) place: Place,
    pub(crate) name: Leaf,
    pub(crate) format: Leaf,
    pub(crate) encoding: RawEncoding,
    pub(crate) mapping: Option<At<RawMapping>>,
    pub(crate) keyed_by: Leaf,
    pub(crate) traffic: Leaf,
    pub(crate) weight: Leaf,
}

/// The keys of a topic that say how its values are encoded.
#[derive(Debug)]
pub(crate) struct RawEncoding {
    pub(crate) place: Place,
    pub(crate) encoding: Leaf,
    pub(crate) compression: Leaf,
    pub(crate) key_encoding: Leaf,
    pub(crate) schema: Leaf,
    pub(crate) message: Leaf,
    pub(crate) schemas: Option<Vec<At<Scalar>>>,
}

/// `schema_registry`.
#[derive(Debug)]
pub(crate) struct RawRegistry {
    pub(crate) place: Place,
    pub(crate) url: Leaf,
    pub(crate) basic: Option<RawBasic>,
    pub(crate) bearer: Option<RawSecret>,
    pub(crate) ca: Leaf,
    pub(crate) timeout: Leaf,
    pub(crate) cache: Leaf,
    pub(crate) cache_bytes: Leaf,
}

/// `schema_registry.basic`.
#[derive(Debug)]
pub(crate) struct RawBasic {
    pub(crate) place: Place,
    pub(crate) user: Leaf,
    pub(crate) password: Option<RawSecret>,
}

/// The keys of a topic that are read here.
pub(super) const ENCODING_KEYS: [&str; 6] = [
    "encoding",
    "compression",
    "key_encoding",
    "schema",
    "message",
    "schemas",
];

/// The mapping of a topic.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RawMapping {
    /// A path, relative to the configuration file.
    Path(String),
    /// A mapping written in the configuration itself.
    Inline(Node),
}

/// A value, or a reference to one: for `kafka.properties`, where the key of its [`At`] is the property's name, or for
/// `kafka.instance_id`.
#[derive(Debug)]
pub(crate) enum RawProperty {
    Plain(Scalar),
    Secret(RawSecret),
}

/// A reference to a secret: one of the two.
#[derive(Debug)]
pub(crate) struct RawSecret {
    pub(crate) place: Place,
    pub(crate) file: Leaf,
    pub(crate) env: Leaf,
}

/// `kustomer`.
#[derive(Debug)]
pub(crate) struct RawKustomer {
    pub(crate) place: Place,
    pub(crate) base_url: Leaf,
    pub(crate) token: Option<RawSecret>,
    /// The key `token` is present, with whatever value.
    pub(crate) token_given: bool,
    pub(crate) limit: Leaf,
    pub(crate) share: Leaf,
    pub(crate) reserve: Leaf,
    /// `None` if it is not a list of maps.
    pub(crate) reserve_at: Option<Vec<RawReserve>>,
    pub(crate) request_timeout: Leaf,
    pub(crate) max_concurrency: Leaf,
    pub(crate) creates_per_customer: Leaf,
    pub(crate) profile: RawProfilePlace,
}

/// `kustomer.profile`.
#[derive(Debug)]
pub(crate) struct RawProfilePlace {
    pub(crate) place: Place,
    /// The key is present, with whatever value.
    pub(crate) given: bool,
    pub(crate) file: Leaf,
    pub(crate) of: Leaf,
}

/// A profile.
#[derive(Debug)]
pub(crate) struct RawProfile {
    pub(crate) place: Place,
    pub(crate) version: Leaf,
    pub(crate) organisation: Leaf,
    pub(crate) probed_at: Leaf,
    pub(crate) program: Leaf,
    pub(crate) answers: Vec<RawAnswer>,
    /// `None` if it is not a list.
    pub(crate) jobs: Option<Vec<RawJob>>,
}

/// One of its answers.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) answer: Leaf,
    /// What shows it, for people.
    pub(crate) evidence: Vec<At<Scalar>>,
}

/// One of its bulk jobs.
#[derive(Debug)]
pub(crate) struct RawJob {
    pub(crate) place: Place,
    pub(crate) id: Leaf,
    pub(crate) ended_at: Leaf,
    pub(crate) readable_at: Leaf,
    pub(crate) lost_at: Leaf,
}

/// `kustomer.reserve_at[]`.
#[derive(Debug)]
pub(crate) struct RawReserve {
    pub(crate) times: RawTimes,
    pub(crate) reserve: Leaf,
}

/// A time that comes every week.
#[derive(Debug)]
pub(crate) struct RawTimes {
    /// The place of the entry that has it.
    pub(crate) place: Place,
    pub(crate) days: Option<Vec<At<Scalar>>>,
    /// The days are a list of single values, or not given.
    pub(crate) days_sound: bool,
    pub(crate) from: Leaf,
    pub(crate) to: Leaf,
    pub(crate) zone: Leaf,
}

/// `budget`.
#[derive(Debug)]
pub(crate) struct RawBudget {
    pub(crate) records: Leaf,
    pub(crate) bytes: Leaf,
}

/// `delivery`.
#[derive(Debug)]
pub(crate) struct RawDelivery {
    pub(crate) max_delay: Leaf,
    pub(crate) backfill_after: Leaf,
    pub(crate) mapper_threads: Leaf,
}

/// `debug.recording`.
#[derive(Debug)]
pub(crate) struct RawRecording {
    pub(crate) steps: Leaf,
    pub(crate) bytes: Leaf,
    pub(crate) personal_data: Leaf,
    pub(crate) dir: Leaf,
}

/// `log`.
#[derive(Debug)]
pub(crate) struct RawLog {
    pub(crate) format: Leaf,
    pub(crate) level: Leaf,
}

// === impl Spot ===

impl From<NodePlace> for Spot {
    fn from(place: NodePlace) -> Self {
        Self {
            line: place.line,
            column: place.column,
        }
    }
}

// === impl Scalar ===

impl Scalar {
    /// The value of a scalar node.
    pub(super) fn of(content: &Content) -> Option<Self> {
        match content {
            Content::Bool(yes) => Some(Self::Bool(*yes)),
            Content::Text(text) => Some(Self::Text(text.clone())),
            Content::Number(number) => Some(match number.as_i64() {
                Some(whole) => Self::Whole(whole),
                None => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            }),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The kind of value, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Whole(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Whole(v) => write!(f, "{v}"),
            Self::Number(v) => write!(f, "{v}"),
            Self::Text(v) => f.write_str(v),
        }
    }
}
