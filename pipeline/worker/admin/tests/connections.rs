//! Limits on connections, over real sockets.

use super::*;

#[tokio::test]
async fn one_peer_cannot_take_all_connections() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let running = start().await;
    let address = running.base.trim_start_matches("http://").to_owned();
    let mut all = Vec::new();
    for _ in 0..1_000 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        // A request that does not come to its end.
        drop(stream.write_all(b"GET /status HTT").await);
        all.push(stream);
    }
    // Connections are taken in the order in which they came, and none of these has time to end by itself.
    let (served, refused) = all.split_at_mut(16);
    for stream in refused {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_u8()).await;
        assert!(matches!(read, Ok(Err(_))), "the others are closed");
    }
    for stream in served {
        let read = tokio::time::timeout(Duration::from_millis(20), stream.read_u8()).await;
        assert!(read.is_err(), "those that came first are open: {read:?}");
    }
    drop(all);
    let served = async {
        while running.client.get(&running.base).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(10), served).await;
    served.expect("places are given back");
}

#[tokio::test]
async fn peers_who_take_all_places_and_ask_for_nothing_keep_nobody_out() {
    let running = start().await;
    let address: SocketAddr = running.base.trim_start_matches("http://").parse().unwrap();
    let from = |last: u8| async move {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(address).await.unwrap()
    };
    let mut all = Vec::new();
    for turn in 0..100 {
        for last in 11..17 {
            all.push(from(last).await);
        }
        if turn % 20 == 0 {
            let asked = running.client.get(format!("{}/live", running.base)).send();
            let asked = tokio::time::timeout(Duration::from_secs(5), asked).await;
            assert_eq!(asked.expect("in time").unwrap().status(), 200);
        }
    }
    drop(all);
}

#[test]
fn a_network_of_ipv6_is_one_peer() {
    use super::super::server::peer_of;
    let of = |text: &str| peer_of(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:9::1"));
    assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
    assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
}

#[tokio::test]
async fn a_kept_connection_is_answered_or_closed_and_a_slow_request_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let idle = Duration::from_secs(2);
    let running = start_waiting(idle, Recorder::default(), |address, metrics| {
        Access::new(address, (None, None), String::new(), metrics)
    })
    .await;
    let address = running.base.trim_start_matches("http://").to_owned();
    let open = || async { tokio::net::TcpStream::connect(&address).await.unwrap() };
    let request = b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // Within its time a connection is used again and again.
    let mut kept = open().await;
    let mut answer = [0_u8; 4096];
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        kept.write_all(request).await.unwrap();
        let read = kept.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{read}");
    }
    // After it, it is closed before anything is sent.
    let closed = tokio::time::timeout(Duration::from_secs(5), kept.read(&mut answer)).await;
    assert_eq!(closed.expect("closed").unwrap(), 0);
    // A request that comes byte by byte does not keep its place.
    let mut slow = open().await;
    let began = Clock.now();
    for byte in request.iter().cycle() {
        if slow.write_all(&[*byte]).await.is_err() || began.elapsed() > Duration::from_secs(8) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "it is ended");
}
