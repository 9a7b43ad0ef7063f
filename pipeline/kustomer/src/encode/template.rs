//! Where calls go, without the ids that are in their paths: for those who tell requests apart and must not know whom they are
//! about.

use ingest_model::call::Call;
use ingest_model::operation::{CustomerKey, Klass, KlassKind};

use super::request::Method;

/// The method and the path of a call, with names in place of ids.
#[must_use]
pub fn template(call: &Call) -> (Method, &'static str) {
    match call {
        Call::Identify { .. } => (Method::Post, "/v1/tracking/identity"),
        Call::Track { .. } => (Method::Post, "/v1/tracking/identityEvent"),
        Call::SearchCustomers { .. } => (Method::Post, "/v1/customers/search"),
        Call::GetCustomer { key } | Call::FindCustomer { key } => (Method::Get, customer(key)),
        Call::CreateCustomers { .. } => (Method::Post, "/v1/customers/bulk"),
        Call::CreateKObjects { klass, .. } => (Method::Post, paths(klass).bulk),
        Call::UpdateKObjects { klass, .. } => (Method::Put, paths(klass).bulk),
        Call::CreateKObject { klass, .. } => (Method::Post, paths(klass).all),
        Call::UpdateKObject { klass, .. } => (Method::Put, paths(klass).one),
        Call::DeleteKObject { klass, .. } => (Method::Delete, paths(klass).one),
        Call::GetKObject { klass, .. } => (Method::Get, paths(klass).by_external_id),
        Call::ReadJob { .. } => (Method::Get, "/v1/bulk/{id}/batches"),
        Call::ReadJobState { .. } => (Method::Get, "/v1/bulk/{id}"),
        Call::Probe => (Method::Get, "/v1/auth/tokens/current"),
    }
}

fn customer(key: &CustomerKey) -> &'static str {
    match key {
        CustomerKey::Id(_) => "/v1/customers/{id}",
        CustomerKey::ExternalId(_) => "/v1/customers/externalId={externalId}",
        CustomerKey::Email(_) => "/v1/customers/email={email}",
        CustomerKey::Phone(_) => "/v1/customers/phone={phone}",
        CustomerKey::Owner(_) => "/v1/customers/",
    }
}

struct Paths {
    all: &'static str,
    one: &'static str,
    by_external_id: &'static str,
    bulk: &'static str,
}

fn paths(klass: &Klass) -> Paths {
    match klass.kind() {
        KlassKind::Objects => Paths {
            all: "/v1/klasses/{klass}",
            one: "/v1/klasses/{klass}/{id}",
            by_external_id: "/v1/klasses/{klass}/externalId={externalId}",
            bulk: "/v1/klasses/{klass}/bulk",
        },
        KlassKind::Customers => Paths {
            all: "/v1/customers",
            one: "/v1/customers/{id}",
            by_external_id: "/v1/customers/externalId={externalId}",
            bulk: "/v1/customers/bulk",
        },
        KlassKind::Companies => Paths {
            all: "/v1/companies",
            one: "/v1/companies/{id}",
            by_external_id: "/v1/companies",
            bulk: "/v1/companies/bulk",
        },
    }
}

#[cfg(test)]
mod tests {
    use ingest_model::body::Body;
    use ingest_model::operation::ExternalId;

    use super::*;
    use crate::encode::encode;

    /// Whether a path is one of the template; ids are `x`, klasses `order`.
    fn fits(template: &str, path: &str) -> bool {
        let names = ["{id}", "{externalId}", "{email}", "{phone}"];
        let filled = names
            .iter()
            .fold(template.to_owned(), |text, name| text.replace(name, "x"));
        let path = path.split('?').next().unwrap();
        filled.replace("{klass}", "order") == path
    }

    #[test]
    fn every_request_goes_where_its_template_says() {
        let keys = [
            CustomerKey::Id("x".into()),
            CustomerKey::ExternalId("x".into()),
            CustomerKey::Email("x".into()),
            CustomerKey::Phone("x".into()),
        ];
        let mut calls = vec![
            Call::Identify {
                identity: Body::default(),
            },
            Call::Track {
                identity: Body::default(),
                event: Body::default(),
            },
            Call::SearchCustomers {
                keys: keys.to_vec(),
            },
            Call::CreateCustomers {
                items: Vec::new(),
                with_refs: true,
            },
            Call::ReadJob { job: "x".into() },
            Call::ReadJobState { job: "x".into() },
            Call::Probe,
        ];
        for key in keys {
            calls.push(Call::FindCustomer { key: key.clone() });
            calls.push(Call::GetCustomer { key });
        }
        for name in ["order", "customer", "company"] {
            let klass = Klass(name.into());
            let (body, id) = (Body::default(), "x".into());
            calls.extend([
                Call::CreateKObjects {
                    klass: klass.clone(),
                    items: Vec::new(),
                    with_refs: true,
                },
                Call::UpdateKObjects {
                    klass: klass.clone(),
                    items: Vec::new(),
                    with_refs: true,
                },
                Call::CreateKObject {
                    klass: klass.clone(),
                    body: body.clone(),
                },
                Call::UpdateKObject {
                    klass: klass.clone(),
                    id: std::sync::Arc::clone(&id),
                    body,
                },
                Call::DeleteKObject {
                    klass: klass.clone(),
                    id,
                },
                Call::GetKObject {
                    klass,
                    external_id: ExternalId("x".into()),
                },
            ]);
        }
        for call in calls {
            let (method, template) = template(&call);
            let request = encode(&call);
            assert_eq!(method, request.method, "{call:?}");
            assert!(fits(template, &request.path), "{template} {}", request.path);
        }
    }
}
