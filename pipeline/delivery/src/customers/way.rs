//! What each way to a customer's id is expected to cost, in requests per customer.
//!
//! A search asks about up to a hundred customers but creates none; a bulk create creates up to a hundred but finds none; an
//! identity finds or creates one. Which is cheapest depends on how many wait together, and on the share of those asked about
//! that exist, which is learnt from the answers.

use std::time::Duration;

use super::search::Searches;
use crate::common::price::{BULK, Price};
use ingest_model::batch::MAX_ITEMS;

/// What is assumed before any answer weighs as much as this many answers, half of them "found".
const PRIOR: f64 = 20.0;

/// After this many answers, the older ones count half.
const REMEMBERED: u32 = 2_000;

/// What a way may cost at any price while a search will be free within the minute: four customers a request.
const WORTH: f64 = 0.25;

/// A way to a customer's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// One search for all.
    Search,
    /// One bulk create for all.
    Make,
    /// A request for each.
    Each,
}

/// What decides whether a search is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later {
    pub(super) price: Price,
    /// How long until a search may be sent.
    pub(super) search_in: Duration,
}

/// Which ways are open now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    pub(super) search: Searches,
    pub(super) make: bool,
    pub(super) each: bool,
}

/// How many of the customers asked about existed.
#[derive(Debug, Default)]
pub(super) struct Share {
    asked: u32,
    there: u32,
}

impl Share {
    /// One customer was asked about.
    pub(super) fn note(&mut self, there: bool) {
        if self.asked >= REMEMBERED {
            self.asked /= 2;
            self.there /= 2;
        }
        self.asked += 1;
        self.there += u32::from(there);
    }

    /// The share of the next ones that is expected to exist.
    pub(super) fn there(&self) -> f64 {
        (f64::from(self.there) + PRIOR / 2.0) / (f64::from(self.asked) + PRIOR)
    }
}

impl Ways {
    /// The cheapest way for customers that may be created, if it is worth a request now. `waiting` of them wait together, and
    /// `a_search` of them fit into one search.
    pub(super) fn best(
        self,
        share: &Share,
        waiting: usize,
        a_search: usize,
        later: Later,
    ) -> Option<Way> {
        let there = share.there();
        let search = 1.0 / float(waiting.min(a_search));
        let job = BULK / float(waiting.min(MAX_ITEMS));
        // Those not found are created: after many searches together, after a single one in whatever way is cheapest for so few.
        let rest = if waiting < MAX_ITEMS {
            job.min(1.0 - there)
        } else {
            job * (1.0 - there)
        };
        // Those that exist already are found afterwards, by a search if one is left.
        let duplicates = match self.search {
            Searches::Now => there.min(search),
            Searches::Later | Searches::Never => there,
        };
        let ways = [
            (Way::Each, 1.0, self.each),
            (Way::Search, search + rest, self.search != Searches::Never),
            (Way::Make, job + duplicates, self.make),
        ];
        let cheapest = |search: bool| {
            ways.into_iter()
                .filter(|(way, _, open)| *open && (search || *way != Way::Search))
                .min_by(|(_, one, _), (_, other, _)| one.total_cmp(other))
        };
        let (way, _, _) = cheapest(true)?;
        if way != Way::Search || self.search == Searches::Now {
            return Some(way);
        }
        let (way, cost, _) = cheapest(false)?;
        (cost <= WORTH || later.price.is_worth(cost, later.search_in)).then_some(way)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of customers in memory are far below 2^52"
)]
fn float(number: usize) -> f64 {
    number.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::price::tests::price;

    const ALL: Ways = Ways {
        search: Searches::Now,
        make: true,
        each: true,
    };

    /// A search may be sent in a minute, and a request costs so many seconds.
    fn at(seconds: f64) -> Later {
        Later {
            price: price(crate::common::instants::start(), seconds),
            search_in: Duration::from_secs(60),
        }
    }

    /// The share after that many answers.
    fn share(asked: u32, there: u32) -> Share {
        let mut share = Share::default();
        for n in 0..asked {
            share.note(n < there);
        }
        share
    }

    #[test]
    fn the_cheapest_way_depends_on_company_and_on_who_is_there() {
        for (asked, there, waiting, way) in [
            // Nothing is known.
            (0, 0, 1, Way::Each),
            (0, 0, 2, Way::Each),
            (0, 0, 3, Way::Search),
            (0, 0, 10_000, Way::Search),
            // Nobody exists.
            (2_000, 0, 2, Way::Each),
            (2_000, 0, 3, Way::Make),
            (2_000, 0, 10_000, Way::Make),
            // Nearly all exist.
            (1_000, 950, 3, Way::Search),
            (1_000, 950, 10_000, Way::Search),
        ] {
            let best = ALL.best(&share(asked, there), waiting, 100, at(1e6));
            assert_eq!(best, Some(way), "{there} of {asked}, {waiting} wait");
        }
    }

    #[test]
    fn once_searches_are_used_up_permits_are_spent_where_they_gain_enough() {
        let later = Ways {
            search: Searches::Later,
            ..ALL
        };
        let few = share(1_000, 100);
        let most = share(1_000, 800);
        assert_eq!(later.best(&few, 500, 100, at(1e6)), Some(Way::Make));
        assert_eq!(
            later.best(&most, 500, 100, at(1e6)),
            None,
            "a search is near"
        );
        assert_eq!(later.best(&most, 500, 100, at(0.0)), Some(Way::Make));
        // Each of them costs 0.8 requests or more now, and a minute's wait else.
        assert_eq!(later.best(&most, 500, 100, at(60.0)), Some(Way::Make));
        assert_eq!(later.best(&most, 500, 100, at(90.0)), None);
        let all = share(2_000, 2_000);
        assert_eq!(later.best(&all, 500, 100, at(0.0)), Some(Way::Each));
    }

    #[test]
    fn without_a_search_nobody_waits_for_one() {
        let never = Ways {
            search: Searches::Never,
            ..ALL
        };
        let most = share(1_000, 800);
        assert_eq!(never.best(&most, 500, 100, at(1e6)), Some(Way::Make));
        let only = |make, each| Ways {
            make,
            each,
            ..never
        };
        let nobody = share(1_000, 0);
        assert_eq!(
            only(false, true).best(&nobody, 500, 100, at(1e6)),
            Some(Way::Each)
        );
        assert_eq!(
            only(true, false).best(&nobody, 1, 100, at(1e6)),
            Some(Way::Make)
        );
        assert_eq!(only(false, false).best(&nobody, 1, 100, at(0.0)), None);
    }

    #[test]
    fn the_share_follows_what_is_seen() {
        let mut share = share(10_000, 0);
        assert!(share.there() < 0.01);
        for _ in 0..6_000 {
            share.note(true);
        }
        assert!(share.there() > 0.9, "{}", share.there());
    }
}
