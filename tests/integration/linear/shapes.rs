//! Shapes of message, each with much of one thing, at the limits where there are some.

use std::fmt::Write as _;

use countersign::oracle::Shape;

/// A shape by its name.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
}

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const WSA: &str = "http://www.w3.org/2005/08/addressing";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

fn numbered(count: usize, text: &str) -> String {
    (0..count).fold(String::new(), |mut all, number| {
        let _ = write!(all, "{}", text.replace('@', &number.to_string()));
        all
    })
}

fn body(name: &'static str, element: impl Into<String>) -> Form {
    within(name, "", "", element, "")
}

/// In the Body, something is repeated within something; `envelope` is in the Envelope's tag.
fn within(
    name: &'static str,
    envelope: impl Into<String>,
    before: impl Into<String>,
    element: impl Into<String>,
    after: impl Into<String>,
) -> Form {
    let shape = Shape {
        envelope: envelope.into(),
        body: [before.into(), element.into(), after.into()],
        ..Shape::default()
    };
    Form { name, shape }
}

/// The same in the Header.
fn header(name: &'static str, envelope: &str, before: &str, block: &str, after: &str) -> Form {
    let shape = Shape {
        envelope: envelope.to_owned(),
        header: [before, block, after].map(str::to_owned),
        ..Shape::default()
    };
    Form { name, shape }
}

fn declarations(count: usize) -> String {
    numbered(count, " xmlns:p@='urn:p@'")
}

fn long(length: usize) -> String {
    "n".repeat(length)
}

/// Those that must be linear.
pub(super) fn shapes() -> Vec<Form> {
    let all = [
        elements(),
        namespaces(),
        attributes(),
        depths(),
        texts(),
        signatures(),
        headers(),
        drips(),
    ];
    all.into_iter().flatten().collect()
}

fn elements() -> Vec<Form> {
    vec![
        body("siblings", "<e/>"),
        body("named siblings with text", "<item>value %</item>"),
        body("a new name on each", "<e$/>"),
        body("a new attribute on each", "<e a$=''/>"),
        body("a new target on each", "<?p$ ?>"),
        body("short texts and values", "<e a='$'>$</e>"),
        body("long names", format!("<{0} {0}=''></{0}>", long(1000))),
        body("white space", "<e \n\t a = '' />\r\n   "),
        body("ids", "<e Id='id-%'/>"),
        within(
            "ids of one value",
            format!(" xmlns:u='{WSU}'"),
            "",
            "<e u:Id='id'/>",
            "",
        ),
    ]
}

fn namespaces() -> Vec<Form> {
    let among = |name, element: &str| within(name, declarations(120), "", element, "");
    let of_long_name = format!(" xmlns:p='urn:{}'", long(500));
    vec![
        among("declarations around siblings", "<e/>"),
        among("declarations around names", "<p0:e p1:a='' p119:b=''/>"),
        among(
            "a listed prefix that is declared anew",
            "<p0:e xmlns:p0='urn:$'/>",
        ),
        among(
            "a listed prefix that is declared again",
            "<p0:e xmlns:p0='urn:p0'/>",
        ),
        body("a prefix declared on each", "<p:e xmlns:p='urn:p'/>"),
        body("a new prefix on each", "<p$:e xmlns:p$='urn:p'/>"),
        body(
            "default namespaces that flip",
            "<a xmlns='urn:1'><b xmlns='urn:2'><c xmlns=''/></b></a>",
        ),
        body("long namespace names", format!("<p:e{of_long_name}/>")),
        within(
            "a long namespace name rendered on each",
            of_long_name,
            "",
            "<p:e/>",
            "",
        ),
    ]
}

fn attributes() -> Vec<Form> {
    let backwards = (0..250).rev().map(|number| format!(" b{number:03}='%'"));
    let prefixed = |count| numbered(count, " p@:a=''");
    let three = format!("<e{0}><e{0}><e{0}>", prefixed(110));
    vec![
        body("attributes", format!("<e{}/>", numbered(100, " a@=''"))),
        body(
            "attributes out of order",
            format!("<e{}/>", backwards.collect::<String>()),
        ),
        within(
            "attributes with prefixes",
            declarations(120),
            "",
            format!("<e{}/>", prefixed(120)),
            "",
        ),
        within(
            "open attributes around new prefixes",
            declarations(120),
            three,
            "<p119:e/>",
            "</e></e></e>",
        ),
        body("long values", format!("<e a='{}'/>", long(8000))),
        body("references in values", "<e a='&amp;&#9;&quot;'/>"),
    ]
}

fn depths() -> Vec<Form> {
    let around = " xmlns:p='urn:p' xmlns:q='urn:q'";
    let tower = |open: &str, close: &str, depth| open.repeat(depth) + &close.repeat(depth);
    let (down, up) = ("<p:a>".repeat(250), "</p:a>".repeat(250));
    vec![
        body("depth", tower("<a>", "</a>", 250)),
        body(
            "depth that declares",
            tower("<p:a xmlns:p='urn:p'>", "</p:a>", 120),
        ),
        within("depth around prefixes", around, down, "<q:b/>", up),
    ]
}

fn texts() -> Vec<Form> {
    vec![
        body("text", "text without markup in it, "),
        body("base64 in lines", long(76) + "\r\n"),
        body("entity references", "&amp;&lt;"),
        body("character references", "&#xE9;&#13;"),
        body("brackets in text", "]]"),
        body("comments", "<!-- % -->"),
        body("processing instructions", "<?target % ?>"),
        body("CDATA sections", "<![CDATA[<%>]]>"),
    ]
}

/// What a signature of the sender's has in it.
fn signatures() -> Vec<Form> {
    let transform = "<d:Transform Algorithm='http://www.w3.org/TR/2001/REC-xml-c14n-20010315'/>";
    let reference = "<d:Reference URI='#id-%'><d:DigestValue>AAAA</d:DigestValue></d:Reference>";
    let among = |name, holder: &str, element: &str| {
        let (open, close) = (format!("<d:{holder} xmlns:d='{DS}'>"), format!("</d:{holder}>"));
        within(name, "", open, element, close)
    };
    vec![
        among("transforms", "Transforms", transform),
        among("references", "SignedInfo", reference),
    ]
}

fn headers() -> Vec<Form> {
    let addressed = numbered(28, &format!("<w:Action xmlns:w='{WSA}'>@</w:Action>"));
    let (to, security) = (
        format!("<w:To xmlns:w='{WSA}'>"),
        format!("<o:Security xmlns:o='{WSSE}'>"),
    );
    let around = declarations(100);
    vec![
        header("header blocks", "", "", "<h xmlns='urn:h$'>%</h>", ""),
        header(
            "header blocks among declarations",
            &around,
            "",
            "<p1:h Id='h%'/>",
            "",
        ),
        header(
            "signed header blocks among declarations",
            &around,
            &addressed,
            "<p99:h/>",
            "",
        ),
        header(
            "a signed header block with children",
            &around,
            &to,
            "<w:a/>",
            "</w:To>",
        ),
        header(
            "a Security header with much in it",
            "",
            &security,
            "<t Id='t%'/>",
            "</o:Security>",
        ),
    ]
}

fn drips() -> Vec<Form> {
    let mut all = vec![
        within("a tag that comes in drips", "", "<e", " ", "/>"),
        body("values that come in drips", format!("<e a='{}'/>", long(4000))),
    ];
    all.iter_mut().for_each(|form| form.shape.chunk = 16);
    all
}

/// Bytes at most that come before most limits are exceeded.
const EARLY: usize = 128 << 10;

/// Those that are not let in, what is said of them, and how many bytes may have come by then.
pub(super) fn refused() -> Vec<(Form, &'static str, usize)> {
    let siblings = |name, envelope: String| within(name, envelope, "", "<e/>", "");
    let many = |count: usize| numbered(count, " a@=''");
    vec![
        (
            siblings("too many declarations", declarations(128)),
            "more than 128 namespace declarations in scope",
            EARLY,
        ),
        (
            body("too many attributes", format!("<e{}/>", many(257))),
            "more than 256 attributes on one element",
            EARLY,
        ),
        (
            body(
                "too many attributes within each other",
                format!("<e{0}><e{0}><e{0}/></e></e>", many(200)),
            ),
            "more than 512 attributes on elements within each other",
            EARLY,
        ),
        (
            body("too many names", "<e%/>"),
            "more than 65536 different names",
            704 << 10,
        ),
        (
            body("too deep", "<e>"),
            "more than 256 elements within each other",
            EARLY,
        ),
        (
            siblings(
                "a namespace name that is too long",
                format!(" xmlns:p='urn:{}'", long(512)),
            ),
            "a namespace name of more than 512 bytes",
            EARLY,
        ),
        (
            body("a name that is too long", format!("<{}/>", long(1025))),
            "a name of more than 1024 bytes",
            EARLY,
        ),
        (
            header(
                "too many signed header blocks",
                "",
                "",
                &format!("<w:To xmlns:w='{WSA}'/>"),
                "",
            ),
            "more than 30 parts to sign",
            EARLY,
        ),
    ]
}
