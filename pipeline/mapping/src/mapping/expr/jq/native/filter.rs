//! What a native filter is, and what it works with.

use super::super::data::stop::Res;
use super::super::data::value::Val;
use super::super::regex::Regexes;
use crate::mapping::expr::meter::Meter;

/// The values of the arguments. Those that a filter does not take are null.
pub(crate) type Args<'a> = [Val<'a>; 3];

/// A filter: from its input and arguments to its output.
pub(crate) type Plain = for<'a> fn(&Tools<'a>, Val<'a>, Args<'a>) -> Res<'a>;

/// What a filter works with. It sees neither the expression nor its variables.
pub(crate) struct Tools<'a> {
    pub(crate) meter: &'a Meter,
    pub(crate) regexes: Regexes<'a>,
}
