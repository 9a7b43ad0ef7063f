//! The arguments of `forecast`, and the plan that they make.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kustomer_sim::Config;

use crate::cli::args::{ConfigArg, whole};
use crate::cli::exit::CommandError;
use crate::cli::records::topic::{Last, last};
use crate::config::settings::QuotaSettings;
use crate::config::{KustomerSettings, parse_duration};
use crate::simulated::forecast::plan::{Even, PLANS, Pacing, Plan, Tier};

/// `forecast`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The worker's own delivery and mappings run in virtual time against a simulated Kustomer: nothing is sent, and no \
key is needed. Each plan is played with the same records; the table shows them side by side: whether it keeps up, when a backlog is \
gone, what requests are spent on, how late records are, and what would have to change.\n\nRecords arrive\n  as recorded: by the time of \
the record (--records, --last) or else of its event; --speed makes them faster\n  evenly: --rate, once through the input, or for as long as --for says\n  \
at once: --backlog all; or --backlog N of them, before the others\nWith --for or --backlog N the records of the input are repeated: each round has new events, \
objects and customers; companies stay those of the input. --customers says how many customers there are, after which they come back, and \
--companies how many companies these belong to.\n\nThe simulated organisation is empty at first, so customers \
and objects have to be made. Customers whom routes only wait for (missing: park or reject) are there, because others make them; where routes of \
the mappings make customers, too, those of missing: park are there a minute after the first record that names them. --set changes how it behaves where Kustomer's documentation leaves it open, such as drain=200 (requests a minute \
that others spend) or bulk-median-ms=15000; kustomer-sim --help lists all of it.\n\nWith --json the output is one JSON document. Ctrl-C ends a \
forecast with what it has so far, and exit code 1.\n\nExamples:\n  kustomer-ingest forecast --config worker.yaml --last 1h\n  kustomer-ingest forecast \
--config worker.yaml events.ndjson --rate 40/s --for 1h --customers 100000\n  kustomer-ingest forecast --config worker.yaml events.ndjson --backlog \
1000000 --rate 40/s --for 8h --limit 1000,2000 --svg forecast.svg"
)]
pub struct ForecastArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// The topic that the records come from; needed if the configuration has several.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Each line is a whole Kafka record and not just its value, as for `explain`.
    #[arg(long)]
    pub records: bool,
    /// Read the topic from Kafka: the records of the last time (1h), or so many of the last records (100000).
    #[arg(long, value_name = "TIME|N", value_parser = last, conflicts_with_all = ["file", "records"])]
    pub last: Option<Last>,
    /// Play recorded records so many times faster.
    #[arg(long, value_name = "N", value_parser = factor, conflicts_with_all = ["rate", "backlog", "lasting"])]
    pub speed: Option<f64>,
    /// Records arrive evenly: 40/s, 2000/m or 100000/h.
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub rate: Option<f64>,
    /// For how long records arrive; the records of the input are repeated.
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration, requires = "rate")]
    pub lasting: Option<Duration>,
    /// So many records wait at the beginning, or all of the input.
    #[arg(long, value_name = "N|all", value_parser = backlog)]
    pub backlog: Option<Backlog>,
    /// How many customers repeated records have; without it each repetition has its own.
    #[arg(long, value_name = "N", value_parser = whole(1..=MOST, "100000"))]
    pub customers: Option<u64>,
    /// How many companies repeated records have; without it those of the input. A customer keeps its company.
    #[arg(long, value_name = "N", value_parser = whole(1..=MOST, "2000"))]
    pub companies: Option<u64>,
    /// Requests a minute of the organisation, to compare; without it those of Kustomer's plans, and the configured one.
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = whole(1..=QuotaSettings::MAX_LIMIT, "500, or several with commas between them: 300,1000"))]
    pub limit: Vec<u32>,
    /// The part of the limit that the workers may use, instead of the configured one.
    #[arg(long, value_name = "PART", value_parser = share)]
    pub share: Option<f64>,
    /// Requests a minute that are left alone, at all times, instead of the configured ones.
    #[arg(long, value_name = "N", value_parser = whole(0..=QuotaSettings::MAX_LIMIT, "50"))]
    pub reserve: Option<u32>,
    /// Workers that share the partitions.
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole(1..=64_u16, "4"))]
    pub replicas: u16,
    /// Partitions of each topic; read from Kafka with --last.
    #[arg(long, value_name = "N", default_value = "12", value_parser = whole(1..=1_024_u16, "12"))]
    pub partitions: u16,
    /// The longest virtual time that is played, up to 168h.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = until)]
    pub until: Duration,
    /// From sending a request to its answer.
    #[arg(long, value_name = "TIME", default_value = "80ms", value_parser = latency)]
    pub latency: Duration,
    /// The seed: the same seed gives the same forecast.
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole(0..=u64::MAX, "7"))]
    pub seed: u64,
    /// How the simulated Kustomer behaves, as for kustomer-sim; may be given several times.
    #[arg(long, value_name = "SWITCH=VALUE")]
    pub set: Vec<String>,
    /// Print the figures as one JSON document, for programs.
    #[arg(long)]
    pub json: bool,
    /// Draw backlog, requests and delay over time into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// The file with the lines; standard input if left out, or `-`.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `--backlog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Everything, once.
    All,
    /// So many records.
    Records(u64),
}

/// More customers than any organisation has.
const MOST: u64 = 1_000_000_000;
const LONGEST: Duration = Duration::from_secs(168 * 3_600);

// === impl ForecastArgs ===

impl ForecastArgs {
    /// What they ask for.
    pub(super) fn plan(&self, configured: QuotaSettings) -> Result<Plan, CommandError> {
        let mut config = Config::default();
        for setting in &self.set {
            let Some((name, value)) = setting.split_once('=') else {
                let problem =
                    format!("--set {setting}: write it as SWITCH=VALUE, such as drain=200");
                return Err(CommandError::Usage(problem));
            };
            config
                .set(name.trim(), value.trim())
                .map_err(|error| CommandError::Usage(format!("--set {setting}: {error}")))?;
        }
        let pacing = self.pacing()?;
        let counts = [("customers", self.customers), ("companies", self.companies)];
        for (what, wanted) in counts {
            if wanted.is_some() && pacing.total().is_none() {
                return Err(CommandError::Usage(format!(
                    "--{what}: records that are played once have the {what} that they name; repeat them with --for or --backlog N"
                )));
            }
        }
        Ok(Plan {
            tiers: self.tiers(configured),
            pacing,
            customers: self.customers,
            companies: self.companies,
            until: self.until,
            replicas: self.replicas,
            partitions: self.partitions,
            latency: self.latency,
            seed: self.seed,
            switches: config.switches,
        })
    }

    /// The quota of a limit: share and reserve are the configured ones, or those given here.
    pub(super) fn quota(
        &self,
        limit: u32,
        configured: QuotaSettings,
    ) -> Result<QuotaSettings, CommandError> {
        let share = self.share.unwrap_or_else(|| configured.share());
        let reserve = self.reserve.unwrap_or_else(|| configured.reserve());
        QuotaSettings::try_new(limit, share, reserve).map_err(|(key, problem, way_out)| {
            CommandError::Usage(format!("--limit {limit}: {key}: {problem}; {way_out}"))
        })
    }

    /// Whether what is left alone at some time of day leaves something of a limit.
    pub(super) fn reserves(
        &self,
        limit: u32,
        configured: &KustomerSettings,
    ) -> Result<(), CommandError> {
        let largest = configured.reserve_at.largest();
        if largest < limit {
            return Ok(());
        }
        Err(CommandError::Usage(format!(
            "--limit {limit}: kustomer.reserve_at: {largest} leaves nothing of the limit; name the limits to compare, such as --limit {},{}, \
             or leave alone the same at all times with --reserve",
            configured.quota.limit(),
            configured.quota.limit().saturating_mul(2),
        )))
    }

    fn tiers(&self, configured: QuotaSettings) -> Vec<Tier> {
        let plans = PLANS.iter().map(|(_, limit)| *limit);
        let limits: BTreeSet<u32> = if self.limit.is_empty() {
            plans.chain([configured.limit()]).collect()
        } else {
            self.limit.iter().copied().collect()
        };
        limits.into_iter().map(Tier::of).collect()
    }

    fn pacing(&self) -> Result<Pacing, CommandError> {
        let per_second = self.rate.unwrap_or(0.0);
        match (self.backlog, self.rate, self.lasting) {
            (None, None, _) => Ok(Pacing::Recorded(self.speed.unwrap_or(1.0))),
            (None, Some(rate), None) => Ok(Pacing::Once(Some(rate))),
            (Some(Backlog::All), None, _) => Ok(Pacing::Once(None)),
            (Some(Backlog::All), Some(_), _) => Err(CommandError::Usage(
                "--backlog all: nothing is left to arrive at a --rate; give a number, such as --backlog 100000".to_owned(),
            )),
            (Some(Backlog::Records(_)), Some(_), None) => Err(CommandError::Usage(
                "--backlog with --rate: say with --for how long records arrive, such as --for 8h".to_owned(),
            )),
            (backlog, _, lasting) => {
                let backlog = match backlog {
                    Some(Backlog::Records(records)) => records,
                    Some(Backlog::All) | None => 0,
                };
                let even = Even {
                    backlog,
                    per_second,
                    lasting: lasting.unwrap_or_default(),
                };
                if Pacing::Repeated(even).total() == Some(0) {
                    return Err(CommandError::Usage(
                        "no record arrives: raise --rate, --for or --backlog".to_owned(),
                    ));
                }
                Ok(Pacing::Repeated(even))
            }
        }
    }
}

// --- values ---

fn rate(text: &str) -> Result<f64, String> {
    let per_second = |number: &str, seconds: f64| -> Result<f64, String> {
        let number: f64 = number.trim().parse().map_err(|_none| wrong_rate(text))?;
        Some(number / seconds)
            .filter(|rate| rate.is_finite() && *rate > 0.0)
            .ok_or_else(|| wrong_rate(text))
    };
    match text.rsplit_once('/') {
        Some((number, "s")) => per_second(number, 1.0),
        Some((number, "m")) => per_second(number, 60.0),
        Some((number, "h")) => per_second(number, 3_600.0),
        Some(_) | None => Err(wrong_rate(text)),
    }
}

fn wrong_rate(text: &str) -> String {
    format!("`{text}` is not a rate: write a number above 0 and /s, /m or /h, such as 40/s")
}

fn factor(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|number: &f64| (0.001..=1_000_000.0).contains(number))
        .ok_or_else(|| format!("`{text}`: give a number from 0.001 to 1000000"))
}

/// What it may be is checked with the limit.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok();
    number.ok_or_else(|| format!("`{text}`: give a part of 1, such as 0.8"))
}

fn backlog(text: &str) -> Result<Backlog, String> {
    if text == "all" {
        return Ok(Backlog::All);
    }
    let number = text.parse().map(Backlog::Records);
    number.map_err(|_none| format!("`{text}`: give a number of records, or `all`"))
}

fn until(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(60)..=LONGEST, "1m to 168h")
}

fn latency(text: &str) -> Result<Duration, String> {
    within(
        text,
        Duration::from_millis(1)..=Duration::from_secs(30),
        "1ms to 30s",
    )
}

fn within(text: &str, may: RangeInclusive<Duration>, told: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if may.contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("`{text}`: give {told}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(line: &str) -> Result<ForecastArgs, String> {
        let words = ["kustomer-ingest", "forecast", "--config", "w.yaml"];
        let cli = Cli::try_parse_from(words.into_iter().chain(line.split_whitespace()));
        let Command::Forecast(args) = cli.map_err(|error| error.to_string())?.command else {
            return Err("another command".to_owned());
        };
        Ok(args)
    }

    fn pacing(line: &str) -> Result<Pacing, String> {
        args(line)?.pacing().map_err(|error| error.to_string())
    }

    #[test]
    fn arrivals_are_as_recorded_even_or_at_once() {
        assert_eq!(pacing("f"), Ok(Pacing::Recorded(1.0)));
        assert_eq!(pacing("f --speed 60"), Ok(Pacing::Recorded(60.0)));
        assert_eq!(pacing("f --rate 30/m"), Ok(Pacing::Once(Some(0.5))));
        assert_eq!(pacing("f --backlog all"), Ok(Pacing::Once(None)));
        let both = pacing("f --rate 7200/h --for 2m --backlog 10").unwrap();
        assert_eq!(both.total(), Some(10 + 240));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_way_out() {
        for (line, way_out) in [
            ("f --rate 40", "40/s"),
            ("f --rate 0/s", "above 0"),
            ("f --for 1h", "--rate"),
            ("f --backlog some", "`all`"),
            ("f --backlog 5 --rate 1/s", "--for"),
            ("f --backlog all --rate 1/s", "a number"),
            ("f --backlog 0", "raise"),
            ("f --until 200h", "168h"),
            ("f --limit 0", "`0`: give a whole number from 1 to 100000"),
            (
                "f --limit 300,abc",
                "`abc`: give a whole number from 1 to 100000",
            ),
            (
                "f --limit 300,abc",
                "such as 500, or several with commas between them: 300,1000",
            ),
            (
                "f --customers few --rate 1/s --for 1h",
                "`few`: give a whole number from 1",
            ),
            ("f --replicas 65", "`65`: give a whole number from 1 to 64"),
            ("f --share 80%", "`80%`: give a part of 1, such as 0.8"),
            ("f --reserve=-5", "`-5`: give a whole number from 0"),
            ("f --speed 2 --rate 1/s", "--rate"),
            ("f --last 1h", "--last"),
        ] {
            let told = pacing(line).unwrap_err();
            assert!(told.contains(way_out), "{line}: {told}");
        }
        let configured = QuotaSettings::try_new(1_000, 0.8, 50).unwrap();
        for (line, way_out) in [
            ("f --set drian=1", "drain"),
            ("f --set drain", "SWITCH=VALUE"),
            ("f --rate 1/s --customers 9", "--for"),
            ("f --rate 1/s --companies 9", "--for"),
        ] {
            let told = args(line).unwrap().plan(configured).unwrap_err();
            assert!(told.to_string().contains(way_out), "{line}: {told}");
        }
        let told = args("f --share 3").unwrap().quota(500, configured);
        assert!(told.unwrap_err().to_string().contains("at most 1"));
    }

    #[test]
    fn the_plans_and_the_configured_limit_are_compared() {
        let configured = QuotaSettings::try_new(750, 0.8, 50).unwrap();
        let plan = args("f").unwrap().plan(configured).unwrap();
        let limits: Vec<u32> = plan.tiers.iter().map(|tier| tier.limit).collect();
        assert_eq!(limits, [300, 500, 750, 1_000, 2_000]);
        let plan = args("f --limit 2000,800")
            .unwrap()
            .plan(configured)
            .unwrap();
        let limits: Vec<u32> = plan.tiers.iter().map(|tier| tier.limit).collect();
        assert_eq!(limits, [800, 2_000]);
    }
}
