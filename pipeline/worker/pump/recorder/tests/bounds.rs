//! Bounds in steps and bytes.

use super::super::*;
use super::rig::*;

#[test]
fn bounds_hold_under_a_hundred_thousand_steps() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = 200_000;
    let recording = RecordingSettings {
        steps: 1_000,
        bytes,
        ..settings(dir.path())
    };
    let recorder = Recorder::new(recording, Metrics::new());
    let now = Clock.now();
    recorder.begin(now, 0, &machine_settings());
    let large = record(1, Operation::KObject(object(1, 1)));
    let began = Clock.now();
    for n in 0..100_000_u64 {
        let input = if n % 2 == 0 { &large } else { &Input::Wake };
        recorder.input(now + Duration::from_micros(n), input);
        recorder.effects(now, &[]);
        if n % 5_000 == 0 {
            let tape = recorder.tape().unwrap();
            assert!(tape.ring.lines() <= 1_000 && tape.ring.occupied() <= bytes + 4_096);
        }
    }
    let took = Clock.now().duration_since(began);
    let written = recorder.write(RecordingCause::Asked).unwrap();
    assert!(written.bytes < bytes + 10_000, "{written:?}");
    assert!(
        written.steps > 100 && written.steps_before > 98_000,
        "{written:?}"
    );
    // Far above what it takes, and far below what would be felt.
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn a_step_larger_than_the_ring_is_left_out_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let recording = RecordingSettings {
        bytes: 3_000,
        ..settings(dir.path())
    };
    let mut run = Recorded::new(recording, machine_settings());
    run.assign(0);
    let many =
        map(json!({"custom": (0..2_000).map(|n| format!("line {n} of many")).collect::<Vec<_>>()}));
    run.step(record(
        0,
        Operation::KObject(KObject {
            body: many,
            ..object(1, 1)
        }),
    ));
    run.step(Input::Wake);
    let (written, text) = run.write();
    assert!(written.steps_before >= 3, "{written:?}");
    let head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(head["left_out"], 1);
    assert_eq!(head["base"]["partitions"][0]["partition"]["topic"], TOPIC);
    assert!(
        replayed(&text, &nothing()).1.contains("too large"),
        "it is said"
    );
}
