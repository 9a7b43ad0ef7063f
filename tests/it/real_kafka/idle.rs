//! With nothing else to do, how long an event takes from the broker to a request on the wire; and while strangers take the admin
//! server's connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kustomer_ingest::clock::Clock;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::setup::{Options, Setup};
use super::worker::Worker;
use super::{broker, wait_for};

const EVENTS: u64 = 200;
/// Between two events: longer than what the worker and its client wait for more.
const PAUSE: Duration = Duration::from_millis(120);
/// What 99 of a hundred events take at most, in milliseconds, beside other tests. Alone on a machine it is 50.
const MOST_MS: i64 = 250;

/// Strangers who connect at a time: many times what the admin server has places for.
const STRANGERS: usize = 400;
/// So many connections were closed or answered by the server, at least.
const CONNECTIONS: usize = 1_000;
/// Events while they do.
const DISTURBED: u64 = 80;

// One test, because two would disturb each other.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_on_the_wire_at_once_when_there_is_nothing_else_to_do_even_in_a_flood_of_connections()
 {
    let Some((setup, mut worker)) = idle("idle").await else {
        return;
    };
    let took = events(&setup, &worker, 0, EVENTS).await;
    setup.say(&format!(
        "from before an event is produced to the API, ms: {}",
        said(&took)
    ));
    assert!(at(&took, 99) <= MOST_MS, "{took:?}");
    let address: SocketAddr = worker.address().parse().unwrap();
    let (mut strangers, ended) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..STRANGERS {
        strangers.spawn(stranger(address, number, Arc::clone(&ended)));
    }
    let during = events(&setup, &worker, EVENTS, DISTURBED).await;
    let ended = ended.load(Ordering::Relaxed);
    setup.say(&format!(
        "while strangers connect to the admin server ({ended} connections that it ended or answered), ms: {}",
        said(&during)
    ));
    assert!(ended >= CONNECTIONS, "{ended} connections");
    assert!(at(&during, 50) <= MOST_MS, "{during:?}");
    assert!(at(&during, 99) <= 2 * MOST_MS, "{during:?}");
    // Whoever asks properly is answered meanwhile.
    worker.assert_sound().await;
    strangers.abort_all();
    worker.terminate().await;
}

/// A worker that has nothing to do, and what is around it.
async fn idle(name: &str) -> Option<(Setup, Worker)> {
    let broker = broker::shared(name).await?;
    let options = Options {
        scale: 1.0,
        limit: 2_000,
        ..Options::default()
    };
    let setup = Setup::start(broker, name, options).await;
    let worker = setup.worker().await;
    Some((setup, worker))
}

/// So many events from this number on, one after the other: how long each took to the API, in milliseconds, in order of that.
async fn events(setup: &Setup, worker: &Worker, from: u64, count: u64) -> Vec<i64> {
    let mut took = Vec::new();
    for number in from..from + count {
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
    took
}

fn at(took: &[i64], percent: usize) -> i64 {
    took[(took.len() - 1) * percent / 100]
}

fn said(took: &[i64]) -> String {
    let [median, most, nearly_all, longest] = [50, 95, 99, 100].map(|percent| at(took, percent));
    format!("median {median}, 95 % {most}, 99 % {nearly_all}, longest {longest}")
}

/// Somebody who connects again and again, asks for nothing, slowly, for everything, or sends much.
async fn stranger(address: SocketAddr, number: usize, ended: Arc<AtomicUsize>) {
    let last = u8::try_from(11 + number % 200).unwrap();
    loop {
        if let Some(mut stream) = connected(address, last).await {
            let body = vec![b'x'; 64 * 1024];
            let asked: &[u8] = match number % 4 {
                0 => b"",
                1 => b"GET /status HTT",
                2 => b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n",
                _ => b"POST /holds/release HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\n",
            };
            if stream.write_all(asked).await.is_ok() && number % 4 == 3 {
                drop(stream.write_all(&body).await);
            }
            let mut answer = vec![0; 16 * 1024];
            let read = stream.read(&mut answer);
            let read = tokio::time::timeout(Duration::from_secs(2), read).await;
            ended.fetch_add(usize::from(read.is_ok()), Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
}

async fn connected(address: SocketAddr, last: u8) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    // Or nobody could listen at that port meanwhile, such as the next container.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 1, last], 0).into()).unwrap();
    let connected = tokio::time::timeout(Duration::from_secs(2), socket.connect(address));
    connected.await.ok()?.ok()
}
