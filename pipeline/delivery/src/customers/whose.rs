//! Customers that are named by an object of theirs: whose it is, and reading what is not known of that.

use std::sync::Arc;

use super::{Customers, Phase};
use ingest_model::batch::OperationId;
use ingest_model::operation::{CustomerKey, CustomerRef, Klass};

impl Customers {
    /// By what the tracking API knows the customer of an object, as far as known.
    pub(crate) fn name_of_owner(&mut self, owner: &CustomerKey) -> Option<CustomerRef> {
        if let Some(customer) = self.owners.of(owner) {
            return Some(customer);
        }
        let id = self.ids.get(owner)?;
        self.owners.of(&CustomerKey::Id(id))
    }

    /// A record that writes the object says whose it is. An object stays with its first customer, so what is known already
    /// stands. Returns the operations that waited for that.
    pub(crate) fn owner_said(
        &mut self,
        owner: &CustomerKey,
        customer: &CustomerRef,
    ) -> Vec<OperationId> {
        if !customer.is_trackable() || self.owners.of(owner).is_some() {
            return Vec::new();
        }
        match self.ids.peek(owner) {
            None => self.owners.learn(owner, customer.clone()),
            // Kustomer says whose it is. If that is this customer, its keys need not be read.
            Some(id) if self.ids.peek(customer.first()).as_ref() == Some(&id) => {
                self.owners.learn(&CustomerKey::Id(id), customer.clone());
            }
            Some(_) => return Vec::new(),
        }
        self.forget(owner)
    }

    /// Kustomer says that the object belongs to the customer with that id. `true` if that is new.
    pub(crate) fn owner_known(&mut self, owner: &CustomerKey, id: &Arc<str>) -> bool {
        if let Some(customer) = self.owners.of(owner) {
            let said = self.ids.peek(customer.first());
            if said.as_ref() == Some(id) {
                self.named(id, customer);
            } else if said.is_some() {
                self.owners.forget(owner);
            }
        }
        self.ids.learn(owner, id)
    }

    /// The customer with that id is known by these keys.
    pub(crate) fn named(&mut self, id: &Arc<str>, customer: CustomerRef) {
        self.owners
            .learn(&CustomerKey::Id(Arc::clone(id)), customer);
    }

    /// Whose the object is has turned out to be wrong.
    pub(crate) fn forget_owner(&mut self, owner: &CustomerKey) {
        self.owners.forget(owner);
    }

    /// Whether an object of a klass that may be read is to be read for its customer.
    pub(crate) fn has_object(&self, live_only: bool, may: impl Fn(&Klass) -> bool) -> bool {
        let mut queues = self.objects.iter();
        queues.any(|(klass, queue)| queue.has(live_only) && may(klass))
    }

    /// Takes the next such object.
    pub(crate) fn take_object(
        &mut self,
        live_only: bool,
        may: impl Fn(&Klass) -> bool,
    ) -> Option<CustomerKey> {
        let mut queues = self.objects.iter();
        let (klass, _) = queues.find(|(klass, queue)| queue.has(live_only) && may(klass))?;
        let klass = klass.clone();
        let queue = self.objects.get_mut(&klass)?;
        let owner = queue.pop();
        if queue.is_empty() {
            self.objects.remove(&klass);
        }
        let owner = owner?;
        self.under_way(&owner);
        Some(owner)
    }

    /// The object is to be read for its customer.
    pub(super) fn enqueue_object(&mut self, owner: &CustomerKey) {
        let (Some(wanted), Some((klass, _))) = (self.wanted.get_mut(owner), owner.object()) else {
            return;
        };
        wanted.phase = Phase::Object;
        let queue = self.objects.entry(klass).or_default();
        queue.push(wanted.traffic, owner.clone());
    }

    /// The object need not be read any more.
    pub(super) fn drop_object(&mut self, owner: &CustomerKey) {
        let Some((klass, _)) = owner.object() else {
            return;
        };
        if let Some(queue) = self.objects.get_mut(&klass) {
            queue.remove(owner);
            if queue.is_empty() {
                self.objects.remove(&klass);
            }
        }
    }

    /// Whether the object is queued to be read.
    pub(super) fn has_queued(&self, owner: &CustomerKey) -> bool {
        let queue = owner
            .object()
            .and_then(|(klass, _)| self.objects.get(&klass));
        queue.is_some_and(|queue| queue.contains(owner))
    }
}
