//! `demo`: its arguments; the demonstration itself is in [`crate::simulated::demo`].

use clap::Args;

use super::super::args::whole;
use super::super::exit::{CommandError, CommandExit};
use crate::clock::TimeScale;
use crate::simulated::demo::{self, Agreement, Options};

/// `demo`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Nothing has to be installed or configured, and nothing leaves this machine.\n\nExamples:\n  \
kustomer-ingest demo\n  kustomer-ingest demo --records 20000 --time-scale 60 --keep"
)]
pub struct DemoArgs {
    /// Keep running after the last record: broker, simulated Kustomer and pages stay up until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// How many records the shop produces.
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = whole(1..=1_000_000_000_u64, "5000"))]
    pub records: u64,
    /// The seed of the shop: the same seed gives the same records.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX, "7"))]
    pub seed: u64,
    /// How many times faster than real time the API's minute passes.
    #[arg(long, value_name = "N", default_value = "20")]
    pub time_scale: TimeScale,
}

pub(in crate::cli) fn run(args: &DemoArgs) -> Result<CommandExit, CommandError> {
    if args.records == 0 {
        return Err(CommandError::Usage("--records: give at least 1".to_owned()));
    }
    let options = Options {
        keep: args.keep,
        records: args.records,
        seed: args.seed,
        time_scale: args.time_scale,
    };
    Ok(match demo::run(options)? {
        Agreement::Full => CommandExit::Good,
        Agreement::Broken => CommandExit::Failed,
    })
}
