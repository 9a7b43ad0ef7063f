//! The registry for commands that look at records one by one: each schema is asked for when it is needed, and waited for.

use std::fmt;
use std::sync::Arc;

use ingest_encoding::{Encoding, NoSchemas, Opened, SchemaId, Schemas};
use ingest_model::record::Record;
use tokio::runtime::Runtime;

use crate::client::{BuildError, RegistryClient};
use crate::failure::Failure;
use crate::store::{CacheLimit, Store};

/// Schemas that are fetched when somebody needs them. Blocks, so it is not for async tasks.
pub struct AskedOnce(Option<Asks>);

struct Asks {
    client: RegistryClient,
    store: Arc<Store>,
    runtime: Runtime,
}

impl AskedOnce {
    /// Asks this registry.
    ///
    /// # Errors
    /// The runtime cannot be started.
    pub fn new(client: RegistryClient, cache: CacheLimit) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BuildError::Runtime)?;
        Ok(Self(Some(Asks {
            client,
            store: Arc::new(Store::new(cache)),
            runtime,
        })))
    }

    /// Without a registry.
    #[must_use]
    pub fn nobody() -> Self {
        Self(None)
    }

    /// The schemas that are known so far.
    #[must_use]
    pub fn schemas(&self) -> Arc<dyn Schemas + Send + Sync> {
        match &self.0 {
            Some(asks) => Arc::<Store>::clone(&asks.store),
            None => Arc::new(NoSchemas),
        }
    }

    /// Fetches a schema. That there is none is known afterwards, too.
    ///
    /// # Errors
    /// [`Failure::Down`], and why.
    pub fn fetch(&self, id: SchemaId) -> Result<(), Failure> {
        let Some(asks) = &self.0 else {
            return Err(Failure::Down("no schema registry is configured".to_owned()));
        };
        match asks.runtime.block_on(asks.client.fetch(id)) {
            Ok(schema) => asks.store.known(id, schema),
            Err(Failure::Unknown(why) | Failure::Unusable(why)) => asks.store.unusable(id, &why),
            Err(down @ Failure::Down(_)) => return Err(down),
        }
        Ok(())
    }

    /// The record in JSON, or why it is rejected.
    ///
    /// # Errors
    /// [`Failure::Down`]: a schema that it needs could not be asked for.
    pub fn open<'r>(&self, encoding: &Encoding, record: &'r Record) -> Result<Opened<'r>, Failure> {
        let schemas = self.schemas();
        loop {
            match encoding.open(record, &*schemas) {
                Opened::Needs(id) => self.fetch(id).map_err(|failure| {
                    Failure::Down(format!("schema {id} cannot be asked for: {failure}"))
                })?,
                opened @ (Opened::Record(_) | Opened::Rejected(_)) => return Ok(opened),
            }
        }
    }
}

impl fmt::Debug for AskedOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.0.as_ref().map(|asks| &asks.client);
        f.debug_tuple("AskedOnce").field(&client).finish()
    }
}
