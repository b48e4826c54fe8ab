//! Reads a receiver's SOAP fault: its codes, its texts, and whether it is secured.
//!
//! What comes here is a peer's, unverified and perhaps hostile: at most [`LARGEST`] bytes are looked at, with the second
//! engine's strict parse. What is no fault by SOAP 1.1 (section 4.4) or SOAP 1.2 (part 1, section 5.4) is none here;
//! only children that some stacks write without the namespace, or with it, are taken either way. The detail is never
//! read: it belongs to the application.

use super::SoapVersion;
use super::verify::soap_version;
use crate::xml::Limits;
use crate::xml::libxml::{Element, ParseError, Tree};

mod code;

pub use code::{Code, NotACode, SOAP_CODES};

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

/// White space around and within it, of whatever kind and length, is one space.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
