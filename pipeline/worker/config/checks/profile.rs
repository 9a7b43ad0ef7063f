//! `kustomer.profile`, and the profile that it names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ingest_kustomer::BaseUrl;
use jiff::Timestamp;

use super::Checker;
use crate::config::fault::{Fault, Faults, Spot};
use crate::config::raw::{self, At, Leaf, RawAnswer, RawJob, RawProfile, RawProfilePlace, Scalar};
use crate::config::settings::profile::{
    ANSWERS, Answers, CreatesInJobs, Duplicates, ItemReferences, OldRevisions, ProbedJob, Profile,
    VERSION,
};

/// More than any profile has.
const MAX_BYTES: u64 = 1 << 20;
const ANEW: &str = "let `kustomer-ingest probe` write it anew";

/// Reads a profile.
///
/// # Errors
/// All faults of the file, sorted by place.
pub(in crate::config) fn read(file: &Path) -> Result<Profile, Faults> {
    let mut text = String::new();
    let content = File::open(file).and_then(|file| {
        let mut file = file.take(MAX_BYTES + 1);
        file.read_to_string(&mut text)
    });
    if let Err(error) = content {
        let problem = format!("cannot be read: {error}");
        let way_out = "kustomer.profile.file is the path of what `kustomer-ingest probe` wrote";
        return Err(Fault::of_file(file, problem, way_out).into());
    }
    if text.len() as u64 > MAX_BYTES {
        let problem = format!("has more than {MAX_BYTES} bytes, so it is no profile");
        return Err(Fault::of_file(file, problem, ANEW).into());
    }
    let tree = raw::tree(&text).map_err(|wrong| {
        let spot = Spot::from(wrong.place);
        Fault {
            spot: (spot.line > 0).then_some(spot),
            ..Fault::of_file(file, wrong.problem, wrong.help.unwrap_or_default())
        }
    })?;
    let mut faults = Faults::default();
    let raw = raw::read_profile(file, &tree, &mut faults);
    let mut checker = Checker {
        file,
        faults: &mut faults,
        pipelines: Vec::new(),
        untested: Vec::new(),
    };
    let profile = checker.profile(&raw);
    match profile {
        Some(profile) if faults.is_empty() => Ok(profile),
        _ if faults.is_empty() => Err(Fault::of_file(file, "cannot be used", ANEW).into()),
        _ => Err(faults.sorted()),
    }
}

impl Checker<'_> {
    /// The profile that the configuration names, if it names one. It is of the organisation of `base_url`, or of one that is
    /// named as its sandbox.
    pub(super) fn named_profile(
        &mut self,
        raw: &RawProfilePlace,
        base_url: Option<&BaseUrl>,
    ) -> Option<Option<Profile>> {
        if !raw.given {
            return Some(None);
        }
        let Some(leaf) = &raw.file else {
            let way_out = "name what `kustomer-ingest probe` wrote: { file: profile.yaml }";
            self.missing(&raw.place, "file", way_out);
            return None;
        };
        let path = self.text(leaf).map(|path| self.path(&path));
        let named = match &raw.of {
            Some(leaf) => Some((self.text(leaf)?, leaf)),
            None => None,
        };
        let profile = match read(&path?) {
            Ok(profile) => profile,
            Err(faults) => {
                for fault in faults.all() {
                    self.faults.push(fault.clone());
                }
                return None;
            }
        };
        let of = &profile.organisation;
        if let Some((named, leaf)) = named {
            if !named.eq_ignore_ascii_case(of) {
                let file = profile.file.display();
                let problem = format!("`{named}`: {file} is of {of}");
                self.at(
                    leaf,
                    &problem,
                    "name the organisation that was probed, or its profile",
                );
                return None;
            }
        } else if let Some(here) = base_url.map(BaseUrl::host).filter(|here| here != of) {
            let problem = format!("is of {of}, and kustomer.base_url is of {here}");
            let way_out = format!(
                "if {of} is the sandbox of this organisation, say so: kustomer.profile.of: {of}; else name a profile of {here}"
            );
            self.at(leaf, &problem, &way_out);
            return None;
        }
        Some(Some(profile))
    }

    fn profile(&mut self, raw: &RawProfile) -> Option<Profile> {
        let version = raw.version.as_ref();
        let known = version.is_some_and(|version| version.value == Scalar::Whole(VERSION));
        if !known {
            let spot = version.map_or(raw.place.spot, |version| version.spot);
            let problem = "is not 1, the only one that this program knows";
            self.fault(spot, "version", problem, ANEW);
            return None;
        }
        let organisation = self.given(raw, &raw.organisation, "organisation");
        let probed = self.given(raw, &raw.probed_at, "probed_at");
        let program = self.given(raw, &raw.program, "program");
        let (organisation, probed, program) = (organisation?, probed?, program?);
        let organisation = self.text(organisation);
        let probed = self.time(probed);
        let program = self.text(program);
        let (answers, evidence) = self.answers(&raw.answers)?;
        let jobs = raw.jobs.as_ref()?.iter().map(|job| self.job(job));
        // Every one of them is checked.
        let jobs: Vec<Option<ProbedJob>> = jobs.collect();
        Some(Profile {
            file: self.file.to_owned(),
            organisation: organisation?.to_ascii_lowercase(),
            probed_ms: probed?,
            program: program?,
            answers,
            evidence,
            jobs: jobs.into_iter().collect::<Option<_>>()?,
        })
    }

    fn answers(
        &mut self,
        raw: &[RawAnswer],
    ) -> Option<(Answers, BTreeMap<&'static str, Vec<String>>)> {
        let mut answers = Answers::default();
        let mut evidence = BTreeMap::new();
        let mut sound = true;
        let [
            duplicates,
            first_revision,
            old_revisions,
            references,
            _creates,
        ] = ANSWERS;
        for one in raw {
            let Some(leaf) = &one.answer else {
                self.missing(&one.place, "answer", ANEW);
                sound = false;
                continue;
            };
            let name = one.name;
            let read = if name == first_revision {
                answers.first_revision = self.first_revision(leaf);
                answers.first_revision.is_some()
            } else if name == duplicates {
                let word = self.one_of(leaf, Duplicates::WORDS);
                answers.duplicates = word.and_then(Duplicates::read);
                answers.duplicates.is_some()
            } else if name == old_revisions {
                let word = self.one_of(leaf, OldRevisions::WORDS);
                answers.old_revisions = word.and_then(OldRevisions::read);
                answers.old_revisions.is_some()
            } else if name == references {
                let word = self.one_of(leaf, ItemReferences::WORDS);
                answers.item_references = word.and_then(ItemReferences::read);
                answers.item_references.is_some()
            } else {
                let word = self.one_of(leaf, CreatesInJobs::WORDS);
                answers.creates_in_jobs = word.and_then(CreatesInJobs::read);
                answers.creates_in_jobs.is_some()
            };
            sound &= read;
            let lines = one.evidence.iter().map(|line| line.value.to_string());
            evidence.insert(name, lines.collect());
        }
        sound.then_some((answers, evidence))
    }

    fn first_revision(&mut self, leaf: &At<Scalar>) -> Option<i64> {
        let first = self.whole(&Some(leaf.clone()), 1, 0..=1)?;
        i64::try_from(first).ok()
    }

    fn job(&mut self, raw: &RawJob) -> Option<ProbedJob> {
        let mut told = |leaf: &Leaf, name: &str| {
            if leaf.is_none() {
                self.missing(&raw.place, name, ANEW);
            }
        };
        told(&raw.id, "id");
        told(&raw.ended_at, "ended_at");
        told(&raw.readable_at, "readable_at");
        let (id, ended, readable) = (
            raw.id.as_ref()?,
            raw.ended_at.as_ref()?,
            raw.readable_at.as_ref()?,
        );
        let lost_ms = match &raw.lost_at {
            Some(leaf) => Some(self.time(leaf)?),
            None => None,
        };
        Some(ProbedJob {
            id: self.text(id)?,
            ended_ms: self.time(ended)?,
            readable_ms: self.time(readable)?,
            lost_ms,
        })
    }

    fn given<'l>(
        &mut self,
        raw: &RawProfile,
        leaf: &'l Leaf,
        name: &str,
    ) -> Option<&'l At<Scalar>> {
        if leaf.is_none() {
            self.fault(raw.place.spot, name, "is missing", ANEW);
        }
        leaf.as_ref()
    }

    fn time(&mut self, leaf: &At<Scalar>) -> Option<i64> {
        let text = self.text(leaf)?;
        let time: Option<Timestamp> = text.parse().ok();
        if time.is_none() {
            let way_out = "write a time such as 2026-11-30T12:00:00Z";
            self.at(leaf, &format!("`{text}` is not a time"), way_out);
        }
        time.map(Timestamp::as_millisecond)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn whole() -> Profile {
        let evidence =
            ANSWERS.map(|name| (name, vec![format!("GET /{name} -> 200: \"é\u{2028}\"")]));
        Profile {
            file: PathBuf::from("p.yaml"),
            organisation: "acme.api.kustomerapp.com".to_owned(),
            probed_ms: 1_796_000_000_123,
            program: "1.2.3".to_owned(),
            answers: Answers {
                duplicates: Some(Duplicates::Allowed),
                first_revision: Some(0),
                old_revisions: Some(OldRevisions::Written),
                item_references: Some(ItemReferences::Refused),
                creates_in_jobs: Some(CreatesInJobs::Free),
            },
            evidence: evidence.into_iter().collect(),
            jobs: vec![
                ProbedJob {
                    id: "5b3b".to_owned(),
                    ended_ms: 1,
                    readable_ms: 2,
                    lost_ms: None,
                },
                ProbedJob {
                    id: "007".to_owned(),
                    ended_ms: 1,
                    readable_ms: 2,
                    lost_ms: Some(3),
                },
            ],
        }
    }

    /// What reading the text as a file gives, or the faults.
    fn read_back(text: &str) -> Result<Profile, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.yaml");
        std::fs::write(&file, text).unwrap();
        let folder = format!("{}/", dir.path().display());
        let profile = read(&file).map_err(|faults| faults.to_string().replace(&folder, ""))?;
        Ok(Profile {
            file: PathBuf::from("p.yaml"),
            ..profile
        })
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read_back(&whole().text()), Ok(whole()));
        let empty = Profile {
            answers: Answers::default(),
            evidence: BTreeMap::new(),
            jobs: Vec::new(),
            ..whole()
        };
        assert_eq!(read_back(&empty.text()), Ok(empty));
    }

    proptest! {
        #[test]
        fn whatever_an_organisation_says_is_read_as_it_was_written(said in ".{0,80}") {
            let mut profile = whole();
            profile.evidence.insert(ANSWERS[0], vec![said]);
            prop_assert_eq!(read_back(&profile.text()), Ok(profile));
        }
    }

    #[test]
    fn a_broken_profile_is_told_with_its_line_and_the_way_out() {
        let text = whole().text();
        for (from, to, expected) in [
            ("version: 1", "version: 2", "p.yaml:2:10: version: is not 1"),
            (
                "answer: allowed",
                "answer: alowed",
                "p.yaml:8:13: answers.duplicates.answer: `alowed` is unknown\n    did you mean allowed?",
            ),
            (
                "answer: 0",
                "answer: 2",
                "answers.first_revision.answer: 2 is out of range",
            ),
            (
                "  old_revisions:",
                "  old_revision:",
                "answers.old_revision: unknown key\n    did you mean old_revisions?",
            ),
            ("2026-11", "2026-31", "probed_at: `2026-31"),
            (
                "organisation: \"acme.api.kustomerapp.com\"\n",
                "",
                "organisation: is missing",
            ),
            (
                "    ended_at: \"1970-01-01T00:00:00.001Z\"\n",
                "",
                "jobs[0].ended_at: is missing",
            ),
            ("answers:", "answers", "p.yaml:"),
        ] {
            assert!(text.contains(from), "{from}");
            let faults = read_back(&text.replacen(from, to, 1)).unwrap_err();
            assert!(faults.contains(expected), "{expected} is not in\n{faults}");
        }
        let faults = read(Path::new("no/such/profile.yaml"))
            .unwrap_err()
            .to_string();
        assert!(
            faults.starts_with("no/such/profile.yaml: cannot be read"),
            "{faults}"
        );
    }

    #[test]
    fn a_profile_is_of_this_organisation_or_of_its_named_sandbox() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("p.yaml"), whole().text()).unwrap();
        let told = |base_url: &str, profile: &str| {
            let text = format!(
                "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      mapping:\n        \
                 routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ]\nkustomer:\n  base_url: https://{base_url}\n  limit: 100\n  \
                 token: {{ env: T }}\n  profile: {profile}\n"
            );
            let settings = crate::config::parse(&dir.path().join("w.yaml"), &text);
            settings
                .map(|one| one.kustomer.profile.unwrap().answers)
                .map_err(|faults| faults.to_string())
        };
        let (acme, other) = ("acme.api.kustomerapp.com", "shop.api.kustomerapp.com");
        assert_eq!(told(acme, "{ file: p.yaml }"), Ok(whole().answers));
        assert_eq!(
            told(other, "{ file: p.yaml, of: ACME.api.kustomerapp.com }"),
            Ok(whole().answers)
        );
        let faults = told(other, "{ file: p.yaml }").unwrap_err();
        for part in [
            "w.yaml:13:20: kustomer.profile.file: is of acme",
            "\n    if acme.api",
            "kustomer.profile.of: acme",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
        let faults = told(acme, "{ file: p.yaml, of: shop.api.kustomerapp.com }").unwrap_err();
        assert!(
            faults.contains("kustomer.profile.of: `shop.api.kustomerapp.com`"),
            "{faults}"
        );
        assert!(
            told(acme, "{ of: acme.api.kustomerapp.com }")
                .unwrap_err()
                .contains("profile.file: is missing")
        );
        assert!(
            told(acme, "{ file: q.yaml }")
                .unwrap_err()
                .contains("q.yaml: cannot be read")
        );
    }
}
