//! The public data set as records of a shop's topic: four files, merged by the time since the first day of each.
//!
//! Times are shifted so that all sources begin on [`FIRST_DAY`]; the order within a source stays. Redemptions
//! have only a date: those of one day are spread over its afternoon, in the order of the file. A household is identified a
//! second before it first appears, as in a loyalty programme.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use flate2::read::GzDecoder;
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::{Map, Value, json};

/// The day on which every source begins.
const FIRST_DAY: civil::Date = civil::date(2025, 1, 1);
/// The clicks that an agent wants to see.
pub(super) const TRACKED_CLICKS: [&str; 3] = ["add_to_cart", "payment_error", "support_chat"];

/// What a record is, for the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Basket,
    Coupon,
    Household,
    TrackedClick,
    OtherClick,
}

/// One record of the topic.
#[derive(Debug)]
pub(super) struct SampleRecord {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    /// The customer's external id, which is the record's key.
    pub(super) customer: String,
    pub(super) value: Bytes,
}

/// A basket as it must be in Kustomer at the end.
#[derive(Debug, PartialEq)]
pub(super) struct Basket {
    pub(super) customer: String,
    pub(super) at: Timestamp,
    pub(super) lines: Value,
}

/// All records in the order of their times, and their expected results.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) records: Vec<SampleRecord>,
    pub(super) kinds: BTreeMap<Kind, u64>,
    /// By basket id.
    pub(super) baskets: HashMap<String, Basket>,
    /// Names of the tracking events of each customer, in order.
    pub(super) events: HashMap<String, Vec<String>>,
    /// Age groups of the households that are identified.
    pub(super) ages: HashMap<String, String>,
    /// Clicks by name.
    pub(super) clicks: BTreeMap<String, u64>,
    /// Lines of all baskets.
    pub(super) lines: usize,
}

type Row = BTreeMap<String, String>;

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Basket,
        Self::Coupon,
        Self::Household,
        Self::TrackedClick,
        Self::OtherClick,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Basket => "baskets, `Order Completed`, one object each",
            Self::Coupon => "coupon redemptions, `Coupon Applied`, tracking events",
            Self::Household => "households' demographics, identify",
            Self::TrackedClick => {
                "clicks `add_to_cart`, `payment_error`, `support_chat`, tracking events"
            }
            Self::OtherClick => "all other clicks, skipped (`dropped`)",
        }
    }
}

impl Samples {
    /// Reads the data set's folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut samples = Self::default();
        samples.baskets(&rows(
            &folder.join("completejourney_lines_weeks01-06.csv.gz"),
        )?)?;
        samples.coupons(&rows(
            &folder.join("completejourney_coupon_redemptions.csv.gz"),
        )?)?;
        samples.clicks(&rows(
            &folder.join("retentioneering_ecom_clickstream.csv.gz"),
        )?)?;
        samples.households(&rows(&folder.join("completejourney_demographics.csv.gz"))?)?;
        // stable: records of one source and one time keep their order
        samples.records.sort_by_key(|record| record.at);
        for record in &samples.records {
            *samples.kinds.entry(record.kind).or_default() += 1;
        }
        Ok(samples)
    }

    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u64 {
        self.kinds.values().sum()
    }

    fn put(&mut self, kind: Kind, at: Timestamp, customer: String, mut message: Value) {
        if let Some(message) = message.as_object_mut() {
            message.insert("userId".to_owned(), Value::from(customer.as_str()));
            message.insert("timestamp".to_owned(), Value::from(at.to_string()));
        }
        let value = Bytes::from(message.to_string());
        self.records.push(SampleRecord {
            at,
            kind,
            customer,
            value,
        });
    }

    fn baskets(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let clock = Shift::from(rows.first(), "transaction_timestamp")?;
        let mut baskets: Vec<(&str, Vec<&Row>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for row in rows {
            let id = field(row, "basket_id")?;
            let place = *places.entry(id).or_insert_with(|| {
                baskets.push((id, Vec::new()));
                baskets.len() - 1
            });
            if let Some((_, lines)) = baskets.get_mut(place) {
                lines.push(row);
            }
        }
        for (id, rows) in baskets {
            let first = rows.first().context("a basket without a line")?;
            let customer = household(first)?;
            let at = clock.shifted(field(first, "transaction_timestamp")?)?;
            let mut products = Vec::with_capacity(rows.len());
            let mut lines = Vec::with_capacity(rows.len());
            let mut cents = 0.0;
            for row in &rows {
                let sku = field(row, "product_id")?;
                let quantity: u64 = field(row, "quantity")?.parse()?;
                // what the line cost, as recorded; some are sold by weight, some are free
                let price: f64 = field(row, "sales_value")?.parse()?;
                cents += (price * 100.0).round();
                products.push(json!({"product_id": sku, "quantity": quantity, "price": price}));
                // a whole number has one spelling, even if it was written as a fraction
                let shown: Value = serde_json::from_str(&price.to_string())?;
                lines.push(json!({"sku": sku, "quantity": quantity, "price": shown}));
            }
            self.lines += lines.len();
            let message = json!({
                "type": "track",
                "event": "Order Completed",
                "messageId": format!("basket-{id}"),
                "properties": {
                    "order_id": id,
                    "store_id": field(first, "store_id")?,
                    "total": cents / 100.0,
                    "products": products,
                },
            });
            let basket = Basket {
                customer: customer.clone(),
                at,
                lines: Value::Array(lines),
            };
            self.baskets.insert(id.to_owned(), basket);
            self.put(Kind::Basket, at, customer, message);
        }
        Ok(())
    }

    fn coupons(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let mut by_day: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            by_day
                .entry(field(row, "redemption_date")?)
                .or_default()
                .push(row);
        }
        let first = by_day.values().next().and_then(|day| day.first()).copied();
        let clock = Shift::from(first, "redemption_date")?;
        let mut number = 0;
        for (day, rows) in by_day {
            let noon = clock.shifted(day)? + SignedDuration::from_hours(12);
            let pause = SignedDuration::from_hours(10) / i32::try_from(rows.len())?;
            for (place, row) in rows.into_iter().enumerate() {
                let at = noon + pause * i32::try_from(place)?;
                number += 1;
                let message = json!({
                    "type": "track",
                    "event": "Coupon Applied",
                    "messageId": format!("coupon-{number}"),
                    "properties": {
                        "coupon_id": field(row, "coupon_upc")?,
                        "campaign_id": field(row, "campaign_id")?,
                    },
                });
                let customer = household(row)?;
                let events = self.events.entry(customer.clone()).or_default();
                events.push("Coupon-Applied".to_owned());
                self.put(Kind::Coupon, at, customer, message);
            }
        }
        Ok(())
    }

    fn clicks(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by_key(|row| row.get("timestamp"));
        let clock = Shift::from(rows.first().copied(), "timestamp")?;
        for (number, row) in rows.into_iter().enumerate() {
            let event = field(row, "event")?;
            let customer = field(row, "user_id")?.to_owned();
            let at = clock.shifted(field(row, "timestamp")?)?;
            let mut properties = Map::new();
            for name in [
                "platform",
                "acquisition_channel",
                "user_cohort",
                "user_lifecycle",
            ] {
                properties.insert(name.to_owned(), Value::from(field(row, name)?));
            }
            let message = json!({
                "type": "track",
                "event": event,
                "messageId": format!("click-{number}"),
                "context": {"sessionId": field(row, "session_id")?},
                "properties": properties,
            });
            *self.clicks.entry(event.to_owned()).or_default() += 1;
            let kind = if TRACKED_CLICKS.contains(&event) {
                self.events
                    .entry(customer.clone())
                    .or_default()
                    .push(event.to_owned());
                Kind::TrackedClick
            } else {
                Kind::OtherClick
            };
            self.put(kind, at, customer, message);
        }
        Ok(())
    }

    fn households(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let mut seen: HashMap<String, Timestamp> = HashMap::new();
        for record in &self.records {
            let first = seen.entry(record.customer.clone()).or_insert(record.at);
            *first = record.at.min(*first);
        }
        let start = FIRST_DAY
            .at(0, 0, 0, 0)
            .to_zoned(jiff::tz::TimeZone::UTC)?
            .timestamp();
        for row in rows {
            let customer = household(row)?;
            let at = seen
                .get(&customer)
                .map_or(start, |first| *first - SignedDuration::from_secs(1));
            let traits: Map<String, Value> = row
                .iter()
                .filter(|(name, value)| *name != "household_id" && !value.is_empty())
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect();
            let message = json!({
                "type": "identify",
                "messageId": format!("identify-{customer}"),
                "traits": traits,
            });
            self.ages
                .insert(customer.clone(), field(row, "age")?.to_owned());
            self.put(Kind::Household, at, customer, message);
        }
        Ok(())
    }
}

/// How far the times of one source are shifted.
struct Shift {
    days: jiff::Span,
}

impl Shift {
    fn from(first: Option<&Row>, name: &str) -> anyhow::Result<Self> {
        let first = field(first.context("an empty file")?, name)?;
        let day: civil::Date = first.get(..10).context("a date")?.parse()?;
        Ok(Self {
            days: FIRST_DAY - day,
        })
    }

    fn shifted(&self, text: &str) -> anyhow::Result<Timestamp> {
        let local = match text.parse::<civil::DateTime>() {
            Ok(time) => time,
            Err(_) => text.parse::<civil::Date>()?.at(0, 0, 0, 0),
        };
        let moved = local.checked_add(self.days)?;
        Ok(moved.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
    }
}

fn household(row: &Row) -> anyhow::Result<String> {
    Ok(format!("h-{}", field(row, "household_id")?))
}

fn field<'r>(row: &'r Row, name: &str) -> anyhow::Result<&'r str> {
    row.get(name)
        .map(String::as_str)
        .with_context(|| format!("no column {name}"))
}

/// The rows of a compressed file of comma-separated values without quotes.
fn rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().context("no head line")?.split(',').collect();
    lines
        .map(|line| {
            let values: Vec<&str> = line.split(',').collect();
            anyhow::ensure!(values.len() == names.len(), "{}: {line}", path.display());
            let named = names.iter().zip(values);
            Ok(named
                .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                .collect())
        })
        .collect()
}
