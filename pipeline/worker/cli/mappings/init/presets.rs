//! The shipped mappings, each with events to try it with.

use std::borrow::Cow;
use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::Value;

use crate::cli::exit::CommandError;
use crate::config::nearest;

/// A shipped mapping.
#[derive(Debug)]
pub(super) struct Preset {
    /// Its name, which is that of its format.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) what: &'static str,
    pub(super) mapping: &'static str,
    /// Whether its topics usually have the customer as their key.
    pub(super) keyed: bool,
    events: Events,
}

#[derive(Debug)]
enum Events {
    /// One on each line.
    Lines(&'static str),
    /// Whole documents.
    Documents(&'static [&'static str]),
}

macro_rules! preset {
    ($name:literal, $what:literal, $($event:literal),+) => {
        Preset {
            name: $name,
            what: $what,
            mapping: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/mappings/", $name, ".yaml")),
            keyed: false,
            events: Events::Documents(&[$(include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/schemas/events/", $name, "/valid/", $event, ".json"
            ))),+]),
        }
    };
}

const PRESETS: &[Preset] = &[
    Preset {
        name: "segment",
        what: "events of Segment and RudderStack",
        mapping: include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schemas/mappings/segment.yaml"
        )),
        keyed: true,
        events: Events::Lines(include_str!("events.ndjson")),
    },
    preset!(
        "shopify",
        "webhooks of Shopify",
        "customer-created",
        "order-created",
        "fulfillment"
    ),
    preset!(
        "stripe",
        "events of Stripe",
        "customer-updated",
        "invoice-paid",
        "charge-refunded"
    ),
    preset!(
        "woocommerce",
        "webhooks of WooCommerce",
        "customer-created",
        "order-created",
        "order-completed"
    ),
    preset!(
        "commercetools",
        "messages of commercetools",
        "customer-created",
        "order-created",
        "order-shipped"
    ),
    preset!(
        "easypost",
        "EasyPost's trackers",
        "tracker-created",
        "tracker-in-transit",
        "tracker-delivered"
    ),
    preset!(
        "aftership",
        "AfterShip's trackings",
        "of-a-buyer",
        "tracking-intransit",
        "tracking-delivered"
    ),
    preset!(
        "debezium",
        "a shop's tables, as Debezium writes them",
        "customer-created",
        "order-created",
        "order-deleted"
    ),
    preset!(
        "cloudevents",
        "orders in CloudEvents",
        "order-placed",
        "order-updated",
        "order-cancelled"
    ),
];

/// Other names of presets, for those whose messages have the same form.
const ALSO: &[(&str, &str)] = &[("rudderstack", "segment")];

/// The names of all presets.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

impl Preset {
    /// The preset with that name.
    pub(super) fn named(name: &str) -> Result<&'static Self, CommandError> {
        let also = ALSO.iter().find(|(also, _)| *also == name);
        let wanted = also.map_or(name, |(_, preset)| preset);
        PRESETS
            .iter()
            .find(|one| one.name == wanted)
            .ok_or_else(|| {
                let near = nearest(name, names()).map(|near| format!("; did you mean {near}?"));
                CommandError::Usage(format!(
                    "--preset {name}: there is no such mapping{} There are {}",
                    near.unwrap_or_else(|| ".".to_owned()),
                    names().collect::<Vec<_>>().join(", ")
                ))
            })
    }

    /// The events, one on each line, and how many they are.
    pub(super) fn events(&self) -> anyhow::Result<(Cow<'static, str>, usize)> {
        match self.events {
            Events::Lines(text) => Ok((Cow::Borrowed(text), text.lines().count())),
            Events::Documents(documents) => {
                let mut text = String::new();
                for document in documents {
                    let event: Value = serde_json::from_str(document)
                        .with_context(|| format!("an event of {}", self.name))?;
                    writeln!(text, "{event}")?;
                }
                Ok((Cow::Owned(text), documents.len()))
            }
        }
    }
}
