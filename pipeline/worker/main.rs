//! The program: exit codes only; everything else is in the library.

fn main() -> std::process::ExitCode {
    kustomer_ingest::cli::main()
}
