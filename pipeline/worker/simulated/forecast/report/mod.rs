//! What a forecast says: figures for programs, a table for people, a plot.

mod advice;
mod course;
pub mod figures;
mod made;
mod numbers;
pub mod plot;
pub mod table;

pub(super) use self::made::{Played, tier, traffic};
