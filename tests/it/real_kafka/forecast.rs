//! `forecast` reads what a topic had in the last hour.

use std::process::Command;

use kustomer_ingest::clock::Clock;
use serde_json::Value;

use super::broker;
use super::setup::{Options, Setup};
use super::shop::Shop;

const HOUR_MS: i64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hour_of_a_topic_is_played() {
    let Some(broker) = broker::shared("forecast").await else {
        return;
    };
    let setup = Setup::start(broker, "forecast", Options::default()).await;
    let mut shop = Shop::new(5, Clock.unix_ms());
    let (old, recent) = (shop.take(&setup, 3), shop.take(&setup, 8));
    let at = |ago: i64| Some(Clock.unix_ms() - ago);
    let old = old.into_iter().map(|mut record| {
        record.timestamp_ms = at(2 * HOUR_MS);
        record
    });
    let expected = recent.len();
    let recent = recent.into_iter().enumerate().map(|(place, mut record)| {
        let place = i64::try_from(place).unwrap();
        record.timestamp_ms = at(HOUR_MS / 2 - place * 1_000);
        record
    });
    setup.produce(old.collect()).await;
    // One at a time: records of several keys are otherwise written in any order, and so are their times.
    for record in recent {
        setup.produce(vec![record]).await;
    }
    let file = setup.config_file();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
            .args([
                "forecast", "--last", "1h", "--limit", "1000", "--json", "--config",
            ])
            .arg(file)
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures["traffic"]["records"], expected, "{figures}");
    let lasts = figures["traffic"]["lasts_seconds"].as_f64().unwrap();
    let seconds = f64::from(u32::try_from(expected).unwrap() - 1);
    assert!((lasts - seconds).abs() <= 2.0, "{lasts} for {seconds}");
    let records = &figures["tiers"][0]["records"];
    assert_eq!(records["open"], 0, "{figures}");
    assert!(records["delivered"].as_u64().unwrap() > 0, "{figures}");
}
