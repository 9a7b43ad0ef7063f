//! Values that producers spell in several ways, and messages whose names look alike.

use serde_json::json;

use super::bad::{judge, segment};
use crate::decode::Format;
use ingest_model::outcome::{SkipReason, Verdict};

#[test]
fn an_empty_list_of_php_is_an_empty_map() {
    let identify =
        segment(&json!({"type": "identify", "userId": "c-9", "traits": [], "context": []}));
    assert_eq!(identify.one()["customer"]["externalId"], "c-9");
    let signed_in =
        segment(&json!({"type": "track", "event": "Signed In", "userId": "c-9", "properties": []}));
    assert_eq!(signed_in.one()["track"], "Signed-In");
    let cart = segment(
        &json!({"type": "track", "event": "Cart Viewed", "userId": "c-9", "context": [],
        "properties": {"cart_id": "k-3"}}),
    );
    assert_eq!(cart.one()["meta"]["cart"], "k-3");
    for found in [identify, signed_in, cart] {
        assert_eq!(found.dropped, Vec::<String>::new());
    }
    let text = "
routes:
  - { name: r, on: x, customer: none, do: [{ kobject: o, externalId: .id, title: .id, data: .all }] }";
    let found = judge(
        text,
        Format::Json,
        &json!({"type": "x", "id": "a", "all": []}),
    );
    assert_eq!(found.one()["data"], json!({}));
}

#[test]
fn an_empty_text_is_no_value() {
    let order = segment(
        &json!({"type": "track", "event": "Order Completed", "userId": "c-9", "properties":
        {"order_id": " ", "orderId": 88, "total": "", "revenue": "3.750000000000000000", "discount": "", "coupon": ""}}),
    );
    let one = order.one();
    assert_eq!(
        (&one["externalId"], &one["title"]),
        (&json!("88"), &json!("Order 88"))
    );
    for name in ["discountNum", "couponStr"] {
        assert_eq!(one["custom"].get(name), None, "{name}");
    }
    assert_eq!(one["custom"]["revenueNum"], 3.75);
    let added = segment(
        &json!({"type": "track", "event": "Product Added", "userId": "c-9",
        "properties": {"sku": "", "product_id": "p-8", "price": ""}}),
    );
    let one = added.one();
    assert_eq!(
        (&one["meta"]["sku"], one["meta"].get("price")),
        (&json!("p-8"), None)
    );
    let coupon = segment(
        &json!({"type": "track", "event": "Coupon Removed", "userId": "c-9",
        "properties": {"coupon_name": "", "coupon_id": "K-5", "discount": ""}}),
    );
    assert_eq!(coupon.one()["meta"]["coupon"], "K-5");
    for found in [order, added, coupon] {
        assert_eq!(found.dropped, Vec::<String>::new());
    }
    // a file may keep empty texts; attributes of other types are left out even then
    let text = "
routes:
  - name: r
    on: x
    customer: { externalId: .id // .other, email: .mail }
    do: [{ kobject: o, externalId: '\"1\"', title: '\"t\"', custom: { aStr: .id, bNum: .id, cAt: .id, dBool: .id, eUrl: .id } }]";
    let found = judge(
        text,
        Format::Json,
        &json!({"type": "x", "id": "", "other": "c-9", "mail": "m@shop.example"}),
    );
    let one = found.one();
    assert_eq!(one["custom"], json!({"aStr": ""}));
    assert_eq!(one["customer"]["email"], "m@shop.example");
    assert_eq!(one["customer"].get("externalId"), None);
    assert_eq!(found.dropped, Vec::<String>::new());
}

#[test]
fn a_page_is_no_act_whatever_its_name() {
    for kind in ["page", "screen"] {
        for name in [
            "Order Cancelled",
            "Order Completed",
            "Cart-Viewed",
            "Signed In",
            "Checkout Started",
            "Product Viewed",
        ] {
            let message = json!({"type": kind, "name": name, "category": "Order Completed", "userId": "c-9",
                "properties": {"order_id": "A-7", "cart_id": "k-1"}});
            let found = segment(&message);
            assert_eq!(found.one()["digest"], "browsing", "{message}");
            assert_eq!(found.one()["data"]["counts"], json!({kind: 1}), "{message}");
        }
    }
    for name in ["Identify", "Group", "Page"] {
        let message = json!({"type": "track", "event": name, "userId": "c-9", "properties": {}});
        assert_eq!(
            segment(&message).verdict,
            Verdict::Skip(SkipReason::NoRoute),
            "{message}"
        );
    }
}

#[test]
fn a_route_is_for_the_types_that_it_names_or_for_acts() {
    let kinds = |route: &str, name: &str| -> Vec<&str> {
        let text = format!("format: segment\nroutes:\n  - {{ name: r, {route}, skip: x }}");
        let all = ["track", "identify", "page", "screen", "group", "alias"];
        let message =
            |kind: &str| json!({"type": kind, "event": name, "name": name, "userId": "c-9"});
        let matched = |kind: &&str| {
            judge(&text, Format::Segment, &message(kind)).verdict
                == Verdict::Skip(SkipReason::Dropped)
        };
        all.into_iter().filter(matched).collect()
    };
    assert_eq!(kinds("on: Order Paid", "order_paid"), ["track"]);
    assert_eq!(
        kinds("on: Order Paid, type: [page, screen]", "order_paid"),
        ["page", "screen"]
    );
    assert_eq!(kinds("on: identify", "Identify"), ["identify"]);
    assert_eq!(
        kinds("on: [identify, Order Paid]", "order_paid"),
        ["track", "identify"]
    );
    assert_eq!(kinds("on: identify, type: track", "Identify"), ["track"]);
    assert_eq!(kinds("on: page", "page"), ["page"]);
    assert_eq!(
        kinds("on: '*', type: [track, page]", "anything"),
        ["track", "page"]
    );
    assert_eq!(kinds("on: '*'", "anything").len(), 6);
}

#[test]
fn an_id_and_a_title_spell_a_number_alike() {
    for (id, wanted) in [
        (json!(17.0), "17"),
        (json!(1e3), "1000"),
        (json!(7_312_345_678_901_234_567_i64), "7312345678901234567"),
        (json!("17.0"), "17.0"),
    ] {
        let found = segment(
            &json!({"type": "track", "event": "Order Completed", "userId": "c-9",
            "properties": {"order_id": id, "checkout_id": id, "products": [{"product_id": id}]}}),
        );
        let one = found.one();
        assert_eq!(one["externalId"], wanted);
        assert_eq!(one["title"], format!("Order {wanted}"));
        assert_eq!(one["custom"]["checkoutStr"], wanted);
        assert_eq!(one["description"], "1 item");
    }
    let sku = json!(7_312_345_678_901_234_567_i64);
    let found = segment(
        &json!({"type": "track", "event": "Order Completed", "userId": "c-9",
        "properties": {"order_id": 4, "products": [{"product_id": sku, "quantity": 2}, {"sku": 12}]}}),
    );
    let one = found.one();
    assert_eq!(one["data"]["products"][0]["sku"], "7312345678901234567");
    assert_eq!(one["data"]["products"][0]["quantity"], 2);
    assert_eq!(one["data"]["products"][1]["sku"], 12);
    assert_eq!(one["description"], "2 items");
}
