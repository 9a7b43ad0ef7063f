//! Large stores. Run with `cargo test --release -p kustomer-sim --test contract -- --ignored --nocapture scale`.

use std::io::Write;
use std::time::Instant;

use kustomer_sim::{Config, Method, Request, Sim, SimTime};

const START: SimTime = SimTime::from_millis(1_735_787_045_000);

fn tell(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

fn rate(name: &str, count: u32, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    let line = format!(
        "{name}: {count} in {seconds:.1} s, {:.0} per second",
        f64::from(count) / seconds
    );
    tell(&line);
}

#[test]
#[ignore = "takes a minute and a gigabyte"]
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn a_million_events_and_a_million_objects() {
    let mut config = Config {
        limit: 1_000_000_000,
        ..Config::default()
    };
    config.set("bulk-start", "complete").unwrap();
    config.set("create-limit", "0").unwrap();
    let mut sim = Sim::new(config);
    let begun = Instant::now();
    for number in 0..1_000_000_u32 {
        let body = format!(
            r#"{{"identity":{{"externalId":"customer-{}"}},"event":{{"name":"Product-Viewed","meta":{{"eventKey":"key-{number}","occurredAt":"2025-01-02T03:04:05.000Z","sku":"sku-{number}","valueNum":{number}}}}}}}"#,
            number % 100_000
        );
        let request = Request::new(Method::Post, "/v1/tracking/identityEvent")
            .token("sim-key")
            .text(body);
        assert_eq!(
            sim.handle(START.plus_millis(i64::from(number)), &request)
                .status,
            201
        );
    }
    rate("tracking", 1_000_000, begun);
    let begun = Instant::now();
    for job in 0..10_000_u32 {
        let items: Vec<String> = (0..100)
            .map(|item| {
                let number = job * 100 + item;
                format!(
                    r#"{{"_clientRef":"r{number}","title":"Order {number}","externalId":"order-{number}","custom":{{"totalNum":{number},"statusStr":"paid","ingestVersionStr":"1"}}}}"#
                )
            })
            .collect();
        let body = format!("[{}]", items.join(","));
        let request = Request::new(Method::Post, "/v1/klasses/order/bulk")
            .token("sim-key")
            .text(body);
        assert_eq!(
            sim.handle(START.plus_millis(i64::from(job)), &request)
                .status,
            201
        );
    }
    rate("objects", 1_000_000, begun);
    let account = sim.account();
    assert_eq!(
        (account.kobjects_total, account.customers_total),
        (1_000_000, 100_000)
    );
    assert_eq!(
        (account.accepted.tracking, account.repeated.tracking),
        (1_000_000, 0)
    );
    let begun = Instant::now();
    for number in 0..10_000_u32 {
        let path = format!("/v1/klasses/order/externalId=order-{}", number * 97);
        let request = Request::new(Method::Get, path).token("sim-key");
        assert_eq!(sim.handle(START, &request).status, 200);
    }
    rate("reads by external id", 10_000, begun);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let memory = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap_or_default();
        tell(memory);
    }
}
