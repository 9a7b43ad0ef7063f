//! What people write first: one request for each event, look-ups for each event, and a fixed limiter.

use std::sync::Arc;

use super::super::{SIM_START_MS, make};
use super::Piece;
use ingest_kustomer::classify::{HttpReply, ReplyBody, classify};
use ingest_kustomer::encode::{Method, encode};
use ingest_kustomer::limits;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::{CustomerKey, ExternalId, Klass, Operation};
use ingest_model::outcome::{Outcome, Verdict};
use kustomer_sim::{Config, Request, Sim, SimTime};
use serde_json::Value;

/// A sender that looks up the customer and the object of each record, writes it, and waits for its turn in between.
pub(crate) struct Naive {
    sim: Sim,
    /// Between two requests, in microseconds.
    pause: i64,
    /// The time of the next request, in microseconds.
    now: i64,
    /// Requests so far.
    pub(crate) units: u64,
    /// Those that the API refused because of the organisation's limit.
    pub(crate) refused: u64,
}

impl Naive {
    /// One that spends so many requests a minute.
    pub(crate) fn new(config: Config, allowed: u32) -> Self {
        Self {
            sim: Sim::new(config),
            pause: 60_000_000 / i64::from(allowed),
            now: SIM_START_MS * 1_000,
            units: 0,
            refused: 0,
        }
    }

    /// What the API counted.
    pub(crate) fn account(&self) -> kustomer_sim::Account {
        self.sim.account()
    }

    /// How long it has taken so far, in seconds.
    pub(crate) fn seconds(&self) -> i64 {
        (self.now - SIM_START_MS * 1_000) / 1_000_000
    }

    /// Sends one record.
    pub(crate) fn send(&mut self, piece: &Piece) {
        let Verdict::Emit(mut planned) = piece.verdict() else {
            return;
        };
        let operation = planned.remove(0).operation;
        match operation {
            Operation::Track(event) => {
                let occurrence = event.occurrence();
                let event = make::object(serde_json::json!({
                    "name": occurrence.name,
                    "meta": occurrence.meta,
                }));
                self.ask(&Call::Track {
                    identity: identity(piece.who),
                    event,
                });
            }
            Operation::Identify(_) => {
                self.ask(&Call::Identify {
                    identity: identity(piece.who),
                });
            }
            // It knows no digests: a view is an event like others.
            Operation::KObject(object) if object.fold.is_some() => {
                self.ask(&Call::Track {
                    identity: identity(piece.who),
                    event: make::object(serde_json::json!({ "name": "Product-Viewed" })),
                });
            }
            Operation::KObject(object) => self.write(
                piece.who,
                &object.klass,
                object.external_id,
                object.body.parse(),
            ),
        }
    }

    fn write(
        &mut self,
        who: u64,
        klass: &Klass,
        external_id: ExternalId,
        body: serde_json::Map<String, Value>,
    ) {
        let key = CustomerKey::ExternalId(Arc::from(format!("u{who}")));
        let found = self.ask(&Call::GetCustomer { key });
        let customer = found.or_else(|| {
            self.ask(&Call::Identify {
                identity: identity(who),
            })
        });
        let found = self.ask(&Call::GetKObject {
            klass: klass.clone(),
            external_id,
        });
        let mut body = body;
        match found {
            Some(id) => {
                body.remove("externalId");
                self.ask(&Call::UpdateKObject {
                    klass: klass.clone(),
                    id,
                    body: body.into(),
                });
            }
            None => {
                body.extend(customer.map(|id| ("customer".to_owned(), Value::from(&*id))));
                self.ask(&Call::CreateKObject {
                    klass: klass.clone(),
                    body: body.into(),
                });
            }
        }
    }

    /// Asks at the next turn, and again while the API refuses for its limit; gives the id in the answer.
    fn ask(&mut self, call: &Call) -> Option<Arc<str>> {
        let request = encode(call);
        let method = match request.method {
            Method::Get => kustomer_sim::Method::Get,
            Method::Post => kustomer_sim::Method::Post,
            Method::Put => kustomer_sim::Method::Put,
            Method::Delete => kustomer_sim::Method::Delete,
        };
        let mut asked = Request::new(method, request.path).token("sim-key");
        asked.body = request.body.unwrap_or_default();
        loop {
            self.now += self.pause;
            self.units += 1;
            let answer = self
                .sim
                .handle(SimTime::from_millis(self.now / 1_000), &asked);
            if answer.status == 429 {
                self.refused += 1;
                continue;
            }
            let reply = HttpReply {
                status: answer.status,
                limits: limits::read(|name| answer.header(name)),
                location: None,
                body: ReplyBody::Whole(answer.body),
            };
            let result = classify(call, &reply);
            if let CallResult::Tracked(Outcome::Delivered(id)) = result {
                return id;
            }
            if let CallResult::Customer(Outcome::Delivered(found)) = result {
                return found.map(|customer| customer.id);
            }
            if let CallResult::KObject(Outcome::Delivered(object)) = result {
                return object.map(|object| object.id);
            }
            assert!(!result.is_failure(), "a naive sender gives up: {result:?}");
            return None;
        }
    }
}

fn identity(who: u64) -> ingest_model::body::Body {
    make::object(serde_json::json!({ "externalId": format!("u{who}") }))
}
