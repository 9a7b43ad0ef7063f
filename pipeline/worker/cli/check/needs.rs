//! What a configuration needs in Kustomer: roles of the key.

use std::collections::BTreeSet;

use ingest_kustomer::Need;
use ingest_model::operation::MissingCustomer;

use crate::config::Settings;

/// Whether customers are given companies: then these are looked up.
fn topics_name_companies(settings: &Settings) -> bool {
    let topics = settings.kafka.topics.iter();
    topics
        .into_iter()
        .any(|topic| topic.pipeline.mapping().links_companies())
}

/// The roles of the key, by `docs/kustomer-api.md`, section 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Without one of these, something in the mappings cannot be delivered.
    pub(crate) needed: Vec<Need>,
    /// There is another way without these, and what it costs.
    pub(crate) helpful: Vec<(Need, &'static str)>,
}

/// What happens without the role to search.
const ONE_BY_ONE: &str = "customers of objects are looked up one by one, which costs requests";
/// What happens without the role to track, and with it, but without the one to create.
const IN_BULK: &str = "every unknown customer of an object is made in a bulk request, also a single one, which takes seconds";
const EACH: &str = "every unknown customer of an object is found or made by an identity, which costs a request each, and the hold customer_create stays";

/// The roles that these mappings need, and those that help.
pub(crate) fn roles(settings: &Settings) -> Roles {
    let mappings = || settings.kafka.topics.iter().map(|t| t.pipeline.mapping());
    let kinds: BTreeSet<&str> = mappings()
        .flat_map(|mapping| mapping.routes())
        .flat_map(|route| route.kinds)
        .collect();
    let asks = mappings().any(|mapping| !mapping.owners_of().is_empty());
    let of_objects: Vec<MissingCustomer> = mappings()
        .flat_map(|mapping| mapping.customers_of_objects())
        .collect();
    let makes = of_objects.contains(&MissingCustomer::Create);
    let mut needed: Vec<Need> = Vec::new();
    let mut need = |when: bool, more: &[Need]| {
        for one in more.iter().filter(|_| when) {
            if !needed.contains(one) {
                needed.push(*one);
            }
        }
    };
    let tracks = kinds.contains("identify") || kinds.contains("track");
    let writes_customers = kinds.contains("customer");
    need(tracks, &[Need::Track]);
    need(!of_objects.is_empty(), &[Need::ReadCustomers]);
    // Where an identity can do it, too, it only helps.
    need(makes && !tracks, &[Need::CreateCustomers]);
    need(
        kinds.contains("kobject") || kinds.contains("digest"),
        &[
            Need::CreateKObjects,
            Need::UpdateKObjects,
            Need::ReadKObjects,
            Need::ReadJobs,
        ],
    );
    need(
        kinds.contains("delete"),
        &[Need::DeleteKObjects, Need::ReadKObjects],
    );
    // Whose an object is, and by what the tracking API knows that customer.
    need(asks, &[Need::ReadCustomers, Need::ReadKObjects]);
    need(
        writes_customers,
        &[
            Need::ReadCustomers,
            Need::CreateCustomers,
            Need::UpdateCustomers,
            Need::ReadJobs,
        ],
    );
    need(
        kinds.contains("company"),
        &[
            Need::ReadCompanies,
            Need::CreateCompanies,
            Need::UpdateCompanies,
            Need::ReadJobs,
        ],
    );
    need(topics_name_companies(settings), &[Need::ReadCompanies]);
    let helpful = [
        (makes, Need::CreateCustomers, EACH),
        (makes, Need::Track, IN_BULK),
        (!of_objects.is_empty(), Need::SearchCustomers, ONE_BY_ONE),
    ];
    let helpful = helpful
        .into_iter()
        .filter(|(when, need, _)| *when && !needed.contains(need))
        .map(|(_, need, without)| (need, without))
        .collect();
    Roles { needed, helpful }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Roles for one route.
    fn of(route: &str) -> Roles {
        let route = route.replace('\n', "\n            ");
        let text = format!(
            "kafka:\n  brokers: k:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: shop\n      mapping:\n        \
             routes:\n          - name: r\n            on: Order\n            {route}\nkustomer:\n  base_url: \
             https://example.api.kustomerapp.com\n  token: {{ env: T }}\n  limit: 100\n"
        );
        roles(&crate::config::parse(Path::new("w.yaml"), &text).unwrap())
    }

    fn helpful(roles: &Roles) -> Vec<Need> {
        roles.helpful.iter().map(|(need, _)| *need).collect()
    }

    const OBJECT: &str = "do:\n  - kobject: order\n    externalId: .id\n    title: .id";
    const OBJECTS: [Need; 4] = [
        Need::CreateKObjects,
        Need::UpdateKObjects,
        Need::ReadKObjects,
        Need::ReadJobs,
    ];

    #[test]
    fn who_may_be_made_decides_what_objects_need() {
        let with = |customer: &str| of(&format!("customer: {customer}\n{OBJECT}"));
        let made = with("{ externalId: .user }");
        let mut needed = vec![Need::ReadCustomers, Need::CreateCustomers];
        needed.extend(OBJECTS);
        assert_eq!(made.needed, needed);
        assert_eq!(helpful(&made), [Need::Track, Need::SearchCustomers]);
        for missing in ["park", "reject"] {
            let found = with(&format!("{{ externalId: .user, missing: {missing} }}"));
            assert_eq!(
                found.needed,
                [&[Need::ReadCustomers], &OBJECTS[..]].concat()
            );
            assert_eq!(helpful(&found), [Need::SearchCustomers]);
        }
        let nobody = with("none");
        assert_eq!(nobody.needed, OBJECTS);
        assert_eq!(helpful(&nobody), []);
        let owner = with("{ from: { klass: cart, externalId: .cart } }");
        assert_eq!(
            owner.needed,
            [&OBJECTS[..], &[Need::ReadCustomers]].concat()
        );
        assert_eq!(helpful(&owner), []);
    }

    #[test]
    fn deletions_have_a_role_of_their_own() {
        let gone = of(
            "delete: delete\ndo:\n  - kobject: order\n    externalId: .id\n    version: $event.version",
        );
        assert_eq!(gone.needed, [Need::DeleteKObjects, Need::ReadKObjects]);
        assert_eq!(helpful(&gone), []);
        let marked = of("delete: mark\ndo:\n  - kobject: order\n    externalId: .id");
        let needed = [&OBJECTS[..], &[Need::ReadCustomers]].concat();
        assert_eq!(marked.needed, needed);
    }

    #[test]
    fn an_identity_can_make_customers_too() {
        let both = of(&format!(
            "customer: {{ externalId: .user }}\n{OBJECT}\n  - track: .type"
        ));
        let needed = [&[Need::Track, Need::ReadCustomers], &OBJECTS[..]].concat();
        assert_eq!(both.needed, needed);
        assert_eq!(
            helpful(&both),
            [Need::CreateCustomers, Need::SearchCustomers]
        );
        let only = of("customer: { externalId: .user }\ndo:\n  - track: .type");
        assert_eq!(only.needed, [Need::Track]);
        assert_eq!(helpful(&only), []);
        // Whom `customer` writes it makes in bulk, and in no other way.
        let writes = of("do:\n  - customer: .user\n    company: .group");
        let needed = [
            Need::ReadCustomers,
            Need::CreateCustomers,
            Need::UpdateCustomers,
            Need::ReadJobs,
            Need::ReadCompanies,
        ];
        assert_eq!(writes.needed, needed);
        assert_eq!(helpful(&writes), []);
    }
}
