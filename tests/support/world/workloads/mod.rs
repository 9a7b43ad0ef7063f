//! Named workloads, each with what it costs at least and what a simple sender would spend.
//!
//! - W1: a backlog of orders of customers of whom a few have many. Some of its records change an order that is there.
//! - W2: a shop's visits: a tenth identities, six tenths browsing, two tenths checkout events, a tenth orders.
//! - W3: a backlog of orders beside live orders and checkout events.
//! - W4: checkout events, half of them of one customer.
//! - W7: W2's visits as they come, at parts of what the budget carries.

pub(crate) mod naive;
pub(crate) mod oracle;
pub(crate) mod play;
mod stream;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use ingest_model::operation::{MissingCustomer, Planned};
use ingest_model::outcome::Verdict;

use super::make;

/// Partitions of each workload's topic; all records of a customer are in one.
pub(crate) const PARTITIONS: i32 = 6;
/// What an order's text is filled up to, in bytes.
const ITEM_BYTES: usize = 850;
/// Visits under way at a time.
const VISITS: usize = 300;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// What a customer says of itself: its name.
    Identify,
    /// A page was looked at, within a session.
    View,
    /// A checkout event.
    Checkout,
    /// A state of an order.
    Order,
}

/// A record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) who: u64,
    /// The order or the session; the record's own number otherwise.
    pub(crate) id: u64,
    /// Rises by one with every record.
    pub(crate) number: u64,
}

/// A stretch of orders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) customers: u64,
    /// How uneven they are: 0 is even; Zipf's exponent.
    pub(crate) skew: f64,
    /// Of a hundred records, how many change an order that is there.
    pub(crate) changes: u32,
}

/// Orders, one record after the other.
pub(crate) struct OrderBook {
    what: Orders,
    random: StdRng,
    /// The part of all orders that the customers up to each have.
    parts: Vec<f64>,
    made: Vec<(u64, u64)>,
    number: u64,
}

/// A shop's visits.
pub(crate) struct Visits {
    random: StdRng,
    customers: u64,
    number: u64,
    under_way: Vec<Visit>,
}

#[derive(Clone, Copy)]
struct Visit {
    who: u64,
    session: u64,
    step: usize,
}

/// What a visitor does, in turn.
const VISIT: [Kind; 10] = [
    Kind::Identify,
    Kind::View,
    Kind::View,
    Kind::View,
    Kind::Checkout,
    Kind::View,
    Kind::View,
    Kind::View,
    Kind::Checkout,
    Kind::Order,
];

impl OrderBook {
    pub(crate) fn new(what: Orders, seed: u64) -> Self {
        let mut sum = 0.0;
        let weights: Vec<f64> = (1..=what.customers)
            .map(|rank| {
                sum += number(rank).powf(-what.skew);
                sum
            })
            .collect();
        Self {
            what,
            random: StdRng::seed_from_u64(seed),
            parts: weights.into_iter().map(|upto| upto / sum).collect(),
            made: Vec::new(),
            number: 0,
        }
    }

    pub(crate) fn next(&mut self) -> Piece {
        self.number += 1;
        let changes = self.random.random_range(0..100) < self.what.changes;
        let (who, id) = if changes && !self.made.is_empty() {
            // Most changes are of young orders.
            let reach = self.made.len().min(5_000);
            let back = self.random.random_range(0..reach);
            self.made[self.made.len() - 1 - back]
        } else {
            let roll: f64 = self.random.random();
            let rank = self.parts.partition_point(|upto| *upto < roll);
            let order = (u64::try_from(rank).expect("few"), self.number);
            self.made.push(order);
            order
        };
        Piece {
            kind: Kind::Order,
            who,
            id,
            number: self.number,
        }
    }
}

/// A checkout event of many customers, of whom the first has every second one.
pub(crate) fn noisy(number: u64, customers: u64) -> Piece {
    let who = if number.is_multiple_of(2) {
        0
    } else {
        1 + number / 2 % customers
    };
    Piece {
        kind: Kind::Checkout,
        who,
        id: number,
        number,
    }
}

impl Visits {
    pub(crate) fn new(customers: u64, seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            customers,
            number: 0,
            under_way: Vec::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Piece {
        self.number += 1;
        while self.under_way.len() < VISITS {
            // Those under way at the start are anywhere in their visits.
            let step = if self.number == 1 {
                self.random.random_range(0..VISIT.len())
            } else {
                0
            };
            self.under_way.push(Visit {
                who: self.random.random_range(0..self.customers),
                session: self.number * 1_000 + u64::try_from(self.under_way.len()).expect("few"),
                step,
            });
        }
        let place = self.random.random_range(0..self.under_way.len());
        let visit = &mut self.under_way[place];
        let kind = VISIT[visit.step];
        visit.step += 1;
        let Visit { who, session, step } = *visit;
        if step == VISIT.len() {
            self.under_way.swap_remove(place);
        }
        Piece {
            kind,
            who,
            id: if kind == Kind::View {
                session
            } else {
                self.number
            },
            number: self.number,
        }
    }
}

impl Piece {
    /// The partition of its customer.
    pub(crate) fn partition(&self) -> i32 {
        i32::try_from(self.who % u64::try_from(PARTITIONS).expect("few")).expect("few")
    }

    /// As the mapping would have it.
    pub(crate) fn verdict(&self) -> Verdict {
        let planned = match self.kind {
            Kind::Identify => make::identify(self.who, &format!("Customer {}", self.number)),
            Kind::View => make::viewed(self.who, self.id, self.number),
            Kind::Checkout => make::track(self.who, self.number, self.number / 60),
            Kind::Order => order(self.who, self.id, self.number),
        };
        make::emit(vec![planned])
    }
}

/// An order with a note as long as an order's lines.
fn order(who: u64, id: u64, version: u64) -> Planned {
    let note = "a line of the order; ".repeat(ITEM_BYTES / 21 - 12);
    let custom =
        json!({ "totalNum": 129.5, "currencyStr": "EUR", "itemsNum": 3, "linesTxt": note });
    make::order_of("order", id, version, who, MissingCustomer::Create, custom)
}

fn number(of: u64) -> f64 {
    f64::from(u32::try_from(of).expect("few"))
}
