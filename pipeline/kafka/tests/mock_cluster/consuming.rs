//! Records, pauses, commits, restarts, statistics, the stop.

use std::time::Duration;

use ingest_kafka::embedded::{CommitRefusal, EmbeddedBroker};
use ingest_kafka::{
    Assigned, CommitFailureKind, KafkaSettings, RecordProducer, SourceCommand, SourceErrorKind,
    SourceEvent,
};
use ingest_model::record::Offset;
use tokio::time::Instant;

use crate::support::{
    PATIENCE, QUIET, Source, commit_foreign_bytes, committed, entry, fill, header, offsets,
    outgoing, partition, settings, settings_with, small_prefetch, start,
};

#[tokio::test(flavor = "multi_thread")]
async fn records_arrive_in_order_with_everything_they_carry() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let producer = RecordProducer::new(&settings).unwrap();
    let mut full = outgoing("events", 0, "value");
    full.key = Some("key".into());
    full.timestamp_ms = Some(1_700_000_000_123);
    full.headers = vec![
        header("a", Some(b"1")),
        header("null", None),
        header("empty", Some(b"")),
        header("a", Some(b"\xff\xfe")),
    ];
    producer.send(&full).await.unwrap();
    let mut tombstone = outgoing("events", 0, "");
    tombstone.value = None;
    let position = producer.send(&tombstone).await.unwrap();
    assert_eq!(position.offset, Offset(1));

    let mut source = start(&settings);
    let assigned = source.assigned().await;
    assert_eq!(assigned.len(), 1);
    assert_eq!(assigned[0].partition, partition(0));
    assert_eq!(assigned[0].committed, None);
    let records = source.records(2).await;
    let (record, epoch) = &records[0];
    assert_eq!(*epoch, assigned[0].epoch);
    assert_eq!(record.key, full.key);
    assert_eq!(record.value, full.value);
    assert_eq!(record.headers, full.headers);
    assert_eq!(record.timestamp_ms, full.timestamp_ms);
    assert_eq!(records[1].0.value, None);
    assert_eq!(records[1].0.key, None);
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_begins_at_the_committed_offset_with_its_metadata() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    fill(&settings, "events", 0, 0, 10).await;
    let mut first = start(&settings);
    let assigned = first.assigned().await;
    assert_eq!(
        offsets(&first.records(10).await),
        (0..10).collect::<Vec<i64>>()
    );
    first.commit(entry(&assigned[0], 3, None)).await;
    first
        .commit(entry(&assigned[0], 6, Some("runs: 8-9")))
        .await;
    first.stop().await;

    let mut second = start(&settings);
    let again = second.assigned().await;
    assert!(
        again[0].epoch > assigned[0].epoch,
        "epochs grow from one driver to the next"
    );
    let start = again[0].committed.clone().unwrap();
    assert_eq!(start.offset, Offset(6));
    assert_eq!(start.metadata.as_deref(), Some("runs: 8-9"));
    assert!(!start.metadata_unreadable);
    assert_eq!(offsets(&second.records(4).await), vec![6, 7, 8, 9]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_metadata_that_is_not_text_is_survived() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    fill(&settings, "events", 0, 0, 5).await;
    commit_foreign_bytes(&broker, "workers", "events", 2, b"\xc3\x28\xff");
    let mut source = start(&settings);
    let start = source.assigned().await[0].committed.clone().unwrap();
    assert_eq!(start.offset, Offset(2));
    assert!(start.metadata_unreadable);
    assert_eq!(start.metadata, None);
    assert_eq!(offsets(&source.records(3).await), vec![2, 3, 4]);
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_partition_is_quiet_until_it_is_resumed() {
    let broker = EmbeddedBroker::start(&[("events", 2)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let mut source = start(&settings);
    let mut assigned = source.assigned().await;
    while assigned.len() < 2 {
        assigned.extend(source.assigned().await);
    }
    source.send(SourceCommand::Pause(vec![partition(0)]));
    tokio::time::sleep(Duration::from_millis(100)).await;
    fill(&settings, "events", 0, 0, 3).await;
    fill(&settings, "events", 1, 0, 3).await;
    let records = source.records(3).await;
    assert!(
        records
            .iter()
            .all(|(record, _)| record.position.partition == partition(1))
    );
    source.quiet_for(QUIET).await;
    source.send(SourceCommand::Resume(vec![partition(0)]));
    let records = source.records(3).await;
    assert!(
        records
            .iter()
            .all(|(record, _)| record.position.partition == partition(0))
    );
    assert_eq!(offsets(&records), vec![0, 1, 2]);
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_is_noticed_at_once() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    // No statistics and few heartbeats: nothing else wakes the client's fetching thread.
    let settings = settings_with(&broker, &["events"], |options| {
        options.statistics_interval = Duration::from_secs(60);
        options
            .properties
            .insert("heartbeat.interval.ms".to_owned(), "3000".to_owned());
    });
    fill(&settings, "events", 0, 0, 1).await;
    let mut source = start(&settings);
    source.assigned().await;
    source.records(1).await;
    let mut quickest = PATIENCE;
    for round in 1..=4 {
        source.send(SourceCommand::Pause(vec![partition(0)]));
        tokio::time::sleep(Duration::from_millis(300)).await;
        fill(&settings, "events", 0, round, 1).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let began = Instant::now();
        source.send(SourceCommand::Resume(vec![partition(0)]));
        source.records(1).await;
        quickest = quickest.min(began.elapsed());
    }
    assert!(quickest < Duration::from_millis(150), "took {quickest:?}");
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_channel_stops_neither_polling_nor_order() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        small_prefetch(options);
        // Without polling, the client would leave the group during the pause below.
        options
            .properties
            .insert("max.poll.interval.ms".to_owned(), "6000".to_owned());
        options.drain_deadline = Duration::from_secs(2);
        options.statistics_interval = Duration::from_secs(1);
    });
    fill(&settings, "events", 0, 0, 200).await;
    let mut source = start(&settings);
    let assigned = source.assigned().await;
    assert_eq!(offsets(&source.records(5).await), vec![0, 1, 2, 3, 4]);
    tokio::time::sleep(Duration::from_secs(8)).await;
    // The command and its answer get past the full channel.
    source.send(SourceCommand::Commit {
        entries: vec![entry(&assigned[0], 5, None)],
    });
    let began = Instant::now();
    while committed(&settings, 0).await != Some(Offset(5)) {
        assert!(began.elapsed() < PATIENCE);
    }
    let mut seen = Vec::new();
    let mut answered = false;
    while seen.len() < 195 {
        match source.next().await {
            SourceEvent::Records(batch) => {
                for (record, epoch) in batch {
                    assert_eq!(epoch, assigned[0].epoch, "the partition was never given up");
                    seen.push(record.position.offset.0);
                }
            }
            SourceEvent::Committed { result, .. } => answered = result.is_ok(),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(answered);
    assert_eq!(seen, (5..200).collect::<Vec<i64>>());
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_has_committed_is_read_with_its_text_and_without_ownership() {
    let broker = EmbeddedBroker::start(&[("events", 2), ("elsewhere", 1)]).unwrap();
    // One member reads `elsewhere`, the other commits for `events`; both are of one group.
    let mut reader = start(&settings(&broker, &["elsewhere"]));
    reader.assigned().await;
    let mut owner = start(&settings(&broker, &["events"]));
    let assigned = owner.assigned().await;
    let mine = assigned[0].partition.clone();
    owner.send(SourceCommand::Commit {
        entries: vec![entry(&assigned[0], 7, Some("kr1.told|rest"))],
    });
    while !matches!(
        owner.next().await,
        SourceEvent::Committed { result: Ok(()), .. }
    ) {}
    let never = ingest_model::record::TopicPartition::new("elsewhere", 0);
    reader.send(SourceCommand::ReadCommitted(vec![mine.clone(), never]));
    let found = loop {
        if let SourceEvent::CommittedByOthers(found) = reader.next().await {
            break found;
        }
    };
    let [(partition, committed)] = found.as_slice() else {
        panic!("only what was committed: {found:?}")
    };
    assert_eq!((partition, committed.offset), (&mine, Offset(7)));
    assert_eq!(committed.metadata.as_deref(), Some("kr1.told|rest"));
    owner.stop().await;
    reader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partitions_metadata_does_not_fail_the_commits_of_others() {
    let broker = EmbeddedBroker::start(&[("events", 2)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let mut source = start(&settings);
    let mut assigned = source.assigned().await;
    while assigned.len() < 2 {
        assigned.extend(source.assigned().await);
    }
    assigned.sort_by(|a, b| a.partition.cmp(&b.partition));
    // The first refusal is for the common commit, the second for the first partition's own.
    broker
        .refuse_commits(CommitRefusal::MetadataTooLarge, 2)
        .unwrap();
    source.send(SourceCommand::Commit {
        entries: vec![
            entry(&assigned[0], 1, Some("x")),
            entry(&assigned[1], 1, None),
        ],
    });
    let mut results = Vec::new();
    while results.len() < 2 {
        match source.next().await {
            SourceEvent::Committed { entries, result } => {
                assert_eq!(entries.len(), 1);
                results.push((
                    entries[0].0.partition.0,
                    result.map_err(|failure| failure.kind),
                ));
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    results.sort_by_key(|(number, _)| *number);
    assert_eq!(
        results,
        vec![(0, Err(CommitFailureKind::MetadataTooLarge)), (1, Ok(()))]
    );
    source.stop().await;
}

/// Reads three records, and commits two of them when no broker answers any more.
async fn commits_without_brokers(
    broker: &EmbeddedBroker,
    settings: &KafkaSettings,
) -> (Source, Assigned) {
    let (source, assigned) = all_read(settings).await;
    broker.set_down(true).unwrap();
    source.send(SourceCommand::Commit {
        entries: vec![entry(&assigned, 2, None)],
    });
    (source, assigned)
}

/// A source that was given the only partition, and has read its three records.
async fn all_read(settings: &KafkaSettings) -> (Source, Assigned) {
    fill(settings, "events", 0, 0, 3).await;
    let mut source = start(settings);
    let assigned = source.assigned().await.remove(0);
    source.records(3).await;
    (source, assigned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_reported_and_survived() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        options
            .properties
            .insert("socket.timeout.ms".to_owned(), "2000".to_owned());
        options
            .properties
            .insert("session.timeout.ms".to_owned(), "30000".to_owned());
    });
    let (mut source, _assigned) = commits_without_brokers(&broker, &settings).await;
    let began = Instant::now();
    loop {
        assert!(
            began.elapsed() < PATIENCE,
            "no report of the broker's absence"
        );
        match source.event().await {
            SourceEvent::Error(error)
                if matches!(
                    error.kind,
                    SourceErrorKind::BrokersDown | SourceErrorKind::Connection
                ) =>
            {
                break;
            }
            SourceEvent::Error(_) | SourceEvent::Statistics(_) => {}
            SourceEvent::Committed { result, .. } => {
                assert_eq!(result.unwrap_err().kind, CommitFailureKind::Timeout);
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    broker.set_down(false).unwrap();
    fill(&settings, "events", 0, 3, 2).await;
    let mut values = Vec::new();
    while values.len() < 2 {
        match source.next().await {
            SourceEvent::Records(batch) => {
                values.extend(batch.iter().map(|(record, _)| record.position.offset.0));
            }
            SourceEvent::Committed { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(values, vec![3, 4]);
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_tell_the_lag_of_a_paused_partition() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        options.statistics_interval = Duration::from_millis(500);
    });
    fill(&settings, "events", 0, 0, 4).await;
    let mut source = start(&settings);
    let assigned = source.assigned().await;
    source.records(4).await;
    source.commit(entry(&assigned[0], 1, None)).await;
    source.send(SourceCommand::Pause(vec![partition(0)]));
    fill(&settings, "events", 0, 4, 6).await;
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "the lag never came");
        if let SourceEvent::Statistics(statistics) = source.event().await
            && let [only] = statistics.partitions.as_slice()
            && only.high_watermark == Some(Offset(10))
        {
            assert_eq!(only.partition, partition(0));
            assert_eq!(only.low_watermark, Some(Offset(0)));
            assert_eq!(only.lag, Some(9));
            break;
        }
    }
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_clean_and_fast_and_so_is_letting_go_of_both_ends() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    fill(&settings, "events", 0, 0, 3).await;
    let mut source = start(&settings);
    let assigned = source.assigned().await;
    source.records(3).await;
    // A commit asked for before the stop is finished first.
    source.send(SourceCommand::Commit {
        entries: vec![entry(&assigned[0], 3, None)],
    });
    let began = Instant::now();
    source.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "took {:?}",
        began.elapsed()
    );
    assert_eq!(committed(&settings, 0).await, Some(Offset(3)));

    // The group is free at once: the next member does not have to wait for a session to expire.
    let began = Instant::now();
    let mut next = start(&settings);
    next.assigned().await;
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "took {:?}",
        began.elapsed()
    );
    let Source { handle, events, .. } = next;
    drop(events);
    let ended = tokio::task::spawn_blocking(move || handle.join());
    assert!(
        tokio::time::timeout(PATIENCE, ended)
            .await
            .unwrap()
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_hangs_is_answered_when_the_consumer_is_made_anew() {
    renews_while_a_commit_hangs(Duration::from_secs(30), Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_hangs_is_answered_even_if_the_group_gave_the_partitions_away() {
    renews_while_a_commit_hangs(Duration::from_secs(6), Duration::from_secs(20)).await;
}

/// The commit is answered when the drain ends, or the session before.
async fn renews_while_a_commit_hangs(session: Duration, drain: Duration) {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        options.drain_deadline = drain;
        let session = session.as_millis().to_string();
        let properties = &mut options.properties;
        properties.insert("session.timeout.ms".to_owned(), session);
        properties.insert("socket.timeout.ms".to_owned(), "60000".to_owned());
    });
    let (mut source, assigned) = all_read(&settings).await;
    // The commit is on its way, and nobody answers it.
    broker.set_round_trip_time(PATIENCE * 3).unwrap();
    source.send(SourceCommand::Commit {
        entries: vec![entry(&assigned, 2, None)],
    });
    let renewer = source.handle.renewer();
    let mut renewing = tokio::task::JoinSet::new();
    let same = settings.clone();
    let began = Instant::now();
    renewing.spawn(async move { renewer.renew(same).await });
    let (partition, epoch) = (assigned.partition, assigned.epoch);
    let mut lost = None;
    loop {
        match source.event().await {
            SourceEvent::Committed { entries, result } => {
                assert_eq!(entries, [(partition, epoch, Offset(2))]);
                assert_eq!(result.unwrap_err().kind, CommitFailureKind::Timeout);
                break;
            }
            SourceEvent::Lost(_) => lost = lost.or_else(|| Some(began.elapsed())),
            SourceEvent::Records(_) => panic!("nothing is read meanwhile"),
            _ => {}
        }
        assert!(
            began.elapsed() < session.min(drain) + Duration::from_secs(12),
            "nobody answers the commit"
        );
    }
    assert_eq!(lost.unwrap() < drain, session < drain, "{lost:?}");
    broker.set_round_trip_time(Duration::ZERO).unwrap();
    renewing.join_next().await.unwrap().unwrap().unwrap();
    source.stop().await;
}
