use super::*;
use crate::event::CustomerHints;

fn of(kind: &str, object: &Value<'_>) -> Event<'static> {
    let body = json!({"id": "evt_1", "object": "event", "type": kind, "created": 1_778_000_000, "livemode": true,
        "api_version": "2026-04-22", "data": {"object": object.clone()}});
    event(Format::Stripe, &body, &[])
}

#[test]
fn an_invoice_belongs_to_who_pays_it() {
    let invoice = json!({"id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "customer_email": "Ann@Example.com"});
    let event = of("invoice.paid", &invoice);
    assert_eq!(event.name, "invoice.paid");
    assert_eq!(event.id.as_deref(), Some("evt_1"));
    assert_eq!(time(&event), "2026-05-05T16:53:20Z");
    assert_eq!(subject(&event), Some("in_1"));
    assert_eq!(event.customer.external_id.as_deref(), Some("stripe:cus_1"));
    assert_eq!(event.customer.email.as_deref(), Some("ann@example.com"));
    assert_eq!(event.payload["data"]["object"]["status"], json!("paid"));
}

#[test]
fn the_customer_may_be_an_id_an_object_itself_or_nobody() {
    let keys = |object: Value<'_>| {
        let CustomerHints {
            external_id,
            email,
            phone,
            ..
        } = of("x.y", &object).customer;
        (external_id, email, phone)
    };
    let text = |text: &str| Some(text.to_owned());
    let expanded = json!({"id": "sub_1", "object": "subscription", "customer": {"id": "cus_2", "object": "customer", "email": "b@c.example"}});
    assert_eq!(
        keys(expanded),
        (text("stripe:cus_2"), text("b@c.example"), None)
    );
    let itself = json!({"id": "cus_3", "object": "customer", "email": "d@e.example", "phone": "+49301234567"});
    assert_eq!(
        keys(itself),
        (
            text("stripe:cus_3"),
            text("d@e.example"),
            text("+49301234567")
        )
    );
    let guest = json!({"id": "cs_1", "object": "checkout.session", "customer": null, "customer_details": {"email": "f@g.example", "phone": null}});
    assert_eq!(keys(guest), (None, text("f@g.example"), None));
    let charge = json!({"id": "ch_1", "object": "charge", "customer": null, "billing_details": {"email": null}, "receipt_email": "h@i.example"});
    assert_eq!(keys(charge), (None, text("h@i.example"), None));
    let dispute = json!({"id": "dp_1", "object": "dispute", "charge": "ch_1"});
    assert_eq!(keys(dispute), (None, None, None));
    let discount = json!({"object": "discount", "customer": "cus_4"});
    assert_eq!(keys(discount), (text("stripe:cus_4"), None, None));
}

#[test]
fn a_cancelled_subscription_is_not_gone() {
    assert!(
        of(
            "customer.deleted",
            &json!({"id": "cus_1", "object": "customer", "deleted": true})
        )
        .deleted
    );
    assert!(of("product.deleted", &json!({"id": "p", "object": "product"})).deleted);
    assert!(
        !of(
            "customer.subscription.deleted",
            &json!({"id": "sub_1", "object": "subscription"})
        )
        .deleted
    );
}

/// The clock has whole seconds, and the order of webhooks is not promised.
#[test]
fn events_of_one_second_are_in_order_as_far_as_it_can_be_known() {
    let version = |kind: &str, object: &str, status: &str| {
        version(&of(
            kind,
            &json!({"id": "x", "object": object, "status": status}),
        ))
    };
    let sorted = |states: &[jiff::Timestamp]| states.is_sorted_by(|left, right| left < right);
    assert!(sorted(&[
        version("invoice.created", "invoice", "draft"),
        version("invoice.updated", "invoice", "draft"),
        version("invoice.finalized", "invoice", "open"),
        version("invoice.paid", "invoice", "paid"),
        version("invoice.deleted", "invoice", "draft"),
    ]));
    assert!(sorted(&[
        version("customer.subscription.created", "subscription", "active"),
        version(
            "customer.subscription.updated",
            "subscription",
            "incomplete"
        ),
        version("customer.subscription.deleted", "subscription", "canceled"),
    ]));
    let charge = |refunded: bool| {
        super::version(&of(
            "charge.updated",
            &json!({"object": "charge", "status": "succeeded", "refunded": refunded}),
        ))
    };
    assert!(charge(false) < charge(true));
    // states that go back and forth have one version: the later record counts
    assert_eq!(
        version("customer.subscription.updated", "subscription", "active"),
        version("customer.subscription.updated", "subscription", "past_due")
    );
    // a payment that fails begins anew
    assert_eq!(
        version(
            "payment_intent.payment_failed",
            "payment_intent",
            "requires_payment_method"
        ),
        version("payment_intent.processing", "payment_intent", "processing")
    );
}

#[test]
fn an_event_that_only_refers_to_its_thing_is_an_event() {
    let thin = json!({"id": "evt_2", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered", "livemode": true,
        "created": "2026-05-06T07:08:09.123Z", "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"}});
    let event = event(Format::Stripe, &thin, &[]);
    assert_eq!(event.name, "v1.billing.meter.error_report_triggered");
    assert_eq!(subject(&event), Some("mtr_1"));
    assert_eq!(time(&event), "2026-05-06T07:08:09.123Z");
    assert_eq!(event.customer, CustomerHints::default());
}

#[test]
fn event_bridge_wraps_the_event_itself() {
    let (value, _) = good(Format::Stripe);
    let wrapped = json!({"detail-type": "invoice.paid", "source": "aws.partner/stripe.com/x", "detail": value});
    let event = event(Format::Stripe, &wrapped, &[]);
    assert_eq!(
        (event.name.as_str(), event.id.as_deref()),
        ("invoice.paid", Some("evt_1"))
    );
    assert_eq!(event.payload, value);
}

#[test]
fn what_is_no_event_is_rejected_with_the_way_out() {
    let thing = rejected(
        Format::Stripe,
        &json!({"id": "in_1", "object": "invoice"}),
        &[],
    );
    assert_eq!(thing.reason, Rejection::FormatMismatch);
    assert!(thing.detail.contains("the whole event"), "{}", thing.detail);
    assert_eq!(
        rejected(Format::Stripe, &json!({"type": "x"}), &[]).reason,
        Rejection::FormatMismatch
    );
    let unnamed = rejected(
        Format::Stripe,
        &json!({"object": "event", "id": "evt_1"}),
        &[],
    );
    assert_eq!(unnamed.reason, Rejection::InvalidEnvelope);
    assert!(unnamed.detail.contains("`type`"));
}
