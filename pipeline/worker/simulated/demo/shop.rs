//! A fictional shop: customers, some of whom buy a lot, their way through carts and orders, and some broken records. It
//! knows the right outcome of each record without asking the worker's code.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value, json};

/// One record to produce.
pub(super) struct ShopRecord {
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
}

/// The right outcome of the records that were produced.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub(super) records: u64,
    /// Records that lead to a request.
    pub(super) delivered: u64,
    pub(super) skipped: u64,
    pub(super) dead_lettered: u64,
    pub(super) events: u64,
    /// Views of products.
    pub(super) views: u64,
    /// The visits in which they were, by customer and hour.
    pub(super) visits: BTreeSet<(u64, i64)>,
    pub(super) orders: BTreeSet<String>,
    pub(super) by_kind: BTreeMap<&'static str, u64>,
    /// Kinds of timeline items, by customer: orders and events.
    items: BTreeMap<String, (u32, u32)>,
}

/// Generates records; the same seed gives the same records.
pub(super) struct Shop {
    random: StdRng,
    left: u64,
    clock_ms: i64,
    step_ms: i64,
    next_order: u64,
    next_message: u64,
    open_orders: BTreeMap<u64, Vec<Order>>,
    expected: Expected,
}

#[derive(Clone)]
struct Order {
    id: String,
    products: Value,
    total: f64,
}

/// One product in a cart or an order.
struct Line {
    sku: &'static str,
    name: &'static str,
    price: f64,
    quantity: u32,
}

const CUSTOMERS: u64 = 250;
const PRODUCTS: &[(&str, &str, f64)] = &[
    ("TEA-01", "Darjeeling, 250 g", 12.5),
    ("TEA-07", "Sencha, 100 g", 9.8),
    ("POT-03", "Cast-iron teapot", 64.0),
    ("CUP-11", "Two glass cups", 18.9),
    ("TIN-02", "Storage tin", 7.4),
    ("KET-05", "Kettle with thermometer", 89.0),
    ("HON-01", "Acacia honey", 6.2),
];

impl Shop {
    pub(super) fn new(seed: u64, records: u64, now_ms: i64) -> Self {
        // Everything happened in the last four hours, so that no event is too old to be sent.
        let span_ms: i64 = 4 * 3_600 * 1_000;
        let step_ms = (span_ms / i64::try_from(records).unwrap_or(i64::MAX).max(1)).max(1);
        Self {
            random: StdRng::seed_from_u64(seed),
            left: records,
            clock_ms: now_ms - span_ms,
            step_ms,
            next_order: 1_000,
            next_message: 0,
            open_orders: BTreeMap::new(),
            expected: Expected::default(),
        }
    }

    pub(super) fn expected(&self) -> Expected {
        self.expected.clone()
    }

    pub(super) fn next_record(&mut self) -> Option<ShopRecord> {
        self.left = self.left.checked_sub(1)?;
        self.clock_ms += self.step_ms;
        self.expected.records += 1;
        // Squared, so that a fifth of the customers have about half of the records.
        let place: f64 = self.random.random::<f64>().powi(2);
        let customer = to_customer(place);
        Some(match self.random.random_range(0..1_000) {
            0..60 => self.identify(customer),
            60..380 => self.browse(customer),
            380..520 => self.event(customer, "Product Added"),
            520..600 => self.event(customer, "Checkout Started"),
            600..640 => self.event(customer, "Coupon Applied"),
            640..900 => self.order_completed(customer),
            900..960 => self.order_changed(customer, "Order Updated"),
            960..985 => self.order_changed(customer, "Order Refunded"),
            _ => self.broken(customer),
        })
    }

    /// A message of this customer: the envelope, and the fields of this kind of message.
    fn message(&mut self, customer: u64, kind: &str, more: Value) -> Value {
        self.next_message += 1;
        let time = Timestamp::from_millisecond(self.clock_ms).unwrap_or_default();
        let mut message = Map::new();
        message.insert("type".to_owned(), Value::from(kind));
        message.insert(
            "messageId".to_owned(),
            Value::from(format!("m-{}", self.next_message)),
        );
        message.insert("userId".to_owned(), Value::from(user(customer)));
        message.insert("timestamp".to_owned(), Value::from(time.to_string()));
        if let Value::Object(more) = more {
            message.extend(more);
        }
        Value::Object(message)
    }

    fn count(&mut self, kind: &'static str) {
        *self.expected.by_kind.entry(kind).or_default() += 1;
    }

    fn item(&mut self, customer: u64, orders: u32, events: u32) {
        let items = self.expected.items.entry(user(customer)).or_default();
        items.0 += orders;
        items.1 += events;
    }

    fn identify(&mut self, customer: u64) -> ShopRecord {
        let traits = json!({
            "name": format!("Customer {customer}"),
            "email": format!("customer{customer}@example.com"),
            "plan": if customer.is_multiple_of(9) { "club" } else { "guest" },
        });
        let message = self.message(customer, "identify", json!({ "traits": traits }));
        self.expected.delivered += 1;
        self.count("identify");
        record(customer, &message)
    }

    fn browse(&mut self, customer: u64) -> ShopRecord {
        let product = self.line().to_json();
        let hour = self.clock_ms / 3_600_000;
        let visit = json!({"sessionId": format!("visit-{customer}-{hour}")});
        let more = json!({"event": "Product Viewed", "properties": product, "context": visit});
        let message = self.message(customer, "track", more);
        self.expected.delivered += 1;
        self.expected.views += 1;
        self.expected.visits.insert((customer, hour));
        self.count("Product Viewed");
        record(customer, &message)
    }

    fn event(&mut self, customer: u64, name: &'static str) -> ShopRecord {
        let line = self.line();
        let properties = json!({
            "cart_id": format!("cart-{customer}"),
            "sku": line.sku,
            "name": line.name,
            "value": line.price,
            "coupon_id": "SPRING",
            "currency": "EUR",
        });
        let more = json!({"event": name, "properties": properties});
        let message = self.message(customer, "track", more);
        self.expected.delivered += 1;
        self.expected.events += 1;
        self.item(customer, 0, 1);
        self.count(name);
        record(customer, &message)
    }

    fn order_completed(&mut self, customer: u64) -> ShopRecord {
        self.next_order += 1;
        let lines = self.random.random_range(1..=4);
        let lines: Vec<Line> = (0..lines).map(|_| self.line()).collect();
        let order = Order {
            id: format!("A-{}", self.next_order),
            total: lines
                .iter()
                .map(|line| line.price * f64::from(line.quantity))
                .sum(),
            products: lines.iter().map(Line::to_json).collect(),
        };
        let message = self.order_message(customer, "Order Completed", &order);
        self.expected.orders.insert(order.id.clone());
        self.open_orders.entry(customer).or_default().push(order);
        self.expected.delivered += 1;
        self.item(customer, 1, 0);
        self.count("Order Completed");
        record(customer, &message)
    }

    fn order_changed(&mut self, customer: u64, name: &'static str) -> ShopRecord {
        let orders = self
            .open_orders
            .get(&customer)
            .map_or(&[][..], Vec::as_slice);
        let Some(order) = orders.last().cloned() else {
            return self.order_completed(customer);
        };
        let message = self.order_message(customer, name, &order);
        self.expected.delivered += 1;
        self.count(name);
        record(customer, &message)
    }

    fn order_message(&mut self, customer: u64, name: &str, order: &Order) -> Value {
        let properties = json!({
            "order_id": order.id,
            "total": (order.total * 100.0).round() / 100.0,
            "currency": "EUR",
            "products": order.products,
        });
        self.message(
            customer,
            "track",
            json!({"event": name, "properties": properties}),
        )
    }

    /// What else real topics contain: truncated JSON, missing fields, orders without a customer, invalid UTF-8, tombstones.
    fn broken(&mut self, customer: u64) -> ShopRecord {
        self.expected.dead_lettered += 1;
        self.count("broken");
        let no_id = json!({"event": "Order Completed"});
        match self.random.random_range(0..5) {
            0 => {
                let text = self.message(customer, "track", no_id).to_string();
                let half = text.len() / 2;
                let cut = Bytes::from(text).slice(..half);
                ShopRecord {
                    key: Some(key(customer)),
                    value: Some(cut),
                }
            }
            1 => record(customer, &self.message(customer, "track", no_id)),
            2 => {
                let properties = json!({"order_id": "nobody", "total": 1});
                let nobody =
                    json!({"event": "Order Completed", "userId": null, "properties": properties});
                record(customer, &self.message(customer, "track", nobody))
            }
            3 => ShopRecord {
                key: Some(key(customer)),
                value: Some(Bytes::from_static(
                    b"{\"type\":\"track\",\"event\":\"\xff\xfe\"}",
                )),
            },
            _ => {
                self.expected.dead_lettered -= 1;
                self.expected.skipped += 1;
                ShopRecord {
                    key: Some(key(customer)),
                    value: None,
                }
            }
        }
    }

    fn line(&mut self) -> Line {
        let place = self.random.random_range(0..PRODUCTS.len());
        let (sku, name, price) = PRODUCTS
            .get(place)
            .copied()
            .unwrap_or(("TEA-01", "Tea", 1.0));
        Line {
            sku,
            name,
            price,
            quantity: self.random.random_range(1..=3),
        }
    }
}

impl Line {
    fn to_json(&self) -> Value {
        json!({"sku": self.sku, "name": self.name, "price": self.price, "quantity": self.quantity})
    }
}

impl Expected {
    /// The customer whose timeline has most to show: both orders and events, but not too many of either.
    pub(super) fn best_customer(&self) -> &str {
        self.items
            .iter()
            .max_by_key(|(_, (orders, events))| (*orders).min(6) + (*events).min(6))
            .map_or("u-0", |(customer, _)| customer)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and the number of customers"
)]
fn to_customer(place: f64) -> u64 {
    (place * CUSTOMERS as f64) as u64
}

fn user(customer: u64) -> String {
    format!("u-{customer}")
}

fn key(customer: u64) -> Bytes {
    Bytes::from(user(customer))
}

fn record(customer: u64, message: &Value) -> ShopRecord {
    ShopRecord {
        key: Some(key(customer)),
        value: Some(Bytes::from(message.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(seed: u64) -> (Vec<Option<Bytes>>, Expected) {
        let mut shop = Shop::new(seed, 2_000, 1_767_225_600_000);
        let mut values = Vec::new();
        while let Some(record) = shop.next_record() {
            values.push(record.value);
        }
        (values, shop.expected())
    }

    #[test]
    fn the_same_seed_gives_the_same_shop() {
        assert_eq!(all(7).0, all(7).0);
        assert_ne!(all(7).0, all(8).0);
    }

    #[test]
    fn every_record_has_one_expectation_and_every_kind_occurs() {
        let (values, expected) = all(1);
        assert_eq!(values.len(), 2_000);
        assert_eq!(expected.records, 2_000);
        assert_eq!(
            expected.delivered + expected.skipped + expected.dead_lettered,
            2_000
        );
        assert_eq!(expected.by_kind.values().sum::<u64>(), 2_000);
        assert_eq!(expected.by_kind.len(), 9, "{:?}", expected.by_kind);
    }
}
