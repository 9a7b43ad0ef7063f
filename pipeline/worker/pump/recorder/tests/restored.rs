//! What an earlier owner left in the state topic.

use super::super::*;
use super::rig::*;

/// What an earlier owner knew: found again although everything has a pseudonym.
#[test]
fn what_the_state_topic_held_leads_to_the_same_decisions() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = machine_settings();
    machine.state = Some(StateSettings::default());
    let mut run = Recorded::new(settings(dir.path()), machine);
    run.assign(0);
    let known = object(1, 30);
    let owner = OwnerId::new(5, 6);
    let plan = |operation| Planned {
        route: "orders".into(),
        event_key: Uuid::from_u128(30 << 64 | 0x51),
        operation,
    };
    let made = ChangeKey::of(&plan(Operation::KObject(known.clone())));
    let hash = object_hash(&known.klass, &known.external_id);
    let fields = json!({"name": "Solveig Dahl 9"});
    let other = object(2, 50);
    let begun = ChangeKey::of(&Planned {
        event_key: Uuid::from_u128(6 << 64 | 0x51),
        ..plan(Operation::KObject(other.clone()))
    });
    let at = Offset(4);
    let slice = Slice {
        entries: vec![
            (
                Entity::Customer(customer_hash(customer(1).first())),
                owner,
                Entry {
                    at,
                    content: Content::Customer("5f9c1a2b3c4d5e6f7a8b9c0d".into()),
                },
            ),
            (
                Entity::Identity(customer_hash(&CustomerKey::Id(
                    "5f9c1a2b3c4d5e6f7a8b9c0d".into(),
                ))),
                owner,
                Entry {
                    at,
                    content: Content::Identity(Said {
                        ages: Ages::of(&map(fields.clone()), Some(1_790_000_009_000)),
                        ..Said::default()
                    }),
                },
            ),
            (
                Entity::Object(hash),
                owner,
                Entry {
                    at,
                    content: Content::Object(KnownObject {
                        id: Some("5f9c1a2b3c4d5e6f7a8b9c0d".into()),
                        version: known.version.clone(),
                        fingerprint: Some(fingerprint(&known)),
                        revision: Revision::Known(4),
                        doubtful: false,
                        gone: false,
                        changes: std::iter::once(made).collect(),
                        company: ingest_model::known::Affiliation::default(),
                    }),
                },
            ),
            (
                owner.intent(9),
                owner,
                Entry {
                    at,
                    content: Content::Intent(Intent {
                        klass: Klass("order".into()),
                        verb: Verb::Create,
                        with_refs: true,
                        job: Some(JobTicket {
                            id: "job of Solveig Dahl".into(),
                            created_ms: None,
                        }),
                        items: vec![IntentItem {
                            reference: "31".to_owned(),
                            object: object_hash(&other.klass, &other.external_id),
                            version: other.version.clone(),
                            operations: vec![OperationRef {
                                offset: Offset(6),
                                ordinal: 0,
                                mark: begun.mark(),
                            }],
                        }],
                    }),
                },
            ),
        ],
        outranked: vec![(
            Entity::Customer(customer_hash(customer(3).first())),
            OwnerId::new(1, 1),
        )],
        read: 5,
        unknown: 0,
    };
    run.job_items
        .insert("job of Solveig Dahl".to_owned(), vec!["31".to_owned()]);
    run.step(Input::Restored {
        partition: partition(),
        epoch: Epoch(3),
        slice: Box::new(slice),
    });
    // The same state again, a late identity, and what the earlier owner's job is about to confirm.
    run.step(record(0, Operation::KObject(known)));
    let late = Identify {
        customer: customer(1),
        fields: map(fields),
    };
    run.step(record(1, Operation::Identify(late)));
    run.step(record(6, Operation::KObject(other)));
    run.trade(7, 60);
    let (_, text) = run.write();
    assert_nobody(&text);
    for skipped in ["\"Stale\"", "\"Unchanged\""] {
        assert!(
            text.contains(skipped),
            "{skipped} shows that the slice counted"
        );
    }
    let (result, said) = replayed(&text, &nothing());
    assert_eq!((result.differences, result.exact), (0, true), "{said}");
    let without: String = text
        .lines()
        .map(|line| line.replacen("\"hashes\":", "\"forgotten\":", 1) + "\n")
        .collect();
    assert!(
        replayed(&without, &nothing()).0.differences > 0,
        "without the hashes it is not"
    );
}

#[test]
fn a_slice_that_is_too_large_is_left_out_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = machine_settings();
    machine.state = Some(StateSettings::default());
    let recording = RecordingSettings {
        bytes: 200_000,
        ..settings(dir.path())
    };
    let mut run = Recorded::new(recording, machine);
    run.assign(0);
    let entry = |n: u64| {
        let key = CustomerKey::ExternalId(format!("acct-solveig-77-{n}").into());
        let content = Content::Customer(format!("5f9c1a2b3c4d5e6f7a8b9c0d{n}").into());
        let entry = Entry {
            at: Offset(1),
            content,
        };
        (
            Entity::Customer(customer_hash(&key)),
            OwnerId::new(8, 2),
            entry,
        )
    };
    let slice = Slice {
        entries: (0..3_000).map(entry).collect(),
        ..Slice::default()
    };
    run.step(Input::Restored {
        partition: partition(),
        epoch: Epoch(3),
        slice: Box::new(slice),
    });
    run.trade(0, 10);
    let (written, text) = run.write();
    assert_eq!(written.steps_before, 0, "it pushes nothing out");
    assert!(written.bytes < 200_000, "{written:?}");
    assert_nobody(&text);
    let (result, said) = replayed(&text, &nothing());
    assert!(!result.exact, "{said}");
    assert!(
        said.contains("What 1 partitions had in the state topic was too large"),
        "{said}"
    );
}
