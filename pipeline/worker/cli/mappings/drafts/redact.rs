//! Replaces personal data in a record by made-up values of the same shape, the same value by the same everywhere.
//!
//! What is personal is told by the value itself (an e-mail address, an international phone number, the number of a payment card,
//! also within a longer text; an address on the network) and by the name of its field (`first_name`, `street`, `birthday`; a plain `name` only beside other fields of a
//! person). Ids are replaced, too, because they lead to persons, unless they are to be kept. A text that has a replaced value
//! in it has it replaced there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::personal::{is_card, is_of_person, kind_of, mentioned};
pub(in crate::cli::mappings) use super::shape::Kind;
use super::shape::made_up;

/// An id that is shorter than this is replaced only where ids stand, and not within other texts.
const LONG_ID: usize = 4;
/// A personal value that is shorter than this is not looked for within other texts.
const SHORT: usize = 2;

/// What was replaced by what.
#[derive(Debug, Default)]
pub(in crate::cli::mappings) struct Redactor {
    keep_ids: bool,
    /// By the original: what it is, and what stands for it.
    known: BTreeMap<String, (Kind, String)>,
    counts: BTreeMap<Kind, usize>,
    used: BTreeSet<String>,
}

impl Redactor {
    pub(in crate::cli::mappings) fn new(keep_ids: bool) -> Self {
        Self {
            keep_ids,
            ..Self::default()
        }
    }

    /// How many different values of each kind were replaced.
    pub(in crate::cli::mappings) fn counts(&self) -> impl Iterator<Item = (Kind, usize)> {
        self.counts.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Looks for what has to be replaced. Everything is looked at before anything is replaced, because a value may be
    /// mentioned before the field that says what it is.
    pub(in crate::cli::mappings) fn learn(&mut self, value: &Value) {
        self.look(value, "", false);
    }

    /// The same for a text with a name of its own, such as a header.
    pub(in crate::cli::mappings) fn learn_named(&mut self, name: &str, text: &str) {
        match json_in(text) {
            Some(inner) => self.look(&inner, name, false),
            None => self.text(name, text, false),
        }
    }

    /// Learns an id, whatever its name.
    pub(in crate::cli::mappings) fn learn_id(&mut self, text: &str) {
        if !self.keep_ids && !self.known.contains_key(text) && !text.is_empty() {
            self.replace(Kind::Id, text);
        }
    }

    fn look(&mut self, value: &Value, name: &str, of_person: bool) {
        match value {
            Value::Object(fields) => {
                let of_person = is_of_person(name, fields);
                for (key, value) in fields {
                    // A map may have persons as its keys.
                    self.text("", key, false);
                    self.look(value, key, of_person);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.look(item, name, of_person);
                }
            }
            Value::String(text) => match json_in(text) {
                Some(inner) => self.look(&inner, name, of_person),
                None => self.text(name, text, of_person),
            },
            Value::Number(number) => {
                let text = number.to_string();
                let by_name = kind_of(name, "", of_person);
                if matches!(by_name, Some(Kind::Id | Kind::Phone)) || is_card(&text) {
                    self.text(name, &text, of_person);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, name: &str, text: &str, of_person: bool) {
        if text.trim().is_empty() || self.known.contains_key(text) {
            return;
        }
        match kind_of(name, text, of_person) {
            Some(Kind::Id) if self.keep_ids => {}
            Some(kind) => self.replace(kind, text),
            None => {
                for (kind, mentioned) in mentioned(text) {
                    if !self.known.contains_key(mentioned) {
                        self.replace(kind, mentioned);
                    }
                }
            }
        }
    }

    fn replace(&mut self, kind: Kind, original: &str) {
        let count = self.counts.entry(kind).or_default();
        let mut number = *count;
        *count += 1;
        let mut other = made_up(kind, original, number);
        // Two originals never become one; a value with no room for that (one digit) may.
        let mut tries = 0;
        while matches!(kind, Kind::Id | Kind::Phone | Kind::Code)
            && (self.used.contains(&other) || other == original)
            && tries < 100
        {
            number += 97;
            tries += 1;
            other = made_up(kind, original, number);
        }
        self.used.insert(other.clone());
        self.known.insert(original.to_owned(), (kind, other));
    }

    /// The value with everything replaced that was learnt.
    pub(in crate::cli::mappings) fn redacted(&self, value: &Value) -> Value {
        self.at(value, "")
    }

    /// The same for a value in a field of this name.
    fn at(&self, value: &Value, name: &str) -> Value {
        match value {
            Value::String(text) => Value::String(self.text_at(text, name)),
            Value::Number(number) => {
                let other = self.standing_for(&number.to_string(), name);
                let other = other.and_then(|text| serde_json::from_str(text).ok());
                other.unwrap_or_else(|| value.clone())
            }
            Value::Array(items) => items.iter().map(|item| self.at(item, name)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                fields
                    .map(|(key, value)| (self.redacted_text(key), self.at(value, key)))
                    .collect()
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    /// What stands for a whole value. A short id is one only in fields for ids: elsewhere `5` is a quantity.
    fn standing_for(&self, text: &str, name: &str) -> Option<&str> {
        let (kind, other) = self.known.get(text)?;
        let is_meant = *kind != Kind::Id
            || text.len() >= LONG_ID
            || kind_of(name, text, false) == Some(Kind::Id);
        is_meant.then_some(other)
    }

    /// The text with everything replaced that was learnt.
    pub(in crate::cli::mappings) fn redacted_text(&self, text: &str) -> String {
        self.text_at(text, "")
    }

    /// The same for a text that is an id as a whole.
    pub(in crate::cli::mappings) fn redacted_id(&self, text: &str) -> String {
        self.text_at(text, "id")
    }

    fn text_at(&self, text: &str, name: &str) -> String {
        if let Some(other) = self.standing_for(text, name) {
            return other.to_owned();
        }
        // JSON within a text is replaced value by value.
        if let Some(inner) = json_in(text) {
            return self.redacted(&inner).to_string();
        }
        let mut redacted = text.to_owned();
        let mut within: Vec<(&String, &(Kind, String))> = self.known.iter().collect();
        within.sort_by_key(|(original, _)| std::cmp::Reverse(original.len()));
        for (original, (kind, other)) in within {
            let least = if *kind == Kind::Id { LONG_ID } else { SHORT };
            if original.len() >= least && redacted.contains(original.as_str()) {
                redacted = replaced_words(&redacted, original, other);
            }
        }
        redacted
    }
}

/// Replaces a value where it stands alone: not as a part of a longer word or number.
fn replaced_words(text: &str, original: &str, other: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(original) {
        let (before, behind) = rest.split_at(at);
        let behind = behind.get(original.len()..).unwrap_or_default();
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        replaced.push_str(before);
        let alone = !joins(
            before
                .chars()
                .next_back()
                .or_else(|| replaced.chars().next_back()),
        ) && !joins(behind.chars().next());
        replaced.push_str(if alone { other } else { original });
        rest = behind;
    }
    replaced.push_str(rest);
    replaced
}

/// The JSON that a text is, if it has fields or items.
fn json_in(text: &str) -> Option<Value> {
    let inner = text.trim_start().starts_with(['{', '[']);
    inner.then(|| serde_json::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(value: &Value, keep_ids: bool) -> Value {
        let mut redactor = Redactor::new(keep_ids);
        redactor.learn(value);
        redactor.redacted(value)
    }

    #[test]
    fn persons_become_made_up_ones_consistently() {
        let value = json!({
            "event": "Order Completed", "userId": "user-8271", "name": "a shop's own name",
            "note_url": "https://shop.example/u/user-8271?mail=maria@shop.example",
            "customer": {
                "first_name": "Maria", "last_name": "Lopez", "name": "Maria Lopez", "email": "maria@shop.example",
                "phone": "+49 30 901820", "default_address": { "address1": "12 High St", "city": "Berlin", "zip": "10115", "country": "DE" },
            },
            "items": [{ "name": "Tea", "product_id": 55123, "price": 4.5 }], "again": "maria@shop.example",
            "paid": "12.00", "ip": "10.11.12.13", "payload": "{\"mail\":\"maria@shop.example\",\"n\":1}",
        });
        let made = redacted(&value, false);
        let text = made.to_string();
        for original in [
            "aria", "opez", "901820", "High", "Berlin", "10115", "8271", "55123", "10.11",
        ] {
            assert!(!text.contains(original), "{original} is in {text}");
        }
        assert_eq!(made["event"], "Order Completed");
        assert_eq!(made["name"], "a shop's own name");
        assert_eq!(made["items"][0]["name"], "Tea", "a product is no person");
        assert_eq!(
            (&made["items"][0]["price"], &made["paid"]),
            (&json!(4.5), &json!("12.00"))
        );
        assert_eq!(made["customer"]["default_address"]["country"], "DE");
        assert_eq!(made["customer"]["email"], made["again"]);
        assert_eq!(made["customer"]["email"], "person1@example.com");
        let id = made["userId"].as_str().unwrap();
        assert!(made["note_url"].as_str().unwrap().contains(id), "{text}");
        assert!(
            made["payload"]
                .as_str()
                .unwrap()
                .contains("person1@example.com")
        );
        assert!(made["items"][0]["product_id"].is_number());
        assert_eq!(made, redacted(&value, false), "the same each time");
    }

    #[test]
    fn persons_are_found_within_texts_under_longer_names_and_as_keys() {
        let value = json!({
            "body": "{\"email\":\"maria@shop.example\",\"first_name\":\"Mariella\",\"said\":\"Mariella came\"}",
            "from": "Otto Ludwig <otto@shop.example>", "say": "call +49 30 901821, or otto2@shop.example.",
            "link": "https://shop.example/?email=anna%40shop.example&page=2",
            "customer_first_name": "Brunhilde", "billing_last_name": "Kaltenbach", "contact_phone": "030 5551234",
            "shipping_city": "Tromsø", "shipping_zip": "90210", "full_address": "Lange Gasse 7",
            "passenger": { "name": "Ottokar Weiss" }, "by": { "maria3@shop.example": true }, "velocity": "fast",
        });
        let text = redacted(&value, true).to_string();
        for original in [
            "maria@",
            "Mariella",
            "otto@",
            "otto2@",
            "901821",
            "anna",
            "Brunhilde",
            "Kaltenbach",
            "5551234",
            "Troms",
            "90210",
            "Gasse",
            "Ottokar",
            "maria3@",
        ] {
            assert!(!text.contains(original), "{original} is in {text}");
        }
        assert!(text.contains("page=2") && text.contains("fast"), "{text}");
    }

    #[test]
    fn numbers_of_cards_are_replaced_and_numbers_like_them_are_not() {
        let value = json!({
            "paid_with": "4111 1111 1111 1111", "n": 5_555_555_555_554_444_u64, "say": "my card 378282246310005, thanks",
            "ean": "4006381333931", "at": 1_772_600_767_000_u64, "long": "4111111111111112", "card_number": "1234",
            "with": "77 exp 12/26 4111 1111 1111 1111 123", "order_no": "4111111111111111", "invoiceNumber": 6_011_000_990_139_424_u64,
            "card": { "number": "4012888888881881" },
        });
        let made = redacted(&value, true);
        assert_eq!(made["paid_with"], "9999 9999 9999 0001");
        assert_eq!(made["n"], json!(9_999_999_999_990_002_u64));
        assert_eq!(made["say"], "my card 999999999990003, thanks");
        assert_eq!(made["with"], "77 exp 12/26 9999 9999 9999 0001 123");
        assert_eq!(made["card_number"], "redacted");
        assert_ne!(made["card"]["number"], value["card"]["number"]);
        for same in ["ean", "at", "long", "order_no", "invoiceNumber"] {
            assert_eq!(made[same], value[same], "{same}");
        }
    }

    #[test]
    fn ids_stay_when_asked_for_and_nothing_else_does() {
        let value =
            json!({ "order_id": "A-1001", "customer": { "id": 77, "email": "a@b.example" } });
        let made = redacted(&value, true);
        assert_eq!(
            (&made["order_id"], &made["customer"]["id"]),
            (&json!("A-1001"), &json!(77))
        );
        assert_eq!(made["customer"]["email"], "person1@example.com");
    }

    #[test]
    fn a_short_id_is_one_only_where_ids_stand_and_a_short_name_everywhere() {
        let value = json!({
            "order_id": 5, "customer_id": "5", "quantity": 5, "size": "5", "customer": { "first_name": "Ann" },
            "say": "5 for Ann, not for Annabel",
        });
        let made = redacted(&value, false);
        assert_ne!(made["order_id"], 5);
        assert_ne!(made["customer_id"], "5");
        assert_eq!((&made["quantity"], &made["size"]), (&json!(5), &json!("5")));
        let name = made["customer"]["first_name"].as_str().unwrap();
        assert_eq!(made["say"], format!("5 for {name}, not for Annabel"));
    }

    #[test]
    fn a_number_that_contains_an_id_is_another_number() {
        let value = json!({ "order_id": "1234", "total": "12345", "sku": "x1234y", "say": "order 1234 (1234)" });
        let made = redacted(&value, false);
        assert_eq!(
            (&made["total"], &made["sku"]),
            (&json!("12345"), &json!("x1234y"))
        );
        let id = made["order_id"].as_str().unwrap();
        assert_eq!(made["say"], format!("order {id} ({id})"));
    }
}
