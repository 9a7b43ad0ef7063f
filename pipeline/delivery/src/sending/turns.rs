//! Turns between the classes of requests: weighted fair queueing by virtual time.
//!
//! Each class has a pass. The backlogged class with the lowest pass goes next, and its pass grows by its cost over its weight.
//! A class that had nothing to send joins at the current pass, so it neither starves the others with saved-up credit nor
//! waits behind them. No class has strict priority.

use ingest_model::call::Class;

/// Which class goes next.
#[derive(Debug)]
pub(crate) struct Turns {
    pass: [f64; Class::ALL.len()],
    now: f64,
    backlogged: [bool; Class::ALL.len()],
}

/// How many units a class gets for each unit of a class with weight 1. Reads come first because jobs block lanes.
fn weight(class: Class) -> f64 {
    match class {
        Class::Read | Class::Probe => 4.0,
        Class::Resolve | Class::Write => 3.0,
        Class::Track => 2.0,
    }
}

fn index(class: Class) -> usize {
    match class {
        Class::Resolve => 0,
        Class::Track => 1,
        Class::Write => 2,
        Class::Read => 3,
        Class::Probe => 4,
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            pass: [0.0; Class::ALL.len()],
            now: 0.0,
            backlogged: [false; Class::ALL.len()],
        }
    }
}

impl Turns {
    /// Among the classes that have something to send, the one that goes next; `None` if none has.
    #[expect(
        clippy::indexing_slicing,
        reason = "`index` is below the number of classes"
    )]
    pub(crate) fn next(&mut self, has_work: impl Fn(Class) -> bool) -> Option<Class> {
        let mut best: Option<(f64, Class)> = None;
        for class in Class::ALL.iter().copied() {
            let i = index(class);
            let works = has_work(class);
            if works && !self.backlogged[i] {
                self.pass[i] = self.pass[i].max(self.now);
            }
            self.backlogged[i] = works;
            if works && best.is_none_or(|(pass, _)| self.pass[i] < pass) {
                best = Some((self.pass[i], class));
            }
        }
        best.map(|(_, class)| class)
    }

    /// This class has spent one unit.
    #[expect(
        clippy::indexing_slicing,
        reason = "`index` is below the number of classes"
    )]
    pub(crate) fn spend(&mut self, class: Class) {
        let i = index(class);
        self.now = self.pass[i];
        self.pass[i] += 1.0 / weight(class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(turns: &mut Turns, n: usize, works: &[Class]) -> Vec<usize> {
        let mut counts = vec![0; Class::ALL.len()];
        for _ in 0..n {
            let class = turns.next(|c| works.contains(&c)).unwrap();
            turns.spend(class);
            counts[index(class)] += 1;
        }
        counts
    }

    #[test]
    fn units_follow_the_weights() {
        let counts = count(
            &mut Turns::default(),
            900,
            &[Class::Track, Class::Write, Class::Read],
        );
        assert_eq!(counts, [0, 200, 300, 400, 0]);
    }

    #[test]
    fn an_idle_class_saves_no_credit() {
        let mut turns = Turns::default();
        count(&mut turns, 1_000, &[Class::Track]);
        let counts = count(&mut turns, 50, &[Class::Track, Class::Write]);
        let tracks = counts[index(Class::Track)];
        assert!(
            (19..=21).contains(&tracks),
            "two of five, to within one turn: {tracks}"
        );
    }

    #[test]
    fn nothing_to_send_is_nobodys_turn() {
        assert_eq!(Turns::default().next(|_| false), None);
    }
}
