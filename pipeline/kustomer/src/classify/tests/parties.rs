//! Answers about customers and companies that are written like objects.

use ingest_model::call::{Call, CallResult, ObjectState, Written};
use ingest_model::operation::{CustomerKey, ExternalId, Klass, Version};
use ingest_model::outcome::{HoldCause, Outcome};
use serde_json::{Value, json};

use super::{Body, HttpReply, Limits, ReplyBody};
use crate::classify::classify;

const COMPANY: &str = "5f75c63cd5c0384ad82a17ae";

fn answer(status: u16, body: &Value) -> HttpReply {
    HttpReply {
        status,
        limits: Limits::default(),
        location: None,
        body: ReplyBody::Whole(body.to_string().into()),
    }
}

fn get(klass: Klass) -> Call {
    Call::GetKObject {
        klass,
        external_id: ExternalId("u1".into()),
    }
}

fn found(call: &Call, body: &Value) -> Option<ObjectState> {
    let CallResult::KObject(Outcome::Delivered(found)) = classify(call, &answer(200, body)) else {
        panic!("not read");
    };
    found
}

#[test]
fn a_customer_shows_its_company_and_its_revision() {
    let by_mail = Call::FindCustomer {
        key: CustomerKey::Email("a@b.example".into()),
    };
    for call in [get(Klass::customer()), by_mail] {
        for (company, wanted) in [
            (
                json!({"data": {"type": "company", "id": COMPANY}}),
                Some(COMPANY),
            ),
            (json!({"data": null}), None),
            // An identity said so: it is no id.
            (json!({"data": {"id": "Acme Inc."}}), None),
        ] {
            let body = json!({"data": {"type": "customer", "id": "c1",
                "attributes": {"externalId": "u1", "rev": 7, "custom": {"ingestVersionStr": "3"}},
                "relationships": {"company": company}}});
            let state = found(&call, &body).unwrap();
            assert_eq!(state.company.as_deref(), wanted);
            assert_eq!(
                (state.rev, state.version),
                (Some(7), Some(Version::new("3")))
            );
        }
    }
    let flat = json!({"id": "c1", "externalId": "u1", "company": COMPANY});
    let state = found(&get(Klass::customer()), &flat).unwrap();
    assert_eq!(state.company.as_deref(), Some(COMPANY));
}

#[test]
fn of_the_companies_in_a_list_only_the_one_that_was_asked_for_counts() {
    let list = |ids: &[&str]| {
        let all = ids.iter().map(|id| {
            json!({"type": "company", "id": COMPANY, "attributes": {"externalId": id, "name": "Acme"}})
        });
        json!({"meta": {}, "data": all.collect::<Vec<_>>()})
    };
    let call = get(Klass::company());
    assert_eq!(&*found(&call, &list(&["u1"])).unwrap().id, COMPANY);
    assert_eq!(found(&call, &list(&[])), None);
    assert_eq!(
        found(&call, &list(&["another"])),
        None,
        "the filter is not known"
    );
}

#[test]
fn a_missing_company_is_told_from_a_missing_path() {
    let create = |klass| Call::CreateKObject {
        klass,
        body: Body::default(),
    };
    let gone = json!({"errors": [{"status": 404, "source": {"parameter": "company"}, "title": "company not found"}]});
    for status in [400, 404] {
        assert_eq!(
            classify(&create(Klass::customer()), &answer(status, &gone)),
            CallResult::Written(Outcome::Delivered(Written::Gone))
        );
    }
    let nothing = answer(404, &json!({}));
    assert_eq!(
        classify(&create(Klass::customer()), &nothing),
        CallResult::Written(Outcome::Hold(HoldCause::Unhealthy))
    );
    assert_eq!(
        classify(&create(Klass("order".into())), &nothing),
        CallResult::Written(Outcome::Hold(HoldCause::MissingKlass))
    );
    let twice = json!({"errors": [{"status": 409, "source": {"parameter": "email"}, "title": "duplicate detected"}]});
    assert_eq!(
        classify(&create(Klass::customer()), &answer(409, &twice)),
        CallResult::Written(Outcome::Delivered(Written::Duplicate))
    );
}
