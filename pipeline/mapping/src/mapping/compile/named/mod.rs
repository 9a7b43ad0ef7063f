//! What a file names for its expressions: `let` and `tables`.

mod lets;
mod rows;
mod tables;

pub(super) use self::lets::{file_lets, route_lets};
pub(super) use self::tables::tables;
