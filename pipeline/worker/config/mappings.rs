//! Mappings as topics name them: a file, read and compiled once however many topics share it, or a text in place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest_core::decode::{Format, Limits};
use ingest_core::mapping::{Mapping, MappingError};
use ingest_core::route::Pipeline;

use super::fault::{Fault, Spot};
use super::raw::{At, RawMapping, RawTopic};
use super::validate::Checker;

/// The mapping files that were read; `None` for one that has faults, which are reported once.
#[derive(Default)]
pub(super) struct Mappings(HashMap<PathBuf, Option<Arc<Mapping>>>);

impl Checker<'_> {
    /// What the topic's records go through.
    pub(super) fn pipeline(&mut self, raw: &RawTopic, read: &mut Mappings) -> Option<Pipeline> {
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
            Ok(pipeline) => Some(pipeline),
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
                let compiled = Mapping::compile_node(node, &file.display().to_string());
                return self.compiled(&file, compiled);
            }
            RawMapping::Path(path) => self.path(path),
        };
        if let Some(known) = read.0.get(&path) {
            return known.clone();
        }
        let mapping = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let compiled = Mapping::compile(&text, &path.display().to_string());
                self.compiled(&path, compiled)
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
        read.0.insert(path, mapping.clone());
        mapping
    }

    fn compiled(
        &mut self,
        file: &Path,
        compiled: Result<Mapping, Vec<MappingError>>,
    ) -> Option<Arc<Mapping>> {
        match compiled {
            Ok(mapping) => Some(Arc::new(mapping)),
            Err(errors) => {
                for error in errors {
                    self.faults.push(fault(file, error));
                }
                None
            }
        }
    }
}

fn fault(file: &Path, error: MappingError) -> Fault {
    let spot = Spot::from(error.place);
    let expression = error.expression.map(|text| format!(" in `{text}`"));
    Fault {
        file: file.to_owned(),
        spot: (spot.line > 0).then_some(spot),
        key: error.field,
        problem: error.problem + &expression.unwrap_or_default(),
        way_out: error.help.unwrap_or_default(),
    }
}
