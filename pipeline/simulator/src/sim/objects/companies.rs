//! Companies: create, read and update. They are kept like objects of a klass that has no place among the klasses; what an object
//! calls its title is a company's name.

use serde_json::{Map, Value, json};

use super::{COMPANIES, COMPANY, Way, Written};
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::route::Call;
use crate::pages::ObjectView;
use crate::sim::render::Page;
use crate::sim::{Answer, Caller, Done, Sim, object_of};
use crate::validate::{self, Breach, COMPANY_UPDATE, Checker, Unlisted};

impl Sim {
    pub(in crate::sim) fn company_checker(&self) -> Checker<'_> {
        Checker {
            switches: &self.config.switches,
            configured: self.store.klasses.configured(COMPANY),
        }
    }

    pub(in crate::sim) fn live_company(&self, id: &str) -> Option<u32> {
        self.store.live_object(COMPANIES, id)
    }

    pub(in crate::sim) fn post_company(&mut self, caller: Caller, request: &Request) -> Answer {
        let body = object_of(request)?;
        self.company_checker()
            .object(validate::COMPANY, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        let (Written::Created(position) | Written::Updated(position)) =
            self.create_company(caller, body, Way::Single)?;
        Ok(Done::wrote(
            201,
            &json!({ "data": self.company_resource(position) }),
        ))
    }

    /// Creates a company from a checked body.
    pub(in crate::sim) fn create_company(
        &mut self,
        caller: Caller,
        body: Map<String, Value>,
        way: Way,
    ) -> Result<Written, ApiError> {
        self.create_object(caller, COMPANIES, titled(body), way)
    }

    pub(in crate::sim) fn put_company(
        &mut self,
        caller: Caller,
        request: &Request,
        call: &Call,
    ) -> Answer {
        let found = self.live_company(&call.id);
        let position = found.ok_or_else(|| ApiError::not_found("id"))?;
        let body = object_of(request)?;
        self.company_checker()
            .object(COMPANY_UPDATE, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        self.update_company(caller, position, body)?;
        Ok(Done::wrote(
            200,
            &json!({ "data": self.company_resource(position) }),
        ))
    }

    /// Updates a company with a checked body.
    pub(in crate::sim) fn update_company(
        &mut self,
        caller: Caller,
        position: u32,
        body: Map<String, Value>,
    ) -> Result<(), ApiError> {
        self.update_object(caller, position, titled(body))
    }

    pub(in crate::sim) fn get_company(&self, call: &Call) -> Answer {
        let found = self.live_company(&call.id);
        let position = found.ok_or_else(|| ApiError::not_found("id"))?;
        Ok(Done::read(
            &json!({ "data": self.company_resource(position) }),
        ))
    }

    /// All companies, or those with an external id: a list also where there is one or none.
    pub(in crate::sim) fn list_companies(&self, call: &Call) -> Done {
        let page = Page::of(&call.query);
        let positions: Vec<u32> = match call.query.get("externalId") {
            Some(external_id) => self.store.objects.sharing(COMPANIES, external_id),
            None => {
                let all = self.store.objects.of_klass(COMPANIES);
                all.map(|(position, _)| position).collect()
            }
        };
        let all = positions.into_iter().map(|one| self.company_resource(one));
        Done::read(&page.envelope("/v1/companies", all))
    }

    fn company_resource(&self, position: u32) -> Value {
        let Some(company) = self.store.objects.get(position) else {
            return Value::Null;
        };
        let id = self.object_id(position);
        let mut attributes = company.rest();
        attributes.insert("name".to_owned(), json!(&*company.title));
        if let Some(external_id) = &company.external_id {
            attributes.insert("externalId".to_owned(), json!(&**external_id));
        }
        for list in [
            "emails",
            "phones",
            "socials",
            "urls",
            "domains",
            "locations",
            "tags",
        ] {
            attributes.entry(list).or_insert_with(|| json!([]));
        }
        attributes.insert("custom".to_owned(), Value::Object(company.custom()));
        attributes.insert("createdAt".to_owned(), json!(company.created_at.rfc3339()));
        attributes.insert("updatedAt".to_owned(), json!(company.updated_at.rfc3339()));
        attributes.insert("rev".to_owned(), json!(company.rev));
        json!({
            "type": "company",
            "id": id,
            "attributes": attributes,
            "relationships": { "org": self.org_link() },
            "links": { "self": format!("/v1/companies/{id}") },
        })
    }

    /// Companies in the order of their creation; their title is the name.
    pub fn companies(&self) -> impl Iterator<Item = ObjectView> {
        let companies = self.store.objects.of_klass(COMPANIES);
        companies.filter_map(|(position, company)| self.object_view(position, company))
    }
}

/// What a company calls its name is an object's title.
fn titled(mut body: Map<String, Value>) -> Map<String, Value> {
    if let Some(name) = body.shift_remove("name") {
        body.insert("title".to_owned(), name);
    }
    body
}
