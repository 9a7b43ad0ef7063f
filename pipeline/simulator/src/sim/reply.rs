//! From an answer to a reply: headers, error shapes, and what the network does on the way.

use bytes::Bytes;
use rand::Rng;

use super::{Answer, Sim};
use crate::api::endpoint::Endpoint;
use crate::api::error::{ApiError, Shape};
use crate::api::request::{Cut, Delivery, Reply};
use crate::api::route::Call;
use crate::config::{Errors, ResetHeader, ResetUnit, RetryAfter};
use crate::fault::Plan;
use crate::organisation::limits::Admission;

impl Sim {
    pub(super) fn reply(
        &mut self,
        call: &Call,
        plan: &Plan,
        answer: Answer,
        admission: Option<Admission>,
    ) -> Reply {
        let mut cut = plan.cut;
        let lossy = self.config.switches.lost_response;
        if cut.is_none() && answer.is_ok() && call.endpoint.writes() && lossy > 0.0 {
            cut = (self.rng.random::<f64>() < lossy).then_some(Cut::AfterWrite);
        }
        let mut headers = self.headers(admission.as_ref(), answer.as_ref().err());
        let refusal = answer.as_ref().err().map(|error| error.refusal);
        let (status, mut body, items) = match answer {
            Ok(done) => {
                headers.extend(done.location.map(|path| ("location", path)));
                (done.status, done.body, done.items)
            }
            Err(error) => {
                let bare = plan.status.is_some_and(|(_, _, body)| !body);
                let text = error.body(self.shape(call.endpoint)).to_string();
                let body = if bare {
                    Bytes::new()
                } else {
                    Bytes::from(text)
                };
                (error.status, body, 0)
            }
        };
        if plan.garbage {
            body = Bytes::from_static(b"<html><body>upstream sent garbage {\"data\":[");
        }
        if !body.is_empty() {
            headers.push(("content-type", "application/json; charset=utf-8".to_owned()));
        }
        let seen = if cut.is_some() { 0 } else { status };
        self.count_request(call.endpoint, seen, items, refusal, plan);
        let truncate_to = plan.truncate.map(|bytes| bytes.unwrap_or(body.len() / 2));
        let delivery = Delivery {
            delay_ms: plan.delay_ms,
            cut,
            slow_ms: plan.slow_ms,
            truncate_to,
        };
        Reply {
            status,
            headers,
            body,
            delivery,
        }
    }

    fn headers(
        &mut self,
        admission: Option<&Admission>,
        error: Option<&ApiError>,
    ) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("date", self.date_header()),
            ("x-kustomer-pod", "prod1".to_owned()),
        ];
        let Some(admission) = admission else {
            return headers;
        };
        headers.push(("x-ratelimit-limit", admission.limit.to_string()));
        headers.push(("x-ratelimit-remaining", admission.remaining.to_string()));
        let switches = &self.config.switches;
        let given = match switches.reset_header {
            ResetHeader::Refused => !admission.admitted,
            ResetHeader::Always => true,
            ResetHeader::Never => false,
        };
        if given {
            let value = match switches.reset_unit {
                ResetUnit::Seconds => seconds_up(admission.reset_at.millis()),
                ResetUnit::Millis => admission.reset_at.millis(),
                ResetUnit::Delta => seconds_up(admission.reset_at.since(self.now)),
            };
            headers.push(("x-ratelimit-reset", value.to_string()));
        }
        if let Some(error) = error.filter(|error| error.status == 429) {
            let wait = error.retry_at.map_or(60_000, |at| at.since(self.now));
            if switches.retry_after == RetryAfter::Add {
                headers.push(("retry-after", seconds_up(wait).to_string()));
            }
        }
        headers
    }

    fn date_header(&mut self) -> String {
        let second = self.now.millis().div_euclid(1_000);
        if self.date.0 != second {
            self.date = (second, self.now.http_date());
        }
        self.date.1.clone()
    }

    fn shape(&self, endpoint: Endpoint) -> Shape {
        let newer = endpoint.as_str().starts_with("customer.")
            || endpoint.as_str().starts_with("tracking.");
        match self.config.switches.errors {
            Errors::JsonApi => Shape::JsonApi,
            Errors::New => Shape::Message,
            Errors::Mixed => {
                if newer {
                    Shape::Message
                } else {
                    Shape::JsonApi
                }
            }
        }
    }
}

const fn seconds_up(millis: i64) -> i64 {
    (millis + 999).div_euclid(1_000)
}
