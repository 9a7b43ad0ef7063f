//! What each way to a customer's id is expected to cost, in requests for each customer.
//!
//! A search asks for up to a hundred at once but makes nobody; a bulk create makes up to a hundred but finds nobody; an
//! identity finds or makes one. Which is cheapest depends on how many wait together, and on how many of those who are asked
//! for are there already, which is learnt from the answers.

use super::search::Searches;
use ingest_model::batch::MAX_ITEMS;

/// Requests of a bulk create: itself, and the reads of its job.
const JOB: f64 = 2.2;

/// As good as that many answers, half of them "found": what is known before anybody was asked for.
const PRIOR: f64 = 20.0;

/// Answers after which the older ones count half.
const REMEMBERED: u32 = 2_000;

/// What a way may cost while permits are scarce if a cheaper one is to be had within the minute: four customers a request.
const WORTH: f64 = 0.25;

/// A way to the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// One search for all.
    Search,
    /// One bulk create for all.
    Make,
    /// A request each.
    Each,
}

/// Which ways there are now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    pub(super) search: Searches,
    pub(super) make: bool,
    pub(super) each: bool,
}

/// How many of those who were asked for were there.
#[derive(Debug, Default)]
pub(super) struct Share {
    asked: u32,
    there: u32,
}

impl Share {
    /// One was asked for.
    pub(super) fn note(&mut self, there: bool) {
        if self.asked >= REMEMBERED {
            self.asked /= 2;
            self.there /= 2;
        }
        self.asked += 1;
        self.there += u32::from(there);
    }

    /// The part of the next ones that is expected to be there.
    pub(super) fn there(&self) -> f64 {
        (f64::from(self.there) + PRIOR / 2.0) / (f64::from(self.asked) + PRIOR)
    }
}

impl Ways {
    /// The way for customers that may be made: the cheapest, if it is worth a request now. `waiting` of them wait together,
    /// and `a_search` of them fit into one search.
    pub(super) fn best(
        self,
        share: &Share,
        waiting: usize,
        a_search: usize,
        plenty: bool,
    ) -> Option<Way> {
        let there = share.there();
        let search = 1.0 / float(waiting.min(a_search));
        let job = JOB / float(waiting.min(MAX_ITEMS));
        // Who is not found is made: those of many searches together, those of one as cheaply as so few can be.
        let rest = if waiting < MAX_ITEMS {
            job.min(1.0 - there)
        } else {
            job * (1.0 - there)
        };
        // Who exists already is found afterwards, by a search if there is one left.
        let duplicates = match self.search {
            Searches::Now => there.min(search),
            Searches::Later | Searches::Never => there,
        };
        let ways = [
            (Way::Each, 1.0, self.each),
            (Way::Search, search + rest, self.search != Searches::Never),
            (Way::Make, job + duplicates, self.make),
        ];
        let cheapest = |later: bool| {
            ways.into_iter()
                .filter(|(way, _, open)| *open && (later || *way != Way::Search))
                .min_by(|(_, one, _), (_, other, _)| one.total_cmp(other))
        };
        let (way, _, _) = cheapest(true)?;
        if way != Way::Search || self.search == Searches::Now {
            return Some(way);
        }
        let (way, cost, _) = cheapest(false)?;
        (plenty || cost <= WORTH).then_some(way)
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

    const ALL: Ways = Ways {
        search: Searches::Now,
        make: true,
        each: true,
    };

    /// A share after that many answers.
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
            // Nobody is there.
            (2_000, 0, 2, Way::Each),
            (2_000, 0, 3, Way::Make),
            (2_000, 0, 10_000, Way::Make),
            // Nearly everybody is.
            (1_000, 950, 3, Way::Search),
            (1_000, 950, 10_000, Way::Search),
        ] {
            let best = ALL.best(&share(asked, there), waiting, 100, false);
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
        assert_eq!(later.best(&few, 500, 100, false), Some(Way::Make));
        assert_eq!(later.best(&most, 500, 100, false), None, "a search is near");
        assert_eq!(later.best(&most, 500, 100, true), Some(Way::Make));
        let all = share(2_000, 2_000);
        assert_eq!(later.best(&all, 500, 100, true), Some(Way::Each));
    }

    #[test]
    fn without_a_search_nobody_waits_for_one() {
        let never = Ways {
            search: Searches::Never,
            ..ALL
        };
        let most = share(1_000, 800);
        assert_eq!(never.best(&most, 500, 100, false), Some(Way::Make));
        let only = |make, each| Ways {
            make,
            each,
            ..never
        };
        let nobody = share(1_000, 0);
        assert_eq!(
            only(false, true).best(&nobody, 500, 100, false),
            Some(Way::Each)
        );
        assert_eq!(
            only(true, false).best(&nobody, 1, 100, false),
            Some(Way::Make)
        );
        assert_eq!(only(false, false).best(&nobody, 1, 100, true), None);
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
