//! What is asked with many objects: how large a bulk request may be, and whether its creates are counted.

use ingest_kustomer::encode::encode;
use ingest_model::batch::MAX_ITEMS;
use ingest_model::call::{BulkItem, Call, ItemFate};
use serde_json::json;

use crate::cli::provision::probe::ask::Stop;
use crate::cli::provision::probe::jobs::{Done, Submitted, body};
use crate::cli::provision::probe::question::{Question, Verdict};
use crate::cli::provision::probe::state::{Probe, TITLE};
use crate::clock::Clock;
use crate::config::settings::profile::CreatesInJobs;

/// Bodies of these sizes are tried, until one is refused. The first is 100 kB only where a kB is 1,024 bytes.
const SIZES: [usize; 4] = [101_500, 110_000, 390_000, 500_000];
/// The size of a single create that should be refused.
const SINGLE: usize = 110_000;
/// About the most in one item.
const ITEM: usize = 30_000;
/// Two full requests: more than the documented limit of 120 a minute.
const REQUESTS: usize = 2;
const MINUTE_MS: i64 = 60_000;

/// Asks how large a bulk request may be.
pub(in crate::cli::provision::probe) async fn size(probe: &mut Probe) -> Result<(), Stop> {
    let single = single(probe).await?;
    let mut largest = None;
    let mut refused = None;
    for size in SIZES {
        let call = of_size(probe, size);
        match probe.submit(&call, &format!("{size} bytes")).await? {
            Submitted::Job(job, _) => {
                let done = probe.until_done(&job, items(&call).len()).await?;
                probe.made.objects += stored(&done, items(&call).len());
                largest = Some(size);
            }
            Submitted::Refused { status, words, .. } => {
                refused = Some((size, status, words));
                break;
            }
        }
    }
    let beside = if single {
        "a single create of 110000 bytes is refused"
    } else {
        "a single create of 110000 bytes is accepted, too"
    };
    let (verdict, answer) = match (largest, refused) {
        (None, Some((size, 413, _))) => {
            (Verdict::No, format!("{size} bytes are refused; {beside}"))
        }
        (Some(largest), Some((size, 413, _))) => (
            Verdict::of(largest > SIZES[0]),
            format!("{largest} bytes are accepted, {size} refused; {beside}"),
        ),
        (Some(largest), None) => (
            Verdict::Yes,
            format!("{largest} bytes are accepted; {beside}"),
        ),
        (_, Some((size, status, words))) => (
            Verdict::NotSettled,
            format!("{size} bytes are refused, but with {status}: {words}"),
        ),
        (None, None) => (Verdict::NotSettled, "nothing was tried".to_owned()),
    };
    let answer = format!("{answer}; the worker stays below 95000 bytes");
    let evidence = probe.ask.take_evidence();
    probe.settle(Question::BulkSize, verdict, answer, evidence);
    Ok(())
}

/// Whether a single create of that size is refused for it.
async fn single(probe: &mut Probe) -> Result<bool, Stop> {
    let external_id = format!("{}-single", probe.run);
    let fields = json!({
        "title": TITLE, "externalId": external_id, "customer": probe.made.customer.as_deref(), "data": { "pad": pad(SINGLE) },
    });
    let call = Call::CreateKObject {
        klass: probe.klass.clone(),
        body: body(fields),
    };
    let (_, heard) = probe
        .ask
        .call(&call, "a little more than 110000 bytes")
        .await?;
    probe.made.objects += usize::from(heard.is_good());
    Ok(heard.status == 413)
}

/// A bulk request of exactly that many bytes.
fn of_size(probe: &Probe, size: usize) -> Call {
    let count = size.div_ceil(ITEM);
    let make = |pads: &[usize]| {
        let items = pads.iter().enumerate().map(|(place, bytes)| {
            probe.item(
                &format!("{size}-{place}"),
                Some(json!({ "pad": pad(*bytes) })),
            )
        });
        probe.creates(items.collect())
    };
    let bare = encode(&make(&vec![0; count]))
        .body
        .map_or(0, |body| body.len());
    let left = size.saturating_sub(bare);
    let mut pads = vec![left / count; count];
    if let Some(last) = pads.last_mut() {
        *last += left % count;
    }
    make(&pads)
}

fn pad(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn items(call: &Call) -> &[BulkItem] {
    if let Call::CreateKObjects { items, .. } = call {
        return items;
    }
    &[]
}

/// How many of so many items were made, as far as it is told.
fn stored(done: &Done, items: usize) -> usize {
    if done.report.items.is_empty() {
        let failed = done.report.failures.unwrap_or_default();
        return items.saturating_sub(usize::try_from(failed).unwrap_or(items));
    }
    let stored = done.report.items.iter();
    stored
        .filter(|item| matches!(item.fate, ItemFate::Stored(_)))
        .count()
}

/// Asks whether creates in bulk requests count against the limit of their customer.
pub(in crate::cli::provision::probe) async fn creates(probe: &mut Probe) -> Result<(), Stop> {
    let began = Clock.now();
    let mut jobs = Vec::new();
    for request in 0..REQUESTS {
        let items = (0..MAX_ITEMS).map(|item| probe.item(&format!("many-{request}-{item}"), None));
        let call = probe.creates(items.collect());
        match probe.submit(&call, "100 items of one customer").await? {
            Submitted::Job(job, at) => jobs.push((job, at)),
            Submitted::Refused { status, words, .. } => {
                return Err(Stop::Failed(format!("the API answered {status}: {words}")));
            }
        }
    }
    let first = jobs.iter().filter_map(|(_, at)| *at).min();
    let (mut limited, mut failed, mut made, mut last) = (0, 0, 0, None);
    for (job, _) in &jobs {
        let done = probe.until_done(job, MAX_ITEMS).await?;
        let is_limited = |fate: &ItemFate| matches!(fate, ItemFate::Limited(_));
        limited += done
            .report
            .items
            .iter()
            .filter(|item| is_limited(&item.fate))
            .count();
        let stored = stored(&done, MAX_ITEMS);
        made += stored;
        failed += MAX_ITEMS - stored;
        last = last.max(done.report.completed_ms);
        if done.report.items.is_empty() && says_limited(&done.heard.body.to_string()) {
            limited += MAX_ITEMS - stored;
        }
    }
    probe.made.objects += made;
    // By the server's clock, if it tells.
    let took_ms = match (first, last) {
        (Some(first), Some(last)) => last - first,
        _ => {
            let passed = Clock.now().saturating_duration_since(began);
            let scaled = passed.as_secs_f64() * probe.ask.scale.factor() * 1_000.0;
            #[expect(clippy::cast_possible_truncation, reason = "a run takes minutes")]
            let ms = scaled as i64;
            ms
        }
    };
    let asked = REQUESTS * MAX_ITEMS;
    let seconds = took_ms / 1_000;
    let (told, verdict, answer) = if limited > 0 {
        let answer = format!("of {asked} in {seconds} s {made} are made, {limited} limited");
        (Some(CreatesInJobs::Limited), Verdict::Yes, answer)
    } else if failed > 0 {
        let answer = format!("{failed} of {asked} are refused, but for something else");
        (None, Verdict::NotSettled, answer)
    } else if took_ms > MINUTE_MS {
        let answer = format!("all {asked} are made, but in {seconds} s, more than a minute");
        (None, Verdict::NotSettled, answer)
    } else {
        let answer =
            format!("all {asked} are made, in {seconds} s; single ones may be 120 a minute");
        (Some(CreatesInJobs::Free), Verdict::No, answer)
    };
    probe.answers.creates_in_jobs = told;
    let evidence = probe.ask.take_evidence();
    probe.evidence.insert("creates_in_jobs", evidence.clone());
    probe.settle(Question::CreatesInJobs, verdict, answer, evidence);
    Ok(())
}

/// Whether the errors of a job speak of a limit that passes.
fn says_limited(answer: &str) -> bool {
    let answer = answer.to_lowercase();
    ["too many", "rate limit", "throttl", "quota"]
        .iter()
        .any(|words| answer.contains(words))
}
