//! A profile: what `probe` found out about an organisation that its documentation leaves open.
//!
//! It has only what something reads: answers with which the worker begins in place of caution, and the jobs of which a later `probe`
//! asks whether their results can still be read. What people should know beside that, `probe` prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use ingest_delivery::beliefs::Beliefs;
use jiff::Timestamp;
use serde::Serialize;

/// The version of the file's form.
pub const VERSION: i64 = 1;
/// The names of the answers in the file.
pub const ANSWERS: [&str; 5] = [
    "duplicates",
    "first_revision",
    "old_revisions",
    "item_references",
    "creates_in_jobs",
];

/// Hosts that every organisation of a region shares, so that they do not say which one answers.
pub const SHARED_HOSTS: [&str; 3] = [
    "api.kustomerapp.com",
    "api.prod2.kustomerapp.com",
    "api.prod4.kustomerapp.com",
];

/// What was found out about an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The file that it was read from, or will be written to.
    pub file: PathBuf,
    /// The host of the API that answered, with the port if it is not the usual one.
    pub organisation: String,
    /// When it answered.
    pub probed_ms: i64,
    /// The version of the program that asked.
    pub program: String,
    /// What it answered.
    pub answers: Answers,
    /// Requests and answers that show it, by the answer's name.
    pub evidence: BTreeMap<&'static str, Vec<String>>,
    /// Jobs whose results were read.
    pub jobs: Vec<ProbedJob>,
}

/// What an organisation answered; `None`: that is not settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// A create of an object whose external id another one of its klass has.
    pub duplicates: Option<Duplicates>,
    /// The revision of a new object.
    pub first_revision: Option<i64>,
    /// An update that names an old revision.
    pub old_revisions: Option<OldRevisions>,
    /// Items of bulk requests with `_clientRef`.
    pub item_references: Option<ItemReferences>,
    /// Creates in bulk requests, of which one customer has more than single ones may be in a minute.
    pub creates_in_jobs: Option<CreatesInJobs>,
}

/// A bulk job that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedJob {
    /// Its id.
    pub id: String,
    /// When it was seen to have ended.
    pub ended_ms: i64,
    /// When its results could be read last.
    pub readable_ms: i64,
    /// When they could not be read any more.
    pub lost_ms: Option<i64>,
}

/// The profile in `/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProfileStatus {
    /// The host of the API that answered.
    pub organisation: String,
    /// When.
    pub probed_at: String,
    /// The answers with which the worker began, by name.
    pub answers: BTreeMap<&'static str, String>,
}

/// Answers of a closed list, each with its word in the file.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $variant,)+ }

        impl $name {
            /// Every word.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word in the file.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What a word of the file means.
            #[must_use]
            pub fn read(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// What becomes of a second create of an external id.
    Duplicates {
        /// It is refused, singly and in a bulk request.
        Refused = "refused",
        /// It makes a second object.
        Allowed = "allowed",
        /// It updates the first.
        Updated = "updated",
    }
}

words! {
    /// What becomes of an update with an old revision.
    OldRevisions {
        /// It is refused, singly and in a bulk request.
        Refused = "refused",
        /// It is written.
        Written = "written",
    }
}

words! {
    /// What becomes of items with references.
    ItemReferences {
        /// Results name them.
        Accepted = "accepted",
        /// The request is refused.
        Refused = "refused",
    }
}

words! {
    /// What becomes of many creates for one customer in bulk requests.
    CreatesInJobs {
        /// Some are refused.
        Limited = "limited",
        /// All are written.
        Free = "free",
    }
}

/// A time as people and programs read it.
#[must_use]
pub fn time(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms);
    time.map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
}

// === impl Answers ===

impl Answers {
    /// Those that are settled, by name.
    #[must_use]
    pub fn in_words(&self) -> Vec<(&'static str, String)> {
        let [
            duplicates,
            first_revision,
            old_revisions,
            references,
            creates,
        ] = ANSWERS;
        let first = self.first_revision.map(|first| first.to_string());
        let word = str::to_owned;
        let all = [
            (duplicates, self.duplicates.map(|one| word(one.as_str()))),
            (first_revision, first),
            (
                old_revisions,
                self.old_revisions.map(|one| word(one.as_str())),
            ),
            (
                references,
                self.item_references.map(|one| word(one.as_str())),
            ),
            (creates, self.creates_in_jobs.map(|one| word(one.as_str()))),
        ];
        let settled = all.into_iter();
        settled
            .filter_map(|(name, answer)| Some((name, answer?)))
            .collect()
    }

    /// With what the worker begins.
    #[must_use]
    pub fn beliefs(&self) -> Beliefs {
        Beliefs {
            refuses_duplicates: self.duplicates == Some(Duplicates::Refused),
            first_revision: self.first_revision,
            minds_revisions: self.old_revisions.map(|one| one == OldRevisions::Refused),
            refuses_references: self.item_references == Some(ItemReferences::Refused),
            counts_creates: self
                .creates_in_jobs
                .map(|one| one == CreatesInJobs::Limited),
        }
    }
}

// === impl Profile ===

impl Profile {
    /// What `/status` shows of it.
    #[must_use]
    pub fn status(&self) -> ProfileStatus {
        ProfileStatus {
            organisation: self.organisation.clone(),
            probed_at: time(self.probed_ms),
            answers: self.answers.in_words().into_iter().collect(),
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# What `kustomer-ingest probe` found out. The worker reads it where kustomer.profile names it; what it does with each answer is in docs/setup.md.\n",
        );
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name}{value}").unwrap_or_default();
        };
        line("version: ", &VERSION.to_string());
        line("organisation: ", &quoted(&self.organisation));
        line("probed_at: ", &quoted(&time(self.probed_ms)));
        line("program: ", &quoted(&self.program));
        let answers = self.answers.in_words();
        line("answers:", if answers.is_empty() { " {}" } else { "" });
        for (name, answer) in answers {
            line(&format!("  {name}:"), "");
            line("    answer: ", &answer);
            let evidence = self
                .evidence
                .get(name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            line(
                "    evidence:",
                if evidence.is_empty() { " []" } else { "" },
            );
            for one in evidence {
                line("      - ", &quoted(one));
            }
        }
        line("jobs:", if self.jobs.is_empty() { " []" } else { "" });
        for job in &self.jobs {
            line("  - id: ", &quoted(&job.id));
            line("    ended_at: ", &quoted(&time(job.ended_ms)));
            line("    readable_at: ", &quoted(&time(job.readable_ms)));
            if let Some(lost) = job.lost_ms {
                line("    lost_at: ", &quoted(&time(lost)));
            }
        }
        text
    }
}

/// A text in quotes, on one line whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ if u32::from(c) <= 0xffff => {
                write!(quoted, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            _ => write!(quoted, "\\U{:08x}", u32::from(c)).unwrap_or_default(),
        }
    }
    quoted.push('"');
    quoted
}
