//! The companies of customers: a customer is given one by its Kustomer id, and keeps the one that it has only if its update
//! says so.
//!
//! Who names a company waits for what is being written of it. If nothing is known of it, one of those who name it reads it, and
//! the others wait for the answer. If there is none of that name, the customer is written without: a company that comes later
//! is given to it by its next update.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::machine::Machine;
use crate::objects::history::Link;
use crate::seam::fact::{Fact, ResolvedBy};
use crate::seam::hold::{Family, Scope};
use crate::work::{Entry, LaneKey};
use ingest_model::batch::OperationId;
use ingest_model::call::{Call, Limits, ObjectState};
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::{CustomerKey, KObject, Klass, Operation};
use ingest_model::outcome::{Outcome, Rejection, RetryCause};
use ingest_model::state_log::{Content, Entity};
use serde_json::Value;
use uuid::Uuid;

/// How long a customer waits before it looks again whether its company is known.
const AWAIT_COMPANY: Duration = Duration::from_millis(200);

/// The same while a hold keeps back what tells it: very many customers may wait then.
const AWAIT_RELEASE: Duration = Duration::from_secs(5);

impl Machine {
    /// Whether it is known which company the customer is to be given, if the operation gives it one. If not, the operation waits
    /// for whoever finds out, or finds out itself.
    pub(in crate::machine) fn prepare_customer(&mut self, now: Instant, id: OperationId) -> bool {
        let Some(company) = self.company_of(id) else {
            return true;
        };
        match self.objects.histories.of(id).link() {
            // What was found may have been forgotten, but not what was not found: it is said once.
            Link::Missing(none) if *none == company => return true,
            Link::Unasked | Link::Asked | Link::Found(_) | Link::Missing(_) => {}
        }
        let known = self.objects.cache.peek(company);
        if let Some(found) = known.and_then(|known| known.id.clone()) {
            self.objects.histories.link(id, Link::Found(found));
            return true;
        }
        let asks = self.objects.companies.asks(company);
        let is_asked = asks.is_some_and(|asks| {
            let link = self.objects.histories.of(asks).link();
            asks != id && self.work.contains(asks) && *link == Link::Asked
        });
        let lane = [LaneKey::Object(Uuid::from_u128(company))];
        if is_asked || self.work.is_busy(&lane) {
            let held = self.company_held() || self.health.holds.is_held(&Scope::Destination);
            let wait = if held { AWAIT_RELEASE } else { AWAIT_COMPANY };
            self.work.await_answers(id, now + wait);
            return false;
        }
        if self.objects.companies.is_missing(now, company) {
            self.company_missing(id, company);
            return true;
        }
        self.objects.companies.ask(company, id);
        self.objects.histories.link(id, Link::Asked);
        self.work.look(id);
        false
    }

    /// The hash of the company that an operation gives its customer.
    pub(in crate::machine) fn company_of(&self, id: OperationId) -> Option<u128> {
        let Operation::KObject(object) = &self.work.get(id)?.operation else {
            return None;
        };
        Some(object_hash(&Klass::company(), object.company()?))
    }

    /// Whether a hold keeps back what is written or asked of companies.
    pub(in crate::machine) fn company_held(&self) -> bool {
        let holds = &self.health.holds;
        holds.holds_family(|| Family::KObjectWrite(Klass::company()))
            || holds.holds_family(|| Family::KObjectRead(Klass::company()))
    }

    fn company_missing(&mut self, id: OperationId, company: u128) {
        self.objects.histories.link(id, Link::Missing(company));
        self.turn.fact(Fact::CompanyMissing);
    }

    /// Whether the directory knows that the customer exists.
    pub(in crate::machine) fn is_customer_there(&self, object: &KObject) -> bool {
        object.klass.is_customer() && self.customers.ids.peek(&key_of(object)).is_some()
    }

    /// The klass that the next look of an operation is at.
    pub(in crate::machine) fn looked_at(&self, id: OperationId, entry: &Entry) -> Option<Klass> {
        let Operation::KObject(object) = &entry.operation else {
            return None;
        };
        Some(match self.objects.histories.of(id).link() {
            Link::Asked => Klass::company(),
            Link::Unasked | Link::Found(_) | Link::Missing(_) => object.klass.clone(),
        })
    }

    /// The request that looks at an operation's object, or at what it needs to know first.
    pub(in crate::machine) fn look_call(&self, id: OperationId, object: &KObject) -> Call {
        let history = self.objects.histories.of(id);
        if let (Link::Asked, Some(company)) = (history.link(), object.company()) {
            return Call::GetKObject {
                klass: Klass::company(),
                external_id: company.clone(),
            };
        }
        match history.contacts().checked_sub(1) {
            Some(place) if let Some(key) = contacts(object).into_iter().nth(place) => {
                Call::FindCustomer { key }
            }
            Some(_) | None => Call::GetKObject {
                klass: object.klass.clone(),
                external_id: object.external_id.clone(),
            },
        }
    }

    /// The company was looked for that an operation gives its customer. Gives the answer back if that was not the question.
    pub(in crate::machine) fn on_company_read(
        &mut self,
        now: Instant,
        id: OperationId,
        outcome: Outcome<Option<ObjectState>>,
        limits: &Limits,
    ) -> Option<Outcome<Option<ObjectState>>> {
        if *self.objects.histories.of(id).link() != Link::Asked {
            return Some(outcome);
        }
        let company = self.company_of(id)?;
        self.objects.companies.answered(company);
        self.objects.histories.link(id, Link::Unasked);
        match outcome {
            Outcome::Delivered(Some(found)) => {
                self.learn_company(id, company, &found);
                self.put_back(id);
            }
            Outcome::Delivered(None) => {
                self.objects.companies.note_missing(now, company);
                self.put_back(id);
            }
            Outcome::Retry(RetryCause::OrgQuota) | Outcome::Hold(_) => self.put_back(id),
            Outcome::Retry(cause) => self.retry(now, id, cause, limits.retry_after),
            Outcome::Ambiguous | Outcome::Pending(_) => {
                self.retry(now, id, RetryCause::Garbled, limits.retry_after);
            }
            Outcome::Reject(detail) => self.finish_rejected(id, Rejection::RefusedByApi, detail),
            Outcome::Split(hint) => {
                self.finish_rejected(id, Rejection::RefusedByApi, hint.detail);
            }
        }
        None
    }

    fn learn_company(&mut self, id: OperationId, company: u128, found: &ObjectState) {
        let known = KnownObject::read(found);
        if self.settings.state.is_some() {
            let content = Content::Object(known.clone());
            self.note(self.origin(id), Entity::Object(company), content);
        }
        self.objects.cache.learn(company, known);
    }

    /// The company that a customer was given is gone.
    pub(in crate::machine) fn forget_company(&mut self, id: OperationId) {
        let Some(company) = self.company_of(id) else {
            return;
        };
        self.objects.cache.forget(company);
        self.forget_entity(Entity::Object(company));
        self.objects.histories.link(id, Link::Unasked);
    }

    /// A customer was written or read: everybody who knows it by its external id may know its Kustomer id.
    pub(in crate::machine) fn note_customer_id(
        &mut self,
        id: OperationId,
        customer: &Arc<str>,
        way: ResolvedBy,
    ) {
        let Some(Operation::KObject(object)) = self.work.get(id).map(|one| &one.operation) else {
            return;
        };
        if object.klass.is_customer() {
            let key = key_of(object);
            self.learn_customer(&key, customer, way, self.origin(id));
        }
    }

    /// Nobody has the external id of a customer that exists, going by the API: its e-mail address or phone number belongs to
    /// somebody, who is looked for. `false` if there is nothing more to look for.
    pub(in crate::machine) fn look_by_contact(&mut self, id: OperationId) -> bool {
        let Some(Operation::KObject(object)) = self.work.get(id).map(|one| &one.operation) else {
            return false;
        };
        let history = self.objects.histories.of(id);
        let more = history.is_duplicate() && history.contacts() < contacts(object).len();
        if more {
            self.objects.histories.next_contact(id);
            self.work.look(id);
        } else {
            self.objects.histories.no_contact(id);
        }
        more
    }

    /// Whether a customer that was found is the one that an operation means. One that was found by a contact and has another
    /// external id is somebody else.
    pub(in crate::machine) fn is_same_customer(
        &self,
        id: OperationId,
        object: &KObject,
        found: &ObjectState,
    ) -> bool {
        if self.objects.histories.of(id).contacts() == 0 {
            return true;
        }
        match found.shown.get("externalId") {
            None | Some(Value::Null) => true,
            Some(Value::String(shown)) => shown.is_empty() || **shown == *object.external_id.0,
            // It has one that the key may not see.
            Some(_) => false,
        }
    }
}

fn key_of(customer: &KObject) -> CustomerKey {
    CustomerKey::ExternalId(Arc::clone(&customer.external_id.0))
}

/// The e-mail address and the phone number that a create says.
fn contacts(customer: &KObject) -> Vec<CustomerKey> {
    let Some(party) = &customer.party else {
        return Vec::new();
    };
    let said = party.on_create.parse();
    let first = |list: &str, field: &str| {
        let text = said.get(list)?.get(0)?.get(field)?.as_str()?;
        Some(Arc::<str>::from(text))
    };
    let email = first("emails", "email").map(CustomerKey::Email);
    let phone = first("phones", "phone").map(CustomerKey::Phone);
    email.into_iter().chain(phone).collect()
}
