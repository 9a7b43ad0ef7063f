//! What the source reports about readings that do not continue at their position.

use ingest_delivery::machine::{Committed, Input};
use ingest_delivery::port::Metadata;
use ingest_kafka::{Assigned, SourceEvent};

use super::{Pump, source};
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

    /// What the group has committed; where that is nothing, the start of the log, at which reading begins.
    pub(super) fn begins_at(&self, assigned: &Assigned) -> Option<Committed> {
        let start = assigned.log.filter(|_| !self.reads_from_end);
        let committed = assigned.committed.clone().map(source::committed);
        committed.or_else(|| {
            start.map(|log| Committed {
                offset: log.from,
                metadata: Metadata::None,
            })
        })
    }

    /// Says from where a partition is read if nothing is committed for it.
    pub(super) fn nothing_committed(&self, assigned: &Assigned) {
        let cause = Cause::nothing_committed(assigned.log, self.reads_from_end);
        if let Some(cause) = cause {
            self.observer.broke(&assigned.partition, cause);
        }
    }
}
