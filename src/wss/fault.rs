//! Reads a receiver's SOAP fault: its codes, its texts, and whether it is secured.
//!
//! What comes here is a peer's, unverified and perhaps hostile: at most [`LARGEST`] bytes are looked at, with the second
//! engine's strict parse. What is no fault by SOAP 1.1 (section 4.4) or SOAP 1.2 (part 1, section 5.4) is none here;
//! only children that some stacks write without the namespace, or with it, are taken either way. The detail is never
//! read: it belongs to the application.

use std::fmt;
use std::str::FromStr;

use super::SoapVersion;
use super::names::{SOAP11, SOAP12};
use super::verify::soap_version;
use crate::xml::Limits;
use crate::xml::libxml::{Element, ParseError, Tree};

/// Bytes of an answer above which it is no fault that we read.
pub const LARGEST: usize = 64 * 1024;

/// What a fault says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of its Envelope.
    pub version: SoapVersion,
    /// SOAP 1.1's one code; SOAP 1.2's Code and Subcodes, from the outermost to the most specific one.
    pub codes: Vec<Code>,
    /// The faultstring, or every Text of the Reason, white space folded.
    pub texts: Vec<String>,
    /// It carries a header block `Security`, of whichever version and for whomever: whoever secured it had come further
    /// than to refuse a message.
    pub secured: bool,
}

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

impl Fault {
    /// Reads an answer; `None` if it is no fault, as what is larger than [`LARGEST`] is none. `charset` is the
    /// `Content-Type`'s.
    ///
    /// # Errors
    /// When it is not well-formed, so that nobody can tell.
    pub fn read(bytes: &[u8], charset: Option<&str>) -> Result<Option<Self>, ParseError> {
        if bytes.is_empty() || bytes.len() > LARGEST {
            return Ok(None);
        }
        let tree = Tree::parse_as(bytes, charset, &Limits::default())?;
        Ok(Self::of(tree.root()))
    }

    /// The one that says most; `None` if it has none.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        self.codes.last()
    }

    /// All that it says, for people.
    #[must_use]
    pub fn text(&self) -> String {
        self.texts.join(" / ")
    }

    fn of(envelope: Element<'_>) -> Option<Self> {
        let version = soap_version(envelope)?;
        let soap = version.namespace();
        let body = envelope.children().find(|child| child.is(soap, "Body"))?;
        let fault = body.children().find(|child| child.is(soap, "Fault"))?;
        let (codes, texts) = match version {
            SoapVersion::Soap11 => soap11(fault),
            SoapVersion::Soap12 => soap12(fault),
        };
        let headers = envelope.children().filter(|child| child.is(soap, "Header"));
        Some(Self {
            version,
            codes: codes.into_iter().map(|value| Code::read(value, soap)).collect(),
            texts: texts.into_iter().map(|text| folded(&text.content())).collect(),
            secured: headers
                .flat_map(Element::children)
                .any(|block| block.local_name() == "Security"),
        })
    }
}

/// Elements that hold a fault's codes, and those that hold its texts.
type Parts<'t> = (Vec<Element<'t>>, Vec<Element<'t>>);

fn soap11(fault: Element<'_>) -> Parts<'_> {
    let named = |name| children(fault, SoapVersion::Soap11, name);
    (
        named("faultcode").take(1).collect(),
        named("faultstring").collect(),
    )
}

fn soap12(fault: Element<'_>) -> Parts<'_> {
    let child = |parent, name| children(parent, SoapVersion::Soap12, name).next();
    let codes = std::iter::successors(child(fault, "Code"), |code| child(*code, "Subcode"));
    let values = codes.filter_map(|code| child(code, "Value")).collect();
    let reason = child(fault, "Reason").into_iter();
    let texts = reason.flat_map(|reason| children(reason, SoapVersion::Soap12, "Text"));
    (values, texts.collect())
}

fn children<'t>(
    parent: Element<'t>,
    version: SoapVersion,
    name: &'static str,
) -> impl Iterator<Item = Element<'t>> {
    let named = move |child: &Element<'_>| child.is(version.namespace(), name) || child.is("", name);
    parent.children().filter(named)
}

impl Code {
    /// By itself it may be about a key. The codes of SOAP's own namespace, and those of none, say only whose fault it is.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        matches!(self, Self::Other { namespace, .. } if !namespace.is_empty())
    }

    /// The name without what stands before it.
    pub(super) fn local(&self) -> &str {
        match self {
            Self::Soap(local) | Self::Other { local, .. } | Self::Unresolved(local) => local,
        }
    }

    /// The QName that an element holds, in a message of this SOAP namespace.
    fn read(value: Element<'_>, soap: &str) -> Self {
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

/// White space around and within it, of whatever kind and length, is one space.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
