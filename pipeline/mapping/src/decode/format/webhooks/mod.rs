//! The webhooks of shops, payment services and carriers, relayed to Kafka.
//!
//! Vendors say differently what an event is. Each file reads one vendor, and gives the event a name, an id by which repeats are
//! recognised, a time, a version by which an old state is told from a newer one, the id of the thing (`subject`), and the
//! customer, as far as the webhook names one. About half of them name an order and nobody: a mapping then takes the customer
//! of the order (`customer: {from: …}`).
//!
//! Order between webhooks is not promised by any vendor, and most of their clocks have whole seconds. So where a thing goes
//! through states in one direction, the version says which of two states of the same second is newer (`hints`).
//!
//! Staff, recipients and sellers are not the customer: their ids and addresses are never read.

pub(super) mod aftership;
pub(super) mod bigcommerce;
pub(super) mod commercetools;
pub(super) mod easypost;
mod hints;
mod relay;
pub(super) mod shopify;
pub(super) mod stripe;
pub(super) mod woocommerce;

#[cfg(test)]
mod tests;
