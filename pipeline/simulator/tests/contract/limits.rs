use kustomer_sim::{Account, Config, Method, Reply, Request, Sim, SimTime};
use proptest::prelude::*;

use crate::Api;

const START: SimTime = SimTime::from_millis(1_735_787_045_000);

fn sim(limit: u64, switches: &[(&str, &str)]) -> Sim {
    let mut config = Config {
        limit,
        ..Config::default()
    };
    for (name, value) in switches {
        config.set(name, value).unwrap();
    }
    Sim::new(config)
}

fn ask(sim: &mut Sim, after: i64) -> Reply {
    let request = Request::new(Method::Get, "/v1/klasses").token("sim-key");
    sim.handle(START.plus_millis(after), &request)
}

#[tokio::test]
async fn every_request_of_every_key_counts() {
    let config = Config {
        limit: 4,
        tokens: vec!["sim-key".to_owned(), "other".to_owned()],
        ..Config::default()
    };
    let mut api = Api::with(config).await;
    let first = api.get("/v1/klasses").await.expect(200);
    assert_eq!(
        (
            first.number("x-ratelimit-limit"),
            first.number("x-ratelimit-remaining")
        ),
        (4, 3)
    );
    assert_eq!(first.header("x-ratelimit-reset"), None);
    assert_eq!(
        api.get("/v1/nowhere")
            .await
            .expect(404)
            .number("x-ratelimit-remaining"),
        2
    );
    api.token = "other".to_owned();
    api.post("/v1/customers", serde_json::json!({"x": 1}))
        .await
        .expect(400);
    api.token = "wrong".to_owned();
    let unknown = api.get("/v1/klasses").await.expect(401);
    assert_eq!(unknown.header("x-ratelimit-remaining"), None);
    api.token = "other".to_owned();
    assert_eq!(
        api.get("/v1/klasses")
            .await
            .expect(200)
            .number("x-ratelimit-remaining"),
        0
    );
    let refused = api.get("/v1/klasses").await.expect(429);
    assert_eq!(refused.number("x-ratelimit-remaining"), 0);
    let now = api.server.now().millis() / 1_000;
    assert!((now + 50..=now + 61).contains(&refused.number("x-ratelimit-reset")));
    assert_eq!(refused.header("retry-after"), None);
    assert_eq!(refused.error()["title"], "Too Many Requests");
    // control endpoints cost nothing
    api.get("/_sim/account").await.expect(200);
    let account = api.account();
    let window = account.windows[0];
    assert_eq!((window.spent, window.refused, window.foreign), (4, 1, 0));
    assert_eq!(
        (
            account.refused["org_limit"],
            account.refused["unauthorized"]
        ),
        (1, 1)
    );
    assert_eq!(account.requests.total, 6);
}

#[test]
fn the_window_is_fixed_and_begins_with_the_first_request() {
    let mut sim = sim(2, &[]);
    assert_eq!(ask(&mut sim, 0).status, 200);
    assert_eq!(ask(&mut sim, 59_000).status, 200);
    assert_eq!(ask(&mut sim, 59_999).status, 429);
    assert_eq!(
        ask(&mut sim, 60_000).header("x-ratelimit-remaining"),
        Some("1")
    );
    assert_eq!(
        ask(&mut sim, 130_000).header("x-ratelimit-remaining"),
        Some("1")
    );
    let starts: Vec<i64> = sim
        .account()
        .windows
        .iter()
        .map(|window| window.start.since(START))
        .collect();
    assert_eq!(starts, [0, 60_000, 130_000]);
}

#[test]
fn window_leaky() {
    let mut sim = sim(60, &[("window", "leaky"), ("reset-unit", "millis")]);
    assert!((0..60).all(|_| ask(&mut sim, 0).status == 200));
    let refused = ask(&mut sim, 0);
    assert_eq!(refused.status, 429);
    let reset: i64 = refused
        .header("x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(SimTime::from_millis(reset), START.plus_millis(1_000));
    assert_eq!(ask(&mut sim, 1_000).status, 200);
    assert_eq!(ask(&mut sim, 1_001).status, 429);
    assert_eq!(
        ask(&mut sim, 31_000).header("x-ratelimit-remaining"),
        Some("29")
    );
}

#[test]
fn reset_header_and_unit() {
    let reset = |switches: &[(&str, &str)], asked: usize| {
        let mut sim = sim(1, switches);
        let replies: Vec<Reply> = (0..asked).map(|_| ask(&mut sim, 500)).collect();
        replies
            .last()
            .unwrap()
            .header("x-ratelimit-reset")
            .map(str::to_owned)
    };
    let end = START.plus_millis(60_500).millis();
    assert_eq!(reset(&[("reset-header", "429")], 1), None);
    assert_eq!(
        reset(&[("reset-header", "always")], 1),
        Some(((end + 999) / 1_000).to_string())
    );
    assert_eq!(reset(&[("reset-header", "never")], 2), None);
    assert_eq!(
        reset(&[("reset-unit", "seconds")], 2),
        Some(((end + 999) / 1_000).to_string())
    );
    assert_eq!(reset(&[("reset-unit", "millis")], 2), Some(end.to_string()));
    assert_eq!(reset(&[("reset-unit", "delta")], 2), Some("60".to_owned()));
}

#[test]
fn retry_after() {
    let mut sim = sim(1, &[("retry-after", "add")]);
    assert_eq!(ask(&mut sim, 0).header("retry-after"), None);
    assert_eq!(ask(&mut sim, 15_000).header("retry-after"), Some("45"));
}

#[test]
fn drain() {
    let mut sim = sim(100, &[("drain", "60")]);
    assert_eq!(ask(&mut sim, 0).header("x-ratelimit-remaining"), Some("99"));
    assert_eq!(
        ask(&mut sim, 10_000).header("x-ratelimit-remaining"),
        Some("88")
    );
    sim.advance(START.plus_millis(90_000));
    let windows = sim.account().windows;
    assert_eq!((windows[0].spent, windows[0].foreign), (2, 60));
    assert_eq!((windows[1].spent, windows[1].foreign), (0, 30));
}

#[test]
fn the_date_is_on_the_simulators_clock() {
    let mut sim = sim(10, &[]);
    assert_eq!(
        ask(&mut sim, 0).header("date"),
        Some("Thu, 02 Jan 2025 03:04:05 GMT")
    );
    assert_eq!(
        ask(&mut sim, 61_000).header("date"),
        Some("Thu, 02 Jan 2025 03:05:06 GMT")
    );
}

#[tokio::test]
async fn a_scaled_clock_shortens_the_minute() {
    let api = Api::with(Config {
        limit: 1,
        time_scale: 50.0,
        ..Config::default()
    })
    .await;
    api.get("/v1/klasses").await.expect(200);
    api.get("/v1/klasses").await.expect(429);
    tokio::time::sleep(std::time::Duration::from_millis(1_400)).await;
    let got = api.get("/v1/klasses").await.expect(200);
    assert!(got.header("date").unwrap().ends_with(" GMT"));
    let first = api.account().windows[0];
    assert!(api.server.now().since(first.start) >= 60_000);
}

fn check(account: &Account, limit: u64) -> Result<(), TestCaseError> {
    for window in &account.windows {
        prop_assert!(window.spent + window.foreign <= limit);
    }
    let spent: u64 = account.windows.iter().map(|window| window.spent).sum();
    let refused: u64 = account.windows.iter().map(|window| window.refused).sum();
    prop_assert_eq!(spent + refused, account.requests.total);
    prop_assert_eq!(
        refused,
        account.refused.get("org_limit").copied().unwrap_or(0)
    );
    Ok(())
}

proptest! {
    #[test]
    fn the_account_agrees_with_the_replies(
        limit in 1_u64..30,
        drain in 0_u64..40,
        pauses in prop::collection::vec(0_i64..15_000, 1..150),
    ) {
        let mut sim = sim(limit, &[("drain", &drain.to_string())]);
        let mut now = 0;
        let mut refused = 0;
        for pause in pauses {
            now += pause;
            let reply = ask(&mut sim, now);
            let remaining: u64 = reply.header("x-ratelimit-remaining").unwrap().parse().unwrap();
            prop_assert!(remaining < limit);
            refused += u64::from(reply.status == 429);
        }
        let account = sim.account();
        check(&account, limit)?;
        prop_assert_eq!(account.refused.get("org_limit").copied().unwrap_or(0), refused);
    }
}
