//! Attributes whose names carry their type: `custom` of objects and customers, `meta` of events.

use serde_json::{Map, Value};

use super::values::{is_attribute_stem, is_meta_stem, is_url};
use super::{Breach, Checker, length, text, typed};
use crate::config;
use crate::time::parse_instant;

const MAX_ATTRIBUTES: usize = 100;
const MAX_STRING: usize = 1_024;

impl Checker<'_> {
    /// Checks custom attributes: at most 100, each with a suffix that names its type.
    pub(super) fn custom(&self, custom: &Map<String, Value>) -> Result<(), Breach> {
        at_most_100(custom)?;
        custom.iter().try_for_each(|(name, value)| {
            self.attribute(name, value)
                .map_err(|breach| breach.under(name))
        })
    }

    fn attribute(&self, name: &str, value: &Value) -> Result<(), Breach> {
        let suffix = ["Str", "Txt", "Num", "Bool", "Url", "At", "Id"]
            .into_iter()
            .find(|suffix| name.strip_suffix(suffix).is_some_and(is_attribute_stem));
        let Some(suffix) = suffix else {
            return Err(not_allowed());
        };
        if suffix == "Id"
            && !self
                .configured
                .is_some_and(|known| known.contains_key(name))
        {
            return Err(not_allowed());
        }
        if value.is_null() {
            return Ok(());
        }
        let longest_txt = usize::try_from(self.switches.txt_length).unwrap_or(usize::MAX);
        match suffix {
            "Str" => text(value).and_then(|text| length(text, 0, MAX_STRING)),
            "Txt" => text(value).and_then(|text| length(text, 0, longest_txt)),
            "Num" => typed(value.is_number(), value, "number"),
            "Bool" => typed(value.is_boolean(), value, "boolean"),
            "Url" => url(value),
            "At" => date(value),
            _ => typed(value.is_string() || value.is_array(), value, "string"),
        }
    }

    /// Checks `meta`: at most 100 flat keys; `…Num` numbers, `…At` date-times, anything else strings
    /// whose key contains neither `Num` nor `At`.
    pub(super) fn meta(&self, meta: &Map<String, Value>) -> Result<(), Breach> {
        at_most_100(meta)?;
        let lenient = self.switches.meta == config::Meta::Lenient;
        meta.iter().try_for_each(|(key, value)| {
            meta_value(key, value, lenient).map_err(|breach| breach.under(key))
        })
    }
}

fn meta_value(key: &str, value: &Value, lenient: bool) -> Result<(), Breach> {
    let has_stem = |suffix| key.strip_suffix(suffix).is_some_and(is_meta_stem);
    if has_stem("Num") {
        typed(value.is_number(), value, "number")
    } else if has_stem("At") {
        date(value)
    } else if lenient && has_stem("Bool") {
        typed(value.is_boolean(), value, "boolean")
    } else if lenient && has_stem("Url") {
        url(value)
    } else if is_meta_stem(key) && !key.contains("Num") && !key.contains("At") {
        text(value).and_then(|text| length(text, 0, MAX_STRING))
    } else {
        Err(not_allowed())
    }
}

fn at_most_100(attributes: &Map<String, Value>) -> Result<(), Breach> {
    if attributes.len() > MAX_ATTRIBUTES {
        let title = format!("Too many properties defined, {}", attributes.len());
        return Err(Breach::new("maxProperties", title));
    }
    Ok(())
}

fn not_allowed() -> Breach {
    Breach::new("additionalProperties", "Additional properties not allowed")
}

fn date(value: &Value) -> Result<(), Breach> {
    super::format(value, "date-time", |text| parse_instant(text).is_some())
}

fn url(value: &Value) -> Result<(), Breach> {
    super::format(value, "uri", is_url)
}
