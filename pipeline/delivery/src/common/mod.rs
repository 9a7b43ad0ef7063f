//! What every owner uses: the turn that it is handed, delays between attempts, the price of a request, and a map that forgets.

pub mod retry;

pub(crate) mod generations;
#[cfg(test)]
pub(crate) mod instants;
pub(crate) mod price;
pub(crate) mod turn;
