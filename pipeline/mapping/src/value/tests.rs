use proptest::prelude::*;

use super::*;

#[test]
fn texts_and_names_stay_where_they_are() {
    let value = Value::read(r#"{"port":"Hull","no\u0074e":"a\tb"}"#).unwrap();
    assert_eq!(value, json!({"note": "a\tb", "port": "Hull"}));
    let Value::Object(fields) = value else {
        panic!("an object")
    };
    let borrowed: Vec<(bool, bool)> = fields
        .into_iter()
        .map(|(name, value)| {
            let Value::String(text) = value else {
                panic!("{name}")
            };
            (
                matches!(name, Cow::Borrowed(_)),
                matches!(text, Cow::Borrowed(_)),
            )
        })
        .collect();
    assert_eq!(borrowed, [(true, true), (false, false)]);
}

#[test]
fn whole_numbers_have_one_spelling() {
    let text = r#"{"a":17.0,"b":[1e3,-0.0,2.5],"c":9007199254740992.0,"d":18446744073709551615,"e":"17.0"}"#;
    let wanted =
        r#"{"a":17,"b":[1000,0,2.5],"c":9007199254740992.0,"d":18446744073709551615,"e":"17.0"}"#;
    assert_eq!(Value::read(text).unwrap().to_string(), wanted);
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        "{",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        "[1 2]",
        "1e400",
        "nul",
        r#"{a:1}"#,
        "{} x",
    ] {
        assert!(Value::read(text).is_err(), "{text}");
    }
    assert!(Value::read(&"[".repeat(129)).is_err());
}

#[test]
fn many_fields_are_found_changed_and_removed() {
    let mut map = Map::new();
    for number in (0..200).rev() {
        map.insert(format!("berth{number}"), Value::from(number));
    }
    map.insert("berth7", Value::from(true));
    assert_eq!(map.len(), 200);
    assert_eq!(map.get("berth7"), Some(&Value::Bool(true)));
    assert_eq!(map.iter().next().unwrap().0, "berth199");
    assert_eq!(map.remove("berth150"), Some(Value::from(150)));
    assert_eq!(map.get("berth150"), None);
    for number in (0..200).filter(|number| ![7, 150].contains(number)) {
        assert_eq!(
            map.get(&format!("berth{number}")),
            Some(&Value::from(number))
        );
    }
}

proptest! {
    /// The same as the library's own tree, also of objects with many fields and with repeated names.
    #[test]
    fn reads_what_the_library_reads(names in prop::collection::vec((0_u8..60, any::<i16>()), 0..90), wrapped: bool) {
        let fields: Vec<String> = names.iter().map(|(name, value)| format!("\"n{name}\":{value}")).collect();
        let mut text = format!("{{{}}}", fields.join(","));
        if wrapped {
            text = format!("[{text},{text}]");
        }
        let read = Value::read(&text).unwrap();
        let known: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.to_string(), known.to_string());
        prop_assert_eq!(&read, &Value::from(known));
        let object = if wrapped { &read[1] } else { &read };
        for (name, _) in &names {
            let last = names.iter().rfind(|(known, _)| known == name).unwrap().1;
            prop_assert_eq!(object.get(&format!("n{name}")), Some(&Value::from(i64::from(last))));
        }
        prop_assert_eq!(object.get("n60"), None);
    }

    #[test]
    fn a_name_is_once_in_a_map(names in prop::collection::vec(0_u8..40, 0..80)) {
        let mut map = Map::new();
        let mut model = indexmap::IndexMap::new();
        for (place, name) in names.iter().enumerate() {
            let value = i32::try_from(place).unwrap();
            map.insert(format!("n{name}"), Value::from(value));
            model.insert(format!("n{name}"), value);
        }
        let model: Vec<(String, Value<'_>)> = model.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let found: Vec<(String, Value<'_>)> = map.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        prop_assert_eq!(found, model);
    }
}
