//! What a file says for all of its routes.

use super::super::super::model::bad::OnBad;
use super::super::super::model::{CustomerRule, OnHold};
use super::super::super::node::{Node, Place};
use super::super::customer::customer;
use super::super::reader::{Fields, Reader, places};
use crate::decode::Format;
use ingest_model::operation::MissingCustomer;

/// What a route takes from its file.
pub(in crate::mapping::compile) struct RouteHead<'n> {
    pub(in crate::mapping::compile) format: Option<Format>,
    pub(in crate::mapping::compile) on_bad: OnBad,
    pub(in crate::mapping::compile) on_hold: OnHold,
    /// The place of the default.
    pub(in crate::mapping::compile) on_hold_at: Option<Place>,
    /// The file says which events are deletions.
    pub(in crate::mapping::compile) names_deletions: bool,
    customer: Option<&'n Node>,
}

impl<'n> RouteHead<'n> {
    /// What a file says. Errors in it are reported once.
    pub(in crate::mapping::compile) fn of(
        reader: &mut Reader<'_>,
        fields: &Fields<'n>,
        format: Option<Format>,
        on_bad: OnBad,
    ) -> Self {
        let mut head = Self {
            format,
            on_bad,
            on_hold: OnHold::default(),
            on_hold_at: None,
            names_deletions: false,
            customer: None,
        };
        let Some(node) = fields.get("defaults") else {
            return head;
        };
        let Some(fields) = reader.fields(node, "defaults", &["customer", "onHold"]) else {
            return head;
        };
        if let Some(node) = fields.get("onHold") {
            head.on_hold = reader
                .word(node, "defaults.onHold", OnHold::WORDS)
                .unwrap_or_default();
            head.on_hold_at = Some(node.place);
        }
        if let Some(node) = fields.get("customer") {
            let before = reader.errors.len();
            customer(reader, node, "defaults.customer");
            head.customer = (reader.errors.len() == before).then_some(node);
        }
        head
    }

    /// The places of that customer's fields, by their paths in a route.
    pub(in crate::mapping::compile) fn customer_places(&self) -> Vec<(String, Place)> {
        let found = self.customer.map(places).unwrap_or_default().into_iter();
        found
            .map(|(path, place)| (format!(".customer{path}"), place))
            .collect()
    }

    /// The customer of a route that names none.
    pub(in crate::mapping::compile) fn customer(
        &self,
        reader: &mut Reader<'_>,
    ) -> Option<CustomerRule> {
        let Some(node) = self.customer else {
            return Some(CustomerRule::Hints(MissingCustomer::default()));
        };
        // its doubts have been told
        let told = reader.doubts.len();
        let rule = customer(reader, node, "defaults.customer");
        reader.doubts.truncate(told);
        rule
    }
}
