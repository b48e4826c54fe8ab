//! Fault codes: read of a fault by what their prefixes mean, written and read in a configuration by namespace.

use std::fmt;
use std::str::FromStr;

use crate::wss::names::{SOAP11, SOAP12};
use crate::xml::libxml::Element;

/// A fault code: a QName, its namespace resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// One of the Envelope's own namespace: `Client`, `Sender`, ….
    Soap(String),
    /// Any other.
    Other {
        /// Empty for none.
        namespace: String,
        /// Local name.
        local: String,
    },
    /// As it is written, for its prefix means nothing.
    Unresolved(String),
}

impl Code {
    /// By itself it may be about a key. The codes of SOAP's own namespace, and those of none, say only whose fault it is.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        matches!(self, Self::Other { namespace, .. } if !namespace.is_empty())
    }

    /// The name without what stands before it.
    pub(in crate::wss) fn local(&self) -> &str {
        match self {
            Self::Soap(local) | Self::Other { local, .. } | Self::Unresolved(local) => local,
        }
    }

    /// The QName that an element holds, in a message of this SOAP namespace.
    pub(super) fn read(value: Element<'_>, soap: &str) -> Self {
        let content = value.content();
        let written = content.trim();
        let (prefix, local) = written.split_once(':').unwrap_or(("", written));
        match namespace(value, prefix) {
            None => Self::Unresolved(written.to_owned()),
            Some(namespace) if namespace == soap => Self::Soap(local.to_owned()),
            Some(namespace) => Self::Other {
                namespace,
                local: local.to_owned(),
            },
        }
    }
}

/// As an operator writes it into a route's `key_refused`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soap(local) => f.write_str(local),
            Self::Other { namespace, local } => write!(f, "{{{namespace}}}{local}"),
            Self::Unresolved(written) => f.write_str(written),
        }
    }
}

/// Not a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// A name that is none.
    #[error("{0:?} is not a fault code; write \"{{namespace}}Local\"")]
    Malformed(String),
    /// Prefixes are the receiver's, and may change from one fault to the next.
    #[error("{0:?} has a prefix, which means nothing here; write the namespace, \"{{namespace}}{1}\"")]
    Prefixed(String, String),
    /// SOAP's own namespace is not written.
    #[error("a code of the envelope's own namespace is written without it; write {0:?}")]
    OwnNamespace(String),
    /// Without a namespace it would be one of SOAP's own, and is none that may be about a key.
    #[error("{0:?} is not a code of SOAP that may be about a key; use one of: {known}, or write \"{{namespace}}Local\"", known = SOAP_CODES.join(", "))]
    Unknown(String),
}

/// SOAP's own codes that may be about a key (SOAP 1.1, section 4.4.1; SOAP 1.2 part 1, section 5.4.6).
pub const SOAP_CODES: [&str; 4] = ["Client", "Sender", "Server", "Receiver"];

/// As an operator writes it.
impl FromStr for Code {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, NotACode> {
        let malformed = || NotACode::Malformed(text.to_owned());
        let is_name = |name: &str| {
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "{}:\"'<>".contains(c))
        };
        let Some(rest) = text.strip_prefix('{') else {
            // SOAP 1.1, section 4.4.1: a dot leads to a more specific code.
            let generic = text.split_once('.').map_or(text, |(generic, _)| generic);
            return match text.split_once(':') {
                Some((_, local)) => Err(NotACode::Prefixed(text.to_owned(), local.to_owned())),
                None if !is_name(text) => Err(malformed()),
                None if SOAP_CODES.contains(&generic) => Ok(Self::Soap(text.to_owned())),
                None => Err(NotACode::Unknown(text.to_owned())),
            };
        };
        let (namespace, local) = rest.rsplit_once('}').ok_or_else(malformed)?;
        if !is_name(local) || namespace.contains(char::is_whitespace) {
            return Err(malformed());
        }
        if [SOAP11, SOAP12].contains(&namespace) {
            return Err(NotACode::OwnNamespace(local.to_owned()));
        }
        Ok(Self::Other {
            namespace: namespace.to_owned(),
            local: local.to_owned(),
        })
    }
}

/// What a prefix means there; no prefix and no default namespace is none.
fn namespace(place: Element<'_>, prefix: &str) -> Option<String> {
    let scopes = std::iter::successors(Some(place), |element| element.parent());
    let declared = scopes
        .flat_map(Element::declarations)
        .find(|declaration| declaration.prefix() == prefix)
        .map(|declaration| declaration.name().into_owned());
    declared.or_else(|| prefix.is_empty().then(String::new))
}
