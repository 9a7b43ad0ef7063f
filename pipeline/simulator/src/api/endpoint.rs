//! The endpoints: their names in account, journal and fault scripts, and the roles they need.

use super::roles::Roles;

macro_rules! endpoints {
    ($($(#[$about:meta])* $name:ident = $label:literal [$($role:literal),*]),+ $(,)?) => {
        /// An endpoint of the API. [`Endpoint::as_str`] gives its name in account, journal and fault
        /// scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Endpoint {
            $($(#[$about])* $name,)+
        }

        impl Endpoint {
            /// Every endpoint.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in account, journal and fault scripts.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                }
            }

            /// The roles of which one is enough; none where any key will do.
            #[must_use]
            pub const fn roles(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($role),*],)+
                }
            }
        }
    };
}

endpoints! {
    /// `POST /v1/tracking/event`
    TrackingEvent = "tracking.event" ["org.tracking"],
    /// `POST /v1/tracking/identity`
    TrackingIdentity = "tracking.identity" ["org.tracking"],
    /// `POST /v1/tracking/identityEvent`
    TrackingIdentityEvent = "tracking.identity_event" ["org.tracking"],
    /// `POST /v1/customers`
    CustomerCreate = "customer.create" ["org.permission.customer.create", "org.user.customer.write"],
    /// `GET /v1/customers/{id}`
    CustomerGet = "customer.get" ["org.permission.customer.read", "org.user.customer.read"],
    /// `GET /v1/customers/email={email}`
    CustomerGetByEmail = "customer.get_by_email" ["org.permission.customer.read", "org.user.customer.read"],
    /// `GET /v1/customers/externalId={externalId}`
    CustomerGetByExternalId = "customer.get_by_external_id" ["org.permission.customer.read", "org.user.customer.read"],
    /// `GET /v1/customers/phone={phone}`
    CustomerGetByPhone = "customer.get_by_phone" ["org.permission.customer.read", "org.user.customer.read"],
    /// `PUT` or `PATCH /v1/customers/{id}`
    CustomerUpdate = "customer.update" ["org.permission.customer.update", "org.user.customer.write"],
    /// `DELETE /v1/customers/{id}`
    CustomerDelete = "customer.delete" ["org.permission.customer.delete", "org.user.customer.delete"],
    /// `POST /v1/customers/merges`
    CustomerMerge = "customer.merge" ["org.permission.customer_merge.create", "org.user.customer.write", "org.admin.customer.merge.write"],
    /// `POST /v1/customers/search`
    CustomerSearch = "customer.search" ["org.permission.search.create", "org.user.search.read"],
    /// `POST /v1/customers/bulk`
    CustomerBulkCreate = "customer.bulk_create" ["org.permission.customer.create", "org.user.customer.write"],
    /// `PUT /v1/customers/bulk`
    CustomerBulkUpdate = "customer.bulk_update" ["org.permission.customer.update", "org.user.customer.write"],
    /// `DELETE /v1/customers/bulk?ids=`
    CustomerBulkDelete = "customer.bulk_delete" ["org.permission.customer.delete", "org.user.customer.delete"],
    /// `POST /v1/companies`
    CompanyCreate = "company.create" ["org.permission.company.create", "org.user.company.write"],
    /// `GET /v1/companies/{id}`
    CompanyGet = "company.get" ["org.permission.company.read", "org.user.company.read"],
    /// `GET /v1/companies?externalId=`
    CompanyList = "company.list" ["org.permission.company.read", "org.user.company.read"],
    /// `PUT /v1/companies/{id}`
    CompanyUpdate = "company.update" ["org.permission.company.update", "org.user.company.write"],
    /// `POST /v1/companies/bulk`
    CompanyBulkCreate = "company.bulk_create" ["org.permission.company.create", "org.user.company.write"],
    /// `PUT /v1/companies/bulk`
    CompanyBulkUpdate = "company.bulk_update" ["org.permission.company.update", "org.user.company.write"],
    /// `POST /v1/klasses/{name}` and `POST /v1/customers/{customerId}/klasses/{name}`
    KobjectCreate = "kobject.create" ["org.permission.kobject.create", "org.user.kobject.write"],
    /// `GET /v1/klasses/{name}/{id}`
    KobjectGet = "kobject.get" ["org.permission.kobject.read", "org.user.kobject.read"],
    /// `GET /v1/klasses/{name}/externalId={externalId}`
    KobjectGetByExternalId = "kobject.get_by_external_id" ["org.permission.kobject.read", "org.user.kobject.read"],
    /// `GET /v1/klasses/{name}`
    KobjectList = "kobject.list" ["org.permission.klass.read", "org.user.klass.read", "org.admin.klass.read", "org.permission.kobject.read", "org.user.kobject.read"],
    /// `GET /v1/customers/{customerId}/klasses/{name}`
    KobjectListOfCustomer = "kobject.list_of_customer" ["org.permission.customer.read", "org.user.customer.read"],
    /// `PUT /v1/klasses/{name}/{id}`
    KobjectUpdate = "kobject.update" ["org.permission.kobject.update", "org.user.kobject.write"],
    /// `DELETE /v1/klasses/{name}/{id}`
    KobjectDelete = "kobject.delete" ["org.permission.kobject.delete", "org.user.kobject.delete", "org.user.kobject.write"],
    /// `POST /v1/klasses/{name}/bulk`
    KobjectBulkCreate = "kobject.bulk_create" ["org.permission.kobject.create", "org.user.kobject.write"],
    /// `PUT /v1/klasses/{name}/bulk`
    KobjectBulkUpdate = "kobject.bulk_update" ["org.permission.kobject.update", "org.user.kobject.write"],
    /// `DELETE /v1/klasses/{name}/bulk?ids=`
    KobjectBulkDelete = "kobject.bulk_delete" ["org.permission.kobject.delete", "org.user.kobject.delete", "org.user.kobject.write"],
    /// `GET /v1/bulk/{id}`
    BulkGet = "bulk.get" ["org.permission.bulk.read", "org.user.bulk.read"],
    /// `GET /v1/bulk/{id}/batches`
    BulkBatches = "bulk.batches" ["org.permission.bulk.read", "org.user.bulk.read"],
    /// `GET /v1/klasses`
    KlassList = "klass.list" ["org.permission.klass.read", "org.user.klass.read", "org.admin.klass.read"],
    /// `POST /v1/klasses`
    KlassCreate = "klass.create" ["org.permission.klass.create", "org.admin.klass.write"],
    /// `GET /v1/klasses/{klassId}`
    KlassGet = "klass.get" ["org.permission.klass.read", "org.user.klass.read", "org.admin.klass.read"],
    /// `PUT /v1/klasses/{klassId}`
    KlassUpdate = "klass.update" ["org.permission.klass.update", "org.admin.klass.write"],
    /// `DELETE /v1/klasses/{klassId}`
    KlassDelete = "klass.delete" ["org.permission.klass.delete", "org.admin.klass.write"],
    /// `GET /v1/metadata/{resource}`
    MetadataGet = "metadata.get" ["org.permission.metadata.read", "org.user.metadata.read"],
    /// `PUT /v1/metadata/{resource}`
    MetadataUpdate = "metadata.update" ["org.permission.metadata.update", "org.admin.metadata.write"],
    /// `GET /v1/customers/{id}/sessions`
    SessionList = "session.list" ["org.permission.event.read", "org.user.event.read"],
    /// `GET /v1/customers/{id}/sessions/{sessionId}/events`
    SessionEvents = "session.events" ["org.permission.event.read", "org.user.event.read"],
    /// `GET /v1/customers/{customerId}/events/{id}`
    EventGet = "event.get" ["org.permission.event.read", "org.user.event.read"],
    /// `GET /v1/auth/tokens/current`
    TokenCurrent = "token.current" [],
    /// Any other path.
    Unknown = "unknown" [],
}

impl Endpoint {
    /// The endpoint with this name.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|endpoint| endpoint.as_str() == label)
    }

    /// Whether a successful call changes something.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::TrackingEvent
            | Self::TrackingIdentity
            | Self::TrackingIdentityEvent
            | Self::CustomerCreate
            | Self::CustomerUpdate
            | Self::CustomerDelete
            | Self::CustomerMerge
            | Self::CustomerBulkCreate
            | Self::CustomerBulkUpdate
            | Self::CustomerBulkDelete
            | Self::CompanyCreate
            | Self::CompanyUpdate
            | Self::CompanyBulkCreate
            | Self::CompanyBulkUpdate
            | Self::KobjectCreate
            | Self::KobjectUpdate
            | Self::KobjectDelete
            | Self::KobjectBulkCreate
            | Self::KobjectBulkUpdate
            | Self::KobjectBulkDelete
            | Self::KlassCreate
            | Self::KlassUpdate
            | Self::KlassDelete
            | Self::MetadataUpdate => true,
            Self::CustomerGet
            | Self::CustomerGetByEmail
            | Self::CustomerGetByExternalId
            | Self::CustomerGetByPhone
            | Self::CustomerSearch
            | Self::CompanyGet
            | Self::CompanyList
            | Self::KobjectGet
            | Self::KobjectGetByExternalId
            | Self::KobjectList
            | Self::KobjectListOfCustomer
            | Self::BulkGet
            | Self::BulkBatches
            | Self::KlassList
            | Self::KlassGet
            | Self::MetadataGet
            | Self::SessionList
            | Self::SessionEvents
            | Self::EventGet
            | Self::TokenCurrent
            | Self::Unknown => false,
        }
    }

    /// Whether it submits a bulk job.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(
            self,
            Self::CustomerBulkCreate
                | Self::CustomerBulkUpdate
                | Self::CustomerBulkDelete
                | Self::CompanyBulkCreate
                | Self::CompanyBulkUpdate
                | Self::KobjectBulkCreate
                | Self::KobjectBulkUpdate
                | Self::KobjectBulkDelete
        )
    }

    /// Whether a key with these roles may call it for this klass.
    pub(crate) fn allows(self, roles: &Roles, klass: &str) -> bool {
        let needed = self.roles();
        if needed.is_empty() || needed.iter().any(|role| roles.has(role)) {
            return true;
        }
        needed.iter().any(|role| {
            role.strip_prefix("org.permission.kobject.")
                .is_some_and(|verb| {
                    roles.has(&format!("org.permission.kobject.kobject_{klass}.{verb}"))
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_for_one_klass_is_enough_for_that_klass() {
        let roles = Roles::parse("org.permission.kobject.kobject_order.create").unwrap();
        assert!(Endpoint::KobjectCreate.allows(&roles, "order"));
        assert!(!Endpoint::KobjectCreate.allows(&roles, "shipment"));
        assert!(!Endpoint::KobjectUpdate.allows(&roles, "order"));
    }

    #[test]
    fn labels_are_unique_and_read_back() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::parse(endpoint.as_str()), Some(*endpoint));
        }
    }
}
