//! Why no answer came: refused, not resolved, TLS, timed out, lost.
//!
//! The client library reports it as a chain of errors, not all of them of public types: I/O and TLS errors are judged by
//! their type, the others by their words. The library's outer text includes the address, which may contain a customer's
//! key, so only the innermost error is reported, or the TLS library's with its verdict on the certificate.

use std::error::Error;
use std::io;

use ingest_model::trouble::{Trouble, TroubleKind};

use crate::classify::{NoAnswer, Unanswered};
use crate::settings::BaseUrl;

/// What became of a failed request.
///
/// Only a failure to connect, or to build the request at all, proves that nothing was sent. A time-out at an unknown
/// stage counts as lost.
pub(crate) fn of(error: &reqwest::Error, address: &BaseUrl) -> NoAnswer {
    let connecting = error.is_connect();
    let why = if connecting || error.is_builder() {
        Unanswered::NotSent
    } else {
        Unanswered::Lost
    };
    let kind = if error.is_timeout() {
        TroubleKind::TimedOut
    } else {
        kind_of(error, connecting)
    };
    let innermost = chain(error).last().filter(|_| error.source().is_some());
    let tls = chain(error).find_map(|one| one.downcast_ref::<native_tls::Error>());
    let said = match (kind, tls, innermost) {
        (TroubleKind::TimedOut, _, _) if connecting => "no connection in time".to_owned(),
        (TroubleKind::TimedOut, _, _) => "no answer in time".to_owned(),
        (TroubleKind::Tls, Some(tls), _) => plain(&tls.to_string()),
        (_, _, Some(innermost)) => innermost.to_string(),
        (_, _, None) => String::new(),
    };
    let words = format!("{}: {said}", address.host());
    NoAnswer {
        why,
        trouble: Trouble::of_machines(kind, words.trim_end_matches([':', ' '])),
    }
}

fn kind_of(error: &reqwest::Error, connecting: bool) -> TroubleKind {
    for one in chain(error) {
        let words = one.to_string();
        let io = one.downcast_ref::<io::Error>().map(io::Error::kind);
        if words == "dns error" {
            return TroubleKind::NotResolved;
        }
        if io == Some(io::ErrorKind::ConnectionRefused) {
            return TroubleKind::Refused;
        }
        // A connection that breaks in the handshake is a matter of the network.
        let of_tls =
            one.is::<native_tls::Error>() && !one.source().is_some_and(|e| e.is::<io::Error>());
        if connecting && of_tls {
            return TroubleKind::Tls;
        }
    }
    if connecting {
        TroubleKind::NotConnected
    } else {
        TroubleKind::Lost
    }
}

/// An error and its causes.
fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error: &&'a (dyn Error + 'static)| {
        (*error).source()
    })
}

/// The TLS library's reasons, without its numbers, functions and source files.
///
/// `error:0A000086:SSL routines:some_function:certificate verify failed:ssl/some_file.c:2123: (self-signed certificate)`
/// becomes `certificate verify failed (self-signed certificate)`. Any other text stays as it is.
fn plain(text: &str) -> String {
    // After the last colon there may be a verdict on the certificate.
    let verdict = text.rfind(" (").filter(|_| text.ends_with(')'));
    let verdict = verdict.and_then(|at| text.get(at..)).unwrap_or_default();
    let reasons: Vec<&str> = text
        .split("error:")
        .skip(1)
        .filter_map(|one| one.split(':').nth(3))
        .collect();
    if reasons.is_empty() {
        text.to_owned()
    } else {
        reasons.join(", ") + verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_and_the_verdict_are_what_is_left_of_an_error_of_the_tls_library() {
        for (text, left) in [
            (
                "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:\
                 ssl/statem/statem_clnt.c:2123: (self-signed certificate)",
                "certificate verify failed (self-signed certificate)",
            ),
            (
                "error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:ssl/record/tls.c:80:",
                "wrong version number",
            ),
            (
                "error:80000002:system library:file_open:No such file or directory:a.c:7:calling stat(), \
                 error:0A000126:SSL routines:read_n:unexpected eof:b.c:9:",
                "No such file or directory, unexpected eof",
            ),
            ("unexpected EOF", "unexpected EOF"),
            ("", ""),
        ] {
            assert_eq!(plain(text), left, "{text}");
        }
    }
}
