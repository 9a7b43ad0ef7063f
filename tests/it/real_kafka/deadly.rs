//! A record that kills every process that maps it.

use std::os::unix::process::ExitStatusExt as _;

use bytes::Bytes;
use ingest_model::record::Record;
use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::worker::Worker;
use super::{broker, wait_for};

/// No record should be able to do this, so it is simulated: the worker and its child die at this text.
const DEADLY: &str = "ends-the-process";

#[tokio::test(flavor = "multi_thread")]
async fn a_record_at_which_a_worker_and_its_children_die_is_dead_lettered_and_nothing_else_is() {
    let Some(broker) = broker::shared("deadly").await else {
        return;
    };
    let options = Options {
        partitions: 2,
        ..Options::default()
    };
    let setup = Setup::start(broker, "deadly", options).await;
    let mut shop = Shop::new(20, Clock.unix_ms());
    setup.produce(shop.take(&setup, round())).await;
    let deadly = setup.record("deadly", format!("{{\"note\":\"{DEADLY}\"}}"));
    let written = setup.produce(vec![deadly.clone()]).await;
    setup.produce(shop.take(&setup, round())).await;

    let mut first = worker(&setup).await;
    let status = wait_for("the worker to die", String::new, async || first.ended()).await;
    assert_eq!(status.signal(), Some(6), "{}", first.tail());

    let mut second = worker(&setup).await;
    setup.wait_until_committed(&[&second]).await;
    let died = |letter: &&Record| {
        letter
            .header("ingest.error.reason")
            .is_some_and(|reason| reason == "process_died")
    };
    let all = setup.dead_letters().await;
    let letters: Vec<&Record> = all.iter().filter(died).collect();
    assert_eq!(letters.len(), 1, "{letters:#?}");
    assert_eq!(letters[0].value, deadly.value);
    let offset = written[0].0.offset.0.to_string();
    let source = letters[0].header("ingest.source.offset").cloned();
    assert_eq!(source, Some(Bytes::from(offset)));
    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    setup.assert_delivered(&account, shop.expected());
    second.assert_sound().await;
    let (status, _) = second.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", second.tail());
    setup.say(&format!(
        "one of {} records ended a worker and two children, and was dead-lettered",
        shop.expected().records + 1
    ));
}

async fn worker(setup: &Setup) -> Worker {
    let arguments = ["--die-at", DEADLY];
    Worker::start_with(&setup.config_file(), setup.options.scale, "", &arguments).await
}
