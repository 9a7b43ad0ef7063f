use super::*;
use crate::event::CustomerHints;

fn tracker(status: &str) -> Value<'static> {
    let status = Value::from(status.to_owned());
    json!({"id": "evt_1", "object": "Event", "description": "tracker.updated", "mode": "production", "user_id": "user_1",
        "created_at": "2026-05-06T07:08:11.000Z", "previous_attributes": {"status": "unknown"},
        "result": {"id": "trk_1", "object": "Tracker", "tracking_code": "EZ1", "status": status, "updated_at": "2026-05-06T07:08:09Z"}})
}

#[test]
fn a_tracker_has_a_parcel_and_nobody() {
    let event = event(Format::Easypost, &tracker("in_transit"), &[]);
    assert_eq!(event.name, "tracker.updated");
    assert_eq!(event.id.as_deref(), Some("evt_1"));
    assert_eq!(subject(&event), Some("EZ1"));
    assert_eq!(time(&event), "2026-05-06T07:08:09Z");
    assert_eq!(event.customer, CustomerHints::default());
    assert!(event.notes.is_empty());
}

#[test]
fn of_two_states_of_a_parcel_in_one_second_the_later_one_is_newer() {
    let versions: Vec<_> = [
        "unknown",
        "pre_transit",
        "in_transit",
        "out_for_delivery",
        "delivered",
        "cancelled",
    ]
    .iter()
    .map(|status| version(&event(Format::Easypost, &tracker(status), &[])))
    .collect();
    assert!(
        versions.is_sorted_by(|left, right| left < right),
        "{versions:?}"
    );
    let tag = |tag: &str| {
        let tag = Value::from(tag.to_owned());
        let body = json!({"event": "tracking_update", "msg": {"tag": tag, "updated_at": "2026-05-06T07:08:09+00:00"}});
        version(&event(Format::Aftership, &body, &[]))
    };
    assert!(tag("Pending") < tag("InTransit") && tag("InTransit") < tag("Delivered"));
    assert!(tag("SomethingNew") < tag("Pending"));
}

#[test]
fn events_without_a_tracker_have_what_they_have() {
    let body = json!({"id": "evt_2", "object": "Event", "description": "batch.created", "created_at": "2026-05-06T07:08:09Z", "result": {"id": "batch_1", "object": "Batch"}});
    let event = event(Format::Easypost, &body, &[]);
    assert_eq!(
        (event.name.as_str(), subject(&event)),
        ("batch.created", Some("batch_1"))
    );
    let refund = json!({"id": "rfnd_1", "object": "Refund"});
    assert_eq!(
        rejected(Format::Easypost, &refund, &[]).reason,
        Rejection::FormatMismatch
    );
    let unnamed = rejected(
        Format::Easypost,
        &json!({"object": "Event", "id": "evt_1"}),
        &[],
    );
    assert!(
        unnamed.detail.contains("`description`"),
        "{}",
        unnamed.detail
    );
}

#[test]
fn a_tracking_knows_its_buyer_but_not_from_who_is_notified() {
    let body = json!({"event": "tracking_update", "event_id": "94dadd60-ed26-46d0-aa52-3ced925a50ff", "ts": 1_778_000_005,
        "msg": {"id": "a1", "tracking_number": "TN1", "tag": "Delivered", "updated_at": "2026-05-06T07:08:09+00:00",
            "emails": ["staff@shop.example"], "smses": ["+49301234567"], "customer_name": "Ann",
            "customers": [{"id": "c-7", "role": "buyer", "email": "ann@example.com", "phone_number": "+49307654321"}]}});
    let found = event(Format::Aftership, &body, &[]);
    assert_eq!(found.name, "tracking_update");
    assert_eq!(
        found.id.as_deref(),
        Some("94dadd60-ed26-46d0-aa52-3ced925a50ff")
    );
    assert_eq!(subject(&found), Some("TN1"));
    assert_eq!(time(&found), "2026-05-06T07:08:09Z");
    let wanted = CustomerHints {
        external_id: Some("aftership:c-7".into()),
        email: Some("ann@example.com".into()),
        phone: Some("+49307654321".into()),
        ..CustomerHints::default()
    };
    assert_eq!(found.customer, wanted);
    for msg in [
        json!({"tracking_number": "TN1", "emails": ["staff@shop.example"], "smses": ["+49301234567"]}),
        json!({"tracking_number": "TN1", "customers": [{"role": "receiver", "email": "gift@example.com"}]}),
        json!({"tracking_number": "TN1", "customers": []}),
    ] {
        let body = json!({"event": "tracking_update", "msg": msg});
        assert_eq!(
            event(Format::Aftership, &body, &[]).customer,
            CustomerHints::default(),
            "{body}"
        );
    }
}

#[test]
fn older_trackings_and_returns_have_ids_of_their_own() {
    let old = json!({"event": "tracking_update", "ts": 1_778_000_005, "msg": {"id": "a1", "updated_at": "2026-05-06T07:08:09+00:00"}});
    let old = event(Format::Aftership, &old, &[]);
    assert_eq!(old.id.as_deref(), Some("a1:2026-05-06T07:08:09+00:00"));
    assert_eq!(subject(&old), Some("a1"));
    let returned = json!({"id": "r-evt", "version": "2026-01", "event": "return.approved", "created_at": "2026-05-06T07:08:09.218678282Z", "data": {"return": {"id": "r-1"}}});
    let returned = event(Format::Aftership, &returned, &[]);
    assert_eq!(
        (
            returned.name.as_str(),
            returned.id.as_deref(),
            subject(&returned)
        ),
        ("return.approved", Some("r-evt"), Some("r-1"))
    );
    assert_eq!(time(&returned), "2026-05-06T07:08:09.218678282Z");
    let other = rejected(Format::Aftership, &json!({"event": "tracking_update"}), &[]);
    assert_eq!(other.reason, Rejection::FormatMismatch);
}
