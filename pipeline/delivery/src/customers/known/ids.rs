//! Kustomer ids of customers, by key.
//!
//! A cache of what Kustomer knows: losing an entry costs a request, never correctness. Keys are kept as 16-byte hashes, so it
//! holds no personal data.

use std::sync::Arc;

use crate::common::generations::Generations;
use ingest_model::known::customer_hash;
use ingest_model::lookup::map_bytes;
use ingest_model::operation::CustomerKey;

/// A Kustomer id, kept small.
#[derive(Debug, Clone, PartialEq)]
enum Kept {
    /// Twenty-four hexadecimal digits in lower case, as all ids are that were ever seen.
    Digits([u8; DIGITS / 2]),
    /// Any other text. The box keeps the place of every id small.
    Other(Box<Arc<str>>),
}

/// How many digits an id has.
const DIGITS: usize = 24;
/// What the allocator takes for another text, not counting its content: two boxes and two counts.
const OTHER: usize = 64;

/// The Kustomer ids of customers, as far as known.
#[derive(Debug)]
pub(crate) struct CustomerIds {
    of: Generations<u128, Kept>,
    hits: u64,
    misses: u64,
}

impl CustomerIds {
    /// An empty cache of at most that many keys.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            of: Generations::weighing(capacity, Kept::apart),
            hits: 0,
            misses: 0,
        }
    }

    /// The Kustomer id of the customer with that key.
    pub(crate) fn get(&mut self, key: &CustomerKey) -> Option<Arc<str>> {
        if let CustomerKey::Id(id) = key {
            return Some(Arc::clone(id));
        }
        let found = self.of.get(&customer_hash(key)).map(Kept::text);
        match found {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        found
    }

    /// The same, without counting a hit or a miss.
    pub(crate) fn peek(&self, key: &CustomerKey) -> Option<Arc<str>> {
        match key {
            CustomerKey::Id(id) => Some(Arc::clone(id)),
            CustomerKey::ExternalId(_)
            | CustomerKey::Email(_)
            | CustomerKey::Phone(_)
            | CustomerKey::Owner(_) => self.of.peek(&customer_hash(key)).map(Kept::text),
        }
    }

    /// The id for the first of these keys that is known.
    pub(crate) fn any(&mut self, keys: &[CustomerKey]) -> Option<Arc<str>> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// Learns that a key means this customer. `true` if that is new. Counts as a look-up.
    pub(crate) fn learn(&mut self, key: &CustomerKey, id: &Arc<str>) -> bool {
        if let CustomerKey::Id(known) = key {
            return known != id;
        }
        let (hash, id) = (customer_hash(key), Kept::of(id));
        let known = self.of.get(&hash);
        match known {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        let new = known != Some(&id);
        if new {
            self.of.insert(hash, id);
        }
        new
    }

    /// Forgets the id of a key, because the customer with that id is gone.
    pub(crate) fn forget(&mut self, key: &CustomerKey) {
        self.of.remove(&customer_hash(key));
    }

    /// Adds what an earlier owner knew, unless this process knows better.
    pub(crate) fn restore(&mut self, hash: u128, id: &Arc<str>) {
        if !self.of.contains(&hash) {
            self.of.insert(hash, Kept::of(id));
        }
    }

    /// How many keys are known.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// How many look-ups found an id, and how many did not.
    pub(crate) fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    /// The bytes that it occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        self.of.bytes(0)
    }

    /// The bytes that this many keys occupy at most, about, if all ids are of the usual form.
    pub(crate) fn most_bytes(capacity: usize) -> usize {
        map_bytes::<u128, Kept>(capacity)
    }
}

impl Kept {
    fn of(id: &Arc<str>) -> Self {
        match packed(id) {
            Some(digits) => Self::Digits(digits),
            None => Self::Other(Box::new(Arc::clone(id))),
        }
    }

    fn text(&self) -> Arc<str> {
        match self {
            Self::Other(id) => Arc::clone(id),
            Self::Digits(packed) => {
                let mut text = String::with_capacity(DIGITS);
                for byte in packed {
                    for digit in [byte >> 4, byte & 0xf] {
                        text.extend(char::from_digit(u32::from(digit), 16));
                    }
                }
                Arc::from(text)
            }
        }
    }

    /// The bytes it occupies besides its place.
    fn apart(&self) -> usize {
        match self {
            Self::Digits(_) => 0,
            Self::Other(id) => OTHER + id.len(),
        }
    }
}

/// The digits of an id, two in a byte; `None` if it has another form.
fn packed(id: &str) -> Option<[u8; DIGITS / 2]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits: &[u8; DIGITS] = id.as_bytes().try_into().ok()?;
    let (pairs, _) = digits.as_chunks::<2>();
    let mut packed = [0; DIGITS / 2];
    for (byte, [high, low]) in packed.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_takes_what_was_said() {
        let entries = 57_344;
        let mut ids = CustomerIds::new(2 * entries);
        for n in 0..4 * entries {
            let key = CustomerKey::ExternalId(Arc::from(format!("u{n}")));
            assert!(ids.learn(&key, &Arc::from("5f75c63cd5c0384ad82a17ae")));
        }
        let most = CustomerIds::most_bytes(2 * entries);
        assert!(ids.bytes() <= most, "{} of {most}", ids.bytes());
        assert!(ids.bytes() >= most / 4, "a good part of it");
    }

    #[test]
    fn every_id_comes_back_as_it_was() {
        let mut ids = CustomerIds::new(100);
        let known = [
            "5f75c63cd5c0384ad82a17ae",
            "000000000000000000000000",
            "5F75C63CD5C0384AD82A17AE",
            "5f75c63cd5c0384ad82a17a",
            "",
            "né",
        ];
        for (n, id) in known.iter().enumerate() {
            assert!(ids.learn(
                &CustomerKey::ExternalId(Arc::from(format!("u{n}"))),
                &Arc::from(*id)
            ));
        }
        for (n, id) in known.iter().enumerate() {
            let key = CustomerKey::ExternalId(Arc::from(format!("u{n}")));
            assert_eq!(ids.get(&key).as_deref(), Some(*id));
        }
        let usual = CustomerIds::new(1).bytes();
        assert!(
            ids.bytes() > usual + 4 * OTHER,
            "what is unusual is counted"
        );
    }

    #[test]
    fn an_entry_takes_no_more_than_64_bytes() {
        let capacity = 200_000;
        let mut ids = CustomerIds::new(capacity);
        for n in 0..capacity {
            ids.restore(
                u128::try_from(n).unwrap(),
                &Arc::from("5f75c63cd5c0384ad82a17ae"),
            );
        }
        assert_eq!(ids.len(), capacity);
        let bytes = ids.bytes() / ids.len();
        assert!(bytes <= 64, "{bytes}");
    }

    #[test]
    fn kinds_of_keys_do_not_meet() {
        let mut ids = CustomerIds::new(10);
        let email = CustomerKey::Email(Arc::from("7"));
        let external = CustomerKey::ExternalId(Arc::from("7"));
        assert!(ids.learn(&external, &Arc::from("abc")));
        assert!(!ids.learn(&external, &Arc::from("abc")), "that is known");
        assert_eq!(ids.get(&email), None);
        assert_eq!(
            ids.any(&[email, CustomerKey::ExternalId(Arc::from("7"))])
                .as_deref(),
            Some("abc")
        );
    }

    #[test]
    fn a_kustomer_id_needs_no_look_up() {
        let mut ids = CustomerIds::new(10);
        let key = CustomerKey::Id(Arc::from("5f75c63cd5c0384ad82a17ae"));
        assert_eq!(ids.get(&key).as_deref(), Some("5f75c63cd5c0384ad82a17ae"));
    }
}
