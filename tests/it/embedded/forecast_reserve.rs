//! `forecast`, where the reserve follows the time of day.

use serde_json::Value;

use super::forecast::{MAPPING, Rig, events, near, number};

#[test]
fn a_reserve_by_the_time_of_day_is_followed() {
    let night = "  reserve_at: [{ from: '00:00', to: '00:10', zone: UTC, reserve: 700 }]\n";
    let rig = Rig::with(MAPPING, "localhost:9092", night);
    rig.write(&events("Coupon Applied", 300));
    // It begins at midnight: ten minutes at 300, the rest at 800.
    let arguments = "events.ndjson --backlog 11000 --limit 1000";
    let figures = rig.figures(arguments);
    let tier = &figures["tiers"][0];
    let minutes = 10.0 + (11_000.0 - 3_000.0) / 800.0;
    near(number(tier, "/seconds"), minutes * 60.0, 0.03, "drain");
    near(
        number(tier, "/units/spent_ratio"),
        1.0,
        0.03,
        "of what is allowed on average",
    );
    let mean = (700.0 * 10.0 + 50.0 * (minutes - 10.0)) / minutes;
    near(number(tier, "/mean_reserve"), mean, 0.03, "mean");
    let even = rig.figures(&format!("{arguments} --reserve 50"));
    let tier = &even["tiers"][0];
    near(
        number(tier, "/seconds"),
        11_000.0 / 800.0 * 60.0,
        0.03,
        "drain",
    );
    assert_eq!(tier["mean_reserve"], Value::Null);
    let output = rig.run("events.ndjson --backlog 100 --limit 500");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("kustomer.reserve_at: 700 leaves nothing of the limit"),
        "{said}"
    );
}
