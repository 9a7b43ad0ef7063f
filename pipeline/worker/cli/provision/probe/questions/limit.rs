//! What a 429 looks like: the key is asked about itself until the organisation's minute is used up.

use std::time::Duration;

use ingest_kustomer::classify::ReplyBody;
use ingest_kustomer::encode::encode;
use ingest_model::call::Call;
use tokio::task::JoinSet;

use crate::cli::provision::probe::ask::{Stop, shortened};
use crate::cli::provision::probe::question::{Question, Verdict};
use crate::cli::provision::probe::state::Probe;
use crate::clock::Clock;

/// Requests at the same time: one after the other, a thousand would take longer than the minute.
const AT_ONCE: usize = 16;
/// So many more than the limit are sent at most.
pub(in crate::cli::provision::probe) const BEYOND: u32 = 100;
/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(90);

/// An answer to one of them.
struct Answer {
    status: u16,
    headers: String,
    body: String,
}

/// Sends as many requests as the limit has, and a few more.
pub(in crate::cli::provision::probe) async fn ask(probe: &mut Probe) -> Result<(), Stop> {
    let most = probe.limit.saturating_add(BEYOND);
    let began = Clock.now();
    let patience = probe.ask.scale.shorten(PATIENCE);
    let (mut sent, mut unanswered, mut good, mut seen) = (0_u32, 0_u32, None, None);
    while seen.is_none()
        && sent < most
        && Clock.now().saturating_duration_since(began) < patience
        && !probe.ask.stop.is_cancelled()
    {
        let mut round = JoinSet::new();
        for _ in 0..AT_ONCE {
            let client = probe.ask.client.clone();
            sent += 1;
            round.spawn(async move {
                let (reply, headers) = client.exchange_telling(encode(&Call::Probe)).await.ok()?;
                let headers = headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"));
                let headers = headers.collect::<Vec<_>>().join(", ");
                let body = match &reply.body {
                    ReplyBody::Whole(bytes) => shortened(&String::from_utf8_lossy(bytes)),
                    ReplyBody::Cut => "cut off".to_owned(),
                };
                let status = reply.status;
                Some(Answer {
                    status,
                    headers,
                    body,
                })
            });
        }
        while let Some(answer) = round.join_next().await {
            match answer {
                Ok(Some(answer)) if answer.status == 429 => seen = seen.or(Some(answer)),
                Ok(Some(answer)) => good = good.or(Some(answer)),
                Ok(None) | Err(_) => unanswered += 1,
            }
        }
    }
    probe.ask.count(sent);
    if let Some(answer) = good {
        let headers = shown(&answer.headers);
        probe.ask.note(format!(
            "GET /v1/auth/tokens/current -> {}, headers {headers}",
            answer.status
        ));
    }
    if seen.is_none() && probe.ask.stop.is_cancelled() {
        return Err(Stop::Interrupted);
    }
    let (verdict, answer) = match seen {
        Some(answer) => {
            let headers = shown(&answer.headers);
            probe.ask.note(format!(
                "after {sent} requests -> 429, headers {headers}, body {}",
                answer.body
            ));
            judge(&answer.headers)
        }
        None => (
            Verdict::NotSettled,
            if unanswered > 0 {
                format!(
                    "{sent} requests, {unanswered} of them without an answer, and none was refused: ask again"
                )
            } else if sent < most {
                format!(
                    "{sent} requests were answered in {} s, and none was refused: too few a minute to reach the limit",
                    PATIENCE.as_secs()
                )
            } else {
                format!(
                    "{sent} requests, and none was refused: is kustomer.limit lower than the organisation's?"
                )
            },
        ),
    };
    let evidence = probe.ask.take_evidence();
    probe.settle(Question::LimitAnswer, verdict, answer, evidence);
    Ok(())
}

fn shown(headers: &str) -> &str {
    if headers.is_empty() { "none" } else { headers }
}

/// What the headers of a 429 say.
fn judge(headers: &str) -> (Verdict, String) {
    let value = |name: &str| {
        let mut all = headers.split(", ");
        all.find_map(|one| {
            one.strip_prefix(name)?
                .strip_prefix(": ")
                .map(str::to_owned)
        })
    };
    let reset = value("x-ratelimit-reset").map(|text| {
        let number: f64 = text.parse().unwrap_or_default();
        let unit = if number >= 1e11 {
            "epoch milliseconds"
        } else if number >= 1e9 {
            "epoch seconds"
        } else {
            "seconds from then"
        };
        format!("x-ratelimit-reset in {unit}")
    });
    let after = value("retry-after").map(|_| "Retry-After".to_owned());
    let told: Vec<String> = reset.into_iter().chain(after).collect();
    if told.is_empty() {
        return (
            Verdict::No,
            "neither x-ratelimit-reset nor Retry-After".to_owned(),
        );
    }
    (
        Verdict::Yes,
        format!("{}; the worker reads either", told.join(", ")),
    )
}
