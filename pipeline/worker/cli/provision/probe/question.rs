//! What is asked, and how it was answered.

/// Something that the documentation of the API leaves open and a sandbox can settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Is a second object of an external id refused?
    Duplicates,
    /// Is an update that names an old revision refused?
    Revisions,
    /// May items of bulk requests carry `_clientRef`?
    ItemReferences,
    /// Do answers about bulk jobs stand in `data`?
    JobAnswers,
    /// Does an object keep the `createdAt` that it is given?
    CreatedAt,
    /// May a bulk request be larger than others?
    BulkSize,
    /// Do creates in bulk requests count against the limit of their customer?
    CreatesInJobs,
    /// May `meta` of events have other types than those documented?
    MetaTypes,
    /// Does a 429 say when requests are answered again?
    LimitAnswer,
    /// Can the results of earlier jobs still be read?
    ResultsKept,
}

/// The answer to a question that can be answered with yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// Nobody knows.
    NotSettled,
}

/// How a question was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) question: Question,
    pub(super) verdict: Verdict,
    /// What follows, or why it is not settled.
    pub(super) answer: String,
    /// The requests and answers that show it.
    pub(super) evidence: Vec<String>,
}

// === impl Question ===

impl Question {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 10] = [
        Self::Duplicates,
        Self::Revisions,
        Self::ItemReferences,
        Self::JobAnswers,
        Self::CreatedAt,
        Self::BulkSize,
        Self::CreatesInJobs,
        Self::MetaTypes,
        Self::ResultsKept,
        Self::LimitAnswer,
    ];

    /// Its name in arguments and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicates => "duplicates",
            Self::Revisions => "revisions",
            Self::ItemReferences => "item-references",
            Self::JobAnswers => "job-answers",
            Self::CreatedAt => "created-at",
            Self::BulkSize => "bulk-size",
            Self::CreatesInJobs => "creates-in-jobs",
            Self::MetaTypes => "meta-types",
            Self::LimitAnswer => "limit-answer",
            Self::ResultsKept => "results-kept",
        }
    }

    /// The question of that name.
    ///
    /// # Errors
    /// What the names are.
    pub fn read(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
            format!("`{name}`: it is one of {}", names.join(", "))
        })
    }

    /// In words.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Duplicates => "Is a second object of the same external id refused?",
            Self::Revisions => "Is an update that names an old revision refused?",
            Self::ItemReferences => "May items of bulk requests carry _clientRef?",
            Self::JobAnswers => "Do answers about bulk jobs stand in `data`?",
            Self::CreatedAt => "Does an object keep the createdAt that it is given?",
            Self::BulkSize => "May a bulk request have more than 100 kB?",
            Self::CreatesInJobs => {
                "Do creates in bulk requests count against the limit of their customer?"
            }
            Self::MetaTypes => "May meta of events have more than numbers, times and texts?",
            Self::LimitAnswer => "Does a 429 say when requests are answered again?",
            Self::ResultsKept => "Can the results of the earlier jobs still be read?",
        }
    }

    /// What has to be said for it to be asked.
    pub(super) fn consent(self) -> &'static str {
        match self {
            Self::MetaTypes => "--yes-leave-events",
            Self::LimitAnswer => "--yes-use-up-a-minute",
            Self::ResultsKept => "--earlier FILE",
            Self::Duplicates
            | Self::Revisions
            | Self::ItemReferences
            | Self::JobAnswers
            | Self::CreatedAt
            | Self::BulkSize
            | Self::CreatesInJobs => "--yes-create-and-delete",
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// In words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotSettled => "not settled",
        }
    }

    /// Yes or no.
    pub(super) fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}
