//! The only code that knows HTTP and the Kustomer API.
//!
//! It turns a [`Call`](ingest_model::call::Call) into one HTTP request and the answer into a
//! [`Reply`](ingest_model::call::Reply). Three parts, two of them pure:
//!
//! * [`encode`](encode::encode): call → method, path, body;
//! * [`Client`]: one exchange over the network; nothing is repeated and no redirect is followed;
//! * [`classify`](classify::classify): status, headers and body → what the attempt means.
//!
//! One call is one request is one unit of the organisation's budget: nothing here sends a second request by itself. The
//! API contract behind the rules is in `docs/kustomer-api.md`; comments cite its sections.
//!
//! Personal data: bodies, paths (they contain external ids, e-mail addresses and phone numbers) and the token are never
//! logged. What may be logged is the endpoint's label, the status, the kind of failure, and the API's own error text
//! without personal data.

pub mod classify;
pub mod client;
pub mod encode;
mod failure;
pub mod healthcheck;
pub mod key;
pub mod limits;
pub mod settings;

pub use client::{BuildError, Client};
pub use healthcheck::{Need, TokenError, TokenInfo};
pub use key::{ApiKey, IllegalKey};
pub use settings::{BaseUrl, BaseUrlError, ClientSettings};
