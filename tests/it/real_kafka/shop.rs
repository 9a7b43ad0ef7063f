//! Records of an imaginary shop, in Segment's format, and their expected results.
//!
//! Each customer takes the same steps, one record a step; the steps of all customers are interleaved. Nothing is
//! random, so that the expected result can be counted here without asking the worker.

use std::collections::BTreeMap;

use ingest_kafka::OutgoingRecord;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::setup::Setup;

/// The expected results of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) records: u64,
    pub(super) delivered: u64,
    pub(super) skipped: u64,
    pub(super) dead_lettered: u64,
    /// Tracking events.
    pub(super) events: u64,
    pub(super) customers: usize,
    /// The last state and total of each order.
    pub(super) orders: BTreeMap<String, String>,
}

/// Creates records.
#[derive(Debug)]
pub(super) struct Shop {
    customers: usize,
    step: usize,
    time_ms: i64,
    messages: u64,
    expected: Expected,
}

/// The result of a step.
#[derive(Clone, Copy)]
enum Effect {
    Identify,
    Event,
    Skip,
    Reject,
    /// The order's state and total afterwards.
    Order(&'static str, u64),
}

/// The steps of each customer.
const STEPS: &[&str] = &[
    "identify",
    "Signed In",
    "Kettle Boiled",
    "Product Added",
    "Order Completed",
    "Checkout Started",
    "alias",
    "Coupon Applied",
    "Order Updated",
    "Order Completed without an id",
    "Product Removed",
    "Order Refunded",
    "Product Reviewed",
    "Order Cancelled",
];

impl Shop {
    /// A shop with this many customers. Everything happened in the hour before `now_ms`.
    pub(super) fn new(customers: usize, now_ms: i64) -> Self {
        let expected = Expected {
            customers,
            ..Expected::default()
        };
        Self {
            customers,
            step: 0,
            time_ms: now_ms - 3_600_000,
            messages: 0,
            expected,
        }
    }

    /// The expected results of the records so far.
    pub(super) fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The records of all customers' next `steps` steps, in the order of their times.
    pub(super) fn take(&mut self, setup: &Setup, steps: usize) -> Vec<OutgoingRecord> {
        let mut records = Vec::new();
        for step in self.step..self.step + steps {
            for customer in 0..self.customers {
                let message = self.message(customer, step);
                records.push(setup.record(&format!("u-{customer}"), message.to_string()));
            }
        }
        self.step += steps;
        records
    }

    fn message(&mut self, customer: usize, step: usize) -> Value {
        self.messages += 1;
        self.time_ms += 20;
        let (round, name) = (step / STEPS.len(), STEPS[step % STEPS.len()]);
        let order = format!("o-{customer}-{round}");
        let time = Timestamp::from_millisecond(self.time_ms).unwrap();
        let (kind, name, properties, effect) = match name {
            "identify" => ("identify", name, json!({}), Effect::Identify),
            "alias" => ("alias", name, json!({}), Effect::Skip),
            "Kettle Boiled" => ("track", name, json!({"sku": "TEA-01"}), Effect::Skip),
            "Order Completed" => {
                let products =
                    json!([{"sku": "TEA-01", "name": "Green tea", "quantity": 2, "price": 10}]);
                let properties = json!({"order_id": order, "total": 20, "currency": "EUR", "products": products});
                ("track", name, properties, Effect::Order("completed", 20))
            }
            "Order Updated" => {
                let properties = json!({"order_id": order, "total": 25, "currency": "EUR"});
                ("track", name, properties, Effect::Order("completed", 25))
            }
            "Order Refunded" => (
                "track",
                name,
                json!({"order_id": order, "total": 5}),
                Effect::Order("refunded", 25),
            ),
            "Order Cancelled" => (
                "track",
                name,
                json!({"order_id": order}),
                Effect::Order("cancelled", 25),
            ),
            "Order Completed without an id" => {
                // Of a few customers only: many in a row would look like a wrong mapping.
                let effect = if customer.is_multiple_of(5) {
                    Effect::Reject
                } else {
                    Effect::Skip
                };
                let name = if customer.is_multiple_of(5) {
                    "Order Completed"
                } else {
                    "Kettle Boiled"
                };
                ("track", name, json!({"total": 20}), effect)
            }
            _ => {
                let properties =
                    json!({"cart_id": "c-1", "sku": "TEA-01", "coupon_id": "SPRING", "value": 10});
                ("track", name, properties, Effect::Event)
            }
        };
        let name_key = if kind == "track" { "event" } else { "name" };
        let mut message = json!({
            "type": kind,
            "messageId": format!("m-{}", self.messages),
            "userId": format!("u-{customer}"),
            "timestamp": time.to_string(),
            name_key: name,
            "properties": properties,
        });
        if kind == "identify" {
            let (plan, name) = (format!("plan {round}"), format!("Customer {customer}"));
            message["traits"] =
                json!({"name": name, "email": format!("c{customer}@example.com"), "plan": plan});
        }
        self.count(effect, order);
        message
    }

    fn count(&mut self, effect: Effect, order: String) {
        let expected = &mut self.expected;
        expected.records += 1;
        match effect {
            Effect::Identify => expected.delivered += 1,
            Effect::Event => {
                expected.delivered += 1;
                expected.events += 1;
            }
            Effect::Skip => expected.skipped += 1,
            Effect::Reject => expected.dead_lettered += 1,
            Effect::Order(state, total) => {
                expected.delivered += 1;
                expected.orders.insert(order, format!("{state} {total}"));
            }
        }
    }
}

/// Steps after which every customer has done everything once.
pub(super) fn round() -> usize {
    STEPS.len()
}
