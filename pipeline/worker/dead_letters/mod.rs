//! Dead letters and held records: looked at, and sent back to where they came from.
//!
//! Everything here reads the topic itself, from its first record to its end when the command begins, without joining a
//! consumer group. Letters have no index: a filter costs a read of the whole topic.

mod error;
mod filter;
mod letter;
mod list;
mod progress;
mod replay;
mod show;
mod text;
mod topic;

pub use self::error::DeadLettersError;
pub use self::filter::{Filter, Moment, Selection};
pub use self::letter::LetterPlace;
pub use self::list::{ListOptions, list};
pub(crate) use self::progress::Progress;
pub use self::replay::{ReplayOptions, Replayed, replay};
pub use self::show::{Shown, show};
pub(crate) use self::text::{plain, show_time};
pub use self::topic::LetterTopic;
