//! The keys of encodings and of the schema registry.

use ingest_mapping::mapping::node::Content;

use super::reader::{Reader, Section};
use super::{RawBasic, RawEncoding, RawRegistry};

impl Reader<'_> {
    pub(super) fn encoding(&mut self, topic: &Section<'_>) -> RawEncoding {
        let schemas = topic.value("schemas").and_then(|node| {
            let key = topic.path_of("schemas");
            self.leaves(node, &key, "write a list of files: [schemas/order.avsc]")
        });
        RawEncoding {
            place: topic.place.clone(),
            encoding: self.leaf(topic, "encoding"),
            compression: self.leaf(topic, "compression"),
            key_encoding: self.leaf(topic, "key_encoding"),
            schema: self.leaf(topic, "schema"),
            message: self.leaf(topic, "message"),
            schemas,
        }
    }

    pub(super) fn registry(&mut self, root: &Section<'_>) -> Option<RawRegistry> {
        root.value("schema_registry")?;
        let known = &[
            "url",
            "basic",
            "bearer",
            "ca",
            "timeout",
            "cache",
            "cache_bytes",
        ];
        let section = self.section(root, "schema_registry", known);
        let basic = section.value("basic").map(|node| {
            let basic = self.map(node, section.path_of("basic"), &["user", "password"]);
            let password = basic.value("password");
            RawBasic {
                user: self.leaf(&basic, "user"),
                password: password.and_then(|node| self.secret(node, basic.path_of("password"))),
                place: basic.place,
            }
        });
        let bearer = section.value("bearer");
        let bearer = bearer.filter(|node| node.content != Content::Null);
        Some(RawRegistry {
            url: self.leaf(&section, "url"),
            basic,
            bearer: bearer.and_then(|node| self.secret(node, section.path_of("bearer"))),
            ca: self.leaf(&section, "ca"),
            timeout: self.leaf(&section, "timeout"),
            cache: self.leaf(&section, "cache"),
            cache_bytes: self.leaf(&section, "cache_bytes"),
            place: section.place,
        })
    }
}
