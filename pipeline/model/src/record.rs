//! What Kafka delivered, and from where.
//!
//! Value, position and original bytes are three fields that never mix. A position never travels inside a payload, and the
//! bytes stay unchanged until the record is settled, because a dead letter needs them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

/// The name of a Kafka topic; cheap to clone, and to compare with a clone.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone)]
pub struct Topic(Arc<str>);

/// The number of a partition within its topic.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Partition(pub i32);

/// The offset of a record within its partition.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Offset(pub i64);

/// One partition of one topic.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// The partition within it.
    pub partition: Partition,
}

/// The position of a record: topic, partition and offset.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Position {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset within it.
    pub offset: Offset,
}

/// One life of a partition within an assignment to this process; epochs only grow within a process.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Epoch(pub u64);

/// One header of a record. Names may repeat and values may be null.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The header's name.
    pub name: String,
    /// Its value, if it has one.
    #[serde(with = "content")]
    pub value: Option<Bytes>,
}

/// One Kafka record as delivered.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its position.
    pub position: Position,
    /// The key, if it has one.
    #[serde(with = "content")]
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    #[serde(with = "content")]
    pub value: Option<Bytes>,
    /// The headers in their order.
    pub headers: Vec<Header>,
    /// The record's time in epoch milliseconds, if the broker gave one.
    pub timestamp_ms: Option<i64>,
}

/// How urgent a record is.
#[derive(
    serde::Serialize,
    serde::Deserialize,
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
)]
pub enum Traffic {
    /// It tells what happens now.
    #[default]
    Live,
    /// It tells what happened before: a snapshot, a replay, an old event. It gets the room that live records leave.
    Backfill,
}

/// What the producer calls the events of a record, for its receipt: bounded, because it is kept until the record is settled.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct EventIds {
    /// The ids, cut to [`EventIds::LONGEST`]; one, unless the record is a batch.
    pub ids: Vec<Arc<str>>,
    /// How many more there are.
    pub left_out: u32,
}

// === impl EventIds ===

impl EventIds {
    /// How many ids of a record are kept.
    pub const MOST: usize = 100;
    /// How many bytes of an id are kept.
    pub const LONGEST: usize = 256;

    /// Adds the id of another event.
    pub fn add(&mut self, id: &str) {
        if self.ids.len() < Self::MOST {
            self.ids.push(Arc::from(Self::cut(id)));
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// What is kept of an id.
    ///
    /// ```
    /// # use ingest_model::record::EventIds;
    /// assert_eq!(EventIds::cut("evt_1"), "evt_1");
    /// assert_eq!(EventIds::cut(&"é".repeat(200)).len(), EventIds::LONGEST);
    /// assert_eq!(EventIds::cut(&format!("x{}", "é".repeat(200))).len(), EventIds::LONGEST - 1);
    /// ```
    #[must_use]
    pub fn cut(id: &str) -> &str {
        let end = id.floor_char_boundary(Self::LONGEST);
        id.get(..end).unwrap_or_default()
    }
}

// === impl Traffic ===

impl Traffic {
    /// Both, the more urgent first.
    pub const ALL: &'static [Self] = &[Self::Live, Self::Backfill];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Backfill => "backfill",
        }
    }
}

// === impl Topic ===

impl Topic {
    /// The topic of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Topic {}

impl Ord for Topic {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Topic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Topic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Offset ===

impl Offset {
    /// The offset after this one. Committing it says that this one is settled.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

// === impl TopicPartition ===

impl TopicPartition {
    /// The partition of that number in that topic.
    #[must_use]
    pub fn new(topic: &str, partition: i32) -> Self {
        Self {
            topic: Topic::new(topic),
            partition: Partition(partition),
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset.0)
    }
}

// === impl Record ===

impl Record {
    /// Bytes of key, value and headers: what the record is charged in memory, apart from the constant part.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|h| h.name.len() + h.value.as_ref().map_or(0, Bytes::len))
            .sum();
        self.key.as_ref().map_or(0, Bytes::len)
            + self.value.as_ref().map_or(0, Bytes::len)
            + headers
    }

    /// The value of the last header of that name; ASCII case is ignored.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers
            .iter()
            .rev()
            .find(|h| h.name.eq_ignore_ascii_case(name))
            .and_then(|h| h.value.as_ref())
    }
}

pub mod content {
    //! How contents and hashes are serialized where steps of the machine are recorded, and read back.
    //!
    //! Each tells the serializer what it is: contents are bytes, a hash of something about a person is a newtype `Hash`,
    //! an identifier that the worker made is a newtype `Name`. So a serializer that hides personal data knows what it is
    //! given.

    use std::fmt;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// The longest content that is reconstructed from its length.
    const LONGEST: usize = 256 << 20;

    struct Written<'b>(&'b [u8]);

    struct Read(Bytes);

    impl Serialize for Written<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    /// Writes contents as bytes.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        content: &Option<Bytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        content.as_deref().map(Written).serialize(serializer)
    }

    /// Reads contents: a text, `{"base64": …}`, or `{"bytes": length, "hash": text}`, which becomes that many bytes made
    /// from the text.
    ///
    /// # Errors
    /// It is none of them.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<Read>::deserialize(deserializer)?.map(|read| read.0))
    }

    impl<'de> Deserialize<'de> for Read {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Forms;
            impl<'de> Visitor<'de> for Forms {
                type Value = Read;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a text, bytes in base64, or their length")
                }

                fn visit_str<E: Error>(self, text: &str) -> Result<Read, E> {
                    Ok(Read(Bytes::from(text.to_owned())))
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
                    let (mut length, mut hash) = (0, String::new());
                    while let Some(name) = map.next_key::<String>()? {
                        match name.as_str() {
                            "base64" => {
                                let bytes = STANDARD.decode(map.next_value::<String>()?);
                                return bytes
                                    .map(|b| Read(Bytes::from(b)))
                                    .map_err(A::Error::custom);
                            }
                            "bytes" => length = map.next_value::<usize>()?,
                            "hash" => hash = map.next_value()?,
                            other => {
                                return Err(A::Error::unknown_field(
                                    other,
                                    &["base64", "bytes", "hash"],
                                ));
                            }
                        }
                    }
                    if length > LONGEST {
                        return Err(A::Error::custom("too long"));
                    }
                    if hash.is_empty() {
                        hash.push('-');
                    }
                    Ok(Read(hash.bytes().cycle().take(length).collect()))
                }
            }
            deserializer.deserialize_any(Forms)
        }
    }

    fn hex(number: u128) -> String {
        format!("{number:032x}")
    }

    fn of_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }

    pub mod hash {
        //! A hash of something that may be about a person.

        use serde::{Deserializer, Serializer};

        /// Writes it as 32 hexadecimal digits.
        ///
        /// # Errors
        /// The serializer's.
        pub fn serialize<S: Serializer>(hash: &u128, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("Hash", &super::hex(*hash))
        }

        /// Reads it.
        ///
        /// # Errors
        /// It is not such a number.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
            super::of_hex(deserializer)
        }
    }

    pub mod name {
        //! An identifier that the worker made itself.

        use serde::{Deserializer, Serializer};

        /// Writes it as 32 hexadecimal digits.
        ///
        /// # Errors
        /// The serializer's.
        pub fn serialize<S: Serializer>(name: &u128, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("Name", &super::hex(*name))
        }

        /// Reads it.
        ///
        /// # Errors
        /// It is not such a number.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
            super::of_hex(deserializer)
        }
    }
}
