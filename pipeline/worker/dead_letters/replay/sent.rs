//! Which letters were sent back: offsets of the dead-letter topic, as runs, in the group's committed metadata.
//!
//! For each partition, the end of the highest run is the committed offset. The text is `r1:FINGERPRINT:RUNS`. The
//! fingerprint is that of the letter before the committed offset, and reveals a topic that was recreated. The runs go
//! downwards from there: the length of the highest, the gap below it, the length of the next, …, as variable-length
//! numbers in base64. What does not fit is forgotten, starting with the lowest runs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ingest_model::record::Offset;

/// The text's first part: its format and version.
const TAG: &str = "r1";
/// The longest text: brokers accept 4,096 bytes by default.
const TEXT_BYTES: usize = 3_500;

/// The letters of one partition that were sent back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The first offset of each run, and the offset after its last; runs neither touch nor overlap.
    runs: BTreeMap<i64, i64>,
    /// The fingerprint of the letter at the highest offset.
    fingerprint: u32,
    /// Runs that no longer fitted.
    forgotten: usize,
}

// === impl Sent ===

impl Sent {
    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.runs
            .range(..=offset.0)
            .next_back()
            .is_some_and(|(_, end)| offset.0 < *end)
    }

    /// The offset after the highest one, and the fingerprint of the letter there.
    pub(super) fn anchor(&self) -> Option<(Offset, u32)> {
        let (_, end) = self.runs.last_key_value()?;
        Some((Offset(*end), self.fingerprint))
    }

    /// Whether anything was forgotten.
    pub(super) fn forgot(&self) -> bool {
        self.forgotten > 0
    }

    pub(super) fn insert(&mut self, offset: Offset, fingerprint: u32) {
        if self.contains(offset) {
            return;
        }
        let is_highest = self.anchor().is_none_or(|(end, _)| offset >= end);
        if is_highest {
            self.fingerprint = fingerprint;
        }
        let mut start = offset.0;
        let mut end = offset.0.saturating_add(1);
        if let Some((&before, &before_end)) = self.runs.range(..start).next_back()
            && before_end == start
        {
            start = before;
        }
        if let Some(after_end) = self.runs.remove(&end) {
            end = after_end;
        }
        self.runs.insert(start, end);
    }

    /// The offset and the text to commit; what does not fit is forgotten here as well.
    pub(super) fn encode(&mut self) -> Option<(Offset, String)> {
        let (end, fingerprint) = self.anchor()?;
        let head = format!("{TAG}:{fingerprint:08x}:");
        let room = (TEXT_BYTES - head.len()) / 4 * 3;
        let mut bytes = Vec::new();
        let mut above = end.0;
        let mut lowest_kept = end.0;
        for (&start, &run_end) in self.runs.iter().rev() {
            let mut run = Vec::with_capacity(8);
            if run_end < above {
                put(&mut run, above - run_end);
            }
            put(&mut run, run_end - start);
            if bytes.len() + run.len() > room {
                break;
            }
            bytes.append(&mut run);
            above = start;
            lowest_kept = start;
        }
        let kept = self.runs.split_off(&lowest_kept);
        self.forgotten += self.runs.len();
        self.runs = kept;
        Some((end, format!("{head}{}", BASE64.encode(bytes))))
    }

    /// Decodes what was committed; `None` if the text is not in this format.
    pub(super) fn decode(end: Offset, text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        if parts.next()? != TAG {
            return None;
        }
        let fingerprint = u32::from_str_radix(parts.next()?, 16).ok()?;
        let bytes = BASE64.decode(parts.next()?).ok()?;
        let mut numbers = numbers(&bytes)?.into_iter();
        let mut runs = BTreeMap::new();
        let mut run_end = end.0;
        while let Some(length) = numbers.next() {
            let start = run_end.checked_sub(length).filter(|start| *start >= 0)?;
            runs.insert(start, run_end);
            let Some(gap) = numbers.next() else { break };
            run_end = start.checked_sub(gap)?;
        }
        Some(Self {
            runs,
            fingerprint,
            forgotten: 0,
        })
    }
}

/// Appends a number, seven bits per byte, lowest first.
fn put(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = number.unsigned_abs();
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// All numbers; `None` if one is incomplete, zero or too large.
fn numbers(bytes: &[u8]) -> Option<Vec<i64>> {
    let mut numbers = Vec::new();
    let mut number: i64 = 0;
    let mut shift = 0u32;
    for byte in bytes {
        if shift > 56 {
            return None;
        }
        number |= i64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            if number == 0 {
                return None;
            }
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_ours_is_not_read() {
        for text in [
            "", "v1:abc", "r1:0:%%%", "r1:zz:", "r1:1:gA", "r1:1:AA", "r1:1:BQU",
        ] {
            let read = Sent::decode(Offset(3), text);
            assert!(read.is_none(), "{text}: {read:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_forgotten_from_below() {
        let mut sent = Sent::default();
        for offset in 0..10_000 {
            sent.insert(Offset(offset * 2), 7);
        }
        let (end, text) = sent.encode().unwrap();
        assert!(text.len() <= TEXT_BYTES, "{}", text.len());
        assert!(sent.forgot());
        let read = Sent::decode(end, &text).unwrap();
        assert_eq!(read.runs, sent.runs);
        assert!(read.contains(Offset(19_998)) && !read.contains(Offset(19_997)));
        assert!(!read.contains(Offset(0)));
        assert!(read.runs.len() > 1_000, "{}", read.runs.len());
    }

    proptest! {
        #[test]
        fn what_was_sent_is_remembered_and_nothing_else(
            offsets in prop::collection::vec(0i64..300, 1..200),
        ) {
            let mut sent = Sent::default();
            for offset in &offsets {
                sent.insert(Offset(*offset), u32::try_from(*offset).unwrap());
            }
            let (end, text) = sent.encode().unwrap();
            let read = Sent::decode(end, &text).unwrap();
            prop_assert_eq!(&read, &sent);
            let all: BTreeSet<i64> = offsets.into_iter().collect();
            for offset in 0..300 {
                prop_assert_eq!(read.contains(Offset(offset)), all.contains(&offset));
            }
            let highest = *all.last().unwrap();
            prop_assert_eq!(read.anchor(), Some((Offset(highest + 1), u32::try_from(highest).unwrap())));
        }

        #[test]
        fn any_text_is_answered(end in 0i64..1_000, text in "r1:[0-9a-f]{1,8}:[A-Za-z0-9_-]{0,40}") {
            if let Some(read) = Sent::decode(Offset(end), &text) {
                prop_assert!(read.runs.iter().all(|(start, stop)| start < stop && *stop <= end));
            }
        }
    }
}
