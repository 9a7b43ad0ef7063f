//! What the simulator contains at the end, against the files.

use std::collections::HashMap;

use kustomer_sim::Sim;

use super::source::Samples;

/// How many differences are listed; the rest is counted.
const LISTED: usize = 10;

/// Where Kustomer's content differs from the files; empty if all is well.
pub(super) fn differences(sim: &Sim, samples: &Samples) -> Vec<String> {
    let ids: HashMap<String, String> = sim
        .customers()
        .filter_map(|customer| Some((customer.id, customer.external_id?)))
        .collect();
    let mut found = baskets(sim, samples, &ids);
    found.extend(events(sim, samples, &ids));
    found.extend(households(sim, samples));
    let more = found.len().saturating_sub(LISTED);
    found.truncate(LISTED);
    if more > 0 {
        found.push(format!("and {more} more differences"));
    }
    found
}

fn baskets(sim: &Sim, samples: &Samples, ids: &HashMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = HashMap::new();
    for object in sim.objects("order") {
        let id = object.external_id.unwrap_or_default();
        *seen.entry(id.clone()).or_insert(0) += 1;
        let Some(basket) = samples.baskets.get(&id) else {
            found.push(format!("order {id}: not in the files"));
            continue;
        };
        let customer = object.customer.and_then(|customer| ids.get(&customer));
        if customer != Some(&basket.customer) {
            found.push(format!(
                "order {id}: of {customer:?}, should be {}",
                basket.customer
            ));
        }
        if object.rest.get("data").and_then(|data| data.get("lines")) != Some(&basket.lines) {
            found.push(format!("order {id}: its lines differ"));
        }
        if object.created_at.millis() != basket.at.as_millisecond() {
            found.push(format!(
                "order {id}: created {:?}, should be {}",
                object.created_at, basket.at
            ));
        }
    }
    for id in samples.baskets.keys() {
        match seen.get(id) {
            Some(1) => {}
            times => found.push(format!("order {id}: there {} times", times.unwrap_or(&0))),
        }
    }
    found
}

fn events(sim: &Sim, samples: &Samples, ids: &HashMap<String, String>) -> Vec<String> {
    let mut by_customer: HashMap<&str, Vec<String>> = HashMap::new();
    for event in sim.events() {
        let customer = event
            .customer
            .and_then(|customer| ids.get(&customer))
            .map_or("", String::as_str);
        by_customer.entry(customer).or_default().push(event.name);
    }
    let mut found = Vec::new();
    for (customer, wanted) in &samples.events {
        let names = by_customer.remove(customer.as_str()).unwrap_or_default();
        if names != *wanted {
            found.push(format!(
                "{customer}: {} events, should be {}, or in another order",
                names.len(),
                wanted.len()
            ));
        }
    }
    found.extend(
        by_customer
            .into_keys()
            .map(|customer| format!("{customer}: events of nobody in the files")),
    );
    found
}

fn households(sim: &Sim, samples: &Samples) -> Vec<String> {
    let mut found = Vec::new();
    for (customer, age) in &samples.ages {
        let timeline = sim.timeline(customer);
        let custom = timeline
            .as_ref()
            .and_then(|timeline| timeline.attributes.get("custom"));
        let told = custom
            .and_then(|custom| custom.get("ageStr"))
            .and_then(|age| age.as_str());
        if told != Some(age) {
            found.push(format!("{customer}: age {told:?}, should be {age}"));
        }
    }
    found
}
