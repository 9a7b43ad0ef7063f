//! Why no answer came: refused, not resolved, TLS, too late, lost.
//!
//! The client library says it as a chain of errors whose types are not all public: kinds of I/O errors are read where
//! there are, else the words. The address in its own words may hold a customer's key, so only the innermost error speaks.

use std::error::Error;
use std::io;

use ingest_model::trouble::{Trouble, TroubleKind};

use crate::classify::{NoAnswer, Unanswered};
use crate::settings::BaseUrl;

/// What became of a request that failed.
///
/// Only a failure to connect, or to build the request at all, is known to have sent nothing. A time-out that does not
/// say where it struck counts as lost.
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

/// An error and what led to it.
fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error: &&'a (dyn Error + 'static)| {
        (*error).source()
    })
}
