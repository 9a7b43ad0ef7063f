//! What is told of settled records.

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::Effect;
use ingest_model::outcome::SkipReason;

/// Each record that a step has settled has one receipt, and nothing else has any. What a former owner had settled has one from then.
pub(super) fn assert_told(effects: &[Effect]) {
    const BEFORE: Settlement = Settlement::Skipped(SkipReason::SettledBefore);
    let (mut settled, mut told) = (0, 0);
    for effect in effects {
        if let Effect::Receipt(_) = effect {
            told += 1;
        } else if let Effect::Fact(Fact::Settled {
            settlement,
            records,
            ..
        }) = effect
            && *settlement != BEFORE
        {
            settled += records;
        }
    }
    assert_eq!(told, settled, "receipts and settled records: {effects:?}");
}
