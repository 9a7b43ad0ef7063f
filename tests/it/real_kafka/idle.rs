//! With nothing else to do, how long an event takes from the broker to a request on the wire.

use std::time::Duration;

use kustomer_ingest::clock::Clock;
use serde_json::json;

use super::setup::{Options, Setup};
use super::{broker, wait_for};

const EVENTS: u64 = 200;
/// Between two events: longer than what the worker and its client wait for more.
const PAUSE: Duration = Duration::from_millis(120);
/// What 99 of a hundred events take at most, in milliseconds, beside other tests. Alone on a machine it is 50.
const MOST_MS: i64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_on_the_wire_at_once_when_there_is_nothing_else_to_do() {
    let Some(broker) = broker::shared("idle").await else {
        return;
    };
    let options = Options {
        scale: 1.0,
        limit: 2_000,
        ..Options::default()
    };
    let setup = Setup::start(broker, "idle", options).await;
    let mut worker = setup.worker().await;
    let mut took = Vec::new();
    for number in 0..EVENTS {
        let user = format!("u-{number}");
        let event = json!({
            "type": "track", "event": "Checkout Started", "messageId": format!("m-{number}"), "userId": user,
            "properties": {"cart_id": "c-1", "value": 10},
        });
        let began = Clock.unix_ms();
        setup
            .produce(vec![setup.record(&user, event.to_string())])
            .await;
        wait_for(
            "the event",
            || worker.tail(),
            async || (setup.kustomer.account().accepted.tracking > number).then_some(()),
        )
        .await;
        let came = setup.kustomer.with(|sim| {
            let times = sim.events().map(|event| event.created_at.millis());
            times.max().unwrap()
        });
        // The first ones find no connection.
        if number >= 10 {
            took.push(came - began);
        }
        tokio::time::sleep(PAUSE).await;
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    setup.say(&format!(
        "from before an event is produced to the API, ms: median {}, 95 % {}, 99 % {}, longest {}",
        at(50),
        at(95),
        at(99),
        at(100)
    ));
    assert!(at(99) <= MOST_MS, "{took:?}");
    worker.assert_sound().await;
    worker.terminate().await;
}
