//! Checks one value at a time for its kind and range. Faults are collected, and the checks go on.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest_mapping::route::Pipeline;

use crate::config::fault::{Fault, Faults, Spot, nearest};
use crate::config::raw::{At, Leaf, Place, RawSecret, Scalar};
use crate::config::secret::SecretRef;
use crate::config::settings::units::{parse_duration, parse_size, show_duration, show_size};

/// Collects faults while values are checked.
pub(in crate::config) struct Checker<'f> {
    pub(in crate::config) file: &'f Path,
    pub(in crate::config) faults: &'f mut Faults,
    /// The decoders and mappings that are valid, whatever else is wrong.
    pub(in crate::config) pipelines: Vec<Pipeline>,
    /// The mapping files with faults.
    pub(in crate::config) untested: Vec<PathBuf>,
}

impl Checker<'_> {
    /// A reference to a secret: exactly one of the two keys.
    pub(in crate::config) fn secret(&mut self, raw: &RawSecret) -> Option<SecretRef> {
        match (&raw.file, &raw.env) {
            (Some(file), None) => {
                let path = self.text(file)?;
                Some(SecretRef::File(self.path(&path)))
            }
            (None, Some(env)) => {
                let name = self.text(env)?;
                let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if !legal || name.starts_with(|c: char| c.is_ascii_digit()) {
                    // The text may be the secret itself, so it is not shown.
                    let way_out = "env names a variable, it does not hold the secret: { env: KUSTOMER_TOKEN }";
                    self.at(env, "is not the name of an environment variable", way_out);
                    return None;
                }
                Some(SecretRef::Env(name))
            }
            (None, None) => {
                let way_out = "write { file: /path/of/the/secret } or { env: NAME_OF_A_VARIABLE }";
                self.fault(raw.place.spot, &raw.place.key, "names no place", way_out);
                None
            }
            (Some(_), Some(env)) => {
                self.at(env, "a secret has one place, not two", "keep file or env");
                None
            }
        }
    }

    /// A path in the configuration, which is relative to the configuration file.
    pub(in crate::config) fn path(&self, path: &str) -> PathBuf {
        self.file
            .parent()
            .unwrap_or_else(|| Path::new(""))
            .join(path)
    }

    /// A text that is not empty. A number or boolean is refused: only quotes can tell whether `007` or `yes` was meant as
    /// text.
    pub(in crate::config) fn text(&mut self, leaf: &At<Scalar>) -> Option<String> {
        match &leaf.value {
            Scalar::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Scalar::Text(_) => {
                self.at(leaf, "is empty", "give a text, or leave the key out");
                None
            }
            Scalar::Bool(_) | Scalar::Whole(_) | Scalar::Number(_) => {
                self.at(
                    leaf,
                    &format!("is {}, not a text", leaf.value.kind()),
                    "put it in quotes",
                );
                None
            }
        }
    }

    /// One of a closed list of words.
    pub(in crate::config) fn one_of(
        &mut self,
        leaf: &At<Scalar>,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.text(leaf)?;
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let way_out = nearest(&text, words.iter().copied()).map_or_else(
                || format!("use one of {}", words.join(", ")),
                |near| format!("did you mean {near}? it is one of {}", words.join(", ")),
            );
            self.at(leaf, &format!("`{text}` is unknown"), &way_out);
        }
        found
    }

    pub(in crate::config) fn whole(
        &mut self,
        leaf: &Leaf,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let way_out = format!("give a whole number, {} to {}", range.start(), range.end());
        match &leaf.value {
            Scalar::Whole(n) => {
                let value = u64::try_from(*n).ok().filter(|n| range.contains(n));
                if value.is_none() {
                    self.at(leaf, &format!("{n} is out of range"), &way_out);
                }
                value
            }
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_) => {
                self.at(
                    leaf,
                    &format!("is {}, not a whole number", leaf.value.kind()),
                    &way_out,
                );
                None
            }
        }
    }

    pub(in crate::config) fn number(&mut self, leaf: &Leaf, default: f64) -> Option<f64> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        match &leaf.value {
            Scalar::Number(n) => Some(*n),
            #[expect(
                clippy::cast_precision_loss,
                reason = "the range that follows is far smaller"
            )]
            Scalar::Whole(n) => Some(*n as f64),
            Scalar::Bool(_) | Scalar::Text(_) => {
                self.at(
                    leaf,
                    &format!("is {}, not a number", leaf.value.kind()),
                    "give a number such as 0.8",
                );
                None
            }
        }
    }

    pub(in crate::config) fn yes(&mut self, leaf: &Leaf, default: bool) -> Option<bool> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        match &leaf.value {
            Scalar::Bool(yes) => Some(*yes),
            Scalar::Whole(_) | Scalar::Number(_) | Scalar::Text(_) => {
                let problem = format!("is {}, not true or false", leaf.value.kind());
                self.at(leaf, &problem, "write true or false, without quotes");
                None
            }
        }
    }

    pub(in crate::config) fn duration(
        &mut self,
        leaf: &Leaf,
        default: Duration,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let way_out = format!(
            "{} to {} is allowed",
            show_duration(*range.start()),
            show_duration(*range.end())
        );
        match parse_duration(&leaf.value.to_string()) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => {
                self.at(leaf, &format!("{} is out of range", leaf.value), &way_out);
                None
            }
            Err(problem) => {
                self.at(leaf, &problem, &way_out);
                None
            }
        }
    }

    pub(in crate::config) fn size(
        &mut self,
        leaf: &Leaf,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let way_out = format!(
            "{} to {} is allowed",
            show_size(*range.start()),
            show_size(*range.end())
        );
        match parse_size(&leaf.value.to_string()) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => {
                self.at(leaf, &format!("{} is out of range", leaf.value), &way_out);
                None
            }
            Err(problem) => {
                self.at(leaf, &problem, &way_out);
                None
            }
        }
    }

    pub(in crate::config) fn parsed<T: std::str::FromStr + Copy>(
        &mut self,
        leaf: &Leaf,
        default: T,
        way_out: &str,
    ) -> Option<T> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let text = self.text(leaf)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.at(leaf, &format!("`{text}` cannot be read"), way_out);
        }
        value
    }

    pub(in crate::config) fn weight(&mut self, leaf: &Leaf) -> Option<NonZeroU32> {
        let weight = self.whole(leaf, 1, 1..=1000)?;
        u32::try_from(weight).ok().and_then(NonZeroU32::new)
    }

    pub(in crate::config) fn missing(&mut self, place: &Place, key: &str, way_out: &str) {
        let key = format!("{}.{key}", place.key);
        self.fault(place.spot, &key, "is missing", way_out);
    }

    pub(in crate::config) fn at<T>(&mut self, at: &At<T>, problem: &str, way_out: &str) {
        self.fault(at.spot, &at.key, problem, way_out);
    }

    pub(in crate::config) fn fault(&mut self, spot: Spot, key: &str, problem: &str, way_out: &str) {
        self.faults.push(Fault {
            file: self.file.to_owned(),
            spot: Some(spot),
            key: key.to_owned(),
            problem: problem.to_owned(),
            way_out: way_out.to_owned(),
        });
    }
}
