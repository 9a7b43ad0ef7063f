//! When the next request may leave, whose turn it is, and which are under way.

pub(crate) mod quota;
mod turns;

use std::collections::BTreeMap;
use std::time::Instant;

use self::quota::{Quota, QuotaSettings};
pub(crate) use self::turns::Turns;
use crate::hold::Family;
use crate::port::RequestId;
use crate::turn::Turn;
use ingest_model::batch::{Batch, JobId, OperationId};
use ingest_model::call::Class;
use ingest_model::operation::CustomerKey;

use smallvec::SmallVec;

/// The quota, the turns between classes, and the requests that are not answered.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) quota: Quota,
    pub(crate) turns: Turns,
    under_way: BTreeMap<RequestId, Sent>,
    /// When a permit comes that something waits for.
    pub(crate) next_permit: Option<Instant>,
}

/// A request that is not answered.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) what: SentKind,
    pub(crate) class: Class,
    pub(crate) family: Option<Family>,
    pub(crate) at: Instant,
}

#[derive(Debug)]
pub(crate) enum SentKind {
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

impl Sending {
    /// Nothing is under way.
    pub(crate) fn new(settings: QuotaSettings) -> Self {
        Self {
            quota: Quota::new(settings),
            turns: Turns::default(),
            under_way: BTreeMap::new(),
            next_permit: None,
        }
    }

    /// A request leaves. Its name.
    pub(crate) fn leave(&mut self, turn: &mut Turn, sent: Sent) -> RequestId {
        let request = RequestId(turn.number());
        self.under_way.insert(request, sent);
        request
    }

    /// A request was answered. What it was.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<Sent> {
        self.under_way.remove(&request)
    }

    /// Whether a request under way carries an operation, or decides about it.
    pub(crate) fn carries(&self, id: OperationId) -> bool {
        self.under_way.values().any(|sent| match &sent.what {
            SentKind::Tracking(operations) => operations.contains(&id),
            SentKind::Write(batch) => batch.carries(id),
            SentKind::Verify(operation) => *operation == id,
            SentKind::Search(_)
            | SentKind::ResolveIdentify(_)
            | SentKind::ReadCustomer { .. }
            | SentKind::CreateCustomers { .. }
            | SentKind::ReadJob { .. }
            | SentKind::Probe => false,
        })
    }

    /// Requests under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}
