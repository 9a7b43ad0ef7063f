//! The table of switches: name, default, values and meaning of each.

use super::choices::{
    BulkCreateLimit, BulkEnvelope, BulkInvalid, BulkStart, Choice, ClientRef, Duplicates, Errors,
    ImportedCreates, Merged, Meta, MetadataPut, MissingRole, ResetHeader, ResetUnit, RetryAfter,
    Rev, SearchAttributes, UnknownCompany, UnknownCustomer, Window,
};
use crate::api::roles::Roles;

/// One value for every switch; see [`SWITCHES`] for names and meaning.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "every field is described by its row in `SWITCHES`"
)]
pub struct Switches {
    pub meta: Meta,
    pub window: Window,
    pub reset_header: ResetHeader,
    pub reset_unit: ResetUnit,
    pub retry_after: RetryAfter,
    pub drain: u64,
    pub drain_random: u64,
    pub missing_role: MissingRole,
    pub errors: Errors,
    pub bulk_start: BulkStart,
    pub bulk_envelope: BulkEnvelope,
    pub client_ref: ClientRef,
    pub duplicates: Duplicates,
    pub rev: Rev,
    pub rev_start: u64,
    pub rev_step: u64,
    pub txt_length: u64,
    pub body_limit: u64,
    pub bulk_body_limit: u64,
    pub create_limit: u64,
    pub bulk_create_limit: BulkCreateLimit,
    pub imported_creates: ImportedCreates,
    pub update_limit: u64,
    pub lost_response: f64,
    pub merged: Merged,
    pub bulk_invalid: BulkInvalid,
    pub bulk_median_ms: u64,
    pub bulk_p99_ms: u64,
    pub bulk_batch_items: u64,
    pub bulk_retained_jobs: u64,
    pub search_limit: u64,
    pub search_lag_ms: u64,
    pub search_terms: u64,
    pub search_attributes: SearchAttributes,
    pub unknown_customer: UnknownCustomer,
    pub unknown_company: UnknownCompany,
    pub metadata_put: MetadataPut,
    pub roles: Roles,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            meta: Meta::Strict,
            window: Window::Fixed,
            reset_header: ResetHeader::Refused,
            reset_unit: ResetUnit::Seconds,
            retry_after: RetryAfter::Omit,
            drain: 0,
            drain_random: 0,
            missing_role: MissingRole::Forbidden,
            errors: Errors::JsonApi,
            bulk_start: BulkStart::Queued,
            bulk_envelope: BulkEnvelope::JsonApi,
            client_ref: ClientRef::Accept,
            duplicates: Duplicates::Refuse,
            rev: Rev::Honour,
            rev_start: 1,
            rev_step: 1,
            txt_length: 1_024,
            body_limit: 100_000,
            bulk_body_limit: 100_000,
            create_limit: 120,
            bulk_create_limit: BulkCreateLimit::On,
            imported_creates: ImportedCreates::Exempt,
            update_limit: 120,
            lost_response: 0.0,
            merged: Merged::Gone,
            bulk_invalid: BulkInvalid::Request,
            bulk_median_ms: 5_000,
            bulk_p99_ms: 15_000,
            bulk_batch_items: 50,
            bulk_retained_jobs: 10_000,
            search_limit: 100,
            search_lag_ms: 2_000,
            search_terms: 100,
            search_attributes: SearchAttributes::Full,
            unknown_customer: UnknownCustomer::NotFound,
            unknown_company: UnknownCompany::Accept,
            metadata_put: MetadataPut::Merge,
            roles: Roles::default(),
        }
    }
}

impl Switches {
    /// Sets one switch by its name on the command line.
    ///
    /// # Errors
    /// The name or the value is unknown; the error lists the known ones.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SwitchError> {
        let Some(switch) = SWITCHES.iter().find(|switch| switch.name == name) else {
            return Err(SwitchError::Unknown {
                name: name.to_owned(),
                known: names(),
            });
        };
        (switch.set)(self, value).ok_or_else(|| SwitchError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            values: switch.values(),
        })
    }
}

/// A switch that does not exist, or a value that it does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// No switch has this name.
    #[error("there is no switch `{name}`; the switches are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The switch does not take this value.
    #[error("switch `{name}` does not take `{value}`; it takes {values}")]
    Value {
        /// The switch.
        name: String,
        /// What was given.
        value: String,
        /// What it takes.
        values: String,
    },
}

fn names() -> String {
    SWITCHES
        .iter()
        .map(|switch| switch.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// One row of the table of switches.
#[derive(Debug, Clone, Copy)]
pub struct SwitchInfo {
    /// The name on the command line.
    pub name: &'static str,
    /// The row in the table of contradictions and gaps of `docs/kustomer-api.md`; `None` where the
    /// simulator adds a switch of its own.
    pub row: Option<u8>,
    /// What it decides.
    pub about: &'static str,
    values: fn() -> String,
    get: fn(&Switches) -> String,
    set: fn(&mut Switches, &str) -> Option<()>,
}

impl SwitchInfo {
    /// The values it takes, for people.
    #[must_use]
    pub fn values(&self) -> String {
        (self.values)()
    }

    /// The default value.
    #[must_use]
    pub fn default_value(&self) -> String {
        (self.get)(&Switches::default())
    }

    /// The value it has in `switches`.
    #[must_use]
    pub fn value(&self, switches: &Switches) -> String {
        (self.get)(switches)
    }
}

fn listed<C: Choice>() -> String {
    C::ALL
        .iter()
        .map(|value| value.as_str())
        .collect::<Vec<_>>()
        .join("|")
}

fn assign<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn whole(text: &str, low: u64, high: u64) -> Option<u64> {
    text.parse()
        .ok()
        .filter(|number| (low..=high).contains(number))
}

macro_rules! choice {
    ($name:literal, $row:expr, $field:ident: $type:ty, $about:literal) => {
        SwitchInfo {
            name: $name,
            row: $row,
            about: $about,
            values: listed::<$type>,
            get: |switches| switches.$field.as_str().to_owned(),
            set: |switches, text| assign(&mut switches.$field, <$type>::parse(text)),
        }
    };
}

macro_rules! number {
    ($name:literal, $row:expr, $field:ident: $low:literal..=$high:expr, $about:literal) => {
        SwitchInfo {
            name: $name,
            row: $row,
            about: $about,
            values: || match $high {
                u64::MAX => format!("a number from {}", $low),
                high => format!("a number from {} to {high}", $low),
            },
            get: |switches| switches.$field.to_string(),
            set: |switches, text| assign(&mut switches.$field, whole(text, $low, $high)),
        }
    };
}

/// Every switch, in the order of the contract's table.
pub const SWITCHES: &[SwitchInfo] = &[
    choice!("meta", Some(3), meta: Meta, "types in the meta of tracking events: lenient also takes …Bool and …Url"),
    choice!("window", Some(5), window: Window, "how the budget refills: a fixed minute that begins with its first request, the last minute at any time, or a leaky bucket"),
    choice!("reset-header", Some(6), reset_header: ResetHeader, "which replies carry x-ratelimit-reset"),
    choice!("reset-unit", Some(7), reset_unit: ResetUnit, "unit of x-ratelimit-reset: epoch seconds, epoch milliseconds, or seconds from now"),
    choice!("retry-after", Some(8), retry_after: RetryAfter, "whether a 429 carries Retry-After"),
    number!("drain", Some(9), drain: 0..=u64::MAX, "requests per minute that others spend of the same budget"),
    number!("drain-random", Some(9), drain_random: 0..=u64::MAX, "requests per minute that one more client spends at most; its rate changes at random"),
    choice!("missing-role", Some(11), missing_role: MissingRole, "status when the key lacks the role"),
    choice!("errors", Some(12), errors: Errors, "shape of error bodies; mixed: the new one for customers and tracking"),
    choice!("bulk-start", Some(15), bulk_start: BulkStart, "state of a bulk job in the reply to its submission"),
    choice!("bulk-envelope", Some(16), bulk_envelope: BulkEnvelope, "envelope of bulk reads"),
    choice!("client-ref", Some(17), client_ref: ClientRef, "whether bulk items may carry _clientRef"),
    choice!("duplicates", Some(18), duplicates: Duplicates, "a KObject create whose external id exists in its klass"),
    choice!("rev", Some(20), rev: Rev, "whether a stale rev is a conflict"),
    number!("rev-start", Some(20), rev_start: 0..=1, "rev of a new object"),
    number!("rev-step", Some(20), rev_step: 1..=2, "what every write adds to rev"),
    number!("txt-length", Some(22), txt_length: 1..=u64::MAX, "longest …Txt attribute, in characters (1024 or 10240 in the sources)"),
    number!("body-limit", Some(26), body_limit: 1..=u64::MAX, "largest body in bytes"),
    number!("bulk-body-limit", Some(26), bulk_body_limit: 1..=u64::MAX, "largest body of a bulk request in bytes"),
    number!("create-limit", Some(27), create_limit: 0..=u64::MAX, "KObject creates per minute, customer and key; 0 for no limit"),
    choice!("bulk-create-limit", Some(27), bulk_create_limit: BulkCreateLimit, "whether items of bulk requests count against create-limit"),
    choice!("imported-creates", Some(27), imported_creates: ImportedCreates, "whether creates with importedAt are exempt from create-limit, or count like others"),
    number!("update-limit", Some(28), update_limit: 0..=u64::MAX, "updates per minute, object and key; 0 for no limit"),
    SwitchInfo {
        name: "lost-response",
        row: Some(30),
        about: "share of writes that take effect but whose reply is lost",
        values: || "a number from 0 to 1".to_owned(),
        get: |switches| switches.lost_response.to_string(),
        set: |switches, text| {
            let share = text
                .parse()
                .ok()
                .filter(|share| (0.0..=1.0).contains(share));
            assign(&mut switches.lost_response, share)
        },
    },
    choice!("merged", Some(32), merged: Merged, "the id of a customer that was merged into another"),
    choice!("bulk-invalid", None, bulk_invalid: BulkInvalid, "a badly shaped item in a bulk request: 400 that names it, 400 that does not, or an item error"),
    number!("bulk-median-ms", None, bulk_median_ms: 1..=u64::MAX, "median duration of a bulk job"),
    number!("bulk-p99-ms", None, bulk_p99_ms: 1..=u64::MAX, "99th percentile of the duration of a bulk job"),
    number!("bulk-batch-items", None, bulk_batch_items: 1..=100, "items per batch of a bulk job"),
    number!("bulk-retained-jobs", None, bulk_retained_jobs: 1..=u64::MAX, "finished jobs whose results can still be read"),
    number!("search-limit", None, search_limit: 0..=u64::MAX, "searches per minute; 0 for no limit"),
    number!("search-lag-ms", None, search_lag_ms: 0..=u64::MAX, "time until a search finds a new customer"),
    number!("search-terms", None, search_terms: 1..=u64::MAX, "terms that one search may have"),
    choice!("search-attributes", None, search_attributes: SearchAttributes, "attributes in search results: all, or none of the identifiers"),
    choice!("unknown-customer", None, unknown_customer: UnknownCustomer, "status of a KObject create whose customer does not exist"),
    choice!("unknown-company", None, unknown_company: UnknownCompany, "a customer whose body names a company that does not exist: written, or refused with this status"),
    choice!("metadata-put", None, metadata_put: MetadataPut, "attributes that a write of metadata does not name: they stay, or are gone"),
    SwitchInfo {
        name: "roles",
        row: Some(11),
        about: "roles of the keys: a list, or with a minus sign what they lack (-org.tracking,-org.permission.bulk.read)",
        values: || "all, ROLE,… or -ROLE,…".to_owned(),
        get: |switches| switches.roles.text(),
        set: |switches, text| assign(&mut switches.roles, Roles::parse(text)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_takes_its_own_default() {
        for switch in SWITCHES {
            let mut switches = Switches::default();
            switches.set(switch.name, &switch.default_value()).unwrap();
            assert_eq!(switches, Switches::default(), "{}", switch.name);
        }
    }

    #[test]
    fn every_choice_is_taken_and_read_back() {
        for switch in SWITCHES
            .iter()
            .filter(|switch| switch.values().contains('|'))
        {
            for value in switch.values().split('|') {
                let mut switches = Switches::default();
                switches.set(switch.name, value).unwrap();
                assert_eq!(switch.value(&switches), value, "{}", switch.name);
            }
        }
    }

    #[test]
    fn errors_name_what_is_valid() {
        let mut switches = Switches::default();
        let unknown = switches.set("metta", "strict").unwrap_err().to_string();
        assert!(
            unknown.contains("`metta`") && unknown.contains("reset-unit"),
            "{unknown}"
        );
        let value = switches.set("rev", "sometimes").unwrap_err().to_string();
        assert!(value.contains("honour|ignore"), "{value}");
        assert!(switches.set("rev-step", "3").is_err());
        assert!(switches.set("lost-response", "1.5").is_err());
    }
}
