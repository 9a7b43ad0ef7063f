//! What has to be made: the difference between what the mappings need and what the organisation has.

use ingest_kustomer::Need;
use ingest_mapping::body::attribute::Suffix;
use serde_json::Value;

use super::needed::{Needed, bearer, card, in_words, resource, shown, title};
use super::organisation::Organisation;
use super::step::Step;
use crate::observe::words::plural;

/// The most attributes that a body can have (`docs/kustomer-api.md`, section 7).
const MOST: usize = 100;

/// Choices of an attribute that are shown.
const SHOWN: usize = 5;

/// What has to be made, and what a person should know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What is there already, in words.
    pub(super) same: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// How what is there differs from what would be made. It stays as it is.
    pub(super) differences: Vec<String>,
    /// What a person has to do, because the API has no known way.
    pub(super) by_hand: Vec<String>,
}

impl Plan {
    pub(super) fn new(needed: &Needed, organisation: &Organisation) -> Self {
        let mut plan = Self::default();
        let mut impossible = Vec::new();
        for klass in &needed.klasses {
            match organisation.klasses.get(klass) {
                Some(true) => plan.same.push(format!("klass {klass} exists")),
                Some(false) => plan.warnings.push(format!(
                    "klass {klass} is disabled: enable it in Kustomer, or its objects are not seen"
                )),
                // Klasses of apps are made by installing the app.
                None if klass.contains("--") => {
                    impossible.push(resource(klass));
                    plan.warnings.push(format!(
                        "klass {klass} does not exist and belongs to an app by its name: install the app"
                    ));
                }
                None => plan.steps.push(Step::Create {
                    klass: klass.clone(),
                }),
            }
            let other = organisation.klasses.keys();
            let mut other = other.filter(|name| *name != klass && name.eq_ignore_ascii_case(klass));
            if let Some(other) = other.next() {
                plan.warnings.push(format!(
                    "there is a klass {other}, which differs from {klass} only by capitals: is it meant?"
                ));
            }
        }
        for klass in needed
            .read
            .iter()
            .filter(|klass| !organisation.klasses.contains_key(*klass))
        {
            plan.warnings.push(format!(
                "klass {klass} does not exist, and no mapping writes it: events whose customer its objects name will wait or be rejected"
            ));
        }
        for (resource, names) in &needed.attributes {
            if impossible.contains(resource) {
                continue;
            }
            let known = organisation.attributes.get(resource);
            for name in names {
                let definition = known.and_then(|known| known.get(name));
                let differs = definition.map(|known| differences(name, &shown(name, names), known));
                let of = bearer(resource);
                let said = differs.into_iter().flatten();
                plan.differences
                    .extend(said.map(|what| format!("{of}: {name} {what}")));
            }
            let known: Vec<&String> = known.into_iter().flat_map(|known| known.keys()).collect();
            let missing: Vec<String> = names
                .iter()
                .filter(|name| !known.contains(name))
                .cloned()
                .collect();
            for name in &missing {
                let alike = known.iter().find(|one| one.eq_ignore_ascii_case(name));
                if let Some(alike) = alike {
                    plan.warnings.push(format!(
                        "{} have {alike}, which differs from {name} only by capitals: is it meant?",
                        bearer(resource)
                    ));
                }
            }
            if known.len() + missing.len() > MOST {
                plan.warnings.push(format!(
                    "{} will have {} attributes, and one request carries at most {MOST}",
                    bearer(resource),
                    known.len() + missing.len()
                ));
            }
            if missing.is_empty() {
                plan.same.push(format!(
                    "{} have {}",
                    bearer(resource),
                    plural(names.len(), "needed attribute")
                ));
            } else {
                plan.steps.push(Step::Add {
                    resource: resource.clone(),
                    shown: missing.iter().map(|name| shown(name, names)).collect(),
                    names: missing,
                });
            }
        }
        plan.by_hand = views(needed);
        plan
    }

    /// The plan for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.same.iter().map(|same| format!("  {same}")).collect();
        for step in &self.steps {
            match step {
                Step::Create { klass } => {
                    lines.push(format!("+ klass {klass}, shown as {}", title(klass)));
                }
                Step::Add {
                    resource,
                    names,
                    shown,
                } => {
                    let of = bearer(resource);
                    for (name, shown) in names.iter().zip(shown) {
                        lines.push(format!("+ {of}: {}, shown as {shown}", in_words(name)));
                    }
                }
            }
        }
        let differences = self.differences.iter();
        lines.extend(differences.map(|what| format!("differs: {what}; it stays as it is")));
        let by_hand = self.by_hand.iter();
        lines.extend(by_hand.map(|what| format!("by hand: {what}")));
        lines.extend(
            self.warnings
                .iter()
                .map(|warning| format!("warning: {warning}")),
        );
        lines
    }

    /// How much it is.
    pub(super) fn sum(&self) -> String {
        let (mut klasses, mut attributes) = (0, 0);
        for step in &self.steps {
            match step {
                Step::Create { .. } => klasses += 1,
                Step::Add { names, .. } => attributes += names.len(),
            }
        }
        format!(
            "{} to create, {} to add; nothing is removed or changed",
            klass_count(klasses),
            plural(attributes, "attribute")
        )
    }

    /// What the key has to be allowed.
    pub(super) fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let creates = self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Create { .. }));
        let adds = self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Add { .. }));
        needs.extend(creates.then_some(Need::CreateKlasses));
        needs.extend(adds.then_some(Need::UpdateMetadata));
        needs
    }
}

/// How an attribute that is there differs from what would be made of its name: `displayName`, and nothing that narrows what it may have.
fn differences(name: &str, shown: &str, known: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let text = |part: &str| known.get(part).and_then(Value::as_str);
    if let (Some(kind), Ok(suffix)) = (text("type"), Suffix::of_custom(name))
        && !types(suffix).contains(&kind.to_lowercase().as_str())
    {
        said.push(format!(
            "has the type {}, and its name says {}: values may be refused",
            short(kind),
            suffix.in_words()
        ));
    }
    if let Some(other) = text("displayName").filter(|other| *other != shown) {
        said.push(format!("is shown as {}, not as {shown}", short(other)));
    }
    if let Some(choices) = known.get("enumeration").and_then(Value::as_array)
        && !choices.is_empty()
    {
        let first = choices.iter().take(SHOWN);
        let first: Vec<String> = first
            .map(|one| one.as_str().map_or_else(|| short(&one.to_string()), short))
            .collect();
        let more = match choices.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        said.push(format!(
            "has choices ({}{more}), and what the mapping writes should be among them",
            first.join(", ")
        ));
    }
    if let Some(target) = text("target") {
        said.push(format!("refers to {}", short(target)));
    }
    if known.pointer("/sensitive/enabled") == Some(&Value::Bool(true)) {
        said.push("is sensitive, and masked for agents".to_owned());
    }
    said
}

/// What the API may call the type of a suffix. Nothing is known but that the type follows from the suffix.
fn types(suffix: Suffix) -> &'static [&'static str] {
    match suffix {
        Suffix::Str | Suffix::Txt | Suffix::Url => &[
            "string",
            "str",
            "text",
            "txt",
            "textarea",
            "multiline",
            "url",
            "uri",
            "link",
        ],
        Suffix::Num => &[
            "number", "num", "numeric", "integer", "int", "float", "double", "decimal",
        ],
        Suffix::At => &[
            "date",
            "datetime",
            "date-time",
            "date_time",
            "timestamp",
            "time",
            "at",
        ],
        Suffix::Bool => &["boolean", "bool"],
    }
}

/// A text of the organisation, shortened.
fn short(text: &str) -> String {
    let clean = text.chars().filter(|c| !c.is_control());
    clean.take(60).collect()
}

/// The views that agents see of the klasses that are written. The API has `/v1/kviews`, and its methods are not known.
fn views(needed: &Needed) -> Vec<String> {
    let of = |klass: &String| {
        let attributes = needed.attributes.get(&resource(klass));
        let names = attributes.map(Vec::as_slice).unwrap_or_default();
        let card = card(names);
        (!card.is_empty()).then(|| {
            let shown: Vec<String> = card
                .iter()
                .map(|name| format!("{name} ({})", shown(name, names)))
                .collect();
            format!(
                "the view of klass {klass} for agents (smartbar-card, smartbar-details, expanded-timeline), or its objects show a plain card. In this order: {}",
                shown.join(", ")
            )
        })
    };
    needed.klasses.iter().filter_map(of).collect()
}

fn klass_count(count: usize) -> String {
    match count {
        1 => "1 klass".to_owned(),
        _ => format!("{count} klasses"),
    }
}
