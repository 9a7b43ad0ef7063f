//! Replaces personal data in a record by made-up values of the same shape, the same value by the same everywhere.
//!
//! What is personal is told by the value itself (an e-mail address, an international phone number, an address on the
//! network) and by the name of its field (`first_name`, `street`, `birthday`; a plain `name` only beside other fields of a
//! person). Ids are replaced, too, because they lead to persons, unless they are to be kept. A text that has a replaced value
//! in it has it replaced there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

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
        self.text(name, text, false);
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
                    self.look(value, key, of_person);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.look(item, name, of_person);
                }
            }
            Value::String(text) => self.text(name, text, of_person),
            Value::Number(number) => {
                if matches!(kind_of(name, "", of_person), Some(Kind::Id | Kind::Phone)) {
                    self.text(name, &number.to_string(), of_person);
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
            None => {}
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
        if text.starts_with(['{', '['])
            && let Ok(inner) = serde_json::from_str::<Value>(text)
        {
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

/// What a value is, by itself and by the name of its field.
pub(in crate::cli::mappings) fn kind_of(name: &str, text: &str, of_person: bool) -> Option<Kind> {
    if is_email(text) {
        return Some(Kind::Email);
    }
    if is_phone(text) {
        return Some(Kind::Phone);
    }
    if text.len() > 6 && text.parse::<IpAddr>().is_ok() {
        return Some(Kind::Address);
    }
    let words = words(name);
    let folded = words.concat();
    let is = |all: &[&str]| all.contains(&folded.as_str());
    let has = |word: &str| words.iter().any(|one| one == word);
    if has("password")
        || has("secret")
        || has("hmac")
        || has("signature")
        || has("authorization")
        || has("cookie")
        || is(&[
            "token",
            "accesstoken",
            "cardnumber",
            "iban",
            "bic",
            "ssn",
            "taxid",
        ])
    {
        return Some(Kind::Secret);
    }
    if is(&["email", "mail", "emailaddress"]) {
        // It is not an address, or the text would have told.
        return (!text.is_empty()).then_some(Kind::Text);
    }
    if is(&[
        "phone",
        "phonenumber",
        "mobile",
        "mobilephone",
        "cell",
        "cellphone",
        "telephone",
        "tel",
        "msisdn",
        "fax",
    ]) {
        return Some(Kind::Phone);
    }
    if is(&["firstname", "givenname", "forename", "fname"]) {
        return Some(Kind::First);
    }
    if is(&["lastname", "familyname", "surname", "lname"]) {
        return Some(Kind::Last);
    }
    if is(&[
        "fullname",
        "customername",
        "recipientname",
        "contactname",
        "username",
        "nickname",
        "cardholder",
        "cardholdername",
    ]) || (of_person && is(&["name", "displayname", "login", "recipient"]))
    {
        return Some(Kind::Name);
    }
    if has("street")
        || is(&[
            "address1",
            "address2",
            "address3",
            "addressline1",
            "addressline2",
            "line1",
            "line2",
            "addressline",
        ])
        || (of_person && is(&["address"]))
    {
        return Some(Kind::Street);
    }
    if is(&["city", "town", "locality", "cityname"]) {
        return Some(Kind::City);
    }
    if is(&["zip", "zipcode", "postcode", "postalcode"]) {
        return Some(Kind::Code);
    }
    if is(&["birthday", "birthdate", "dateofbirth", "dob", "birthdayat"]) {
        return Some(Kind::Birthday);
    }
    if of_person && is(&["company", "companyname", "organization", "organisation"]) {
        return Some(Kind::Company);
    }
    if is(&[
        "note",
        "notes",
        "comment",
        "comments",
        "giftmessage",
        "freetext",
    ]) {
        return Some(Kind::Text);
    }
    let last = words.last().map(String::as_str);
    let is_id = matches!(last, Some("id" | "ids" | "uuid" | "guid" | "gid" | "key"))
        || is(&["trackingnumber", "ordernumber", "reference"]);
    is_id.then_some(Kind::Id)
}

/// Whether an object with this name and these fields is about a person.
pub(in crate::cli::mappings) fn is_of_person(
    name: &str,
    fields: &serde_json::Map<String, Value>,
) -> bool {
    is_person(name) || fields.keys().any(|key| tells_a_person(key))
}

/// Whether a field of this name tells that the fields beside it are a person's.
fn tells_a_person(key: &str) -> bool {
    let folded = words(key).concat();
    [
        "email",
        "phone",
        "firstname",
        "lastname",
        "givenname",
        "familyname",
        "address1",
        "birthday",
        "postalcode",
        "zip",
        "postcode",
    ]
    .contains(&folded.as_str())
}

/// Whether an object under this name is a person or an address.
fn is_person(name: &str) -> bool {
    let words = words(name);
    const PERSONS: &[&str] = &[
        "customer",
        "user",
        "person",
        "traits",
        "recipient",
        "billing",
        "shipping",
        "contact",
        "buyer",
        "payer",
        "sender",
        "receiver",
        "owner",
        "address",
        "account",
        "profile",
        "consignee",
        "member",
    ];
    words.iter().any(|word| PERSONS.contains(&word.as_str()))
}

/// The words of a name in lower case: `firstName`, `first_name` and `First-Name` are the same.
pub(in crate::cli::mappings) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            before = None;
            continue;
        }
        let begins = match before {
            None => true,
            Some(before) => c.is_uppercase() && !before.is_uppercase(),
        };
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    words
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.trim().split_once('@') else {
        return false;
    };
    let is_word = |part: &str| !part.is_empty() && !part.contains([' ', '@', '/', '"', '<', ',']);
    is_word(local) && is_word(domain) && domain.contains('.') && !domain.ends_with('.')
}

fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let only = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/');
    text.starts_with('+') && (8..=15).contains(&digits) && text.chars().all(only)
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
