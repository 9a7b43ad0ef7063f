//! The table of figures, for people.

use super::attribution::Attribution;
use super::judge::Findings;
use super::world::{Disruption, Kind};

/// A table of two columns.
pub(super) fn render(lines: &[(String, String)]) -> String {
    let width = lines
        .iter()
        .map(|(what, _)| what.chars().count())
        .max()
        .unwrap_or_default();
    let mut table = String::from("the figures");
    for (what, how_much) in lines {
        table.push_str(&format!("\n  {what:<width$}  {how_much}"));
    }
    table
}

/// Repeats by kind of disruption: their distribution, and their bounds.
pub(super) fn repeats(disruptions: &[Disruption], found: &Attribution, findings: &mut Findings) {
    for kind in Kind::ALL {
        let shares = disruptions
            .iter()
            .zip(&found.shares)
            .filter(|(disruption, _)| disruption.kind == kind)
            .map(|(_, share)| share);
        let repeats: Vec<u64> = shares.clone().map(|share| share.repeats()).collect();
        if repeats.is_empty() {
            continue;
        }
        let bounds: Vec<u64> = shares.clone().map(|share| share.bound).collect();
        let early: usize = shares.map(|share| share.early.len()).sum();
        findings.line(
            format!("repeats after: {}", kind.name()),
            format!(
                "{} in {}, {}; bound {}; {early} under way",
                repeats.iter().sum::<u64>(),
                repeats.len(),
                spread(repeats),
                spread(bounds)
            ),
        );
    }
}

/// Median, 95th percentile and largest.
fn spread(mut numbers: Vec<u64>) -> String {
    numbers.sort_unstable();
    let last = numbers.len() - 1;
    let at = |percent: usize| numbers[(last * percent).div_ceil(100)];
    format!("median {}, p95 {}, max {}", at(50), at(95), at(100))
}

#[test]
fn a_spread_names_its_marks() {
    assert_eq!(
        spread((0..=100).rev().collect()),
        "median 50, p95 95, max 100"
    );
    assert_eq!(spread(vec![7]), "median 7, p95 7, max 7");
}
