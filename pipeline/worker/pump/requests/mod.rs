//! The requests under way: one task each, none of which is lost, even if it panics.

mod pauses;
mod reserve;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::machine::RequestId;
use ingest_kustomer::Client;
use ingest_model::call::{Call, CallResult, Limits, Reply};
use tokio::task::{Id, JoinError, JoinSet};

pub use self::pauses::PauseWatch;
pub use self::reserve::{ReserveChange, ReserveWatch};
use crate::clock::Clock;

/// Requests and their tasks.
pub(super) struct Requests {
    client: Client,
    /// A request that has not begun this long after it was decided is not sent.
    asleep_after: Option<Duration>,
    tasks: JoinSet<Answered>,
    of_task: HashMap<Id, RequestId>,
}

/// A request that was answered, or of which nothing is known.
pub(super) struct Answered {
    pub(super) request: RequestId,
    pub(super) reply: Reply,
    /// The status of the answer, if one came.
    pub(super) status: Option<u16>,
}

impl Requests {
    pub(super) fn new(client: Client, asleep_after: Option<Duration>) -> Self {
        Self {
            client,
            asleep_after,
            tasks: JoinSet::new(),
            of_task: HashMap::new(),
        }
    }

    /// Sends a request that was decided at that time. If the process has slept since, its partition may have another owner:
    /// then it is not sent, and its answer is that nothing is known of it.
    pub(super) fn send(&mut self, decided: Instant, request: RequestId, call: Arc<Call>) {
        let (client, limit) = (self.client.clone(), self.asleep_after);
        let task = self.tasks.spawn(async move {
            let passed = Clock.now().saturating_duration_since(decided);
            if limit.is_some_and(|limit| passed >= limit) {
                return Answered::lost(request);
            }
            let (reply, status) = client.send_telling(&call).await;
            Answered {
                request,
                reply,
                status,
            }
        });
        self.of_task.insert(task.id(), request);
    }

    /// The next answer; `None` if no request is under way. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        loop {
            match self.tasks.join_next_with_id().await? {
                Ok((task, answered)) => {
                    self.of_task.remove(&task);
                    return Some(answered);
                }
                Err(error) => {
                    if let Some(request) = self.ended(&error) {
                        return Some(Answered::lost(request));
                    }
                }
            }
        }
    }

    fn ended(&mut self, error: &JoinError) -> Option<RequestId> {
        tracing::error!(%error, "a request's task ended without an answer");
        self.of_task.remove(&error.id())
    }

    /// Nobody waits for the answers any more.
    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }
}

impl Answered {
    /// Nothing is known of it.
    fn lost(request: RequestId) -> Self {
        let reply = Reply {
            limits: Limits::default(),
            result: CallResult::Lost,
            trouble: None,
        };
        Self {
            request,
            reply,
            status: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use ingest_kustomer::{BaseUrl, ClientSettings};
    use secrecy::SecretString;

    use super::*;

    #[tokio::test]
    async fn a_request_that_was_decided_before_a_sleep_is_not_sent() {
        // Nobody listens there: a request that is sent has another answer.
        let url = BaseUrl::parse("http://127.0.0.1:9").unwrap();
        let token = SecretString::from("key".to_owned());
        let client = Client::new(ClientSettings::new(url, token)).unwrap();
        let limit = Duration::from_secs(30);
        let before = Clock.now().checked_sub(limit).unwrap();
        let seventh: RequestId = serde_json::from_str("7").unwrap();
        for (limit, sent) in [(Some(limit), false), (Some(2 * limit), true), (None, true)] {
            let mut requests = Requests::new(client.clone(), limit);
            requests.send(before, seventh, Arc::new(Call::Probe));
            let answered = requests.next().await.unwrap();
            assert_eq!(answered.request, seventh);
            assert_eq!(answered.reply.result != CallResult::Lost, sent, "{limit:?}");
            assert!(requests.next().await.is_none());
        }
    }
}
