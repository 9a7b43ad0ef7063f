//! What the source says goes two ways: records to the mapper threads, everything else to the pump.

use std::time::Duration;

use ingest_core::record::Topic;
use ingest_kafka::topics::fetch_partition_counts;
use ingest_kafka::{KafkaSettings, SourceEvent, SourceEvents};
use tokio::sync::mpsc;

use super::mapper::Mappers;

/// How long one question for partition counts may take.
const TOPOLOGY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before they are asked for again after a failure.
const TOPOLOGY_RETRY: Duration = Duration::from_secs(2);

/// Forwards until the source or the pump ends. Waiting for room here is what fills the source's channel, and with it pauses
/// the consumer; polling goes on.
pub(super) async fn forward(
    mut events: SourceEvents,
    mappers: Mappers,
    control: mpsc::Sender<SourceEvent>,
) {
    while let Some(event) = events.recv().await {
        let taken = match event {
            SourceEvent::Record { record, epoch } => mappers.put(record, epoch).await,
            SourceEvent::Assigned(_)
            | SourceEvent::Revoking(_)
            | SourceEvent::Lost(_)
            | SourceEvent::Committed { .. }
            | SourceEvent::Statistics(_)
            | SourceEvent::Error(_)
            | SourceEvent::Fatal(_)
            | SourceEvent::Stopped => control.send(event).await.is_ok(),
        };
        if !taken {
            return;
        }
    }
}

/// Asks for partition counts at an interval and reports them when they changed.
pub(super) async fn watch_topology(
    settings: KafkaSettings,
    counts: mpsc::Sender<Vec<(Topic, u32)>>,
    interval: Duration,
) {
    let mut known: Option<Vec<(Topic, u32)>> = None;
    loop {
        let asked = settings.clone();
        let fetched =
            tokio::task::spawn_blocking(move || fetch_partition_counts(&asked, TOPOLOGY_TIMEOUT));
        let pause = match fetched.await {
            Ok(Ok(fetched)) => {
                let fresh: Vec<(Topic, u32)> = fetched
                    .into_iter()
                    .map(|(topic, count)| (topic, u32::try_from(count).unwrap_or(u32::MAX)))
                    .collect();
                if known.as_ref() != Some(&fresh) {
                    if counts.send(fresh.clone()).await.is_err() {
                        return;
                    }
                    known = Some(fresh);
                }
                interval
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the topics' partition counts are not known; nothing is sent before they are");
                TOPOLOGY_RETRY
            }
            Err(error) => {
                tracing::error!(%error, "asking for partition counts failed");
                TOPOLOGY_RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}
