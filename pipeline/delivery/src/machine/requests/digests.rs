//! Digests: small events wait for company, and leave as what their session's object has and they add.

use std::sync::Arc;
use std::time::Instant;

use crate::machine::Machine;
use crate::seam::charge::Gate;
use ingest_model::batch::OperationId;
use ingest_model::digest::Session;
use ingest_model::outcome::SkipReason;

impl Machine {
    /// A digest is the head of its lane. `true` if it goes on as any object: it has waited for more events, and what it adds to
    /// is known, or it makes the object.
    pub(in crate::machine) fn prepare_digest(&mut self, now: Instant, id: OperationId) -> bool {
        let Some(fold) = self.work.fold_of(id) else {
            return true;
        };
        let patience = fold.frame.patience.div_f64(self.settings.quota.time_scale);
        let until = self.objects.gathers_until(now, id, patience);
        if now < until && self.partitions.budget().gate() == Gate::Open {
            self.work.gather(id, until);
            return false;
        }
        let hash = self.objects.histories.of(id).object_hash();
        let standing = self.objects.cache.by_hash(hash);
        let standing = standing.filter(|known| !known.gone);
        let base = self.objects.sessions.current(hash, standing);
        if base.is_none() && standing.is_some() {
            self.objects.histories.look_first(id);
        }
        if !self.work.base_on(id, base.as_deref()) {
            self.finish_skipped(id, SkipReason::Repeat);
            return false;
        }
        self.objects.histories.based_on(id, base);
        true
    }

    /// A write leaves: digests in it become what they are to be.
    pub(in crate::machine) fn word_digests(&mut self, operations: &[OperationId]) {
        for id in operations {
            let base = self.objects.histories.of(*id).base();
            if let Some(session) = self.work.word(*id, base.map(AsRef::as_ref)) {
                self.objects.histories.leaves_as(*id, Arc::new(session));
            }
        }
    }

    /// The state of a digest's session is known, because it was read or written.
    pub(in crate::machine) fn session_known(&mut self, id: OperationId, session: Arc<Session>) {
        let hash = self.objects.histories.of(id).object_hash();
        if let Some(fold) = self.work.fold_of(id) {
            let until = self.turn.now + fold.frame.gap.div_f64(self.settings.quota.time_scale);
            self.objects.sessions.learn(hash, session, until);
        }
    }

    /// Folds whose patience is over go on; all of them if records have no more room.
    pub(in crate::machine) fn end_gathering(&mut self) {
        let all = self.partitions.budget().gate() == Gate::Closed;
        self.work.gathered(&self.turn, all);
        self.objects.sessions.close(self.turn.now);
    }
}
