//! From the shape of the file to settings: the meaning, default and range of each value.
//!
//! Every check reports its faults and the next one follows, so that one start shows all faults.

mod admin;
mod checker;
mod encodings;
mod kafka;
mod mappings;
mod pauses;
mod privacy;
pub(super) mod profile;
mod reserve;
mod topics;
mod tracing;

use std::time::Duration;

use ingest_kustomer::BaseUrl;

pub(super) use self::checker::Checker;
use super::defaults;
use super::raw::{Leaf, RawConfig, RawDelivery, RawKustomer, RawLog, RawRecording};
use super::settings::{
    BudgetSettings, DeliverySettings, KafkaSettings, KustomerSettings, QuotaSettings,
    RecordingSettings, Settings,
};
use crate::observe::telemetry::{LogFormat, LogSettings, check_level};

/// The settings, or `None` if something is missing or wrong; the faults say what.
pub(super) fn settings(raw: &RawConfig, checker: &mut Checker<'_>) -> Option<Settings> {
    let budget = checker.budget(raw);
    let registry = match &raw.registry {
        Some(registry) => checker.registry(registry).map(Some),
        None => Some(None),
    };
    let kafka = kafka::settings(
        &raw.kafka,
        raw.state_topic.as_ref(),
        budget,
        raw.registry.is_some(),
        checker,
    );
    let kustomer = checker.kustomer(&raw.kustomer);
    let delivery = checker.delivery(&raw.delivery);
    let admin = checker.admin(&raw.admin);
    let log = checker.log(&raw.log);
    let state_dir = match &raw.state_dir {
        Some(leaf) => checker.text(leaf).map(|path| checker.path(&path)),
        None => Some(defaults::state_dir()),
    };
    let suppressed = checker.suppressed(&raw.suppressed);
    let recording = checker.recording(&raw.recording);
    let pausable = kafka.as_ref().map(KafkaSettings::pausable);
    let pauses = match &raw.pauses {
        Some(entries) => checker.pauses(entries, pausable.as_ref()),
        None => None,
    };
    let tracing = match &raw.tracing {
        Some(tracing) => checker.tracing(tracing).map(Some),
        None => Some(None),
    };
    Some(Settings {
        file: checker.file.to_owned(),
        kafka: kafka?,
        registry: registry?,
        kustomer: kustomer?,
        budget: budget?,
        delivery: delivery?,
        admin: admin?,
        log: log?,
        state_dir: state_dir?,
        suppressed: suppressed?,
        recording: recording?,
        pauses: pauses?,
        tracing: tracing?,
    })
}

impl Checker<'_> {
    fn kustomer(&mut self, raw: &RawKustomer) -> Option<KustomerSettings> {
        let base_url = self.base_url(raw);
        let token = match &raw.token {
            Some(token) => self.secret(token),
            None => {
                if !raw.token_given {
                    let way_out =
                        "name its place: { file: /path/of/the/token } or { env: KUSTOMER_TOKEN }";
                    self.missing(&raw.place, "token", way_out);
                }
                None
            }
        };
        let quota = self.quota(raw);
        let reserve_at = match &raw.reserve_at {
            Some(entries) => self.reserve_at(entries, quota),
            None => None,
        };
        let request_timeout = self.duration(
            &raw.request_timeout,
            defaults::REQUEST_TIMEOUT,
            Duration::from_millis(100)..=Duration::from_secs(300),
        );
        let max_concurrency = self.whole(&raw.max_concurrency, defaults::MAX_CONCURRENCY, 1..=1000);
        let creates = self.whole(
            &raw.creates_per_customer,
            defaults::CREATES_PER_CUSTOMER,
            1..=1_000_000,
        );
        let profile = self.named_profile(&raw.profile, base_url.as_ref());
        Some(KustomerSettings {
            base_url: base_url?,
            token: token?,
            quota: quota?,
            reserve_at: reserve_at?,
            request_timeout: request_timeout?,
            max_concurrency: usize::try_from(max_concurrency?).ok()?,
            creates_per_customer: u32::try_from(creates?).ok()?,
            profile: profile?,
        })
    }

    /// Plain http is accepted for any host that is not Kustomer's, for a simulator in another container; `check` warns.
    fn base_url(&mut self, raw: &RawKustomer) -> Option<BaseUrl> {
        let example =
            "give the organisation's address, such as https://example.api.kustomerapp.com";
        let Some(leaf) = &raw.base_url else {
            self.missing(&raw.place, "base_url", example);
            return None;
        };
        let text = self.text(leaf)?;
        let parsed = BaseUrl::parse_insecure(&text).and_then(|url| {
            let theirs = url.as_str().contains("kustomerapp.com");
            if theirs {
                BaseUrl::parse(&text)
            } else {
                Ok(url)
            }
        });
        match parsed {
            Ok(url) => Some(url),
            Err(error) => {
                self.at(leaf, &error.to_string(), example);
                None
            }
        }
    }

    fn quota(&mut self, raw: &RawKustomer) -> Option<QuotaSettings> {
        if raw.limit.is_none() {
            let way_out =
                "give the organisation's requests a minute, as its plan says, such as 1000";
            self.missing(&raw.place, "limit", way_out);
        }
        let limit = self.whole(&raw.limit, 1, 1..=u64::from(QuotaSettings::MAX_LIMIT));
        let share = self.number(&raw.share, defaults::SHARE);
        let reserve = self.whole(
            &raw.reserve,
            limit.unwrap_or_default() / defaults::RESERVE_PART,
            0..=u64::from(QuotaSettings::MAX_LIMIT),
        );
        raw.limit.as_ref()?;
        let limit = u32::try_from(limit?).ok()?;
        match QuotaSettings::try_new(limit, share?, u32::try_from(reserve?).ok()?) {
            Ok(quota) => Some(quota),
            Err((key, problem, way_out)) => {
                let leaf = match key {
                    "share" => &raw.share,
                    "reserve" => &raw.reserve,
                    _ => &raw.limit,
                };
                let leaf = leaf.as_ref().or(raw.limit.as_ref())?;
                self.fault(
                    leaf.spot,
                    &format!("{}.{key}", raw.place.key),
                    &problem,
                    &way_out,
                );
                None
            }
        }
    }

    fn budget(&mut self, raw: &RawConfig) -> Option<BudgetSettings> {
        let records = self.whole(
            &raw.budget.records,
            defaults::BUDGET_RECORDS,
            1000..=10_000_000,
        );
        let bytes = self.size(
            &raw.budget.bytes,
            defaults::BUDGET_BYTES,
            4 << 20..=64 << 30,
        );
        Some(BudgetSettings {
            records: records?,
            bytes: bytes?,
        })
    }

    fn delivery(&mut self, raw: &RawDelivery) -> Option<DeliverySettings> {
        let max_delay = self.duration(
            &raw.max_delay,
            defaults::MAX_DELAY,
            Duration::ZERO..=Duration::from_secs(600),
        );
        let backfill_after = self.backfill_after(&raw.backfill_after);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = self.whole(&raw.mapper_threads, cores.min(256) as u64, 1..=256);
        Some(DeliverySettings {
            max_delay: max_delay?,
            backfill_after: backfill_after?,
            mapper_threads: usize::try_from(threads?).ok()?,
        })
    }

    /// An age, or the word `never`.
    fn backfill_after(&mut self, leaf: &Leaf) -> Option<Option<Duration>> {
        if let Some(never) = leaf
            && never.value.to_string() == "never"
        {
            return Some(None);
        }
        let range = Duration::from_secs(60)..=Duration::from_secs(365 * 86_400);
        self.duration(leaf, defaults::BACKFILL_AFTER, range)
            .map(Some)
    }

    fn recording(&mut self, raw: &RawRecording) -> Option<RecordingSettings> {
        let steps = self.whole(&raw.steps, defaults::RECORDING_STEPS, 0..=10_000_000);
        let bytes = self.size(&raw.bytes, defaults::RECORDING_BYTES, 0..=4 << 30);
        let personal_data = self.yes(&raw.personal_data, false);
        let dir = match &raw.dir {
            Some(leaf) => self.text(leaf).map(|path| self.path(&path)),
            None => Some(defaults::recording_dir()),
        };
        Some(RecordingSettings {
            steps: usize::try_from(steps?).ok()?,
            bytes: usize::try_from(bytes?).ok()?,
            personal_data: personal_data?,
            dir: dir?,
        })
    }

    fn log(&mut self, raw: &RawLog) -> Option<LogSettings> {
        let words: Vec<&str> = LogFormat::ALL.iter().map(|f| f.as_str()).collect();
        let format = match &raw.format {
            None => Some(LogFormat::default()),
            Some(leaf) => self
                .one_of(leaf, &words)
                .and_then(|word| LogFormat::ALL.iter().copied().find(|f| f.as_str() == word)),
        };
        let level = match &raw.level {
            None => Some(defaults::LOG_LEVEL.to_owned()),
            Some(leaf) => self.text(leaf).and_then(|text| match check_level(&text) {
                Ok(()) => Some(text),
                Err(problem) => {
                    self.at(leaf, &problem, "give error, warn, info, debug or trace, or directives such as info,rdkafka=warn");
                    None
                }
            }),
        };
        Some(LogSettings {
            format: format?,
            level: level?,
        })
    }
}
