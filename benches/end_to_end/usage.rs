//! Processor time by thread, and memory, as Linux counts them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;

/// Processor time by the part of the process that a thread works for.
pub(crate) type Busy = BTreeMap<String, f64>;

/// Seconds of processor time of every living thread, summed by [`part_of`].
pub(crate) fn busy() -> anyhow::Result<Busy> {
    let mut busy = Busy::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        // A thread may end between the two reads.
        let (Ok(name), Ok(scheduled)) = (
            fs::read_to_string(path.join("comm")),
            fs::read_to_string(path.join("schedstat")),
        ) else {
            continue;
        };
        let nanoseconds = scheduled.split(' ').next().unwrap_or_default();
        let nanoseconds: f64 = nanoseconds.trim().parse().context("schedstat")?;
        *busy.entry(part_of(name.trim()).to_owned()).or_default() += nanoseconds / 1e9;
    }
    Ok(busy)
}

/// The part of the process that a thread with this name belongs to.
fn part_of(thread: &str) -> &'static str {
    match thread {
        "worker" => "pump and HTTP client",
        "simulator" => "simulator",
        name if name.starts_with("mapper") => "mapper",
        name if name.starts_with("kafka-") => "poll thread",
        name if name.starts_with("rdk:mock") => "embedded broker",
        name if name.starts_with("rdk:") => "Kafka client library",
        _ => "the bench itself",
    }
}

/// What was used between two measurements.
pub(crate) fn since(before: &Busy, after: &Busy) -> Busy {
    after
        .iter()
        .map(|(part, seconds)| {
            let earlier = before.get(part).copied().unwrap_or_default();
            (part.clone(), seconds - earlier)
        })
        .collect()
}

/// Resets the peak of the memory.
pub(crate) fn forget_peak() -> anyhow::Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("the peak of the memory cannot be reset")
}

/// Resident memory now and at its peak, in MiB.
pub(crate) fn memory() -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.with_context(|| name.to_owned())?;
        let kilobytes: f64 = kilobytes.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes / 1024.0)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
