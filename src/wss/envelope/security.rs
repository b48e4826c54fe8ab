//! The Security header that the message already has for our actor: extended, replaced or refused.

use super::{Envelope, Opening, Place, Timestamp, refuse};
use crate::wss::error::{Reason, Refusal};
use crate::wss::names::{self, WSSE};
use crate::wss::profile::{ExistingSecurityHeader, Layout};
use crate::xml::scan::{EndTag, StartTag};

/// The Security header that is for our actor, in the message as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    None,
    /// Open, and begun at this offset.
    Open(u64),
    Closed,
}

impl Envelope {
    pub(super) fn security_header(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        if self.security != Security::None {
            return refuse(tag, Reason::TwoSecurityHeaders);
        }
        match self.profile.existing_security_header {
            ExistingSecurityHeader::Reject => return refuse(tag, Reason::SecurityHeader),
            ExistingSecurityHeader::Replace => {}
            ExistingSecurityHeader::Extend => {
                self.place = Some(Place::Security(Opening::of(tag)));
                self.namespaces = Some(tag.namespaces.here());
            }
        }
        self.security = Security::Open(tag.source.start());
        Ok(())
    }

    pub(super) fn timestamp(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        match self
            .timestamp
            .replace(Timestamp::beginning_at(tag.source.start()))
        {
            Some(_) => refuse(tag, Reason::TwoTimestamps),
            None => Ok(()),
        }
    }

    /// The Timestamp that is being read.
    pub(super) fn open_timestamp(&mut self) -> Option<&mut Timestamp> {
        self.timestamp.as_mut().filter(|timestamp| timestamp.is_open())
    }

    /// What signs an existing Timestamp stands after it (strict layout; .NET refuses it otherwise).
    pub(super) fn end_in_security(&mut self, tag: &EndTag<'_>) -> Result<(), Refusal> {
        if let Some(timestamp) = self.open_timestamp() {
            timestamp.end()?;
            if self.profile.layout != Layout::LaxTimestampLast {
                self.place = Some(Place::Security(Opening::At(tag.source.end())));
            }
        }
        Ok(())
    }

    /// For our actor or role; an absent one, an empty one and SOAP 1.2's `ultimateReceiver` are one.
    pub(super) fn is_our_security(&self, tag: &StartTag<'_>) -> bool {
        let Some(version) = self.version else { return false };
        let ultimate = |actor: &[u8]| actor.is_empty() || actor == names::ULTIMATE_RECEIVER.as_bytes();
        let actor = tag.attribute(version.namespace(), version.actor()).unwrap_or(b"");
        let ours = self.profile.actor.as_deref().unwrap_or("").as_bytes();
        tag.is(WSSE, "Security") && (actor == ours || (ultimate(actor) && ultimate(ours)))
    }

    pub(super) fn is_in_kept_security(&self) -> bool {
        matches!(self.security, Security::Open(_)) && !self.is_being_replaced()
    }

    pub(super) fn is_being_replaced(&self) -> bool {
        matches!(self.security, Security::Open(_))
            && self.profile.existing_security_header == ExistingSecurityHeader::Replace
    }
}
