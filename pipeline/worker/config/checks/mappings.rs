//! The mappings of topics: a file, read and compiled once however many topics share it, or a mapping written in place.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::{Files, Found, Mapping, MappingError, OnHold, RouteInfo};
use ingest_mapping::route::Pipeline;

use super::checker::Checker;
use crate::config::fault::{Fault, Spot};
use crate::config::raw::{At, RawMapping, RawTopic};

/// The largest file that a mapping may name.
const LARGEST: u64 = 1024 * 1024;

/// Reads the files that mappings name.
struct OnDisk;

impl Files for OnDisk {
    fn read(&self, named_in: &str, path: &str) -> Result<Found, String> {
        if Path::new(path).is_absolute() {
            return Err("the path is absolute".to_owned());
        }
        let folder = Path::new(named_in)
            .parent()
            .unwrap_or_else(|| Path::new(""));
        let path = plain(&folder.join(path));
        let about = std::fs::metadata(&path).map_err(|error| error.to_string())?;
        if !about.is_file() {
            return Err("it is not a file".to_owned());
        }
        if about.len() > LARGEST {
            return Err(format!("it has {} bytes, more than {LARGEST}", about.len()));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        Ok(Found {
            name: path.display().to_string(),
            text,
        })
    }
}

/// The path without the steps that lead back, so that one file has one name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            Component::ParentDir
            | Component::Normal(_)
            | Component::RootDir
            | Component::Prefix(_) => plain.push(part),
        }
    }
    plain
}

/// The mapping files that were read; `None` for a file with faults, which are reported once.
#[derive(Default)]
pub(in crate::config) struct Mappings {
    read: HashMap<PathBuf, Option<Arc<Mapping>>>,
    /// There is a topic for diverted records.
    may_divert: bool,
}

impl Mappings {
    /// No file has been read yet.
    pub(in crate::config) fn new(may_divert: bool) -> Self {
        Self {
            may_divert,
            ..Self::default()
        }
    }
}

impl Checker<'_> {
    /// The decoder and mapping for the topic's records.
    pub(in crate::config) fn pipeline(
        &mut self,
        raw: &RawTopic,
        read: &mut Mappings,
    ) -> Option<Pipeline> {
        let named = match &raw.format {
            None => Some(None),
            Some(leaf) => {
                let words: Vec<&str> = Format::KNOWN.iter().map(|f| f.as_str()).collect();
                let word = self.one_of(leaf, &words);
                word.map(|word| Format::KNOWN.iter().copied().find(|f| f.as_str() == word))
            }
        };
        let mapping = match &raw.mapping {
            Some(mapping) => self.mapping(mapping, read),
            None => {
                let way_out = "give the path of a mapping file, such as mappings/segment.yaml";
                self.missing(&raw.place, "mapping", way_out);
                None
            }
        };
        let (named, mapping) = (named?, mapping?);
        let format = named.or_else(|| mapping.format()).unwrap_or(Format::Json);
        match Pipeline::new(format, Limits::default(), mapping) {
            Ok(pipeline) => {
                self.pipelines.push(pipeline.clone());
                Some(pipeline)
            }
            Err(conflict) => {
                let spot = raw.format.as_ref().map_or(raw.place.spot, |leaf| leaf.spot);
                let key = format!("{}.format", raw.place.key);
                let way_out = "leave format out, or use a mapping for it";
                self.fault(spot, &key, &conflict.to_string(), way_out);
                None
            }
        }
    }

    fn mapping(&mut self, raw: &At<RawMapping>, read: &mut Mappings) -> Option<Arc<Mapping>> {
        let path = match &raw.value {
            RawMapping::Inline(node) => {
                let file = self.file.to_owned();
                let compiled =
                    Mapping::compile_node_with(node, &file.display().to_string(), &OnDisk);
                return self.compiled(&file, compiled, read.may_divert);
            }
            RawMapping::Path(path) => self.path(path),
        };
        if let Some(known) = read.read.get(&path) {
            return known.clone();
        }
        let mapping = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let compiled = Mapping::compile_with(&text, &path.display().to_string(), &OnDisk);
                self.compiled(&path, compiled, read.may_divert)
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                let problem = format!("{} is no text in UTF-8", path.display());
                self.at(
                    raw,
                    &problem,
                    "save it as UTF-8: UTF-16 and Latin-1 are not read",
                );
                None
            }
            Err(error) => {
                let problem = format!("cannot read {}: {error}", path.display());
                self.at(
                    raw,
                    &problem,
                    "paths are relative to the configuration file",
                );
                None
            }
        };
        read.read.insert(path, mapping.clone());
        mapping
    }

    fn compiled(
        &mut self,
        file: &Path,
        compiled: Result<Mapping, Vec<MappingError>>,
        may_divert: bool,
    ) -> Option<Arc<Mapping>> {
        match compiled {
            Ok(mapping) => {
                let routes = mapping.routes();
                let divert = routes
                    .iter()
                    .filter(|route| route.on_hold == OnHold::Divert && !may_divert);
                let faults: Vec<Fault> = divert.map(nowhere).collect();
                let sound = faults.is_empty();
                for fault in faults {
                    self.faults.push(fault);
                }
                sound.then(|| Arc::new(mapping))
            }
            Err(errors) => {
                self.untested.push(file.to_owned());
                for error in errors {
                    self.faults.push(fault(error));
                }
                None
            }
        }
    }
}

/// The fault of a route that diverts held work although there is no topic for it.
fn nowhere(route: &RouteInfo) -> Fault {
    let spot = Spot::from(route.on_hold_at);
    Fault {
        file: PathBuf::from(&*route.file),
        spot: (spot.line > 0).then_some(spot),
        key: format!("route {}: onHold", route.name),
        problem: "diverts, and kafka.hold_topic names no topic for it".to_owned(),
        way_out: "set kafka.hold_topic, such as shop.events.held, or use onHold: pause".to_owned(),
    }
}

fn fault(error: MappingError) -> Fault {
    let spot = Spot::from(error.place);
    let shown = match (error.excerpt, error.expression) {
        (Some(excerpt), _) => format!("\n{excerpt}"),
        (None, Some(text)) if !text.trim().is_empty() => format!(" in `{text}`"),
        (None, _) => String::new(),
    };
    Fault {
        file: PathBuf::from(error.file),
        spot: (spot.line > 0).then_some(spot),
        key: error.field,
        problem: error.problem + &shown,
        way_out: error.help.unwrap_or_default(),
    }
}
