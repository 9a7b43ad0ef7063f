//! Configuration: the organisation that is simulated, and a switch for every contradiction between
//! the sources (`docs/kustomer-api.md`, the table of contradictions and gaps).

mod choices;
mod switches;

pub use choices::{
    BulkCreateLimit, BulkEnvelope, BulkInvalid, BulkStart, Choice, ClientRef, Duplicates, Errors,
    ImportedCreates, Merged, Meta, MetadataPut, MissingRole, ResetHeader, ResetUnit, RetryAfter,
    Rev, SearchAttributes, UnknownCompany, UnknownCustomer, Window,
};
pub use switches::{SWITCHES, SwitchError, SwitchInfo, Switches};

use crate::fault::FaultScript;

/// Everything that decides how a simulator behaves.
///
/// ```
/// use kustomer_sim::{Config, Duplicates};
/// let mut config = Config::default();
/// config.limit = 300;
/// config.switches.duplicates = Duplicates::Allow;
/// config.set("bulk-median-ms", "2000").unwrap();
/// assert!(config.set("bulk-median-ms", "soon").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// Requests that the organisation has per minute, over all keys.
    pub limit: u64,
    /// How many times faster than real time the clock of [`crate::server::Server`] runs. The core has
    /// no clock and ignores this.
    pub time_scale: f64,
    /// The API keys that exist.
    pub tokens: Vec<String>,
    /// Klasses that exist from the start.
    pub klasses: Vec<String>,
    /// Seed of every random choice: job durations, order inside jobs, fault probabilities.
    pub seed: u64,
    /// Contradictions and gaps of the contract.
    pub switches: Switches,
    /// Faults from the start.
    pub faults: Option<FaultScript>,
    /// Entries that the journal keeps; the oldest fall off.
    pub journal_capacity: usize,
}

impl Default for Config {
    /// 1,000 requests per minute, real time, key `sim-key`, klasses `order` and `shipment`, seed 1.
    fn default() -> Self {
        Self {
            limit: 1_000,
            time_scale: 1.0,
            tokens: vec!["sim-key".to_owned()],
            klasses: vec!["order".to_owned(), "shipment".to_owned()],
            seed: 1,
            switches: Switches::default(),
            faults: None,
            journal_capacity: 100_000,
        }
    }
}

impl Config {
    /// Sets one switch by its name on the command line.
    ///
    /// # Errors
    /// The name or the value is unknown; the error lists the known ones.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SwitchError> {
        self.switches.set(name, value)
    }

    /// The same configuration with one switch set, for chains in tests.
    ///
    /// # Errors
    /// As [`Config::set`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, SwitchError> {
        self.set(name, value)?;
        Ok(self)
    }
}
