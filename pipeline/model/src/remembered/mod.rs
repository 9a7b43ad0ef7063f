//! What is remembered of objects, occurrences and customers, so that nothing is written twice.

pub mod known;
pub mod repeat;
pub mod said;
