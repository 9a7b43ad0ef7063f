//! Takes off the compression that a producer applied to a value itself, up to a limit.
//!
//! Compression between Kafka's clients and brokers is another one: the client undoes it.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::fault::Fault;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The largest window of zstd, as a power of two: what it may take in memory while it expands.
const ZSTD_WINDOW: u32 = 23;

/// Whether a value begins as gzip does.
pub(crate) fn is_gzip(value: &[u8]) -> bool {
    value.starts_with(GZIP)
}

/// Whether a value begins as zstd does.
pub(crate) fn is_zstd(value: &[u8]) -> bool {
    value.starts_with(ZSTD)
}

/// The content of a value that was compressed with gzip.
pub(crate) fn gzip(value: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    within(MultiGzDecoder::new(value), limit, "gzip")
}

/// The content of a value that was compressed with zstd.
pub(crate) fn zstd(value: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let broken = |error: std::io::Error| Fault::invalid(format!("it is not zstd: {error}"));
    let mut decoder = zstd::stream::read::Decoder::with_buffer(value).map_err(broken)?;
    decoder.window_log_max(ZSTD_WINDOW).map_err(broken)?;
    within(decoder, limit, "zstd")
}

fn within(reader: impl Read, limit: usize, name: &str) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = reader.take(most).read_to_end(&mut content);
    if content.len() > limit {
        return Err(Fault::TooLarge(format!(
            "expanded by {name} it has more than the limit of {limit} bytes"
        )));
    }
    read.map_err(|error| Fault::invalid(format!("it is not {name}, or is cut off: {error}")))?;
    Ok(content)
}
