//! Nothing about a person gets through.

use super::super::*;
use super::rig::*;

#[test]
fn no_input_and_no_effect_lets_anything_about_a_person_through() {
    let dir = tempfile::tempdir().unwrap();
    let run = Recorded::new(settings(dir.path()), machine_settings());
    let all = PERSONS.join(" ");
    let trouble = Trouble::of_machines(TroubleKind::Brokers, &all);
    let id: Arc<str> = all.as_str().into();
    let body: Map<String, Value> = PERSONS
        .iter()
        .map(|one| ((*one).to_owned(), json!([one, {"x": one}])))
        .collect();
    let hint = SplitHint {
        item: None,
        detail: all.clone(),
        refs_refused: false,
        too_large: false,
    };
    let item = |fate| ItemResult {
        reference: PERSONS[2].trim_start_matches('+').to_owned(),
        fate,
    };
    let results = [
        CallResult::Tracked(Outcome::Delivered(Some(Arc::clone(&id)))),
        CallResult::Tracked(Outcome::Reject(all.clone())),
        CallResult::Submitted(Outcome::Split(hint)),
        CallResult::Submitted(Outcome::Pending(JobTicket {
            id: Arc::clone(&id),
            created_ms: Some(5),
        })),
        CallResult::Written(Outcome::Delivered(Stored::Stored {
            id: Some(Arc::clone(&id)),
            rev: Some(3),
        })),
        CallResult::KObject(Outcome::Delivered(Some(ObjectState {
            id: Arc::clone(&id),
            rev: Some(1),
            version: Some(Version::new(&all)),
            customer: Some(Arc::clone(&id)),
            shown: body.clone(),
            company: None,
        }))),
        CallResult::Job(Outcome::Delivered(JobReport {
            items: vec![
                item(ItemFate::Limited(all.clone())),
                item(ItemFate::Transient(all.clone())),
                item(ItemFate::Permanent(all.clone())),
                item(ItemFate::Stored(Some(Arc::clone(&id)))),
            ],
            ..JobReport::default()
        })),
    ];
    let mut inputs: Vec<Input> = results
        .into_iter()
        .map(|result| Input::Replied {
            request: request(1),
            reply: Arc::new(Reply {
                trouble: Some(trouble.clone()),
                ..reply(result)
            }),
        })
        .collect();
    let (partition, epoch) = (partition(), Epoch(3));
    inputs.extend([
        Input::LettersStuck {
            to: LetterTopic::Dead,
            trouble: trouble.clone(),
        },
        Input::RestoreFailed {
            partition: partition.clone(),
            epoch,
            trouble,
        },
        record(
            1,
            Operation::KObject(KObject {
                external_id: ExternalId(Arc::clone(&id)),
                version: Some(Version::new(&all)),
                body: Body::from(&body),
                ..object(1, 1)
            }),
        ),
    ]);
    for text in [
        all.clone(),
        format!("ki1.{all}"),
        format!("ki2.{}.0.-.b", PERSONS[1]),
        format!("ki77 {all}"),
    ] {
        let committed = Some(Committed {
            offset: Offset(0),
            metadata: Metadata::Text(text),
        });
        inputs.push(Input::Assigned {
            partition: partition.clone(),
            epoch,
            committed,
        });
    }
    let Input::Record { record: letter, .. } = record(1, Operation::KObject(object(1, 1))) else {
        panic!("no record")
    };
    let rejected = Rejected {
        detail: all,
        ..Rejected::new(Rejection::RefusedByApi, "")
    };
    let calls = [
        Call::Track {
            identity: Body::from(&body),
            event: Body::from(&body),
        },
        Call::GetCustomer {
            key: CustomerKey::Email(Arc::clone(&id)),
        },
        Call::GetKObject {
            klass: Klass("order".into()),
            external_id: ExternalId(Arc::clone(&id)),
        },
        Call::UpdateKObject {
            klass: Klass("order".into()),
            id: Arc::clone(&id),
            body: Body::from(&body),
        },
    ];
    let mut effects: Vec<Effect> = calls
        .into_iter()
        .map(|call| Effect::Send {
            request: request(4),
            call: Arc::new(call),
        })
        .collect();
    effects.push(Effect::DeadLetter {
        letter: serde_json::from_value(json!(4)).unwrap(),
        record: letter,
        rejected,
        attempts: 2,
    });
    for input in inputs {
        run.recorder.inputs(run.now, std::slice::from_ref(&input));
        run.recorder.effects(run.now, &effects);
    }
    let (_, text) = run.write();
    assert_nobody(&text);
    assert!(text.contains("refused_by_api") || text.contains("RefusedByApi"));
}

#[test]
fn names_keep_their_suffix_and_those_of_the_api_stay() {
    let masks = Masks::new();
    let field = |name: &str| {
        let mut out = String::new();
        masks.field(name, &mut out);
        out
    };
    assert_eq!(field("custom"), "custom");
    let masked = field("nicknameOfGretaStr");
    assert!(
        masked.ends_with("Str") && !masked.contains("Greta"),
        "{masked}"
    );
}
