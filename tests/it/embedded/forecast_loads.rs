//! `forecast` of steady loads: what it says of a load agrees with itself.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::forecast::{MAPPING, Rig, event, events, near, number};

/// Whether it keeps up, by each of the figures that say so.
fn keeps_up(tier: &Value, what: &str) -> bool {
    let free = tier["free"].as_f64().unwrap_or(f64::INFINITY);
    let allowed = number(tier, "/allowance").min(free);
    let fits = number(tier, "/units/needed_per_minute") <= allowed;
    let grows = number(tier, "/backlog/grows_per_hour") > 0.0;
    assert_eq!(fits, !grows, "{what}: {tier}");
    assert_eq!(tier["advice"].is_null(), fits, "{what}: {tier}");
    fits
}

#[test]
fn what_is_needed_and_whether_it_keeps_up_never_contradict_each_other() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Coupon Applied", 50));
    // Allowed are 240 a minute, and each event takes one of them.
    for (rate, lasting, fits) in [
        (200, "10m", true),
        (236, "10m", true),
        (240, "1m", true),
        (240, "10m", true),
        (246, "3m", false),
        (246, "10m", false),
        (260, "10m", false),
    ] {
        let what = format!("{rate} a minute for {lasting}");
        let arguments = format!("events.ndjson --rate {rate}/m --for {lasting} --limit 300");
        let figures = rig.figures(&arguments);
        let tier = &figures["tiers"][0];
        assert_eq!(keeps_up(tier, &what), fits, "{what}: {tier}");
        let needed = number(tier, "/units/needed_per_minute");
        near(needed, f64::from(rate), 0.01, &what);
        let said = String::from_utf8(rig.run(&arguments).stdout).unwrap();
        assert_eq!(said.contains("never at this rate"), !fits, "{said}");
    }
    // A minute is too short to tell, and does not contradict itself.
    let figures = rig.figures("events.ndjson --rate 246/m --for 1m --limit 300");
    assert!(keeps_up(&figures["tiers"][0], "a minute"));
    // A backlog at the beginning does not make the stream dearer.
    let figures = rig.figures("events.ndjson --backlog 2000 --rate 230/m --for 1h --limit 300");
    assert!(keeps_up(&figures["tiers"][0], "behind a backlog"));
    // What others spend is not there, whatever is allowed.
    let arguments = "events.ndjson --rate 700/m --for 10m --limit 1000 --set drain=500";
    let figures = rig.figures(arguments);
    let tier = &figures["tiers"][0];
    assert!(!keeps_up(tier, "beside others"));
    assert_eq!(tier["free"], 450.0);
    let said = String::from_utf8(rig.run(arguments).stdout).unwrap();
    assert!(said.contains("requests a minute, left by others"), "{said}");
    assert!(said.contains("and 450 are left by others"), "{said}");
}

#[test]
fn mixed_loads_do_not_contradict_themselves_either() {
    let rig = Rig::new(MAPPING);
    let mut lines = String::new();
    for number in 0..300 {
        let name = ["Coupon Applied", "Product Viewed", "Order Completed"][number % 3];
        writeln!(lines, "{}", event(name, number, number % 97)).unwrap();
    }
    rig.write(&lines);
    let mut kept = Vec::new();
    for rate in [300, 500, 600, 650, 700, 750, 1_000] {
        let what = format!("{rate} a minute");
        let arguments = format!("events.ndjson --rate {rate}/m --for 15m --limit 300");
        kept.push(keeps_up(&rig.figures(&arguments)["tiers"][0], &what));
    }
    assert!(kept.is_sorted_by(|one, next| one >= next), "{kept:?}");
    assert_eq!((kept.first(), kept.last()), (Some(&true), Some(&false)));
}

#[test]
fn a_load_that_is_carried_for_long_is_not_called_too_much_at_its_beginning() {
    // Identities of customers nobody knows, their orders, and what they look at.
    let mapping = format!(
        "{MAPPING}  - name: who\n    type: identify\n    on: identify\n    do:\n      - identify: {{ name: .traits.name }}\n"
    );
    let rig = Rig::new(&mapping);
    let mut lines = String::new();
    for number in 0..3 {
        let mut one = event(["", "Order Completed", "Product Viewed"][number], number, 1);
        if number == 0 {
            one["type"] = json!("identify");
            one["traits"] = json!({ "name": "Ada" });
        }
        writeln!(lines, "{one}").unwrap();
    }
    rig.write(&lines);
    let verdict = |rate: u32, lasting: &str| {
        let arguments = format!("events.ndjson --rate {rate}/m --for {lasting} --limit 300");
        let figures = rig.figures(&arguments);
        keeps_up(&figures["tiers"][0], &format!("{rate} for {lasting}"))
    };
    for lasting in ["35s", "1m", "2m", "3m", "10m"] {
        for rate in [300, 400, 500, 600] {
            assert!(verdict(rate, lasting), "{rate} a minute for {lasting}");
        }
        // A third of them takes a request each: 267 of 240.
        let shows = !lasting.ends_with('s') && !["1m", "2m"].contains(&lasting);
        assert!(
            !shows || !verdict(800, lasting),
            "800 a minute for {lasting}"
        );
    }
}

#[test]
fn more_requests_than_operations_are_explained_and_not_a_negative_saving() {
    let rig = Rig::new(MAPPING);
    rig.write(&events("Order Completed", 40));
    let arguments = "events.ndjson --rate 1/m --limit 1000";
    let figures = rig.figures(arguments);
    let tier = &figures["tiers"][0];
    // Each order is alone, and so is its customer.
    assert_eq!(tier["saved"]["units"], -40);
    assert_eq!(tier["saved"]["customer_requests"], 40);
    assert_eq!(tier["saved"]["identities_fused"], 0);
    let said = String::from_utf8(rig.run(arguments).stdout).unwrap();
    assert!(said.contains("0 of 40\n"), "{said}");
    assert!(!said.contains("-40"), "{said}");
    assert!(
        said.contains("Enterprise: nothing is saved, 40 operations cost 80 requests, 40 more than one each: 40 found or made customers"),
        "{said}"
    );
}

#[test]
fn companies_are_few_and_stay_the_same_over_rounds() {
    let mapping = "format: segment\nroutes:\n  - name: group\n    on: group\n    do:\n      - company: .groupId\n        name: .traits.name\n      \
                   - customer: .userId\n        company: .groupId\n";
    let rig = Rig::new(mapping);
    let mut lines = String::new();
    for number in 0..20 {
        let line = json!({
            "type": "group", "userId": format!("u{number}"), "groupId": format!("g{}", number % 2), "messageId": format!("m{number}"),
            "timestamp": "2026-01-05T00:00:00Z", "traits": { "name": "A company" },
        });
        writeln!(lines, "{line}").unwrap();
    }
    rig.write(&lines);
    let written = |more: &str| -> f64 {
        let figures = rig.figures(&format!("events.ndjson --backlog 2000 --limit 1000 {more}"));
        let tier = &figures["tiers"][0];
        assert_eq!(tier["records"]["delivered"], 2_000, "{tier}");
        number(tier, "/saved/objects_written")
    };
    // 2,000 customers, and two companies in all; a hundred rounds repeat what is known of those.
    let few = written("");
    assert!((2_002.0..2_100.0).contains(&few), "{few}");
    let more = written("--companies 200");
    assert!((2_200.0..2_300.0).contains(&more), "{more}");
    // Those who come back are the same, in the same company.
    let back = written("--customers 100");
    assert!((102.0..600.0).contains(&back), "{back}");
}

/// Orders whose route waits for their customers, or refuses those of nobody.
fn of_others(missing: &str) -> String {
    format!(
        "format: segment\nroutes:\n  - name: orders\n    on: Order Completed\n    customer: {{ externalId: .userId, missing: {missing} }}\n    do:\n      \
         - kobject: order\n        externalId: .properties.id\n        version: .timestamp\n        title: '\"Order \\(.properties.id)\"'\n"
    )
}

#[test]
fn customers_whom_routes_only_wait_for_are_there() {
    let who = "  - name: who\n    type: identify\n    on: identify\n    do:\n      - identify: { name: .traits.name }\n";
    for missing in ["park", "reject"] {
        for more in ["", who] {
            let rig = Rig::new(&(of_others(missing) + more));
            let mut lines = String::new();
            for number in 0..200 {
                writeln!(lines, "{}", event("Order Completed", number, number % 50)).unwrap();
            }
            rig.write(&lines);
            let figures =
                rig.figures("events.ndjson --rate 5/s --for 10m --customers 500 --limit 1000");
            let tier = &figures["tiers"][0];
            let records = &tier["records"];
            assert_eq!(records["delivered"], 3_000, "{missing} {more}: {records}");
            assert_eq!(records["dead_lettered"], json!({}), "{missing} {more}");
        }
    }
}
