//! Notes on disk, and children that die. The children are shell scripts: all that matters is how they end.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ingest_model::record::{Offset, Position, TopicPartition};

use super::*;
use crate::clock::Clock;

/// A child that is ready at once, answers each line, and kills itself by a signal at a line with the base64 of `deadly`.
const SCRIPT: &str = r#"echo ready
while read -r line; do
  case $line in *ZGVhZGx5*) kill -6 $$ ;; esac
  echo ready
done"#;

fn child(script: &str) -> Child {
    Child {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        patience: Patience::default(),
    }
}

fn record(partition: i32, offset: i64, value: &'static str) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("shop.events", partition),
            offset: Offset(offset),
        },
        key: None,
        value: Some(Bytes::from_static(value.as_bytes())),
        headers: Vec::new(),
        timestamp_ms: Some(1),
    }
}

/// Only one test at a time starts children: between fork and exec, a child holds the locks of concurrent tests, and a
/// place that they give up would look taken.
static STARTING: Mutex<()> = Mutex::new(());

/// A folder of its own, while no other test starts children.
struct Folder {
    dir: tempfile::TempDir,
    _starting: MutexGuard<'static, ()>,
}

impl Folder {
    fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn folder() -> Folder {
    Folder {
        _starting: STARTING.lock().unwrap_or_else(PoisonError::into_inner),
        dir: tempfile::tempdir().expect("a folder"),
    }
}

fn open(dir: &Path, script: &str) -> Suspects {
    let now_ms = Clock.unix_ms();
    Suspects::open(dir, "workers", child(script), now_ms).expect("a folder of one's own")
}

/// A process that notes these records and is then killed.
fn killed(dir: &Path, records: &[Record]) {
    let suspects = open(dir, SCRIPT);
    let mut marks = suspects.marks(0).expect("notes");
    for record in records {
        assert_eq!(suspects.rejected(record), None);
        marks.note(&record.position);
    }
    drop(suspects);
    // Restore what a killed process would have left: its notes.
    let folder = dir.join("group-workers/0/mapper-0");
    let text = std::fs::read(&folder).expect("notes");
    drop(marks);
    std::fs::write(folder, text).expect("notes");
}

#[test]
fn a_record_at_which_processes_die_is_rejected_and_its_neighbours_are_not() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good"), record(1, 7, "good")]);
    let suspects = open(dir.path(), SCRIPT);
    assert_eq!(suspects.rejected(&record(0, 40, "good")), None);
    let rejected = suspects
        .rejected(&record(0, 41, "deadly"))
        .expect("rejected");
    assert_eq!(rejected.reason, Rejection::ProcessDied);
    assert!(rejected.detail.contains("signal 6"), "{}", rejected.detail);
    assert_eq!(suspects.rejected(&record(0, 42, "good")), None);
    assert_eq!(suspects.rejected(&record(1, 8, "good")), None);
}

#[test]
fn only_what_a_dead_process_may_have_had_in_hand_is_tried() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good")]);
    let suspects = open(dir.path(), SCRIPT);
    let (before, beyond) = (39, 40 + marks::OFFSETS);
    for (partition, offset) in [(1, 40), (0, before), (0, beyond)] {
        let untried = suspects.rejected(&record(partition, offset, "deadly"));
        assert_eq!(untried, None, "{partition} {offset}");
    }
}

#[test]
fn suspects_stay_until_they_were_passed() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good")]);
    // A process that ends before it reaches the record.
    drop(open(dir.path(), SCRIPT));
    let suspects = open(dir.path(), SCRIPT);
    assert!(suspects.rejected(&record(0, 50, "deadly")).is_some());
    let last = 40 + marks::OFFSETS - 1;
    assert_eq!(suspects.rejected(&record(0, last, "good")), None);
    drop(suspects);
    let suspects = open(dir.path(), SCRIPT);
    assert_eq!(suspects.rejected(&record(0, 50, "deadly")), None);
}

#[test]
fn a_process_that_ended_in_good_order_leaves_no_suspects() {
    let dir = folder();
    let suspects = open(dir.path(), SCRIPT);
    let mut marks = suspects.marks(0).expect("notes");
    marks.note(&record(0, 40, "good").position);
    drop((marks, suspects));
    let suspects = open(dir.path(), SCRIPT);
    assert_eq!(suspects.rejected(&record(0, 40, "deadly")), None);
}

#[test]
fn processes_that_share_a_folder_do_not_take_each_others_notes() {
    let dir = folder();
    let first = open(dir.path(), SCRIPT);
    let mut marks = first.marks(0).expect("notes");
    marks.note(&record(0, 40, "good").position);
    let second = open(dir.path(), SCRIPT);
    assert_eq!(second.rejected(&record(0, 40, "deadly")), None);
}

#[test]
fn a_child_that_cannot_be_had_accuses_nobody() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good")]);
    for script in ["exit 2", "echo something else; exec sleep 60"] {
        let suspects = open(dir.path(), script);
        assert_eq!(
            suspects.rejected(&record(0, 40, "deadly")),
            None,
            "{script}"
        );
    }
}

#[test]
fn notes_of_another_time_are_of_no_account() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good")]);
    let later = Clock.unix_ms() + 25 * 3_600_000;
    let suspects = Suspects::open(dir.path(), "workers", child(SCRIPT), later).expect("a folder");
    assert_eq!(suspects.rejected(&record(0, 40, "deadly")), None);
}

#[test]
fn what_another_replica_reads_is_not_suspected_for_ever() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good"), record(1, 7, "good")]);
    let now_ms = Clock.unix_ms();
    let suspects = open(dir.path(), SCRIPT);
    let (soon, hour) = (now_ms + 59 * 60_000, now_ms + 61 * 60_000);
    assert!(
        suspects
            .rejected_at(&record(0, 41, "deadly"), soon)
            .is_some()
    );
    drop(suspects);
    // Another start does not restart the hour.
    let suspects = Suspects::open(dir.path(), "workers", child(SCRIPT), soon).expect("a folder");
    assert!(!suspects.clear.load(Ordering::Relaxed));
    assert_eq!(suspects.rejected_at(&record(5, 1, "good"), hour), None);
    assert!(suspects.clear.load(Ordering::Relaxed));
    drop(suspects);
    let suspects = open(dir.path(), SCRIPT);
    assert!(suspects.clear.load(Ordering::Relaxed), "nor was it kept");
}

#[test]
fn a_child_without_a_suspect_is_ended() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good")]);
    let suspects = open(dir.path(), SCRIPT);
    let now_ms = Clock.unix_ms();
    let running = || suspects.with(|inner| inner.trial.is_running());
    suspects.rejected_at(&record(0, 40, "good"), now_ms);
    suspects.rejected_at(&record(1, 0, "good"), now_ms + 59_000);
    assert!(running());
    suspects.rejected_at(&record(1, 1, "good"), now_ms + 61_000);
    assert!(!running());
    assert!(
        suspects
            .rejected_at(&record(0, 41, "deadly"), now_ms + 62_000)
            .is_some()
    );
}

#[test]
fn the_death_of_a_child_that_had_others_in_hand_is_not_held_against_a_record() {
    let dir = folder();
    killed(dir.path(), &[record(0, 40, "good")]);
    let starts = dir.path().join("starts");
    // The first child dies at its second record, because of the record before it; the second child just has bad luck.
    let script = format!(
        "file={}; echo start >> $file; echo ready; read -r line; [ $(wc -l < $file) -eq 2 ] && kill -6 $$
         echo ready; read -r line; kill -6 $$",
        starts.display()
    );
    let suspects = open(dir.path(), &script);
    for offset in [40, 41] {
        assert_eq!(suspects.rejected(&record(0, offset, "good")), None);
    }
    let starts = std::fs::read_to_string(starts).expect("starts");
    assert_eq!(starts.lines().count(), 3, "the third took it");
}

/// How long the registry takes says nothing about a record; how long mapping takes does.
#[test]
fn waiting_for_the_registry_is_no_death() {
    let folder = folder();
    let patience = Patience {
        maps: Duration::from_millis(400),
        asks: Duration::from_millis(2_500),
    };
    let verdict = |name: &str, script: &str| {
        let dir = folder.path().join(name);
        killed(&dir, &[record(0, 7, "any")]);
        let child = Child {
            patience,
            ..child(script)
        };
        let suspects = Suspects::open(&dir, "workers", child, Clock.unix_ms()).expect("a folder");
        suspects.rejected(&record(0, 7, "any"))
    };
    let after = |does: &str| format!("echo ready; while read -r line; do {does}; echo ready; done");
    for does in [
        // slow twice, and mapped quickly
        "echo asks; sleep 1; echo maps; echo asks; sleep 1; echo maps",
        // no answer at all: nothing is known, so it is mapped here
        "echo asks; sleep 9",
    ] {
        assert_eq!(verdict("asks", &after(does)), None, "{does}");
    }
    let died = verdict("maps", &after("echo asks; echo maps; sleep 1"));
    let died = died.expect("mapping took too long");
    assert_eq!(died.reason, Rejection::ProcessDied);
    assert!(died.detail.contains("no answer in"), "{}", died.detail);
}

#[test]
fn the_child_says_what_it_waits_for() {
    let line = wire::line_of(&record(0, 7, "any")).expect("a line");
    let mut said = Vec::new();
    let served = serve(line.as_slice(), &mut said, |record, says| {
        assert_eq!(record.position.offset, Offset(7));
        says.while_asking(|| ())
    });
    served.expect("served");
    assert_eq!(String::from_utf8_lossy(&said), "ready\nasks\nmaps\nready\n");
}
