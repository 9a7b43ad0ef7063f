//! What one replica sends once a response has shown less than the reserve.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_delivery::machine::RequestId;
use ingest_model::call::{Call, Reply};
use kustomer_sim::SimTime;

use super::World;

/// Counts requests other than reads.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    reserve: u32,
    /// In which of the simulator's windows a request was answered whose response is under way.
    windows: BTreeMap<RequestId, SimTime>,
    /// The window of the last response that showed less than the reserve.
    low_in: Option<SimTime>,
    /// The last response did.
    low: bool,
    /// Sent after such a response, in the window that it was about.
    pub(crate) in_window: u64,
    /// When each request was sent, reads included.
    pub(crate) sent: Vec<Duration>,
    /// Sent while the last response was one.
    pub(crate) tries: u64,
}

impl Watch {
    pub(crate) fn new(reserve: u32) -> Self {
        Self {
            reserve,
            ..Self::default()
        }
    }
}

impl World {
    fn window(&mut self) -> SimTime {
        self.sim.advance(self.sim_now());
        let windows = self.sim.account().windows;
        windows
            .last()
            .map(|window| window.start)
            .unwrap_or_default()
    }

    pub(super) fn watch_sent(&mut self, call: &Call) {
        if let Some(watch) = &mut self.watch {
            watch.sent.push(self.now - self.origin);
        }
        let read = matches!(
            call,
            Call::ReadJob { .. }
                | Call::ReadJobState { .. }
                | Call::FindCustomer { .. }
                | Call::GetKObject { .. }
        );
        if read || self.watch.is_none() {
            return;
        }
        let window = self.window();
        if let Some(watch) = &mut self.watch {
            watch.in_window += u64::from(watch.low_in == Some(window));
            watch.tries += u64::from(watch.low);
        }
    }

    pub(super) fn watch_answered(&mut self, request: RequestId) {
        if self.watch.is_none() {
            return;
        }
        let window = self.window();
        if let Some(watch) = &mut self.watch {
            watch.windows.insert(request, window);
        }
    }

    pub(super) fn watch_came(&mut self, request: RequestId, reply: &Reply) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let window = watch.windows.remove(&request);
        if let Some(remaining) = reply.limits.remaining {
            watch.low = remaining < watch.reserve;
            if watch.low {
                watch.low_in = window;
            }
        }
    }
}
