//! The types of a schema.

/// The place of a type in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(pub(super) usize);

/// A type.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    /// `int` and `long`: the same bytes, apart from their range.
    Whole {
        long: bool,
        means: WholeMeans,
    },
    Float,
    Double,
    Bytes(BytesMeans),
    Text(TextMeans),
    Fixed {
        size: usize,
        means: BytesMeans,
    },
    Enum(Vec<String>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record {
        fields: Vec<(String, NodeId)>,
        /// `{scale, value}`: a decimal whose scale is its own.
        decimal: bool,
    },
}

/// What a whole number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WholeMeans {
    Number,
    /// Days since 1970.
    Date,
    /// A time of day in units of so many nanoseconds.
    Time(i64),
    /// An instant in units of so many nanoseconds.
    Instant(i64),
    /// The same without a zone.
    Local(i64),
}

/// What bytes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BytesMeans {
    Bytes,
    /// A number with so many digits after the point.
    Decimal(usize),
    /// A decimal that has its scale with it.
    BigDecimal,
    Uuid,
    /// Months, days and milliseconds.
    Duration,
}

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextMeans {
    Text,
    /// JSON, which a column of that type holds.
    Json,
}
