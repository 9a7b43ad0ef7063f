//! What runs against a simulated Kustomer, and needs no real one: the demonstration and the forecast.

pub mod demo;
pub mod forecast;
