//! Whom and what an event is about, and what its values mean.

use super::*;

/// The part of the mapping that is the route for this event.
fn route_of(mapping: &str, on: &str) -> String {
    let route = mapping.split(&format!("    on: {on}\n")).nth(1);
    let route = route.unwrap_or_else(|| panic!("{on} is not in\n{mapping}"));
    format!("{}\n", route.split("\n\n").next().unwrap_or_default())
}

#[test]
fn nobody_but_the_customer_is_taken_for_one() {
    let of_order = "customer: { from: { klass: order, externalId: .order_id } }";
    let tracker = shipped("easypost").join("\n");
    let cases: &[(&str, &str, &str, &[&str])] = &[
        // somebody of the shop's staff made the refund
        (
            r#"{"topic":"refunds/create","payload":{"id":9,"order_id":5512,"user_id":799,"created_at":"2026-03-04T05:06:07Z"}}"#,
            "shopify",
            "refunds/create",
            &[of_order, "somebody else: .user_id"],
        ),
        // a transaction of an order is none, and a dispute is no charge
        (
            r#"{"topic":"order_transactions/create","payload":{"id":9,"order_id":5512,"user_id":799}}"#,
            "shopify",
            "order_transactions/create",
            &["kobject: order-transaction", of_order],
        ),
        (
            r#"{"id":"evt_1","object":"event","type":"charge.dispute.created","created":1772600767,"livemode":true,"data":{"object":{"id":"dp_1","object":"dispute","charge":"ch_1","evidence":{"customer_email_address":"maria@shop.example"}}}}"#,
            "stripe",
            "charge.dispute.created",
            &[
                "customer: none",
                "kobject: dispute",
                ".customer_email_address",
            ],
        ),
        (
            r#"{"type":"refund.issued","refund_id":"R1","order_id":"o1","staff_id":"s1","approved_by":"jo@shop.example"}"#,
            "json",
            "refund.issued",
            &[of_order, ".staff_id"],
        ),
        (
            r#"{"type":"gift.sent","order_id":"o1","user_id":"u1","buyer":{"mail":"maria@shop.example"},"recipient":"otto@shop.example"}"#,
            "json",
            "gift.sent",
            &["customer: { email: .buyer.mail }", ".recipient, .user_id"],
        ),
        (
            r#"{"type":"invite.sent","invitee_email":"otto@shop.example","seller":{"id":7,"email":"s@shop.example"}}"#,
            "json",
            "invite.sent",
            &["skip: "],
        ),
        (
            r#"{"type":"stay.booked","customer":{"id":"c1"},"hotel":{"phone":"+49 30 901820","email":"inn@hotel.example"},"from_email":"noreply@shop.example"}"#,
            "json",
            "stay.booked",
            &[
                "customer: { externalId: .customer.id }",
                ".from_email, .hotel.email, .hotel.phone",
            ],
        ),
        (
            r#"{"type":"quiz.done","user_id":"u1","points":5}"#,
            "json",
            "quiz.done",
            &[
                "customer: { externalId: .user_id }",
                "never somebody of the staff?",
            ],
        ),
        (
            r#"{"type":"sale.done","sale_id":"s1","customer":{"id":"c1","account_manager":{"email":"am@shop.example"}},"email":"maria@shop.example"}"#,
            "json",
            "sale.done",
            &["customer: { externalId: .customer.id, email: .email }"],
        ),
        (
            &tracker,
            "easypost",
            "tracker.created",
            &["customer: none", ".user_id"],
        ),
    ];
    for (sample, format, on, expected) in cases {
        let records = sample.starts_with(r#"{"value""#).then_some("--records");
        let arguments = ["--format", format].into_iter().chain(records);
        let (told, mapping, exit) = infer(sample, &arguments.collect::<Vec<_>>());
        assert_eq!(exit, CommandExit::Good, "{told}");
        let route = route_of(&mapping, on);
        for expected in *expected {
            assert!(route.contains(expected), "{expected} is not in\n{route}");
        }
    }
}

#[test]
fn a_person_who_is_nothing_but_an_id_is_known_as_one() {
    let cases: &[(&str, &[&str])] = &[
        (
            r#"{"type":"a.b","user":"u-4711"}"#,
            &[
                "customer: { externalId: .user }",
                "never somebody of the staff?",
            ],
        ),
        (
            r#"{"type":"a.b","data":{"account":9007199254740993}}"#,
            &["{ externalId: .data.account }"],
        ),
        (
            r#"{"type":"a.b","order":{"customer":4711,"user":"u-1"}}"#,
            &["{ externalId: .order.customer }", "else: .order.user"],
        ),
        (
            r#"{"type":"a.b","member":"M-1","email":"m@shop.example"}"#,
            &["{ externalId: .member, email: .email }"],
        ),
        // what may be a mark, a name, a number of people, a program, several people, or somebody else
        (r#"{"type":"a.b","member":1}"#, &["skip: "]),
        (r#"{"type":"a.b","customer":"Maria 2 Lopez"}"#, &["skip: "]),
        (r#"{"type":"a.b","user":"maria"}"#, &["skip: "]),
        (r#"{"type":"a.b","user":"guest"}"#, &["skip: "]),
        (r#"{"type":"a.b","guest":2}"#, &["skip: "]),
        (r#"{"type":"a.b","account":12.5}"#, &["skip: "]),
        (r#"{"type":"a.b","client":"ios-17"}"#, &["skip: "]),
        (r#"{"type":"a.b","users":17}"#, &["skip: "]),
        (r#"{"type":"a.b","new_customer":"n1"}"#, &["skip: "]),
        (r#"{"type":"a.b","seller":{"user":"u-1"}}"#, &["skip: "]),
        (r#"{"type":"a.b","before":{"user":"u-1"}}"#, &["skip: "]),
    ];
    for (sample, expected) in cases {
        let (told, mapping, exit) = infer(sample, &["--format", "json"]);
        assert_eq!(exit, CommandExit::Good, "{told}");
        let route = route_of(&mapping, "a.b");
        for expected in *expected {
            assert!(
                route.contains(expected),
                "{sample}: {expected} is not in\n{route}"
            );
        }
        for personal in ["4711", "9007199254740993", "M-1", "u-1"] {
            assert!(!mapping.contains(personal), "{personal} is in\n{mapping}");
        }
    }
}

#[test]
fn suffixes_are_those_of_what_values_mean() {
    let sample = r#"{"type":"sale.done","sale_id":"s1","customer_id":"c1","total":"27.50","discount_code":"1234","order_id":5512,"placed_at_ms":1772600767000,"started":"2026-03-04","status":"paid","previous_attributes":{"status":"open"},"paid_with":"4111 1111 1111 1111","card":4111111111111111}
{"type":"hint.given","customer_id":"c1","order_id":5512,"amount":"3.10"}"#;
    let (told, mapping, exit) = infer(sample, &["--format", "json"]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    let sale = route_of(&mapping, "sale.done");
    for expected in [
        "totalNum: .total\n",
        "discountCodeStr: .discount_code\n",
        "orderIdStr: .order_id\n",
        "placedAt: .placed_at_ms\n",
        "statusStr: .status\n",
    ] {
        assert!(sale.contains(expected), "{expected} is not in\n{sale}");
    }
    let hint = route_of(&mapping, "hint.given");
    for expected in [
        "amountNum: .amount\n",
        "orderIdStr: '.order_id // empty | tostring'\n",
    ] {
        assert!(hint.contains(expected), "{expected} is not in\n{hint}");
    }
    assert!(!sale.contains("previous_attributes.status\n"), "{sale}");
    assert!(!mapping.contains("4111"), "{mapping}");
    assert!(mapping.contains("personal: card number"), "{mapping}");
    let looks = "looks personal, not proposed as attributes: .card, .paid_with";
    assert!(told.contains(looks), "{told}");
}

#[test]
fn rows_with_a_schema_are_read_as_rows() {
    let row = r#"{"schema":{"type":"struct","optional":false,"name":"shop.orders","fields":[{"field":"id","type":"int32"},{"field":"total","type":"string"}]},"payload":{"id":7,"total":"5.20","customer_id":9}}"#;
    let named = ["--topic", "shop.orders"];
    let (told, mapping, exit) = infer(&format!("{row}\n"), &named);
    assert_eq!(exit, CommandExit::Good, "{told}");
    assert!(mapping.contains("format: debezium\n"), "{mapping}");
    assert!(mapping.contains("    on: orders.u\n"), "{mapping}");
    let test = mapping.split("\ntests:\n").nth(1).unwrap_or_default();
    assert!(test.contains("    topic: shop.orders\n"), "{test}");
    assert!(!test.contains("skip: no_route"), "{test}");
    // The name of such rows is that of their topic, so a made-up one is of no use.
    let (told, _, exit) = infer(&format!("{row}\n"), &[]);
    assert_eq!(exit, CommandExit::Usage, "{told}");
    assert!(told.contains("Name it: --topic"), "{told}");
    let plain = "{\"id\":7,\"total\":5.2}\n";
    let (told, _, _) = infer(plain, &named);
    assert!(told.contains("--format debezium"), "{told}");
    let as_rows = ["--topic", "shop.orders", "--format", "debezium"];
    let (told, mapping, exit) = infer(plain, &as_rows);
    assert_eq!(exit, CommandExit::Good, "{told}");
    assert!(mapping.contains("    on: orders.u\n"), "{mapping}");
    // An event with a name of its own is no row, whatever Kafka Connect puts around it.
    let event = r#"{"schema":{"type":"struct","fields":[]},"payload":{"eventType":"order.placed","eventId":"e1","time":"2026-03-04T05:06:07Z","data":{"orderId":"o1","customerId":"c1"}}}"#;
    let (told, mapping, exit) = infer(&format!("{event}\n"), &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    assert!(mapping.contains("order.placed"), "{mapping}");
    assert!(!mapping.contains("format: debezium"), "{mapping}");
    // What no format reads is not said to be none of the first one.
    let (told, _, _) = infer("{\"a\":1}\n", &[]);
    assert!(told.contains("can be read as format json"), "{told}");
    assert!(told.contains("or name the format with --format"), "{told}");
    // Another format does not help where the sample itself is at fault.
    let nested = format!("{}{}\n", "[".repeat(200), "]".repeat(200));
    let large = format!("{{\"type\":\"a\",\"b\":\"{}\"}}\n", "x".repeat(1 << 20));
    for (sample, wanted) in [
        ("type;id\n1;2\n", "; a sample has a JSON value on each line"),
        (
            large.as_str(),
            "; the worker would reject such records, too",
        ),
        (
            nested.as_str(),
            "; the worker would reject such records, too",
        ),
    ] {
        let (told, _, _) = infer(sample, &[]);
        assert!(told.contains(wanted), "{told}");
        assert!(!told.contains("--format"), "{told}");
    }
}

#[test]
fn signs_of_life_hide_neither_time_nor_key_nor_amount() {
    let mut sample = String::new();
    for number in 0..20 {
        let points = if number == 7 {
            "\"many\"".to_owned()
        } else {
            number.to_string()
        };
        writeln!(
            sample,
            r#"{{"kind":"points.earned","ref":"L-{number}","occurredAt":176451234{number:04},"expires":"2027-01-31","member":{{"no":"M-{number}","mail":"a{number}@b.example"}},"points":{points}}}"#
        )
        .unwrap();
        if number % 4 == 0 {
            sample.push_str("{\"kind\":\"heartbeat\"}\n");
        }
    }
    let (told, mapping, exit) = infer(&sample, &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    has_all(
        &mapping,
        &[
            "event: { name: .kind, time: .occurredAt }\n",
            "customer: { externalId: .member.no, email: .member.mail }\n",
            "pointsNum: .points",
        ],
    );
    // A name that the worker writes itself is not proposed.
    let twice = "{\"kind\":\"a.b\",\"time\":\"2026-03-04T05:06:07Z\",\"occurredAt\":\"2026-03-04T05:06:07Z\",\"eventKey\":\"k\",\"member\":{\"mail\":\"a@b.example\"}}\n";
    let (told, mapping, exit) = infer(twice, &[]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    assert!(mapping.contains("track: $event.name"), "{mapping}");
    let (_, mapping, _) = infer(
        "{\"kind\":\"a.b\",\"member\":{\"mail\":\"a@b.example\"}}\n",
        &[],
    );
    assert!(
        mapping.contains("was not found, so each event has the time of its record"),
        "{mapping}"
    );
}

#[test]
fn the_parts_of_an_event_are_no_events_and_a_constant_is_no_name() {
    let carts = |full: usize| {
        let cart = |number: usize| {
            let items = if number < full {
                r#"{"sku":"a","type":"digital"}"#
            } else {
                ""
            };
            format!(
                "{{\"cart_id\":\"c{number}\",\"customer_id\":\"u1\",\"action\":\"changed\",\"items\":[{items}]}}\n"
            )
        };
        (0..20).map(cart).collect::<String>()
    };
    let nameless = |full: usize| carts(full).replace("\"action\":\"changed\",", "");
    let wrapped = r#"{"meta":{"eventType":"order.paid"},"items":[{"sku":"a","name":"Blue shirt"}],"order_id":"o1","customer_id":"c1"}
"#;
    for sample in [&carts(20), &nameless(1), wrapped] {
        let (told, mapping, _) = infer(sample, &[]);
        assert!(!mapping.contains("each:"), "{told}\n{mapping}");
    }
    let states: String = ["paid", "shipped", "paid"]
        .map(|status| {
            format!(
                "{{\"order_id\":\"o1\",\"customer_id\":\"c1\",\"status\":\"{status}\",\"context\":{{\"kind\":\"web\"}}}}\n"
            )
        })
        .concat();
    let (told, mapping, _) = infer(&states, &[]);
    assert!(mapping.contains("name: .status"), "{told}\n{mapping}");
    let bookings: String = [2, 4, 3]
        .map(|persons| {
            format!("{{\"type\":\"table.booked\",\"person\":{persons},\"table_id\":\"t1\"}}\n")
        })
        .concat();
    let (told, mapping, _) = infer(&bookings, &[]);
    assert!(
        !mapping.contains("externalId: .person"),
        "{told}\n{mapping}"
    );
}

#[test]
fn who_the_customer_is_is_made_up_in_tests_whatever_the_field_is_called() {
    let sample: String = (0..20)
        .map(|number| {
            format!(
                "{{\"q\":{{\"what\":\"rental.{}\",\"no\":\"q-{number}\"}},\"member\":{{\"memberNo\":\"M-104{number:02}\",\"email\":\"n/a\"}},\"rental_id\":\"r{number}\"}}\n",
                if number % 2 == 0 { "booked" } else { "returned" }
            )
        })
        .collect();
    let (told, mapping, exit) = infer(&sample, &[]);
    assert_eq!(exit, CommandExit::Failed, "{told}");
    assert!(
        told.contains("--name .hdr.evt") && mapping.is_empty(),
        "{told}"
    );
    let (told, mapping, exit) = infer(&sample, &["--name", ".q.what"]);
    assert_eq!(exit, CommandExit::Good, "{told}");
    has_all(
        &mapping,
        &[
            "event: { name: .q.what",
            "    on: rental.booked\n",
            "externalId: .member.memberNo",
            "email: n/a",
        ],
    );
    assert!(!mapping.contains("M-104"), "{mapping}");
}
