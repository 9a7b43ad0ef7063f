//! Who the customer of an event is.

use std::sync::Arc;

use serde_json::Value;

use super::super::model::{CustomerRule, KeyRules};
use super::Work;
use super::failure::{Failure, Made};
use crate::event::CustomerHints;
use crate::identity;
use crate::operation::{CustomerKey, CustomerRef};
use crate::outcome::Rejection;

impl Work<'_> {
    /// The customer that a route names; `None` where it says that there is none.
    pub(super) fn customer(&self, rule: &CustomerRule) -> Made<Option<CustomerRef>> {
        let (keys, missing) = match rule {
            CustomerRule::Nobody => return Ok(None),
            CustomerRule::Hints(missing) => (hinted_keys(&self.event.customer), *missing),
            CustomerRule::Keys(rules, missing) => (self.keys(rules, "customer")?, *missing),
        };
        CustomerRef::new(keys, missing)
            .map(Some)
            .ok_or_else(|| Failure {
                reason: Rejection::MissingCustomer,
                detail: match rule {
                    CustomerRule::Keys(rules, _) => {
                        format!("customer: no usable key in {}", described(rules))
                    }
                    CustomerRule::Hints(_) | CustomerRule::Nobody => {
                        "customer: the event names nobody by id, e-mail or phone; \
                     say in the route where the customer is, or `customer: none`"
                            .to_owned()
                    }
                },
            })
    }

    /// The keys that the expressions give, less those that identify nobody.
    pub(super) fn keys(&self, rules: &KeyRules, at: &str) -> Made<Vec<CustomerKey>> {
        let mut keys = Vec::with_capacity(2);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(id) = self.optional(rules.id.as_ref(), at, "id")? {
            keys.extend(identity::kustomer_id(&id).map(|id| CustomerKey::Id(id.into())));
        }
        if let Some(id) = self.optional(rules.external_id.as_ref(), at, "externalId")? {
            keys.extend(identity::external_id(&id).map(|id| CustomerKey::ExternalId(id.into())));
        }
        if let Some(email) = self.optional(rules.email.as_ref(), at, "email")? {
            keys.extend(
                text(&email)
                    .and_then(|e| identity::email(&e))
                    .map(|e| CustomerKey::Email(e.into())),
            );
        }
        if let Some(phone) = self.optional(rules.phone.as_ref(), at, "phone")? {
            keys.extend(
                text(&phone)
                    .and_then(|p| identity::phone(&p))
                    .map(|p| CustomerKey::Phone(p.into())),
            );
        }
        Ok(keys)
    }
}

fn hinted_keys(hints: &CustomerHints) -> Vec<CustomerKey> {
    let mut keys = Vec::with_capacity(2);
    keys.extend(hints.id.as_deref().map(|v| CustomerKey::Id(Arc::from(v))));
    keys.extend(
        hints
            .external_id
            .as_deref()
            .map(|v| CustomerKey::ExternalId(Arc::from(v))),
    );
    keys.extend(
        hints
            .email
            .as_deref()
            .map(|v| CustomerKey::Email(Arc::from(v))),
    );
    keys.extend(
        hints
            .phone
            .as_deref()
            .map(|v| CustomerKey::Phone(Arc::from(v))),
    );
    keys
}

/// Bytes that the customer's keys take in a body.
pub(super) fn key_bytes(customer: &CustomerRef) -> usize {
    customer
        .keys()
        .iter()
        .map(|key| key.value().len() + 20)
        .sum()
}

fn described(rules: &KeyRules) -> String {
    let all = [
        ("id", &rules.id),
        ("externalId", &rules.external_id),
        ("email", &rules.email),
        ("phone", &rules.phone),
    ];
    let named = all
        .iter()
        .filter_map(|(name, expr)| Some(format!("{name} `{}`", expr.as_ref()?.text())));
    named.collect::<Vec<_>>().join(", ")
}
