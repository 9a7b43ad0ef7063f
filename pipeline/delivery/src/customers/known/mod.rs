//! What is known of customers: their ids, what was stated about them, and whose objects are whose.

mod identities;
mod ids;
mod owners;
mod suppressed;

pub(crate) use self::identities::{CUSTOMERS, Identities};
pub(crate) use self::ids::CustomerIds;
pub(crate) use self::owners::Owners;
pub(crate) use self::suppressed::Suppressed;
