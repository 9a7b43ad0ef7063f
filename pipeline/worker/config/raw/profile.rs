//! The keys of a profile, a file of its own that `probe` writes, and where the configuration names it.

use std::path::Path;

use ingest_mapping::mapping::node::Node;

use super::reader::{Reader, Section};
use super::{RawAnswer, RawJob, RawProfile, RawProfilePlace};
use crate::config::fault::Faults;
use crate::config::settings::profile::ANSWERS;

/// Reads the tree of a profile and reports every fault of shape.
pub(crate) fn read_profile(file: &Path, tree: &Node, faults: &mut Faults) -> RawProfile {
    let mut reader = Reader::new(file, faults);
    let root = reader.root(
        tree,
        &[
            "version",
            "organisation",
            "probed_at",
            "program",
            "answers",
            "jobs",
        ],
    );
    let answers = reader.section(&root, "answers", &ANSWERS);
    let jobs = reader.jobs(&root);
    RawProfile {
        version: reader.leaf(&root, "version"),
        organisation: reader.leaf(&root, "organisation"),
        probed_at: reader.leaf(&root, "probed_at"),
        program: reader.leaf(&root, "program"),
        answers: reader.answers(&answers),
        jobs,
        place: root.place,
    }
}

impl Reader<'_> {
    pub(super) fn profile_place(&mut self, kustomer: &Section<'_>) -> RawProfilePlace {
        let given = kustomer.value("profile").is_some();
        let section = self.section(kustomer, "profile", &["file", "of"]);
        RawProfilePlace {
            given,
            file: self.leaf(&section, "file"),
            of: self.leaf(&section, "of"),
            place: section.place,
        }
    }

    fn answers(&mut self, answers: &Section<'_>) -> Vec<RawAnswer> {
        let there = ANSWERS.into_iter().filter_map(|name| {
            let node = answers.value(name)?;
            let section = self.map(node, answers.path_of(name), &["answer", "evidence"]);
            let way_out = "write the requests and answers that show it, one text each";
            let evidence = section.value("evidence");
            let evidence = evidence
                .and_then(|node| self.leaves(node, &section.path_of("evidence"), way_out))
                .unwrap_or_default();
            Some(RawAnswer {
                name,
                answer: self.leaf(&section, "answer"),
                evidence,
                place: section.place,
            })
        });
        there.collect()
    }

    fn jobs(&mut self, root: &Section<'_>) -> Option<Vec<RawJob>> {
        let Some(node) = root.value("jobs") else {
            return Some(Vec::new());
        };
        let key = root.path_of("jobs");
        let items = self.list(
            node,
            &key,
            "write one entry a job: - { id: …, ended_at: … }",
        )?;
        let known = &["id", "ended_at", "readable_at", "lost_at"];
        let jobs = items.iter().enumerate().map(|(i, item)| {
            let job = self.map(item, format!("{key}[{i}]"), known);
            RawJob {
                id: self.leaf(&job, "id"),
                ended_at: self.leaf(&job, "ended_at"),
                readable_at: self.leaf(&job, "readable_at"),
                lost_at: self.leaf(&job, "lost_at"),
                place: job.place,
            }
        });
        Some(jobs.collect())
    }
}
