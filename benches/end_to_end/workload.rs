//! Which records there are, and in which proportion.

use bytes::Bytes;

use crate::messages::{self, Kind};

/// A loopback workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Product views: read, decoded, mapped, skipped.
    Skipped,
    /// Product views: folded, each into its customer's session.
    Folded,
    /// Coupons: one request each.
    Tracking,
    /// Orders of three lines: objects, in bulk requests.
    Orders,
    /// The proportions of the demonstration's shop.
    Shop,
}

/// One record to write.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Whose it is; all of a customer's records go to one partition.
    pub(crate) customer: u64,
    /// Its value.
    pub(crate) value: Bytes,
    /// Whether it leads to a request, or to a dead letter.
    pub(crate) fate: Fate,
}

/// What must become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It leads to a request.
    Delivered,
    /// It is skipped.
    Skipped,
    /// It is dead-lettered.
    DeadLettered,
}

/// Whose the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Customers {
    /// All have about as many records: otherwise the API's limit of creates for one customer would be measured.
    Even,
    /// A fifth of the customers has nearly half of the records.
    Skewed,
}

/// Makes messages, the same in every run.
#[derive(Debug)]
pub(crate) struct Messages {
    workload: Workload,
    customers: Customers,
    number: u64,
    time_ms: i64,
    /// Orders that were not refunded: number and customer.
    orders: Vec<(u64, u64)>,
}

const CUSTOMERS: u64 = 2_000;

impl Workload {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Skipped,
        Self::Folded,
        Self::Tracking,
        Self::Orders,
        Self::Shop,
    ];

    /// The name on the command line and in the figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Folded => "folded",
            Self::Tracking => "tracking",
            Self::Orders => "orders",
            Self::Shop => "shop",
        }
    }

    /// The workload with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
    }

    /// How many records a run has.
    pub(crate) fn records(self, short: bool) -> u64 {
        match (self, short) {
            (_, true) => 500,
            (Self::Skipped, false) => 200_000,
            (Self::Folded, false) => 150_000,
            (Self::Tracking, false) => 30_000,
            (Self::Orders | Self::Shop, false) => 60_000,
        }
    }

    fn kind(self, roll: u64) -> Option<Kind> {
        let lines = usize::try_from(1 + roll % 4).unwrap_or(1);
        match self {
            Self::Skipped => Some(Kind::Browse),
            Self::Folded => Some(Kind::View),
            Self::Tracking => Some(Kind::Coupon),
            Self::Orders => Some(Kind::Order(3)),
            Self::Shop => match roll % 1_000 {
                0..60 => Some(Kind::Identify),
                60..380 => Some(Kind::Browse),
                380..640 => Some(Kind::Coupon),
                640..900 => Some(Kind::Order(lines)),
                900..985 => Some(Kind::Refund),
                _ => None,
            },
        }
    }
}

impl Messages {
    /// Messages that begin at this time, a millisecond apart.
    pub(crate) fn new(workload: Workload, customers: Customers, start_ms: i64) -> Self {
        Self {
            workload,
            customers,
            number: 0,
            time_ms: start_ms,
            orders: Vec::new(),
        }
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Message {
        self.number += 1;
        self.time_ms += 1;
        let roll = scatter(self.number);
        let customer = self.customers.one_of(scatter(roll));
        match self.workload.kind(roll) {
            Some(Kind::Refund) => {
                let place = usize::try_from(roll).unwrap_or(0) % self.orders.len().max(1);
                if self.orders.is_empty() {
                    return self.message(Kind::Order(1), self.number, customer);
                }
                let (order, customer) = self.orders.swap_remove(place);
                self.message(Kind::Refund, order, customer)
            }
            Some(kind) => {
                if matches!(kind, Kind::Order(_)) {
                    self.orders.push((self.number, customer));
                }
                self.message(kind, self.number, customer)
            }
            None => {
                let whole = self.message(Kind::Order(1), self.number, customer);
                let half = whole.value.len() / 2;
                Message {
                    value: whole.value.slice(..half),
                    fate: Fate::DeadLettered,
                    ..whole
                }
            }
        }
    }

    fn message(&self, kind: Kind, number: u64, customer: u64) -> Message {
        Message {
            customer,
            value: messages::message(kind, number, customer, self.time_ms),
            fate: match kind {
                Kind::Browse => Fate::Skipped,
                Kind::View | Kind::Coupon | Kind::Identify | Kind::Order(_) | Kind::Refund => {
                    Fate::Delivered
                }
            },
        }
    }
}

impl Customers {
    fn one_of(self, roll: u64) -> u64 {
        let place = roll % 1_000_000;
        match self {
            Self::Even => place * CUSTOMERS / 1_000_000,
            Self::Skewed => place * place * CUSTOMERS / 1_000_000_000_000,
        }
    }
}

/// A number that looks random but is not (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
