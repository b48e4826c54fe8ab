//! One message, judged and counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::Options;
use super::answer::Answer;
use super::counts::{Counts, Recent};
use crate::proxy::media_type::MediaType;
use crate::wss::SoapVersion;
use crate::wss::names::{WSA, WSA_2004};
use crate::wss::verify::{Trust, VerifiedMessage, Verifier, VerifyError, soap_version};
use crate::xml::Limits;
use crate::xml::libxml::{Element, Tree};

/// Judges messages, from any thread.
pub(super) struct Judge {
    verifier: ArcSwap<Verifier>,
    options: Options,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    counts: Counts,
    recent: Recent,
    last_accepted: Option<Bytes>,
}

/// What the answer tells of an accepted message.
pub(super) struct Accepted {
    /// SHA-256 of the certificate whose key signed the Body.
    pub(super) key: String,
    /// Whether the message had been accepted before.
    pub(super) duplicate: bool,
    /// How many messages had been accepted with it: the order of acceptance.
    pub(super) number: u64,
    /// The parts signed.
    pub(super) parts: String,
}

impl Judge {
    pub(super) fn new(trust: Trust, options: Options) -> Self {
        let judge = Self {
            verifier: ArcSwap::default(),
            options,
            book: Mutex::default(),
        };
        judge.exchange_trust(trust);
        judge
    }

    pub(super) fn exchange_trust(&self, trust: Trust) {
        let last = trust.certificates().last().cloned();
        let trust = match self.options.strict_one_key {
            true => Trust::new(last.into_iter().collect()),
            false => trust,
        };
        let policy = self.options.policy.clone();
        self.verifier.store(Arc::new(Verifier {
            trust,
            policy,
            actor: None,
        }));
    }

    pub(super) fn counts(&self) -> Counts {
        self.book().counts.clone()
    }

    /// The message accepted last.
    pub(super) fn last_accepted(&self) -> Option<Bytes> {
        self.book().last_accepted.clone()
    }

    /// Verifies a message, counts it, and says what to answer.
    pub(super) fn judge(&self, message: &Bytes, content_type: Option<&MediaType>) -> Answer {
        let charset = content_type.and_then(|media_type| media_type.charset());
        let tree = match Tree::parse_as(message, charset, &Limits::default()) {
            Ok(tree) => tree,
            Err(error) => return self.refuse(version_of_type(content_type), &error.into()),
        };
        let version = soap_version(tree.root());
        match self.verifier.load().verify(&tree, self.options.clock.now()) {
            Ok(verified) => {
                self.book().last_accepted = Some(message.clone());
                Answer::accepted(verified.soap_version(), &self.accept(&verified))
            }
            Err(error) => self.refuse(version.unwrap_or_else(|| version_of_type(content_type)), &error),
        }
    }

    fn accept(&self, message: &VerifiedMessage<'_>) -> Accepted {
        let signature = message.body_signature();
        let key = signature.certificate.fingerprint().to_string();
        let parts: Vec<_> = signature
            .parts
            .iter()
            .map(|part| part.place.to_string())
            .collect();
        let identity = self.identity(message).unwrap_or_else(|| signature.value.clone());

        let mut book = self.book();
        let duplicate = book.recent.note(&identity);
        book.counts.accepted += 1;
        book.counts.duplicates += u64::from(duplicate);
        *book.counts.keys.entry(key.clone()).or_default() += 1;
        Accepted {
            key,
            duplicate,
            number: book.counts.accepted,
            parts: parts.join(", "),
        }
    }

    fn refuse(&self, version: SoapVersion, error: &VerifyError) -> Answer {
        let mut book = self.book();
        if matches!(error, VerifyError::Unsigned(_)) {
            book.counts.unsigned += 1;
        } else {
            book.counts.refused += 1;
        }
        book.counts.last_refusal = Some(error.to_string());
        Answer::refused(version, error)
    }

    /// See [`Options::message_id`].
    fn identity(&self, message: &VerifiedMessage<'_>) -> Option<Vec<u8>> {
        let named = self
            .options
            .message_id
            .as_deref()
            .and_then(|name| named(message.body(), name));
        named
            .or_else(|| addressed(message.body()))
            .map(String::into_bytes)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(body: Element<'_>, name: &str) -> Option<String> {
    let payload = body.children().next()?;
    let element = || {
        payload
            .descendants()
            .find(|element| element.local_name() == name)?
            .text()
    };
    payload.attribute("", name).or_else(element)
}

/// `wsa:MessageID`.
fn addressed(body: Element<'_>) -> Option<String> {
    let header = body
        .parent()?
        .children()
        .find(|child| child.local_name() == "Header")?;
    let is_id = |block: &Element<'_>| [WSA, WSA_2004].iter().any(|&wsa| block.is(wsa, "MessageID"));
    header.children().find(is_id)?.text()
}

/// The SOAP version that a media type tells, 1.1 where it tells none.
fn version_of_type(content_type: Option<&MediaType>) -> SoapVersion {
    match content_type.is_some_and(|media_type| media_type.essence() == "application/soap+xml") {
        true => SoapVersion::Soap12,
        false => SoapVersion::Soap11,
    }
}
