//! A faithful, independent simulator of the parts of the Kustomer CRM that are written to and read
//! back through its REST API: customers, tracking events, `KObjects`, bulk jobs, limits and errors.
//! `docs/kustomer-api.md` is the contract; where its sources contradict each other, a switch decides
//! ([`SWITCHES`]).
//!
//! It serves development and demonstrations, and it is the judge in end-to-end tests of programs that
//! write to Kustomer: it counts independently what was accepted, refused, repeated and out of order
//! ([`Account`]). For that reason it shares no code with the programs that it judges.
//!
//! [`Sim`] is a pure state machine: a request and the time go in, a reply comes out, nothing else
//! happens. It runs in virtual time inside tests. [`server::Server`] puts it on a socket with a clock.
//!
//! # In virtual time
//!
//! ```
//! use kustomer_sim::{Config, Method, Request, Sim, SimTime};
//! let mut sim = Sim::new(Config::default());
//! let start = SimTime::from_millis(1_735_787_045_000);
//! let submit = Request::new(Method::Post, "/v1/klasses/order/bulk")
//!     .token("sim-key")
//!     .text(r#"[{"_clientRef":"a","title":"Order 1","externalId":"o1"}]"#);
//! let reply = sim.handle(start, &submit);
//! assert_eq!(reply.json()["data"]["attributes"]["status"], "queued");
//! assert_eq!(sim.account().kobjects_total, 0);
//! while let Some(next) = sim.next_wake() {
//!     sim.advance(next);
//! }
//! assert_eq!(sim.account().kobjects_total, 1);
//! ```
//!
//! # Faults
//!
//! A [`FaultScript`] is a JSON document with a list of rules, each with conditions (`when`) and an
//! action (`do`); its page shows the form. It is given at the start or sent to `POST /_sim/faults`.

mod api;
mod config;
mod fault;
mod organisation;
mod pages;
mod random;
pub mod server;
mod sim;
mod time;
mod validate;

pub use api::endpoint::Endpoint;
pub use api::error::Refusal;
pub use api::request::{Cut, Delivery, Method, Reply, Request};
pub use api::roles::{ALL_ROLES, Roles};
pub use config::{
    BulkCreateLimit, BulkEnvelope, BulkInvalid, BulkStart, Choice, ClientRef, Config, Duplicates,
    Errors, ImportedCreates, Merged, Meta, MetadataPut, MissingRole, ResetHeader, ResetUnit,
    RetryAfter, Rev, SWITCHES, SearchAttributes, SwitchError, SwitchInfo, Switches, UnknownCompany,
    UnknownCustomer, Window,
};
pub use fault::{FaultAction, FaultRule, FaultScript, FaultScriptError, FaultWhen, LimitScope};
pub use organisation::account::journal::JournalEntry;
pub use organisation::account::{
    Accepted, Account, BulkAccount, Judged, Requests, SetBack, WindowAccount,
};
pub use pages::{CustomerView, EventView, ObjectView, SessionView, Timeline, TimelineItem};
pub use sim::Sim;
pub use time::SimTime;
pub use time::clock::Clock;
