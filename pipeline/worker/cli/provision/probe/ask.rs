//! Sends one request after the other: counted, paced, and written down.

use std::time::Duration;

use ingest_kustomer::Client;
use ingest_kustomer::classify::{HttpReply, ReplyBody, classify, trouble_of};
use ingest_kustomer::encode::{HttpRequest, Method, encode};
use ingest_model::call::{Call, CallResult};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::clock::TimeScale;

/// Of the requests so many are left for deleting what was made.
pub(super) const FOR_DELETING: u32 = 120;
/// How often the end of the organisation's minute is waited for.
const WAITS: u32 = 5;
/// How long, if the answer does not say.
const USUAL_WAIT: Duration = Duration::from_secs(15);
/// The longest part of a path or an answer that is written down.
const LONG: usize = 160;

/// Asks the API.
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) scale: TimeScale,
    /// From one request to the next.
    pace: Duration,
    most: u32,
    spent: u32,
    /// Only deleting is left, which a signal does not end.
    deleting: bool,
    pub(super) stop: CancellationToken,
    evidence: Vec<String>,
}

/// Why a question is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// A person ended it.
    Interrupted,
    /// No requests are left.
    Spent,
    /// No answer, or one that makes it pointless to go on.
    Failed(String),
}

/// An answer.
pub(super) struct Heard {
    pub(super) status: u16,
    /// `null` if it is not JSON.
    pub(super) body: Value,
    pub(super) reply: HttpReply,
}

// === impl Asker ===

impl Asker {
    /// At most so many requests in all and so many a minute.
    pub(super) fn new(
        client: Client,
        (most, a_minute): (u32, u32),
        scale: TimeScale,
        stop: CancellationToken,
    ) -> Self {
        let minute = scale.shorten(Duration::from_secs(60));
        Self {
            client,
            scale,
            pace: minute / a_minute.max(1),
            most,
            spent: 0,
            deleting: false,
            stop,
            evidence: Vec::new(),
        }
    }

    /// Requests sent so far.
    pub(super) fn spent(&self) -> u32 {
        self.spent
    }

    /// Others were sent elsewhere.
    pub(super) fn count(&mut self, requests: u32) {
        self.spent += requests;
    }

    /// From now on what was left for deleting may be used, and signals are not heard.
    pub(super) fn delete_now(&mut self) {
        self.deleting = true;
    }

    /// What was written down since the last call.
    pub(super) fn take_evidence(&mut self) -> Vec<String> {
        std::mem::take(&mut self.evidence)
    }

    /// Writes something down.
    pub(super) fn note(&mut self, text: String) {
        self.evidence.push(text);
    }

    /// Sends a call, and writes down what came of it.
    pub(super) async fn call(
        &mut self,
        call: &Call,
        about: &str,
    ) -> Result<(CallResult, Heard), Stop> {
        let request = encode(call);
        let line = line(&request, about);
        let heard = self.exchange(request).await?;
        let result = classify(call, &heard.reply);
        let trouble = trouble_of(&heard.reply, &result).map(|trouble| trouble.to_string());
        let said = trouble.or_else(|| heard.error());
        let said = said.map_or_else(String::new, |said| format!(": {}", shortened(&said)));
        self.note(format!("{line} -> {}{said}", heard.status));
        Ok((result, heard))
    }

    /// Sends a call that is not worth a line.
    pub(super) async fn quietly(&mut self, call: &Call) -> Result<(CallResult, Heard), Stop> {
        let heard = self.exchange(encode(call)).await?;
        Ok((classify(call, &heard.reply), heard))
    }

    /// Sends a request that is no call, and writes down what came of it.
    pub(super) async fn send(
        &mut self,
        (method, path, body): (Method, String, Option<Value>),
        about: &str,
    ) -> Result<Heard, Stop> {
        let request = HttpRequest {
            method,
            path,
            body: body.map(|body| body.to_string().into()),
            endpoint: "probe",
        };
        let line = line(&request, about);
        let heard = self.exchange(request).await?;
        let said = heard
            .error()
            .map_or_else(String::new, |said| format!(": {said}"));
        self.note(format!("{line} -> {}{said}", heard.status));
        Ok(heard)
    }

    /// Waits, unless somebody ends it.
    pub(super) async fn pause(&self, time: Duration) -> Result<(), Stop> {
        let time = self.scale.shorten(time);
        tokio::select! { biased;
            () = self.stop.cancelled(), if !self.deleting => Err(Stop::Interrupted),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    async fn exchange(&mut self, request: HttpRequest) -> Result<Heard, Stop> {
        for _ in 0..WAITS {
            if self.stop.is_cancelled() && !self.deleting {
                return Err(Stop::Interrupted);
            }
            let kept = if self.deleting { 0 } else { FOR_DELETING };
            if self.spent >= self.most.saturating_sub(kept) {
                return Err(Stop::Spent);
            }
            tokio::time::sleep(self.pace).await;
            self.spent += 1;
            let reply = self.client.exchange(request.clone()).await;
            let reply = reply.map_err(|error| Stop::Failed(error.to_string()))?;
            let limits = reply.limits;
            // Where something remains, it is a limit of a customer or an object, which is an answer.
            if reply.status != 429 || limits.remaining.is_some_and(|left| left > 0) {
                return Ok(Heard::of(reply));
            }
            let wait = limits.retry_after.or(limits.resets_in);
            self.pause(wait.unwrap_or(USUAL_WAIT)).await?;
        }
        let text = format!("the organisation's requests were used up {WAITS} times in a row");
        Err(Stop::Failed(text))
    }
}

// === impl Stop ===

impl Stop {
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Interrupted => "it was interrupted".to_owned(),
            Self::Spent => "no requests are left: allow more with --requests".to_owned(),
            Self::Failed(why) => why.clone(),
        }
    }
}

// === impl Heard ===

impl Heard {
    fn of(reply: HttpReply) -> Self {
        let body = match &reply.body {
            ReplyBody::Whole(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            ReplyBody::Cut => Value::Null,
        };
        Self {
            status: reply.status,
            body,
            reply,
        }
    }

    /// Whether it was done.
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first error, shortened.
    pub(super) fn error(&self) -> Option<String> {
        let first = self.body.get("errors")?.get(0)?;
        let parts = ["code", "title", "message", "detail"].iter();
        let texts = parts.filter_map(|name| first.get(*name)?.as_str());
        let texts: Vec<&str> = texts.collect();
        Some(shortened(&texts.join(", ")))
    }

    /// The id of the resource.
    pub(super) fn id(&self) -> Option<&str> {
        let subject = self.body.get("data").unwrap_or(&self.body);
        subject.get("id")?.as_str().filter(|id| !id.is_empty())
    }

    /// The resources of a list, each with its attributes beside its id.
    pub(super) fn resources(&self) -> Vec<&Value> {
        let subject = self.body.get("data").unwrap_or(&self.body);
        subject.as_array().into_iter().flatten().collect()
    }
}

fn line(request: &HttpRequest, about: &str) -> String {
    let path = shortened(&request.path);
    let space = if about.is_empty() { "" } else { " " };
    format!("{} {path}{space}{about}", request.method.as_str())
}

/// One line, and not a long one.
pub(super) fn shortened(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = plain.take(LONG + 1).collect();
    if short.chars().count() > LONG {
        short.pop();
        short.push('…');
    }
    short
}
