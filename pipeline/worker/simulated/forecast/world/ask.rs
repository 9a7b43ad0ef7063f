//! A request reaches the simulated Kustomer, and its answer is read as the client reads it.

use std::time::Duration;

use ingest_kustomer::classify::{
    HttpReply, ReplyBody, Unanswered, classify, trouble_of, unanswered,
};
use ingest_kustomer::encode::{Method, encode};
use ingest_kustomer::limits;
use ingest_model::call::{Call, Reply};
use kustomer_sim::{Request, SimTime};

use super::{TOKEN, World};

impl World<'_> {
    /// The answer, and after what time it arrives.
    pub(super) fn ask(&mut self, call: &Call) -> (Reply, Duration) {
        let request = encode(call);
        let method = match request.method {
            Method::Get => kustomer_sim::Method::Get,
            Method::Post => kustomer_sim::Method::Post,
            Method::Put => kustomer_sim::Method::Put,
            Method::Delete => kustomer_sim::Method::Delete,
        };
        let mut asked = Request::new(method, request.path).token(TOKEN);
        asked.body = request.body.unwrap_or_default();
        let now = SimTime::from_millis(self.start_ms.saturating_add(self.elapsed_ms()));
        let answer = self.sim.handle(now, &asked);
        let delay = Duration::from_millis(answer.delivery.delay_ms);
        let after = (self.plan.latency / 2).saturating_add(delay);
        if answer.delivery.cut.is_some() {
            return (unanswered(call, Unanswered::Lost), after);
        }
        let limits = limits::read(|name| answer.header(name));
        let body = match answer.delivery.truncate_to {
            Some(_) => ReplyBody::Cut,
            None => ReplyBody::Whole(answer.body),
        };
        let reply = HttpReply {
            status: answer.status,
            limits,
            location: None,
            body,
        };
        let result = classify(call, &reply);
        let reply = Reply {
            limits,
            trouble: trouble_of(&reply, &result),
            result,
        };
        (reply, after)
    }
}
