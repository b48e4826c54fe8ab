//! WS-Security without HTTP: bytes in, [`SignedMessage`] out.
//!
//! A message is read as it arrives ([`MessageReader`]): scanned, its parts digested, the place of the header
//! found. Signing it ([`Protection::sign`]) is one synchronous call with one key. Its own bytes are
//! shared from the first to the last, never copied or changed.

mod envelope;
mod error;
pub mod fault;
mod key_reference;
pub mod key_refused;
pub mod names;
pub mod policy;
pub mod profile;
mod reference;
#[cfg(feature = "sabotage")]
pub mod sabotage;
mod security_header;
mod signature;
mod timestamp;
mod trial;
pub mod verify;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use time::OffsetDateTime;

pub use error::{MessageError, MessageErrorKind, SignError};
pub use profile::Profile;
pub use trial::{TrialError, sign_on_trial};
pub use verify::SelfCheckError;

use crate::keys::{SignatureAlgorithm, Signer};
use crate::xml::Limits;
use crate::xml::encoding::Decoder;
use crate::xml::scan::Scanner;
use crate::xml::splice::splice;
use envelope::{Envelope, Outline};
use key_reference::KeyReference;
use security_header::Digests;
use verify::Expected;

/// The two SOAP versions, told by the Envelope's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoapVersion {
    /// SOAP 1.1, `http://schemas.xmlsoap.org/soap/envelope/`.
    Soap11,
    /// SOAP 1.2, `http://www.w3.org/2003/05/soap-envelope`.
    Soap12,
}

impl SoapVersion {
    /// The Envelope's namespace name.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Soap11 => names::SOAP11,
            Self::Soap12 => names::SOAP12,
        }
    }

    /// The attribute that says whom a header block is for (SOAP 1.1, section 4.2.2; SOAP 1.2 part 1, section 5.2.2).
    const fn actor(self) -> &'static str {
        match self {
            Self::Soap11 => "actor",
            Self::Soap12 => "role",
        }
    }

    /// How `mustUnderstand` says yes.
    const fn true_word(self) -> &'static str {
        match self {
            Self::Soap11 => "1",
            Self::Soap12 => "true",
        }
    }
}

/// How one route's messages are protected: a profile, and what is prepared once for each key.
pub struct Protection {
    profile: Arc<Profile>,
    limits: Limits,
    /// For the key that signed last; it changes with the key.
    prepared: ArcSwapOption<Prepared>,
}

/// The parts of a header that are the same in every message of one key and profile.
struct Prepared {
    signer: Arc<Signer>,
    algorithm: SignatureAlgorithm,
    key_reference: KeyReference,
}

impl Protection {
    /// For the profile.
    #[must_use]
    pub fn new(profile: Profile, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            profile: Arc::new(profile),
            limits,
            prepared: ArcSwapOption::empty(),
        })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Begins to read one message. `charset` is the Content-Type's parameter, if it has one.
    #[must_use]
    pub fn read(&self, charset: Option<&str>) -> MessageReader {
        MessageReader {
            decoder: Decoder::new(charset),
            scanner: Scanner::new(self.limits),
            envelope: Envelope::new(Arc::clone(&self.profile)),
            segments: Segments::default(),
        }
    }

    /// Signs with exactly this key. Synchronous and, for RSA, milliseconds long: call it off the
    /// threads that move bytes.
    ///
    /// # Errors
    /// When the key cannot serve the profile (no such algorithm, …) or refuses to sign, or the message's own
    /// Timestamp has expired.
    pub fn sign(
        &self,
        message: &PlainMessage,
        signer: &Arc<Signer>,
        now: OffsetDateTime,
    ) -> Result<SignedMessage, SignError> {
        self.sign_as(message, signer, now, Digests::Right)
    }

    /// The same with one digest that is wrong, as if its part had been altered on the way: no receiver that verifies
    /// accepts it. To find out how it refuses.
    ///
    /// # Errors
    /// As [`Protection::sign`].
    pub fn sign_as_if_altered(
        &self,
        message: &PlainMessage,
        signer: &Arc<Signer>,
        now: OffsetDateTime,
    ) -> Result<SignedMessage, SignError> {
        self.sign_as(message, signer, now, Digests::FirstWrong)
    }

    fn sign_as(
        &self,
        message: &PlainMessage,
        signer: &Arc<Signer>,
        now: OffsetDateTime,
        digests: Digests,
    ) -> Result<SignedMessage, SignError> {
        let profile = self.signing_profile();
        #[cfg(feature = "sabotage")]
        let now = self.profile.sabotage.map_or(now, |sabotage| sabotage.now(now));
        let prepared = self.prepared(signer)?;
        let edits = security_header::edits(message, &profile, &prepared, now, digests)?;
        let segments = splice(&message.segments, &edits);
        #[cfg(feature = "sabotage")]
        let segments = match self.profile.sabotage {
            Some(sabotage) => sabotage.output(segments),
            None => segments,
        };
        Ok(SignedMessage { segments })
    }

    /// Proves with the second engine that `signed`, the segments of a [`SignedMessage`], is this message, signed with
    /// this key at `now` as the profile has it. Takes several times as long as signing: call it off the threads that
    /// move bytes.
    ///
    /// # Errors
    /// When it is not; then it must not be sent. Or when `goes_on`, which is asked between steps, says no.
    pub fn self_check(
        &self,
        message: &PlainMessage,
        signed: &[Bytes],
        signer: &Signer,
        now: OffsetDateTime,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), SelfCheckError> {
        let (plain, signed) = (message.segments.concat(), signed.concat());
        let expected = Expected {
            profile: &self.profile,
            limits: &self.limits,
            certificate: signer.certificate(),
            chain: signer.chain(),
            now,
        };
        expected.check(&plain, &signed, goes_on)
    }

    /// What the header is made by.
    fn signing_profile(&self) -> Arc<Profile> {
        #[cfg(feature = "sabotage")]
        if let Some(sabotage) = self.profile.sabotage {
            return Arc::new(sabotage.profile(&self.profile));
        }
        Arc::clone(&self.profile)
    }

    fn prepared(&self, signer: &Arc<Signer>) -> Result<Arc<Prepared>, SignError> {
        if let Some(prepared) = self
            .prepared
            .load_full()
            .filter(|prepared| Arc::ptr_eq(&prepared.signer, signer))
        {
            return Ok(prepared);
        }
        let prepared = Prepared {
            signer: Arc::clone(signer),
            algorithm: self
                .profile
                .signature_algorithm
                .unwrap_or_else(|| signer.key_type().auto()),
            key_reference: KeyReference::prepare(&self.signing_profile(), signer)?,
        };
        #[cfg(feature = "sabotage")]
        let prepared = match self.profile.sabotage {
            Some(sabotage) => sabotage.prepared(prepared, &self.profile)?,
            None => prepared,
        };
        let prepared = Arc::new(prepared);
        self.prepared.store(Some(Arc::clone(&prepared)));
        Ok(prepared)
    }
}

/// Reads one plain message as its bytes arrive.
pub struct MessageReader {
    decoder: Decoder,
    scanner: Scanner,
    envelope: Envelope,
    segments: Segments,
}

/// What has been read, as it came; only drips are put together, for each would take more memory around it than in it.
#[derive(Default)]
struct Segments {
    all: Vec<Bytes>,
    drips: BytesMut,
}

impl Segments {
    /// Bytes up to which a piece is a drip.
    const DRIP: usize = 1 << 10;

    fn push(&mut self, text: Bytes) {
        if text.len() > Self::DRIP {
            self.put_drips_together();
            self.all.push(text);
        } else {
            self.drips.extend_from_slice(&text);
        }
    }

    fn put_drips_together(&mut self) -> &[Bytes] {
        if !self.drips.is_empty() {
            self.all.push(std::mem::take(&mut self.drips).freeze());
        }
        &self.all
    }
}

impl MessageReader {
    /// Takes the next bytes of the message; keeps them without copying, but for very few.
    ///
    /// # Errors
    /// As soon as the message can no longer be a SOAP message that we sign.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), MessageError> {
        let text = self.decoder.decode(chunk);
        let text = text.map_err(|error| self.misread(&error))?;
        self.take(text)
    }

    /// The SOAP version, once the Envelope's start tag has been read.
    #[must_use]
    pub fn soap_version(&self) -> Option<SoapVersion> {
        self.envelope.version()
    }

    /// The message is complete.
    ///
    /// # Errors
    /// When something is missing.
    pub fn finish(mut self) -> Result<PlainMessage, MessageError> {
        let text = self.decoder.finish();
        let text = text.map_err(|error| self.misread(&error))?;
        self.take(text)?;
        self.segments.put_drips_together();
        let segments = self.segments.all;
        self.scanner
            .finish(&mut self.envelope)
            .map_err(|refusal| refusal.at(&segments))?;
        let outline = self.envelope.finish().map_err(|refusal| refusal.at(&segments))?;
        Ok(PlainMessage {
            segments,
            outline,
            transcoded: self.decoder.transcodes(),
            disagreement: self.decoder.disagreement().map(str::to_owned),
        })
    }

    fn take(&mut self, text: Bytes) -> Result<(), MessageError> {
        if text.is_empty() {
            return Ok(());
        }
        let result = self.scanner.feed(&text, &mut self.envelope);
        self.segments.push(text);
        result.map_err(|refusal| refusal.at(self.segments.put_drips_together()))
    }

    fn misread(&mut self, error: &crate::xml::encoding::Error) -> MessageError {
        MessageError::in_encoding(error, self.segments.put_drips_together())
    }
}

/// A whole, well-formed SOAP message, not signed yet. It cannot be forwarded.
pub struct PlainMessage {
    segments: Vec<Bytes>,
    outline: Outline,
    transcoded: bool,
    disagreement: Option<String>,
}

impl PlainMessage {
    /// It arrived in another encoding and is in UTF-8 now.
    #[must_use]
    pub fn transcoded(&self) -> bool {
        self.transcoded
    }

    /// It has a Timestamp of its own, for whom our header is for; then none is added.
    #[must_use]
    pub fn has_timestamp(&self) -> bool {
        self.outline.timestamp.is_some()
    }

    /// That byte order mark, charset and XML declaration disagree, in a sentence for the log.
    #[must_use]
    pub fn encoding_disagreement(&self) -> Option<&str> {
        self.disagreement.as_deref()
    }

    /// The Body has a signature of its own with inclusive C14N, which our declaration of wsu on the Body may break.
    #[must_use]
    pub fn breaks_inner_signature(&self) -> bool {
        self.outline.breaks_inner_signature
    }

    /// Its SOAP version.
    #[must_use]
    pub fn soap_version(&self) -> SoapVersion {
        self.outline.version
    }
}

/// A message signed by exactly one key. Only [`Protection::sign`] makes one.
pub struct SignedMessage {
    segments: Vec<Bytes>,
}

impl SignedMessage {
    /// The bytes to send, in order; the sender's own bytes are shared, not copied.
    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The same, for the one time that it is sent.
    #[must_use]
    pub fn into_segments(self) -> Vec<Bytes> {
        self.segments
    }
}
