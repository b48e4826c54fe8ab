//! Bytes to a document, with libxml2's parser watched while it works: the first fault, a document
//! type or an exceeded limit ends the parsing where it stands.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null};

use libxml::bindings::{
    _xmlParserCtxt, _xmlParserInput, xmlChar, xmlCtxtReadMemory, xmlErrorDomain_XML_FROM_NAMESPACE,
    xmlErrorLevel_XML_ERR_ERROR, xmlErrorLevel_XML_ERR_FATAL, xmlFreeParserCtxt, xmlNewParserCtxt,
    xmlParserErrors_XML_WAR_NS_URI_RELATIVE, xmlParserOption_XML_PARSE_HUGE, xmlParserOption_XML_PARSE_NONET,
    xmlParserOption_XML_PARSE_PEDANTIC, xmlSAX2StartElementNs, xmlStopParser,
};

use super::{Document, borrow};
use crate::xml::{Limits, Position};

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", position.map(|at| format!("{at}: ")).unwrap_or_default())]
pub struct ParseError {
    /// What kind of fault.
    pub kind: ParseErrorKind,
    /// What is wrong, in libxml2's words where they are its own.
    pub message: String,
    /// Where, as libxml2 counts.
    pub position: Option<Position>,
}

/// The kinds of fault that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// Not well-formed by XML 1.0 or by Namespaces 1.0.
    NotWellFormed,
    /// It has a document type: entities, defaults and external subsets are never read.
    DocumentType,
    /// A namespace name that is not absolute has no canonical form (Canonical XML 1.0, section 1.3).
    RelativeNamespace,
    /// It exceeds a limit.
    Limit,
}

impl ParseError {
    /// Nothing was there to parse.
    pub(super) fn empty() -> Self {
        Self::new(
            ParseErrorKind::NotWellFormed,
            "the document has no root element",
            None,
        )
    }

    fn new(kind: ParseErrorKind, message: impl Into<String>, position: Option<Position>) -> Self {
        Self {
            kind,
            message: message.into(),
            position,
        }
    }
}

/// Parses with our options alone: HUGE lifts libxml2's own limits, in whose place ours are enforced;
/// PEDANTIC makes it say which namespace names are relative.
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let too_large = |_| ParseError::new(ParseErrorKind::Limit, "the document is larger than 2 GiB", None);
    let size = c_int::try_from(bytes.len()).map_err(too_large)?;
    let options =
        xmlParserOption_XML_PARSE_HUGE | xmlParserOption_XML_PARSE_NONET | xmlParserOption_XML_PARSE_PEDANTIC;

    let mut watch = Watch {
        limits: *limits,
        refusal: None,
    };
    let parser = Parser::watched_by(&mut watch);
    // SAFETY: the context is live and `size` bytes are there; libxml2 copies them before it returns
    let document = unsafe {
        xmlCtxtReadMemory(
            parser.0.as_ptr(),
            bytes.as_ptr().cast(),
            size,
            null(),
            null(),
            options.cast_signed(),
        )
    };
    let document = NonNull::new(document).map(Document);
    let well_formed = parser.says_well_formed();
    drop(parser);
    match (watch.refusal, document) {
        (Some(refusal), _) => Err(refusal),
        (None, Some(document)) if well_formed => Ok(document),
        (None, _) => Err(ParseError::empty()),
    }
}

/// What the callbacks share; libxml2 carries a pointer to it in the parser's context.
struct Watch {
    limits: Limits,
    refusal: Option<ParseError>,
}

/// Owns a parser context, whose watch outlives it.
struct Parser<'w>(NonNull<_xmlParserCtxt>, PhantomData<&'w mut Watch>);

impl<'w> Parser<'w> {
    fn watched_by(watch: &'w mut Watch) -> Self {
        libxml::init_parser();
        // SAFETY: the library is initialised
        let context = NonNull::new(unsafe { xmlNewParserCtxt() });
        let Some(mut context) = context else {
            std::alloc::handle_alloc_error(std::alloc::Layout::new::<_xmlParserCtxt>())
        };
        // SAFETY: freshly made, known to nobody else, and in use nowhere
        let fields = unsafe { context.as_mut() };
        fields._private = std::ptr::from_mut(watch).cast();
        // SAFETY: every context has a SAX handler of its own
        let sax = unsafe { &mut *fields.sax };
        sax.internalSubset = Some(refuse_document_type);
        sax.startElementNs = Some(start_element);
        sax.serror = Some(note_error);
        Self(context, PhantomData)
    }

    fn says_well_formed(&self) -> bool {
        // SAFETY: the context is live and nothing writes to it while nothing is parsed
        let context = unsafe { self.0.as_ref() };
        context.wellFormed == 1 && context.nsWellFormed == 1
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        // SAFETY: ours alone; the document has been taken out
        unsafe { xmlFreeParserCtxt(self.0.as_ptr()) }
    }
}

/// Notes the first refusal and makes the parser stop.
///
/// # Safety
/// `context` is a context made by [`Parser::watched_by`], within a callback of it.
unsafe fn refuse(context: *mut _xmlParserCtxt, kind: ParseErrorKind, message: &str) {
    // SAFETY: the caller's promise
    let input = unsafe { (*context).input };
    // SAFETY: null, or the input that is being read
    let position = unsafe { input.as_ref() }.and_then(position);
    // SAFETY: the caller's promise
    let watch: *mut Watch = unsafe { (*context)._private }.cast();
    // SAFETY: the watch outlives the parser, and callbacks do not nest
    let watch = unsafe { &mut *watch };
    watch
        .refusal
        .get_or_insert_with(|| ParseError::new(kind, message, position));
    // SAFETY: libxml2 offers this call to callbacks
    unsafe { xmlStopParser(context) }
}

fn position(input: &_xmlParserInput) -> Option<Position> {
    let line = u64::try_from(input.line).ok()?;
    let column = u64::try_from(input.col).ok()?;
    Some(Position { line, column })
}

/// SAX `serror`. Fatal errors are those of XML 1.0; errors of the namespace domain are not fatal to
/// libxml2, but are to us (Namespaces 1.0, section 7). Of warnings only one concerns us.
///
/// The error is read from the context: the type of the second argument differs between versions
/// of libxml2.
unsafe extern "C" fn note_error<E>(context: *mut c_void, _error: E) {
    let context = context.cast::<_xmlParserCtxt>();
    // SAFETY: libxml2 passes the context as user data, and has stored the error in it
    let error = unsafe { &(*context).lastError };
    let kind = if error.code.cast_unsigned() == xmlParserErrors_XML_WAR_NS_URI_RELATIVE {
        ParseErrorKind::RelativeNamespace
    } else if error.level >= xmlErrorLevel_XML_ERR_FATAL
        || error.domain.cast_unsigned() == xmlErrorDomain_XML_FROM_NAMESPACE
            && error.level >= xmlErrorLevel_XML_ERR_ERROR
    {
        ParseErrorKind::NotWellFormed
    } else {
        return;
    };
    // SAFETY: a message is null or ends with NUL, and lives until the next error
    let message = unsafe { borrow(error.message.cast()) }.trim_end().to_owned();
    // SAFETY: as above
    unsafe { refuse(context, kind, &message) }
}

/// SAX `internalSubset`: called when the DOCTYPE's name has been read, before any declaration in it.
unsafe extern "C" fn refuse_document_type(
    context: *mut c_void,
    _name: *const xmlChar,
    _public: *const xmlChar,
    _system: *const xmlChar,
) {
    let message = "a document type declaration (DOCTYPE) is not allowed";
    // SAFETY: libxml2 passes the context as user data
    unsafe { refuse(context.cast(), ParseErrorKind::DocumentType, message) }
}

/// SAX `startElementNs`: holds the tag against the limits before the tree grows by it.
unsafe extern "C" fn start_element(
    context: *mut c_void,
    local: *const xmlChar,
    prefix: *const xmlChar,
    namespace: *const xmlChar,
    namespace_count: c_int,
    namespaces: *mut *const xmlChar,
    attribute_count: c_int,
    defaulted_count: c_int,
    attributes: *mut *const xmlChar,
) {
    let parser = context.cast::<_xmlParserCtxt>();
    // SAFETY: libxml2 passes the context as user data
    let open = unsafe { (*parser).nodeNr };
    // SAFETY: as above
    let watch: *const Watch = unsafe { (*parser)._private }.cast();
    // SAFETY: the watch outlives the parser, and callbacks do not nest
    let limits = unsafe { (*watch).limits };
    // SAFETY: pairs of prefix and namespace name
    let declared = unsafe { rows::<2>(namespaces, namespace_count) };
    // SAFETY: local name, prefix, namespace name, begin and end of the value
    let carried = unsafe { rows::<5>(attributes, attribute_count) };
    // SAFETY: all of this tag
    match unsafe { check_limits(&limits, open, [prefix, local], declared, carried) } {
        // SAFETY: libxml2 passes the context as user data
        Err(exceeded) => unsafe { refuse(parser, ParseErrorKind::Limit, &exceeded) },
        // SAFETY: the very arguments that libxml2 would have passed
        Ok(()) => unsafe {
            xmlSAX2StartElementNs(
                context,
                local,
                prefix,
                namespace,
                namespace_count,
                namespaces,
                attribute_count,
                defaulted_count,
                attributes,
            );
        },
    }
}

type Text = *const xmlChar;

/// Tells which limit a start tag exceeds. Values are measured as normalised, which is never longer
/// than as written.
///
/// # Safety
/// Texts are null or end with NUL; a value ends where its row says.
unsafe fn check_limits(
    limits: &Limits,
    open: c_int,
    [prefix, local]: [Text; 2],
    declared: &[[Text; 2]],
    carried: &[[Text; 5]],
) -> Result<(), String> {
    let at_most = |limit: usize, has: usize, what: &str| match has <= limit {
        true => Ok(()),
        false => Err(format!("more than {limit} {what}")),
    };
    let open = usize::try_from(open).unwrap_or(usize::MAX);
    at_most(
        limits.depth,
        open.saturating_add(1),
        "elements open at the same time",
    )?;
    at_most(
        limits.attributes,
        declared.len() + carried.len(),
        "attributes of one element",
    )?;
    let name = |prefix: usize, local: usize| {
        at_most(
            limits.name,
            prefix + usize::from(prefix > 0) + local,
            "bytes in one name",
        )
    };
    let value = |length| at_most(limits.value, length, "bytes in one attribute value");
    // SAFETY: the caller's promise
    let length = |text| unsafe { length(text) };
    name(length(prefix), length(local))?;
    for &[prefix, uri] in declared {
        name("xmlns".len(), length(prefix))?;
        value(length(uri))?;
    }
    for &[local, prefix, _, begin, end] in carried {
        name(length(prefix), length(local))?;
        value(end.addr().saturating_sub(begin.addr()))?;
    }
    Ok(())
}

/// # Safety
/// `text` is null or ends with NUL.
unsafe fn length(text: Text) -> usize {
    match text.is_null() {
        true => 0,
        // SAFETY: the caller's promise
        false => unsafe { CStr::from_ptr(text.cast()) }.count_bytes(),
    }
}

/// An array of libxml2's, in rows of `N`.
///
/// # Safety
/// `first` points to `count` times `N` texts that stay for `'a`, unless `count` is nought.
unsafe fn rows<'a, const N: usize>(first: *mut Text, count: c_int) -> &'a [[Text; N]] {
    match usize::try_from(count) {
        // SAFETY: the caller's promise
        Ok(count @ 1..) => unsafe { std::slice::from_raw_parts(first.cast(), count) },
        _ => &[],
    }
}
