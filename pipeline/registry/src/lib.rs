//! The client of a schema registry: schemas by their ids, over the API that Confluent's registry has and others speak.
//!
//! [`RegistryClient`] asks once. [`Service`] is the task around it: it asks for what is wanted until the registry answers, keeps the
//! schemas in a [`Store`] that threads look into without waiting, and says when there is news. A registry that does not answer, is slow or refuses
//! decides nothing about a record; only one that says that it has no such schema does.

mod client;
mod failure;
mod once;
mod reply;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod tests;

pub use self::client::{BuildError, RegistryClient};
pub use self::failure::Failure;
pub use self::once::AskedOnce;
pub use self::service::{Handle, Interest, RegistryStatus, SchemaTrouble, Service, Trouble, start};
pub use self::settings::{Access, Auth, ReadAccess, RegistrySettings};
pub use self::store::{CacheLimit, Kept, Store};
