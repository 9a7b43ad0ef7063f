//! Ids that are made of names.

use sha1::{Digest as _, Sha1};
use uuid::{Builder, Uuid};

/// The UUID of a name within a namespace, version 5 of RFC 9562: the same name always gives the same one, in every process
/// and release.
///
/// It is computed two or three times for each record, so SHA-1 comes from a crate that uses the processor's instructions
/// for it.
#[must_use]
pub fn name_id(namespace: &Uuid, name: &[u8]) -> Uuid {
    let hash = Sha1::new_with_prefix(namespace.as_bytes())
        .chain_update(name)
        .finalize();
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash) {
        *byte = hashed;
    }
    Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9562, appendix A.4, and a name of several blocks.
    #[test]
    fn names_have_the_ids_that_the_standard_gives_them() {
        let id = |name: &str| name_id(&Uuid::NAMESPACE_DNS, name.as_bytes()).to_string();
        assert_eq!(
            id("www.example.com"),
            "2ed6657d-e927-568b-95e1-2665a8aea6a2"
        );
        assert_eq!(id(&"a".repeat(200)), "fe30bfa6-ef90-59b3-b108-118411d0f0ab");
    }
}
