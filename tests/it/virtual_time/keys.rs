//! What the worker accepts as a key, against what the simulator accepts by its own rules.

use ingest_mapping::identity::{Key, email, external_id, phone};
use ingest_mapping::value as read;
use kustomer_sim::{Config, Method, Request, Sim, SimTime};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Texts that are nearly keys: pieces of addresses, numbers and ids, and characters that spoil them.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("@".to_owned()),
        Just(".".to_owned()),
        Just("shop.example".to_owned()),
        Just("bücher.example".to_owned()),
        Just("@shop.example".to_owned()),
        Just("+49".to_owned()),
        Just("00".to_owned()),
        "[a-zA-Z0-9]{1,12}",
        "[0-9]{1,9}",
        "[!-/:-@\\[-`{-~]",
        "[ \\t\\u{a0}\\u{200b}\\u{feff}\\u{ad}\\u{202e}]",
        "\\PC",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// The simulator's answer to an identity with only this key.
fn answer(field: &str, key: &str) -> u16 {
    post("/v1/tracking/identity", &json!({ field: key }))
}

/// The simulator's answer to a new customer with only this key.
fn answer_to_customer(field: &str, key: &str) -> u16 {
    let customer = match field {
        "email" => json!({"emails": [{"type": "home", "email": key}]}),
        "phone" => json!({"phones": [{"type": "mobile", "phone": key}]}),
        _ => json!({ field: key }),
    };
    post("/v1/customers", &customer)
}

fn post(path: &str, body: &Value) -> u16 {
    let mut sim = Sim::new(Config::default());
    let request = Request::new(Method::Post, path)
        .token("sim-key")
        .text(body.to_string());
    sim.handle(SimTime::from_millis(1_772_611_200_000), &request)
        .status
}

/// The function that reads a key of one kind.
type Read = fn(&read::Value<'_>) -> Key;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_key_leaves_that_the_api_refuses(text in nearly()) {
        let kinds: [(&str, Read); 3] =
            [("email", email), ("phone", phone), ("externalId", external_id)];
        for (field, read) in kinds {
            if let Ok(Some(key)) = read(&read::Value::text(&text)) {
                prop_assert_eq!(answer(field, &key), 201, "{} {:?}", field, key);
                prop_assert_eq!(answer_to_customer(field, &key), 201, "{} {:?}", field, key);
                // reading a key again must give the same key
                prop_assert_eq!(read(&read::Value::text(&key)), Ok(Some(key.clone())));
            }
        }
    }
}

/// The property would prove nothing if the simulator accepted everything, or if no text were a key.
#[test]
fn the_simulator_refuses_what_is_no_address() {
    for (address, status) in [
        ("nora@shop.example", 201),
        ("n@xn--bcher-kva.example", 201),
        ("jörg@shop.example", 400),
        ("n@bücher.example", 400),
        ("a@b@shop.example", 400),
        ("a..b@shop.example", 400),
        ("n@shop", 400),
    ] {
        assert_eq!(answer("email", address), status, "{address}");
        assert_eq!(answer_to_customer("email", address), status, "{address}");
        let legal = email(&read::Value::text(address)).is_ok();
        assert_eq!(legal, status == 201, "{address}");
    }
}
