//! The keys of `admin`.

use ingest_mapping::mapping::node::Content;

use super::reader::{Reader, Section};
use super::{RawAdmin, RawSecret};

impl Reader<'_> {
    pub(super) fn admin(&mut self, root: &Section<'_>) -> RawAdmin {
        let known = &["listen", "control", "token", "read_token"];
        let section = self.section(root, "admin", known);
        RawAdmin {
            listen: self.leaf(&section, "listen"),
            control: self.leaf(&section, "control"),
            token: self.reference(&section, "token"),
            read_token: self.reference(&section, "read_token"),
        }
    }

    /// A secret that need not be there.
    fn reference(&mut self, section: &Section<'_>, name: &str) -> Option<RawSecret> {
        let node = section.value(name);
        let node = node.filter(|node| node.content != Content::Null)?;
        self.secret(node, section.path_of(name))
    }
}
