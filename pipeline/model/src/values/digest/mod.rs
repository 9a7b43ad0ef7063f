//! Digests: many small events of one customer's session, folded into one object.
//!
//! A [`Fold`] is what waiting events add; a [`Session`] is what an object has. The object itself says which offsets are in it,
//! so whoever owns the partition next reads it and skips those. That is what makes counting exact.

mod amount;
mod events;
mod session;
mod title;

pub use self::amount::{Amount, NoAmount};
pub use self::events::{EACH_FIELDS, Fold, Frame, MAX_EACH, MAX_KEPT, MAX_NAMES, OTHERS, Small};
pub use self::session::Session;
pub use self::title::{Piece, Title};
