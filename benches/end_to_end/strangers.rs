//! A backlog beside a client of somebody else that takes up to three fifths of the limit at random: what is used of what it leaves.

use std::fmt::Write as _;

use anyhow::Context as _;
use kustomer_sim::{ResetHeader, ResetUnit, Window};

use crate::figures::number;
use crate::world::strangers::{Play, Seen};

/// The name on the command line.
pub(crate) const NAME: &str = "strangers";

/// Which replies tell when the window ends, and how.
const HEADERS: [(&str, ResetHeader, ResetUnit); 5] = [
    ("always, seconds", ResetHeader::Always, ResetUnit::Seconds),
    (
        "always, milliseconds",
        ResetHeader::Always,
        ResetUnit::Millis,
    ),
    ("always, a delta", ResetHeader::Always, ResetUnit::Delta),
    ("on 429 only", ResetHeader::Refused, ResetUnit::Seconds),
    ("never", ResetHeader::Never, ResetUnit::Seconds),
];

/// Plays each kind of window with each kind of header, and returns the figures.
pub(crate) fn run(short: bool) -> anyhow::Result<String> {
    let seeds = if short { 1..=1 } else { 1..=3_u64 };
    let minutes = if short { 5 } else { 12 };
    let mut text = format!(
        "\n{NAME} at 1000 requests a minute, reserve 50, {minutes} minutes, seeds {seeds:?}\n\
         \x20 part used of what is left: median (lowest) of all seeds; the rest: sums\n"
    );
    let plays = seeds.clone().map(|seed| Play {
        seed,
        minutes,
        ..Play::default()
    });
    let simple: Vec<Seen> = plays.map(|play| play.naive()).collect();
    writeln!(
        text,
        "  a simple sender, share 0.8, Fixed: {}",
        figures(&simple)?
    )?;
    for share in [0.8, 1.0] {
        for window in [Window::Fixed, Window::Sliding, Window::Leaky] {
            for (told, header, unit) in HEADERS {
                let played: Vec<Seen> = seeds
                    .clone()
                    .map(|seed| {
                        let play = Play {
                            window,
                            header,
                            unit,
                            seed,
                            share,
                            minutes,
                            ..Play::default()
                        };
                        play.run()
                    })
                    .collect();
                let line = figures(&played)?;
                writeln!(text, "  share {share}, {window:?}, reset {told}: {line}")?;
            }
        }
    }
    Ok(text)
}

fn figures(played: &[Seen]) -> anyhow::Result<String> {
    let mut parts: Vec<f64> = played.iter().map(Seen::part).collect();
    parts.sort_by(f64::total_cmp);
    let median = parts.get(parts.len() / 2).context("a seed")?;
    let lowest = parts.first().context("a seed")?;
    let sum = |of: fn(&Seen) -> u64| played.iter().map(of).sum::<u64>();
    Ok(format!(
        "{:.1} % ({:.1} %); {:.3} requests for each that nobody could do without, {:.2} records each; {} of {} requests refused; \
         the other client refused {} times, alone {}; \
         below the reserve {} sent in the same window, {} to look",
        median * 100.0,
        lowest * 100.0,
        number(sum(|seen| seen.requests)) / number(sum(|seen| seen.least)),
        number(sum(|seen| seen.delivered)) / number(sum(|seen| seen.requests)),
        sum(|seen| seen.refused),
        sum(|seen| seen.requests),
        sum(|seen| seen.foreign_refused),
        sum(|seen| seen.foreign_refused_alone),
        sum(|seen| seen.late),
        sum(|seen| seen.tries),
    ))
}
