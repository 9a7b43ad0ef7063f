//! The declarative mapping: which events matter, and what they write.
//!
//! A mapping file is YAML: a list of routes. Each is for some event names and has the operations that such an event leads
//! to. The values of their fields are jq expressions over the event ([`expr`]). Everything static (klasses, attribute
//! names, kinds of operation) is known without an event and checked when the file is compiled, so that a mistake is found
//! before deployment, with its place in the file.
//!
//! Of the routes for an event's name, the *first whose `when` holds* decides. Applying a mapping is pure: it has no clock
//! but the `now` that it is given, no state and no panic, and the same event always gives the same operations.
//!
//! ```
//! use ingest_mapping::mapping::Mapping;
//!
//! let text = r#"
//! routes:
//!   - name: order-placed
//!     on: Order Completed
//!     do:
//!       - kobject: order
//!         externalId: .properties.order_id
//!         title: '"Order \(.properties.order_id)"'
//!         custom: { totalNum: .properties.total }
//! "#;
//! let mapping = Mapping::compile(text, "order.yaml").unwrap();
//! assert_eq!(mapping.klasses()[0].attributes, ["totalNum"]);
//!
//! let errors = Mapping::compile("routes:\n  - nmae: x\n", "order.yaml").unwrap_err();
//! assert!(errors[0].to_string().starts_with("order.yaml:2:5: routes[0]: unknown key `nmae`; did you mean `name`?"));
//! ```

mod apply;
mod compile;
mod compiled;
mod error;
pub mod expr;
mod model;
pub mod node;
mod promises;
mod trace;
pub mod yaml;

pub use self::apply::{Applied, Unsent, WhyUnsent};
pub use self::compile::{Files, Found, NoFiles};
pub use self::compiled::Mapping;
pub use self::error::MappingError;
pub(crate) use self::error::nearest;
pub use self::model::OnHold;
pub use self::model::bad::OnBad;
pub(crate) use self::model::bad::covers;
pub use self::model::names::fold;
pub(crate) use self::model::{OPERATIONS, Test, entry_names};
pub use self::promises::{KlassUse, RouteInfo};
pub use self::trace::{AskedRoute, Traced, TracedValue, TracedVariable};

#[cfg(test)]
mod tests;
