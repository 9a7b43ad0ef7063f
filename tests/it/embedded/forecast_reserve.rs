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
    assert_eq!(tier["lowest_allowance"], 300);
    assert_eq!(tier["lowest_allowance_ever"], 300);
    let even = rig.figures(&format!("{arguments} --reserve 50"));
    let tier = &even["tiers"][0];
    near(
        number(tier, "/seconds"),
        11_000.0 / 800.0 * 60.0,
        0.03,
        "drain",
    );
    assert_eq!(tier["mean_reserve"], Value::Null);
    assert_eq!(tier["lowest_allowance"], Value::Null);
    let output = rig.run("events.ndjson --backlog 100 --limit 500");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("kustomer.reserve_at: 700 leaves nothing of the limit"),
        "{said}"
    );
}

#[test]
fn the_lowest_allowance_is_shown_and_one_that_was_not_played_is_said() {
    let day = "  reserve_at: [{ from: '00:10', to: '00:20', zone: UTC, reserve: 700 }]\n";
    let rig = Rig::with(MAPPING, "localhost:9092", day);
    rig.write(&events("Coupon Applied", 300));
    let arguments = "events.ndjson --rate 1/s --limit 1000 --svg plot.svg --for ";
    let said = |lasting: &str| {
        let output = rig.run(&format!("{arguments}{lasting}"));
        String::from_utf8(output.stdout).unwrap()
    };
    let row = |said: &str, name: &str| -> String {
        let rest = said.lines().find_map(|line| line.strip_prefix(name));
        let rest = rest.unwrap_or_else(|| panic!("no {name} in\n{said}"));
        rest.trim().to_owned()
    };
    let whole = said("30m");
    assert_eq!(row(&whole, "requests a minute, allowed at least"), "300");
    let average = row(&whole, "requests a minute, allowed on average of limit");
    assert!(average.ends_with(" of 1,000"), "{average}");
    assert!(!whole.contains("at other times"), "{whole}");
    let plot = std::fs::read_to_string(rig.path("plot.svg")).unwrap();
    assert!(plot.contains("on average, at least 300<"), "{plot}");
    let short = said("5m");
    assert_eq!(row(&short, "requests a minute, allowed at least"), "800");
    assert!(
        short.contains("kustomer.reserve_at allows only 300 requests a minute"),
        "{short}"
    );
    let figures = rig.figures("events.ndjson --rate 1/s --limit 1000 --for 5m");
    let tier = &figures["tiers"][0];
    assert_eq!(tier["lowest_allowance"], 800);
    assert_eq!(tier["lowest_allowance_ever"], 300);
}
