//! What a configuration needs in Kustomer: klasses, and roles of the key.

use std::collections::{BTreeMap, BTreeSet};

use ingest_kustomer::Need;
use ingest_mapping::mapping::KlassUse;

use crate::config::Settings;

/// Every klass that is written, or whose objects name customers, across all topics.
pub(super) fn klasses(settings: &Settings) -> BTreeMap<String, KlassUse> {
    let mut klasses: BTreeMap<String, KlassUse> = BTreeMap::new();
    for topic in &settings.kafka.topics {
        for used in topic.pipeline.mapping().klasses() {
            let known = klasses
                .entry(used.klass.to_string())
                .or_insert_with(|| KlassUse {
                    klass: used.klass.clone(),
                    attributes: Vec::new(),
                    data: Vec::new(),
                });
            known.attributes.extend(used.attributes);
            for part in used.data {
                if !known.data.contains(&part) {
                    known.data.push(part);
                }
            }
        }
        for klass in topic.pipeline.mapping().owners_of() {
            klasses
                .entry(klass.to_string())
                .or_insert_with(|| KlassUse {
                    klass,
                    attributes: Vec::new(),
                    data: Vec::new(),
                });
        }
    }
    for used in klasses.values_mut() {
        used.attributes.sort();
        used.attributes.dedup();
    }
    klasses
}

/// Whether customers are given companies: then these are looked up.
fn topics_name_companies(settings: &Settings) -> bool {
    let topics = settings.kafka.topics.iter();
    topics
        .into_iter()
        .any(|topic| topic.pipeline.mapping().links_companies())
}

/// The roles that the key needs for these mappings, by `docs/kustomer-api.md`, section 1.
pub(super) fn needs(settings: &Settings) -> Vec<Need> {
    let routes = settings
        .kafka
        .topics
        .iter()
        .flat_map(|t| t.pipeline.mapping().routes());
    let kinds: BTreeSet<&str> = routes.flat_map(|route| route.kinds).collect();
    let asks = settings
        .kafka
        .topics
        .iter()
        .any(|topic| !topic.pipeline.mapping().owners_of().is_empty());
    let mut needs = Vec::new();
    if kinds.contains("identify") || kinds.contains("track") {
        needs.push(Need::Track);
    }
    if kinds.contains("kobject") || kinds.contains("digest") {
        needs.extend([
            Need::ReadCustomers,
            Need::CreateCustomers,
            Need::CreateKObjects,
            Need::UpdateKObjects,
            Need::ReadKObjects,
            Need::ReadJobs,
        ]);
    } else if asks {
        // Whose an object is, and by what the tracking API knows that customer.
        needs.extend([Need::ReadCustomers, Need::ReadKObjects]);
    }
    let mut also = |more: &[Need]| {
        for need in more {
            if !needs.contains(need) {
                needs.push(*need);
            }
        }
    };
    if kinds.contains("customer") {
        also(&[
            Need::ReadCustomers,
            Need::CreateCustomers,
            Need::UpdateCustomers,
            Need::ReadJobs,
        ]);
    }
    if kinds.contains("company") {
        also(&[
            Need::ReadCompanies,
            Need::CreateCompanies,
            Need::UpdateCompanies,
            Need::ReadJobs,
        ]);
    }
    if topics_name_companies(settings) {
        also(&[Need::ReadCompanies]);
    }
    needs
}
