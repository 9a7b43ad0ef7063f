//! What the API says of the request limit, beside what is configured.

use ingest_model::call::Limits;

use super::finding::Finding;

/// What an answer said of the limit and of what is left of this minute. `configured` is `kustomer.limit`, and `takes` what the worker
/// uses of it at most.
pub(super) fn headroom((configured, takes): (u32, u32), said: &Limits) -> Finding {
    let left = match said.remaining {
        Some(left) => format!("{left} of them left in this minute"),
        None => "not saying how many are left".to_owned(),
    };
    match said.limit {
        None => Finding::ok(format!(
            "requests: the API does not say its limit; kustomer.limit is {configured}, of which the worker takes {takes} at most"
        )),
        Some(limit) if limit < configured => Finding::warning(
            format!(
                "requests: the API allows {limit} a minute, {left}; kustomer.limit says {configured}"
            ),
            format!(
                "set kustomer.limit to {limit}: the worker learns the lower one, but share and reserve are parts of what is set"
            ),
        ),
        Some(limit) if limit > configured => Finding::ok(format!(
            "requests: the API allows {limit} a minute, {left}; kustomer.limit is {configured}, so the rest is never used"
        )),
        Some(limit) => Finding::ok(format!(
            "requests: the API allows {limit} a minute, {left}; the worker takes {takes} at most"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_not_the_configured_one_is_named() {
        for (limit, remaining, expected) in [
            (None, None, "ok: requests: the API does not say its limit"),
            (
                Some(1_000),
                Some(640),
                "ok: requests: the API allows 1000 a minute, 640 of them left",
            ),
            (
                Some(2_000),
                None,
                "ok: requests: the API allows 2000 a minute, not saying how many are left; kustomer.limit is 1000",
            ),
            (
                Some(300),
                Some(0),
                "warning: requests: the API allows 300 a minute, 0 of them left in this minute; kustomer.limit says 1000",
            ),
        ] {
            let said = Limits {
                limit,
                remaining,
                ..Limits::default()
            };
            let found = headroom((1_000, 800), &said).to_string();
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
