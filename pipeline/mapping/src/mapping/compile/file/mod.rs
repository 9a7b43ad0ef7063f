//! What a file says beside its routes: defaults for them, and other files.

mod defaults;
mod include;

pub(super) use self::defaults::RouteHead;
pub(super) use self::include::documents;
