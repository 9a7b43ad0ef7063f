//! How much the client may fetch ahead.

use super::options::Prefetch;

/// What a broker may send in one answer at most, however large the budget: the client's own default.
const FETCH_BYTES_MAX: usize = 52_428_800;
/// The smallest answer that is asked for: some ordinary batches.
const FETCH_BYTES_MIN: usize = 16 * 1024;
/// How many times smaller than its content an answer is taken to be. Brokers count compressed bytes, and batches of
/// events that are much alike shrink by about this.
const COMPRESSION: usize = 16;
/// What a partition may fill of one answer, however large the budget: the client's own default.
const FETCH_PARTITION_BYTES_MAX: usize = 1_048_576;
/// The client takes no larger value for the records it keeps ready.
const QUEUED_RECORDS_MAX: usize = 10_000_000;

/// The limits that keep what is fetched ahead inside the budget.
pub(super) struct FetchLimits {
    pub(super) queued_kbytes: usize,
    pub(super) queued_records: usize,
    pub(super) fetch_bytes: usize,
    pub(super) partition_bytes: usize,
}

impl FetchLimits {
    /// What is asked for where nobody says anything: an answer's content fits although it is compressed.
    pub(super) fn of(prefetch: Prefetch) -> Self {
        Self::answering(prefetch, prefetch.bytes / 4 / COMPRESSION)
    }

    /// The most that may be asked for: an answer fits if it is not compressed.
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

/// The highest value of a property that keeps what is fetched ahead inside the budget, where there is one.
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
