//! Whose an event is: which of the persons in it is the customer.
//!
//! Staff, sellers, recipients and people who are invited stand beside the customer, and `user_id` may be any of them. So each
//! key is judged by the words of its path, the nearest to the value first, and one that is somebody else's is never taken: an
//! event on the wrong timeline is worse than one on none.

use std::collections::BTreeSet;

use ingest_mapping::decode::Format;

use super::look::{Found, Seen, is_content, singular};
use crate::cli::mappings::drafts::personal::words;
use crate::cli::mappings::drafts::redact::Kind;

/// Words for customers.
const CUSTOMERS: &[&str] = &[
    "customer",
    "buyer",
    "shopper",
    "purchaser",
    "member",
    "client",
    "guest",
    "subscriber",
    "consumer",
    "patient",
    "passenger",
    "traveller",
    "traveler",
    "tenant",
    "student",
    "attendee",
];
/// Those of them that shops give numbers. The number of a `guest` is how many come.
const NUMBERED: &[&str] = &[
    "customer",
    "member",
    "client",
    "subscriber",
    "patient",
    "buyer",
];
/// Words for persons who may be customers.
const PERHAPS: &[&str] = &["user", "account", "contact", "person", "profile", "owner"];
/// Words for persons that stand for a program as often, if nothing but a value is below them: `client: ios-17`.
const PROGRAMS: &[&str] = &["client", "consumer"];
/// Words for persons who are none.
const OTHERS: &[&str] = &[
    "staff",
    "agent",
    "employee",
    "operator",
    "admin",
    "administrator",
    "manager",
    "cashier",
    "clerk",
    "support",
    "assignee",
    "approver",
    "author",
    "editor",
    "seller",
    "merchant",
    "vendor",
    "supplier",
    "shop",
    "store",
    "company",
    "companies",
    "recipient",
    "receiver",
    "consignee",
    "addressee",
    "shipping",
    "delivery",
    "gift",
    "invitee",
    "invited",
    "inviter",
    "invite",
    "referrer",
    "referee",
    "referral",
    "referred",
    "friend",
    "sender",
    "from",
    "service",
    "assigned",
    "reporter",
    "reported",
    "host",
    "technician",
    "driver",
    "courier",
    "carrier",
    "by",
    "to",
    "cc",
    "bcc",
];
/// Words that say nothing of whose an address is: those for addresses, and those for what all of an event is in.
const PLAIN: &[&str] = &[
    "email",
    "mail",
    "address",
    "e",
    "phone",
    "mobile",
    "telephone",
    "tel",
    "cell",
    "number",
    "id",
    "uuid",
    "login",
    "username",
    "data",
    "payload",
    "object",
    "properties",
    "body",
    "detail",
    "attributes",
];
/// Words for what is said of somebody on behalf of another one, whatever the words within it are.
const SAID: &[&str] = &["evidence"];
/// Words for things that belong to a customer, and that events name by an id; the likeliest first.
const OWNED: &[&str] = &[
    "order",
    "purchase",
    "sale",
    "booking",
    "reservation",
    "subscription",
    "contract",
    "invoice",
];

/// Whose timeline it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Customer {
    /// Whom the envelope names.
    Envelope,
    /// Kinds of keys with their paths.
    Keys(Vec<(&'static str, String)>),
    /// Whoever the object of this klass, with the id at this path, belongs to.
    From {
        klass: String,
        path: String,
    },
    Nobody,
}

/// Who the customer is, and who was not taken for one.
#[derive(Debug)]
pub(super) struct Whose {
    pub(super) customer: Customer,
    /// The keys are those of a user, an account or the like, who may be of the staff.
    pub(super) is_doubtful: bool,
    /// Paths of keys that are somebody else's, or may be.
    pub(super) others: Vec<String>,
}

/// How sure it is that a key is the customer's. The surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    /// It says so.
    Customer,
    /// It says nothing.
    Unsaid,
    /// It says that it is a person's.
    Person,
    /// It says that it is somebody else's.
    Other,
}

/// Whether a word says nothing of whose an address is.
fn is_plain(word: &str) -> bool {
    PLAIN.contains(&word)
}

fn party(words: &[String]) -> Party {
    if words.iter().any(|word| SAID.contains(&word.as_str())) {
        return Party::Other;
    }
    let mut party = Party::Unsaid;
    for word in words.iter().rev() {
        let word = singular(word);
        let is = |all: &[&str]| all.contains(&word.as_str());
        if is(OTHERS) {
            return Party::Other;
        }
        if is(CUSTOMERS) {
            return Party::Customer;
        }
        if is(PERHAPS) {
            // whose user it is may be said further out
            party = Party::Person;
        }
    }
    party
}

/// Whether a value is about somebody who is not the customer.
pub(super) fn is_somebody_elses(found: &Found) -> bool {
    found.is_past() || party(&found.words()) == Party::Other
}

/// Whether a format is the webhooks of one vendor, whose users are the staff of its merchants.
fn has_users_of_merchants(format: Format) -> bool {
    match format {
        Format::Shopify
        | Format::Stripe
        | Format::Easypost
        | Format::Aftership
        | Format::Woocommerce
        | Format::Bigcommerce
        | Format::Commercetools => true,
        Format::Json
        | Format::Segment
        | Format::CloudEvents
        | Format::Generic
        | Format::Debezium
        | Format::Auto => false,
    }
}

/// The kind of key that a value could be.
fn kind_of_key(found: &Found, words: &[String]) -> Option<&'static str> {
    let only = found.only_type()?;
    let last = words.last()?;
    let is_person = |word: &String| {
        let word = singular(word);
        [CUSTOMERS, PERHAPS].iter().any(|all| all.contains(&&*word))
    };
    // `customer_name` may hold an address, but that is not what it is for
    let is_address = words.iter().any(|word| matches!(&**word, "email" | "mail"))
        || matches!(&**last, "login" | "username")
        || is_person(last);
    match found.kind {
        Some(Kind::Email) => {
            let is_told = is_address || party(words) == Party::Other;
            (only == "text" && is_told).then_some("email")
        }
        Some(Kind::Phone) => (only == "text").then_some("phone"),
        // the number that a shop gives its members
        _ if matches!(&**last, "no" | "nr" | "number" | "code")
            && matches!(only, "text" | "number")
            && words
                .iter()
                .rev()
                .nth(1)
                .is_some_and(|noun| NUMBERED.contains(&&**noun)) =>
        {
            Some("externalId")
        }
        _ if matches!(&**last, "id" | "uuid") && matches!(only, "text" | "number") => {
            let noun = words.iter().rev().nth(1)?;
            let names = is_person(noun) || OTHERS.contains(&&*singular(noun));
            (names
                && !matches!(
                    &**noun,
                    "company" | "companies" | "shop" | "store" | "delivery"
                ))
            .then_some("externalId")
        }
        None | Some(Kind::Id) if stands_alone(found, only) && found.is_ids() => Some("externalId"),
        Some(_) | None => None,
    }
}

/// Whether a value is called a person, as in `user: u-4711`: what it is then says only the value. A number of guests,
/// passengers or persons is how many come.
fn stands_alone(found: &Found, only: &str) -> bool {
    let name = found.keys.last().map(|key| words(key));
    let Some([word]) = name.as_deref() else {
        return false;
    };
    let is = |all: &[&str]| all.contains(&word.as_str());
    let may_be = match only {
        "text" => is(CUSTOMERS) || is(PERHAPS),
        "number" => is(NUMBERED) || (is(PERHAPS) && !is(&["person", "contact"])),
        _ => false,
    };
    may_be && !is(PROGRAMS)
}

/// Whether a value is a key of somebody, be it the customer or not.
pub(super) fn is_key(found: &Found) -> bool {
    kind_of_key(found, &found.words()).is_some()
}

/// Who the customer of such an event is.
pub(super) fn customer(format: Format, seen: &Seen) -> Whose {
    if format.names_customers() && seen.named * 2 >= seen.count {
        return Whose {
            customer: Customer::Envelope,
            is_doubtful: false,
            others: Vec::new(),
        };
    }
    let mut named: Vec<(Party, &'static str, &String, &Found)> = Vec::new();
    for (path, found) in &seen.paths {
        let words = found.words();
        let Some(kind) = kind_of_key(found, &words) else {
            continue;
        };
        let party = party(&words);
        let of_merchant = party == Party::Person && has_users_of_merchants(format);
        // an address of something that no word is known for: of a hotel, a doctor, a branch
        let of_something = party == Party::Unsaid && !words.iter().all(|word| is_plain(word));
        let party = if of_merchant || of_something || found.is_past() {
            Party::Other
        } else {
            party
        };
        named.push((party, kind, path, found));
    }
    let has = |party: Party| named.iter().any(|(one, ..)| *one == party);
    let taken: &[Party] = if has(Party::Customer) {
        &[Party::Customer, Party::Unsaid]
    } else {
        &[Party::Unsaid, Party::Person]
    };
    let mut keys: Vec<(&'static str, String)> = Vec::new();
    let mut is_doubtful = false;
    for kind in ["externalId", "email", "phone"] {
        let fits = named
            .iter()
            .filter(|(party, one, ..)| *one == kind && taken.contains(party));
        // The surest; of those the most frequent one, and then the shortest.
        let best = fits.min_by_key(|(party, _, path, found)| {
            (*party, std::cmp::Reverse(found.present), path.len())
        });
        if let Some((party, _, path, _)) = best {
            is_doubtful |= *party == Party::Person;
            keys.push((kind, (*path).clone()));
        }
    }
    let others = named.iter().filter(|(_, _, path, _)| {
        // where the customer is known, another address of theirs needs no word
        !keys.iter().any(|(_, key)| key == *path)
    });
    let others = others
        .filter(|(party, ..)| !taken.contains(party))
        .map(|(_, _, path, _)| (*path).clone())
        .collect();
    Whose {
        is_doubtful,
        customer: if keys.is_empty() {
            Customer::Nobody
        } else {
            Customer::Keys(keys)
        },
        others,
    }
}

/// The thing with a customer that an event names by its id, if it is not the thing `own` that it is about: one whose klass the
/// mapping writes, or else one that customers usually have.
pub(super) fn owner(
    format: Format,
    seen: &Seen,
    klasses: &BTreeSet<String>,
    own: Option<&str>,
) -> Option<Customer> {
    let named = seen.paths.iter().filter_map(|(path, found)| {
        let words = found.words();
        let klass = singular(words.iter().rev().nth(1)?);
        let is_id = words.last().is_some_and(|last| last == "id");
        let fits = is_id
            && seen.is_often(found.present)
            && !found.is_past()
            && own != Some(&*klass)
            && is_content(format, path);
        fits.then(|| (klass, path.clone()))
    });
    let named: Vec<(String, String)> = named.collect();
    let known = named.iter().find(|(klass, _)| klasses.contains(klass));
    let usual = || {
        let mut words = OWNED.iter();
        words.find_map(|word| named.iter().find(|(klass, _)| klass == word))
    };
    let (klass, path) = known.or_else(usual)?.clone();
    Some(Customer::From { klass, path })
}
