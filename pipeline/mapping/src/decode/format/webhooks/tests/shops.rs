use super::*;
use crate::event::{CustomerHints, Versioned};

#[test]
fn an_order_of_woocommerce() {
    let body = json!({"id": 727, "status": "processing", "customer_id": 26, "billing": {"email": "Ann@example.com", "phone": "+49301234567"},
        "date_created": "2026-05-06T09:00:00", "date_created_gmt": "2026-05-06T07:00:00", "date_modified": "2026-05-06T09:08:09", "date_modified_gmt": "2026-05-06T07:08:09"});
    let headers = [
        ("X-WC-Webhook-Topic", "order.updated"),
        ("X-WC-Webhook-Delivery-ID", "36e5"),
    ];
    let found = event(Format::Woocommerce, &body, &headers);
    assert_eq!(found.name, "order.updated");
    assert_eq!(found.id.as_deref(), Some("order.updated:727:36e5"));
    assert_eq!(subject(&found), Some("727"));
    assert_eq!(
        time(&found),
        "2026-05-06T07:08:09Z",
        "not the shop's own clock"
    );
    assert_eq!(
        found.customer.external_id.as_deref(),
        Some("woocommerce:26")
    );
    assert_eq!(found.customer.email.as_deref(), Some("ann@example.com"));
    assert_eq!(found.customer.phone.as_deref(), Some("+49301234567"));
    let made = event(Format::Woocommerce, &body, &headers[..1]);
    assert_eq!(
        made.id.as_deref(),
        Some("order.updated:727:2026-05-06T07:08:09")
    );
}

#[test]
fn a_guest_of_woocommerce_is_nobody_and_no_mistake() {
    let body = json!({"id": 728, "customer_id": 0, "billing": {"email": "", "phone": ""}});
    let found = event(
        Format::Woocommerce,
        &body,
        &[("x-wc-webhook-topic", "order.created")],
    );
    assert_eq!(found.customer, CustomerHints::default());
    assert!(found.notes.is_empty());
    let customer = json!({"id": 26, "email": "a@b.example", "billing": {"phone": "+49301234567"}});
    let found = event(
        Format::Woocommerce,
        &customer,
        &[("x-wc-webhook-topic", "customer.updated")],
    );
    assert_eq!(
        found.customer.external_id.as_deref(),
        Some("woocommerce:26")
    );
    let gone = event(
        Format::Woocommerce,
        &json!({"id": 26}),
        &[("x-wc-webhook-topic", "customer.deleted")],
    );
    assert!(gone.deleted);
    // It says nothing of its time, and the time at which it came is no measure for what follows.
    assert_eq!(gone.more.as_ref().unwrap().version, Versioned::Unknown);
    let coupon = event(
        Format::Woocommerce,
        &json!({"id": 3, "email": "x@y.example"}),
        &[("x-wc-webhook-topic", "coupon.created")],
    );
    assert_eq!(coupon.customer, CustomerHints::default());
    let unnamed = rejected(Format::Woocommerce, &json!({"id": 3}), &[]);
    assert!(unnamed.detail.contains("X-WC-Webhook-Topic"));
}

#[test]
fn bigcommerce_says_that_something_changed() {
    let body = json!({"scope": "store/order/statusUpdated", "store_id": "1", "producer": "stores/x", "hash": "7ee6", "created_at": 1_778_000_000,
        "data": {"type": "order", "id": 250, "status": {"previous_status_id": 0, "new_status_id": 10}}});
    let found = event(Format::Bigcommerce, &body, &[]);
    assert_eq!(found.name, "store/order/statusUpdated");
    assert_eq!(
        found.id.as_deref(),
        Some("7ee6:1778000000"),
        "the hash alone comes again"
    );
    assert_eq!(subject(&found), Some("250"));
    assert_eq!(found.customer, CustomerHints::default());
    let shipment = json!({"scope": "store/shipment/created", "data": {"type": "shipment", "id": 12, "orderId": 251}});
    assert_eq!(
        subject(&event(Format::Bigcommerce, &shipment, &[])),
        Some("251")
    );
    let customer =
        json!({"scope": "store/customer/deleted", "data": {"type": "customer", "id": 32}});
    let customer = event(Format::Bigcommerce, &customer, &[]);
    assert_eq!(
        customer.customer.external_id.as_deref(),
        Some("bigcommerce:32")
    );
    assert!(customer.deleted);
    let address = json!({"scope": "store/customer/address/created", "data": {"type": "customer", "id": 60, "address": {"customer_id": 32}}});
    let address = event(Format::Bigcommerce, &address, &[]);
    assert_eq!(
        address.customer.external_id.as_deref(),
        Some("bigcommerce:32")
    );
    let other = json!({"scope": "store/customer/payment/instrument/default/updated", "data": {"type": "customer", "id": 9}});
    let other = event(Format::Bigcommerce, &other, &[]);
    assert_eq!(other.customer, CustomerHints::default());
}

#[test]
fn a_message_of_commercetools_has_a_place_in_its_resource() {
    let body = json!({"notificationType": "Message", "projectKey": "tea", "id": "m-1", "type": "OrderCreated", "sequenceNumber": 1, "resourceVersion": 4,
        "resource": {"typeId": "order", "id": "o-1"}, "createdAt": "2026-05-06T07:08:09.123Z",
        "order": {"id": "o-1", "customerId": "c-1", "customerEmail": "ann@example.com"}});
    let found = event(Format::Commercetools, &body, &[]);
    assert_eq!(
        (found.name.as_str(), found.id.as_deref()),
        ("OrderCreated", Some("m-1"))
    );
    assert_eq!(
        (said_version(&found), subject(&found)),
        (Some("1"), Some("o-1"))
    );
    assert_eq!(
        found.customer.external_id.as_deref(),
        Some("commercetools:c-1")
    );
    assert_eq!(found.customer.email.as_deref(), Some("ann@example.com"));
    let gone = json!({"notificationType": "ResourceDeleted", "resource": {"typeId": "customer", "id": "c-1"}, "version": 7, "modifiedAt": "2026-05-06T07:08:09Z"});
    let gone = event(Format::Commercetools, &gone, &[]);
    assert_eq!(
        (gone.name.as_str(), gone.deleted),
        ("ResourceDeleted/customer", true)
    );
    assert_eq!(gone.id.as_deref(), Some("ResourceDeleted:c-1:7"));
    assert_eq!(
        gone.customer.external_id.as_deref(),
        Some("commercetools:c-1")
    );
    let large = json!({"notificationType": "Message", "type": "OrderCreated", "payloadNotIncluded": {"reason": "too large", "payloadType": "OrderCreated"}});
    assert!(
        rejected(Format::Commercetools, &large, &[])
            .detail
            .contains("payloadNotIncluded")
    );
    assert_eq!(
        rejected(Format::Commercetools, &json!({"type": "x"}), &[]).reason,
        Rejection::FormatMismatch
    );
}

#[test]
fn a_message_of_commercetools_in_a_cloud_event_is_the_same() {
    let body = json!({"notificationType": "Message", "projectKey": "tea", "id": "m-1", "type": "OrderCreated", "sequenceNumber": 1,
        "resource": {"typeId": "order", "id": "o-1"}, "createdAt": "2026-05-06T07:08:09.123Z", "order": {"id": "o-1", "customerId": "c-1"}});
    let plain = event(Format::Commercetools, &body, &[]);
    let structured = json!({"specversion": "1.0", "type": "com.commercetools.order.message.OrderCreated", "source": "/tea/orders", "id": "m-1",
        "subject": "o-1", "time": "2026-05-06T07:08:09.123Z", "sequence": "1", "dataref": "/tea/messages/m-1", "data": body.clone()});
    let kind = [(
        "content-type",
        "application/cloudevents+json; charset=utf-8",
    )];
    let binary = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_type", "com.commercetools.order.message.OrderCreated"),
        ("ce_source", "/tea/orders"),
        ("ce_id", "m-1"),
    ];
    for (value, headers) in [
        (&structured, &[][..]),
        (&structured, &kind),
        (&body, &binary),
    ] {
        let found = event(Format::Commercetools, value, headers);
        assert_eq!(
            (&found.name, &found.id, found.time),
            (&plain.name, &plain.id, plain.time)
        );
        assert_eq!(
            (said_version(&found), subject(&found)),
            (Some("1"), Some("o-1"))
        );
        assert_eq!(
            (&found.customer, &found.payload),
            (&plain.customer, &plain.payload)
        );
        let one = record(value.to_string().as_bytes(), headers);
        let found = decoded(Format::Commercetools, &one).unwrap();
        let attributes = &found.more.as_ref().unwrap().attributes;
        let source = attributes.get("source").and_then(|source| source.as_str());
        assert_eq!(source, Some("/tea/orders"), "{value}");
    }
    // Around nothing it is no tombstone: somebody lost what it was about.
    let null = Record {
        value: None,
        ..record(b"", &binary)
    };
    assert!(!Format::Commercetools.is_tombstone(&null));
    let said = decoded(Format::Commercetools, &null).unwrap_err();
    assert!(
        matches!(&said, Decoded::Reject(rejected) if rejected.detail.contains("no object as `data`")),
        "{said:?}"
    );
    let tombstone = Record {
        headers: Vec::new(),
        ..null
    };
    assert!(Format::Commercetools.is_tombstone(&tombstone));
    let record = record(structured.to_string().as_bytes(), &[]);
    let found = decoded(Format::Commercetools, &record).unwrap();
    let attributes = &found.more.as_ref().unwrap().attributes;
    assert_eq!(
        attributes.get("dataref").and_then(|at| at.as_str()),
        Some("/tea/messages/m-1")
    );
    let other =
        json!({"specversion": "1.0", "type": "x", "source": "/s", "id": "1", "data": {"id": 1}});
    let why = rejected(Format::Commercetools, &other, &[]);
    assert_eq!(why.reason, Rejection::FormatMismatch);
    let empty = json!({"specversion": "1.0", "type": "com.commercetools.order.message.OrderCreated", "source": "/s", "id": "1"});
    let why = rejected(Format::Commercetools, &empty, &[]);
    assert!(why.detail.contains("no object as `data`"), "{}", why.detail);
}
