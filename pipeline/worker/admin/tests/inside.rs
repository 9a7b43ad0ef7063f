//! A look inside: memory, and who may have it.

use serde_json::Value;

use super::*;

#[tokio::test]
async fn where_the_memory_is_can_be_asked_for() {
    let running = start().await;
    let (code, said) = running.get("/debug/memory", "*/*").await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, 200);
    let process = &said["process"];
    assert!(process["resident_bytes"].as_u64() > Some(1 << 20), "{said}");
    assert!(said["budget"]["cap_bytes"].is_u64(), "{said}");
}

/// The library is built without it here; the program with it is tried by hand.
#[cfg(not(feature = "heap-profile"))]
#[tokio::test]
async fn a_program_without_a_profiler_says_how_to_get_one() {
    let running = start().await;
    let (code, said) = running.get("/debug/heap", "*/*").await;
    assert_eq!(code, 501);
    assert!(said.contains("--features heap-profile"), "{said}");
    assert!(said.contains("GET /debug/memory"), "{said}");
}
