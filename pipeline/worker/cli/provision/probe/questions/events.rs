//! What `meta` of events may have. Nobody can delete events, so they say nothing.

use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::Outcome;
use serde_json::{Value, json};

use crate::cli::provision::probe::ask::Stop;
use crate::cli::provision::probe::jobs::{body, unexpected};
use crate::cli::provision::probe::question::{Question, Verdict};
use crate::cli::provision::probe::state::Probe;

/// Something that is not documented: in words, a key, and its value.
type Variant = (&'static str, &'static str, fn() -> Value);

const VARIANTS: [Variant; 3] = [
    ("a boolean as …Bool", "giftBool", || json!(true)),
    ("a boolean without a suffix", "gift", || json!(true)),
    (
        "a text whose key has Num in the middle",
        "itemNumber",
        || json!("seven"),
    ),
];

/// Sends an event as it is documented, and one for each variant.
pub(in crate::cli::provision::probe) async fn ask(probe: &mut Probe) -> Result<(), Stop> {
    let documented = json!({ "plain": "x", "statusStr": "x", "totalNum": 1, "pageUrl": "https://example.com/", "seenAt": "2020-01-02T03:04:05.000Z" });
    send(probe, documented, "plain, …Str, …Url, …Num, …At")
        .await?
        .map_err(Stop::Failed)?;
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (words, key, value) in VARIANTS {
        let meta = json!({ key: value() });
        match send(probe, meta, key).await? {
            Ok(()) => accepted.push(words),
            Err(_) => refused.push(words),
        }
    }
    let told = |names: &[&str]| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let answer = format!(
        "accepted: {}; refused: {}; the worker sends the documented ones only",
        told(&accepted),
        told(&refused)
    );
    let evidence = probe.ask.take_evidence();
    probe.settle(
        Question::MetaTypes,
        Verdict::of(!accepted.is_empty()),
        answer,
        evidence,
    );
    Ok(())
}

/// Sends an event of the customer; `Err` with the reason if it is refused.
async fn send(probe: &mut Probe, meta: Value, about: &str) -> Result<Result<(), String>, Stop> {
    let call = Call::Track {
        identity: body(json!({ "externalId": probe.run })),
        event: body(json!({ "name": "Ingest-Probe", "meta": meta })),
    };
    let (result, heard) = probe.ask.call(&call, &format!("{{meta: {about}}}")).await?;
    let CallResult::Tracked(outcome) = result else {
        return Err(unexpected(&heard));
    };
    match outcome {
        Outcome::Delivered(customer) => {
            probe.made.events += 1;
            if let Some(other) = customer.filter(|id| Some(id) != probe.made.customer.as_ref()) {
                probe.made.others.insert(other);
            }
            Ok(Ok(()))
        }
        Outcome::Reject(why) => Ok(Err(why)),
        Outcome::Pending(_)
        | Outcome::Retry(_)
        | Outcome::Ambiguous
        | Outcome::Split(_)
        | Outcome::Hold(_) => Err(unexpected(&heard)),
    }
}
