//! A workload as it comes: so many records a second.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::super::carried::mark;
use super::play::{Figures, Play, Spent};
use super::{Kind, PARTITIONS, Piece};

/// Waits are not measured of its beginning, in which nothing is known of customers and jobs.
const WARM_UP: Duration = Duration::from_secs(60);

/// How long records waited for their requests, in order.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    pub(crate) all: Vec<Duration>,
    pub(crate) by_kind: BTreeMap<Kind, Vec<Duration>>,
}

impl Play {
    /// So many records a second for that time, until all of them are delivered. Returns the figures, what came, and how long
    /// records of each kind waited for their requests, in order: all but views, which wait for others of their session on
    /// purpose.
    pub(crate) fn stream(
        &self,
        mut next: impl FnMut() -> Piece,
        rate: f64,
        time: Duration,
    ) -> (Figures, Vec<Piece>, Waits) {
        let mut world = self.world(PARTITIONS);
        self.introduce(&mut world);
        world.carried = Some(BTreeMap::new());
        world.count_requests();
        let (before, began) = (Spent::of(&world), world.elapsed());
        let mut random = StdRng::seed_from_u64(self.seed);
        let (mut pieces, mut marks) = (Vec::new(), Vec::new());
        let mut at = began;
        while at < began + time {
            world.pass_until(at);
            let piece = next();
            let verdict = piece.verdict();
            if piece.kind != Kind::View && at >= began + WARM_UP {
                marks.extend(mark(&verdict).map(|mark| (mark, at, piece.kind)));
            }
            world.put(piece.partition(), verdict);
            pieces.push(piece);
            self.kick(&mut world);
            let uniform: f64 = random.random_range(f64::EPSILON..1.0);
            at += Duration::from_secs_f64(-uniform.ln() / rate);
        }
        assert!(world.run(time * 4), "{:?}", world.settled);
        let mut waits = Waits::default();
        for (mark, arrived, kind) in marks {
            if let Some(waited) = world.waited(&mark, arrived) {
                waits.by_kind.entry(kind).or_default().push(waited);
                waits.all.push(waited);
            }
        }
        waits.all.sort_unstable();
        waits
            .by_kind
            .values_mut()
            .for_each(|all| all.sort_unstable());
        let figures = self.figures(&world, pieces.len(), (began, began), &before);
        (figures, pieces, waits)
    }
}
