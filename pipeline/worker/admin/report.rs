//! Keeps the status report up to date.

use std::time::Instant;

use tokio::sync::watch;

use super::account::AccountStatus;
use super::registry::RegistryView;
use super::status::{Phase, StatusReport};
use crate::clock::Clock;
use crate::lifecycle::Spawner;
use crate::lifecycle::key::KeyStatus;
use crate::lifecycle::suppressed::SuppressedStatus;
use crate::observe::Observer;
use crate::observe::account::Account;
use crate::observe::pace::Pace;
use crate::observe::retention::RetentionGuard;
use crate::observe::watchdog::{Stalled, Watchdog};
use crate::pump::{KafkaStatus, PumpView};

/// Turns the pump's view into the report behind `/status` and `/ready`.
///
/// # Errors
/// Never.
pub async fn keep(
    (mut views, key, suppressed): (
        watch::Receiver<Option<PumpView>>,
        watch::Receiver<KeyStatus>,
        watch::Receiver<Option<SuppressedStatus>>,
    ),
    reports: watch::Sender<StatusReport>,
    spawner: Spawner,
    observer: Observer,
) -> Result<(), std::convert::Infallible> {
    let started = Clock.now();
    let mut report = reports.borrow().clone();
    let mut noted: Option<Instant> = None;
    let mut pace = Pace::default();
    let mut account = Account::default();
    let mut watchdog = Watchdog::default();
    let mut retention = RetentionGuard::default();
    // It ends with the pump, whose last view shows the end of the drain.
    while views.changed().await.is_ok() {
        let Some(view) = views.borrow_and_update().clone() else {
            continue;
        };
        report.take(&view.snapshot, view.at);
        report.key = key.borrow().clone();
        report.suppressed = suppressed.borrow().clone();
        report.said = Some(view.at);
        let registry = view.registry.as_ref();
        report.schema_registry =
            registry.map(|one| RegistryView::new(one, &view.snapshot.partitions, view.at));
        registry.into_iter().for_each(|one| observer.registry(one));
        report.kafka = KafkaStatus::new(&view.brokers, view.at, &report.places);
        let answers = report.kafka.causes().is_empty();
        let stalled = watchdog.look(view.at, &view.snapshot, &view.statistics, answers);
        observer.stalled(&stalled, report.stalled.is_empty());
        report.stalled = stalled.iter().map(Stalled::in_words).collect();
        let times = (view.at, Clock.unix_ms());
        let kept = &view.brokers.retention;
        let outlooks = retention.look(times, &view.snapshot, &view.statistics, kept);
        observer.outlooks(&outlooks, &report.retention);
        report.retention = outlooks;
        report.uptime_seconds = view.at.saturating_duration_since(started).as_secs();
        report.phase = if spawner.halting().is_cancelled() {
            Phase::Halted
        } else if spawner.shutdown().is_cancelled() {
            Phase::Draining
        } else if view.topology_known && view.joined {
            Phase::Running
        } else {
            Phase::Starting
        };
        if let Some(change) = view.reserve {
            report.quota.note_change(change, view.at);
        }
        if let (Some(state), Some(progress)) = (&mut report.state, view.restore) {
            state.restore_read = Some(progress.read);
            state.restore_total = Some(progress.total);
        }
        for one in &view.statistics.partitions {
            if let Some(lag) = one.lag {
                let number = one.partition.partition.0;
                report.set_lag(one.partition.topic.as_str(), number, lag);
            }
        }
        if let Some((at, what)) = &view.source_error
            && noted != Some(*at)
        {
            noted = Some(*at);
            report.note(Clock.unix_ms(), what.clone());
        }
        report.set_breaks(&observer.breaks());
        let tally = observer.tally();
        report.dead_letters = tally.dead_lettered.values().sum();
        report.receipts.clone_from(&view.receipts);
        let drain = pace.drain(view.at, &view.snapshot, &view.statistics.partitions);
        report.drain_state = drain.state;
        report.drain_estimate_seconds = drain.left.map(|left| left.as_secs());
        observer.metrics().drain(drain);
        let confirmed = tally.delivered;
        let figures = account.figures(view.at, &view.snapshot, confirmed);
        observer.metrics().account(&figures);
        report.account = AccountStatus::new(&view.snapshot, figures, drain.with_arrivals);
        reports.send_replace(report.clone());
    }
    spawner.shutdown().cancelled().await;
    Ok(())
}
