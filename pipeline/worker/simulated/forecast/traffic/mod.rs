//! Records, mapped, in the order of their arrival.
//!
//! They are read and mapped once, whatever the number of tiers. Only where records are repeated, all of the input is kept.

mod mapped;
mod repeated;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ingest_model::operation::{CustomerKey, ExternalId, KObject, KlassKind, Operation, Planned};
use ingest_model::outcome::Verdict;
use ingest_model::record::{Offset, Partition, Record, TopicPartition};

pub(super) use self::mapped::Mapped;
use self::mapped::{AsOf, Mapper};
use self::repeated::Rounds;
use super::plan::{Pacing, Plan};
use crate::config::Settings;

/// What the input has next.
#[derive(Debug)]
pub enum Read {
    /// A record. Its partition counts only if it has one of its own.
    Record(Box<Recorded>),
    /// Something that is no record of a configured topic, with its line and the reason.
    Unusable(u64, String),
    /// Nothing any more.
    End,
}

/// A record of the input.
#[derive(Debug)]
pub struct Recorded {
    /// The record. Its offset does not matter.
    pub record: Record,
    /// Whether the input says which partition it is in.
    pub has_partition: bool,
}

/// Where records come from, in the order in which they were written.
pub trait Input: Send {
    /// The next record.
    ///
    /// # Errors
    /// The input cannot be read.
    fn next(&mut self) -> anyhow::Result<Read>;
}

/// A record on its way to the workers.
#[derive(Debug, Clone)]
pub(super) struct Arriving {
    /// When it arrives, from the beginning of the forecast.
    pub(super) at: Duration,
    pub(super) mapped: Mapped,
}

/// What was unusable in the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unusable {
    /// How many lines.
    pub(super) lines: u64,
    /// The first of them, and why.
    pub(super) first: Option<(u64, String)>,
}

/// Makes arrivals of an input.
pub(super) struct Traffic<'i> {
    input: &'i mut dyn Input,
    mapper: Mapper,
    pacing: Pacing,
    partitions: u16,
    customers: Option<u64>,
    companies: Option<u64>,
    /// Records that are repeated; `None` while they are read only once.
    sample: Option<Sample>,
    number: u64,
    /// The first record's time, and the latest arrival.
    begun_ms: Option<i64>,
    latest: Duration,
    offsets: BTreeMap<TopicPartition, i64>,
    unusable: Unusable,
}

/// The input, kept to be repeated.
struct Sample {
    records: Vec<Mapped>,
    rounds: Rounds,
}

/// When the forecast begins by the records' clock, where the input does not say.
const BEGIN_MS: i64 = 1_767_225_600_000;
/// The most records that are kept to be repeated, and the most bytes of them.
const SAMPLE_RECORDS: usize = 200_000;
const SAMPLE_BYTES: usize = 256 << 20;

// === impl Traffic ===

impl<'i> Traffic<'i> {
    pub(super) fn new(
        settings: &Settings,
        plan: &Plan,
        input: &'i mut dyn Input,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            input,
            mapper: Mapper::new(settings)?,
            pacing: plan.pacing,
            partitions: plan.partitions.max(1),
            customers: plan.customers,
            companies: plan.companies,
            sample: None,
            number: 0,
            begun_ms: None,
            latest: Duration::ZERO,
            offsets: BTreeMap::new(),
            unusable: Unusable::default(),
        })
    }

    /// The time of the first arrival, epoch milliseconds.
    pub(super) fn begun_ms(&self) -> i64 {
        self.begun_ms.unwrap_or(BEGIN_MS)
    }

    pub(super) fn unusable(&self) -> &Unusable {
        &self.unusable
    }

    /// The next record. `None` at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Arriving>> {
        let next = match self.pacing {
            Pacing::Recorded(speed) => self.recorded(speed)?,
            Pacing::Once(_) => self.read(AsOf::Event)?.map(|(mapped, has_partition)| {
                let at = self.pacing.at(self.number).unwrap_or_default();
                (at, mapped, has_partition)
            }),
            Pacing::Repeated(_) => self.repeated()?,
        };
        let Some((at, mapped, has_partition)) = next else {
            if self.number == 0 && self.pacing.total() != Some(0) {
                let first = self.unusable.first.as_ref();
                let first =
                    first.map_or_else(String::new, |(line, why)| format!(": line {line}: {why}"));
                bail!("the input has no record{first}");
            }
            return Ok(None);
        };
        self.number += 1;
        Ok(Some(self.placed(at, mapped, has_partition)))
    }

    /// Reads on to the next record.
    fn read(&mut self, as_of: AsOf) -> anyhow::Result<Option<(Mapped, bool)>> {
        let recorded = self.read_raw()?;
        let Some(one) = recorded else {
            return Ok(None);
        };
        let mapped = self.mapper.map(one.record, as_of)?;
        Ok(Some((mapped, one.has_partition)))
    }

    fn read_raw(&mut self) -> anyhow::Result<Option<Recorded>> {
        loop {
            match self.input.next().context("cannot read the input")? {
                Read::Record(recorded) => return Ok(Some(*recorded)),
                Read::Unusable(line, why) => {
                    self.unusable.lines += 1;
                    self.unusable.first.get_or_insert((line, why));
                }
                Read::End => return Ok(None),
            }
        }
    }

    fn recorded(&mut self, speed: f64) -> anyhow::Result<Option<(Duration, Mapped, bool)>> {
        let Some(recorded) = self.read_raw()? else {
            return Ok(None);
        };
        let written = recorded.record.timestamp_ms;
        let as_of = written.map_or(AsOf::Event, AsOf::Written);
        let mapped = self.mapper.map(recorded.record, as_of)?;
        let Some(time_ms) = written.or(mapped.event_ms) else {
            if self.begun_ms.is_some() {
                return Ok(Some((self.latest, mapped, recorded.has_partition)));
            }
            bail!(
                "the first record has neither a time of its own nor an event with one, so it is not known when records \
                 arrive: say it with --rate, such as --rate 50/s, or --backlog all"
            );
        };
        let begun = *self.begun_ms.get_or_insert(time_ms);
        let since = u64::try_from(time_ms.saturating_sub(begun)).unwrap_or(0);
        let since = Duration::from_millis(since).div_f64(speed);
        // What stands behind a record arrives behind it.
        self.latest = self.latest.max(since);
        Ok(Some((self.latest, mapped, recorded.has_partition)))
    }

    fn repeated(&mut self) -> anyhow::Result<Option<(Duration, Mapped, bool)>> {
        if self
            .pacing
            .total()
            .is_some_and(|total| self.number >= total)
        {
            return Ok(None);
        }
        if self.sample.is_none() {
            self.sample = Some(self.read_sample()?);
        }
        let Some(sample) = self.sample.as_ref().filter(|one| !one.records.is_empty()) else {
            return Ok(None);
        };
        let length = sample.records.len() as u64;
        let place = usize::try_from(self.number % length).unwrap_or(0);
        let Some(one) = sample.records.get(place) else {
            return Ok(None);
        };
        let round = sample.rounds.round(self.number / length);
        let renamed = Mapped {
            record: one.record.clone(),
            event_ms: one.event_ms,
            snapshot: one.snapshot,
            arrives_ms: one.arrives_ms,
            verdict: round.renamed(&one.verdict),
            later: one
                .later
                .iter()
                .map(|(after, verdict)| (*after, round.renamed(verdict)))
                .collect(),
        };
        let at = self.pacing.at(self.number).unwrap_or_default();
        Ok(Some((at, renamed, false)))
    }

    fn read_sample(&mut self) -> anyhow::Result<Sample> {
        let mut records: Vec<Mapped> = Vec::new();
        let mut bytes = 0;
        let mut customers: BTreeSet<u64> = BTreeSet::new();
        let mut companies: BTreeSet<u64> = BTreeSet::new();
        while let Some((mapped, _)) = self.read(AsOf::Event)? {
            bytes += mapped.record.payload_bytes();
            if records.len() >= SAMPLE_RECORDS || bytes > SAMPLE_BYTES {
                bail!(
                    "the input is too long to be repeated: give at most {SAMPLE_RECORDS} records of {} MiB, such as the first \
                     lines of it, or play it once with --rate alone",
                    SAMPLE_BYTES >> 20
                );
            }
            customers.extend(customer_of(&mapped.verdict).map(hash));
            companies.extend(company_of(&mapped.verdict).map(hash));
            records.push(mapped);
        }
        let rounds = |wanted: Option<u64>, known: usize, otherwise: u64| {
            wanted.map_or(otherwise, |wanted| wanted.div_ceil(known.max(1) as u64))
        };
        Ok(Sample {
            records,
            rounds: Rounds {
                customers: rounds(self.customers, customers.len(), u64::MAX),
                companies: rounds(self.companies, companies.len(), 1),
            },
        })
    }

    /// Gives a record its place and its time.
    fn placed(&mut self, at: Duration, mut mapped: Mapped, has_partition: bool) -> Arriving {
        let begun = self.begun_ms();
        let record = &mut mapped.record;
        let number = if has_partition {
            u64::try_from(record.position.partition.partition.0).unwrap_or(0)
        } else if let Some(customer) = customer_of(&mapped.verdict) {
            hash(customer)
        } else if let Some(company) = company_of(&mapped.verdict) {
            hash(company)
        } else {
            record.key.as_ref().map_or(self.number, hash)
        };
        let number = i32::try_from(number % u64::from(self.partitions)).unwrap_or(0);
        let partition = TopicPartition {
            topic: record.position.partition.topic.clone(),
            partition: Partition(number),
        };
        let offset = self.offsets.entry(partition.clone()).or_default();
        record.position.partition = partition;
        record.position.offset = Offset(*offset);
        *offset += 1;
        let at_ms = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        record.timestamp_ms = Some(begun.saturating_add(at_ms));
        if self.begun_ms.is_none() {
            mapped.event_ms = record.timestamp_ms;
        }
        let record = &mapped.record;
        let later = mapped.later.iter_mut().map(|(_, verdict)| verdict);
        for verdict in later.chain([&mut mapped.verdict]) {
            noted(verdict, record);
        }
        Arriving { at, mapped }
    }
}

/// Digests note where their events come from.
fn noted(verdict: &mut Verdict, record: &Record) {
    for plan in verdict.planned_mut() {
        if let Operation::KObject(KObject {
            fold: Some(fold), ..
        }) = &mut plan.operation
        {
            fold.partition = record.position.partition.clone();
            for event in &mut fold.events {
                event.offset = record.position.offset;
                event.written_ms = record.timestamp_ms;
            }
        }
    }
}

/// Whom the record is about.
fn customer_of(verdict: &Verdict) -> Option<CustomerKey> {
    planned(verdict).find_map(|one| match &one.operation {
        Operation::KObject(object) if object.klass.kind() == KlassKind::Customers => {
            Some(CustomerKey::ExternalId(Arc::clone(&object.external_id.0)))
        }
        Operation::Identify(_) | Operation::Track(_) | Operation::KObject(_) => {
            let customer = one.operation.customer();
            customer.map(|customer| customer.first().clone())
        }
    })
}

/// The company that it writes or names.
fn company_of(verdict: &Verdict) -> Option<&ExternalId> {
    planned(verdict).find_map(|one| {
        let Operation::KObject(object) = &one.operation else {
            return None;
        };
        match object.klass.kind() {
            KlassKind::Companies => Some(&object.external_id),
            KlassKind::Customers | KlassKind::Objects => object.party.as_deref()?.company.as_ref(),
        }
    })
}

fn planned(verdict: &Verdict) -> impl Iterator<Item = &Planned> {
    verdict.planned().iter()
}

pub(super) fn hash(of: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
