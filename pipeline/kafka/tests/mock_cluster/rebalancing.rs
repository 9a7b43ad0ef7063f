//! Two and three members of one group, and a member that is removed from it.

use std::collections::BTreeSet;
use std::time::Duration;

use ingest_kafka::embedded::{CommitRefusal, EmbeddedBroker};
use ingest_kafka::{CommitEntry, CommitFailureKind, KafkaSettings, SourceCommand, SourceEvent};
use ingest_model::record::{Epoch, Offset, TopicPartition};
use tokio::time::Instant;

use crate::support::{
    PATIENCE, QUIET, Source, by_partition, entry, fill, offsets, partition, settings,
    settings_with, start,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_group_protocol_hands_back_in_the_same_way() {
    let broker = EmbeddedBroker::start(&[("events", 2)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        options.properties.clear();
        options
            .properties
            .insert("group.protocol".to_owned(), "consumer".to_owned());
    });
    let (mut first, mut second, revoking) = second_member_joins(&settings).await;
    let (moving, epoch) = revoking[0].clone();
    assert_eq!(first.quiet_for(Duration::from_secs(2)).await.len(), 0);
    first
        .commit(CommitEntry {
            partition: moving.clone(),
            epoch,
            offset: Offset(2),
            metadata: Some("runs".to_owned()),
        })
        .await;
    first.send(SourceCommand::HandBack(revoking));
    let assigned = second.assigned().await;
    assert_eq!(assigned[0].partition, moving);
    let start = assigned[0].committed.clone().unwrap();
    assert_eq!(
        (start.offset, start.metadata.as_deref()),
        (Offset(2), Some("runs"))
    );
    assert_eq!(offsets(&second.records(2).await), vec![2, 3]);
    first.stop().await;
    second.stop().await;
}

/// Two members: the second joins while the first holds both partitions. Returns the partitions that the first has to
/// drain.
async fn second_member_joins(
    settings: &KafkaSettings,
) -> (Source, Source, Vec<(TopicPartition, Epoch)>) {
    fill(settings, "events", 0, 0, 4).await;
    fill(settings, "events", 1, 0, 4).await;
    let mut first = start(settings);
    let mut assigned = first.assigned().await;
    while assigned.len() < 2 {
        assigned.extend(first.assigned().await);
    }
    first.records(8).await;
    let second = start(settings);
    match first.next().await {
        SourceEvent::Revoking(revoking) => {
            assert_eq!(revoking.len(), 1);
            let held = by_partition(&assigned);
            assert_eq!(held[&revoking[0].0].epoch, revoking[0].1);
            (first, second, revoking)
        }
        other => panic!("instead of a revocation: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_partition_stays_until_it_is_handed_back() {
    let broker = EmbeddedBroker::start(&[("events", 2)]).unwrap();
    // The broker waits for the first member for little less than its session, and refuses its commits afterwards.
    let settings = settings_with(&broker, &["events"], |options| {
        let properties = &mut options.properties;
        properties.insert("session.timeout.ms".to_owned(), "12000".to_owned());
    });
    let (mut first, mut second, revoking) = second_member_joins(&settings).await;
    let (moving, epoch) = revoking[0].clone();
    fill(&settings, "events", moving.partition.0, 4, 4).await;

    // While the first drains, nobody gets the new records.
    let ((), ()) = tokio::join!(
        async { assert_eq!(first.quiet_for(Duration::from_secs(3)).await.len(), 0) },
        async {
            for event in second.quiet_for(Duration::from_secs(3)).await {
                assert!(
                    !matches!(event, SourceEvent::Assigned(_)),
                    "unexpected {event:?}"
                );
            }
        }
    );
    // An answer with an older epoch is ignored.
    let stale = Epoch(epoch.0 - 1);
    first.send(SourceCommand::HandBack(vec![(moving.clone(), stale)]));
    assert_eq!(first.quiet_for(QUIET).await.len(), 0);
    // The commit and the hand-back are sent together; the commit still comes first.
    let last = CommitEntry {
        partition: moving.clone(),
        epoch,
        offset: Offset(3),
        metadata: None,
    };
    first.send(SourceCommand::Commit {
        entries: vec![last.clone()],
    });
    first.send(SourceCommand::HandBack(revoking.clone()));
    match first.next().await {
        SourceEvent::Committed { entries, result } => {
            assert_eq!(entries, vec![(moving.clone(), epoch, Offset(3))]);
            assert_eq!(result, Ok(()));
        }
        other => panic!("instead of the commit's answer: {other:?}"),
    }
    let assigned = second.assigned().await;
    assert_eq!(assigned.len(), 1);
    assert_eq!(assigned[0].partition, moving);
    assert_eq!(assigned[0].committed.as_ref().unwrap().offset, Offset(3));
    assert!(assigned[0].epoch > epoch);
    assert_eq!(offsets(&second.records(5).await), vec![3, 4, 5, 6, 7]);

    // A partition that was handed back cannot be committed any more, and none of its records arrives here.
    first.send(SourceCommand::Commit {
        entries: vec![last],
    });
    match first.next().await {
        SourceEvent::Committed { result, .. } => {
            assert_eq!(result.unwrap_err().kind, CommitFailureKind::NotOwned);
        }
        other => panic!("instead of the commit's answer: {other:?}"),
    }
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partitions_of_one_revocation_leave_together() {
    let broker = EmbeddedBroker::start(&[("events", 4)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let mut first = start(&settings);
    let mut held = 0;
    while held < 4 {
        held += first.assigned().await.len();
    }
    let mut second = start(&settings);
    let revoking = match first.next().await {
        SourceEvent::Revoking(revoking) => revoking,
        other => panic!("instead of a revocation: {other:?}"),
    };
    assert_eq!(revoking.len(), 2);
    first.send(SourceCommand::HandBack(vec![revoking[0].clone()]));
    // If parts were handed back separately, the group could give away what is still drained here.
    assert_eq!(second.quiet_for(Duration::from_secs(4)).await, vec![]);
    first.send(SourceCommand::HandBack(vec![revoking[1].clone()]));
    let mut moved = Vec::new();
    while moved.len() < 2 {
        moved.extend(second.assigned().await.into_iter().map(|one| one.partition));
    }
    let mut expected: Vec<TopicPartition> = revoking.into_iter().map(|(one, _)| one).collect();
    moved.sort();
    expected.sort();
    assert_eq!(moved, expected);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_does_not_hand_back_loses_the_partition_at_the_deadline() {
    let broker = EmbeddedBroker::start(&[("events", 2)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        options.drain_deadline = Duration::from_secs(2);
    });
    let (mut first, mut second, revoking) = second_member_joins(&settings).await;
    assert_eq!(first.next().await, SourceEvent::Lost(revoking.clone()));
    let assigned = second.assigned().await;
    assert_eq!(assigned[0].partition, revoking[0].0);
    // A late answer is harmless.
    first.send(SourceCommand::HandBack(revoking));
    first.quiet_for(QUIET).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_drain_hands_everything_over() {
    let broker = EmbeddedBroker::start(&[("events", 2)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let (first, mut second, revoking) = second_member_joins(&settings).await;
    let began = Instant::now();
    first.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "took {:?}",
        began.elapsed()
    );
    let mut held = BTreeSet::new();
    while held.len() < 2 {
        if let SourceEvent::Assigned(assigned) = second.next().await {
            held.extend(assigned.into_iter().map(|one| one.partition));
        }
    }
    assert!(held.contains(&revoking[0].0));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_member_that_joins_during_a_drain_gets_its_part_later() {
    let broker = EmbeddedBroker::start(&[("events", 3)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let mut first = start(&settings);
    let mut held = 0;
    while held < 3 {
        held += first.assigned().await.len();
    }
    let mut second = start(&settings);
    let revoking = match first.next().await {
        SourceEvent::Revoking(revoking) => revoking,
        other => panic!("instead of a revocation: {other:?}"),
    };
    let mut third = start(&settings);
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.send(SourceCommand::HandBack(revoking));
    // From here on everybody hands back at once, until each member has one partition.
    let mut owners = [3 - 1_i64, 0, 0];
    let began = Instant::now();
    while owners != [1, 1, 1] {
        assert!(began.elapsed() < PATIENCE * 2, "owners {owners:?}");
        for (owner, source) in [&mut first, &mut second, &mut third]
            .into_iter()
            .enumerate()
        {
            let Ok(Some(event)) =
                tokio::time::timeout(Duration::from_millis(20), source.events.recv()).await
            else {
                continue;
            };
            match event {
                SourceEvent::Assigned(assigned) => {
                    owners[owner] += i64::try_from(assigned.len()).unwrap();
                }
                SourceEvent::Revoking(revoking) => {
                    owners[owner] -= i64::try_from(revoking.len()).unwrap();
                    source.send(SourceCommand::HandBack(revoking));
                }
                SourceEvent::Statistics(_) | SourceEvent::Error(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!(owners.iter().sum::<i64>() <= 3, "owners {owners:?}");
    }
    for source in [first, second, third] {
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_member_loses_its_partitions_and_gets_them_again_in_a_new_epoch() {
    let broker = EmbeddedBroker::start(&[("events", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    fill(&settings, "events", 0, 0, 3).await;
    let mut source = start(&settings);
    let assigned = source.assigned().await;
    source.records(3).await;
    broker
        .refuse_commits(CommitRefusal::UnknownMember, 1)
        .unwrap();
    source.send(SourceCommand::Commit {
        entries: vec![entry(&assigned[0], 2, None)],
    });
    let (mut fenced, mut lost) = (false, false);
    while !(fenced && lost) {
        match source.next().await {
            SourceEvent::Committed { result, .. } => {
                let failure = result.unwrap_err();
                assert_eq!(failure.kind, CommitFailureKind::Fenced);
                assert!(!failure.kind.is_retriable());
                fenced = true;
            }
            SourceEvent::Lost(partitions) => {
                assert_eq!(partitions, vec![(partition(0), assigned[0].epoch)]);
                lost = true;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    let again = source.assigned().await;
    assert!(again[0].epoch > assigned[0].epoch);
    assert_eq!(
        offsets(&source.records(3).await),
        vec![0, 1, 2],
        "nothing was committed"
    );
    source.stop().await;
}
