//! When the next request may be sent, whose turn it is, and which are in flight.

pub(crate) mod fleet;
mod price;
pub(crate) mod quota;
mod turns;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use self::fleet::Fleet;
use self::quota::{Denied, Quota, QuotaSettings, SentAt};
pub(crate) use self::turns::Turns;
use crate::common::turn::Turn;
use crate::seam::hold::Family;
use crate::seam::port::RequestId;
use ingest_model::batch::{Batch, JobId, OperationId};
use ingest_model::call::Class;
use ingest_model::operation::CustomerKey;
use ingest_model::record::Traffic;

use smallvec::SmallVec;

/// What live requests and backfill have taken of the burst: how much at some time.
#[derive(Debug, Default)]
struct Taken {
    live: Option<(f64, Instant)>,
    backfill: Option<(f64, Instant)>,
}

/// The weight of one answer in how long they took lately.
const LATELY: f64 = 0.02;
/// Backfill has one turn in so many, whatever waits.
const ITS_TURNS: u32 = 40;

/// The quota, what the group's replicas lend each other of it, the turns between classes, and the requests that are not answered.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) quota: Quota,
    turns: Turns,
    /// Turns of the classes of backfill.
    old_turns: Turns,
    /// When backfill last got a permit.
    old_sent: Option<Instant>,
    /// What both have taken of the burst.
    taken: Taken,
    pub(crate) fleet: Fleet,
    under_way: BTreeMap<RequestId, (Sent, SentAt)>,
    /// When the next permit comes that something waits for.
    next_permit: Option<Instant>,
    /// How long answers took lately, in seconds.
    usual_time: f64,
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
    /// A read of the object that names a customer.
    ReadOwner(CustomerKey),
    CreateCustomers {
        keys: BTreeMap<String, CustomerKey>,
        with_refs: bool,
    },
    /// One object, or several of one klass and verb.
    Write(Batch),
    Verify(OperationId),
    ReadJob {
        job: JobId,
        state_only: bool,
    },
    Probe,
}

impl Sending {
    /// Nothing is in flight.
    pub(crate) fn new(settings: QuotaSettings, random: u64) -> Self {
        Self {
            fleet: Fleet::new(random, settings.time_scale),
            quota: Quota::new(settings),
            turns: Turns::default(),
            old_turns: Turns::default(),
            old_sent: None,
            taken: Taken::default(),
            under_way: BTreeMap::new(),
            next_permit: None,
            usual_time: 0.0,
        }
    }

    /// A new round of asking for permits begins: nothing waits for one.
    pub(crate) fn ask_anew(&mut self) {
        self.next_permit = None;
    }

    /// Takes a permit for a class, or notes when one comes.
    pub(crate) fn take_permit(
        &mut self,
        now: Instant,
        traffic: Traffic,
        class: Class,
    ) -> Result<(), Denied> {
        let taken = self.quota.take(now, class);
        match taken {
            Ok(()) => {
                self.turns_of(traffic).spend(class);
                self.spent(now, traffic);
                if traffic == Traffic::Backfill {
                    self.old_sent = Some(now);
                }
            }
            Err(Denied::Until(at)) => {
                self.next_permit = Some(self.next_permit.map_or(at, |known| known.min(at)));
            }
            Err(Denied::NoAllowance) => {}
        }
        taken
    }

    /// The turns between classes of such traffic.
    pub(crate) fn turns_of(&mut self, traffic: Traffic) -> &mut Turns {
        match traffic {
            Traffic::Live => &mut self.turns,
            Traffic::Backfill => &mut self.old_turns,
        }
    }

    /// When backfill goes next, however much live work waits.
    pub(crate) fn backfill_due(&self) -> Option<Instant> {
        let turn = self.quota.turn();
        self.old_sent.map(|at| at + turn * ITS_TURNS)
    }

    /// Whether it goes now.
    pub(crate) fn is_backfill_due(&self, now: Instant) -> bool {
        self.backfill_due().is_none_or(|at| at <= now)
    }

    /// When the next permit comes that something waits for.
    pub(crate) fn next_permit(&self) -> Option<Instant> {
        self.next_permit
    }

    /// A request is sent. Returns its id.
    pub(crate) fn send(&mut self, turn: &mut Turn, sent: Sent) -> RequestId {
        let request = RequestId(turn.number());
        let sent_at = self.quota.sent(sent.at);
        self.under_way.insert(request, (sent, sent_at));
        request
    }

    /// A request was answered. Returns what it was, and when it was sent.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<(Sent, SentAt)> {
        self.under_way.remove(&request)
    }

    /// What a request in flight is.
    pub(crate) fn what(&self, request: RequestId) -> Option<&SentKind> {
        self.under_way.get(&request).map(|(sent, _)| &sent.what)
    }

    /// An answer took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        let weight = if self.usual_time > 0.0 { LATELY } else { 1.0 };
        self.usual_time += weight * (time.as_secs_f64() - self.usual_time);
    }

    /// How long answers took lately, in seconds; 0 before the first.
    pub(crate) fn usual_time(&self) -> f64 {
        self.usual_time
    }

    /// Whether a request in flight carries an operation or decides about it.
    pub(crate) fn carries(&self, id: OperationId) -> bool {
        self.under_way.values().any(|(sent, _)| match &sent.what {
            SentKind::Tracking(operations) => operations.contains(&id),
            SentKind::Write(batch) => batch.carries(id),
            SentKind::Verify(operation) => *operation == id,
            SentKind::Search(_)
            | SentKind::ResolveIdentify(_)
            | SentKind::ReadCustomer { .. }
            | SentKind::ReadOwner(_)
            | SentKind::CreateCustomers { .. }
            | SentKind::ReadJob { .. }
            | SentKind::Probe => false,
        })
    }

    /// Whether a request in flight asks about a customer.
    pub(crate) fn asks_about(&self, customer: &CustomerKey) -> bool {
        self.under_way.values().any(|(sent, _)| match &sent.what {
            SentKind::Search(customers) => customers.contains(customer),
            SentKind::ResolveIdentify(one)
            | SentKind::ReadOwner(one)
            | SentKind::ReadCustomer { customer: one } => one == customer,
            SentKind::CreateCustomers { keys, .. } => keys.values().any(|one| one == customer),
            SentKind::Tracking(_)
            | SentKind::Write(_)
            | SentKind::Verify(_)
            | SentKind::ReadJob { .. }
            | SentKind::Probe => false,
        })
    }

    /// Whether a request in flight reads a job.
    pub(crate) fn reads(&self, id: JobId) -> bool {
        let mut sent = self.under_way.values();
        sent.any(|(sent, _)| matches!(sent.what, SentKind::ReadJob { job, .. } if job == id))
    }

    /// How many requests are in flight.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}
