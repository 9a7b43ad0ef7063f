//! What the source reports about readings that do not continue at their position.

use ingest_delivery::machine::Input;
use ingest_kafka::{Assigned, SourceEvent};

use super::Pump;
use crate::observe::breaks::Cause;

impl Pump {
    /// A partition begins a new life, or records of it were deleted unread.
    pub(super) fn reading_broke(&mut self, event: SourceEvent) {
        if let SourceEvent::NewLife {
            partition,
            epoch,
            from,
            cause,
            unread,
        } = event
        {
            if let Some(unread) = unread {
                let unread = Cause::DeletedUnread(unread);
                self.observer.broke(&partition, unread);
            }
            self.step(Input::NewLife {
                partition,
                epoch,
                from,
                cause,
            });
        } else if let SourceEvent::Vanished {
            partition,
            epoch,
            gap,
        } = event
        {
            self.step(Input::Vanished {
                partition,
                epoch,
                gap,
            });
        }
    }

    /// Says from where a partition is read if nothing is committed for it.
    pub(super) fn nothing_committed(&self, assigned: &Assigned) {
        let cause = Cause::nothing_committed(assigned.log, self.reads_from_end);
        if let Some(cause) = cause {
            self.observer.broke(&assigned.partition, cause);
        }
    }
}
