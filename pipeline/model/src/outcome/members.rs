//! A record that is a batch: several events, each of which is delivered, skipped or rejected by itself.
//!
//! The record is settled as a whole. So that no member is lost or delivered twice, its dead letter names the members that were
//! rejected, in a header, and a record with that header stands for these members alone.

/// The header that says which members a record stands for, such as `0,3-5`. Without it, it stands for all.
pub const MEMBERS_HEADER: &str = "ingest.members";

/// Numbers in their order, as the header has them.
#[must_use]
pub fn written(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let shown = runs.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    shown.collect::<Vec<_>>().join(",")
}

/// The runs of numbers in a header; `None` if it is not of that form.
#[must_use]
pub fn read(text: &str) -> Option<Vec<(u32, u32)>> {
    let run = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some((first, last))
    };
    text.split(',').map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_written() {
        for (numbers, text) in [
            (vec![0], "0"),
            (vec![0, 1, 2, 5, 7, 8], "0-2,5,7-8"),
            (vec![u32::MAX], "4294967295"),
        ] {
            assert_eq!(written(numbers.iter().copied()), text);
            let runs = read(text).unwrap();
            let back: Vec<u32> = runs
                .into_iter()
                .flat_map(|(first, last)| first..=last)
                .collect();
            assert_eq!(back, numbers);
        }
        for text in ["", "a", "1,", "3-1", "-1", "1-2-3"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
