//! The tables of fields, one per body. Source: the endpoint sections of `docs/kustomer-api.md`.

use super::{Field, Rule};

const fn optional(name: &'static str, rule: Rule) -> Field {
    Field {
        name,
        rule,
        required: false,
        nullable: false,
    }
}

const fn required(name: &'static str, rule: Rule) -> Field {
    Field {
        name,
        rule,
        required: true,
        nullable: false,
    }
}

const fn nullable(name: &'static str, rule: Rule) -> Field {
    Field {
        name,
        rule,
        required: false,
        nullable: true,
    }
}

const fn up_to(max: usize) -> Rule {
    Rule::Text { min: 0, max }
}

const ANY_TEXT: Rule = up_to(usize::MAX);
const EXTERNAL_ID: Rule = Rule::Text { min: 1, max: 256 };
const GENDER: Rule = Rule::OneOf(&["m", "f"]);
const TAGS: Rule = Rule::List {
    max: 20,
    item: &Rule::Tag,
};

const LOCATION: &[Field] = &[
    nullable("type", Rule::OneOf(&["home", "work", "other"])),
    nullable("name", ANY_TEXT),
    nullable("address", up_to(256)),
    nullable("address2", up_to(256)),
    nullable("address3", up_to(256)),
    nullable("latitude", Rule::Number),
    nullable("longitude", Rule::Number),
    nullable("countryCode", Rule::Text { min: 2, max: 2 }),
    nullable("countryName", up_to(64)),
    nullable("regionCode", up_to(2)),
    nullable("regionName", up_to(128)),
    nullable("cityName", up_to(128)),
    nullable("zipCode", up_to(30)),
    nullable("areaCode", up_to(30)),
];

/// `POST /v1/tracking/event`
pub(crate) const EVENT: &[Field] = &[
    required("name", Rule::EventName),
    optional("trackingId", ANY_TEXT),
    optional("sessionId", ANY_TEXT),
    optional("meta", Rule::Meta),
];

/// `POST /v1/tracking/identity`
pub(crate) const IDENTITY: &[Field] = &[
    optional("remember", Rule::Bool),
    optional("trackingId", ANY_TEXT),
    optional("sessionId", ANY_TEXT),
    optional("name", ANY_TEXT),
    optional("company", ANY_TEXT),
    optional("externalId", EXTERNAL_ID),
    optional("username", up_to(256)),
    optional("signedUpAt", Rule::Date),
    optional("birthdayAt", Rule::Date),
    optional("gender", GENDER),
    optional("locale", up_to(16)),
    optional("timeZone", up_to(64)),
    optional("email", Rule::Email),
    optional("phone", Rule::Phone),
    optional("location", Rule::Strict(LOCATION)),
    optional("tags", TAGS),
    optional("custom", Rule::Custom),
];

/// `POST /v1/tracking/identityEvent`
pub(crate) const IDENTITY_EVENT: &[Field] = &[
    required("identity", Rule::Strict(IDENTITY)),
    required("event", Rule::Strict(EVENT)),
];

const COMPANY_NAME: Rule = Rule::Text { min: 3, max: 256 };
const COMPANY_ID: Rule = up_to(256);

macro_rules! company {
    ($name:expr, $($more:expr),* $(,)?) => {
        &[
            $name,
            nullable("externalId", COMPANY_ID),
            nullable("avatarUrl", Rule::Url),
            optional("emails", Rule::List { max: CONTACTS, item: &Rule::Strict(EMAIL) }),
            optional("phones", Rule::List { max: CONTACTS, item: &Rule::Strict(PHONE) }),
            optional("whatsapps", Rule::List { max: CONTACTS, item: &Rule::Any }),
            optional("socials", Rule::List { max: CONTACTS, item: &Rule::Strict(SOCIAL) }),
            optional("urls", Rule::List { max: CONTACTS, item: &Rule::Strict(ADDRESS) }),
            optional("domains", Rule::List { max: CONTACTS, item: &Rule::Strict(DOMAIN) }),
            optional("locations", Rule::List { max: CONTACTS, item: &Rule::Strict(LOCATION) }),
            optional("employeeCount", Rule::Number),
            optional("tags", TAGS),
            optional("custom", Rule::Custom),
            nullable("defaultLang", up_to(100)),
            $($more,)*
        ]
    };
}

/// Create of a company, single or in bulk.
pub(crate) const COMPANY: &[Field] = company![
    required("name", COMPANY_NAME),
    optional("createdAt", Rule::Date),
    optional("importedAt", Rule::Date),
    optional("rev", Rule::Whole),
];

/// Update of a company, single or in bulk (there with an `id`): neither times nor a revision are among its fields.
pub(crate) const COMPANY_UPDATE: &[Field] = company![
    optional("name", COMPANY_NAME),
    nullable("deleted", Rule::Bool),
];

const ADDRESS: &[Field] = &[
    optional("type", Rule::OneOf(&["website", "blog", "other"])),
    required("url", Rule::Url),
];

const DOMAIN: &[Field] = &[required("domain", Rule::Domain)];

/// Create of a `KObject`, single or in bulk.
pub(crate) const KOBJECT: &[Field] = &[
    required("title", Rule::Text { min: 1, max: 256 }),
    optional("customer", ANY_TEXT),
    optional("company", ANY_TEXT),
    optional("externalId", EXTERNAL_ID),
    optional("description", up_to(10_240)),
    optional(
        "images",
        Rule::List {
            max: 20,
            item: &Rule::Url,
        },
    ),
    optional("icon", up_to(64)),
    optional("data", Rule::Object),
    optional("custom", Rule::Custom),
    optional("tags", TAGS),
    optional("createdAt", Rule::Date),
    optional("importedAt", Rule::Date),
];

/// Update of a `KObject`, single or in bulk (there with an `id`).
pub(crate) const KOBJECT_UPDATE: &[Field] = &[
    optional("title", Rule::Text { min: 1, max: 256 }),
    optional("externalId", EXTERNAL_ID),
    optional("description", up_to(10_240)),
    optional(
        "images",
        Rule::List {
            max: 20,
            item: &Rule::Url,
        },
    ),
    optional("icon", up_to(64)),
    optional("data", Rule::Object),
    optional("custom", Rule::Custom),
    optional("tags", TAGS),
    optional("createdAt", Rule::Date),
    optional("importedAt", Rule::Date),
    optional("rev", Rule::Whole),
];

const CONTACTS: usize = 10;

/// Create and update of a customer, single or in bulk.
pub(crate) const CUSTOMER: &[Field] = &[
    nullable("name", ANY_TEXT),
    nullable("company", ANY_TEXT),
    nullable("externalId", EXTERNAL_ID),
    nullable("username", up_to(256)),
    nullable("signedUpAt", Rule::Date),
    nullable("lastActivityAt", Rule::Date),
    nullable("lastCustomerActivityAt", Rule::Date),
    nullable("lastSeenAt", Rule::Date),
    nullable("avatarUrl", Rule::Url),
    optional(
        "externalIds",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(&[
                required("externalId", EXTERNAL_ID),
                optional("verified", Rule::Bool),
            ]),
        },
    ),
    optional(
        "sharedExternalIds",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Any,
        },
    ),
    optional(
        "emails",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(EMAIL),
        },
    ),
    optional(
        "sharedEmails",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(EMAIL),
        },
    ),
    optional(
        "phones",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(PHONE),
        },
    ),
    optional(
        "sharedPhones",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(PHONE),
        },
    ),
    optional(
        "whatsapps",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Any,
        },
    ),
    optional(
        "facebookIds",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Any,
        },
    ),
    optional(
        "instagramIds",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Any,
        },
    ),
    optional(
        "socials",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(SOCIAL),
        },
    ),
    optional(
        "sharedSocials",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(SOCIAL),
        },
    ),
    optional(
        "urls",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(ADDRESS),
        },
    ),
    optional(
        "locations",
        Rule::List {
            max: CONTACTS,
            item: &Rule::Strict(LOCATION),
        },
    ),
    nullable("locale", up_to(16)),
    nullable("timeZone", up_to(64)),
    optional("tags", TAGS),
    nullable(
        "sentiment",
        Rule::Strict(&[
            optional("polarity", Rule::Number),
            optional("confidence", Rule::Number),
        ]),
    ),
    optional("custom", Rule::Custom),
    nullable("birthdayAt", Rule::Date),
    nullable("gender", GENDER),
    optional("createdAt", Rule::Date),
    optional("importedAt", Rule::Date),
    optional("rev", Rule::Whole),
    nullable("defaultLang", up_to(100)),
];

const EMAIL: &[Field] = &[
    optional("type", Rule::OneOf(&["home", "work", "other"])),
    required("email", Rule::Email),
    optional("verified", Rule::Bool),
];

const PHONE: &[Field] = &[
    optional(
        "type",
        Rule::OneOf(&["mobile", "home", "work", "fax", "other"]),
    ),
    required("phone", Rule::Phone),
    optional("verified", Rule::Bool),
];

const SOCIAL: &[Field] = &[
    optional("type", ANY_TEXT),
    optional("username", ANY_TEXT),
    optional("userid", ANY_TEXT),
    optional("url", Rule::Url),
    optional("verified", Rule::Bool),
];

/// `POST /v1/customers/merges`
pub(crate) const MERGE: &[Field] = &[required("source", ANY_TEXT), required("target", ANY_TEXT)];

const MIXINS: Rule = Rule::List {
    max: 4,
    item: &Rule::OneOf(&["commentable", "assignable", "editable", "creatable"]),
};

/// `POST /v1/klasses`
pub(crate) const KLASS: &[Field] = &[
    required("name", Rule::KlassName),
    optional("displayName", up_to(255)),
    optional("icon", up_to(64)),
    optional("color", up_to(64)),
    optional("jsonSchema", Rule::Any),
    optional("klassSchema", Rule::OneOf(&["task"])),
    optional("mixins", MIXINS),
    optional("status", Rule::OneOf(&["enabled", "disabled"])),
];

/// `PUT /v1/klasses/{klassId}`
pub(crate) const KLASS_UPDATE: &[Field] = &[
    optional("displayName", up_to(255)),
    optional("icon", up_to(64)),
    optional("color", up_to(64)),
    optional("jsonSchema", Rule::Any),
    optional("klassSchema", Rule::OneOf(&["task"])),
    optional("mixins", MIXINS),
    optional("status", Rule::OneOf(&["enabled", "disabled"])),
];

/// `PUT /v1/metadata/{resource}`
pub(crate) const METADATA: &[Field] = &[
    optional("standardProperties", Rule::Object),
    optional("relationships", Rule::Object),
    optional("properties", Rule::Object),
    optional(
        "validations",
        Rule::List {
            max: 1_000,
            item: &Rule::Any,
        },
    ),
];
