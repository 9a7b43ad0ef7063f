use crate::value::json;

use super::*;

/// Texts that stand for nothing at all, as producers spell them.
const NOTHING: &[&str] = &[
    "null",
    "NULL",
    "Undefined",
    "nil",
    "None",
    "NaN",
    "null null",
    "undefined_undefined",
    "none-none",
    "(null)",
    "<null>",
    "'undefined'",
    "\"null\"",
    "[none]",
    "n/a",
    "N/A",
    "#N/A",
    "\\N",
    "(not set)",
    "NOT_SET",
    "not-set",
    "Not Available",
    "(not applicable)",
    "unknown",
    "Unknown",
    "true",
    "FALSE",
    "0",
    "000",
    "-0",
    "+0",
    "0.00",
    "-1",
    "-1.0",
    "0000-00-00",
    "00000000-0000-0000-0000-000000000000",
    "{00000000-0000-0000-0000-000000000000}",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    "-",
    "--",
    "...",
    "?",
    "()",
    "{}",
    "\u{2014}",
    "{{customer.id}}",
    "{{ customer.id }}",
    "shop-{{customer.id}}",
    "${customerId}",
    "#{customer_id}",
    "$(customer)",
    "<%= customer.id %>",
    "{% customer %}",
    "[[customer]]",
    "*|CUSTOMER|*",
    "%customer_id%",
    "%%customer%%",
    "{customer_id}",
    "[customer_id]",
    "<customer_id>",
    "<User object at 0x7f3a>",
    "{0}",
    "%s",
    "[object Object]",
    "[object HTMLElement]",
    "function () { return id }",
    "function(){}",
    "shopify:null",
    "loyalty:Undefined",
    "gid://shopify/Customer/null",
    "shopify:",
];

/// Texts that stand for no customer, but may be the id of something else.
const NOBODY: &[&str] = &[
    "anonymous",
    "Anonymous User",
    "ANON",
    "guest",
    "Guest_Checkout",
    "visitor",
    "nobody",
    "not_authenticated",
    "not-logged-in",
    "logged out",
    "unauthenticated",
    "default",
    "Shopify-Admin",
    "id",
    "email",
    "user_id",
    "userId",
    "distinct_id",
    "customerId",
    "(guest)",
    "shop2:null",
    "order:17:",
];

/// Texts that look odd but are somebody's id.
const SOMEBODY: &[&str] = &[
    "1",
    "-2",
    "10",
    "0x10",
    "007",
    "test",
    "user",
    "customer",
    "na",
    "no",
    "nullify",
    "null-7",
    "jennifer-null",
    "null:7",
    "https://id.example/ann/",
    "nonexistent",
    "guest-17",
    "guests",
    "anonymous-4711",
    "unknown-soldier",
    "true-north",
    "{3f2504e0-4f89-11d3-9a0c-0305e82c3301}",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "00000000-0000-0000-0000-000000000001",
    "ffffffff-ffff-ffff-ffff-fffffffffffe",
    "100%",
    "50%-off%",
    "a<b",
    "<20260301.7f@mx.example>",
    "u{1",
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "gid://shopify/Customer/207119551",
    "функция",
    "李雷",
];

#[test]
fn australians_dial_0011_to_call_abroad() {
    for (text, wanted) in [
        ("0011 61 491 570 006", "+61491570006"),
        ("0011-44-20-7946-0018", "+442079460018"),
        ("00 11 1 (202) 555-0143", "+12025550143"),
        ("001 202 555 0143", "+12025550143"),
        ("0061 491 570 006", "+61491570006"),
    ] {
        assert_eq!(phone(&json!(text)), Ok(Some(wanted.into())), "{text}");
    }
    for text in ["0011 0491 570 006", "0011 61 49", "011 61 491 570 006"] {
        assert_eq!(phone(&json!(text)), Err(Unusable::Illegal), "{text}");
    }
}

#[test]
fn what_names_nothing_is_no_id() {
    for text in NOTHING {
        assert_eq!(id_text(&json!(text)), None, "{text}");
        assert_eq!(external_id(&json!(text)), Err(Unusable::Nobody), "{text}");
    }
    for value in [json!(0), json!(-0.0), json!(-1), json!(-1.0), json!(0.0)] {
        assert_eq!(id_text(&value), None, "{value}");
        assert_eq!(external_id(&value), Err(Unusable::Nobody), "{value}");
    }
    for value in [
        json!(null),
        json!(""),
        json!(" \t"),
        json!("\u{200b}\u{feff}"),
    ] {
        assert_eq!(id_text(&value), None, "{value}");
        assert_eq!(external_id(&value), Ok(None), "{value}");
    }
}

#[test]
fn what_names_nobody_is_no_customer() {
    for text in NOBODY {
        assert_eq!(external_id(&json!(text)), Err(Unusable::Nobody), "{text}");
        assert_eq!(id_text(&json!(text)).as_deref(), Some(*text), "{text}");
    }
    for value in [json!(true), json!(false)] {
        assert_eq!(external_id(&value), Err(Unusable::Nobody), "{value}");
    }
    for value in [json!({}), json!([1]), json!(1.5), json!(1e300)] {
        assert_eq!(id_text(&value), None, "{value}");
        assert_eq!(external_id(&value), Err(Unusable::Illegal), "{value}");
    }
}

#[test]
fn an_odd_id_is_an_id() {
    for text in SOMEBODY {
        let somebody = Ok(Some((*text).to_owned()));
        assert_eq!(external_id(&json!(text)), somebody, "{text}");
    }
}

#[test]
fn ids_are_whole_or_none() {
    assert_eq!(external_id(&json!("x".repeat(257))), Err(Unusable::Illegal));
    let longest = "x".repeat(256);
    assert_eq!(external_id(&json!(longest)), Ok(Some(longest)));
    // characters are counted, not bytes, and invisible ones are not counted
    let longest = "ß".repeat(256);
    assert_eq!(
        external_id(&json!(format!("{longest}\u{200b}"))),
        Ok(Some(longest))
    );
    // a character was lost: two people may have the same remains of an id
    assert_eq!(external_id(&json!("c-7\u{fffd}")), Err(Unusable::Illegal));
    let max = Some("18446744073709551615");
    assert_eq!(id_text(&json!(u64::MAX)).as_deref(), max);
    assert_eq!(id_text(&json!(123.0)).as_deref(), Some("123"));
    assert_eq!(id_text(&json!(1e300)), None);
}

#[test]
fn keys_that_look_the_same_are_the_same() {
    for (value, wanted) in [
        ("c-7\u{200b}", "c-7"),
        ("\u{feff}c-7", "c-7"),
        ("\u{202d}c-7\u{202c}", "c-7"),
        ("c\u{ad}-7\u{0}", "c-7"),
        ("\u{a0}c-7\r\n", "c-7"),
        ("Jose\u{301}", "Jos\u{e9}"),
    ] {
        assert_eq!(external_id(&json!(value)), Ok(Some(wanted.into())));
    }
    for value in [
        "nora@shop.example\u{200b}",
        "\u{feff}Nora@Shop.example",
        "nora\u{ad}@shop.example",
        "\u{200e}nora@shop.example\u{a0}",
        "MAILTO:nora@shop.example",
    ] {
        let wanted = Ok(Some("nora@shop.example".into()));
        assert_eq!(email(&json!(value)), wanted, "{value:?}");
    }
    let wanted = Ok(Some("+4930123456".into()));
    for value in [
        "\u{202a}+49 30 123456\u{202c}",
        "+49\u{2011}30\u{2013}123456",
    ] {
        assert_eq!(phone(&json!(value)), wanted, "{value:?}");
    }
    assert_eq!(
        kustomer_id(&json!("5F75C63CD5C0384AD82A17AE\u{200b}")),
        Ok(Some("5f75c63cd5c0384ad82a17ae".into()))
    );
    for value in ["5f75c63cd5c0384ad82a17a", "zf75c63cd5c0384ad82a17ae"] {
        assert_eq!(kustomer_id(&json!(value)), Err(Unusable::Illegal));
    }
    let zeros = "0".repeat(24);
    assert_eq!(kustomer_id(&json!(zeros)), Err(Unusable::Nobody));
}

#[test]
fn emails_are_legal_or_nothing() {
    let label = "l".repeat(63);
    for text in [
        "a@b.de",
        "ann.lee+shop@mail.shop.example",
        "o'neil_1{x}@a-b.example",
        "1@2.example",
        "x@xn--bcher-kva.example",
        "x@example.xn--p1ai",
    ] {
        assert_eq!(email(&json!(text)), Ok(Some(text.to_owned())), "{text}");
    }
    let longest = format!("{}@{label}.{label}.{}.de", "l".repeat(64), "m".repeat(57));
    assert_eq!(longest.len(), 254 - 1);
    assert_eq!(email(&json!(longest)), Ok(Some(longest)));
    let too_long = format!("{}@{label}.{label}.{}.de", "l".repeat(64), "m".repeat(60));
    let local_too_long = format!("{}@b.de", "l".repeat(65));
    let label_too_long = format!("a@{label}l.de");
    for text in [
        "a@",
        "@b.c",
        "a@b",
        "a b@c.de",
        "a@b..de",
        "a@.de",
        "a@b.de.",
        "a@b.de,c@d.de",
        "a@@b.de",
        "a@b@c.de",
        "a\u{ff20}b.de",
        ".a@b.de",
        "a.@b.de",
        "a..b@c.de",
        "\"a b\"@c.de",
        "a(x)@b.de",
        "Ann <a@b.de>",
        "a@-b.de",
        "a@b-.de",
        "a@b_c.de",
        "a@10.0.0.1",
        "a@[10.0.0.1]",
        "a@b.de?subject=x",
        "grün@shop.example",
        "a@müller.example",
        "a@例え.example",
        "ann@exam\nple.de",
        "a\u{fffd}@b.de",
        too_long.as_str(),
        local_too_long.as_str(),
        label_too_long.as_str(),
    ] {
        assert_eq!(email(&json!(text)), Err(Unusable::Illegal), "{text}");
    }
    for text in [
        "@",
        "undefined",
        "{{email}}",
        "{{name}}@b.de",
        "N/A",
        "email",
    ] {
        assert_eq!(email(&json!(text)), Err(Unusable::Nobody), "{text}");
    }
    assert_eq!(email(&json!("")), Ok(None));
    assert_eq!(email(&json!(["a@b.de"])), Err(Unusable::Illegal));
}

#[test]
fn phones_are_international_or_nothing() {
    assert_eq!(
        phone(&json!("+49 (0)30 123456")),
        Ok(Some("+4930123456".into()))
    );
    for text in [
        "+4",
        "123456789",
        "+0123456789",
        "+1234567",
        "+1234567890123456",
        "+49 30 x",
        "call me",
    ] {
        assert_eq!(phone(&json!(text)), Err(Unusable::Illegal), "{text}");
    }
    for text in ["+", "null", "${phone}"] {
        assert_eq!(phone(&json!(text)), Err(Unusable::Nobody), "{text}");
    }
    assert_eq!(phone(&json!("")), Ok(None));
    assert_eq!(phone(&json!(4_930_123_456_i64)), Err(Unusable::Illegal));
}
