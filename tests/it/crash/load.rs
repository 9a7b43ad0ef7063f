//! The records: drawn from the seed, written so that a backlog remains, and remembered with their expected results.
//!
//! The topic `orders` is keyed by customer. It has tracking events whose times increase from record to record, names,
//! orders whose version increases with every update, and a few records that can never be delivered. On the topic
//! `shipments`, a record of an object goes to any partition: versions increase within a partition, and come in any order
//! across partitions.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ingest_kafka::OutgoingRecord;
use ingest_model::record::{Partition, Position, Topic};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

/// Customers that are drawn at random.
const CUSTOMERS: u32 = 150;
/// Versions of an order, and of a shipment.
const UPDATES: u32 = 8;
/// Shipments that are updated at the same time.
const SHIPMENTS: u32 = 50;
/// Partitions of either topic.
pub(super) const PARTITIONS: i32 = 3;

/// Which of the two kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Klass {
    /// All records of an object are in one partition.
    Order,
    /// They are in any partition.
    Shipment,
}

impl Klass {
    pub(super) const ALL: [Self; 2] = [Self::Order, Self::Shipment];

    /// The klass's name, and the event's.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Shipment => "shipment",
        }
    }
}

/// The expected result of a record.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    pub(super) customer: u32,
    /// A tracking event.
    pub(super) event: bool,
    /// A dead letter.
    pub(super) bad: bool,
    /// The object's external id, and the version that it has afterwards.
    pub(super) object: Option<(Klass, u32, u32)>,
    /// The customer's name is that of this record.
    pub(super) name: bool,
    /// Its place: the index of the partition among those of both topics, and the offset.
    pub(super) at: Option<(usize, i64)>,
}

/// All records so far; a record's number is its index.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Vec<Made>>);

impl Ledger {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// A record to be written after the earlier ones of the same `turn`.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) number: usize,
    pub(super) turn: (Klass, u32),
    pub(super) record: OutgoingRecord,
}

/// Draws records.
#[derive(Debug)]
pub(super) struct Load {
    rng: StdRng,
    topics: [Topic; 2],
    /// The time of record 0; each later one is a millisecond later.
    start_ms: i64,
    orders: BTreeMap<u32, (u32, u32)>,
    shipments: Vec<(u32, u32)>,
    objects: u32,
}

impl Load {
    pub(super) fn new(seed: u64, orders: &str, shipments: &str, start_ms: i64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed ^ 0x10ad),
            topics: [Topic::new(orders), Topic::new(shipments)],
            start_ms,
            orders: BTreeMap::new(),
            shipments: Vec::new(),
            objects: 0,
        }
    }

    /// The next records, recorded in the ledger.
    pub(super) fn take(&mut self, ledger: &Ledger, count: usize) -> Vec<Draft> {
        let mut made = ledger.lock();
        (0..count)
            .map(|_| {
                let number = made.len();
                let (new, draft) = self.draft(number);
                made.push(new);
                draft
            })
            .collect()
    }

    fn draft(&mut self, number: usize) -> (Made, Draft) {
        let customer = self.rng.random_range(0..CUSTOMERS);
        let mut made = Made {
            customer,
            ..Made::default()
        };
        let mut partition = None;
        let mut klass = Klass::Order;
        let mut name = "seen";
        match self.rng.random_range(0..100) {
            0..50 => made.event = true,
            50..74 => {
                let (object, version) = self.next_order(customer);
                made.object = Some((klass, object, version));
                made.event = version == 1;
                name = if made.event { "ordered" } else { "order" };
            }
            74..76 => {
                made.name = true;
                name = "introduced";
            }
            76 => {
                made.bad = true;
                name = "order";
            }
            _ => {
                klass = Klass::Shipment;
                let (object, version) = self.next_shipment();
                made.object = Some((klass, object, version));
                made.customer = object % CUSTOMERS;
                partition = Some(Partition(self.rng.random_range(0..PARTITIONS)));
                name = klass.name();
            }
        }
        let value = self.value(number, name, &made);
        let turn = match made.object {
            Some((Klass::Shipment, object, _)) => (klass, object),
            Some((Klass::Order, ..)) | None => (Klass::Order, customer),
        };
        let record = OutgoingRecord {
            topic: self.topics[klass as usize].clone(),
            partition,
            key: Some(Bytes::from(format!("u-{}", made.customer))),
            value: Some(Bytes::from(value)),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        let draft = Draft {
            number,
            turn,
            record,
        };
        (made, draft)
    }

    fn value(&self, number: usize, name: &str, made: &Made) -> String {
        if made.bad && number.is_multiple_of(2) {
            return format!("{{\"number\":{number},\"type\":");
        }
        let ms = self.start_ms + i64::try_from(number).unwrap();
        let object = made
            .object
            .map(|(klass, object, _)| format!("{}-{object}", klass.name()));
        json!({
            "number": number,
            "type": name,
            "id": format!("m-{number}"),
            "time": Timestamp::from_millisecond(ms).unwrap().to_string(),
            "customer": format!("u-{}", made.customer),
            "name": format!("Customer {number}"),
            "object": object,
            "version": made.object.map(|(_, _, version)| version),
        })
        .to_string()
    }

    fn next_order(&mut self, customer: u32) -> (u32, u32) {
        let objects = &mut self.objects;
        let order = self.orders.entry(customer).or_default();
        if order.1 == 0 || order.1 == UPDATES {
            *objects += 1;
            *order = (*objects, 0);
        }
        order.1 += 1;
        *order
    }

    fn next_shipment(&mut self) -> (u32, u32) {
        if self.shipments.len() < usize::try_from(SHIPMENTS).unwrap() {
            self.objects += 1;
            self.shipments.push((self.objects, 0));
        }
        let place = self.rng.random_range(0..self.shipments.len());
        let shipment = &mut self.shipments[place];
        shipment.1 += 1;
        let drawn = *shipment;
        if shipment.1 == UPDATES {
            self.shipments.swap_remove(place);
        }
        drawn
    }
}

/// The number of the record that a tracking event came from, by the event's time.
pub(super) fn number_of(occurred_at: &str, start_ms: i64) -> Option<usize> {
    let time: Timestamp = occurred_at.parse().ok()?;
    usize::try_from(time.as_millisecond() - start_ms).ok()
}

/// The number in a record's value, well-formed or not.
pub(super) fn number_in(value: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, rest) = text.split_once("\"number\":")?;
    let digits = rest.split(|mark: char| !mark.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The index of a partition among those of both topics.
pub(super) fn place_of(position: &Position, shipments: &str) -> usize {
    let first = if position.partition.topic.as_str() == shipments {
        PARTITIONS
    } else {
        0
    };
    usize::try_from(first + position.partition.partition.0).unwrap()
}
