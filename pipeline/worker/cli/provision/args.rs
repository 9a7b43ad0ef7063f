//! The arguments of `provision`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::ConfigArg;

/// `provision`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It creates klasses that do not exist and adds attributes that are missing; it removes, renames and changes nothing, so it can be run \
again at any time. Where an attribute is defined otherwise than it would make it, it says so. What agents see of a klass is made by hand: the plan lists what to put on the card. Attributes that are there are read first and written back as they are, because it is not documented whether the API merges what is written with \
what it has.\n\nThe key needs org.permission.klass.read, org.permission.klass.create, org.permission.metadata.read and org.permission.metadata.update. It \
should not be the worker's: name its place with --token-env or --token-file.\n\nExamples:\n  kustomer-ingest provision plan --config worker.yaml --token-env KUSTOMER_ADMIN_KEY\n  \
kustomer-ingest provision apply --config worker.yaml --token-env KUSTOMER_ADMIN_KEY --yes"
)]
pub struct ProvisionArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ProvisionCommand,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum ProvisionCommand {
    /// Show what would be made; exit code 3 if anything.
    Plan(KeyArgs),
    /// Make it.
    Apply(ApplyArgs),
}

/// The configuration, and a key.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// The environment variable with the key; the worker's own key if left out.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    pub token_env: Option<String>,
    /// The file with the key.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `provision apply`.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub key: KeyArgs,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

impl KeyArgs {
    /// The arguments for the key, as they were given.
    pub(super) fn words(&self) -> String {
        match (&self.token_env, &self.token_file) {
            (Some(name), _) => format!(" --token-env {name}"),
            (None, Some(path)) => format!(" --token-file {}", path.display()),
            (None, None) => String::new(),
        }
    }
}
