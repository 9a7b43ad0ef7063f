//! The control endpoints below `/_sim`: what the simulator counted and holds, and how to steer it.
//! They cost nothing and need no key.

mod read;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::Sim;
use crate::api::request::{Delivery, Method, Reply, Request};
use crate::api::route::{Query, decoded, split};
use crate::fault::FaultScript;
use crate::pages;

const LARGEST_PAGE: usize = 10_000;

fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", content_type.to_owned())],
        body: body.into(),
        delivery: Delivery::default(),
    }
}

fn json_reply(status: u16, body: &impl Serialize) -> Reply {
    let text = serde_json::to_string(body).unwrap_or_default();
    raw(status, "application/json; charset=utf-8", text)
}

fn html(status: u16, page: String) -> Reply {
    let mut reply = raw(status, "text/html; charset=utf-8", page);
    // the pages need nothing but their own style sheet
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
    reply
        .headers
        .push(("content-security-policy", policy.to_owned()));
    reply
}

fn journal(sim: &Sim, query: &Query) -> Reply {
    let since = query
        .get("since")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let most = query.number("limit").unwrap_or(usize::MAX);
    let mut lines = String::new();
    for entry in sim.journal(since).take(most) {
        lines.push_str(&serde_json::to_string(&entry).unwrap_or_default());
        lines.push('\n');
    }
    raw(200, "application/x-ndjson", lines)
}

fn timeline(sim: &Sim, request: &Request, customer: &str) -> Reply {
    let wants_page = request
        .header("accept")
        .is_some_and(|accept| accept.contains("text/html"));
    match (sim.timeline(customer), wants_page) {
        (Some(timeline), true) => html(200, pages::timeline(&timeline)),
        (Some(timeline), false) => json_reply(200, &timeline),
        (None, true) => html(404, pages::no_customer(customer)),
        (None, false) => json_reply(404, &json!({ "error": "there is no such customer" })),
    }
}

// Skips to the page before anything is rendered.
fn page_of(query: &Query) -> (usize, usize) {
    let size = query
        .number("pageSize")
        .unwrap_or(1_000)
        .clamp(1, LARGEST_PAGE);
    let number = query.number("page").unwrap_or(1).max(1);
    ((number - 1).saturating_mul(size), size)
}

fn listing(query: &Query, total: u64, data: &[impl Serialize]) -> Reply {
    let (skipped, size) = page_of(query);
    let number = skipped / size + 1;
    json_reply(
        200,
        &json!({ "page": number, "pageSize": size, "total": total, "data": data }),
    )
}

fn customers(sim: &Sim, query: &Query) -> Reply {
    let found = sim.busiest_customers(query.get("q").unwrap_or_default());
    let (skipped, size) = page_of(query);
    let data: Vec<_> = found
        .iter()
        .skip(skipped)
        .take(size)
        .filter_map(|position| sim.customer_view(*position))
        .collect();
    listing(query, found.len() as u64, &data)
}

fn companies(sim: &Sim, query: &Query) -> Reply {
    let (skipped, size) = page_of(query);
    let data: Vec<_> = sim.companies().skip(skipped).take(size).collect();
    listing(query, sim.companies().count() as u64, &data)
}

fn objects(sim: &Sim, query: &Query, klass: &str) -> Reply {
    let Some(position) = sim.store.klasses.find(klass) else {
        return json_reply(404, &json!({ "error": "there is no such klass" }));
    };
    if let Some(external_id) = query.get("externalId") {
        let data: Vec<_> = sim.objects_sharing(position, external_id);
        return listing(query, data.len() as u64, &data);
    }
    let (skipped, size) = page_of(query);
    let data: Vec<_> = sim
        .store
        .objects
        .of_klass(position)
        .skip(skipped)
        .take(size)
        .filter_map(|(position, object)| sim.object_view(position, object))
        .collect();
    let total = sim.store.objects.of_klass(position).count() as u64;
    listing(query, total, &data)
}

fn events(sim: &Sim, query: &Query) -> Reply {
    let (skipped, size) = page_of(query);
    let positions: Option<&[u32]> = match query.get("customer") {
        None => None,
        Some(name) => {
            let customer = sim.customer_named(name);
            let customer = customer.and_then(|position| sim.store.customers.get(position));
            Some(customer.map_or(&[][..], |customer| customer.events.as_slice()))
        }
    };
    let store = &sim.store.events;
    let (data, total): (Vec<_>, u64) = match positions {
        Some(positions) => {
            let shown = positions
                .iter()
                .skip(skipped)
                .take(size)
                .filter_map(|position| Some(sim.event_view(*position, store.get(*position)?)));
            (shown.collect(), positions.len() as u64)
        }
        None => {
            let shown = store.iter().skip(skipped).take(size);
            let views = shown.map(|(position, event)| sim.event_view(position, event));
            (views.collect(), store.count())
        }
    };
    listing(query, total, &data)
}

fn inject(sim: &mut Sim, request: &Request) -> Reply {
    match FaultScript::parse(&String::from_utf8_lossy(&request.body)) {
        Ok(script) => {
            let rules = script.rules.len();
            sim.inject(script);
            json_reply(200, &json!({ "rules": rules }))
        }
        Err(error) => json_reply(400, &json!({ "error": error.to_string() })),
    }
}

fn change_keys(sim: &mut Sim, request: &Request) -> Reply {
    match serde_json::from_slice(&request.body) {
        Ok(change) => json_reply(200, &json!({ "valid": sim.keys.change(change) })),
        Err(error) => json_reply(400, &json!({ "error": error.to_string() })),
    }
}

fn index(sim: &Sim, query: &Query) -> Reply {
    let search = query.get("q").unwrap_or_default();
    let found = sim.busiest_customers(search);
    let shown: Vec<_> = found
        .iter()
        .take(100)
        .filter_map(|position| sim.customer_view(*position))
        .collect();
    let switches: Vec<(String, String)> = crate::SWITCHES
        .iter()
        .filter(|switch| switch.value(&sim.config.switches) != switch.default_value())
        .map(|switch| (switch.name.to_owned(), switch.value(&sim.config.switches)))
        .collect();
    html(
        200,
        pages::index(&pages::Index {
            now: sim.now(),
            limit: sim.config.limit,
            account: &sim.account(),
            customers: &shown,
            found: found.len(),
            search,
            switches: &switches,
        }),
    )
}

impl Sim {
    /// Answers a control request.
    pub(super) fn control(&mut self, request: &Request) -> Reply {
        let (path, query) = split(&request.path_and_query);
        let query = Query::parse(query);
        let path = path.strip_prefix("/_sim").unwrap_or(path);
        let segments: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        match (request.method, segments.as_slice()) {
            (Method::Get, []) => index(self, &query),
            (Method::Get, ["account"]) => json_reply(200, &self.account()),
            (Method::Get, ["journal"]) => journal(self, &query),
            (Method::Get, ["clock"]) => json_reply(
                200,
                &json!({ "now": self.now(), "time": self.now().rfc3339() }),
            ),
            (Method::Get, ["timeline", customer]) => timeline(self, request, &decoded(customer)),
            (Method::Get, ["customers"]) => customers(self, &query),
            (Method::Get, ["companies"]) => companies(self, &query),
            (Method::Get, ["objects", klass]) => objects(self, &query, &decoded(klass)),
            (Method::Get, ["events"]) => events(self, &query),
            (Method::Get, ["faults"]) => json_reply(200, self.faults.script()),
            (Method::Post, ["faults"]) => inject(self, request),
            (Method::Post, ["keys"]) => change_keys(self, request),
            (Method::Post, ["reset"]) => {
                self.reset();
                json_reply(200, &json!({ "reset": true }))
            }
            _ => json_reply(
                404,
                &json!({ "error": "there is no such control endpoint" }),
            ),
        }
    }

    fn objects_sharing(&self, klass: u16, external_id: &str) -> Vec<Value> {
        let positions = self.store.objects.sharing(klass, external_id);
        positions
            .into_iter()
            .filter_map(|position| {
                let view = self.object_view(position, self.store.objects.get(position)?)?;
                serde_json::to_value(view).ok()
            })
            .collect()
    }
}
