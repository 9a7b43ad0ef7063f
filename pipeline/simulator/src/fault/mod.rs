//! Scripted faults: rules with conditions and actions, loaded from a file or over HTTP.

mod apply;
mod script;

pub(crate) use apply::{Faults, Plan};
pub use script::{FaultAction, FaultRule, FaultScript, FaultScriptError, FaultWhen, LimitScope};
