//! What an organisation holds: what was accepted, its jobs, its budgets, and the account of all of it.

pub(crate) mod account;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod store;
