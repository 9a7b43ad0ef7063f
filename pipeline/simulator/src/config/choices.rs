//! The closed sets of values that switches take.

macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$value_about:meta])* $value:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_about])* $value,)+
        }

        impl Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }
    )+};
}

/// A switch value out of a closed set.
pub trait Choice: Copy + 'static {
    /// Every value, the default first.
    const ALL: &'static [Self];

    /// The text on the command line.
    fn as_str(self) -> &'static str;

    /// The value with this text.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|value| value.as_str() == text)
    }
}

choices! {
    /// Which keys and types the `meta` of a tracking event may have.
    Meta {
        /// Numbers, date-times and strings only.
        Strict = "strict",
        /// `…Bool` and `…Url` as well.
        Lenient = "lenient",
    }
    /// How the budget of the organisation refills.
    Window {
        /// A fixed minute that begins with the first request after the last one ended.
        Fixed = "fixed",
        /// The last minute, at any time.
        Sliding = "sliding",
        /// A bucket that leaks continuously.
        Leaky = "leaky",
    }
    /// When replies carry `x-ratelimit-reset`.
    ResetHeader {
        /// Only when the budget is spent.
        Refused = "429",
        /// On every reply.
        Always = "always",
        /// On none.
        Never = "never",
    }
    /// In which unit `x-ratelimit-reset` is given.
    ResetUnit {
        /// Seconds since the Unix epoch.
        Seconds = "seconds",
        /// Milliseconds since the Unix epoch.
        Millis = "millis",
        /// Seconds from now.
        Delta = "delta",
    }
    /// Whether a 429 carries `Retry-After`.
    RetryAfter {
        /// It does not.
        Omit = "omit",
        /// It does, in seconds.
        Add = "add",
    }
    /// The status of a request whose key lacks the role.
    MissingRole {
        /// 403; 401 is kept for a bad key.
        Forbidden = "403",
        /// 401 for both.
        Unauthorized = "401",
    }
    /// The shape of error bodies.
    Errors {
        /// The older shape with a numeric status.
        JsonApi = "json-api",
        /// The newer shape: code, message, meta.
        New = "new",
        /// The newer shape for customers and tracking, the older one elsewhere.
        Mixed = "mixed",
    }
    /// The state of a bulk job when it is submitted.
    BulkStart {
        /// It waits, runs and completes later.
        Queued = "queued",
        /// It is done at once.
        Complete = "complete",
    }
    /// The envelope of the two bulk reads.
    BulkEnvelope {
        /// `data` with `attributes`.
        JsonApi = "json-api",
        /// The bare attributes.
        Flat = "flat",
    }
    /// Whether bulk items may carry `_clientRef`.
    ClientRef {
        /// They may, all or none of a request.
        Accept = "accept",
        /// They may not: 400, as the older stack did.
        Refuse = "refuse",
    }
    /// What a `KObject` create does if its external id exists already.
    Duplicates {
        /// 409, or an item error.
        Refuse = "refuse",
        /// It creates a second object beside the first.
        Allow = "allow",
        /// The first object is updated, silently.
        Update = "update",
    }
    /// Whether a stale `rev` is a conflict.
    Rev {
        /// It is.
        Honour = "honour",
        /// It is ignored.
        Ignore = "ignore",
    }
    /// Whether bulk creates count against the limit per customer.
    BulkCreateLimit {
        /// They do; what `imported-creates` exempts does not.
        On = "on",
        /// They do not.
        Off = "off",
    }
    /// Whether creates with `importedAt` count against the limit per customer.
    ImportedCreates {
        /// They do not.
        Exempt = "exempt",
        /// They count like others.
        Count = "count",
    }
    /// What becomes of the id of a customer that was merged into another.
    Merged {
        /// 404.
        Gone = "gone",
        /// Reads are redirected to the target.
        Redirect = "redirect",
        /// The old document can still be read.
        Stale = "stale",
    }
    /// What a malformed item does to a bulk request.
    BulkInvalid {
        /// The whole request is refused, and the error names the item.
        Request = "request",
        /// The whole request is refused, and the error does not name the item.
        RequestUnnamed = "request-unnamed",
        /// Only the item fails, when the job runs.
        Item = "item",
    }
    /// The status of a `KObject` create whose customer does not exist.
    UnknownCustomer {
        /// 404.
        NotFound = "404",
        /// 400.
        Invalid = "400",
    }
    /// What happens to a customer whose body names a company that does not exist.
    UnknownCompany {
        /// It is written.
        Accept = "accept",
        /// 404.
        NotFound = "404",
        /// 400.
        Invalid = "400",
    }
    /// What becomes of attributes that a write of metadata does not name.
    MetadataPut {
        /// They stay.
        Merge = "merge",
        /// They are gone: what is written is all there is.
        Replace = "replace",
    }
    /// Which attributes a search result carries.
    SearchAttributes {
        /// All that a read of the customer carries.
        Full = "full",
        /// None of the identifiers: the result cannot be matched to the question.
        Brief = "brief",
    }
}
