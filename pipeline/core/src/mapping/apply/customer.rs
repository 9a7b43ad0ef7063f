//! Who the customer of an event is.

use std::sync::Arc;

use serde_json::Value;

use super::super::expr::Expr;
use super::super::model::{CustomerRule, KeyRules};
use super::Work;
use super::failure::{Failure, Made};
use crate::event::{CustomerHints, KeyKind};
use crate::identity;
use crate::operation::{CustomerKey, CustomerRef};
use crate::outcome::Rejection;

impl Work<'_> {
    /// The customer that a route names; `None` where it says that there is none.
    pub(super) fn customer(&mut self, rule: &CustomerRule) -> Made<Option<CustomerRef>> {
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

    /// The keys that the expressions give, less those that identify nobody or are not legal: these are noted.
    pub(super) fn keys(&mut self, rules: &KeyRules, at: &str) -> Made<Vec<CustomerKey>> {
        let mut keys = Vec::with_capacity(2);
        let id = self.key(rules.id.as_ref(), at, KeyKind::Id, identity::kustomer_id)?;
        keys.extend(id.map(CustomerKey::Id));
        let external_id = rules.external_id.as_ref();
        let external_id = self.key(external_id, at, KeyKind::ExternalId, identity::external_id)?;
        keys.extend(external_id.map(CustomerKey::ExternalId));
        let email = self.key(rules.email.as_ref(), at, KeyKind::Email, identity::email)?;
        keys.extend(email.map(CustomerKey::Email));
        let phone = self.key(rules.phone.as_ref(), at, KeyKind::Phone, identity::phone)?;
        keys.extend(phone.map(CustomerKey::Phone));
        Ok(keys)
    }

    fn key(
        &mut self,
        rule: Option<&Expr>,
        at: &str,
        kind: KeyKind,
        read: fn(&Value) -> identity::Key,
    ) -> Made<Option<Arc<str>>> {
        let name = match kind {
            KeyKind::Id => "id",
            KeyKind::ExternalId => "externalId",
            KeyKind::Email => "email",
            KeyKind::Phone => "phone",
        };
        let Some(value) = self.optional(rule, at, name)? else {
            return Ok(None);
        };
        match read(&value) {
            Ok(key) => Ok(key.map(Arc::from)),
            Err(why) => {
                self.notes.unused(format!("{at}.{name}"), kind, why);
                Ok(None)
            }
        }
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
