//! The simulated organisation, on a thread of its own.
//!
//! An answer takes at least half of the latency to arrive, so what happens meanwhile need not wait until it is known. Requests
//! are handled in the order in which they are asked, so the forecast is the same as on one thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ingest_delivery::machine::RequestId;
use ingest_kustomer::classify::{
    HttpReply, ReplyBody, Unanswered, classify, trouble_of, unanswered,
};
use ingest_kustomer::encode::{Method, encode};
use ingest_kustomer::limits;
use ingest_model::call::{Call, Reply};
use kustomer_sim::{Request, Sim, SimTime};

/// The key of the simulated worker.
pub(super) const TOKEN: &str = "sim-key";

/// Who asked what when.
pub(super) struct Asked {
    pub(super) replica: usize,
    pub(super) request: RequestId,
    pub(super) at: Instant,
    /// Its place among what happens at one time.
    pub(super) sequence: u64,
}

/// An answer, and after what time the organisation gave it.
type Answer = (Box<Reply>, Duration);

pub(super) struct Organisation {
    limit: u32,
    /// Half of the latency: no answer arrives earlier.
    half_way: Duration,
    calls: Option<Sender<(SimTime, Arc<Call>)>>,
    answers: Receiver<Answer>,
    /// In the order of their answers.
    open: VecDeque<Asked>,
    thread: Option<JoinHandle<Sim>>,
}

// === impl Organisation ===

impl Organisation {
    pub(super) fn new(sim: Sim, latency: Duration) -> Self {
        let limit = u32::try_from(sim.config().limit).unwrap_or(u32::MAX);
        let (calls, asked) = channel::<(SimTime, Arc<Call>)>();
        let (answered, answers) = channel();
        let thread = std::thread::spawn(move || serve(sim, &asked, &answered));
        Self {
            limit,
            half_way: latency / 2,
            calls: Some(calls),
            answers,
            open: VecDeque::new(),
            thread: Some(thread),
        }
    }

    /// Requests a minute.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// A request reaches the organisation at this time.
    pub(super) fn ask(&mut self, asked: Asked, time: SimTime, call: Arc<Call>) {
        if let Some(calls) = &self.calls
            && calls.send((time, call)).is_ok()
        {
            self.open.push_back(asked);
        }
    }

    /// Before when no answer arrives that is not known yet.
    pub(super) fn quiet_until(&self) -> Option<Instant> {
        self.open.front().map(|asked| asked.at + self.half_way)
    }

    /// The first answer that is not known yet: to whom, and when it arrives.
    pub(super) fn answer(&mut self) -> Option<(Asked, Instant, Box<Reply>)> {
        let asked = self.open.pop_front()?;
        let Ok((reply, after)) = self.answers.recv() else {
            // It ended before its time: its panic is ours.
            self.close();
            return None;
        };
        let at = asked.at + self.half_way + after;
        Some((asked, at, reply))
    }

    /// What it is when nobody asks any more; `None` if it was closed before.
    ///
    /// # Panics
    /// If the organisation did.
    pub(super) fn close(&mut self) -> Option<Sim> {
        self.calls = None;
        self.open.clear();
        let ended = self.thread.take()?.join();
        Some(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

/// Answers until nobody asks.
fn serve(mut sim: Sim, asked: &Receiver<(SimTime, Arc<Call>)>, answered: &Sender<Answer>) -> Sim {
    while let Ok((time, call)) = asked.recv() {
        if answered.send(handle(&mut sim, time, &call)).is_err() {
            break;
        }
    }
    sim
}

/// The answer as the client reads it, and what it takes beside the latency.
fn handle(sim: &mut Sim, time: SimTime, call: &Call) -> Answer {
    let request = encode(call);
    let method = match request.method {
        Method::Get => kustomer_sim::Method::Get,
        Method::Post => kustomer_sim::Method::Post,
        Method::Put => kustomer_sim::Method::Put,
    };
    let mut asked = Request::new(method, request.path).token(TOKEN);
    asked.body = request.body.unwrap_or_default();
    let answer = sim.handle(time, &asked);
    let delay = Duration::from_millis(answer.delivery.delay_ms);
    if answer.delivery.cut.is_some() {
        return (Box::new(unanswered(call, Unanswered::Lost)), delay);
    }
    let limits = limits::read(|name| answer.header(name));
    let body = match answer.delivery.truncate_to {
        Some(_) => ReplyBody::Cut,
        None => ReplyBody::Whole(answer.body),
    };
    let reply = HttpReply {
        status: answer.status,
        limits,
        location: None,
        body,
    };
    let result = classify(call, &reply);
    let reply = Reply {
        limits,
        trouble: trouble_of(&reply, &result),
        result,
    };
    (Box::new(reply), delay)
}
