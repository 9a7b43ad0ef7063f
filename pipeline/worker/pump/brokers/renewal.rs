//! Credentials and certificates that change while the worker runs.
//!
//! Every few seconds the files are read. When a content is another one, the new settings are tried first, with a client of
//! their own that asks for the topics. Only if brokers answer it, the clients are made anew: the producers when what is under
//! way is acknowledged, the consumer when it is drained, everybody else with the next question. Until then, and while the new
//! files cannot be used, the old ones stay in use: brokers usually take both for a while, and what is connected stays
//! connected.

use std::sync::Arc;
use std::time::Duration;

use ingest_kafka::reader::topics::{TopicLook, check_client};
use ingest_kafka::state::StateProducer;
use ingest_kafka::{
    DeadLetterProducer, KafkaSettings, ReadError, RecordProducer, SourceRenewer, StartError,
};
use tokio::sync::watch;

use super::status::{BrokersView, Credentials};
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::KafkaFiles;
use crate::observe::Observer;
use crate::observe::metrics::labels::Renewal;
use crate::pump::receipts;

/// Pause between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long brokers may take to answer new credentials.
const PATIENCE: Duration = Duration::from_secs(8);

/// The files, what was read from them, and how settings are made of them.
#[derive(Debug)]
pub struct KafkaRenewal {
    settings: Settings,
    files: KafkaFiles,
    /// `None` if it could not be read.
    in_use: Option<u64>,
}

/// What the writer of the state topic makes of settings.
pub(in crate::pump) type Quick = fn(&KafkaSettings) -> Result<KafkaSettings, StartError>;

/// Everything that holds a client.
pub(in crate::pump) struct Clients {
    letters: Arc<DeadLetterProducer>,
    state: Option<(Arc<StateProducer>, Quick)>,
    receipts: Option<Arc<RecordProducer>>,
    source: SourceRenewer,
    /// For those that are made for a question.
    live: watch::Sender<KafkaSettings>,
}

/// What a look at the files found.
enum Found {
    Unchanged,
    /// They cannot be used, and why.
    Unusable(String),
    Usable(u64, Box<KafkaSettings>),
}

// === impl KafkaRenewal ===

impl KafkaRenewal {
    /// `None` if no file is named. Call it before the settings are made, so that no change is missed.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let files = KafkaFiles::of(&settings.kafka);
        (!files.is_empty()).then(|| Self {
            settings: settings.clone(),
            in_use: files.fingerprint().ok(),
            files,
        })
    }

    /// Looks until nobody listens any more.
    pub(super) async fn keep(
        mut self,
        clients: Clients,
        views: Arc<watch::Sender<BrokersView>>,
        observer: Observer,
    ) {
        let mut seen = Credentials::default();
        while !views.is_closed() {
            tokio::time::sleep(INTERVAL).await;
            let looked = tokio::task::spawn_blocking(move || {
                let found = self.look();
                (self, found)
            });
            let Ok((this, found)) = looked.await else {
                tracing::error!("a look at the credentials ended without a result");
                return;
            };
            self = this;
            let kept = match found {
                Found::Unchanged => None,
                Found::Unusable(why) => Some(why),
                Found::Usable(content, settings) => match clients.renew(&settings).await {
                    Ok(()) => {
                        self.in_use = Some(content);
                        seen.renewed += 1;
                        seen.at = Some(Clock.now());
                        observer.credentials_renewed(Renewal::Renewed);
                        tracing::info!("the credentials for the brokers were renewed");
                        None
                    }
                    Err(why) => Some(why),
                },
            };
            if let Some(why) = &kept {
                observer.credentials_renewed(Renewal::Refused);
                if seen.kept != kept {
                    tracing::error!(
                        because = why,
                        what_to_do = "correct the files that kafka.properties names; they are tried again every 10 s",
                        "the new credentials for the brokers cannot be used; the old ones stay in use"
                    );
                }
            }
            seen.kept = kept;
            views.send_modify(|view| view.credentials = Some(seen.clone()));
        }
    }

    /// Reads the files, and tries what has changed. Blocks.
    fn look(&self) -> Found {
        let content = match self.files.fingerprint() {
            Ok(content) if self.in_use == Some(content) => return Found::Unchanged,
            Ok(content) => content,
            Err(error) => return Found::Unusable(error.to_string()),
        };
        match self.tried() {
            Err(why) => Found::Unusable(why),
            Ok(settings) => match self.files.fingerprint() {
                Ok(after) if after == content => Found::Usable(content, Box::new(settings)),
                Ok(_) | Err(_) => Found::Unusable("the files are being written".to_owned()),
            },
        }
    }

    /// Settings with what is in the files now, if brokers answer them.
    fn tried(&self) -> Result<KafkaSettings, String> {
        let settings = self.settings.kafka_member();
        let settings = settings.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        check_client(&settings).map_err(|error| error.to_string())?;
        let look = TopicLook::new(&settings).map_err(|error| error.to_string())?;
        let answered = look.look(settings.topics(), PATIENCE)?;
        let forbidden = answered.into_values().find_map(|one| match one {
            Err(error @ ReadError::NotAuthorized { .. }) => Some(error.to_string()),
            Ok(_) | Err(_) => None,
        });
        forbidden.map_or(Ok(settings), Err)
    }
}

// === impl Clients ===

impl Clients {
    pub(in crate::pump) fn new(
        letters: Arc<DeadLetterProducer>,
        state: Option<(Arc<StateProducer>, Quick)>,
        receipts: Option<Arc<RecordProducer>>,
        source: SourceRenewer,
        live: watch::Sender<KafkaSettings>,
    ) -> Self {
        Self {
            letters,
            state,
            receipts,
            source,
            live,
        }
    }

    async fn renew(&self, settings: &KafkaSettings) -> Result<(), String> {
        let said = |error: StartError| error.to_string();
        self.letters.renew(settings).await.map_err(said)?;
        if let Some((state, quick)) = &self.state {
            let quick = quick(settings).map_err(said)?;
            state.renew(&quick).await.map_err(said)?;
        }
        self.live.send_replace(settings.clone());
        let renewed = self.source.renew(settings.clone()).await;
        renewed.map_err(|error| error.to_string())?;
        // Last, because batches that no broker accepts keep their client for half a minute, and nothing waits for receipts.
        if let Some(receipts) = &self.receipts
            && let Err(error) = receipts::renew(receipts, settings).await
        {
            let error = error.to_string();
            tracing::warn!(error, "receipts are written with the former credentials");
        }
        Ok(())
    }
}
