//! Bounds in steps and bytes.

use super::super::*;
use super::rig::*;

#[test]
fn bounds_hold_under_a_hundred_thousand_steps() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = 400_000;
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
        recorder.inputs(now + Duration::from_micros(n), std::slice::from_ref(input));
        recorder.effects(now, &[]);
        if n % 5_000 == 0 {
            let tape = recorder.tape().unwrap();
            assert!(tape.ring.len() <= 1_000 && tape.ring.bytes() <= bytes);
        }
    }
    let took = Clock.now().duration_since(began);
    let written = recorder.write(RecordingCause::Asked).unwrap();
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
        bytes: 20_000,
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

#[test]
fn a_step_weighs_what_it_keeps_alive() {
    let weight = |input: &Input, whole| {
        let step = Kept {
            number: 1,
            nanos: 0,
            given: Given::of(input, whole, 0),
            goes_on: false,
            out: Some(Vec::new()),
        };
        step.weight()
    };
    let long = "n".repeat(300_000);
    let sized = |value: &str, title: &str| {
        let Input::Record {
            mut record,
            epoch,
            event_ms,
            dropped,
            ..
        } = record(
            1,
            Operation::KObject(KObject {
                body: map(json!({ "title": title })),
                ..object(1, 1)
            }),
        )
        else {
            panic!("no record")
        };
        record.value = Some(Bytes::from(value.to_owned()));
        let reason = ingest_model::outcome::SkipReason::NoRoute;
        let verdict = match title {
            "" => Verdict::Skip(reason),
            _ => Verdict::Emit(vec![Planned {
                route: "orders".into(),
                event_key: Uuid::from_u128(9),
                operation: Operation::KObject(KObject {
                    body: map(json!({ "title": title })),
                    ..object(1, 1)
                }),
            }]),
        };
        Input::Record {
            record,
            epoch,
            event_ms,
            traffic: Traffic::Live,
            verdict,
            dropped,
            event_ids: None,
        }
    };
    assert!(
        weight(&sized("v", &long), false) > 300_000,
        "a body is kept"
    );
    assert!(
        weight(&sized(&long, ""), true) > 300_000,
        "so is a value, if persons may be in it"
    );
    // A record that the mapping skips leaves no more than its position and why.
    let skipped = weight(&sized(&long, ""), false);
    assert!(skipped < 1_000, "{skipped}");
}

#[test]
fn requests_answers_and_slices_weigh_what_they_keep_alive() {
    let long = "n".repeat(300_000);
    let weight = |given: Given, out: &[Effect]| {
        let step = Kept {
            number: 1,
            nanos: 0,
            given,
            goes_on: false,
            out: Some(Decided::all(out)),
        };
        step.weight()
    };
    let call = Call::Identify {
        identity: map(json!({ "name": long })),
    };
    let send = Effect::Send {
        request: request(1),
        call: Arc::new(call),
    };
    assert!(weight(Given::Wake, &[send]) > 300_000, "a request");
    let replied = |items: usize| {
        let item = |n: usize| ItemResult {
            reference: format!("r{n}"),
            fate: ItemFate::Permanent("too long a word".to_owned()),
        };
        let report = JobReport {
            items: (0..items).map(item).collect(),
            ..JobReport::default()
        };
        Input::Replied {
            request: request(1),
            reply: Arc::new(reply(CallResult::Job(Outcome::Delivered(report)))),
        }
    };
    let answer = |items| weight(Given::of(&replied(items), false, 0), &[]);
    assert!(answer(1_000) > answer(1) + 1_000 * 40, "an answer");
    let slice = |entries: u128| Input::Restored {
        partition: partition(),
        epoch: Epoch(3),
        slice: Box::new(Slice {
            outranked: (0..entries)
                .map(|n| (Entity::Event(n), OwnerId::new(1, 1)))
                .collect(),
            ..Slice::default()
        }),
    };
    let restored = |entries| weight(Given::of(&slice(entries), false, 1 << 20), &[]);
    assert!(restored(1_000) > restored(1) + 1_000 * 16, "a slice");
}
