//! The list of people of whom nothing is sent, while the worker runs.
//!
//! The file is read every few seconds; what counts is its content. A content with a mistake, or a file that is gone, changes
//! nothing: the list that was read last goes on, and `/status`, a metric and the log say so. Nothing of the list is told but how
//! many keys it has.

use std::convert::Infallible;
use std::hash::RandomState;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::settings::suppressed::{SuppressedError, SuppressedFile, SuppressedList};
use crate::observe::metrics::Metrics;
use crate::pump::Command;

/// How often the file is read.
const READ_EVERY: Duration = Duration::from_secs(5);

/// What is known of the list, for `/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SuppressedStatus {
    /// How many keys are on it.
    pub keys: usize,
    /// How many lines name people whom somebody has to delete in Kustomer.
    pub to_delete: usize,
    /// How often it has changed since the start.
    pub changed: u64,
    /// Why what is in the file now is not used.
    pub problem: Option<String>,
}

/// Watches the list.
#[derive(Debug)]
pub struct SuppressedWatch {
    file: SuppressedFile,
    commands: mpsc::Sender<Command>,
    status: watch::Sender<Option<SuppressedStatus>>,
    metrics: Metrics,
    hashing: RandomState,
    /// The content that was read last, whether or not it is used.
    mark: Option<u64>,
    /// The content that would take people off the list. It has to be the same at two looks: a file that is being written is short
    /// for a moment.
    shorter: Option<u64>,
    /// The list that is used.
    list: SuppressedList,
}

// === impl SuppressedWatch ===

impl SuppressedWatch {
    /// Reads the list, and tells the pump before it takes its first record. Nothing is sent without it.
    ///
    /// # Errors
    /// It cannot be read, or has a mistake.
    pub async fn start(
        file: SuppressedFile,
        commands: mpsc::Sender<Command>,
        status: watch::Sender<Option<SuppressedStatus>>,
        metrics: Metrics,
    ) -> Result<Self, SuppressedError> {
        let list = file.read()?;
        let mut watch = Self {
            file,
            commands,
            status,
            metrics,
            hashing: RandomState::new(),
            mark: None,
            shorter: None,
            list: SuppressedList::default(),
        };
        watch.status.send_replace(Some(SuppressedStatus::default()));
        watch.take(list).await;
        Ok(watch)
    }

    /// Watches until the end.
    ///
    /// # Errors
    /// Never.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        loop {
            tokio::select! { biased;
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(READ_EVERY) => {}
            }
            let looked = self.look();
            tokio::select! { biased;
                () = shutdown.cancelled() => return Ok(()),
                () = looked => {}
            }
        }
    }

    async fn look(&mut self) {
        let (file, hashing, known) = (self.file.clone(), self.hashing.clone(), self.mark);
        let read = move || file.read_if_changed(&hashing, known);
        let (read, mark) = match tokio::task::spawn_blocking(read).await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "reading the suppressed people failed");
                return;
            }
        };
        self.mark = mark;
        let before = self.shorter.take();
        match read {
            Ok(None) => {}
            Ok(Some(list)) if list == self.list => self.problem(None),
            Ok(Some(list)) if self.list.loses_in(&list) && before != mark => {
                self.shorter = mark;
                self.mark = None;
                // Whoever is new is left alone at once.
                let all = list.and_former(&self.list);
                if all != self.list {
                    self.change_to(all).await;
                }
            }
            Ok(Some(list)) => self.change_to(list).await,
            Err(error) => self.problem(Some(format!("{:#}", anyhow::Error::new(error)))),
        }
    }

    async fn change_to(&mut self, list: SuppressedList) {
        self.take(list).await;
        self.change(|status| status.changed += 1);
        tracing::info!(
            keys = self.list.len(),
            "the list of suppressed people changed"
        );
    }

    /// The list is this one from now on.
    async fn take(&mut self, list: SuppressedList) {
        let keys = list.keys().cloned().collect();
        if self.commands.send(Command::Suppressed(keys)).await.is_err() {
            tracing::debug!("the pump has ended");
        }
        self.list = list;
        self.metrics.suppressed(self.list.len());
        let (keys, to_delete) = (self.list.len(), self.list.deletions().len());
        self.change(|status| {
            status.keys = keys;
            status.to_delete = to_delete;
        });
        self.problem(None);
    }

    /// What is in the file can be used, or not, for this reason.
    fn problem(&self, problem: Option<String>) {
        self.metrics.suppressed_problem(problem.is_some());
        self.change(|status| {
            if let Some(why) = &problem
                && status.problem != problem
            {
                tracing::error!(
                    why,
                    "the list of suppressed people cannot be used; the former one goes on"
                );
            }
            status.problem = problem;
        });
    }

    fn change(&self, change: impl FnOnce(&mut SuppressedStatus)) {
        self.status
            .send_modify(|status| change(status.get_or_insert_default()));
    }
}

#[cfg(test)]
mod tests {
    use ingest_model::operation::CustomerKey;

    use super::*;

    #[tokio::test]
    async fn a_broken_list_changes_nothing_until_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.ndjson");
        let (commands, mut told) = mpsc::channel(8);
        let (status, metrics) = (watch::Sender::default(), Metrics::new());
        let file = SuppressedFile(path.clone());
        let start = |metrics: &Metrics| {
            let (file, commands) = (file.clone(), commands.clone());
            SuppressedWatch::start(file, commands, status.clone(), metrics.clone())
        };
        let missing = start(&metrics).await.unwrap_err().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
        std::fs::write(&path, "{\"email\": \"ida@shop.example\"}\n").unwrap();
        let mut watch = start(&metrics).await.unwrap();
        let mut heard = || match told.try_recv() {
            Ok(Command::Suppressed(keys)) => Some(keys),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        let ida = CustomerKey::Email("ida@shop.example".into());
        assert_eq!(heard(), Some(vec![ida]));
        let is = |keys: usize, wrong: u8| {
            let text = metrics.render();
            for line in [
                format!("kustomer_ingest_suppressed_keys {keys}\n"),
                format!("kustomer_ingest_suppressed_list_problem {wrong}\n"),
            ] {
                assert!(text.contains(&line), "{line}");
            }
        };
        let now = |watch: &SuppressedWatch| watch.status.borrow().clone().unwrap();
        watch.look().await;
        assert_eq!((heard(), now(&watch).changed), (None, 0), "it is the same");
        is(1, 0);
        for broken in [Some("{\"email\": \"ida\"}"), None] {
            match broken {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            watch.look().await;
            watch.look().await;
            assert_eq!(heard(), None);
            let status = now(&watch);
            assert_eq!((status.keys, status.changed), (1, 0));
            assert!(status.problem.is_some(), "{status:?}");
            is(1, 1);
        }
        // A file that is being written is short for a moment.
        std::fs::write(&path, "").unwrap();
        watch.look().await;
        assert_eq!(heard(), None, "nobody is let through yet");
        let more = "{\"email\": \"ida@shop.example\"}\n{\"email\": \"max@shop.example\"}\n";
        std::fs::write(&path, more).unwrap();
        watch.look().await;
        assert_eq!(
            heard().map(|keys| keys.len()),
            Some(2),
            "nobody was taken off"
        );
        std::fs::write(&path, "").unwrap();
        watch.look().await;
        assert_eq!(heard(), None);
        watch.look().await;
        assert_eq!(heard(), Some(Vec::new()), "it is meant");
        // One is taken off and another one put on, in a file that changes at every look.
        std::fs::write(&path, "{\"email\": \"ida@shop.example\"}\n").unwrap();
        watch.look().await;
        assert_eq!(heard().map(|keys| keys.len()), Some(1));
        for n in 2..5 {
            let other = format!("{{\"externalId\": \"u{n}\"}}\n");
            std::fs::write(&path, other).unwrap();
            watch.look().await;
            assert_eq!(
                heard().map(|keys| keys.len()),
                Some(n),
                "at once, and nobody off"
            );
        }
        watch.look().await;
        assert_eq!(heard().map(|keys| keys.len()), Some(1), "now it is meant");
        std::fs::write(&path, "").unwrap();
        watch.look().await;
        watch.look().await;
        assert_eq!(heard(), Some(Vec::new()));
        let status = now(&watch);
        assert_eq!((status.keys, status.changed, status.problem), (0, 8, None));
        is(0, 0);
    }
}
