//! What was found out about the organisation before the process began.

/// First beliefs about what the API leaves open, in place of caution.
///
/// They are of another day and perhaps of another
/// organisation. No record is lost where one is wrong, and what answers show corrects it, as far as answers can show it. Each is
/// about custom objects alone; customers and companies are learnt as ever.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beliefs {
    /// A second object of an external id is refused, so a create that may have arrived is repeated at once. Where that is wrong, the
    /// repeat may make a second object, and no answer shows it.
    pub refuses_duplicates: bool,
    /// The revision of a new object. A lower one that is seen corrects it; one that is too low is refused, and read.
    pub first_revision: Option<i64>,
    /// Whether an update that names an old revision is refused. A wrong `true` may let an older state overwrite a newer one where
    /// replicas share objects, a wrong `false` costs reads.
    pub minds_revisions: Option<bool>,
    /// Items of bulk requests may carry no references. A wrong `true` makes results that fail cost reads.
    pub refuses_references: bool,
    /// Whether creates in bulk requests count against the limit of their customer. The first that is limited corrects a wrong
    /// `false`; a wrong `true` makes objects of customers with very many wait.
    pub counts_creates: Option<bool>,
}
