//! What a list says, and what is wrong with one.

use super::*;

fn parsed(text: &str) -> Result<SuppressedList, SuppressedError> {
    SuppressedFile("people.ndjson".into()).parse(text.as_bytes())
}

fn email(text: &str) -> CustomerKey {
    CustomerKey::Email(text.into())
}

#[test]
fn keys_are_read_as_mappings_read_them_and_the_last_line_counts() {
    let text = r##"# requests of this year
        {"externalId": 4711, "email": [" Ida@Shop.EXAMPLE ", "i@shop.example"], "at": "2026-11-30", "note": "by letter"}

        {"phone": "0049 30 123456", "action": "delete_and_suppress"}
        {"id": "65A000000000000000000001", "action": "suppress"}
        {"email": "max@shop.example", "action": "delete_and_suppress"}
        {"email": "max@shop.example", "action": "unsuppress"}
        {"email": "i@shop.example", "action": "unsuppress"}"##;
    let list = parsed(text).unwrap();
    let phone = CustomerKey::Phone("+4930123456".into());
    let wanted = [
        CustomerKey::Id("65a000000000000000000001".into()),
        CustomerKey::ExternalId("4711".into()),
        email("ida@shop.example"),
        phone.clone(),
    ];
    assert_eq!(list.keys().cloned().collect::<Vec<_>>(), wanted);
    assert_eq!(list.deletions(), [(4, vec![phone])]);
    assert!(list.has(&[email("x@shop.example"), email("ida@shop.example")]));
    assert!(!list.has(&[email("max@shop.example")]));
    assert!(!format!("{list:?}").contains("ida"));
    assert!(parsed("").unwrap().is_empty());
}

#[test]
fn a_field_that_is_there_twice_is_a_mistake() {
    let twice = r#"{"email": "ida@shop.example", "email": "max@shop.example"}"#;
    let told = parsed(twice).unwrap_err().to_string();
    assert!(told.contains("has a field twice"), "{told}");
    assert!(!told.contains('@'), "{told}");
    assert!(parsed(r#"{"email": ["ida@shop.example", "max@shop.example"]}"#).is_ok());
}

#[test]
fn keys_that_another_list_lacks_are_noticed_and_can_be_kept() {
    let list = |text| parsed(text).unwrap();
    let both = list("{\"externalId\": \"a1\"}\n{\"email\": \"i@s.example\"}");
    let one = list("{\"email\": \"i@s.example\"}");
    assert!(both.loses_in(&one));
    assert!(!one.loses_in(&both));
    assert!(!both.loses_in(&both.clone()));
    let kept = one.and_former(&both);
    assert!(!both.loses_in(&kept));
}

#[test]
fn mistakes_are_told_with_their_lines_and_without_anybodys_data() {
    let text = r#"{"email": "ida at shop.example"}
        ida@shop.example
        {"phone": "030 123456", "action": "suppress"}
        {"mail": "ida@shop.example"}
        {"externalId": "undefined"}
        {"note": "Ida"}
        {"email": "ida@shop.example", "action": "forget"}
        {"id": "ida"}"#;
    let told = parsed(text).unwrap_err().to_string();
    for wanted in [
        "people.ndjson: line 1: email: is no e-mail address",
        "line 2: is not a JSON object",
        "line 3: phone: is no international phone number",
        "line 4: has a field that is not known",
        "line 5: externalId: stands for nobody",
        "line 6: names nobody",
        "line 7: action: is not known: give suppress,",
        "line 8: id: is no id of Kustomer",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    assert!(
        !told.contains("ida at") && !told.contains("123456") && !told.contains("forget"),
        "{told}"
    );
    let many = "nobody\n".repeat(50);
    let told = parsed(&many).unwrap_err().to_string();
    assert!(told.ends_with("and 30 more"), "{told}");
}
