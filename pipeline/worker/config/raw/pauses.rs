//! The keys of `pauses`, and of times that come every week.

use super::reader::{Reader, Section};
use super::{RawPause, RawTimes};

const WAY_OUT: &str = "write one entry a pause: - { name: night, topic: shop.imports, from: \"22:00\", to: \"06:00\", zone: Europe/Berlin }";

impl Reader<'_> {
    pub(super) fn pauses(&mut self, root: &Section<'_>) -> Option<Vec<RawPause>> {
        let Some(node) = root.value("pauses") else {
            return Some(Vec::new());
        };
        let items = self.list(node, "pauses", WAY_OUT)?;
        let known = &[
            "name",
            "topic",
            "route",
            "destination",
            "days",
            "from",
            "to",
            "zone",
            "until",
            "reason",
        ];
        let read = items.iter().enumerate().map(|(i, item)| {
            let entry = self.map(item, format!("pauses[{i}]"), known);
            RawPause {
                name: self.leaf(&entry, "name"),
                topic: self.leaf(&entry, "topic"),
                route: self.leaf(&entry, "route"),
                destination: self.leaf(&entry, "destination"),
                until: self.leaf(&entry, "until"),
                reason: self.leaf(&entry, "reason"),
                times: self.times(&entry),
            }
        });
        Some(read.collect())
    }

    /// `days`, `from`, `to` and `zone`.
    pub(super) fn times(&mut self, entry: &Section<'_>) -> RawTimes {
        let days = entry.value("days");
        let days_key = entry.path_of("days");
        let named = days
            .and_then(|node| self.leaves(node, &days_key, "write a list of days: [mon, tue, wed]"));
        RawTimes {
            days_sound: named.is_some() || days.is_none(),
            days: named,
            from: self.leaf(entry, "from"),
            to: self.leaf(entry, "to"),
            zone: self.leaf(entry, "zone"),
            place: entry.place.clone(),
        }
    }
}
