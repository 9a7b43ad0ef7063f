//! Checks every few seconds whether the brokers answer and whether the configured topics exist. The consumer cannot tell:
//! it says nothing about topics that it does not read, nor about brokers that fall silent.

mod renewal;
mod retention;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::hold::LetterTopic;
use ingest_kafka::reader::topics::TopicLook;
use ingest_kafka::{KafkaSettings, ReadError};
use ingest_model::record::Topic;
use ingest_model::trouble::TroubleKind;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::renewal::KafkaRenewal;
pub(super) use self::renewal::{Clients, Quick};
pub(super) use self::status::RECEIPTS;
pub use self::status::{
    BrokersView, Credentials, CredentialsStatus, KafkaStatus, TopicProblem, TopicTrouble,
};
use crate::clock::Clock;
use crate::observe::Observer;
use crate::observe::advice::{Places, away};

/// Pause between two checks.
const INTERVAL: Duration = Duration::from_secs(3);
/// The same while something is wrong, so that its end is noticed soon.
const AGAIN: Duration = Duration::from_secs(1);
/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// A broker that has just started may not know every topic yet, so a topic has to be missing in this many checks in a
/// row.
const LOOKS: u32 = 2;

/// A topic and the setting that names it.
pub(super) type Configured = (Topic, &'static str);

/// All topics of a configuration: those that are read, those that are written, and the one for both.
pub(super) fn configured(
    kafka: &KafkaSettings,
    written: impl IntoIterator<Item = (Option<Topic>, &'static str)>,
) -> Vec<Configured> {
    let inputs = kafka
        .topics()
        .iter()
        .map(|one| (one.clone(), "kafka.topics"));
    let written = written
        .into_iter()
        .filter_map(|(topic, setting)| Some((topic?, setting)));
    let state = kafka.options().state_topic.as_deref();
    let state = state.map(|name| (Topic::new(name), "state.topic"));
    inputs.chain(written).chain(state).collect()
}

/// Watches the brokers and, where there are any, the files with credentials for them.
pub(super) fn watch(
    watching: &mut JoinSet<()>,
    watch: Watch,
    live: watch::Receiver<KafkaSettings>,
    renewal: Option<(KafkaRenewal, Clients)>,
    observer: &Observer,
) -> watch::Receiver<BrokersView> {
    let (views, seen) = watch::channel(BrokersView::default());
    let views = Arc::new(views);
    watching.spawn(retention::keep(live.clone(), Arc::clone(&views)));
    watching.spawn(watch.look_on(live, Arc::clone(&views)));
    if let Some((renewal, clients)) = renewal {
        watching.spawn(renewal.keep(clients, views, observer.clone()));
    }
    seen
}

/// Watches the brokers, and reports what is wrong.
pub(super) struct Watch {
    topics: Vec<Configured>,
    places: Arc<Places>,
    /// It was reported that no broker answers.
    told_away: bool,
}

fn unusable(
    topics: &[Configured],
    found: &BTreeMap<Topic, Result<usize, ReadError>>,
    missed: &mut BTreeMap<Topic, u32>,
) -> Vec<TopicTrouble> {
    let mut troubles = Vec::new();
    for (topic, setting) in topics {
        let kind = match found.get(topic) {
            Some(Err(ReadError::UnknownTopic { .. })) => TroubleKind::UnknownTopic,
            Some(Err(ReadError::NotAuthorized { .. })) => TroubleKind::NotAuthorized,
            Some(Ok(_) | Err(ReadError::Unreachable { .. } | ReadError::Start(_))) | None => {
                missed.remove(topic);
                continue;
            }
        };
        let times = missed.entry(topic.clone()).or_default();
        *times = times.saturating_add(1);
        if *times >= LOOKS {
            troubles.push(TopicTrouble {
                topic: topic.clone(),
                setting,
                kind,
            });
        }
    }
    troubles
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(topics: Vec<Configured>, places: Arc<Places>) -> Self {
        Self {
            topics,
            places,
            told_away: false,
        }
    }

    /// Checks until nobody listens any more.
    pub(super) async fn look_on(
        mut self,
        mut settings: watch::Receiver<KafkaSettings>,
        views: Arc<watch::Sender<BrokersView>>,
    ) {
        let made = |settings: &KafkaSettings| match TopicLook::new(settings) {
            Ok(look) => Some(Arc::new(look)),
            Err(error) => {
                tracing::warn!(%error, "the brokers are not being watched");
                None
            }
        };
        let first = settings.borrow_and_update().clone();
        let Some(mut look) = made(&first) else {
            return;
        };
        let names: Arc<[Topic]> = self.topics.iter().map(|(topic, _)| topic.clone()).collect();
        let mut missed: BTreeMap<Topic, u32> = BTreeMap::new();
        loop {
            let begun = Clock.now();
            if settings.has_changed().unwrap_or(false) {
                let renewed = settings.borrow_and_update().clone();
                look = made(&renewed).unwrap_or(look);
            }
            let (asked, names) = (Arc::clone(&look), Arc::clone(&names));
            let looked = tokio::task::spawn_blocking(move || asked.look(&names, PATIENCE)).await;
            let mut view = views.borrow().clone();
            match looked {
                Ok(Ok(found)) => {
                    view.away = None;
                    view.topics = unusable(&self.topics, &found, &mut missed);
                }
                Ok(Err(silence)) => {
                    let since = view.away.map_or(begun, |(since, _)| since);
                    view.away = Some((since, silence));
                }
                Err(error) => {
                    tracing::error!(%error, "a check of the brokers ended without a result");
                }
            }
            let wrong = view.away.is_some() || !missed.is_empty();
            let before = views.borrow().clone();
            self.tell(&before, &view, Clock.now());
            views.send_modify(|current| {
                current.away = view.away;
                current.topics = view.topics;
            });
            if views.is_closed() {
                return;
            }
            tokio::time::sleep(if wrong { AGAIN } else { INTERVAL }).await;
        }
    }

    /// Logs a line when the brokers stop answering or answer again, and one for each topic.
    fn tell(&mut self, before: &BrokersView, view: &BrokersView, now: Instant) {
        let status = KafkaStatus::new(view, now, &self.places);
        if let Some(seconds) = status.away_for_seconds.filter(|_| !self.told_away) {
            self.told_away = true;
            let because = status.away_because.as_deref().unwrap_or_default();
            tracing::error!(
                seconds,
                because,
                what_to_do = away(because),
                "no broker answers"
            );
        } else if view.away.is_none() && std::mem::take(&mut self.told_away) {
            tracing::info!("the brokers answer again");
        }
        for (one, problem) in view.topics.iter().zip(&status.topics) {
            if !before.topics.contains(one) {
                tracing::error!(topic = %one.topic, setting = one.setting, problem = problem.problem, what_to_do = problem.what_to_do, "a configured topic cannot be used");
            }
        }
        for one in &before.topics {
            if !view.topics.iter().any(|known| known.topic == one.topic) {
                tracing::info!(topic = %one.topic, setting = one.setting, "the topic can be used now");
            }
        }
    }
}

/// The setting that names a topic for letters.
pub(super) fn setting_of(to: LetterTopic) -> &'static str {
    match to {
        LetterTopic::Dead => "kafka.dead_letter_topic",
        LetterTopic::Held => "kafka.hold_topic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_that_stay_away_are_told_of_once_until_they_come_back() {
        let mut watch = Watch::new(Vec::new(), Arc::default());
        let now = Clock.now();
        let here = BrokersView::default();
        let away = BrokersView {
            away: Some((now, "no route".to_owned())),
            ..BrokersView::default()
        };
        let mut told = |before: &BrokersView, view: &BrokersView, after: u64| {
            watch.tell(before, view, now + Duration::from_secs(after));
            watch.told_away
        };
        assert!(!told(&here, &away, 2), "one broker restarts");
        assert!(told(&away, &away, 6));
        assert!(told(&away, &away, 9));
        assert!(!told(&away, &here, 12));
        assert!(told(&here, &away, 60), "the next time it is told again");
    }
}
