//! What was said of a customer, and when, so that a late identity does not overwrite what a newer one has said.
//!
//! Each field of an identity has its own age, the time of the event that said it, because identities say different things. A
//! field whose time is not known counts as said when it arrived. `custom` goes key by key, everything else as a whole.

use crate::operation::Identify;
use crate::remembered::repeat::Changes;
use crate::values::body::{Body, Fields, Part, Parts};

/// The event times of fields, in epoch milliseconds.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Ages(Vec<(Field, i64)>);

/// A field of an identity, by a hash of its name.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Field(pub u64);

/// What is remembered of one customer.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// For each field, the event time of the identity that was last sent with it.
    pub ages: Ages,
    /// Which identities were sent.
    pub changes: Changes,
}

/// The most fields remembered of one customer. When there are more, a late identity can overwrite the oldest.
const KEPT: usize = 32;

// === impl Field ===

impl Field {
    fn of(name: &str) -> Self {
        Self::hash(name.bytes())
    }

    fn custom(key: &str) -> Self {
        Self::hash("custom.".bytes().chain(key.bytes()))
    }

    /// FNV-1a, the same in every process.
    fn hash(bytes: impl Iterator<Item = u8>) -> Self {
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }
}

// === impl Ages ===

impl Ages {
    /// Every field with this time.
    #[must_use]
    pub fn of(fields: &Body, at: Option<i64>) -> Self {
        let Some(at) = at else {
            return Self::default();
        };
        Self(fields_of(fields.parts()).map(|field| (field, at)).collect())
    }

    /// The time of a field, if it is known.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<i64> {
        let found = self.0.iter().find(|(known, _)| *known == field)?;
        Some(found.1)
    }

    /// Sets the time of a field; `None` forgets it.
    pub fn set(&mut self, field: Field, at: Option<i64>) {
        self.0.retain(|(known, _)| *known != field);
        self.0.extend(at.map(|at| (field, at)));
    }

    /// Fields and their times, in arbitrary order.
    pub fn iter(&self) -> impl Iterator<Item = (Field, i64)> {
        self.0.iter().copied()
    }

    /// Whether this field was said later than that time.
    fn is_newer(&self, field: Field, than: Option<i64>) -> bool {
        self.get(field)
            .zip(than)
            .is_some_and(|(known, at)| known > at)
    }
}

impl FromIterator<(Field, i64)> for Ages {
    fn from_iter<T: IntoIterator<Item = (Field, i64)>>(ages: T) -> Self {
        let mut all = Self::default();
        for (field, at) in ages {
            all.set(field, Some(at));
        }
        all
    }
}

// === impl Said ===

impl Said {
    /// The part of these fields that is not outdated; `None` if that is all of them.
    #[must_use]
    pub fn still_new(&self, fields: &Body, ages: &Ages) -> Option<Body> {
        let late = |field| self.ages.is_newer(field, ages.get(field));
        if !fields_of(fields.parts()).any(late) {
            return None;
        }
        let mut left = Fields::default();
        for part in fields.parts() {
            match custom_of(part) {
                Some(custom) => {
                    let custom: Fields<'_> = custom
                        .filter(|key| !late(Field::custom(&key.name())))
                        .collect();
                    if !custom.is_empty() {
                        left.put(part.name, custom.to_text());
                    }
                }
                None if late(Field::of(&part.name())) => {}
                None => left.put(part.name, part.value),
            }
        }
        Some(Body::from(&left))
    }

    /// The bytes it occupies on the heap.
    pub fn apart(&self) -> usize {
        self.ages.0.capacity() * size_of::<(Field, i64)>() + self.changes.apart()
    }

    /// These fields were sent, with their times as far as known.
    pub fn note(&mut self, fields: &Body, ages: &Ages) {
        for field in fields_of(fields.parts()) {
            self.ages.set(field, ages.get(field));
        }
        while self.ages.0.len() > KEPT {
            let oldest = (0..).zip(&self.ages.0).min_by_key(|(_, (_, at))| *at);
            let Some((oldest, _)) = oldest else { break };
            self.ages.0.remove(oldest);
        }
    }

    /// Adds what an earlier owner of a partition knew: for each field, the newer time.
    pub fn restore(&mut self, other: &Self) {
        for (field, at) in other.ages.iter() {
            if !self.ages.is_newer(field, Some(at)) {
                self.ages.set(field, Some(at));
            }
        }
        let mut changes = other.changes.clone();
        changes.extend(self.changes.iter());
        self.changes = changes;
    }
}

/// A print of everything that an identity says, its keys included; the same in every process.
#[must_use]
pub fn print_of(identify: &Identify) -> u64 {
    Field::hash(identify.identity().as_str().bytes()).0
}

/// Merges two adjacent identities: each field has what was said last. `None` where they may mean two customers.
#[must_use]
pub fn merge(
    (earlier, ages): (&Identify, &Ages),
    (later, later_ages): (&Identify, &Ages),
) -> Option<(Identify, Ages)> {
    let customer = earlier.customer.joined(&later.customer)?;
    let (mut fields, mut merged) = (earlier.fields.fields(), ages.clone());
    let late = |field| ages.is_newer(field, later_ages.get(field));
    for part in later.fields.parts() {
        let old = fields.get(part.name);
        match (old.as_deref().map(Parts::of_object), custom_of(part)) {
            (Some(Some(old)), Some(new)) => {
                let mut custom: Fields<'_> = old.collect();
                for key in new {
                    let field = Field::custom(&key.name());
                    if custom.get(key.name).is_none() || !late(field) {
                        custom.put(key.name, key.value);
                        merged.set(field, later_ages.get(field));
                    }
                }
                fields.put(part.name, custom.to_text());
            }
            (Some(_), _) if late(Field::of(&part.name())) => {}
            (_, _) => {
                fields.put(part.name, part.value);
                for field in fields_of(std::iter::once(part)) {
                    merged.set(field, later_ages.get(field));
                }
            }
        }
    }
    let fields = Body::from(&fields);
    Some((Identify { customer, fields }, merged))
}

/// The attributes within `custom`; `None` for every other field.
fn custom_of(part: Part<'_>) -> Option<Parts<'_>> {
    (part.name == "custom").then(|| part.parts()).flatten()
}

fn fields_of<'t>(parts: impl Iterator<Item = Part<'t>>) -> impl Iterator<Item = Field> {
    parts.flat_map(|part| {
        let custom = custom_of(part);
        let whole = custom.is_none().then(|| Field::of(&part.name()));
        let keys = custom.into_iter().flatten();
        whole
            .into_iter()
            .chain(keys.map(|key| Field::custom(&key.name())))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operation::{CustomerKey, CustomerRef, MissingCustomer};

    fn fields(value: &Value) -> Body {
        value.as_object().unwrap().into()
    }

    fn identify(value: &Value, keys: &[CustomerKey]) -> Identify {
        Identify {
            customer: CustomerRef::new(keys.to_vec(), MissingCustomer::Create).unwrap(),
            fields: fields(value),
        }
    }

    fn key(text: &str) -> CustomerKey {
        CustomerKey::ExternalId(text.into())
    }

    #[test]
    fn what_a_newer_identity_said_is_left_alone_and_the_rest_goes() {
        let newer = fields(&json!({"name": "Ida", "custom": {"planStr": "b", "seatsNum": 2}}));
        let mut said = Said::default();
        said.note(&newer, &Ages::of(&newer, Some(2_000)));
        let late = fields(
            &json!({"name": "Eve", "company": "Acme", "custom": {"planStr": "a", "oldBool": true}}),
        );
        let left = said
            .still_new(&late, &Ages::of(&late, Some(1_000)))
            .unwrap();
        let expected = json!({"company": "Acme", "custom": {"oldBool": true}});
        assert_eq!(Value::Object(left.parse()), expected);
        let all = fields(&json!({"name": "Eve", "custom": {"planStr": "a"}}));
        let left = said.still_new(&all, &Ages::of(&all, Some(1_999)));
        assert_eq!(left, Some(Body::default()));
        for at in [Some(2_000), Some(2_001), None] {
            assert_eq!(said.still_new(&all, &Ages::of(&all, at)), None, "{at:?}");
        }
    }

    #[test]
    fn each_field_has_its_own_time() {
        let mut said = Said::default();
        for (at, value) in [
            (3_000, json!({"name": "Ida"})),
            (1_000, json!({"company": "Acme"})),
        ] {
            let fields = fields(&value);
            said.note(&fields, &Ages::of(&fields, Some(at)));
        }
        let both = fields(&json!({"name": "Eve", "company": "Birch"}));
        let left = said.still_new(&both, &Ages::of(&both, Some(2_000)));
        assert_eq!(left, Some(fields(&json!({"company": "Birch"}))));
    }

    #[test]
    fn a_field_without_a_time_is_overwritten_by_what_arrives_later() {
        let mut said = Said::default();
        let name = fields(&json!({"name": "Ida"}));
        said.note(&name, &Ages::of(&name, Some(5_000)));
        said.note(&name, &Ages::default());
        let late = fields(&json!({"name": "Eve"}));
        assert_eq!(said.still_new(&late, &Ages::of(&late, Some(1))), None);
    }

    #[test]
    fn neighbours_merge_by_the_time_of_each_field() {
        let first = identify(
            &json!({"name": "Ida", "custom": {"planStr": "b"}}),
            &[key("u")],
        );
        let second = identify(
            &json!({"name": "Eve", "locale": "de", "custom": {"planStr": "a", "seatsNum": 1}}),
            &[key("u")],
        );
        let ages = |one: &Identify, at| Ages::of(&one.fields, Some(at));
        let (merged, times) =
            merge((&first, &ages(&first, 9)), (&second, &ages(&second, 4))).unwrap();
        let expected =
            json!({"name": "Ida", "custom": {"planStr": "b", "seatsNum": 1}, "locale": "de"});
        assert_eq!(Value::Object(merged.fields.parse()), expected);
        assert_eq!(times.get(Field::of("name")), Some(9));
        assert_eq!(times.get(Field::custom("seatsNum")), Some(4));
        let (merged, _) = merge((&first, &ages(&first, 4)), (&second, &ages(&second, 4))).unwrap();
        assert_eq!(
            merged.fields.parse()["name"],
            "Eve",
            "of one time the later one"
        );
        let other = identify(&json!({"name": "Eve"}), &[key("v")]);
        assert_eq!(
            merge((&first, &ages(&first, 1)), (&other, &ages(&other, 2))),
            None
        );
    }

    #[test]
    fn a_customer_with_many_fields_is_remembered_in_part() {
        let mut said = Said::default();
        for n in 0..200_i64 {
            let one = fields(&json!({ format!("field{n}"): n }));
            said.note(&one, &Ages::of(&one, Some(n)));
        }
        assert_eq!(said.ages.iter().count(), KEPT);
        let (oldest, newest) = (
            fields(&json!({"field1": 0})),
            fields(&json!({"field199": 0})),
        );
        assert_eq!(said.still_new(&oldest, &Ages::of(&oldest, Some(0))), None);
        assert!(
            said.still_new(&newest, &Ages::of(&newest, Some(0)))
                .is_some()
        );
    }
}
