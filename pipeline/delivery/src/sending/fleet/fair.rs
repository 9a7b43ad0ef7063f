//! Who gets how much of what is to be lent.

/// Shares out `amount` so that nobody gets more than wanted, and whoever gets less than another wanted no more (max-min fair).
pub(super) fn share_out(amount: f64, wanted: &[f64]) -> Vec<f64> {
    let mut given = vec![0.0; wanted.len()];
    let mut order: Vec<(usize, f64)> = wanted.iter().copied().enumerate().collect();
    order.sort_by(|left, right| left.1.total_cmp(&right.1));
    let mut left = amount.max(0.0);
    let mut rest = order.len();
    for (index, want) in order {
        let people = u32::try_from(rest).unwrap_or(u32::MAX);
        let share = want.max(0.0).min(left / f64::from(people.max(1)));
        if let Some(given) = given.get_mut(index) {
            *given = share;
        }
        left -= share;
        rest -= 1;
    }
    given
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_modest_get_all_they_want_and_the_others_the_same() {
        assert_eq!(share_out(1.0, &[0.1, 2.0, 0.6]), [0.1, 0.45, 0.45]);
        assert_eq!(share_out(1.0, &[0.2, 0.1]), [0.2, 0.1]);
        assert_eq!(share_out(0.5, &[]), Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn nothing_is_given_twice_nor_kept_while_somebody_wants_it(
            amount in 0.0_f64..2.0, wanted in prop::collection::vec(0.0_f64..1.0, 1..8),
        ) {
            let given = share_out(amount, &wanted);
            let (sum, wants): (f64, f64) = (given.iter().sum(), wanted.iter().sum());
            prop_assert!((sum - amount.min(wants)).abs() < 1e-9);
            prop_assert!(given.iter().zip(&wanted).all(|(got, want)| got <= want));
        }
    }
}
