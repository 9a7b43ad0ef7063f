//! The keys of `tracing`.

use ingest_mapping::mapping::node::Content;

use super::reader::{Reader, Section};
use super::{At, RawTracing};

impl Reader<'_> {
    pub(super) fn tracing(&mut self, root: &Section<'_>) -> Option<RawTracing> {
        root.value("tracing")?;
        let known = &[
            "endpoint",
            "headers",
            "ca",
            "timeout",
            "interval",
            "queue",
            "ratio",
            "spans_per_second",
        ];
        let section = self.section(root, "tracing", known);
        let mut headers = Vec::new();
        if let Some(node) = section.value("headers") {
            let path = section.path_of("headers");
            if let Content::Map(entries) = &node.content {
                for (key, node) in entries {
                    let value = self.property(node, format!("{path}[{}]", key.name));
                    headers.extend(value.map(|value| At {
                        value,
                        spot: key.place.into(),
                        key: key.name.clone(),
                    }));
                }
            } else {
                let problem = format!("is {}, not a map", node.kind());
                let way_out = "write name: value, or name: { file: /path/of/the/value }";
                self.fault(node.place.into(), &path, problem, way_out);
            }
        }
        Some(RawTracing {
            endpoint: self.leaf(&section, "endpoint"),
            headers,
            ca: self.leaf(&section, "ca"),
            timeout: self.leaf(&section, "timeout"),
            interval: self.leaf(&section, "interval"),
            queue: self.leaf(&section, "queue"),
            ratio: self.leaf(&section, "ratio"),
            spans_per_second: self.leaf(&section, "spans_per_second"),
            place: section.place,
        })
    }
}
