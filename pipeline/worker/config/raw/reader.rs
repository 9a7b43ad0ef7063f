//! Walks the tree of a configuration file.

use std::path::Path;

use ingest_mapping::mapping::node::{Content, Key, Node, Place as NodePlace};
use ingest_mapping::mapping::yaml::{YamlFault, yaml_fault};

use super::{
    At, ENCODING_KEYS, Leaf, Place, RawBudget, RawConfig, RawDelivery, RawKafka, RawLog,
    RawMapping, RawProperty, RawRecording, RawSecret, RawTopic, Scalar,
};
use crate::config::fault::{Fault, Faults, Spot, nearest};
use crate::config::secret::SECRET_WAY_OUT;

/// The keys of a configuration.
const KEYS: &[&str] = &[
    "kafka",
    "schema_registry",
    "kustomer",
    "budget",
    "delivery",
    "state",
    "admin",
    "log",
    "debug",
    "pauses",
    "privacy",
    "tracing",
];

/// The tree of a YAML text, or what is wrong with it. No line of the text is shown: it could contain a secret by mistake.
pub(crate) fn tree(text: &str) -> Result<Node, YamlFault> {
    if text
        .lines()
        .all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#'))
    {
        let place = NodePlace { line: 1, column: 1 };
        return Ok(Node {
            place,
            content: Content::Null,
        });
    }
    serde_saphyr::from_str(text).map_err(|error| yaml_fault(text, &error))
}

/// Whether a tree is that of a mapping: it has what only mappings have, and nothing that a configuration has.
pub(crate) fn is_mapping(tree: &Node) -> bool {
    let Content::Map(entries) = &tree.content else {
        return false;
    };
    let has = |known: &[&str]| {
        let mut entries = entries.iter();
        entries.any(|(key, _)| known.contains(&&*key.name))
    };
    has(&["routes", "include"]) && !has(KEYS)
}

/// Reads the tree of `file` and reports every fault of shape.
pub(crate) fn read(file: &Path, tree: &Node, faults: &mut Faults) -> RawConfig {
    let mut reader = Reader::new(file, faults);
    let root = reader.root(tree, KEYS);
    let kafka = reader.kafka(&root);
    let registry = reader.registry(&root);
    let kustomer = reader.kustomer(&root);
    let budget = reader.section(&root, "budget", &["records", "bytes"]);
    let delivery = reader.section(
        &root,
        "delivery",
        &["max_delay", "backfill_after", "mapper_threads"],
    );
    let state = reader.section(&root, "state", &["topic", "dir"]);
    let privacy = reader.section(&root, "privacy", &["suppressed"]);
    let admin = reader.admin(&root);
    let log = reader.section(&root, "log", &["format", "level"]);
    let debug = reader.section(&root, "debug", &["recording"]);
    let recording = reader.section(
        &debug,
        "recording",
        &["steps", "bytes", "personal_data", "dir"],
    );
    RawConfig {
        kafka,
        registry,
        kustomer,
        budget: RawBudget {
            records: reader.leaf(&budget, "records"),
            bytes: reader.leaf(&budget, "bytes"),
        },
        delivery: RawDelivery {
            max_delay: reader.leaf(&delivery, "max_delay"),
            backfill_after: reader.leaf(&delivery, "backfill_after"),
            mapper_threads: reader.leaf(&delivery, "mapper_threads"),
        },
        state_topic: reader.leaf(&state, "topic"),
        state_dir: reader.leaf(&state, "dir"),
        suppressed: reader.leaf(&privacy, "suppressed"),
        admin,
        log: RawLog {
            format: reader.leaf(&log, "format"),
            level: reader.leaf(&log, "level"),
        },
        recording: RawRecording {
            steps: reader.leaf(&recording, "steps"),
            bytes: reader.leaf(&recording, "bytes"),
            personal_data: reader.leaf(&recording, "personal_data"),
            dir: reader.leaf(&recording, "dir"),
        },
        pauses: reader.pauses(&root),
        tracing: reader.tracing(&root),
    }
}

/// A map with its known keys; empty if the section is absent.
pub(super) struct Section<'t> {
    pub(super) place: Place,
    entries: &'t [(Key, Node)],
}

pub(super) struct Reader<'f> {
    file: &'f Path,
    faults: &'f mut Faults,
}

// === impl Section ===

impl<'t> Section<'t> {
    /// The value of a key, unless absent or null.
    pub(super) fn value(&self, name: &str) -> Option<&'t Node> {
        self.entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
            .filter(|node| node.content != Content::Null)
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        if self.place.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place.key)
        }
    }
}

// === impl Reader ===

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f Path, faults: &'f mut Faults) -> Self {
        Self { file, faults }
    }
}

impl Reader<'_> {
    fn kafka(&mut self, root: &Section<'_>) -> RawKafka {
        let kafka = self.section(
            root,
            "kafka",
            &[
                "brokers",
                "group",
                "instance_id",
                "topics",
                "dead_letter_topic",
                "hold_topic",
                "receipts_topic",
                "receipts_of",
                "on_lost_position",
                "properties",
                "drain_timeout",
                "commit_interval",
                "session_timeout",
            ],
        );
        let (topics, topics_given) = self.topics(&kafka);
        RawKafka {
            brokers: self.leaf(&kafka, "brokers"),
            group: self.leaf(&kafka, "group"),
            instance_id: kafka.value("instance_id").and_then(|node| {
                let key = kafka.path_of("instance_id");
                let value = self.property(node, key.clone())?;
                Some(At {
                    value,
                    spot: node.place.into(),
                    key,
                })
            }),
            topics,
            topics_given,
            dead_letter_topic: self.leaf(&kafka, "dead_letter_topic"),
            hold_topic: self.leaf(&kafka, "hold_topic"),
            receipts_topic: self.leaf(&kafka, "receipts_topic"),
            receipts_of: self.leaf(&kafka, "receipts_of"),
            on_lost_position: self.leaf(&kafka, "on_lost_position"),
            properties: self.properties(&kafka),
            drain_timeout: self.leaf(&kafka, "drain_timeout"),
            commit_interval: self.leaf(&kafka, "commit_interval"),
            session_timeout: self.leaf(&kafka, "session_timeout"),
            place: kafka.place,
        }
    }

    fn topics(&mut self, kafka: &Section<'_>) -> (Vec<RawTopic>, bool) {
        let Some(node) = kafka.value("topics") else {
            return (Vec::new(), false);
        };
        let key = kafka.path_of("topics");
        let way_out = "write one entry a topic: - { name: …, mapping: … }";
        let Some(items) = self.list(node, &key, way_out) else {
            return (Vec::new(), false);
        };
        let topics = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let mut known = vec!["name", "format"];
                known.extend(ENCODING_KEYS);
                known.extend(["mapping", "keyed_by", "traffic", "weight"]);
                let topic = self.map(item, format!("{key}[{i}]"), &known);
                RawTopic {
                    name: self.leaf(&topic, "name"),
                    format: self.leaf(&topic, "format"),
                    encoding: self.encoding(&topic),
                    mapping: self.mapping(&topic),
                    keyed_by: self.leaf(&topic, "keyed_by"),
                    traffic: self.leaf(&topic, "traffic"),
                    weight: self.leaf(&topic, "weight"),
                    place: topic.place,
                }
            })
            .collect();
        (topics, true)
    }

    fn mapping(&mut self, topic: &Section<'_>) -> Option<At<RawMapping>> {
        let node = topic.value("mapping")?;
        let key = topic.path_of("mapping");
        let value = match &node.content {
            Content::Text(path) => RawMapping::Path(path.clone()),
            Content::Map(_) => RawMapping::Inline(node.clone()),
            Content::Null | Content::List(_) | Content::Bool(_) | Content::Number(_) => {
                let problem = format!("is {}", node.kind());
                let way_out =
                    "give the path of a mapping file, or the mapping itself: { routes: … }";
                self.fault(node.place.into(), &key, problem, way_out);
                return None;
            }
        };
        Some(At {
            value,
            spot: node.place.into(),
            key,
        })
    }

    fn properties(&mut self, kafka: &Section<'_>) -> Vec<At<RawProperty>> {
        let Some(node) = kafka.value("properties") else {
            return Vec::new();
        };
        let path = kafka.path_of("properties");
        let Content::Map(entries) = &node.content else {
            let problem = format!("is {}, not a map", node.kind());
            self.fault(
                node.place.into(),
                &path,
                problem,
                "write name: value, as librdkafka documents them",
            );
            return Vec::new();
        };
        let mut properties = Vec::new();
        for (key, node) in entries {
            let full = format!("{path}[{}]", key.name);
            let Some(value) = self.property(node, full) else {
                continue;
            };
            properties.push(At {
                value,
                spot: key.place.into(),
                key: key.name.clone(),
            });
        }
        properties
    }

    /// The items of a list.
    pub(super) fn list<'t>(
        &mut self,
        node: &'t Node,
        key: &str,
        way_out: &str,
    ) -> Option<&'t [Node]> {
        if let Content::List(items) = &node.content {
            return Some(items);
        }
        let problem = format!("is {}, not a list", node.kind());
        self.fault(node.place.into(), key, problem, way_out);
        None
    }

    /// The items of a list of single values.
    pub(super) fn leaves(
        &mut self,
        node: &Node,
        key: &str,
        way_out: &str,
    ) -> Option<Vec<At<Scalar>>> {
        let mut all = Some(Vec::new());
        for (i, item) in self.list(node, key, way_out)?.iter().enumerate() {
            let (spot, key) = (item.place.into(), format!("{key}[{i}]"));
            match (Scalar::of(&item.content), &mut all) {
                (Some(value), Some(all)) => all.push(At { value, spot, key }),
                (Some(_), None) => {}
                (None, _) => {
                    self.fault(spot, &key, format!("is {}", item.kind()), way_out);
                    all = None;
                }
            }
        }
        all
    }

    /// A single value, or a reference to one.
    pub(super) fn property(&mut self, node: &Node, key: String) -> Option<RawProperty> {
        if matches!(node.content, Content::Map(_)) {
            return Some(RawProperty::Secret(self.secret_map(node, key)));
        }
        let value = Scalar::of(&node.content);
        if value.is_none() {
            let problem = format!("is {}", node.kind());
            self.fault(
                node.place.into(),
                &key,
                problem,
                "give a text, a number or a boolean",
            );
        }
        value.map(RawProperty::Plain)
    }

    /// A secret, which must be a reference; a literal is refused and not shown.
    pub(super) fn secret(&mut self, node: &Node, key: String) -> Option<RawSecret> {
        if matches!(node.content, Content::Map(_)) {
            return Some(self.secret_map(node, key));
        }
        self.fault(
            node.place.into(),
            &key,
            "a secret must not be in the configuration",
            SECRET_WAY_OUT,
        );
        None
    }

    fn secret_map(&mut self, node: &Node, key: String) -> RawSecret {
        let section = self.map(node, key, &["file", "env"]);
        RawSecret {
            file: self.leaf(&section, "file"),
            env: self.leaf(&section, "env"),
            place: section.place,
        }
    }

    pub(super) fn root<'t>(&mut self, tree: &'t Node, known: &[&str]) -> Section<'t> {
        if tree.content == Content::Null {
            let place = Place {
                spot: tree.place.into(),
                key: String::new(),
            };
            return Section {
                place,
                entries: &[],
            };
        }
        self.map(tree, String::new(), known)
    }

    pub(super) fn section<'t>(
        &mut self,
        root: &Section<'t>,
        name: &str,
        known: &[&str],
    ) -> Section<'t> {
        match root.value(name) {
            Some(node) => self.map(node, root.path_of(name), known),
            None => {
                let place = Place {
                    spot: root.place.spot,
                    key: root.path_of(name),
                };
                Section {
                    place,
                    entries: &[],
                }
            }
        }
    }

    /// A map of known keys; every other key is a fault.
    pub(super) fn map<'t>(&mut self, node: &'t Node, key: String, known: &[&str]) -> Section<'t> {
        let place = Place {
            spot: node.place.into(),
            key,
        };
        let Content::Map(entries) = &node.content else {
            let problem = format!("is {}, not a map", node.kind());
            self.fault(
                node.place.into(),
                &place.key,
                problem,
                &format!("its keys are {}", known.join(", ")),
            );
            return Section {
                place,
                entries: &[],
            };
        };
        let section = Section { place, entries };
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                let way_out = nearest(&key.name, known.iter().copied()).map_or_else(
                    || format!("the keys here are {}", known.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                self.fault(
                    key.place.into(),
                    &section.path_of(&key.name),
                    "unknown key",
                    &way_out,
                );
            }
        }
        section
    }

    pub(super) fn leaf(&mut self, section: &Section<'_>, name: &str) -> Leaf {
        let node = section.value(name)?;
        let key = section.path_of(name);
        let Some(value) = Scalar::of(&node.content) else {
            self.fault(
                node.place.into(),
                &key,
                format!("is {}", node.kind()),
                "give a single value",
            );
            return None;
        };
        Some(At {
            value,
            spot: node.place.into(),
            key,
        })
    }

    pub(super) fn fault(
        &mut self,
        spot: Spot,
        key: &str,
        problem: impl Into<String>,
        way_out: &str,
    ) {
        self.faults.push(Fault {
            file: self.file.to_owned(),
            spot: Some(spot),
            key: key.to_owned(),
            problem: problem.into(),
            way_out: way_out.to_owned(),
        });
    }
}
