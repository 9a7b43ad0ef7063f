//! A replay in words.

use std::io::{self, Write};

use ingest_delivery::machine::Snapshot;
use serde_json::Value;

use super::outcome::Replayed;
use crate::pump::recorder::step::Head;

/// Characters of an input that are shown.
const INPUT: usize = 400;

/// A step to be shown.
#[derive(Debug)]
pub(super) struct Step<'s> {
    pub(super) number: u64,
    pub(super) nanos: u64,
    pub(super) input: &'s Value,
    pub(super) decided: &'s [Value],
    /// It was told to the machine.
    pub(super) asked: bool,
}

pub(super) fn head(
    out: &mut impl Write,
    head: &Head,
    first: u64,
    last: u64,
    exact: bool,
) -> io::Result<()> {
    writeln!(
        out,
        "recording of kustomer-ingest {}, begun {}, written {} ({}): steps {first} to {last}{}",
        head.worker,
        head.started,
        head.written,
        head.cause,
        if head.personal_data {
            ", with personal data"
        } else {
            ""
        },
    )?;
    if exact {
        return writeln!(
            out,
            "It begins with the process: every step has to be decided as it was."
        );
    }
    if head.steps_before > 0 {
        writeln!(
            out,
            "The {} steps before it have been overwritten.",
            head.steps_before
        )?;
    }
    if head.left_out > 0 {
        writeln!(out, "{} of them were too large to be kept.", head.left_out)?;
    }
    if head.slices_left_out > 0 {
        writeln!(
            out,
            "What {} partitions had in the state topic was too large to be kept.",
            head.slices_left_out
        )?;
    }
    writeln!(
        out,
        "The machine begins with the {} partitions that were assigned then and knows nothing of the work in hand: answers to what it did not ask are left out, differences are counted.",
        head.base.partitions.len()
    )
}

pub(super) fn step(out: &mut impl Write, step: &Step<'_>) -> io::Result<()> {
    let seconds = std::time::Duration::from_nanos(step.nanos).as_secs_f64();
    let note = if step.asked {
        ""
    } else {
        "  (not asked here; left out)"
    };
    writeln!(
        out,
        "{} +{seconds:.6}s  {}{note}",
        step.number,
        cut(&step.input.to_string())
    )?;
    for effect in step.decided {
        writeln!(out, "    {effect}")?;
    }
    Ok(())
}

pub(super) fn difference(
    out: &mut impl Write,
    one: &Step<'_>,
    recorded: &[Value],
) -> io::Result<()> {
    writeln!(out, "DIFFERENCE at step {}:", one.number)?;
    step(out, one)?;
    let same = one
        .decided
        .iter()
        .zip(recorded)
        .take_while(|(here, there)| here == there)
        .count();
    writeln!(
        out,
        "  it was decided as recorded up to effect {same}; the recording goes on with"
    )?;
    let rest = recorded.get(same..).unwrap_or_default();
    if rest.is_empty() {
        writeln!(out, "    nothing")?;
    }
    for effect in rest {
        writeln!(out, "    {effect}")?;
    }
    Ok(())
}

pub(super) fn snapshot(out: &mut impl Write, snapshot: &Snapshot) -> io::Result<()> {
    writeln!(
        out,
        "\nat the end: {} of {} records and {} of {} bytes in hand, {} lanes, {} requests and {} jobs and {} letters under way, {} wait for a permit, {} for their customer, {} for a time",
        snapshot.used.records,
        snapshot.cap.records,
        snapshot.used.bytes,
        snapshot.cap.bytes,
        snapshot.lanes,
        snapshot.requests,
        snapshot.jobs,
        snapshot.letters,
        snapshot.ready_tracks + snapshot.ready_writes,
        snapshot.waiting_for_customer,
        snapshot.parked,
    )?;
    for one in &snapshot.partitions {
        let offset = |offset: Option<ingest_model::record::Offset>| {
            offset.map_or_else(|| "-".to_owned(), |offset| offset.0.to_string())
        };
        writeln!(
            out,
            "  {}: unsettled {}, settled {}, frontier {}, read to {}, committed {}",
            one.partition,
            one.unsettled,
            one.settled,
            offset(one.frontier),
            offset(one.read_to),
            offset(one.committed),
        )?;
    }
    for hold in &snapshot.holds {
        writeln!(
            out,
            "  hold {} of {}: {}",
            hold.id,
            hold.scope,
            hold.cause.as_str()
        )?;
    }
    Ok(())
}

pub(super) fn end(out: &mut impl Write, replayed: &Replayed, first: Option<u64>) -> io::Result<()> {
    let Replayed {
        steps,
        differences,
        unasked,
        exact,
    } = replayed;
    match (exact, first) {
        (true, None) => writeln!(out, "all {steps} steps were decided as recorded"),
        (true, Some(first)) => {
            writeln!(
                out,
                "{differences} of {steps} steps were decided in another way, the first is {first}"
            )
        }
        (false, _) => writeln!(
            out,
            "{differences} of {steps} steps were decided in another way, {unasked} answers were left out: what was in hand before the first step is not known"
        ),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(INPUT) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
