//! The configuration: one YAML file, read once, checked completely, turned into settings that cannot be wrong.
//!
//! [`load`] is the only entry point. It reports all faults at once, each with file, line, column, key, what is wrong and
//! what to do. Nothing wrong is silently repaired, and the file never contains secrets. `docs/configuration.md` lists
//! every key.

mod checks;
pub mod defaults;
mod fault;
pub mod pauses;
mod raw;
pub mod registry;
pub mod reserve;
mod secret;
pub mod settings;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use ingest_mapping::route::Pipeline;

use self::checks::Checker;
pub use self::fault::{Fault, Faults, Spot, nearest};
pub use self::registry::RegistryPlace;
pub use self::reserve::ReserveSchedule;
pub use self::secret::{SecretError, SecretRef};
pub use self::settings::units::{parse_duration, parse_size, show_duration, show_size};
pub use self::settings::{
    AdminSettings, BudgetSettings, ClientSettingsError, DeliverySettings, KafkaSettings, KeyedBy,
    KustomerSettings, PropertyValue, QuotaSettings, RecordingSettings, Settings, TopicSettings,
};

/// Reads and checks a configuration file and the mappings that it names.
///
/// # Errors
///
/// All faults of the file and of its mappings, sorted by place.
pub fn load(file: &Path) -> Result<Settings, Faults> {
    examine_file(file).settings
}

/// Reads and checks a profile, which `probe` wrote.
///
/// # Errors
///
/// All faults of the file, sorted by place.
pub fn read_profile(file: &Path) -> Result<settings::profile::Profile, Faults> {
    checks::profile::read(file)
}

fn read(file: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            return Fault::of_file(file, "is not UTF-8", "save it as a text in UTF-8");
        }
        let problem = format!("cannot be read: {error}");
        Fault::of_file(file, problem, "give the path of the configuration file")
    })
}

/// Checks a configuration text as if it were in `file`.
///
/// # Errors
///
/// As [`load`].
pub fn parse(file: &Path, text: &str) -> Result<Settings, Faults> {
    examine(file, text).settings
}

/// The result of checking a configuration.
#[derive(Debug)]
pub struct Examined {
    /// The settings, or all faults, sorted by place.
    pub settings: Result<Settings, Faults>,
    /// The valid decoders and mappings of the topics, whatever else is wrong: their tests can be run.
    pub pipelines: Vec<Pipeline>,
    /// The mapping files with faults: their tests cannot be run.
    pub untested: Vec<PathBuf>,
}

/// Like [`load`], but also returns what is valid despite faults.
#[must_use]
pub fn examine_file(file: &Path) -> Examined {
    match read(file) {
        Ok(text) => examine(file, &text),
        Err(fault) => Examined::unusable(fault),
    }
}

fn examine(file: &Path, text: &str) -> Examined {
    let tree = match raw::tree(text) {
        Ok(tree) => tree,
        Err(wrong) => {
            let spot = Spot::from(wrong.place);
            return Examined::unusable(Fault {
                file: file.to_owned(),
                spot: (spot.line > 0).then_some(spot),
                key: String::new(),
                problem: wrong.problem,
                way_out: wrong.help.unwrap_or_default(),
            });
        }
    };
    if raw::is_mapping(&tree) {
        return Examined::unusable(mapping_instead(file));
    }
    let mut faults = Faults::default();
    let raw = raw::read(file, &tree, &mut faults);
    let mut checker = Checker {
        file,
        faults: &mut faults,
        pipelines: Vec::new(),
        untested: Vec::new(),
    };
    let settings = checks::settings(&raw, &mut checker);
    let Checker {
        pipelines,
        untested,
        ..
    } = checker;
    let settings = match settings {
        Some(settings) if faults.is_empty() => Ok(settings),
        _ if faults.is_empty() => Err(Fault::of_file(file, "cannot be used", "").into()),
        _ => Err(faults.sorted()),
    };
    Examined {
        settings,
        pipelines,
        untested,
    }
}

/// The fault of a mapping that is given in the place of a configuration.
fn mapping_instead(file: &Path) -> Fault {
    let way_out = format!(
        "a configuration names it for a topic, with a path relative to its own: kafka.topics: [ {{ name: shop.events, mapping: {} }} ]; \
         `init` writes a whole configuration",
        file.display()
    );
    Fault::of_file(file, "is a mapping, not a configuration", way_out)
}

impl Examined {
    fn unusable(fault: Fault) -> Self {
        Self {
            settings: Err(fault.into()),
            pipelines: Vec::new(),
            untested: Vec::new(),
        }
    }
}
