//! Why the admin listener was not reached, as what to do about it.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::causes::{causes, innermost};

/// A sentence that follows "cannot reach the admin listener at URL: ".
pub(super) fn sentence(error: &(dyn Error + 'static)) -> String {
    if let Some(tls) = causes(error).find_map(of_tls) {
        return tls_sentence(tls);
    }
    let deepest = innermost(error);
    format!("{deepest}; is countersign running there? (--admin URL)")
}

fn tls_sentence(error: &rustls::Error) -> String {
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    // Of an authority that was made anew with its old name, the signature is wrong.
    const NOT_TRUSTED: [CertificateError; 2] =
        [CertificateError::UnknownIssuer, CertificateError::BadSignature];
    if let InvalidMessage(_) = error {
        return "it does not speak TLS; write --admin http://…".to_owned();
    }
    if let InvalidCertificate(reason) = error
        && NOT_TRUSTED.contains(reason)
    {
        return "its certificate is of nobody that is trusted here; pass its authority's as --ca PEM"
            .to_owned();
    }
    error.to_string()
}

/// What an I/O error is made of is not among its sources.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(within) => of_tls(within),
        None => error.downcast_ref(),
    }
}
