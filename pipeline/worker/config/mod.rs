//! The configuration: one YAML file, read once, checked completely, turned into settings that cannot be wrong.
//!
//! [`load`] is the only entrance. It reports all faults at once, each with file, line, column, key, what is wrong and the
//! way out. Nothing wrong is repaired, and secrets never stand in the file. `docs/configuration.md` lists every key.

pub mod defaults;
mod fault;
mod kafka;
mod mappings;
mod raw;
mod secret;
pub mod settings;
mod units;
mod validate;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use self::fault::{Fault, Faults, Spot, nearest};
pub use self::secret::{SecretError, SecretRef};
pub use self::settings::{
    BudgetSettings, ClientSettingsError, DeliverySettings, KafkaSettings, KeyedBy,
    KustomerSettings, LogFormat, LogSettings, PropertyValue, QuotaSettings, Settings,
    TopicSettings,
};
pub use self::units::{parse_duration, parse_size, show_duration, show_size};

/// Reads and checks a configuration file, and the mappings that it names.
///
/// # Errors
///
/// All faults of the file and of its mappings, sorted by place.
pub fn load(file: &Path) -> Result<Settings, Faults> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            return Fault::of_file(file, "is not UTF-8", "save it as a text in UTF-8");
        }
        let problem = format!("cannot be read: {error}");
        Fault::of_file(file, problem, "give the path of the configuration file")
    })?;
    parse(file, &text)
}

/// Checks a configuration text as if it stood in `file`.
///
/// # Errors
///
/// As [`load`].
pub fn parse(file: &Path, text: &str) -> Result<Settings, Faults> {
    let tree = raw::tree(text).map_err(|(spot, words)| Fault {
        file: file.to_owned(),
        spot,
        key: String::new(),
        problem: format!("is not YAML: {words}"),
        way_out: String::new(),
    })?;
    let mut faults = Faults::default();
    let raw = raw::read(file, &tree, &mut faults);
    let mut checker = validate::Checker {
        file,
        faults: &mut faults,
    };
    let settings = validate::settings(&raw, &mut checker);
    match settings {
        Some(settings) if faults.is_empty() => Ok(settings),
        _ if faults.is_empty() => Err(Fault::of_file(file, "cannot be used", "").into()),
        _ => Err(faults.sorted()),
    }
}
