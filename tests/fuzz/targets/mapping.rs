#![no_main]

#[path = "../checks.rs"]
#[expect(dead_code, reason = "another program uses the rest")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::mapping(input));
