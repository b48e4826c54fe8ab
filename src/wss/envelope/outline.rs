//! What was found of a message: all that signing needs besides the key.

use super::timestamp::Timestamp;
use crate::wss::SoapVersion;
use crate::wss::reference::Reference;
use crate::xml::namespace::Namespaces;
use crate::xml::scan::StartTag;
use crate::xml::splice::Edit;

/// A well-formed message, by its offsets.
pub(in crate::wss) struct Outline {
    pub(in crate::wss) version: SoapVersion,
    /// The Envelope's prefix; empty where SOAP is the default namespace.
    pub(in crate::wss) prefix: String,
    pub(in crate::wss) place: Place,
    /// In scope at `place`.
    pub(in crate::wss) namespaces: Namespaces,
    /// Ids for the parts, and the header that is replaced.
    pub(in crate::wss) edits: Vec<Edit>,
    /// The parts of the message that are signed, digested.
    pub(in crate::wss) references: Vec<Reference>,
    /// The Timestamp that our Security header already has.
    pub(in crate::wss) timestamp: Option<Timestamp>,
    /// The Body has a signature of its own that our declaration of wsu may break.
    pub(in crate::wss) breaks_inner_signature: bool,
}

/// Where the security elements go.
pub(in crate::wss) enum Place {
    /// There is no Header; one goes in at this offset.
    NewHeader(u64),
    /// First in the Header, within a Security header of our own.
    Header(Opening),
    /// Into the Security header that is there.
    Security(Opening),
}

/// How content gets into an element.
pub(in crate::wss) enum Opening {
    /// At this offset.
    At(u64),
    /// Into an empty-element tag, whose own `/` and `>` are used again.
    Empty {
        /// Offset of the `/`.
        slash: u64,
        /// The element's name as written.
        name: String,
    },
}

impl Opening {
    pub(super) fn of(tag: &StartTag<'_>) -> Self {
        let end = tag.source.end();
        if tag.is_empty {
            Self::Empty {
                slash: end - 2,
                name: String::from_utf8_lossy(tag.name()).into_owned(),
            }
        } else {
            Self::At(end)
        }
    }
}
