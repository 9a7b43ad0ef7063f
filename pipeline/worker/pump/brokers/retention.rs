//! Asks the brokers every few minutes how long they keep the records of the input topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ingest_kafka::KafkaSettings;
use ingest_kafka::reader::retention::{Retention, fetch_retention};
use ingest_model::record::Topic;
use tokio::sync::watch;

use super::BrokersView;

/// Pause between two questions.
const EVERY: Duration = Duration::from_secs(300);
/// The same at first, while a topic is not known.
const AGAIN: Duration = Duration::from_secs(30);
/// How often it is asked again so soon.
const SOON: u32 = 5;
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until nobody listens any more.
pub(super) async fn keep(
    settings: watch::Receiver<KafkaSettings>,
    views: Arc<watch::Sender<BrokersView>>,
) {
    let mut refusals = 0_u32;
    loop {
        let now = settings.borrow().clone();
        if now.needs_tokens() {
            tracing::info!(
                "how long the brokers keep records is not asked where they want tokens; so nobody is warned before records are deleted unread"
            );
            return;
        }
        let topics = now.topics().to_vec();
        let wait = match fetch_retention(&now, &topics, PATIENCE).await {
            Ok(Some(found)) => {
                let known = topics.iter().all(|topic| found.contains_key(topic));
                refusals = if known { 0 } else { refusals.saturating_add(1) };
                if refusals == 1 {
                    tracing::info!(
                        "the brokers do not say how long they keep every topic's records (the right DescribeConfigs); so nobody is warned before records are deleted unread"
                    );
                }
                views.send_modify(|view| learn(&mut view.retention, found));
                if (1..=SOON).contains(&refusals) {
                    AGAIN
                } else {
                    EVERY
                }
            }
            // What was known stays known: an outage is when it matters.
            Ok(None) => AGAIN,
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

/// What the brokers have said last of each topic counts, also where they do not say it now.
fn learn(known: &mut BTreeMap<Topic, Retention>, found: BTreeMap<Topic, Retention>) {
    known.extend(found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_again_stays_known() {
        let of = |name: &str, seconds| {
            let age = Some(Duration::from_secs(seconds));
            (Topic::new(name), Retention { age, bytes: None })
        };
        let mut known = BTreeMap::from([of("a", 60), of("b", 70)]);
        learn(&mut known, BTreeMap::from([of("b", 80)]));
        assert_eq!(known, BTreeMap::from([of("a", 60), of("b", 80)]));
        learn(&mut known, BTreeMap::new());
        assert_eq!(known.len(), 2);
    }
}
