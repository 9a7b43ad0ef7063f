//! Why no answer came: refused, not resolved, TLS, timed out, lost.
//!
//! The client library reports it as a chain of errors, not all of them of public types: I/O errors are judged by their
//! kind, the others by their words. The library's outer text includes the address, which may contain a customer's key, so
//! only the innermost error is reported.

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
    let said = match (kind, innermost) {
        (TroubleKind::TimedOut, _) if connecting => "no connection in time".to_owned(),
        (TroubleKind::TimedOut, _) => "no answer in time".to_owned(),
        (_, Some(innermost)) => innermost.to_string(),
        (_, None) => String::new(),
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
        // The TLS layer wraps its own errors as invalid data.
        let tls = io == Some(io::ErrorKind::InvalidData)
            || [
                "certificate",
                "tls handshake",
                "received fatal alert",
                "InvalidMessage",
            ]
            .iter()
            .any(|said| words.contains(said));
        if connecting && tls {
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
