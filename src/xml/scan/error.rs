//! Why a document is refused by the scanner, in the words of the two standards.

/// A document that is not well-formed, or asks more than the limits allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// Bytes from the start of the document to the problem.
    pub offset: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a document. Sections are of XML 1.0 (5th ed.) unless they say "Namespaces".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Section 4.3.3: bytes that are no UTF-8.
    #[error("bytes that are not UTF-8")]
    Utf8,
    /// Section 2.2.
    #[error("a character that XML does not allow (U+{0:04X})")]
    Character(u32),
    /// Section 2.8; every document type is refused (entity expansion, external entities).
    #[error("a document type declaration (DOCTYPE); SOAP forbids it, send the message without it")]
    Doctype,
    /// Section 2.8.
    #[error("a malformed XML declaration")]
    Declaration,
    /// Section 2.8; only 1.0 is served.
    #[error("XML version {0:?}; send XML 1.0")]
    Version(String),
    /// Section 2.3; Namespaces, section 4.
    #[error("a malformed name")]
    Name,
    /// Section 3.1.
    #[error("a malformed start tag: {0}")]
    StartTag(&'static str),
    /// Section 3.1, WFC: Unique Att Spec; Namespaces, section 6.3.
    #[error("the attribute {0:?} stands twice on one element")]
    DuplicateAttribute(String),
    /// Section 3.1, WFC: No < in Attribute Values.
    #[error("`<` in an attribute value; write `&lt;`")]
    LessThanInValue,
    /// Section 3.1.
    #[error("a malformed end tag")]
    EndTag,
    /// Section 3, WFC: Element Type Match.
    #[error("the end tag `</{found}>` where `</{expected}>` is due")]
    Mismatch {
        /// The open element.
        expected: String,
        /// What the end tag says.
        found: String,
    },
    /// Section 3.
    #[error("an end tag without a start tag")]
    NothingOpen,
    /// Section 2.4.
    #[error("`]]>` in text; write `]]&gt;`")]
    CDataEnd,
    /// Section 4.1.
    #[error("a malformed reference; write `&amp;` for a lone `&`")]
    Reference,
    /// Section 4.1, WFC: Entity Declared.
    #[error("the undeclared entity `&{0};`; only lt, gt, amp, apos and quot exist without a DOCTYPE")]
    Entity(String),
    /// Section 2.5.
    #[error("`--` in a comment")]
    Comment,
    /// Section 2.6; Namespaces, section 4.
    #[error("a malformed processing instruction")]
    ProcessingInstruction,
    /// Section 2.
    #[error("markup that XML does not know here")]
    Markup,
    /// Section 2.1.
    #[error("text outside the root element")]
    TextOutside,
    /// Section 2.1.
    #[error("a second root element")]
    SecondRoot,
    /// Section 2.1.
    #[error("the end of the document, {0}")]
    End(&'static str),
    /// Namespaces, section 5.
    #[error("the prefix {0:?}, which is not declared")]
    UnboundPrefix(String),
    /// Namespaces, sections 2.2 and 3.
    #[error("a declaration that Namespaces in XML forbids: {0}")]
    Declared(&'static str),
    /// Namespaces, section 2.2.
    #[error("the namespace name {0:?}, which is not a URI")]
    NotAUri(String),
    /// C14N 1.0, section 1.3: relative namespace names cannot be canonicalised.
    #[error("the relative namespace name {0:?}; canonical XML needs an absolute one")]
    RelativeNamespace(String),
    /// [`Limits::depth`](crate::xml::Limits::depth).
    #[error("more than {0} elements within each other")]
    TooDeep(usize),
    /// [`Limits::attributes`](crate::xml::Limits::attributes).
    #[error("more than {0} attributes on one element")]
    TooManyAttributes(usize),
    /// [`Limits::open_attributes`](crate::xml::Limits::open_attributes).
    #[error("more than {0} attributes on elements within each other")]
    TooManyOpenAttributes(usize),
    /// [`Limits::namespace`](crate::xml::Limits::namespace).
    #[error("a namespace name of more than {0} bytes")]
    NamespaceTooLong(usize),
    /// [`Limits::declarations`](crate::xml::Limits::declarations).
    #[error("more than {0} namespace declarations in scope")]
    TooManyDeclarations(usize),
    /// [`Limits::names`](crate::xml::Limits::names).
    #[error("more than {0} different names of elements, attributes and namespaces")]
    TooManyNames(usize),
    /// [`Limits::name`](crate::xml::Limits::name).
    #[error("a name of more than {0} bytes")]
    NameTooLong(usize),
    /// [`Limits::value`](crate::xml::Limits::value).
    #[error("an attribute value of more than {0} bytes")]
    ValueTooLong(usize),
}
