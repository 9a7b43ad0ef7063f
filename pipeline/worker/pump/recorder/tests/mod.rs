//! What is kept, what is hidden, and that a machine decides it again.

mod bounds;
mod digests;
mod order;
mod persons;
mod restored;
mod rig;

use self::rig::*;

#[test]
fn what_was_decided_is_decided_again_and_nobody_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    run.trade(0, 200);
    let (written, text) = run.write();
    assert!(
        written.steps > 300 && written.steps_before == 0,
        "{written:?}"
    );
    assert_nobody(&text);
    let (result, said) = replayed(&text, &nothing());
    assert_eq!(result.differences, 0, "{said}");
    assert!(result.exact && result.steps == u64::try_from(written.steps).unwrap());
    assert!(said.contains("steps were decided as recorded"), "{said}");
    let here = run.machine.snapshot(run.now);
    let settled = here.partitions[0].settled;
    assert!(settled > 150, "{settled}");
    assert!(said.contains(&format!("settled {settled}")), "{said}");
}

#[test]
fn records_that_went_in_together_are_decided_together() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    // Alone, each would leave in a request of its own.
    let all = (0..8).map(|n| record(n, Operation::KObject(object(1, u64::try_from(n).unwrap()))));
    run.step_all(all.collect());
    run.pass(60);
    let (_, text) = run.write();
    let goes_on = |line: &&str| line.contains("\"goes_on\":true");
    assert_eq!(text.lines().filter(goes_on).count(), 7);
    let (result, said) = replayed(&text, &nothing());
    assert_eq!((result.differences, result.exact), (0, true), "{said}");
    let apart = text.replace(",\"goes_on\":true", ",\"out\":[]");
    assert!(replayed(&apart, &nothing()).0.differences > 0);
}

#[test]
fn with_personal_data_everything_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let recording = RecordingSettings {
        personal_data: true,
        ..settings(dir.path())
    };
    let mut run = Recorded::new(recording, machine_settings());
    run.assign(0);
    run.trade(0, 60);
    let (_, text) = run.write();
    for person in PERSONS {
        assert!(text.contains(person), "{person}");
    }
    let (result, said) = replayed(&text, &nothing());
    assert_eq!((result.differences, result.exact), (0, true), "{said}");
}

#[test]
fn the_first_difference_is_shown_with_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    run.trade(0, 20);
    let (_, text) = run.write();
    let changed = text.replacen("\"call\":\"identify\"", "\"call\":\"probe\"", 1);
    assert_ne!(changed, text);
    let (result, said) = replayed(&changed, &nothing());
    assert_eq!((result.differences, result.exact), (1, true), "{said}");
    assert!(said.contains("DIFFERENCE at step"), "{said}");
    assert!(
        said.contains("\"call\":\"probe\"") && said.contains("\"call\":\"identify\""),
        "{said}"
    );
}

#[test]
fn a_window_begins_with_what_was_assigned() {
    let dir = tempfile::tempdir().unwrap();
    let traded = |steps| {
        let recording = RecordingSettings {
            steps,
            ..settings(dir.path())
        };
        let mut run = Recorded::new(recording, machine_settings());
        run.assign(0);
        run.trade(0, 60);
        run.pass(600);
        let before = run.steps;
        run.trade(60, 60);
        (run, before)
    };
    // All is settled when the window begins; what was learnt of customers and objects is gone.
    let (whole, before) = traded(100_000);
    let steps = whole.steps - before;
    let (run, _) = traded(usize::try_from(steps).unwrap());
    let (written, text) = run.write();
    assert_eq!(written.steps_before, before);
    assert!(run.commits > 2, "{written:?}");
    assert_nobody(&text);
    let shown = Shown {
        only: Some((TOPIC.to_owned(), 2)),
        ..Shown::default()
    };
    let (result, said) = replayed(&text, &shown);
    assert!(!result.exact && result.steps == steps, "{result:?}");
    assert!(said.contains("have been overwritten"), "{said}");
    assert!(said.contains("1 partitions that were assigned"), "{said}");
    assert!(
        result.differences * 2 < result.steps && result.unasked * 4 < result.steps,
        "most of it is decided alike: {result:?}"
    );
    assert!(
        said.lines().any(|line| line.contains("\"Record\"")),
        "{said}"
    );
    let elsewhere = Shown {
        only: Some((TOPIC.to_owned(), 9)),
        ..Shown::default()
    };
    assert!(!replayed(&text, &elsewhere).1.contains("\"Record\""));
}

#[test]
fn a_broken_invariant_writes_one_recording() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    run.recorder.inputs(run.now, &[Input::Wake]);
    for _ in 0..3 {
        run.recorder
            .effects(run.now, &[Effect::Fact(Fact::Broken(Invariant::I8))]);
    }
    let deadline = Clock.now() + Duration::from_secs(20);
    let found = loop {
        let found: Vec<PathBuf> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|one| one.unwrap().path())
            .collect();
        // It has another name until it is whole; it may get its own between two looks.
        let whole = found.iter().any(|path| {
            path.extension().is_some_and(|end| end == "jsonl")
                && std::fs::read_to_string(path).unwrap().contains("I8")
        });
        assert!(whole || Clock.now() < deadline, "no recording: {found:?}");
        if whole {
            break found;
        }
        std::thread::yield_now();
    };
    assert_eq!(found.len(), 1, "one for all that follow at once: {found:?}");
    let name = found[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.ends_with("-invariant.jsonl"), "{name}");
}

#[test]
fn what_a_stall_says_is_written_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    run.recorder.inputs(run.now, &[Input::Wake]);
    let stalled = Fact::Stalled {
        partition: partition(),
        offset: Offset(40),
        stage: "wait_customer",
    };
    run.recorder.effects(run.now, &[Effect::Fact(stalled)]);
    let (_, text) = run.write();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let fact = &last["out"][0]["fact"]["Stalled"];
    assert_eq!(fact["stage"], "wait_customer", "{last}");
    assert_eq!(fact["partition"]["topic"], TOPIC, "{last}");
    assert_eq!(fact["offset"], 40, "{last}");
}

#[test]
fn a_step_that_never_ended_is_the_last_of_its_recording() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    run.recorder
        .inputs(run.now, &[record(0, Operation::KObject(object(1, 1)))]);
    let recorder = run.recorder.clone();
    let thread = std::thread::spawn(move || {
        let _tape = recorder.tape();
        panic!("in the middle of a step");
    });
    assert!(thread.join().is_err());
    let (written, text) = run.write();
    assert_eq!(written.steps, 3);
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(
        last["in"]["Record"].is_object() && last.get("out").is_none(),
        "{last}"
    );
    assert_eq!(replayed(&text, &nothing()).0.differences, 0);
}

#[test]
fn what_is_no_recording_is_refused() {
    let refusal = |text: &str| {
        let mut out = Vec::new();
        replay(text.as_bytes(), Clock.now(), &Shown::default(), &mut out).unwrap_err()
    };
    assert!(matches!(refusal(""), ReplayError::Foreign(_)));
    assert!(matches!(
        refusal("{\"format\":\"other\"}\n"),
        ReplayError::Foreign(_)
    ));
    let newer = "{\"format\":\"kustomer-ingest-recording\",\"version\":99,\"worker\":\"9.1.0\"}\n";
    let said = refusal(newer).to_string();
    assert!(said.contains("form 99") && said.contains("9.1.0"), "{said}");
}

#[test]
fn nothing_is_kept_where_it_is_off() {
    let off = RecordingSettings {
        steps: 0,
        ..RecordingSettings::default()
    };
    let recorder = Recorder::new(off, Metrics::new());
    recorder.begin(Clock.now(), 0, &machine_settings());
    recorder.inputs(Clock.now(), &[Input::Wake]);
    recorder.effects(Clock.now(), &[]);
    assert!(matches!(
        recorder.write(RecordingCause::Asked),
        Err(RecordingError::Off)
    ));
    let on = RecordingSettings {
        steps: 10,
        ..RecordingSettings::default()
    };
    let idle = Recorder::new(on, Metrics::new());
    assert!(matches!(
        idle.write(RecordingCause::Asked),
        Err(RecordingError::Empty)
    ));
}
