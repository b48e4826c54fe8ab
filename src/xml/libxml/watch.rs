//! libxml2's parser, watched while it works: the first fault, a document type or an exceeded limit
//! ends the parsing where it stands.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null};

use libxml::bindings::{
    _xmlParserCtxt, _xmlParserInput, xmlChar, xmlCtxtReadMemory, xmlDictSize,
    xmlErrorDomain_XML_FROM_NAMESPACE, xmlErrorLevel_XML_ERR_ERROR, xmlErrorLevel_XML_ERR_FATAL,
    xmlFreeParserCtxt, xmlNewParserCtxt, xmlParserErrors_XML_WAR_NS_URI_RELATIVE,
    xmlParserOption_XML_PARSE_COMPACT, xmlParserOption_XML_PARSE_HUGE, xmlParserOption_XML_PARSE_IGNORE_ENC,
    xmlParserOption_XML_PARSE_NONET, xmlParserOption_XML_PARSE_PEDANTIC, xmlSAX2Characters,
    xmlSAX2StartDocument, xmlSAX2StartElementNs, xmlStopParser,
};

use super::encoding::{NOT_SERVED, Told, is_served};
use super::errors::{Errors, sentence};
use super::parse::{ParseError, ParseErrorKind};
use super::tag::{Tag, rows};
use super::{Document, borrow};
use crate::xml::{Limits, Position};

/// What the callbacks share: libxml2 carries a pointer to it in the parser's context.
struct Watch {
    limits: Limits,
    refusal: Option<ParseError>,
    /// Attributes of the open elements and of those around each, declarations among them.
    attributes: Vec<usize>,
}

impl Watch {
    /// Attributes of the open elements, with those of one that is opened within so many.
    fn open(&mut self, around: usize, more: usize) -> usize {
        self.attributes.truncate(around);
        let attributes = self.attributes.last().copied().unwrap_or_default() + more;
        self.attributes.push(attributes);
        attributes
    }
}

/// Owns a parser context, whose watch outlives it.
pub(super) struct Parser<'w>(NonNull<_xmlParserCtxt>, PhantomData<&'w mut Watch>);

/// HUGE lifts libxml2's own limits, in whose place ours are enforced; PEDANTIC makes it say which
/// namespace names are relative; COMPACT keeps short values in their nodes, and not in the table of names.
const OPTIONS: c_int = (xmlParserOption_XML_PARSE_HUGE
    | xmlParserOption_XML_PARSE_NONET
    | xmlParserOption_XML_PARSE_PEDANTIC
    | xmlParserOption_XML_PARSE_COMPACT)
    .cast_signed();

/// Its encoding was told from outside.
const IGNORE_DECLARED: c_int = xmlParserOption_XML_PARSE_IGNORE_ENC.cast_signed();

impl<'w> Parser<'w> {
    /// A document, as far as it was parsed without a fault; none, if libxml2 made none.
    pub(super) fn parse(
        bytes: &[u8],
        size: c_int,
        told: &Told,
        limits: &Limits,
        errors: &Errors,
    ) -> Result<Option<Document>, ParseError> {
        let mut watch = Watch {
            limits: *limits,
            refusal: None,
            attributes: Vec::new(),
        };
        let parser = Parser::watched_by(&mut watch);
        let bytes = bytes.as_ptr().cast();
        let (encoding, options) = match told {
            Told::Nothing => (null(), OPTIONS),
            Told::Utf8 => (null(), OPTIONS | IGNORE_DECLARED),
            Told::Other(name) => (name.as_ptr(), OPTIONS | IGNORE_DECLARED),
        };
        // SAFETY: the context is live and `size` bytes are there; libxml2 copies them before it returns
        let document =
            unsafe { xmlCtxtReadMemory(parser.0.as_ptr(), bytes, size, null(), encoding, options) };
        let document = NonNull::new(document).map(Document);
        let well_formed = parser.says_well_formed();
        let stopped_at = parser.stopped_before_the_end();
        drop(parser);
        // Bytes that are not in the encoding end the input for libxml2, as if there were no more of it
        if let Some(reason) = errors.first() {
            return Err(ParseError::new(ParseErrorKind::NotWellFormed, reason, None));
        }
        match (watch.refusal, stopped_at) {
            (Some(refusal), _) => Err(refusal),
            (None, Some(position)) => Err(ParseError::new(
                ParseErrorKind::NotWellFormed,
                "a NUL character stands behind the document",
                position,
            )),
            (None, None) => Ok(document.filter(|_| well_formed)),
        }
    }

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
        sax.startDocument = Some(start_document);
        sax.internalSubset = Some(refuse_document_type);
        sax.startElementNs = Some(start_element);
        sax.characters = Some(characters);
        sax.ignorableWhitespace = Some(characters);
        sax.serror = Some(note_error);
        Self(context, PhantomData)
    }

    fn says_well_formed(&self) -> bool {
        // SAFETY: the context is live and nothing writes to it while nothing is parsed
        let context = unsafe { self.0.as_ref() };
        context.wellFormed == 1 && context.nsWellFormed == 1
    }

    /// Where libxml2 stopped, if it did not read everything: behind the root element it takes NUL, which is
    /// no character (XML 1.0, section 2.2), for the end.
    fn stopped_before_the_end(&self) -> Option<Option<Position>> {
        // SAFETY: the context is live and nothing writes to it while nothing is parsed
        let input = unsafe { self.0.as_ref() }.input;
        // SAFETY: null, or the input that was read
        let input = unsafe { input.as_ref() }?;
        (input.cur < input.end).then(|| position(input))
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
    let message = unsafe { sentence(error) };
    // SAFETY: as above
    unsafe { refuse(context, kind, &message) }
}

/// SAX `startDocument`: called when the XML declaration has been read.
unsafe extern "C" fn start_document(context: *mut c_void) {
    let parser = context.cast::<_xmlParserCtxt>();
    // SAFETY: libxml2 passes the context as user data, and nothing writes to it meanwhile
    let fields = unsafe { &*parser };
    // SAFETY: null, or the input that is being read
    let of_input = unsafe { fields.input.as_ref() }.map_or(null(), |input| input.encoding);
    let served = [fields.encoding, of_input].into_iter().all(|label| {
        // SAFETY: null, or a text that ends with NUL
        let label = unsafe { borrow(label) };
        label.is_empty() || is_served(&label)
    });
    // SAFETY: null, or a text that ends with NUL
    let version = unsafe { borrow(fields.version) };
    if !served {
        // SAFETY: as above
        unsafe { refuse(parser, ParseErrorKind::Encoding, NOT_SERVED) }
    } else if version != "1.0" {
        // SAFETY: as above
        unsafe { refuse(parser, ParseErrorKind::Encoding, "the document is not XML 1.0") }
    } else {
        // SAFETY: the very argument that libxml2 would have passed
        unsafe { xmlSAX2StartDocument(context) }
    }
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

/// SAX `characters`: texts go into the tree, and none into the table of names, which does not grow well with many of them.
/// The shortest are in their nodes by COMPACT; white space between tags would be in the table.
unsafe extern "C" fn characters(context: *mut c_void, text: *const xmlChar, length: c_int) {
    let parser = context.cast::<_xmlParserCtxt>();
    let is_compact = usize::try_from(length).is_ok_and(|length| length < 2 * size_of::<usize>());
    // SAFETY: libxml2 passes the context as user data
    let names = unsafe { (*parser).dictNames };
    if !is_compact {
        // SAFETY: as above
        unsafe { (*parser).dictNames = 0 };
    }
    // SAFETY: the very arguments that libxml2 would have passed
    unsafe { xmlSAX2Characters(context, text, length) };
    // SAFETY: as above
    unsafe { (*parser).dictNames = names };
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
    // SAFETY: libxml2 passes the context as user data, and nothing writes to it meanwhile
    let fields = unsafe { &*parser };
    // SAFETY: the watch outlives the parser, and callbacks do not nest
    let watch = unsafe { &mut *fields._private.cast::<Watch>() };
    let open = fields.nodeNr.unsigned_abs() as usize;
    let own = (namespace_count.unsigned_abs() + attribute_count.unsigned_abs()) as usize;
    let tag = Tag {
        open,
        open_attributes: watch.open(open, own),
        // A stack of pairs, those of this tag among them
        in_scope: fields.nsNr.unsigned_abs() as usize / 2,
        // SAFETY: null, or the table of a live context
        kept: unsafe { xmlDictSize(fields.dict) }.max(0).unsigned_abs() as usize,
        name: [prefix, local],
        // SAFETY: pairs of prefix and namespace name
        declared: unsafe { rows(namespaces, namespace_count) },
        // SAFETY: local name, prefix, namespace name, begin and end of the value
        carried: unsafe { rows(attributes, attribute_count) },
    };
    // SAFETY: all of this tag
    match unsafe { tag.check(&watch.limits) } {
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
