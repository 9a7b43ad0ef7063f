//! The life of the process: signals, supervised tasks, and the reason why it ended.
//!
//! Three things end a run: a signal, a task that reports a halt, and a task that panics or ends unasked. Each of them
//! cancels one token; whoever holds it drains. When all tasks have ended, or the deadline has passed, [`Supervisor::run`]
//! returns the reason. A second signal ends the run without waiting for anything.

pub mod key;
mod signals;
pub mod suppressed;

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::signals::Signals;

/// Why a run ended although nobody asked it to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A task panicked: a bug in the program. What it worked on was not committed.
    #[error("the task {task} panicked")]
    Panicked {
        /// Its name.
        task: &'static str,
    },
    /// A task ended that should live as long as the process.
    #[error("the task {task} ended unasked")]
    Ended {
        /// Its name.
        task: &'static str,
    },
    /// A task cannot go on.
    #[error("{task}: {cause}")]
    Failed {
        /// Its name.
        task: &'static str,
        /// The reason, in words for people; no personal data.
        cause: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// As requested, and drained.
    Drained,
    /// As requested, but the drain did not finish in time. What was unsettled is left to the next owner.
    DrainTimedOut,
    /// A second signal came during the drain.
    Forced,
    /// For a cause other than a signal.
    Halted(Halt),
}

/// Spawns tasks and watches them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Spawner {
    shutdown: CancellationToken,
    halting: CancellationToken,
    tasks: TaskTracker,
    halts: mpsc::Sender<Halt>,
}

/// Watches all tasks of a run.
#[derive(Debug)]
pub struct Supervisor {
    spawner: Spawner,
    halted: mpsc::Receiver<Halt>,
}

// === impl Spawner ===

impl Spawner {
    /// Spawns a task that lives until shutdown. If it panics, fails or ends earlier, the process halts.
    #[expect(
        clippy::disallowed_methods,
        reason = "the supervisor itself: both tasks are watched"
    )]
    pub fn spawn<F, E>(&self, task: &'static str, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        let running = tokio::spawn(future);
        let (shutdown, halts) = (self.shutdown.clone(), self.halts.clone());
        let halting = self.halting.clone();
        let watch = async move {
            let halt = match running.await {
                Ok(Ok(())) if shutdown.is_cancelled() => return,
                Ok(Ok(())) => Halt::Ended { task },
                Ok(Err(error)) => Halt::Failed {
                    task,
                    cause: error.to_string(),
                },
                Err(failure) if failure.is_panic() => Halt::Panicked { task },
                Err(_cancelled) => Halt::Ended { task },
            };
            tracing::error!(task, %halt, "halting");
            // A full channel means that a cause is already known; the first one counts.
            drop(halts.try_send(halt));
            halting.cancel();
            shutdown.cancel();
        };
        drop(self.tasks.spawn(watch));
    }

    /// Cancelled when a task panicked, failed or ended unasked.
    #[must_use]
    pub fn halting(&self) -> &CancellationToken {
        &self.halting
    }

    /// Cancelled when the process should drain and end.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }
}

// === impl Supervisor ===

impl Supervisor {
    /// A supervisor without tasks.
    #[must_use]
    pub fn new() -> Self {
        let (halts, halted) = mpsc::channel(1);
        let spawner = Spawner {
            shutdown: CancellationToken::new(),
            halting: CancellationToken::new(),
            tasks: TaskTracker::new(),
            halts,
        };
        Self { spawner, halted }
    }

    /// The spawner for tasks of this run.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Waits for a reason to end, cancels the shutdown token, and gives all tasks the time `drain` to end.
    pub async fn run(mut self, mut signals: Signals, drain: Duration) -> Exit {
        let shutdown = self.spawner.shutdown.clone();
        tokio::select! { biased;
            // A known cause is worth more than a signal that came at the same time.
            _ = shutdown.cancelled() => {}
            name = signals.next() => tracing::info!(signal = name, "draining"),
        }
        shutdown.cancel();
        self.spawner.tasks.close();
        let ended = tokio::select! { biased;
            // The drain wins over its deadline, and both over a second signal that comes at the same instant.
            () = self.spawner.tasks.wait() => None,
            () = tokio::time::sleep(drain) => Some(Exit::DrainTimedOut),
            name = signals.next() => {
                tracing::warn!(signal = name, "a second signal: ending at once");
                Some(Exit::Forced)
            }
        };
        match (self.halted.try_recv(), ended) {
            (_, Some(Exit::Forced)) => Exit::Forced,
            (Ok(halt), _) => Exit::Halted(halt),
            (Err(_none), Some(exit)) => exit,
            (Err(_none), None) => Exit::Drained,
        }
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Exit ===

impl Exit {
    /// The exit code: 0 when everything was drained, else 1.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Drained => 0,
            Self::DrainTimedOut | Self::Forced | Self::Halted(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    async fn until_told(shutdown: CancellationToken) -> Result<(), String> {
        shutdown.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_signal_drains() {
        let supervisor = Supervisor::new();
        let spawner = supervisor.spawner();
        spawner.spawn("a", until_told(spawner.shutdown().clone()));
        let (send, signals) = Signals::by_hand();
        send.send("SIGTERM").await.unwrap();
        assert_eq!(supervisor.run(signals, SOON).await, Exit::Drained);
        assert!(!spawner.halting().is_cancelled(), "nothing failed");
    }

    #[tokio::test]
    async fn a_panic_halts_the_others_and_is_named() {
        let supervisor = Supervisor::new();
        let spawner = supervisor.spawner();
        spawner.spawn("good", until_told(spawner.shutdown().clone()));
        spawner.spawn("bad", async {
            if true {
                panic!("on purpose")
            } else {
                Ok::<(), String>(())
            }
        });
        let (_send, signals) = Signals::by_hand();
        let exit = supervisor.run(signals, SOON).await;
        assert_eq!(exit, Exit::Halted(Halt::Panicked { task: "bad" }));
        assert!(spawner.halting().is_cancelled());
        assert_eq!(exit.code(), 1);
    }

    #[tokio::test]
    async fn a_task_that_ends_early_or_fails_halts() {
        for (result, expected) in [
            (Ok(()), Halt::Ended { task: "t" }),
            (
                Err("no more".to_owned()),
                Halt::Failed {
                    task: "t",
                    cause: "no more".to_owned(),
                },
            ),
        ] {
            let supervisor = Supervisor::new();
            supervisor.spawner().spawn("t", async move { result });
            let (_send, signals) = Signals::by_hand();
            assert_eq!(supervisor.run(signals, SOON).await, Exit::Halted(expected));
        }
    }

    #[tokio::test]
    async fn a_second_signal_does_not_wait_and_a_deadline_ends_the_drain() {
        for (second, drain, expected) in [
            (true, SOON, Exit::Forced),
            (false, Duration::from_millis(20), Exit::DrainTimedOut),
        ] {
            let supervisor = Supervisor::new();
            supervisor
                .spawner()
                .spawn("stuck", std::future::pending::<Result<(), String>>());
            let (send, signals) = Signals::by_hand();
            send.send("SIGINT").await.unwrap();
            if second {
                send.send("SIGINT").await.unwrap();
            }
            assert_eq!(supervisor.run(signals, drain).await, expected);
        }
    }
}
