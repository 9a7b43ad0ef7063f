//! How much the client may fetch ahead.

use super::options::Prefetch;

/// The most that a broker may send in one answer, however large the budget: the client's own default.
const FETCH_BYTES_MAX: usize = 52_428_800;
/// The smallest answer to ask for: a few ordinary batches.
const FETCH_BYTES_MIN: usize = 16 * 1024;
/// The assumed compression ratio of an answer. Brokers count compressed bytes. A fifth is left of ordinary events, much
/// less of events that repeat each other.
const COMPRESSION: usize = 32;
/// The most that one partition may fill of an answer, however large the budget: the client's own default.
const FETCH_PARTITION_BYTES_MAX: usize = 1_048_576;
/// The largest value that the client accepts for the records it keeps ready.
const QUEUED_RECORDS_MAX: usize = 10_000_000;

/// The limits that keep prefetched records within the budget.
pub(super) struct FetchLimits {
    pub(super) queued_kbytes: usize,
    pub(super) queued_records: usize,
    pub(super) fetch_bytes: usize,
    pub(super) partition_bytes: usize,
}

impl FetchLimits {
    /// The default: an answer's content fits even if the answer is compressed.
    pub(super) fn of(prefetch: Prefetch) -> Self {
        Self::answering(prefetch, prefetch.bytes / 4 / COMPRESSION)
    }

    /// The most that may be set: an answer fits if it is not compressed.
    fn most(prefetch: Prefetch) -> Self {
        Self::answering(prefetch, prefetch.bytes / 4)
    }

    fn answering(prefetch: Prefetch, bytes: usize) -> Self {
        let fetch_bytes = bytes.clamp(FETCH_BYTES_MIN, FETCH_BYTES_MAX);
        Self {
            queued_kbytes: (prefetch.bytes / 2 / 1024).clamp(1, 2_097_151),
            queued_records: (prefetch.records / 2).clamp(1, QUEUED_RECORDS_MAX),
            fetch_bytes,
            partition_bytes: (fetch_bytes / 2).clamp(1, FETCH_PARTITION_BYTES_MAX),
        }
    }
}

/// The highest value of a property that keeps prefetched records within the budget; `None` where the property has no
/// limit.
pub(super) fn prefetch_limit(prefetch: Prefetch, property: &str) -> Option<u64> {
    let limits = FetchLimits::most(prefetch);
    let limit = match property {
        "queued.max.messages.kbytes" => limits.queued_kbytes,
        "queued.min.messages" => limits.queued_records,
        "fetch.max.bytes" => limits.fetch_bytes,
        "fetch.message.max.bytes" | "max.partition.fetch.bytes" => limits.partition_bytes,
        _ => return None,
    };
    u64::try_from(limit).ok()
}
