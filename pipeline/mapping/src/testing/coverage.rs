//! Which routes and fields of a mapping file its tests reach.
//!
//! A route is reached if it decides about the event of a test. A field is reached if its expression gives something for such
//! an event: a field that is null in all of them has never been seen to work.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::record;
use crate::decode::{Format, Limits};
use crate::mapping::Mapping;
use crate::mapping::node::Place;
use crate::route::Pipeline;

/// Which routes and fields the tests of a file reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The routes, in their order.
    pub routes: Vec<Reached>,
    /// Their fields, such as `order-placed.do[0].custom.totalNum`.
    pub fields: Vec<Reached>,
}

/// A route or a field, and whether a test reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The route.
    pub route: Arc<str>,
    /// The path in it; empty for the route itself.
    pub field: String,
    /// The place in the file.
    pub place: Place,
    /// Whether a test reaches it.
    pub is_reached: bool,
}

impl Mapping {
    /// What the tests reach, with the format for a file that names none.
    #[must_use]
    pub fn coverage(&self, format: Format) -> Coverage {
        let format = self.format().unwrap_or(format);
        let mut routes: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut fields: BTreeSet<(Arc<str>, String)> = BTreeSet::new();
        let limits = Limits::default();
        let of_test = |test| Pipeline::traces_with(self, format, limits, &record(test));
        for traced in self.tests().iter().flat_map(of_test) {
            let Some(route) = traced.route else {
                continue;
            };
            for value in traced.values {
                let says = value.value.as_ref().is_ok_and(|value| !value.is_null());
                // A value that cannot be had is a case of its own, which the test knows.
                if says || value.value.is_err() {
                    fields.insert((Arc::clone(&route), value.field));
                }
            }
            routes.insert(route);
        }
        let mut coverage = Coverage {
            routes: Vec::new(),
            fields: Vec::new(),
        };
        for of_route in self.fields() {
            let (route, place) = (of_route.route, of_route.place);
            for (field, place) in of_route.fields {
                coverage.fields.push(Reached {
                    is_reached: fields.contains(&(Arc::clone(&route), field.clone())),
                    route: Arc::clone(&route),
                    field,
                    place,
                });
            }
            coverage.routes.push(Reached {
                is_reached: routes.contains(&route),
                route,
                field: String::new(),
                place,
            });
        }
        coverage
    }
}

impl Coverage {
    /// How much is reached, routes and fields alike, in per cent; all of nothing is 100.
    #[must_use]
    pub fn percent(&self) -> f64 {
        let all = || self.routes.iter().chain(&self.fields);
        let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let (reached, total) = (all().filter(|one| one.is_reached).count(), all().count());
        if total == 0 {
            return 100.0;
        }
        count(reached) * 100.0 / count(total)
    }
}
