//! Passwords and certificates that change while workers are busy.

use std::time::Duration;

use kustomer_ingest::clock::Clock;

use super::super::setup::{Options, tails};
use super::super::shop::{Shop, round};
use super::super::wait_for;
use super::super::worker::Worker;
use super::{MTLS, World, scram};

pub(super) const RENEWED: &str = "the credentials for the brokers were renewed";
const KEPT: &str = "the new credentials for the brokers cannot be used; the old ones stay in use";

fn options() -> Options {
    Options {
        // Slow enough that there is always something under way.
        scale: 20.0,
        state: Some((2, vec![("cleanup.policy", "compact")])),
        ..Options::default()
    }
}

/// The shop goes on until all workers have said this once more than before.
pub(super) async fn busy_until(
    world: &World,
    shop: &mut Shop,
    workers: &[&Worker],
    said: &str,
    times: usize,
) {
    let said_it = || workers.iter().all(|worker| worker.count(said) >= times);
    let begun = Clock.now();
    while !said_it() {
        world.setup.produce(shop.take(&world.setup, 1)).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(
            Clock.now() - begun < Duration::from_secs(60),
            "{said}\n{}",
            tails(workers)
        );
    }
    world.setup.produce(shop.take(&world.setup, round())).await;
}

/// Waits until `/status` says that the credentials were renewed so often, and are those in the files.
async fn until_renewed(worker: &Worker, times: u64) {
    wait_for(
        "the renewal in /status",
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let seen = &status["kafka"]["credentials"];
            (seen["renewed"] == times && seen["kept_because"].is_null()).then_some(())
        },
    )
    .await;
}

/// Everything was delivered, once, and no letter is there twice.
async fn assert_all_once(world: &World, shop: &Shop, workers: Vec<Worker>) {
    let all: Vec<&Worker> = workers.iter().collect();
    world.setup.wait_until_committed(&all).await;
    let account = world.setup.kustomer.account();
    // What partitions take with them when they move: tracking events that were under way may be repeated, objects not.
    world.setup.assert_good_but_repeats(&account);
    world.setup.assert_delivered(&account, shop.expected());
    let repeated = world.setup.assert_dead_letters(shop.expected()).await;
    world.setup.say(&format!(
        "{} requests, {} tracking events and {repeated} dead letters repeated",
        account.requests.total, account.repeated.tracking
    ));
    for mut worker in workers {
        worker.assert_sound().await;
        let (status, _) = worker.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", worker.tail());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_under_load_costs_nothing() {
    let Some(world) = World::start("rotated", options()).await else {
        return;
    };
    let (user, mechanism) = ("rota", "SCRAM-SHA-512");
    world
        .secure
        .set_password(user, mechanism, "zz-secret-first");
    world.write("password", b"zz-secret-first");
    let config = world.config(&world.secure.address("SASL"), &scram(user, mechanism));
    let mut shop = Shop::new(12, Clock.unix_ms());
    world.setup.produce(shop.take(&world.setup, round())).await;
    let workers = vec![world.worker(&config).await, world.worker(&config).await];
    let both: Vec<&Worker> = workers.iter().collect();
    for worker in &workers {
        worker.wait_until("delivered", 5).await;
    }
    // The brokers know the new one before the workers do, and want it of old connections after eight seconds.
    world
        .secure
        .set_password(user, mechanism, "zz-secret-second");
    world.write("password", b"zz-secret-second\n");
    busy_until(&world, &mut shop, &both, RENEWED, 1).await;
    drop(both);
    for worker in &workers {
        until_renewed(worker, 1).await;
    }
    assert_all_once(&world, &shop, workers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_under_load_costs_nothing_even_when_half_of_it_comes_first() {
    let Some(world) = World::start("certified", options()).await else {
        return;
    };
    let put = |name: &str, content: &[u8]| world.write(name, content);
    let first = world.secure.authority.issue("worker 1", &[], (-1, 1));
    put("client.pem", &first.certificate);
    put("client.key", &first.key);
    let config = world.config(&world.secure.address("MTLS"), MTLS);
    let mut shop = Shop::new(12, Clock.unix_ms());
    world.setup.produce(shop.take(&world.setup, round())).await;
    let worker = world.worker(&config).await;
    worker.wait_until("delivered", 5).await;
    let second = world.secure.authority.issue("worker 2", &[], (-1, 30));
    put("client.pem", &second.certificate);
    busy_until(&world, &mut shop, &[&worker], KEPT, 1).await;
    let line = worker.line(KEPT).unwrap();
    assert!(line["because"].as_str().unwrap().contains("key"), "{line}");
    wait_for(
        "the reason in /status",
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let seen = &status["kafka"]["credentials"];
            (seen["renewed"] == 0 && seen["kept_because"].is_string()).then_some(())
        },
    )
    .await;
    put("client.key", &second.key);
    busy_until(&world, &mut shop, &[&worker], RENEWED, 1).await;
    until_renewed(&worker, 1).await;
    let outcomes = |outcome: &'static str| [("outcome", outcome)];
    let metrics = worker.metrics().await;
    let name = "kafka_credentials_renewed_total";
    assert!(metrics.sum(name, &outcomes("refused")) >= 1.0);
    assert!((metrics.sum(name, &outcomes("renewed")) - 1.0).abs() < f64::EPSILON);
    assert_all_once(&world, &shop, vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_a_wrong_password_waits_quietly_until_it_is_corrected() {
    let Some(world) = World::start("corrected", Options::default()).await else {
        return;
    };
    let (user, mechanism) = ("late", "SCRAM-SHA-256");
    world
        .secure
        .set_password(user, mechanism, "zz-secret-right");
    world.write("password", b"zz-secret-wrong");
    let config = world.config(&world.secure.address("SASL"), &scram(user, mechanism));
    let mut shop = Shop::new(4, Clock.unix_ms());
    world.setup.produce(shop.take(&world.setup, round())).await;
    let mut worker = world.worker(&config).await;
    let refused = wait_for(
        "the reason in /ready",
        || worker.tail(),
        async || {
            let causes = worker.unready().await?;
            causes
                .into_iter()
                .find(|cause| cause.contains("the brokers refuse these credentials"))
        },
    )
    .await;
    assert!(
        refused.contains("check sasl.username, sasl.password"),
        "{refused}"
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    let log = worker.log();
    assert!(log.len() < 40, "{} lines:\n{}", log.len(), log.join("\n"));
    assert!(worker.ended().is_none(), "{}", worker.tail());
    assert!(
        !log.iter().any(|line| line.contains("wrong")),
        "{}",
        log.join("\n")
    );
    world.setup.say(&format!("{} lines in the log", log.len()));
    world.write("password", b"zz-secret-right");
    world.setup.wait_until_committed(&[&worker]).await;
    wait_for(
        "readiness",
        || worker.tail(),
        async || worker.is_ready().await.then_some(()),
    )
    .await;
    let account = world.setup.kustomer.account();
    world.setup.assert_good(&account);
    world.setup.assert_delivered(&account, shop.expected());
    worker.assert_sound().await;
}
