# Short names for the commands of CONTRIBUTING.md. Nothing depends on just: a recipe is a line or three of cargo, or a script.

# list the recipes
default:
    @just --list

# the pure crates' tests, the inner loop; FILTER picks tests by name
core FILTER='':
    cargo test -p ingest-model -p ingest-mapping -p ingest-delivery {{ FILTER }}

# one random schedule, with all that it prints
seed SEED:
    INGEST_SCHEDULE_SEED={{ SEED }} cargo test --workspace --test it schedules_lose_nothing -- --nocapture

# COUNT random schedules, from seed FROM on
schedules COUNT='1000' FROM='0':
    INGEST_SCHEDULES={{ COUNT }} INGEST_SCHEDULES_FROM={{ FROM }} cargo test --workspace --test it schedules_lose_nothing -- --nocapture

# the house rules: directions between modules, file sizes, documents against code
rules:
    cargo test --workspace --test it -- vocabulary structure

# what mappings make of schemas/events, the page of cards, and the requests that follow, written anew: read the difference before you commit it
examples:
    INSTA_UPDATE=always cargo test -p ingest-model -p ingest-mapping -p ingest-delivery --test examples --test presets
    INSTA_UPDATE=always cargo test --test it virtual_time::examples

# every test; those against a real Kafka need a Docker engine
test:
    cargo test --workspace --locked

# format all sources
fmt:
    cargo fmt --all

# formatting, clippy and documentation, with warnings as errors
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Kafka, a simulated Kustomer and the worker in one process, for under a minute
demo:
    cargo run --release -- demo

# what decoding, mapping and one step of the machine take
bench:
    cargo bench --bench pure

# how many instructions a record costs, against the stored counts; needs valgrind
instructions:
    CARGO_INCREMENTAL=0 cargo test --bench instructions

# everything that CI runs, in its order; as root it installs what is missing
check:
    .ci/run
