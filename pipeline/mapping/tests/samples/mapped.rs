//! What the shipped mappings make of each sample.

use std::sync::Arc;

use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_mapping::testing::shown;
use ingest_model::outcome::Verdict;

use super::*;

/// Which route takes a record, and the kinds of things that it makes; or why there are none.
fn outcome(pipeline: &Pipeline, record: &Record) -> String {
    let now = jiff::Timestamp::from_millisecond(support::NOW_MS).unwrap();
    match pipeline.explain(record, now).1 {
        Verdict::Skip(reason) => format!("skip {}", reason.as_str()),
        Verdict::Reject(rejected) => {
            let detail: String = rejected.detail.chars().take(60).collect();
            format!("reject {}: {detail}", rejected.reason.as_str())
        }
        Verdict::Batch(_) => "a batch".to_owned(),
        Verdict::Emit(planned) => {
            let made = planned.iter().map(|one| {
                let shown = shown(&one.operation);
                let kinds = [
                    "kobject", "digest", "track", "identify", "company", "customer",
                ];
                let kind = kinds
                    .into_iter()
                    .find(|kind| !shown[*kind].is_null())
                    .unwrap();
                let name = shown[kind]
                    .as_str()
                    .filter(|_| matches!(kind, "kobject" | "digest" | "track"));
                name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
            });
            let made: Vec<String> = made.collect();
            format!("{} of {}", made.join(" and "), planned[0].route)
        }
    }
}

/// What a mapping makes of the samples of a folder, changed before that.
fn outcomes(preset: &str, folder: &str, change: fn(&mut Value)) -> Vec<String> {
    let path = support::schemas()
        .join("mappings")
        .join(format!("{preset}.yaml"));
    let mapping = Mapping::compile(&fs::read_to_string(path).unwrap(), preset).unwrap();
    let format = mapping.format().unwrap();
    let pipeline = Pipeline::new(format, Limits::default(), Arc::new(mapping)).unwrap();
    let mut found = Vec::new();
    for (file, content) in files(folder, "json") {
        for mut record in records(format, &file, content) {
            if let Some(Ok(mut value)) =
                record.value.as_deref().map(serde_json::from_slice::<Value>)
            {
                change(&mut value);
                record.value = Some(value.to_string().into());
            }
            found.push(format!("{file}: {}", outcome(&pipeline, &record)));
        }
    }
    found
}

/// Fails if a sample becomes something else. Without samples it says nothing.
fn check(preset: &str, change: fn(&mut Value), wanted: &str) {
    let found = outcomes(preset, preset, change);
    if !found.is_empty() {
        let wanted: Vec<&str> = wanted.trim().lines().collect();
        assert_eq!(found, wanted);
    }
}

fn as_sent(_: &mut Value) {}

#[test]
fn segment() {
    // calls that the documentation shows without a customer, and what no shop does
    check(
        "segment",
        as_sent,
        r"
_ecommerce-v2-properties.json: reject format_mismatch: `type` is missing: not a Segment message
alias-alias-3.json: skip dropped
alias-alias.json: skip dropped
b2b-saas-track-account-added-user.json: track Account-Added-User of invitation
b2b-saas-track-account-created.json: track Account-Created of account
b2b-saas-track-signed-out.json: skip dropped
b2b-saas-track-signed-up.json: identify and track Signed-Up of signed-up
b2b-saas-track-trial-started.json: track Trial-Started of account
common-track-report-submitted-2.json: skip no_route
common-track-report-submitted.json: skip no_route
ecommerce-index-track-added-product.json: track Added-Product of cart
ecommerce-index-track-order-completed.json: kobject order of order-completed
ecommerce-index-track-viewed-product-category.json: digest browsing of browsing
ecommerce-tracking-plan-identify.json: skip dropped
ecommerce-v2-track-cart-viewed.json: skip dropped
ecommerce-v2-track-checkout-started.json: skip dropped
ecommerce-v2-track-checkout-step-completed.json: skip dropped
ecommerce-v2-track-coupon-applied.json: skip dropped
ecommerce-v2-track-order-completed.json: reject missing_customer: customer: the event names nobody by id, e-mail or phone; say
ecommerce-v2-track-order-refunded.json: reject missing_customer: customer: the event names nobody by id, e-mail or phone; say
ecommerce-v2-track-payment-info-entered.json: skip dropped
ecommerce-v2-track-product-added-to-wishlist.json: skip dropped
ecommerce-v2-track-product-added.json: skip dropped
ecommerce-v2-track-product-list-viewed.json: skip dropped
ecommerce-v2-track-product-reviewed.json: skip dropped
ecommerce-v2-track-product-viewed.json: skip dropped
ecommerce-v2-track-products-searched.json: skip dropped
ecommerce-v2-track-promotion-viewed.json: skip dropped
email-track-email-bounced.json: skip no_route
email-track-email-link-clicked.json: skip no_route
email-track-email-opened.json: skip no_route
group-group.json: skip dropped
identify-identify-3.json: skip not_for_kustomer
identify-identify.json: identify of identify
live-chat-track-live-chat-conversation-started.json: skip no_route
live-chat-track-live-chat-message-sent.json: skip no_route
mobile-track-application-backgrounded.json: skip no_route
mobile-track-application-crashed.json: skip no_route
mobile-track-application-installed.json: skip no_route
mobile-track-application-updated.json: skip no_route
mobile-track-deep-link-clicked.json: skip no_route
mobile-track-push-notification-bounced.json: skip no_route
mobile-track-push-notification-received.json: skip no_route
page-page-home.json: skip dropped
screen-screen-home-2.json: digest browsing of page
screen-screen-home.json: skip dropped
track-track-button-clicked.json: skip no_route
track-track-course-clicked.json: skip no_route
track-track-user-registered.json: skip no_route
",
    );
}

#[test]
fn stripe_as_it_was_sent_is_all_of_the_test_mode() {
    for line in outcomes("stripe", "stripe", as_sent) {
        let skipped = line.ends_with(": skip dropped") || line.ends_with(": skip no_route");
        assert!(skipped, "{line}");
    }
}

#[test]
fn stripe_as_if_it_were_live() {
    check(
        "stripe",
        |event| event["livemode"] = true.into(),
        r"
charge-captured.json: kobject payment of payment-of-nobody
charge-dispute-created.json: kobject dispute of dispute
charge-dispute-funds-withdrawn.json: kobject dispute of dispute
charge-failed.json: kobject payment of payment-of-nobody
charge-refunded.json: kobject payment of payment-of-nobody
charge-updated.json: kobject payment of payment
checkout-session-completed-payment-mode.json: kobject order of checkout
coupon-created.json: skip no_route
customer-deleted.json: skip dropped
customer-discount-deleted.json: skip no_route
customer-subscription-created.json: kobject subscription of subscription
customer-subscription-trial-will-end.json: kobject subscription of subscription
customer-updated.json: customer of customer
invoice-finalized.json: kobject invoice of invoice
invoice-payment-action-required.json: kobject invoice of invoice
invoice-payment-succeeded.json: kobject invoice of invoice
invoice-updated.json: skip dropped
payment-intent-created.json: skip no_route
payment-intent-succeeded.json: skip no_route
product-created.json: skip no_route
product-updated.json: skip no_route
subscription-schedule-canceled.json: skip no_route
subscription-schedule-released.json: skip no_route
",
    );
}

#[test]
fn shopify_as_if_no_order_were_a_test() {
    check(
        "shopify",
        |body| {
            if let Some(test) = body.get_mut("test") {
                *test = false.into();
            }
        },
        r"
doc-carts-update.json: skip no_route
doc-checkouts-create.json: kobject checkout of checkout
doc-customers-create.json: customer of customer
doc-customers-redact.json: reject privacy_request: a request under privacy law that no route takes: answer it, 
doc-customers-update.json: customer of customer
doc-disputes-create.json: kobject dispute of dispute
doc-draft-orders-create.json: skip no_route
doc-fulfillment-events-create.json: skip dropped
doc-fulfillments-create.json: kobject shipment of shipment
doc-order-transactions-create.json: skip no_route
doc-orders-create.json: kobject order of order
doc-orders-paid.json: kobject order of order
doc-orders-updated.json: kobject order of order
doc-products-update.json: skip no_route
doc-refunds-create.json: kobject refund of refund
doc-returns-request.json: kobject return of return
doc-subscription-contracts-create.json: kobject subscription of subscription
live-checkouts-2023-10-1.json: kobject checkout of checkout
live-checkouts-2024-01-1.json: kobject checkout of checkout
live-checkouts-2024-01-3.json: kobject checkout of checkout
live-checkouts-2024-01-6.json: kobject checkout of checkout
live-checkouts-2024-04-1.json: kobject checkout of checkout
live-checkouts-2024-04-3.json: skip dropped
live-checkouts-2025-04-1.json: skip dropped
live-customers_email_marketing_consent-2025-04-1.json: customer of consent
live-fulfillment_events-2025-04-1.json: skip dropped
live-fulfillments-2024-01-2.json: kobject shipment of shipment
live-order_transactions-2024-01-2.json: skip no_route
live-order_transactions-2025-04-1.json: skip no_route
live-orders-2023-10-1.json: kobject order of order
live-orders-2024-01-2.json: kobject order of order
live-orders-2024-04-1.json: kobject order of order
live-orders-2025-04-2.json: kobject order of order-of-nobody
live-refunds-2025-04-1.json: kobject refund of refund
live-subscription_billing_attempts-2025-04-1.json: track billing-failed of billing-failed
",
    );
}

#[test]
fn easypost() {
    // two of the test mode, and answers to requests
    check(
        "easypost",
        as_sent,
        r"
event-body.json: kobject shipment of shipment
events-retrieve.json: skip dropped
post-json-example.json: skip no_route
refunds-retrieve.json: reject format_mismatch: `object` is not `Event`: not an event of EasyPost
tracking-webhook-response.json: skip dropped
",
    );
}

#[test]
fn aftership() {
    // the tracking was cut, its number with it
    check(
        "aftership",
        as_sent,
        r"
tracking-update-2026-07-trimmed.json: reject missing_customer: customer.from.externalId: no value in `$event.subject`
warranty-created.json: skip no_route
",
    );
}

#[test]
fn debezium() {
    // keys, which pass for rows; tables of other columns; events of an outbox, which need routes of their own
    check(
        "debezium",
        as_sent,
        r"
docs-mongodb-1-c.json: reject missing_field: do[0].externalId: no value in `.id`
docs-mongodb-3-key.json: kobject order of order-of-nobody
docs-mongodb-5-customers-u.json: reject missing_field: do[0].customer: no value in `.id`
docs-mysql-1-key.json: reject missing_field: do[0].externalId: no value in `.id`
docs-mysql-3-c.json: reject missing_field: do[0].externalId: no value in `.id`
docs-mysql-5-key.json: kobject order of order-of-nobody
docs-mysql-7-customers-u.json: customer of customer
docs-mysql-9-customers-t.json: skip no_route
docs-pg-logical-message-1-m.json: skip no_route
docs-postgresql-1-c.json: reject missing_field: do[0].externalId: no value in `.id`
docs-postgresql-3-key.json: kobject order of order-of-nobody
docs-postgresql-5-customers-u.json: customer of customer
docs-postgresql-7-customers-t.json: skip no_route
docs-sqlserver-1-key.json: reject missing_field: do[0].externalId: no value in `.id`
docs-sqlserver-3-key.json: reject missing_field: do[0].externalId: no value in `.id`
docs-sqlserver-5-key.json: kobject order of order-of-nobody
docs-sqlserver-7-customers-u.json: customer of customer
docs-timezone-1-customers-c.json: customer of customer-of-snapshot
docs-tutorial-create-2-customers-r.json: customer of customer-of-snapshot
docs-tutorial-delete-2-customers-d.json: skip dropped
docs-tutorial-restart-1-customers-c.record.json: customer of customer
docs-tutorial-update-2-customers-u.json: customer of customer
examples-engine-customers-u.json: customer of customer
examples-server-products-r.json: skip no_route
outbox-cancel-order-line-request.json: reject missing_field: do[0].externalId: no value in `.id`
outbox-create-order-request.json: reject missing_field: do[0].externalId: no value in `.id`
outbox-raw-table-row.record.json: skip no_route
outbox-routed-order-expanded.record.json: skip no_route
",
    );
}

#[test]
fn cloudevents() {
    // none is of the mapping's types, which are an example
    check(
        "cloudevents",
        as_sent,
        r"
debezium-structured-1.json: skip no_route
kafka-binary-mode.record.json: skip no_route
spec-json-format-1.json: skip no_route
spec-json-format-3.json: skip no_route
spec-json-format-5.json: skip no_route
spec-json-format-7.json: reject format_mismatch: the value is a list, a batch of events: a record is one even
",
    );
}
