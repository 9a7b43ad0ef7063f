use super::*;
use crate::clock;

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("t", number)
}

/// Partitions 0, 1 and 2 with epochs 1, 2 and 3; 0 and 1 have started.
fn three() -> Partitions {
    let mut partitions = Partitions::default();
    let mut last = 0;
    let assigned = partitions.assign(&[partition(0), partition(1), partition(2)], || {
        last += 1;
        Epoch(last)
    });
    assert_eq!(assigned.len(), 3);
    partitions.start(&partition(0), Epoch(1), Reading::default());
    partitions.start(&partition(1), Epoch(2), Reading::default());
    partitions
}

#[test]
fn a_partition_delivers_once_its_committed_offset_is_known() {
    let mut partitions = three();
    assert_eq!(
        partitions.delivery("t", 0).map(|(_, epoch)| epoch),
        Some(Epoch(1))
    );
    assert!(partitions.delivery("t", 2).is_none());
    assert!(
        !partitions.is_starting(&partition(2), Epoch(2)),
        "another epoch"
    );
    partitions.start(&partition(2), Epoch(3), Reading::default());
    assert!(partitions.delivery("t", 2).is_some());
    assert!(partitions.delivery("u", 0).is_none());
}

#[test]
fn a_revocation_is_over_when_all_of_it_is_handed_back() {
    let mut partitions = three();
    let deadline = clock::now();
    let all = [partition(0), partition(1), partition(2)];
    let draining = partitions.revoke(&all, deadline);
    assert_eq!(
        draining,
        vec![(partition(0), Epoch(1)), (partition(1), Epoch(2))]
    );
    assert!(partitions.delivery("t", 0).is_none());
    assert!(
        partitions.may_commit(&partition(0), Epoch(1)),
        "draining ends with a commit"
    );
    assert!(partitions.hand_back(&partition(0), Epoch(1)));
    assert!(
        !partitions.may_commit(&partition(0), Epoch(1)),
        "nothing after the hand-back"
    );
    assert!(!partitions.is_drained());
    assert!(
        !partitions.hand_back(&partition(1), Epoch(1)),
        "an answer to an older epoch"
    );
    assert!(partitions.hand_back(&partition(1), Epoch(2)));
    assert!(partitions.is_drained());
    assert_eq!(partitions.end_revocation(), vec![], "all were handed back");
    assert!(partitions.revocation_deadline().is_none());
}

#[test]
fn what_is_not_handed_back_by_the_deadline_counts_as_lost() {
    let mut partitions = three();
    partitions.revoke(&[partition(0), partition(1)], clock::now());
    assert!(partitions.hand_back(&partition(0), Epoch(1)));
    assert_eq!(partitions.end_revocation(), vec![(partition(1), Epoch(2))]);
}

#[test]
fn a_second_revocation_joins_the_first_and_keeps_its_deadline() {
    let mut partitions = three();
    let first = clock::now();
    partitions.revoke(&[partition(0)], first);
    let later = first + std::time::Duration::from_secs(9);
    assert_eq!(
        partitions
            .revoke(&[partition(0), partition(1)], later)
            .len(),
        1
    );
    assert_eq!(partitions.revocation_deadline(), Some(first));
    assert_eq!(partitions.revoking().len(), 2);
}

#[test]
fn losing_everything_closes_the_open_revocation() {
    let mut partitions = three();
    partitions.revoke(&[partition(0)], clock::now());
    assert!(partitions.hand_back(&partition(0), Epoch(1)));
    let lost = partitions.lose(&[partition(0), partition(1), partition(2)]);
    assert_eq!(
        lost,
        vec![(partition(1), Epoch(2))],
        "only what the worker still holds"
    );
    assert!(partitions.revocation_deadline().is_none());
}

#[test]
fn a_pause_outlives_the_channels_and_not_the_assignment() {
    let mut partitions = three();
    assert!(partitions.set_paused(&partition(0), true));
    assert!(
        !partitions.set_paused(&partition(0), true),
        "nothing changed"
    );
    assert_eq!(partitions.delivering(), vec![partition(1)]);
    partitions.lose(&[partition(0)]);
    partitions.assign(&[partition(0)], || Epoch(9));
    partitions.start(&partition(0), Epoch(9), Reading::default());
    assert_eq!(partitions.delivering().len(), 2);
}

#[test]
fn a_new_life_has_an_epoch_of_its_own_and_old_records_still_pass() {
    let mut partitions = three();
    assert_eq!(partitions.take("t", 0, Offset(7)), Step::Follows);
    assert_eq!(partitions.take("t", 0, Offset(7)), Step::WentBack);
    assert_eq!(
        partitions.begin_life(&partition(0), Epoch(9), Offset(7)),
        None
    );
    assert_eq!(partitions.take("t", 0, Offset(7)), Step::Follows);
    let epoch = partitions.delivery("t", 0).map(|(_, epoch)| epoch);
    assert_eq!(epoch, Some(Epoch(9)));
    for (epoch, passes) in [(1, true), (9, true), (10, false), (0, false)] {
        assert_eq!(partitions.delivers(&partition(0), Epoch(epoch)), passes);
    }
    assert!(
        !partitions.may_commit(&partition(0), Epoch(1)),
        "of the old life"
    );
    assert!(partitions.may_commit(&partition(0), Epoch(9)));
}

#[test]
fn what_was_asked_of_the_log_before_says_nothing_about_the_one_that_is_read() {
    let mut partitions = three();
    let asked = partitions.with_epochs(vec![partition(0), partition(1), partition(7)]);
    assert_eq!(asked, [(partition(0), Epoch(1)), (partition(1), Epoch(2))]);
    assert!(partitions.reads_under(&partition(0), Epoch(1)));
    partitions.led_astray("t");
    assert!(!partitions.reads_under(&partition(0), Epoch(1)));
    partitions.found(&partition(0));
    partitions.begin_life(&partition(0), Epoch(9), Offset(0));
    assert!(!partitions.reads_under(&partition(0), Epoch(1)));
    assert!(partitions.reads_under(&partition(0), Epoch(9)));
    assert!(!partitions.reads_under(&partition(7), Epoch(9)), "not held");
}

#[test]
fn a_partition_whose_topic_was_made_again_delivers_nothing_before_the_client_knows() {
    let mut partitions = three();
    assert_eq!(partitions.led_astray("u"), []);
    assert_eq!(partitions.led_astray("t").len(), 3);
    assert_eq!(partitions.astray(), [partition(0), partition(1)]);
    assert!(partitions.delivery("t", 0).is_none());
    partitions.found(&partition(0));
    assert!(partitions.delivery("t", 0).is_some());
    partitions.start(&partition(2), Epoch(3), Reading::default());
    assert_eq!(partitions.astray(), [partition(1), partition(2)]);
}
