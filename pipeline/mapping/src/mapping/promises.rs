//! What a mapping promises: everything that can be known without an event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::compiled::Mapping;
use super::model::{Action, CustomerRule, OnHold, Party, Route, Rule, Template, optional};
use super::node::Place;
use ingest_model::operation::{Klass, MissingCustomer, VERSION_ATTRIBUTE};

/// A klass that a mapping writes, and the attributes that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KlassUse {
    /// The klass.
    pub klass: Klass,
    /// The names of `custom` attributes, sorted; with `ingestVersionStr` if objects have a version.
    pub attributes: Vec<String>,
    /// For each route that writes `data`: the route and the keys, or `None` if an expression decides them. `data` is
    /// replaced as a whole, so routes that write different keys undo each other.
    pub data: Vec<(Arc<str>, Option<Vec<String>>)>,
}

/// What a route promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The route's name.
    pub name: Arc<str>,
    /// The event names as written.
    pub on: Vec<String>,
    /// The types of message that it is for; empty if the file does not say.
    pub types: Vec<&'static str>,
    /// The kinds of its operations in their order: `identify`, `track`, `kobject`, `delete`, `customer`, `company`, `digest`.
    pub kinds: Vec<&'static str>,
    /// Why its events are not wanted, if they are not.
    pub skip: Option<String>,
    /// What happens to its work on hold when the held half of the budget is full.
    pub on_hold: OnHold,
    /// The place of `onHold` in the file, or that of the route if it has none.
    pub on_hold_at: Place,
    /// The file that has the route.
    pub file: Arc<str>,
    /// The place of the route in the file.
    pub place: Place,
    /// Whether it writes for a customer whom only the envelope names.
    pub trusts_envelope: bool,
}

// === impl KlassUse ===

impl KlassUse {
    fn of(klass: &Klass) -> Self {
        Self {
            klass: klass.clone(),
            attributes: Vec::new(),
            data: Vec::new(),
        }
    }
}

// === impl Mapping ===

impl Mapping {
    /// Every optional field, with its route: what can be left out and counted.
    #[must_use]
    pub fn optional_fields(&self) -> Vec<(Arc<str>, String)> {
        let mut fields = Vec::new();
        for route in &self.routes {
            let Action::Do { .. } = route.action else {
                continue;
            };
            let all = optional::of_header(&self.head.header)
                .into_iter()
                .chain(optional::of_route(&route.action));
            fields.extend(all.map(|field| (Arc::clone(&route.name), field)));
        }
        fields
    }

    /// The klasses that the mapping writes, by name.
    #[must_use]
    pub fn klasses(&self) -> Vec<KlassUse> {
        let mut klasses: BTreeMap<&Klass, KlassUse> = BTreeMap::new();
        for route in &self.routes {
            let Action::Do { rules, .. } = &route.action else {
                continue;
            };
            for rule in rules {
                if let Rule::Digest(rule) = rule {
                    let used = klasses
                        .entry(&rule.klass)
                        .or_insert_with(|| KlassUse::of(&rule.klass));
                    let sums = rule.sums.iter().map(|sum| sum.name.clone());
                    used.attributes.extend(sums);
                    used.attributes.push(VERSION_ATTRIBUTE.to_owned());
                }
                let Rule::KObject(rule) = rule else { continue };
                let used = klasses
                    .entry(&rule.klass)
                    .or_insert_with(|| KlassUse::of(&rule.klass));
                if rule.deletes {
                    continue; // it has to be there, and nothing is said of it
                }
                used.attributes
                    .extend(rule.custom.iter().map(|custom| custom.name.clone()));
                used.attributes
                    .extend(rule.version.iter().map(|_| VERSION_ATTRIBUTE.to_owned()));
                if let Some(data) = rule.fields.iter().find(|field| field.name == "data") {
                    let keys = match &data.value {
                        Template::Map(entries) => {
                            Some(entries.iter().map(|(name, _)| name.clone()).collect())
                        }
                        Template::Expr(_) | Template::List(_) => None,
                    };
                    used.data.push((Arc::clone(&route.name), keys));
                }
            }
        }
        let mut klasses: Vec<KlassUse> = klasses.into_values().collect();
        for used in &mut klasses {
            used.attributes.sort();
            used.attributes.dedup();
        }
        klasses
    }

    /// The names of `custom` attributes that are written to customers, sorted.
    #[must_use]
    pub fn customer_attributes(&self) -> Vec<String> {
        self.party_attributes(Party::Customer)
    }

    /// The names of `custom` attributes that are written to companies, sorted.
    #[must_use]
    pub fn company_attributes(&self) -> Vec<String> {
        self.party_attributes(Party::Company)
    }

    fn party_attributes(&self, of: Party) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for route in &self.routes {
            let Action::Do { rules, .. } = &route.action else {
                continue;
            };
            for rule in rules {
                let (custom, version) = match rule {
                    Rule::Identify(rule) if of == Party::Customer => (&rule.custom, false),
                    Rule::Party(rule) if rule.kind == of => (&rule.custom, rule.version.is_some()),
                    Rule::Identify(_)
                    | Rule::Party(_)
                    | Rule::Track(_)
                    | Rule::KObject(_)
                    | Rule::Digest(_) => continue,
                };
                names.extend(custom.iter().map(|custom| custom.name.clone()));
                names.extend(version.then(|| VERSION_ATTRIBUTE.to_owned()));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Whether customers are given companies.
    #[must_use]
    pub fn links_companies(&self) -> bool {
        self.routes.iter().any(|route| match &route.action {
            Action::Do { rules, .. } => rules
                .iter()
                .any(|rule| matches!(rule, Rule::Party(rule) if rule.company.is_some())),
            Action::Skip(_) => false,
        })
    }

    /// The klasses whose objects name the customers of events, or their own when they are marked as deleted.
    #[must_use]
    pub fn owners_of(&self) -> BTreeSet<Klass> {
        let mut asked = BTreeSet::new();
        for route in &self.routes {
            let Action::Do {
                customer, rules, ..
            } = &route.action
            else {
                continue;
            };
            if let CustomerRule::Owner(rule, _) = customer {
                asked.insert(rule.klass.clone());
            }
            for rule in rules {
                if let Rule::KObject(rule) = rule
                    && rule.marks.is_some()
                {
                    asked.insert(rule.klass.clone());
                }
            }
        }
        asked
    }

    /// What is done about unknown customers of objects, by the routes whose objects' customers are named by keys: each of these
    /// has to be found.
    #[must_use]
    pub fn customers_of_objects(&self) -> Vec<MissingCustomer> {
        let routes = self.routes.iter();
        let of_objects = routes.filter_map(|route| match &route.action {
            Action::Do {
                customer: CustomerRule::Hints(missing) | CustomerRule::Keys(_, missing),
                rules,
                ..
            } if rules
                .iter()
                .any(|rule| matches!(rule, Rule::KObject(_) | Rule::Digest(_))) =>
            {
                Some(*missing)
            }
            Action::Do { .. } | Action::Skip(_) => None,
        });
        of_objects.collect()
    }

    /// The routes in their order.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteInfo> {
        let info = |route: &Route| {
            let (kinds, skip) = match &route.action {
                Action::Skip(reason) => (Vec::new(), Some(reason.clone())),
                Action::Do { rules, .. } => (rules.iter().map(Rule::kind).collect(), None),
            };
            let trusts_envelope = match &route.action {
                Action::Skip(_) => false,
                Action::Do {
                    customer, rules, ..
                } => {
                    let names_one = |rule: &Rule| match rule {
                        Rule::Identify(rule) => !rule.keys.is_empty(),
                        Rule::Track(_) | Rule::KObject(_) | Rule::Party(_) | Rule::Digest(_) => {
                            false
                        }
                    };
                    let writes_for_one = rules.iter().any(|rule| !matches!(rule, Rule::Party(_)));
                    matches!(customer, CustomerRule::Hints(_))
                        && writes_for_one
                        && !rules.iter().any(names_one)
                }
            };
            RouteInfo {
                name: Arc::clone(&route.name),
                file: Arc::clone(&route.file),
                place: route.place,
                trusts_envelope,
                on: route.on.clone(),
                types: route.types.clone(),
                kinds,
                skip,
                on_hold: route.on_hold,
                on_hold_at: route.on_hold_at,
            }
        };
        self.routes.iter().map(info).collect()
    }

    /// The ages from which on tracking events of some route are late, rising.
    #[must_use]
    pub fn max_ages(&self) -> Vec<Duration> {
        let mut ages = BTreeSet::new();
        for route in &self.routes {
            let Action::Do { rules, .. } = &route.action else {
                continue;
            };
            for rule in rules {
                let Rule::Track(rule) = rule else { continue };
                let age = rule.max_age.and_then(|age| Duration::try_from(age).ok());
                ages.extend(age);
            }
        }
        ages.into_iter().collect()
    }

    /// The names of the routes whose held work goes to the hold topic when there is too much of it.
    #[must_use]
    pub fn diverting(&self) -> BTreeSet<Arc<str>> {
        let routes = self.routes.iter();
        routes
            .filter(|route| route.on_hold == OnHold::Divert)
            .map(|route| Arc::clone(&route.name))
            .collect()
    }
}
