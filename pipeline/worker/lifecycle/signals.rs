//! The signals that tell the process to end: SIGTERM and SIGINT.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals as they arrive.
#[derive(Debug)]
pub struct Signals(Source);

#[derive(Debug)]
enum Source {
    System {
        term: Signal,
        int: Signal,
    },
    #[cfg(test)]
    ByHand(tokio::sync::mpsc::Receiver<&'static str>),
}

impl Signals {
    /// The process's SIGTERM and SIGINT. From now on, neither of them ends the process by itself.
    ///
    /// # Errors
    ///
    /// When the operating system refuses to deliver them.
    pub fn install() -> std::io::Result<Self> {
        let (term, int) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        Ok(Self(Source::System { term, int }))
    }

    /// The next signal's name; pending until one comes.
    pub async fn next(&mut self) -> &'static str {
        match &mut self.0 {
            Source::System { term, int } => {
                tokio::select! { biased;
                    // Both mean the same: the order only decides which name is logged.
                    Some(()) = term.recv() => "SIGTERM",
                    Some(()) = int.recv() => "SIGINT",
                    else => std::future::pending().await,
                }
            }
            #[cfg(test)]
            Source::ByHand(receiver) => match receiver.recv().await {
                Some(name) => name,
                None => std::future::pending().await,
            },
        }
    }

    /// Signals that a test sends.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (tokio::sync::mpsc::Sender<&'static str>, Self) {
        let (send, receiver) = tokio::sync::mpsc::channel(2);
        (send, Self(Source::ByHand(receiver)))
    }
}
