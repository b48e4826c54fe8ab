//! What signing inserts, found again in the signed message and cut out. By its shape and by being new alone:
//! nothing here knows where the signer put it, or uses code of the signer.

use std::sync::LazyLock;

use regex::Regex;

/// Cuts the insertion out of `signed` and demands that `sent` remains, byte for byte. A Header or Security
/// header that holds nothing else may have been inserted, or opened where it was empty.
pub(crate) fn is_all_that_changed(sent: &str, signed: &str) -> bool {
    let signed = without_new_ids(sent, signed);
    let content = CONTENT
        .find_iter(&signed)
        .find(|found| !sent.contains(found.as_str()));
    let Some(content) = content else {
        return false;
    };
    let around = Around(
        signed.split_at(content.start()).0,
        signed.split_at(content.end()).1,
    );
    let mut before_signing = vec![around.joined(), around.closed()];
    if let Some(around) = around.without(&SECURITY, "</wsse:Security>") {
        before_signing.extend([around.joined(), around.closed()]);
        before_signing.extend(around.without_header().map(|around| around.joined()));
    }
    before_signing.iter().any(|before| before == sent)
}

/// The message without the Security header that it brings.
pub(crate) fn without_security_header(sent: &str) -> String {
    static HEADER: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?s)<([^<>/: ]+:)?Security(?:[ \r\n][^>]*)?(?:/>|>.*?</([^<>/: ]+:)?Security>)")
    });
    assert!(HEADER.is_match(sent), "there is a Security header: {sent}");
    HEADER.replace(sent, "").into_owned()
}

/// A signed message with the text before and after what was cut out.
#[derive(Clone, Copy)]
struct Around<'a>(&'a str, &'a str);

impl<'a> Around<'a> {
    fn joined(self) -> String {
        [self.0, self.1].concat()
    }

    /// The element that it stood in as an empty-element tag.
    fn closed(self) -> String {
        let end = self.1.split_once('>').map_or(self.1, |(_, end)| end);
        [self.0.strip_suffix('>').unwrap_or(self.0), "/>", end].concat()
    }

    fn without(self, start: &Regex, end: &str) -> Option<Self> {
        let start = start.find(self.0)?;
        Some(Self(self.0.split_at(start.start()).0, self.1.strip_prefix(end)?))
    }

    fn without_header(self) -> Option<Self> {
        static START: LazyLock<Regex> = LazyLock::new(|| regex("<([^<>/: ]+:)?Header>$"));
        let start = START.find(self.0)?;
        let end = start.as_str().replace('<', "</");
        Some(Self(self.0.split_at(start.start()).0, self.1.strip_prefix(&end)?))
    }
}

/// Without the ids, and the declarations for them, that `sent` does not have.
fn without_new_ids(sent: &str, signed: &str) -> String {
    static ID: LazyLock<Regex> = LazyLock::new(|| {
        regex(&format!(
            "(?: xmlns:[^ =]+=\"{WSU}\")? [^ =]+:Id=\"(id-[0-9a-f]{{32}})\""
        ))
    });
    let old_or_nothing = |found: &regex::Captures<'_>| match sent.contains(&found[1]) {
        true => found[0].to_owned(),
        false => String::new(),
    };
    ID.replace_all(signed, old_or_nothing).into_owned()
}

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

/// The start tag of a Security header as we write it, right before our content.
static SECURITY: LazyLock<Regex> = LazyLock::new(|| {
    let attribute = "[^ =]+:(?:mustUnderstand|actor|role)=\"[^\"<]*\"";
    regex(&format!(
        "<wsse:Security xmlns:wsse=\"{WSSE}\"(?: xmlns:[^ =]+=\"[^\"<]*\")?(?: {attribute})*>$"
    ))
});

/// Timestamp, token and Signature as we write them, in any layout.
static CONTENT: LazyLock<Regex> = LazyLock::new(|| {
    let timestamp = format!(
        "<wsu:Timestamp xmlns:wsu=\"{WSU}\" wsu:Id=\"ts-[0-9a-f]{{32}}\">\
         <wsu:Created>[0-9T:.-]+Z</wsu:Created><wsu:Expires>[0-9T:.-]+Z</wsu:Expires></wsu:Timestamp>"
    );
    let token = format!(
        "<wsse:BinarySecurityToken xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\" EncodingType=\"[^\"<]*\" \
         ValueType=\"[^\"<]*\" wsu:Id=\"x509-[0-9a-f]{{32}}\">[A-Za-z0-9+/=]+</wsse:BinarySecurityToken>"
    );
    let signature =
        "<ds:Signature xmlns:ds=\"http://www\\.w3\\.org/2000/09/xmldsig#\"><ds:SignedInfo>.*?</ds:Signature>";
    regex(&format!(
        "(?s)(?:{timestamp})?(?:{token})?{signature}(?:{timestamp})?"
    ))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

#[test]
fn a_changed_byte_is_seen() {
    let sent = "<s:Envelope><s:Body/></s:Envelope>";
    let signature =
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo></ds:Signature>";
    let header =
        format!("<s:Header><wsse:Security xmlns:wsse=\"{WSSE}\">{signature}</wsse:Security></s:Header>");
    let id = format!(" xmlns:wsu=\"{WSU}\" wsu:Id=\"id-{:032x}\"", 7);
    let signed = format!("<s:Envelope>{header}<s:Body{id}/></s:Envelope>");
    assert!(is_all_that_changed(sent, &signed));
    for (from, to) in [
        ("Body", "Bodi"),
        ("/>", " />"),
        ("</s:H", " </s:H"),
        ("<s:B", "\n<s:B"),
        ("wsu:Id", "wsu:ID"),
    ] {
        assert!(
            !is_all_that_changed(sent, &signed.replacen(from, to, 1)),
            "{from}"
        );
    }
}
