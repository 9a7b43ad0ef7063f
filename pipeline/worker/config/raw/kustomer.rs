//! The keys of the Kustomer organisation and of what is left to others.

use super::reader::{Reader, Section};
use super::{RawKustomer, RawReserve};

impl Reader<'_> {
    pub(super) fn kustomer(&mut self, root: &Section<'_>) -> RawKustomer {
        let section = self.section(
            root,
            "kustomer",
            &[
                "base_url",
                "token",
                "limit",
                "share",
                "reserve",
                "reserve_at",
                "request_timeout",
                "max_concurrency",
                "creates_per_customer",
                "profile",
            ],
        );
        let token = section.value("token");
        RawKustomer {
            base_url: self.leaf(&section, "base_url"),
            token: token.and_then(|node| self.secret(node, section.path_of("token"))),
            token_given: token.is_some(),
            limit: self.leaf(&section, "limit"),
            share: self.leaf(&section, "share"),
            reserve: self.leaf(&section, "reserve"),
            reserve_at: self.reserves(&section),
            request_timeout: self.leaf(&section, "request_timeout"),
            max_concurrency: self.leaf(&section, "max_concurrency"),
            creates_per_customer: self.leaf(&section, "creates_per_customer"),
            profile: self.profile_place(&section),
            place: section.place,
        }
    }

    fn reserves(&mut self, kustomer: &Section<'_>) -> Option<Vec<RawReserve>> {
        let Some(node) = kustomer.value("reserve_at") else {
            return Some(Vec::new());
        };
        let key = kustomer.path_of("reserve_at");
        let way_out = "write one entry a time: - { days: [mon, tue], from: \"08:00\", to: \"18:00\", zone: Europe/Berlin, reserve: 200 }";
        let items = self.list(node, &key, way_out)?;
        let known = &["days", "from", "to", "zone", "reserve"];
        let read = items.iter().enumerate().map(|(i, item)| {
            let entry = self.map(item, format!("{key}[{i}]"), known);
            RawReserve {
                reserve: self.leaf(&entry, "reserve"),
                times: self.times(&entry),
            }
        });
        Some(read.collect())
    }
}
