//! From the shape of the file to settings: what each value means, its default and its range.
//!
//! Every check reports and goes on with the next, so that one start shows all faults.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest_core::route::Pipeline;
use ingest_kustomer::BaseUrl;

use super::fault::{Fault, Faults, Spot, nearest};
use super::raw::{At, Leaf, Place, RawConfig, RawDelivery, RawKustomer, RawLog, RawSecret, Scalar};
use super::secret::SecretRef;
use super::settings::{
    BudgetSettings, DeliverySettings, KustomerSettings, LogFormat, LogSettings, QuotaSettings,
    Settings,
};
use super::units::{parse_duration, parse_size, show_duration, show_size};
use super::{defaults, kafka};

/// What to do instead of writing a secret into the file.
pub(super) const SECRET_WAY_OUT: &str = "name its place: { file: /path/of/the/secret } or \
     { env: NAME_OF_A_VARIABLE }; if the file was shared, replace the secret";

/// Collects faults while values are checked.
pub(super) struct Checker<'f> {
    pub(super) file: &'f Path,
    pub(super) faults: &'f mut Faults,
    /// The decoders and mappings that are sound, whatever else is wrong.
    pub(super) pipelines: Vec<Pipeline>,
    /// The mapping files with faults.
    pub(super) untested: Vec<PathBuf>,
}

/// The settings, or `None` when something is missing or wrong; the faults say what.
pub(super) fn settings(raw: &RawConfig, checker: &mut Checker<'_>) -> Option<Settings> {
    let budget = checker.budget(raw);
    let kafka = kafka::settings(&raw.kafka, raw.state_topic.as_ref(), budget, checker);
    let kustomer = checker.kustomer(&raw.kustomer);
    let delivery = checker.delivery(&raw.delivery);
    let admin_listen = checker.parsed(
        &raw.admin_listen,
        defaults::ADMIN_LISTEN,
        "give an IP address and a port, such as 0.0.0.0:9464",
    );
    let log = checker.log(&raw.log);
    let state_dir = match &raw.state_dir {
        Some(leaf) => checker.text(leaf).map(|path| checker.path(&path)),
        None => Some(defaults::state_dir()),
    };
    Some(Settings {
        file: checker.file.to_owned(),
        kafka: kafka?,
        kustomer: kustomer?,
        budget: budget?,
        delivery: delivery?,
        admin_listen: admin_listen?,
        log: log?,
        state_dir: state_dir?,
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
        let request_timeout = self.duration(
            &raw.request_timeout,
            defaults::REQUEST_TIMEOUT,
            Duration::from_millis(100)..=Duration::from_secs(300),
        );
        let max_concurrency = self.whole(&raw.max_concurrency, defaults::MAX_CONCURRENCY, 1..=1000);
        Some(KustomerSettings {
            base_url: base_url?,
            token: token?,
            quota: quota?,
            request_timeout: request_timeout?,
            max_concurrency: usize::try_from(max_concurrency?).ok()?,
        })
    }

    /// Plain http is taken for any host that is not Kustomer's, for a simulator in another container; `check` warns.
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
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = self.whole(&raw.mapper_threads, cores.min(256) as u64, 1..=256);
        Some(DeliverySettings {
            max_delay: max_delay?,
            mapper_threads: usize::try_from(threads?).ok()?,
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
            Some(leaf) => self.text(leaf).and_then(|text| match crate::telemetry::check_level(&text) {
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

    /// A reference to a secret: exactly one of the two keys.
    pub(super) fn secret(&mut self, raw: &RawSecret) -> Option<SecretRef> {
        match (&raw.file, &raw.env) {
            (Some(file), None) => {
                let path = self.text(file)?;
                Some(SecretRef::File(self.path(&path)))
            }
            (None, Some(env)) => {
                let name = self.text(env)?;
                let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if !legal || name.starts_with(|c: char| c.is_ascii_digit()) {
                    // The text may be the secret itself: it is not shown.
                    let way_out = "env names a variable, it does not hold the secret: { env: KUSTOMER_TOKEN }";
                    self.at(env, "is not the name of an environment variable", way_out);
                    return None;
                }
                Some(SecretRef::Env(name))
            }
            (None, None) => {
                let way_out = "write { file: /path/of/the/secret } or { env: NAME_OF_A_VARIABLE }";
                self.fault(raw.place.spot, &raw.place.key, "names no place", way_out);
                None
            }
            (Some(_), Some(env)) => {
                self.at(env, "a secret has one place, not two", "keep file or env");
                None
            }
        }
    }

    /// A path as the configuration names it: relative to the configuration file.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.file
            .parent()
            .unwrap_or_else(|| Path::new(""))
            .join(path)
    }

    /// A text that is not empty. A number or boolean is refused: whether `007` or `yes` was meant, only quotes can say.
    pub(super) fn text(&mut self, leaf: &At<Scalar>) -> Option<String> {
        match &leaf.value {
            Scalar::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Scalar::Text(_) => {
                self.at(leaf, "is empty", "give a text, or leave the key out");
                None
            }
            Scalar::Bool(_) | Scalar::Whole(_) | Scalar::Number(_) => {
                self.at(
                    leaf,
                    &format!("is {}, not a text", leaf.value.kind()),
                    "put it in quotes",
                );
                None
            }
        }
    }

    /// One of a closed list of words.
    pub(super) fn one_of(
        &mut self,
        leaf: &At<Scalar>,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.text(leaf)?;
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let way_out = nearest(&text, words.iter().copied()).map_or_else(
                || format!("use one of {}", words.join(", ")),
                |near| format!("did you mean {near}? it is one of {}", words.join(", ")),
            );
            self.at(leaf, &format!("`{text}` is unknown"), &way_out);
        }
        found
    }

    pub(super) fn whole(
        &mut self,
        leaf: &Leaf,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let way_out = format!("give a whole number, {} to {}", range.start(), range.end());
        match &leaf.value {
            Scalar::Whole(n) => {
                let value = u64::try_from(*n).ok().filter(|n| range.contains(n));
                if value.is_none() {
                    self.at(leaf, &format!("{n} is out of range"), &way_out);
                }
                value
            }
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_) => {
                self.at(
                    leaf,
                    &format!("is {}, not a whole number", leaf.value.kind()),
                    &way_out,
                );
                None
            }
        }
    }

    fn number(&mut self, leaf: &Leaf, default: f64) -> Option<f64> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        match &leaf.value {
            Scalar::Number(n) => Some(*n),
            #[expect(
                clippy::cast_precision_loss,
                reason = "the range that follows is far smaller"
            )]
            Scalar::Whole(n) => Some(*n as f64),
            Scalar::Bool(_) | Scalar::Text(_) => {
                self.at(
                    leaf,
                    &format!("is {}, not a number", leaf.value.kind()),
                    "give a number such as 0.8",
                );
                None
            }
        }
    }

    pub(super) fn duration(
        &mut self,
        leaf: &Leaf,
        default: Duration,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let way_out = format!(
            "{} to {} is allowed",
            show_duration(*range.start()),
            show_duration(*range.end())
        );
        match parse_duration(&leaf.value.to_string()) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => {
                self.at(leaf, &format!("{} is out of range", leaf.value), &way_out);
                None
            }
            Err(problem) => {
                self.at(leaf, &problem, &way_out);
                None
            }
        }
    }

    fn size(
        &mut self,
        leaf: &Leaf,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let way_out = format!(
            "{} to {} is allowed",
            show_size(*range.start()),
            show_size(*range.end())
        );
        match parse_size(&leaf.value.to_string()) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => {
                self.at(leaf, &format!("{} is out of range", leaf.value), &way_out);
                None
            }
            Err(problem) => {
                self.at(leaf, &problem, &way_out);
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr + Copy>(
        &mut self,
        leaf: &Leaf,
        default: T,
        way_out: &str,
    ) -> Option<T> {
        let Some(leaf) = leaf else {
            return Some(default);
        };
        let text = self.text(leaf)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.at(leaf, &format!("`{text}` cannot be read"), way_out);
        }
        value
    }

    pub(super) fn weight(&mut self, leaf: &Leaf) -> Option<NonZeroU32> {
        let weight = self.whole(leaf, 1, 1..=1000)?;
        u32::try_from(weight).ok().and_then(NonZeroU32::new)
    }

    pub(super) fn missing(&mut self, place: &Place, key: &str, way_out: &str) {
        let key = format!("{}.{key}", place.key);
        self.fault(place.spot, &key, "is missing", way_out);
    }

    pub(super) fn at<T>(&mut self, at: &At<T>, problem: &str, way_out: &str) {
        self.fault(at.spot, &at.key, problem, way_out);
    }

    pub(super) fn fault(&mut self, spot: Spot, key: &str, problem: &str, way_out: &str) {
        self.faults.push(Fault {
            file: self.file.to_owned(),
            spot: Some(spot),
            key: key.to_owned(),
            problem: problem.to_owned(),
            way_out: way_out.to_owned(),
        });
    }
}
