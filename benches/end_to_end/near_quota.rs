//! A shop's traffic at parts of what the budget carries: what a record costs and how long it waits for its request, each the
//! median of some seeds.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;

use crate::world::shop::{Figures, backlog, least_waits, percentile, stream};

/// The name on the command line and in the figures.
pub(crate) const NAME: &str = "near-quota";

/// Parts of what a backlog shows the budget to carry.
const LOADS: [f64; 6] = [0.3, 0.6, 0.8, 0.95, 1.05, 1.5];

/// What a load costs, and how long its records wait.
pub(crate) struct Row {
    pub(crate) load: f64,
    /// Requests a record.
    pub(crate) units: f64,
    /// By those of a backlog.
    pub(crate) dearer: f64,
    /// The same with each seed.
    pub(crate) seeds: Vec<f64>,
    /// The wait for the request: median, 95 %, 99 %; in seconds.
    pub(crate) waits: [f64; 3],
    /// The median if orders cost nothing.
    pub(crate) least: f64,
}

/// How many seeds, records of a backlog, and how long a stream.
pub(crate) fn size(short: bool) -> (u64, u64, Duration) {
    if short {
        (1, 2_000, Duration::from_secs(60))
    } else {
        (5, 20_000, Duration::from_secs(600))
    }
}

/// Plays all loads and returns their figures.
pub(crate) fn run(limit: u32, short: bool) -> anyhow::Result<String> {
    let (units, rows) = rows(limit, short)?;
    let seeds = size(short).0;
    let mut text = format!(
        "\n{NAME} at {limit} requests a minute, medians of {seeds} seeds: {units:.3} requests a record under backlog\n"
    );
    for row in rows {
        let [median, most, nearly_all] = row.waits;
        writeln!(
            text,
            "  {:>3.0} %: {:.3} requests a record, {:.2} times a backlog's; wait for the request, s: median {median:.3} ({:.3} if orders cost nothing), 95 % {most:.2}, 99 % {nearly_all:.2}",
            row.load * 100.0,
            row.units,
            row.dearer,
            row.least,
        )?;
    }
    Ok(text)
}

/// Requests a record under backlog, and each load.
pub(crate) fn rows(limit: u32, short: bool) -> anyhow::Result<(f64, Vec<Row>)> {
    let (seeds, records, time) = size(short);
    let backlogs: Vec<Figures> = (1..=seeds)
        .map(|seed| backlog(limit, seed, records))
        .collect();
    let units = median(backlogs.iter().map(|one| one.units)).context("a seed")?;
    let row = |load: f64| -> anyhow::Result<Row> {
        let streams: Vec<(f64, Figures)> = (1..=seeds)
            .zip(&backlogs)
            .map(|(seed, full)| {
                let one = stream(limit, seed, full.carries() * load, time);
                (one.units / full.units, one)
            })
            .collect();
        let of = |figure: &dyn Fn(&(f64, Figures)) -> f64| {
            median(streams.iter().map(figure)).context("a seed")
        };
        let least = (1..=seeds).zip(&backlogs).map(|(seed, full)| {
            let waits = least_waits(limit, seed, full.carries() * load, time);
            percentile(&waits, 50)
        });
        Ok(Row {
            load,
            units: of(&|(_, one)| one.units)?,
            dearer: of(&|(ratio, _)| *ratio)?,
            seeds: streams.iter().map(|(ratio, _)| *ratio).collect(),
            waits: [
                of(&|(_, one)| one.at(50))?,
                of(&|(_, one)| one.at(95))?,
                of(&|(_, one)| one.at(99))?,
            ],
            least: median(least).context("a seed")?,
        })
    };
    let rows: anyhow::Result<Vec<Row>> = LOADS.into_iter().map(row).collect();
    Ok((units, rows?))
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}
