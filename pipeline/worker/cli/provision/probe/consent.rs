//! Whether the organisation may be asked: what has to be said for it, and what speaks against it.
//!
//! The API does not tell a sandbox from an organisation at work. So a person says it, by the name of the host; and what can be
//! seen (names, and that others are busy there) is taken seriously.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use ingest_kustomer::{BaseUrl, Client, Need};
use ingest_model::call::Limits;
use ingest_model::operation::RESERVED_KLASSES;

use super::args::ProbeArgs;
use super::report;
use super::state::{PREFIX, tell};
use crate::cli::exit::CommandError;
use crate::cli::output::Output;
use crate::cli::provision::needed::Needed;
use crate::config::Settings;
use crate::config::settings::profile::{Profile, SHARED_HOSTS};

/// The klass whose objects are made.
pub(super) fn klass(args: &ProbeArgs, settings: &Settings) -> Result<String, CommandError> {
    let named = match &args.klass {
        Some(klass) => Some(klass.clone()),
        None => Needed::of(settings).klasses.into_iter().next(),
    };
    let named = named.ok_or_else(|| {
        CommandError::Usage("the mappings write no klass: name one with --klass".to_owned())
    })?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if named.is_empty() || !named.bytes().all(legal) || RESERVED_KLASSES.contains(&named.as_str()) {
        let text = format!(
            "--klass {named}: name a klass of custom objects, with letters, digits, _ and -"
        );
        return Err(CommandError::Usage(text));
    }
    Ok(named)
}

/// The earlier profile, which has to be of the same organisation; and whether the new one can be written.
pub(super) fn earlier(args: &ProbeArgs, host: &str) -> Result<Option<Profile>, CommandError> {
    let is_earlier = |path: &Path| args.earlier.as_deref() == Some(path);
    if args.remove.is_none() && args.out.exists() && !is_earlier(&args.out) {
        return Err(CommandError::Usage(format!(
            "{} exists: name another file with --out, or name it with --earlier, too, to go on with it",
            args.out.display()
        )));
    }
    let folder = args
        .out
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| args.remove.is_none() && !folder.is_dir()) {
        return Err(CommandError::Usage(format!(
            "--out: there is no folder {}",
            folder.display()
        )));
    }
    let Some(path) = &args.earlier else {
        return Ok(None);
    };
    let profile = crate::config::read_profile(path)?;
    if profile.organisation != host {
        return Err(CommandError::Usage(format!(
            "{} is of {}, and kustomer.base_url is of {host}",
            path.display(),
            profile.organisation
        )));
    }
    Ok(Some(profile))
}

/// Whether everything was said that has to be said. Otherwise it prints what would be done.
pub(super) fn given(
    args: &ProbeArgs,
    settings: &Settings,
    klass: &str,
    out: &mut Output<'_>,
) -> Result<(), CommandError> {
    let base_url = &settings.kustomer.base_url;
    let host = base_url.host();
    let quota = settings.kustomer.quota;
    let plan = report::plan(args, (host, klass), (quota.limit(), quota.allowance()));
    let wrong = if args.intervenes() {
        not_a_sandbox(args.sandbox.as_deref(), base_url)
    } else if args.earlier.is_some() {
        None
    } else {
        Some(format!(
            "nothing was sent: say that {host} is a sandbox (--sandbox {host}), and what may be done there (--yes-create-and-delete, and the others above)"
        ))
    };
    let Some(problem) = wrong else {
        if args.remove.is_none() {
            plan.iter().for_each(|line| tell(line));
        }
        return removable(args);
    };
    for line in plan {
        out.line(&line)?;
    }
    out.flush()?;
    Err(CommandError::Usage(problem))
}

fn removable(args: &ProbeArgs) -> Result<(), CommandError> {
    match &args.remove {
        Some(id) if !id.starts_with(PREFIX) || id.len() == PREFIX.len() => {
            let text = format!(
                "--remove {id}: only what this command made is deleted, and that begins with {PREFIX}"
            );
            Err(CommandError::Usage(text))
        }
        Some(_) | None => Ok(()),
    }
}

/// Why this organisation is not taken for a sandbox, as far as that can be known.
pub(super) fn not_a_sandbox(named: Option<&str>, base_url: &BaseUrl) -> Option<String> {
    let host = base_url.host();
    match named {
        None => Some(format!(
            "nothing was sent: the API does not tell a sandbox from an organisation at work. If {host} is one, say so: --sandbox {host}"
        )),
        Some(named) if !named.eq_ignore_ascii_case(host) => Some(format!(
            "nothing was sent: --sandbox is {named}, and kustomer.base_url is of {host}"
        )),
        Some(_) if SHARED_HOSTS.contains(&host) => Some(format!(
            "nothing was sent: every organisation of the region has the host {host}, so nobody can see which one it is: give kustomer.base_url the organisation's own, https://NAME.api.kustomerapp.com"
        )),
        Some(_) if says_production(host.split('.').next().unwrap_or_default()) => Some(format!(
            "nothing was sent: {host} calls itself an organisation at work"
        )),
        Some(_) => None,
    }
}

/// Whether a name says that it is of an organisation at work.
fn says_production(name: &str) -> bool {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().any(|word| {
        ["prod", "production", "live"]
            .iter()
            .any(|one| word.eq_ignore_ascii_case(one))
    })
}

/// Whether the key may do what is asked of it, and whether the organisation is as quiet as a sandbox.
pub(super) async fn allowed(args: &ProbeArgs, client: &Client) -> Result<Limits, CommandError> {
    let token = client.token_info_telling().await;
    let (token, limits) = token.context("the key cannot be used")?;
    let mut needs = vec![Need::ReadJobs];
    if args.yes_create_and_delete {
        needs.extend([
            Need::CreateCustomers,
            Need::ReadCustomers,
            Need::DeleteCustomers,
            Need::CreateKObjects,
            Need::ReadKObjects,
            Need::UpdateKObjects,
            Need::DeleteKObjects,
        ]);
    }
    if args.yes_leave_events {
        needs.push(Need::Track);
    }
    let lacks = token.lacks(&needs);
    if !lacks.is_empty() {
        let roles: Vec<String> = lacks.iter().map(|need| need.roles().join(" or ")).collect();
        return Err(CommandError::Failed(anyhow!(
            "nothing was made: the key lacks {}; name the place of another one with --token-env or --token-file",
            roles.join(", ")
        )));
    }
    if !args.intervenes() {
        return Ok(limits);
    }
    if let Some(name) = token.name.filter(|name| says_production(name)) {
        return Err(CommandError::Failed(anyhow!(
            "nothing was made: the key is named {name}, as one of an organisation at work"
        )));
    }
    if let (Some(limit), Some(left)) = (limits.limit, limits.remaining) {
        let others = limit.saturating_sub(left).saturating_sub(1);
        if others > (limit / 10).max(20) {
            return Err(CommandError::Failed(anyhow!(
                "nothing was made: others have used {others} of the {limit} requests of this minute, more than in a sandbox; if it is one, wait until it is quiet"
            )));
        }
    }
    Ok(limits)
}
