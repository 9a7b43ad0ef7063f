//! The declarative mapping: which events matter, and what they write.
//!
//! A mapping file is YAML: a list of routes, each for some event names, each with the operations that such an event
//! leads to; the values of their fields are jq expressions over the event ([`expr`]). Everything static (klasses,
//! attribute names, kinds of operation) can be read without running anything, and is checked when the file is compiled,
//! so that a mistake is found before deployment and with its place in the file.
//!
//! Of the routes for an event's name the *first whose `when` holds* decides. Applying is pure: no clock but the `now`
//! that is given, no state, no panic; the same event gives the same operations.
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
pub mod yaml;

pub use self::apply::Applied;
pub use self::compiled::Mapping;
pub use self::error::MappingError;
pub use self::model::OnHold;
pub(crate) use self::model::Test;
pub use self::model::bad::OnBad;
pub(crate) use self::model::bad::covers;
pub use self::model::names::fold;
pub use self::promises::{KlassUse, RouteInfo};

#[cfg(test)]
mod tests;
