//! The whole worker against the simulator, over loopback and in virtual time.
//!
//! Over loopback the quota never limits, to see what a record costs; in virtual time it is real, to see how well it is
//! used. Every loopback run is a process of its own (this program, started with `--one`), so that memory and processor
//! time belong to that run. `docs/benchmarks.md` says what the figures mean.
//!
//! `--runs N` repeats each loopback workload, `--only NAME` runs one workload, `--test` runs everything once and small,
//! `--svg FOLDER` only draws W5 and W7.

mod drain;
mod figures;
mod loopback;
mod near_quota;
mod plots;
mod strangers;
mod usage;
mod virtual_time;
mod workload;
mod workloads;

#[path = "../messages.rs"]
mod messages;

#[cfg(test)]
#[path = "../../tests/support/world/mod.rs"]
#[expect(dead_code, reason = "the tests do more with it")]
mod world;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use self::figures::Figures;
use self::workload::Workload;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for on the command line.
struct Asked {
    runs: usize,
    only: Option<String>,
    one: Option<Workload>,
    svg: Option<PathBuf>,
    short: bool,
}

fn main() -> anyhow::Result<()> {
    let asked = asked(std::env::args().skip(1))?;
    if let Some(workload) = asked.one {
        let figures = loopback::run(workload, workload.records(asked.short))?;
        return say(&serde_json::to_string(&figures)?);
    }
    if let Some(folder) = &asked.svg {
        return say(&plots::draw(folder, asked.short)?);
    }
    let wanted = |name: &str| asked.only.as_deref().is_none_or(|only| only == name);
    say("over loopback, quota out of the way")?;
    for workload in Workload::ALL {
        if wanted(workload.name()) {
            let runs: Vec<Figures> = (0..asked.runs)
                .map(|_| in_own_process(workload, asked.short))
                .collect::<anyhow::Result<_>>()?;
            say(&figures::table(workload, &runs))?;
        }
    }
    say("in virtual time, at the real quota")?;
    for scenario in virtual_time::Scenario::ALL {
        if wanted(scenario.name()) {
            for limit in [1_000, 2_000] {
                say(&virtual_time::run(scenario, limit, asked.short)?)?;
            }
        }
    }
    if wanted(strangers::NAME) {
        say(&strangers::run(asked.short)?)?;
    }
    if wanted(workloads::NAME) {
        say(&workloads::run(asked.short)?)?;
    }
    if wanted(drain::NAME) {
        say(&drain::run(1_000, asked.short)?)?;
    }
    if wanted(near_quota::NAME) {
        for limit in [1_000, 2_000] {
            say(&near_quota::run(limit, asked.short)?)?;
        }
    }
    Ok(())
}

fn asked(args: impl Iterator<Item = String>) -> anyhow::Result<Asked> {
    let mut asked = Asked {
        runs: 3,
        only: None,
        one: None,
        svg: None,
        short: false,
    };
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {} // cargo says so
            "--test" => {
                asked.short = true;
                asked.runs = 1;
            }
            "--runs" => asked.runs = args.next().context("--runs N")?.parse()?,
            "--only" => asked.only = Some(args.next().context("--only NAME")?),
            "--svg" => asked.svg = Some(args.next().context("--svg FOLDER")?.into()),
            "--one" => {
                let name = args.next().context("--one NAME")?;
                asked.one = Some(Workload::named(&name).context("no workload of that name")?);
            }
            other => bail!("{other}: not known; see the head of benches/end_to_end/main.rs"),
        }
    }
    Ok(asked)
}

fn in_own_process(workload: Workload, short: bool) -> anyhow::Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--one", workload.name()])
        .stderr(Stdio::inherit());
    if short {
        command.arg("--test");
    }
    let ended = command.output()?;
    if !ended.status.success() {
        bail!("{}: the run failed: {}", workload.name(), ended.status);
    }
    Ok(serde_json::from_slice(&ended.stdout)?)
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
