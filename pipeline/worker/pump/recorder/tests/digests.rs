//! Digests: what is counted is decided again from pseudonyms, and names nobody.

use std::time::Duration;

use ingest_model::digest::{Fold, Frame, Piece, Small, Title};

use super::rig::*;

/// An event of one of a few sessions.
fn viewed(offset: i64) -> Input {
    let number = offset.unsigned_abs() % 3;
    let frame = Frame {
        keep: 4,
        title: Title(vec![vec![
            Piece::Text("Viewed ".into()),
            Piece::CountOf("Solveig Dahl looked".into()),
        ]]),
        patience: Duration::from_secs(20),
        gap: Duration::from_secs(600),
    };
    let event = Small {
        name: "Solveig Dahl looked".into(),
        at_ms: Some(1_790_000_000_000 + offset),
        offset: Offset(offset),
        written_ms: Some(1_790_000_000_000 + offset),
        key: offset.unsigned_abs() + 900,
        sums: [("worthNum".into(), "12.5".parse().unwrap())]
            .into_iter()
            .collect(),
        each: map(json!({"by": "Solveig Dahl", "phone": "+4740612873"})),
    };
    let object = KObject {
        klass: Klass("browsing".into()),
        body: Body::default(),
        version: None,
        fold: Some(Box::new(Fold {
            frame: Arc::new(frame),
            partition: partition(),
            events: vec![event],
        })),
        ..object(number, 0)
    };
    record(offset, Operation::KObject(object))
}

#[test]
fn what_is_counted_is_decided_again_and_nobody_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Recorded::new(settings(dir.path()), machine_settings());
    run.assign(0);
    for round in 0..6 {
        for offset in round * 20..round * 20 + 20 {
            run.step(viewed(offset));
        }
        run.pass(90);
    }
    let counted: u64 = run
        .sessions
        .values()
        .filter_map(|shown| shown["data"]["count"].as_u64())
        .sum();
    assert_eq!(counted, 120);
    let (written, text) = run.write();
    assert!(written.steps > 130, "{written:?}");
    assert!(text.contains("get_kobject"), "objects were read");
    assert_nobody(&text);
    let (result, said) = replayed(&text, &nothing());
    assert_eq!((result.differences, result.exact), (0, true), "{said}");
}
