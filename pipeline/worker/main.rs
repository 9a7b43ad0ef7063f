//! The program: exit codes only; everything else is in the library.

/// Half of what a record costs is memory that lives shortly, much of it freed by another thread than the one that took it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kustomer_ingest::cli::main()
}
