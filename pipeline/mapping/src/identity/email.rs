//! Which e-mail addresses are sent.
//!
//! The API refuses a whole body, and so the event, for one address that it does not accept. Its rule is not published
//! (`docs/kustomer-api.md`, section 6). So only addresses that every common validator accepts are sent: ASCII letters, a
//! local part without quotes, a domain with a dot and a last label that is not a number. Addresses with other letters
//! (`jörg@…`, `…@bücher.example`) are real but not accepted everywhere; their owners are found by another key.

/// The longest address, in characters (the limit of the mail protocols).
const MAX_ADDRESS: usize = 254;

/// The longest local part, in characters.
const MAX_LOCAL: usize = 64;

/// The longest label of a domain, in characters.
const MAX_LABEL: usize = 63;

/// Whether an address in lower case may be sent.
pub(super) fn is_legal(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    address.len() <= MAX_ADDRESS && is_local(local) && is_domain(domain)
}

/// Words of letters, digits and some signs, with single dots between them.
fn is_local(local: &str) -> bool {
    let sign = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b);
    let word = |word: &str| !word.is_empty() && word.bytes().all(sign);
    local.len() <= MAX_LOCAL && local.split('.').all(word)
}

/// At least two labels of letters, digits and inner hyphens. The last one is not a number.
fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit_once('.').map(|(_, top)| top);
    let named = top.is_some_and(|top| !top.bytes().all(|b| b.is_ascii_digit()));
    named && domain.split('.').all(label)
}
