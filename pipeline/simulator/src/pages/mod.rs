//! Pages for people: an index of the simulator and the timeline of a customer. Self-contained, no
//! script, everything that comes from outside escaped.

mod html;
mod index;
mod style;
mod timeline;
mod views;

pub(crate) use html::title_case;
pub(crate) use index::{Index, index};
pub(crate) use timeline::{no_customer, timeline};
pub use views::{CustomerView, EventView, ObjectView, SessionView, Timeline, TimelineItem};
