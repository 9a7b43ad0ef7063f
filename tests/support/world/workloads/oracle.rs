//! The fewest requests with which anybody could deliver a backlog.
//!
//! From full knowledge: of every object only its last state is written, a hundred objects share a request and one read of
//! its results; browsing is one object for each session; what a customer says of itself rides on one of its events, or else
//! a hundred customers share a request. A checkout event has no bulk form.

use std::collections::BTreeSet;

use super::{Kind, Piece};

/// How many objects share a request.
const ITEMS: u64 = 100;

/// The fewest requests for all of these. If `warm`, it is known who the customers are.
pub(crate) fn fewest(pieces: &[Piece], warm: bool) -> u64 {
    let of = |kind: Kind| pieces.iter().filter(move |piece| piece.kind == kind);
    let distinct =
        |kind: Kind, by: fn(&Piece) -> u64| -> BTreeSet<u64> { of(kind).map(by).collect() };
    let orders = distinct(Kind::Order, |piece| piece.id);
    let sessions = distinct(Kind::View, |piece| piece.id);
    let told: BTreeSet<u64> = distinct(Kind::Checkout, |piece| piece.who);
    let said = distinct(Kind::Identify, |piece| piece.who);
    let alone = said.difference(&told).count();
    let events = u64::try_from(of(Kind::Checkout).count()).expect("few");
    // An event says who its customer is; one search finds a hundred others.
    let unknown: BTreeSet<u64> = pieces
        .iter()
        .filter(|piece| !warm && matches!(piece.kind, Kind::Order | Kind::View))
        .map(|piece| piece.who)
        .filter(|who| !told.contains(who))
        .collect();
    events
        + written(orders.len())
        + written(sessions.len())
        + written(alone)
        + u64::try_from(unknown.len()).expect("few").div_ceil(ITEMS)
}

/// Requests that write so many objects, and learn what became of them.
fn written(objects: usize) -> u64 {
    2 * u64::try_from(objects).expect("few").div_ceil(ITEMS)
}
