//! Who the customer of an event is.

use std::sync::Arc;

use super::super::expr::Expr;
use super::super::model::bad::BadFields;
use super::super::model::{CustomerRule, KeyRules, OwnerRule};
use super::Work;
use super::failure::{Failure, Made, missing, refused};
use crate::body::field::object_id;
use crate::event::{CustomerHints, KeyKind};
use crate::identity;
use crate::value::Value;
use ingest_model::operation::{CustomerKey, CustomerRef, ExternalId};
use ingest_model::outcome::Rejection;

impl<'a> Work<'a> {
    /// The customer that a route names; `None` if it says that there is none.
    pub(super) fn customer(&mut self, rule: &'a CustomerRule) -> Made<Option<CustomerRef>> {
        let (keys, missing) = match rule {
            CustomerRule::Nobody => return Ok(None),
            CustomerRule::Owner(rule, missing) => (vec![self.owner(rule)?], *missing),
            CustomerRule::Hints(missing) => (hinted_keys(&self.event.customer), *missing),
            CustomerRule::Keys(rules, missing) => {
                let words = BadFields::new(self.route.on_bad, Vec::new());
                (self.keys(&words, rules, "customer")?, *missing)
            }
        };
        CustomerRef::new(keys, missing)
            .map(Some)
            .ok_or_else(|| Failure {
                exhausted: false,
                reason: Rejection::MissingCustomer,
                detail: match rule {
                    CustomerRule::Keys(rules, _) => {
                        format!("customer: no usable key in {}", described(rules))
                    }
                    CustomerRule::Hints(_) | CustomerRule::Owner(..) | CustomerRule::Nobody => {
                        "customer: the event names nobody by id, e-mail or phone; \
                     say in the route where the customer is, or `customer: none`"
                            .to_owned()
                    }
                },
            })
    }

    /// The customer of an object. Without the object's id there is none.
    fn owner(&mut self, rule: &'a OwnerRule) -> Made<CustomerKey> {
        let at = "customer.from.externalId";
        let nobody = || Failure {
            reason: Rejection::MissingCustomer,
            ..missing(at, &rule.external_id)
        };
        let value = self.value(&rule.external_id, || at.to_owned())?;
        let value = value.ok_or_else(nobody)?;
        let id = object_id(&value).map_err(|illegal| refused(at, &illegal, &rule.external_id))?;
        let id = id.ok_or_else(nobody)?;
        Ok(CustomerKey::of_object(
            &rule.klass,
            &ExternalId(Arc::from(id)),
        ))
    }

    /// The keys that the expressions give. Those that identify nobody or are not legal are noted and left out. A key whose
    /// expression fails is treated like any other field.
    pub(super) fn keys(
        &mut self,
        words: &BadFields,
        rules: &'a KeyRules,
        at: &str,
    ) -> Made<Vec<CustomerKey>> {
        let mut key =
            |rule: &'a Option<Expr>, kind, read| self.key(words, rule.as_ref(), at, kind, read);
        let id = key(&rules.id, KeyKind::Id, identity::kustomer_id)?;
        let external_id = key(
            &rules.external_id,
            KeyKind::ExternalId,
            identity::external_id,
        )?;
        let email = key(&rules.email, KeyKind::Email, identity::email)?;
        let phone = key(&rules.phone, KeyKind::Phone, identity::phone)?;
        let mut keys = Vec::with_capacity(2);
        keys.extend(id.map(CustomerKey::Id));
        keys.extend(external_id.map(CustomerKey::ExternalId));
        keys.extend(email.map(CustomerKey::Email));
        keys.extend(phone.map(CustomerKey::Phone));
        Ok(keys)
    }

    fn key(
        &mut self,
        words: &BadFields,
        rule: Option<&'a Expr>,
        at: &str,
        kind: KeyKind,
        read: fn(&Value<'_>) -> identity::Key,
    ) -> Made<Option<Arc<str>>> {
        let name = match kind {
            KeyKind::Id => "id",
            KeyKind::ExternalId => "externalId",
            KeyKind::Email => "email",
            KeyKind::Phone => "phone",
        };
        let Some(rule) = rule else { return Ok(None) };
        let field = format!("{at}.{name}");
        let made = self.value(rule, || field.clone());
        let Some(value) = self.drops.optional(words, &field, made)? else {
            return Ok(None);
        };
        match read(&value) {
            Ok(key) => Ok(key.map(Arc::from)),
            Err(why) => {
                self.notes.unused(field, kind, why);
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
