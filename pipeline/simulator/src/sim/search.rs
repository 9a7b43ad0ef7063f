//! Customer search, as far as it is needed to find customers by their identifiers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::render::Page;
use super::{Answer, Caller, Done, Sim, millis_of, object_of};
use crate::api::error::{ApiError, Refusal};
use crate::api::request::Request;
use crate::api::route::Call;
use crate::organisation::store::IdentifierKind;

const KEYS: [&str; 10] = [
    "and",
    "or",
    "not",
    "queryContext",
    "sort",
    "timeZone",
    "includeDeleted",
    "fields",
    "aggs",
    "q",
];

impl Sim {
    /// Terms are `{criterion: {"equals": value}}` over external id, e-mail and phone; all of `and`
    /// and one of `or` must hold.
    pub(super) fn search_customers(
        &mut self,
        caller: Caller,
        request: &Request,
        call: &Call,
    ) -> Answer {
        self.searches
            .admit(caller.now, ())
            .map_err(|until| ApiError::limited(Refusal::SearchLimit, until, "too many searches"))?;
        let body = object_of(request)?;
        let unknown = body.keys().find(|key| !KEYS.contains(&key.as_str()));
        if let Some(key) = unknown {
            return Err(ApiError::bad(key, "Additional properties not allowed"));
        }
        if body.contains_key("not") {
            return Err(ApiError::bad(
                "not",
                "this simulator searches with `and` and `or` only",
            ));
        }
        let (and, or) = (terms(&body, "and")?, terms(&body, "or")?);
        let most = usize::try_from(self.config.switches.search_terms).unwrap_or(usize::MAX);
        if and.len() + or.len() > most {
            return Err(ApiError::bad(
                "or",
                format!("too many terms, maximum {most}"),
            ));
        }
        if and.is_empty() && or.is_empty() {
            return Err(ApiError::bad("or", "a search needs terms"));
        }
        let some: BTreeSet<u32> = or
            .iter()
            .filter_map(|term| self.search_one(caller, term))
            .collect();
        let mut found = some;
        for (position, term) in and.iter().enumerate() {
            let one: BTreeSet<u32> = self.search_one(caller, term).into_iter().collect();
            let first = position == 0 && or.is_empty();
            found = if first {
                one
            } else {
                found.intersection(&one).copied().collect()
            };
        }
        let page = Page::of(&call.query);
        let total = found.len();
        let data: Vec<Value> = found
            .iter()
            .skip((page.number - 1) * page.size)
            .take(page.size)
            .map(|position| self.search_result(*position))
            .collect();
        Ok(Done::read(&json!({
            "meta": {
                "page": page.number,
                "pageSize": page.size,
                "total": total,
                "totalPages": total.div_ceil(page.size),
            },
            "links": { "self": "/v1/customers/search" },
            "data": data,
        })))
    }

    fn search_one(&mut self, caller: Caller, term: &Term) -> Option<u32> {
        let lag = millis_of(self.config.switches.search_lag_ms);
        self.store
            .customers
            .search(caller.now, lag, term.kind, &term.value)
    }
}

struct Term {
    kind: IdentifierKind,
    value: String,
}

fn terms(body: &Map<String, Value>, list: &str) -> Result<Vec<Term>, ApiError> {
    let Some(value) = body.get(list) else {
        return Ok(Vec::new());
    };
    let Some(entries) = value.as_array() else {
        return Err(ApiError::bad(
            list,
            "Invalid type: the terms must be a list",
        ));
    };
    entries
        .iter()
        .map(|entry| term(entry).map_err(|what| ApiError::bad(list, what)))
        .collect()
}

fn term(entry: &Value) -> Result<Term, String> {
    let single = |value: &Value| -> Option<(String, Value)> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        object
            .iter()
            .next()
            .map(|(name, value)| (name.clone(), value.clone()))
    };
    let (criterion, test) = single(entry).ok_or("a term is an object with one criterion")?;
    let kind = match criterion.as_str() {
        "customer_externalId" | "customer_shared_externalId" => IdentifierKind::ExternalId,
        "customer_email" | "customer_shared_email" => IdentifierKind::Email,
        "customer_phone" | "customer_shared_phone" => IdentifierKind::Phone,
        _ => return Err(format!("unknown criterion {criterion}")),
    };
    match single(&test) {
        Some((operator, Value::String(value))) if operator == "equals" => Ok(Term { kind, value }),
        Some((operator, _)) => Err(format!("unknown operator or value: {operator}")),
        None => Err("a criterion is an object with one operator".to_owned()),
    }
}
