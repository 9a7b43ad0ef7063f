//! Customers that are named by an object: an event says which order it is about, and not whose.
//!
//! Such an operation waits in a lane of its object until the customer is known, and then enters the customer's lane. What a
//! record of the object said, or Kustomer said before, costs nothing; else the object is read, and for events and identities
//! the customer, too, because the tracking API knows nobody by a Kustomer id.

use std::sync::Arc;
use std::time::Instant;

use crate::health::holds::Passage;
use crate::machine::Machine;
use crate::seam::fact::{Fact, ResolvedBy};
use crate::seam::hold::Family;
use crate::sending::SentKind;
use ingest_model::batch::{OperationId, Verb};
use ingest_model::call::Call;
use ingest_model::operation::{CustomerKey, CustomerRef, Klass, MissingCustomer, Operation};
use ingest_model::record::{Offset, TopicPartition, Traffic};

impl Machine {
    /// An operation arrives. If it writes an object, that may be the one others ask about. If an object names its customer, it
    /// gets the customer's own name as far as that is known; returns the object's key.
    pub(in crate::machine) fn name_on_arrival(
        &mut self,
        operation: &mut Operation,
    ) -> Option<CustomerKey> {
        let customer = operation.customer()?;
        if let Some(owner) = customer.owner().cloned() {
            if let Some(named) = self.better_name(operation, &owner) {
                operation.rename_customer(named);
            }
            return Some(owner);
        }
        if let Operation::KObject(object) = &*operation
            && self.is_asked(&object.klass)
        {
            let owner = CustomerKey::of_object(&object.klass, &object.external_id);
            for waiting in self.customers.owner_said(&owner, customer) {
                self.work.customer_found(waiting);
            }
        }
        None
    }

    /// Another name for the customer of an operation that an object names. A write of an object needs none if the id is known.
    fn better_name(&mut self, operation: &Operation, owner: &CustomerKey) -> Option<CustomerRef> {
        let writes = matches!(operation, Operation::KObject(_));
        if writes && self.customers.ids.peek(owner).is_some() {
            return None;
        }
        self.customers.name_of_owner(owner)
    }

    /// Whether the customer of an event or identity has a name that the tracking API knows. If not, it waits for that, or goes
    /// on under the name that was found.
    pub(in crate::machine) fn is_customer_named(&mut self, now: Instant, id: OperationId) -> bool {
        let Some(entry) = self.work.get(id) else {
            return true;
        };
        let Some(customer) = entry.operation.customer() else {
            return true;
        };
        let Some(owner) = customer.owner().cloned() else {
            return true;
        };
        let (missing, mut operation) = (customer.missing, entry.operation.clone());
        let named = self.better_name(&operation, &owner);
        if let Operation::KObject(_) = operation {
            // Its lane is that of its own object, and an id is all that it needs.
            if let Some(named) = named {
                operation.rename_customer(named);
                self.work.reword(id, operation);
            }
            return true;
        }
        if let Some(named) = named {
            operation.rename_customer(named);
            if let Ok(keys) = self.lane_keys(&operation, None, Some(owner)) {
                self.work.rename(id, operation, &keys);
            }
            return false;
        }
        let (keys, asked) = match self.customers.ids.get(&owner) {
            // Its keys are read. An object whose customer is gone is read again, once.
            Some(customer) => {
                let by_id = CustomerKey::Id(customer);
                let asked = CustomerRef::new(vec![by_id.clone()], MissingCustomer::Reject);
                (vec![by_id, owner], asked)
            }
            None => (vec![owner.clone()], CustomerRef::new(vec![owner], missing)),
        };
        if let (Some(asked), Some(named)) = (asked, CustomerRef::new(keys, missing)) {
            operation.rename_customer(named);
            self.work.reword(id, operation);
            self.work.wait_for_customer(id);
            let traffic = self.work.traffic(id);
            self.customers.want(now, &asked, (id, traffic), false);
        }
        false
    }

    /// Kustomer says whom the object belongs to: operations that waited for that go on.
    pub(in crate::machine) fn learn_owner(
        &mut self,
        owner: &CustomerKey,
        id: &Arc<str>,
        origin: Option<(TopicPartition, Offset)>,
    ) {
        let new = self.customers.owner_known(owner, id);
        let waited = self.customers.found(owner);
        if new && !waited.is_empty() {
            let way = ResolvedBy::Object;
            self.turn.fact(Fact::Resolved { way });
        }
        if self.settings.state.is_some() {
            let origin = origin.or_else(|| waited.iter().find_map(|one| self.origin(*one)));
            self.note_customer(origin, owner, id, new);
        }
        for operation in waited {
            if self.work.customer_found(operation) {
                self.objects
                    .histories
                    .found_customer(operation, Arc::clone(id));
            }
        }
    }

    /// A new object was stored: whose it is is known for sure now.
    pub(in crate::machine) fn note_owner(&mut self, id: OperationId, verb: Verb) {
        let customer = self.objects.histories.of(id).customer_id.clone();
        if let (Verb::Create, Some(customer)) = (verb, customer) {
            self.note_shown_owner(id, &customer);
        }
    }

    /// The object of an operation belongs to the customer with that id.
    pub(in crate::machine) fn note_shown_owner(&mut self, id: OperationId, customer: &Arc<str>) {
        let operation = self.work.get(id).map(|entry| &entry.operation);
        let Some(Operation::KObject(object)) = operation else {
            return;
        };
        if !self.is_asked(&object.klass) {
            return;
        }
        let owner = CustomerKey::of_object(&object.klass, &object.external_id);
        self.learn_owner(&owner, customer, self.origin(id));
    }

    pub(in crate::machine) fn is_asked(&self, klass: &Klass) -> bool {
        self.settings.owners_of.contains(klass)
    }

    /// Whether an object is to be read for its customer, and may be.
    pub(in crate::machine) fn has_owner_to_read(&self, now: Instant, traffic: Traffic) -> bool {
        self.customers
            .has_object(traffic == Traffic::Live, |klass| {
                self.may_pass(now, &Family::KObjectRead(klass.clone()))
            })
    }

    /// Reads an object for its customer, if one is to be read.
    pub(in crate::machine) fn read_owner(&mut self, now: Instant, traffic: Traffic) -> bool {
        let holds = &self.health.holds;
        let may = |klass: &Klass| {
            let passage = holds.passage(now, Some(&Family::KObjectRead(klass.clone())));
            !matches!(passage, Passage::Held(_))
        };
        let Some(owner) = self.customers.take_object(traffic == Traffic::Live, may) else {
            return false;
        };
        let Some((klass, external_id)) = owner.object() else {
            return false;
        };
        let family = Some(Family::KObjectRead(klass.clone()));
        let call = Call::GetKObject { klass, external_id };
        self.send(now, call, SentKind::ReadOwner(owner), family);
        true
    }

    /// What led to the customer of an operation was wrong: it starts again, once. `false` if that happened before.
    pub(in crate::machine) fn ask_anew(&mut self, id: OperationId) -> bool {
        let customer = self.work.get(id).and_then(|one| one.operation.customer());
        let Some(owner) = customer.and_then(CustomerRef::owner).cloned() else {
            return false;
        };
        self.forget_customer(&owner);
        self.work.failed_alone(id) == 1 && self.work.customer_found(id)
    }

    /// The name of a customer that was read by its id: the most trusted key alone, because nobody knows what the API makes of
    /// two that mean different people.
    pub(in crate::machine) fn name_of(keys: &[CustomerKey]) -> Option<CustomerRef> {
        let first = keys.iter().min().cloned();
        CustomerRef::new(first.into_iter().collect(), MissingCustomer::Create)
    }
}
