//! What `check` says of the profile that `probe` wrote. A file that cannot be used, or is of another organisation, is a fault
//! of the configuration.

use super::finding::Finding;
use crate::config::settings::profile::{CreatesInJobs, Duplicates, Profile, SHARED_HOSTS, time};
use crate::config::{KeyedBy, Settings, defaults};

const DAY_MS: i64 = 86_400_000;
/// An organisation is changed by its people, and the API by Kustomer: after so many days it is asked again.
const MAX_AGE_DAYS: i64 = 180;
/// What the profile amounts to.
pub(super) fn summary(profile: &Profile) -> String {
    let answers = profile.answers.in_words().into_iter();
    let answers = answers.map(|(name, answer)| format!("{name} {answer}"));
    let answers: Vec<String> = answers.collect();
    format!(
        "profile of {}, {}: {}",
        profile.organisation,
        time(profile.probed_ms),
        if answers.is_empty() {
            "no answers".to_owned()
        } else {
            answers.join(", ")
        }
    )
}

/// What deserves a second look.
pub(super) fn warnings(settings: &Settings, now_ms: i64) -> Vec<Finding> {
    let Some(profile) = &settings.kustomer.profile else {
        return Vec::new();
    };
    let file = profile.file.display();
    let mut findings = Vec::new();
    let mut warn = |text: String, way_out: &str| {
        findings.push(Finding::warning(
            format!("kustomer.profile: {file}: {text}"),
            way_out,
        ));
    };
    let days = (now_ms - profile.probed_ms) / DAY_MS;
    if days > MAX_AGE_DAYS {
        warn(
            format!("is {days} days old, and the worker begins with what it says"),
            "let `kustomer-ingest probe` ask again",
        );
    } else if days < 0 {
        warn(
            format!("is of {}, which is still to come", time(profile.probed_ms)),
            "is this machine's clock right, or was that of the one on which it was written wrong?",
        );
    }
    if SHARED_HOSTS.contains(&profile.organisation.as_str()) {
        warn(
            format!(
                "says the region ({}) and not which organisation answered",
                profile.organisation
            ),
            "make sure that it is this one, or its sandbox; better let both be named by their own hosts, https://NAME.api.kustomerapp.com",
        );
    }
    let answers = profile.answers;
    if answers.in_words().is_empty() {
        warn(
            "has no answers, so it changes nothing".to_owned(),
            "let `kustomer-ingest probe` ask, with --yes-create-and-delete",
        );
    }
    let unkeyed = settings.kafka.topics.iter();
    let unkeyed: Vec<&str> = unkeyed
        .filter(|topic| topic.keyed_by == KeyedBy::None)
        .map(|topic| topic.topic.as_str())
        .collect();
    match answers.duplicates {
        Some(Duplicates::Allowed | Duplicates::Updated) if !unkeyed.is_empty() => warn(
            format!(
                "duplicates are not refused, and keyed_by is none for {}: with several replicas an object may be made twice, or an older state may \
                 be written over a newer one",
                unkeyed.join(", ")
            ),
            "if all records of one customer or one object share a partition, say so: keyed_by: customer or keyed_by: object",
        ),
        Some(_) | None => {}
    }
    let creates = settings.kustomer.creates_per_customer;
    if answers.creates_in_jobs == Some(CreatesInJobs::Free)
        && u64::from(creates) != defaults::CREATES_PER_CUSTOMER
    {
        warn(
            format!(
                "creates in bulk requests are not limited, so kustomer.creates_per_customer ({creates}) has no effect until one is"
            ),
            "leave kustomer.creates_per_customer out, or the profile",
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::settings::profile::Answers;

    const NOW_MS: i64 = 1_796_000_000_000;

    /// What is changed in the profile and added to `kustomer`, and what is said of it.
    type Case = (fn(&mut Profile), &'static str, &'static str);

    fn told(change: impl FnOnce(&mut Profile), kustomer: &str) -> String {
        let text = format!(
            "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      mapping:\n        \
             routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ]\nkustomer:\n  base_url: http://127.0.0.1:1\n  limit: 100\n  \
             token: {{ env: T }}\n{kustomer}"
        );
        let mut settings = crate::config::parse(Path::new("w.yaml"), &text).unwrap();
        let mut profile = Profile {
            file: "p.yaml".into(),
            organisation: "acme.api.kustomerapp.com".to_owned(),
            probed_ms: NOW_MS - DAY_MS,
            program: "1".to_owned(),
            answers: Answers {
                duplicates: Some(Duplicates::Refused),
                creates_in_jobs: Some(CreatesInJobs::Free),
                ..Answers::default()
            },
            evidence: std::collections::BTreeMap::new(),
            jobs: Vec::new(),
        };
        change(&mut profile);
        settings.kustomer.profile = Some(profile);
        let told = warnings(&settings, NOW_MS).into_iter();
        told.map(|one| one.to_string() + "\n").collect()
    }

    #[test]
    fn a_profile_is_doubted_for_its_age_its_organisation_and_what_contradicts_the_configuration() {
        assert_eq!(told(|_| {}, ""), "");
        let cases: [Case; 6] = [
            (
                |one| one.probed_ms -= 180 * DAY_MS,
                "",
                "p.yaml: is 181 days old",
            ),
            (|one| one.probed_ms += 3 * DAY_MS, "", "still to come"),
            (
                |one| one.organisation = "api.prod2.kustomerapp.com".to_owned(),
                "",
                "not which organisation",
            ),
            (|one| one.answers = Answers::default(), "", "no answers"),
            (
                |one| one.answers.duplicates = Some(Duplicates::Allowed),
                "",
                "keyed_by is none for t",
            ),
            (|_| {}, "  creates_per_customer: 60\n", "(60) has no effect"),
        ];
        for (change, kustomer, expected) in cases {
            let text = told(change, kustomer);
            assert!(text.contains(expected), "{expected} is not in\n{text}");
            assert_eq!(text.matches("warning: ").count(), 1, "{text}");
        }
    }
}
