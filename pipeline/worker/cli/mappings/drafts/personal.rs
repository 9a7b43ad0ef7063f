//! What is personal, by the value itself and by the name of its field.

use std::net::IpAddr;

use ingest_mapping::identity::is_nobody;
use serde_json::Value;

use super::shape::Kind;

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
    let last = words.last().map(String::as_str);
    let is_id = matches!(last, Some("id" | "ids" | "uuid" | "guid" | "gid" | "key"))
        || is(&["reference"])
        || is_number_of_thing(&words);
    // one long id in ten has the check digit of a card
    if !is_id && is_card(text) {
        return Some(Kind::Card);
    }
    // `customer_first_name` says the same as `first_name`
    let ends = |all: &[&str]| {
        let mut ends = (0..words.len()).filter_map(|from| words.get(from..));
        ends.any(|end| all.contains(&end.concat().as_str()))
    };
    let has = |word: &str| words.iter().any(|one| one == word);
    if has("password")
        || has("secret")
        || has("hmac")
        || has("signature")
        || has("authorization")
        || has("cookie")
        || ends(&["cardnumber", "cardno", "cvc", "cvv"])
        || is(&["token", "accesstoken", "pan", "iban", "bic", "ssn", "taxid"])
    {
        return Some(Kind::Secret);
    }
    if ends(&["email", "mail", "emailaddress"]) {
        // It is not an address, or the text would have told. What stands for nobody is no person's.
        return (!text.is_empty() && !is_nobody(text)).then_some(Kind::Text);
    }
    if ends(&[
        "phone",
        "phonenumber",
        "mobile",
        "mobilephone",
        "cell",
        "cellphone",
        "telephone",
        "mobilenumber",
        "cellnumber",
        "tel",
        "msisdn",
        "fax",
    ]) {
        return Some(Kind::Phone);
    }
    if ends(&["firstname", "givenname", "forename", "fname"]) {
        return Some(Kind::First);
    }
    if ends(&["lastname", "familyname", "surname", "lname"]) {
        return Some(Kind::Last);
    }
    if ends(&[
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
            "fulladdress",
            "streetaddress",
            "homeaddress",
            "shippingaddress",
            "billingaddress",
        ])
        || (of_person && is(&["address"]))
    {
        return Some(Kind::Street);
    }
    if ends(&["city", "town", "locality", "cityname"]) {
        return Some(Kind::City);
    }
    if ends(&["zip", "zipcode", "postcode", "postalcode"]) {
        return Some(Kind::Code);
    }
    if ends(&["birthday", "birthdate", "dateofbirth", "dob", "birthdayat"]) {
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
    if is_id {
        return Some(Kind::Id);
    }
    of_itself(&words, text)
}

/// What a value is that is called a person, as in `customer: c-17`: their id, or else their name.
fn of_itself(words: &[String], text: &str) -> Option<Kind> {
    const WITH_IDS: &[&str] = &[
        "customer",
        "user",
        "member",
        "account",
        "buyer",
        "shopper",
        "purchaser",
        "subscriber",
        "patient",
        "contact",
        "person",
    ];
    const WITH_NAMES: &[&str] = &[
        "customer",
        "buyer",
        "shopper",
        "purchaser",
        "patient",
        "guest",
        "passenger",
        "person",
        "contact",
    ];
    let [word] = words else {
        return None;
    };
    let is = |all: &[&str]| all.contains(&word.as_str());
    if text.trim().contains(char::is_whitespace) {
        return is(WITH_NAMES).then_some(Kind::Name);
    }
    let may_be_id = text.is_empty() || text.bytes().any(|byte| byte.is_ascii_digit());
    (may_be_id && is(WITH_IDS)).then_some(Kind::Id)
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
        "passenger",
        "guest",
        "patient",
        "student",
        "driver",
        "client",
        "subscriber",
        "attendee",
        "traveler",
        "traveller",
        "tenant",
        "beneficiary",
        "cardholder",
        "employee",
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

/// Whether a field has the number of something that is not a card or a person: `order_no`, `invoiceNumber`, `tracking_code`.
fn is_number_of_thing(words: &[String]) -> bool {
    let [.., thing, last] = words else {
        return false;
    };
    let of_thing = [
        "order", "invoice", "receipt", "purchase", "shipment", "delivery", "parcel", "tracking",
        "ticket", "booking", "return", "refund",
    ];
    matches!(
        &**last,
        "no" | "nr" | "number" | "num" | "code" | "ref" | "reference"
    ) && of_thing.contains(&&**thing)
}

fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let only = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/');
    text.starts_with('+') && (8..=15).contains(&digits) && text.chars().all(only)
}

/// Whether this is the number of a payment card: as long as those that begin like it are, and with the right check digit. Blanks
/// and dashes may stand between its digits.
pub(super) fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let others = text.chars().filter(|c| !c.is_ascii_digit());
    let others: Vec<char> = others.collect();
    if others.len() > 4 || others.iter().any(|c| !matches!(c, ' ' | '-')) {
        return false;
    }
    let begins = match digits.as_slice() {
        [first, second, ..] => first * 10 + second,
        _ => return false,
    };
    let is_long_enough = match (begins, digits.len()) {
        (40..=49, 16 | 19) | (51..=55 | 22..=27, 16) | (34 | 37, 15) => true,
        (30 | 36 | 38 | 39, 14 | 16) | (35 | 60 | 62 | 64 | 65, 16) => true,
        (_, _) => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, twice @ 10..) => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    is_long_enough && sum.is_multiple_of(10)
}

/// Numbers of payment cards within a text.
fn cards(text: &str) -> Vec<(Kind, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = rest.get(at..).unwrap_or_default();
        let of_number = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-');
        let end = number.find(|c| !of_number(c)).unwrap_or(number.len());
        let (number, behind) = number.split_at(end);
        let cards = cards_of(number).into_iter();
        found.extend(cards.map(|card| (Kind::Card, card)));
        rest = behind;
    }
    found
}

/// The cards among groups of digits: other numbers may stand before and behind them, such as an expiry or a code.
fn cards_of(groups: &str) -> Vec<&str> {
    let digit = |at: usize| groups.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let before = |at: usize| at.checked_sub(1).is_some_and(digit);
    let mut found = Vec::new();
    let mut from = 0;
    for begin in 0..groups.len() {
        if begin < from || !digit(begin) || before(begin) {
            continue;
        }
        let ends = (begin..=groups.len()).filter(|end| before(*end) && !digit(*end));
        let mut windows = ends.filter_map(|end| groups.get(begin..end));
        if let Some(card) = windows.find(|window| is_card(window)) {
            from = begin + card.len();
            found.push(card);
        }
    }
    found
}

/// Addresses, international phone numbers and numbers of cards within a text.
pub(super) fn mentioned(text: &str) -> Vec<(Kind, &str)> {
    let mut found = cards(text);
    // `@` may be written as in an address of the web
    for at in ["@", "%40"] {
        for (place, _) in text.match_indices(at) {
            let (before, behind) = (text.get(..place), text.get(place + at.len()..));
            let (Some(before), Some(behind)) = (before, behind) else {
                continue;
            };
            let of_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
            let of_domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
            let local = before.trim_end_matches(of_local).len();
            let domain = behind.trim_start_matches(of_domain).len();
            let whole = text.get(local..text.len() - domain).unwrap_or_default();
            let whole = whole.trim_end_matches(['.', '-']);
            let domain = whole.rsplit(at).next().unwrap_or_default();
            if local < place && domain.contains('.') {
                found.push((Kind::Email, whole));
            }
        }
    }
    for (place, _) in text.match_indices('+') {
        let rest = text.get(place..).unwrap_or_default();
        let of_number = |c: char| c.is_ascii_digit() || "+ -().".contains(c);
        let number = rest.len() - rest.trim_start_matches(of_number).len();
        let number = rest.get(..number).unwrap_or_default();
        let number = number.trim_end_matches(|c: char| !c.is_ascii_digit());
        if is_phone(number) {
            found.push((Kind::Phone, number));
        }
    }
    found
}
