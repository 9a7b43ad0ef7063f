//! A profile of the heap: which code holds how much of it. Only a program that is built with the feature `heap-profile` has one.

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum NoProfile {
    /// The program is built without the profiler.
    #[error(
        "this program has no profiler of the heap: one that has is built with --features heap-profile; GET /debug/memory says what there is"
    )]
    NotBuilt,
    /// It was started without it.
    #[error(
        "the profiler is off: start the program with MALLOC_CONF=prof:true,prof_active:true,lg_prof_sample:19 in its environment"
    )]
    Off,
    /// It could not be made.
    #[error("the profile could not be made: {0}")]
    Failed(String),
}

/// What holds the heap now, as `pprof` reads it: samples, one for each 512 KiB that were allocated. Blocks.
///
/// # Errors
/// There is none.
#[cfg(feature = "heap-profile")]
pub fn profile() -> Result<Vec<u8>, NoProfile> {
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or(NoProfile::Off)?;
    let mut control = control.blocking_lock();
    if !control.activated() {
        return Err(NoProfile::Off);
    }
    let profile = control.dump_pprof();
    profile.map_err(|error| NoProfile::Failed(format!("{error:#}")))
}

/// There is none.
///
/// # Errors
/// Always.
#[cfg(not(feature = "heap-profile"))]
pub fn profile() -> Result<Vec<u8>, NoProfile> {
    Err(NoProfile::NotBuilt)
}
