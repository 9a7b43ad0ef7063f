//! What every owner uses: the turn that it is handed, delays between attempts, and a map that forgets.

pub mod retry;

pub(crate) mod generations;
pub(crate) mod turn;
