//! The commands that need neither brokers nor Kustomer: their arguments, and what they print.

pub mod demo;
pub mod forecast;
