//! The simulator itself: a state machine without clock and network.

mod account;
mod bulk;
mod control;
mod customers;
mod klasses;
mod objects;
mod render;
mod reply;
mod search;
mod sessions;
mod tracking;

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::endpoint::Endpoint;
use crate::api::error::{ApiError, Refusal};
use crate::api::request::{Cut, Reply, Request};
use crate::api::route::{Call, is_control};
use crate::config::{Config, MissingRole};
use crate::fault::{Faults, LimitScope, Plan};
use crate::organisation::account::Account;
use crate::organisation::account::journal::Journal;
use crate::organisation::jobs::{Jobs, Work};
use crate::organisation::keys::Keys;
use crate::organisation::limits::{Admission, KeyedLimit, OrgWindow, Stranger};
use crate::organisation::store::{IdentifierKind, Ids, Store};
use crate::time::SimTime;

/// An organisation in Kustomer.
///
/// It is driven from outside: every call carries the time, and nothing happens between calls except
/// what [`Sim::advance`] catches up with (bulk jobs, the budget). The same calls with the same
/// configuration give the same replies.
///
/// ```
/// use kustomer_sim::{Config, Method, Request, Sim, SimTime};
/// let mut sim = Sim::new(Config::default());
/// let start = SimTime::from_millis(1_735_787_045_000);
/// let request = Request::new(Method::Post, "/v1/tracking/identityEvent").token("sim-key").text(
///     r#"{"identity":{"externalId":"u1"},"event":{"name":"Order-Placed"}}"#,
/// );
/// let reply = sim.handle(start, &request);
/// assert_eq!(reply.status, 201);
/// assert_eq!(reply.header("x-ratelimit-remaining"), Some("999"));
/// assert_eq!(sim.account().accepted.tracking, 1);
/// assert!(sim.timeline("u1").is_some());
/// ```
#[derive(Debug)]
pub struct Sim {
    config: Config,
    now: SimTime,
    rng: ChaCha8Rng,
    store: Store,
    org: OrgWindow,
    stranger: Stranger,
    searches: KeyedLimit<()>,
    creates: KeyedLimit<(u32, u16)>,
    object_updates: KeyedLimit<(u32, u16)>,
    customer_updates: KeyedLimit<(u32, u16)>,
    jobs: Jobs,
    faults: Faults,
    journal: Journal,
    keys: Keys,
    counts: Account,
    resets: u32,
    date: (i64, String),
}

/// A request that was executed.
#[derive(Debug)]
struct Done {
    status: u16,
    body: Bytes,
    /// Items written or submitted.
    items: u32,
    /// The path that a redirect leads to.
    location: Option<String>,
}

impl Done {
    fn read(body: &impl Serialize) -> Self {
        Self {
            items: 0,
            ..Self::wrote(200, body)
        }
    }

    fn moved(location: String) -> Self {
        Self {
            status: 301,
            body: Bytes::new(),
            items: 0,
            location: Some(location),
        }
    }

    fn wrote(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            // What an answer consists of can always be written.
            body: Bytes::from(serde_json::to_vec(body).unwrap_or_default()),
            items: 1,
            location: None,
        }
    }

    fn empty() -> Self {
        Self {
            status: 204,
            body: Bytes::new(),
            items: 1,
            location: None,
        }
    }
}

type Answer = Result<Done, ApiError>;

/// Who asks and when.
#[derive(Debug, Clone, Copy)]
struct Caller {
    now: SimTime,
    /// The position of its key.
    key: u16,
}

impl Sim {
    /// An empty organisation with the configured klasses.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::started(config, 0)
    }

    fn started(config: Config, resets: u32) -> Self {
        let switches = &config.switches;
        let mut sim = Self {
            now: SimTime::default(),
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            store: Store::new(Ids::new(config.seed, resets)),
            org: OrgWindow::new(switches.window, config.limit),
            stranger: Stranger::new(switches.drain_random, config.seed),
            searches: KeyedLimit::new(switches.search_limit),
            creates: KeyedLimit::new(switches.create_limit),
            object_updates: KeyedLimit::new(switches.update_limit),
            customer_updates: KeyedLimit::new(switches.update_limit),
            jobs: Jobs::new(switches.bulk_retained_jobs),
            faults: Faults::new(config.faults.clone(), config.seed),
            journal: Journal::new(config.journal_capacity),
            keys: Keys::new(config.tokens.clone()),
            counts: Account::default(),
            resets,
            date: (i64::MIN, String::new()),
            config,
        };
        for name in sim.config.klasses.clone() {
            if sim.store.klasses.find(&name).is_none() {
                // more klasses than positions cannot be configured on a command line
                let _position = sim.store.klasses.insert(sim.now, name, Map::new());
            }
        }
        sim
    }

    /// Answers one request at this time. Time never runs backwards: an earlier `now` counts as the
    /// latest one.
    ///
    /// Paths below `/v1` are the API; paths below `/_sim` are the control endpoints, which cost
    /// nothing and need no key.
    pub fn handle(&mut self, now: SimTime, request: &Request) -> Reply {
        self.advance(now);
        if is_control(&request.path_and_query) {
            return self.control(request);
        }
        let call = Call::of(request.method, &request.path_and_query);
        let plan = self.faults.plan(self.now, call.endpoint);
        let (answer, admission) = self.attempt(request, &call, &plan);
        self.reply(&call, &plan, answer, admission)
    }

    /// Lets time pass until `now`: runs the due steps of bulk jobs and ends windows of the budget.
    /// [`Sim::handle`] does so by itself; call it before you read the account at a later time.
    pub fn advance(&mut self, now: SimTime) {
        while let Some(due) = self.jobs.next_due().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.run_next_step();
        }
        self.now = self.now.max(now);
        while let Some(at) = self.stranger.change_due(self.now) {
            self.org.roll(at, self.drain());
            self.stranger.change();
        }
        self.org.roll(self.now, self.drain());
    }

    /// When something will happen by itself: the next step of a bulk job. `None` when nothing will.
    #[must_use]
    pub fn next_wake(&self) -> Option<SimTime> {
        self.jobs.next_due()
    }

    /// The latest time that it was given.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.now
    }

    /// The configuration it runs with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Forgets everything and starts again with the original configuration. Earlier ids will not be
    /// found.
    pub fn reset(&mut self) {
        let now = self.now;
        *self = Self::started(self.config.clone(), self.resets.wrapping_add(1));
        self.now = now;
    }

    /// Replaces the fault script; its time begins now.
    pub fn inject(&mut self, script: crate::FaultScript) {
        self.faults = Faults::loaded(self.now, script, self.config.seed);
    }

    fn drain(&self) -> u64 {
        self.config
            .switches
            .drain
            .saturating_add(self.stranger.rate())
            .saturating_add(self.faults.drain(self.now))
    }

    fn attempt(
        &mut self,
        request: &Request,
        call: &Call,
        plan: &Plan,
    ) -> (Answer, Option<Admission>) {
        let Some(key) = self.key(request) else {
            return (Err(ApiError::unauthorized()), None);
        };
        let caller = Caller { now: self.now, key };
        let drain = self.drain();
        if let Some((429, LimitScope::Org, _)) = plan.status {
            let admission = self.org.refuse(caller.now, drain);
            let mut error = ApiError::scripted(429);
            error.retry_at = Some(admission.reset_at);
            return (Err(error), Some(admission));
        }
        let admission = self.org.admit(caller.now, drain);
        let answer = if !admission.admitted {
            let detail = "the budget of the organisation is spent";
            Err(ApiError::limited(
                Refusal::OrgLimit,
                admission.reset_at,
                detail,
            ))
        } else if plan.cut == Some(Cut::BeforeWrite) {
            Err(ApiError::scripted(500))
        } else if let Some((status, _, _)) = plan.status {
            Err(ApiError::scripted(status))
        } else {
            self.check_role(call)
                .and_then(|()| self.check_size(request, call))
                .and_then(|()| self.dispatch(caller, request, call, plan))
        };
        (answer, Some(admission))
    }

    fn key(&self, request: &Request) -> Option<u16> {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        self.keys.find(token)
    }

    fn check_role(&self, call: &Call) -> Result<(), ApiError> {
        let switches = &self.config.switches;
        if call.endpoint.allows(&switches.roles, &call.name) {
            return Ok(());
        }
        let status = match switches.missing_role {
            MissingRole::Forbidden => 403,
            MissingRole::Unauthorized => 401,
        };
        let role = call.endpoint.roles().first().copied().unwrap_or_default();
        Err(ApiError::missing_role(status, role))
    }

    fn check_size(&self, request: &Request, call: &Call) -> Result<(), ApiError> {
        let switches = &self.config.switches;
        let cap = if call.endpoint.is_bulk() {
            switches.bulk_body_limit
        } else {
            switches.body_limit
        };
        let length = u64::try_from(request.body_len()).unwrap_or(u64::MAX);
        if length > cap {
            Err(ApiError::too_large())
        } else {
            Ok(())
        }
    }

    fn dispatch(&mut self, caller: Caller, request: &Request, call: &Call, plan: &Plan) -> Answer {
        match call.endpoint {
            Endpoint::TrackingEvent => self.track_event(caller, request),
            Endpoint::TrackingIdentity => self.track_identity(caller, request),
            Endpoint::TrackingIdentityEvent => self.track_identity_event(caller, request),
            Endpoint::CustomerCreate => self.post_customer(caller, request),
            Endpoint::CustomerGet => self.get_customer(call),
            Endpoint::CustomerGetByEmail => self.find_customer(IdentifierKind::Email, call),
            Endpoint::CustomerGetByExternalId => {
                self.find_customer(IdentifierKind::ExternalId, call)
            }
            Endpoint::CustomerGetByPhone => self.find_customer(IdentifierKind::Phone, call),
            Endpoint::CustomerUpdate => self.put_customer(caller, request, call),
            Endpoint::CustomerDelete => self.delete_customer(call),
            Endpoint::CustomerMerge => self.merge_customers(caller, request),
            Endpoint::CustomerSearch => self.search_customers(caller, request, call),
            Endpoint::CompanyCreate => self.post_company(caller, request),
            Endpoint::CompanyGet => self.get_company(call),
            Endpoint::CompanyList => Ok(self.list_companies(call)),
            Endpoint::CompanyUpdate => self.put_company(caller, request, call),
            Endpoint::CompanyBulkCreate => {
                self.submit(caller, request, call, plan, Work::CreateCompanies)
            }
            Endpoint::CompanyBulkUpdate => {
                self.submit(caller, request, call, plan, Work::UpdateCompanies)
            }
            Endpoint::KobjectCreate => self.post_object(caller, request, call),
            Endpoint::KobjectGet | Endpoint::KobjectGetByExternalId => self.get_object(call),
            Endpoint::KobjectList => self.list_objects(call),
            Endpoint::KobjectListOfCustomer => self.list_objects_of_customer(call),
            Endpoint::KobjectUpdate => self.put_object(caller, request, call),
            Endpoint::KobjectDelete => self.delete_object(call),
            Endpoint::CustomerBulkCreate => {
                self.submit(caller, request, call, plan, Work::CreateCustomers)
            }
            Endpoint::CustomerBulkUpdate => {
                self.submit(caller, request, call, plan, Work::UpdateCustomers)
            }
            Endpoint::CustomerBulkDelete => {
                self.submit(caller, request, call, plan, Work::DeleteCustomers)
            }
            Endpoint::KobjectBulkCreate => {
                let work = Work::CreateObjects {
                    klass: self.klass_named(&call.name)?,
                };
                self.submit(caller, request, call, plan, work)
            }
            Endpoint::KobjectBulkUpdate => {
                let work = Work::UpdateObjects {
                    klass: self.klass_named(&call.name)?,
                };
                self.submit(caller, request, call, plan, work)
            }
            Endpoint::KobjectBulkDelete => {
                let work = Work::DeleteObjects {
                    klass: self.klass_named(&call.name)?,
                };
                self.submit(caller, request, call, plan, work)
            }
            Endpoint::BulkGet => self.get_job(call),
            Endpoint::BulkBatches => self.get_batches(call),
            Endpoint::KlassList => Ok(self.list_klasses(call)),
            Endpoint::KlassCreate => self.post_klass(caller, request),
            Endpoint::KlassGet => self.get_klass(call),
            Endpoint::KlassUpdate => self.put_klass(caller, request, call),
            Endpoint::KlassDelete => self.delete_klass(call),
            Endpoint::MetadataGet => self.get_metadata(call),
            Endpoint::MetadataUpdate => self.put_metadata(request, call),
            Endpoint::SessionList => self.list_sessions(call),
            Endpoint::SessionEvents => self.list_session_events(call),
            Endpoint::EventGet => self.get_event(call),
            Endpoint::TokenCurrent => Ok(self.current_token(caller)),
            Endpoint::Unknown => Err(ApiError::not_found("path")),
        }
    }
}

/// The body as a JSON object.
fn object_of(request: &Request) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        ) => Err(ApiError::malformed(
            "Invalid type: the body must be an object",
        )),
        Err(_) => Err(ApiError::malformed("Invalid JSON")),
    }
}

fn millis_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
