//! Letters leave: one task for each, and a line now and then about those that fail.

use std::sync::Arc;
use std::time::Duration;

use ingest_core::machine::{Input, LetterId};
use ingest_kafka::{DeadLetter, SendError};

use super::Pump;
use crate::clock::Clock;

/// Pause between two lines about letters that fail.
const LETTER_LOG_INTERVAL: Duration = Duration::from_secs(10);

impl Pump {
    /// Sends a letter to its topic; the end of its task is the answer.
    pub(super) fn send_letter(&mut self, letter: LetterId, outgoing: DeadLetter) {
        let producer = Arc::clone(&self.letters);
        let task = self.sending_letters.spawn(async move {
            let sent = producer.send(outgoing).await;
            (letter, sent.err())
        });
        self.letter_of_task.insert(task.id(), letter);
    }

    /// Every letter that waits fails again and again while the topic is away: one line in ten seconds tells it.
    fn letter_failed(&mut self, failure: &SendError) {
        let now = Clock.now();
        if self
            .letters_told
            .is_some_and(|at| now.duration_since(at) < LETTER_LOG_INTERVAL)
        {
            self.letters_untold += 1;
            return;
        }
        let untold = std::mem::take(&mut self.letters_untold);
        self.letters_told = Some(now);
        if failure.kind.is_retriable() {
            tracing::warn!(error = %failure, untold, "a letter was not acknowledged; it is sent again");
        } else {
            // It keeps trying: what a person changes at the topic is noticed without a restart.
            tracing::error!(error = %failure, untold, "the dead-letter topic or the hold topic refuses a letter, and its partition waits until that is mended at the brokers");
        }
    }

    pub(super) fn letter_ended(
        &mut self,
        joined: Result<(tokio::task::Id, (LetterId, Option<SendError>)), tokio::task::JoinError>,
    ) {
        let (letter, acknowledged) = match joined {
            Ok((task, (letter, failure))) => {
                self.letter_of_task.remove(&task);
                if let Some(failure) = &failure {
                    self.letter_failed(failure);
                }
                (letter, failure.is_none())
            }
            Err(error) => {
                tracing::error!(%error, "a dead letter's task ended without an answer");
                let Some(letter) = self.letter_of_task.remove(&error.id()) else {
                    return;
                };
                (letter, false)
            }
        };
        self.step(Input::DeadLettered {
            letter,
            acknowledged,
        });
    }
}
