//! What only customers and companies have, beside what they share with objects.

use super::body::Body;
use super::keys::ExternalId;

/// What only customers and companies have.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq)]
pub struct Party {
    /// The company that a customer is to belong to; without one it keeps the company that it has.
    pub company: Option<ExternalId>,
    /// Fields that only a create has: contacts, because an update would replace all that the customer has; and what updates
    /// of companies may not have.
    pub on_create: Body,
}

impl Party {
    /// What both say, `over` before this.
    #[must_use]
    pub fn under(&self, over: &Self) -> Self {
        let mut fields = self.on_create.fields();
        for part in over.on_create.parts() {
            fields.put(part.name, part.value);
        }
        Self {
            company: over.company.clone().or_else(|| self.company.clone()),
            on_create: Body::from(&fields),
        }
    }
}
