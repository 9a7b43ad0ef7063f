//! Asks the brokers every few minutes how long they keep the records of the input topics.

use std::sync::Arc;
use std::time::Duration;

use ingest_kafka::KafkaSettings;
use ingest_kafka::reader::retention::fetch_retention;
use tokio::sync::watch;

use super::BrokersView;

/// Pause between two questions.
const EVERY: Duration = Duration::from_secs(300);
/// The same while a topic is not known.
const AGAIN: Duration = Duration::from_secs(30);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until nobody listens any more.
pub(super) async fn keep(
    settings: watch::Receiver<KafkaSettings>,
    views: Arc<watch::Sender<BrokersView>>,
) {
    let mut refused = false;
    loop {
        let now = settings.borrow().clone();
        let topics = now.topics().to_vec();
        let wait = match fetch_retention(&now, &topics, PATIENCE).await {
            Ok(found) => {
                let known = topics.iter().all(|topic| found.contains_key(topic));
                if !known && !std::mem::replace(&mut refused, true) {
                    tracing::info!(
                        "the brokers do not say how long they keep every topic's records (the right DescribeConfigs); so nobody is warned before records are deleted unread"
                    );
                }
                views.send_modify(|view| view.retention = found);
                if known { EVERY } else { AGAIN }
            }
            Err(error) => {
                tracing::warn!(%error, "how long records are kept cannot be asked");
                EVERY
            }
        };
        tokio::select! { biased;
            () = views.closed() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
