//! What has to be made: the difference between what the mappings need and what the organisation has.

use ingest_kustomer::Need;

use super::needed::{Needed, bearer, in_words, resource, title};
use super::organisation::Organisation;
use super::step::Step;
use crate::observe::words::plural;

/// The most attributes that a body can have (`docs/kustomer-api.md`, section 7).
const MOST: usize = 100;

/// What has to be made, and what a person should know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What is there already, in words.
    pub(super) same: Vec<String>,
    pub(super) warnings: Vec<String>,
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
            let known = known.map(Vec::as_slice).unwrap_or_default();
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
                    names: missing,
                });
            }
        }
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
                Step::Add { resource, names } => {
                    let of = bearer(resource);
                    for name in names {
                        lines.push(format!(
                            "+ {of}: {}, shown as {}",
                            in_words(name),
                            title(name)
                        ));
                    }
                }
            }
        }
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

fn klass_count(count: usize) -> String {
    match count {
        1 => "1 klass".to_owned(),
        _ => format!("{count} klasses"),
    }
}
