//! Requests that are under way.

use std::collections::BTreeMap;
use std::time::Instant;

use smallvec::SmallVec;

use crate::batch::{Batch, JobId, OperationId};
use crate::call::Class;
use crate::hold::Family;
use crate::operation::CustomerKey;

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) what: SentKind,
    pub(super) class: Class,
    pub(super) family: Option<Family>,
    pub(super) at: Instant,
}

#[derive(Debug)]
pub(super) enum SentKind {
    /// One identify, one track, or both fused.
    Tracking(SmallVec<[OperationId; 2]>),
    Search(Vec<CustomerKey>),
    ResolveIdentify(CustomerKey),
    ReadCustomer {
        customer: CustomerKey,
    },
    CreateCustomers {
        keys: BTreeMap<String, CustomerKey>,
        with_refs: bool,
    },
    /// One object or several of one klass and verb.
    Write(Batch),
    Verify(OperationId),
    ReadJob {
        job: JobId,
        state_only: bool,
    },
    Probe,
}
