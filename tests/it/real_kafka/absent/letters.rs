//! The topics for letters are deleted under a running worker: the letters wait, and are written once.

use ingest_kafka::OutgoingRecord;
use ingest_model::record::Record;
use kustomer_ingest::clock::Clock;
use serde_json::{Value, json};

use super::super::setup::{Options, Setup};
use super::super::worker::{Worker, whole};
use super::super::{broker, wait_for, wire};
use super::{assert_soon, command, make, on, setup, tea, until_ready, until_unready};

fn filed(setup: &Setup, number: u64) -> OutgoingRecord {
    let user = format!("guest-{}", number % 30);
    let value = json!({
        "type": "track", "event": "Return Filed", "messageId": format!("return-{number}"), "userId": user,
        "properties": { "return_id": format!("r-{number}") },
    });
    setup.record(&user, value.to_string())
}

/// A record that cannot be read.
fn torn(setup: &Setup, key: &str) -> OutgoingRecord {
    setup.record(key, "{\"type\":\"track\",\"event\":")
}

/// The hold with this cause in `/status`, once it is there.
async fn until_held(worker: &Worker, cause: &str) -> Value {
    wait_for(
        &format!("the hold {cause}"),
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let holds = status["holds"].as_array()?;
            holds.iter().find(|hold| hold["cause"] == cause).cloned()
        },
    )
    .await
}

async fn until_no_hold(worker: &Worker, cause: &str) {
    wait_for(
        &format!("the end of the hold {cause}"),
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let holds = status["holds"].as_array()?;
            holds
                .iter()
                .all(|hold| hold["cause"] != cause)
                .then_some(())
        },
    )
    .await;
}

/// The hold names the topic, what the brokers say about it and the command that creates it, in `/status` and `/ready`; log
/// lines from `from` on name the topic.
async fn assert_told(setup: &Setup, worker: &Worker, cause: &str, topic: &str, from: usize) {
    let hold = until_held(worker, cause).await;
    let last = &hold["last_error"];
    assert_eq!(last["kind"], "unknown_topic", "{hold}");
    assert!(last["words"].as_str().unwrap().contains(topic), "{hold}");
    let way_out = hold["what_to_do"].as_str().unwrap();
    assert!(way_out.contains(&command(setup, topic)), "{hold}");
    let said = until_unready(worker, &format!(": {cause};")).await;
    let parts = [cause, topic, "unknown_topic", &command(setup, topic)];
    for part in parts {
        assert!(said.contains(part), "no {part}: {said}");
    }
    let says = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["level"] == "ERROR"
            && line["cause"] == cause
            && line["last_error"].as_str().unwrap().contains(topic)
    };
    assert!(worker.log()[from..].iter().any(says), "{}", worker.tail());
}

fn count_of(letters: &[Record], key: &str) -> usize {
    let is_it = |letter: &&Record| letter.key.as_deref() == Some(key.as_bytes());
    letters.iter().filter(is_it).count()
}

/// The dead-letter topic is deleted under a running worker that has written to it, or has not.
async fn letters_wait(name: &str, properties: &[(&'static str, &'static str)], written: u64) {
    let Some(broker) = broker::shared(name).await else {
        return;
    };
    let mut options = Options {
        partitions: 1,
        ..Options::default()
    };
    options.properties.extend(properties);
    let (setup, _folder) = setup(broker, name, options).await;
    let mut worker = setup.worker().await;
    for number in 0..written {
        setup
            .produce(vec![torn(&setup, &format!("early-{number}"))])
            .await;
        worker.wait_until("dead_lettered", number + 1).await;
    }
    setup.produce(vec![tea(&setup, "ann", 0)]).await;
    worker.wait_until("delivered", 1).await;
    setup.wait_until_committed(&[&worker]).await;
    let kept = setup.committed_offsets().await;

    wire::delete_topic(&setup.broker, &setup.letters).await;
    let lines = worker.log().len();
    let since = Clock.now();
    setup.produce(vec![torn(&setup, "ann")]).await;
    setup.produce(vec![torn(&setup, "ben")]).await;
    until_held(&worker, "dead_letter_topic").await;
    let seen = assert_soon(since, "the hold was seen", &worker);
    assert_told(&setup, &worker, "dead_letter_topic", &setup.letters, lines).await;
    assert_soon(since, "everything was told", &worker);

    // The same partition, and the same customer as that of the waiting record.
    let more = ["ann", "ben", "cyd"].map(|user| (1..9).map(move |cup| (user, cup)));
    let more = more.into_iter().flatten();
    setup
        .produce(more.map(|(user, cup)| tea(&setup, user, cup)).collect())
        .await;
    worker.wait_until("delivered", 1 + 24).await;
    assert_eq!(setup.kustomer.account().accepted.tracking, 1 + 24);
    assert_eq!(
        setup.committed_offsets().await,
        kept,
        "a record without a dead letter is not committed"
    );
    assert_eq!(worker.metrics().await.records("dead_lettered"), written);

    make(&setup.broker, &setup.letters).await;
    let since = Clock.now();
    until_no_hold(&worker, "dead_letter_topic").await;
    setup.wait_until_committed(&[&worker]).await;
    until_ready(&worker).await;
    let back = Clock.now() - since;
    assert_eq!(worker.metrics().await.records("dead_lettered"), written + 2);
    worker.assert_sound().await;
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    let letters = setup.dead_letters().await;
    let counts = ["ann", "ben"].map(|key| count_of(&letters, key));
    assert_eq!((counts, letters.len()), ([1, 1], 2), "{letters:?}");
    setup.assert_good(&setup.kustomer.account());
    setup.say(&format!(
        "the hold was seen after {seen:.1?}, and {back:.1?} after the topic was made again all was written and committed"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_wait_for_a_topic_that_took_some_before_it_was_deleted() {
    letters_wait("gone-known", &[], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_wait_for_a_topic_that_was_deleted_before_the_first() {
    letters_wait("gone-unknown", &[], 0).await;
}

/// The client gives up such a letter after half a minute, here after a second. Then the worker sends it again.
#[tokio::test(flavor = "multi_thread")]
async fn letters_wait_also_where_the_client_gives_them_up() {
    letters_wait(
        "gone-up",
        &[("topic.metadata.propagation.max.ms", "1000")],
        2,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_that_divert_pause_while_the_hold_topic_is_away() {
    const RETURNS: u64 = 700;
    /// Half of the smallest budget.
    const HELD: u64 = 500;
    let Some(broker) = broker::shared("no-hold").await else {
        return;
    };
    let options = Options {
        partitions: 2,
        budget: "{ records: 1000, bytes: 16MiB }",
        ..Options::default()
    };
    let (setup, _folder) = setup(broker, "no-hold", options).await;
    setup.inject(&json!({"rules": [
        {"when": {"endpoint": "kobject.bulk_create"}, "do": {"action": "status", "status": 403}},
        {"when": {"endpoint": "kobject.create"}, "do": {"action": "status", "status": 403}},
    ]}));
    let mut worker = setup.worker().await;
    setup.produce(vec![on(1, tea(&setup, "ann", 0))]).await;
    worker.wait_until("delivered", 1).await;
    wire::delete_topic(&setup.broker, &setup.hold_topic()).await;
    let lines = worker.log().len();
    let since = Clock.now();
    let returns = (0..RETURNS).map(|number| on(0, filed(&setup, number)));
    setup.produce(returns.collect()).await;
    until_held(&worker, "hold_topic").await;
    let seen = assert_soon(since, "the hold was seen", &worker);
    assert_told(&setup, &worker, "hold_topic", &setup.hold_topic(), lines).await;
    wait_for(
        "the partition of the returns to wait",
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let partitions = status["partitions"].as_array()?.iter();
            let mut of_it = partitions.filter(|one| one["partition"] == 0);
            let waiting = of_it.next()?["waiting"].as_str()?.to_owned();
            waiting.contains("missing_role").then_some(())
        },
    )
    .await;
    setup
        .produce((1..20).map(|cup| on(1, tea(&setup, "ben", cup))).collect())
        .await;
    worker.wait_until("delivered", 20).await;
    assert_eq!(worker.metrics().await.records("diverted"), 0);

    make(&setup.broker, &setup.hold_topic()).await;
    let since = Clock.now();
    until_no_hold(&worker, "hold_topic").await;
    let (held, diverted) = wait_for(
        "each return to be held or set aside",
        || worker.tail(),
        async || {
            let metrics = worker.metrics().await;
            let held = whole(metrics.sum("held_records", &[]));
            let diverted = metrics.records("diverted");
            (held + diverted == RETURNS).then_some((held, diverted))
        },
    )
    .await;
    let back = Clock.now() - since;
    assert!(held <= HELD, "{held} held");
    setup.inject(&json!({"rules": []}));
    worker.wait_until("delivered", 20 + held).await;
    setup.wait_until_committed(&[&worker]).await;
    until_ready(&worker).await;
    worker.assert_sound().await;
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    let listed = setup.letters_command(&["list", "--from-hold", "--json"]);
    assert_eq!(u64::try_from(listed.lines().count()).unwrap(), diverted);
    assert_eq!(setup.kustomer.account().kobjects_total, held);
    setup.say(&format!(
        "the hold was seen after {seen:.1?}; {back:.1?} after the topic was made again {diverted} of {RETURNS} were set aside"
    ));
}
