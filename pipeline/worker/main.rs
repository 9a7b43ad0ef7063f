//! The program: exit codes only; everything else is in the library.

/// Why not the system's: docs/adr/0017.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kustomer_ingest::cli::main()
}
