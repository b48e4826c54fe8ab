//! Distinguished names as text: RFC 4514 with the augmentations of XML Signature 1.1, section
//! 4.5.4.1. Receivers look a certificate up by this text, so its form is that of their stacks:
//! Java's `X500Principal` in RFC 2253 form, hence WSS4J.

use x509_parser::asn1_rs::{Any, Oid, Tag, ToDer};
use x509_parser::oid_registry as oid;
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

use super::fingerprint::hex;

/// For people: most specific RDN first, comma without space.
pub(super) fn rfc4514(name: &X509Name<'_>) -> String {
    written(name, text)
}

/// For receivers. WSS4J finds no certificate by the characters of a BMPString or a UniversalString, or of a T61String outside
/// ASCII, since Java does not compare them with those of other types; it finds it by the hex of their DER, which RFC 4514, section 2.4, allows
/// for any value.
pub(super) fn for_receivers(name: &X509Name<'_>) -> String {
    written(name, |value| match value.tag() {
        Tag::BmpString | Tag::UniversalString => None,
        Tag::T61String if !value.data.is_ascii() => None,
        _ => text(value),
    })
}

fn written(name: &X509Name<'_>, text: impl Fn(&Any<'_>) -> Option<String>) -> String {
    let rdn = |rdn: &RelativeDistinguishedName<'_>| {
        let attributes = rdn.iter().map(|one| attribute(one, &text));
        attributes.collect::<Vec<_>>().join("+")
    };
    let mut rdns: Vec<String> = name.iter().map(rdn).collect();
    rdns.reverse();
    rdns.join(",")
}

/// RFC 4514, section 2.3: without a short name the type is dotted decimal and the value the hex of
/// its DER.
fn attribute(attribute: &AttributeTypeAndValue<'_>, text: impl Fn(&Any<'_>) -> Option<String>) -> String {
    let value = attribute.attr_value();
    let short = short_name(attribute.attr_type());
    match (short, short.and_then(|_| text(value))) {
        (Some(short), Some(text)) => format!("{short}={}", escape(&text)),
        (Some(short), None) => format!("{short}={}", hex_of_der(value)),
        (None, _) => format!("{}={}", attribute.attr_type(), hex_of_der(value)),
    }
}

/// RFC 4514, section 3.
fn short_name(attribute_type: &Oid<'_>) -> Option<&'static str> {
    let names = [
        (oid::OID_X509_COMMON_NAME, "CN"),
        (oid::OID_X509_LOCALITY_NAME, "L"),
        (oid::OID_X509_STATE_OR_PROVINCE_NAME, "ST"),
        (oid::OID_X509_ORGANIZATION_NAME, "O"),
        (oid::OID_X509_ORGANIZATIONAL_UNIT, "OU"),
        (oid::OID_X509_COUNTRY_NAME, "C"),
        (oid::OID_X509_STREET_ADDRESS, "STREET"),
        (oid::OID_DOMAIN_COMPONENT, "DC"),
        (oid::OID_USERID, "UID"),
    ];
    names
        .into_iter()
        .find(|(known, _)| known == attribute_type)
        .map(|(_, short)| short)
}

/// The characters of an ASN.1 string; `None` for other types and for bytes that are none.
pub(super) fn text(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        }
        // Never T.61 in practice: Java and OpenSSL both read ISO-8859-1.
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().copied().map(u16::from_be_bytes).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        Tag::UniversalString => {
            let (units, rest) = bytes.as_chunks::<4>();
            let text = units
                .iter()
                .map(|unit| char::from_u32(u32::from_be_bytes(*unit)))
                .collect();
            rest.is_empty().then_some(text).flatten()
        }
        _ => None,
    }
}

fn hex_of_der(value: &Any<'_>) -> String {
    let der = value.to_der_vec().unwrap_or_else(|_| value.data.to_vec());
    format!("#{}", hex(&der))
}

/// RFC 4514, section 2.4; control characters and trailing spaces by XML Signature 1.1, 4.5.4.1,
/// since both would not survive an XML parser's or a receiver's white-space handling. So are the two
/// non-characters that XML has no place for.
fn escape(value: &str) -> String {
    let text = value.trim_end_matches(' ');
    let mut escaped = String::with_capacity(value.len());
    for (index, character) in text.chars().enumerate() {
        match character {
            ' ' | '#' if index == 0 => escaped.extend(['\\', character]),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '\0'..='\x1f' => escaped.push_str(&format!("\\{:02X}", u32::from(character))),
            '\u{FFFE}' => escaped.push_str("\\EF\\BF\\BE"),
            '\u{FFFF}' => escaped.push_str("\\EF\\BF\\BF"),
            _ => escaped.push(character),
        }
    }
    escaped.push_str(&"\\20".repeat(value.len() - text.len()));
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped_where_the_standard_says() {
        for (value, expected) in [
            ("plain = value", "plain = value"),
            ("Müller, Söhne", "Müller\\, Söhne"),
            ("#1 and #2", "\\#1 and #2"),
            (" lead", "\\ lead"),
            ("trail  ", "trail\\20\\20"),
            ("  ", "\\20\\20"),
            ("a\"b+c;d<e>f\\g", "a\\\"b\\+c\\;d\\<e\\>f\\\\g"),
            ("line\r\n\0", "line\\0D\\0A\\00"),
            ("no\u{FFFF}character", "no\\EF\\BF\\BFcharacter"),
        ] {
            assert_eq!(escape(value), expected, "{value:?}");
        }
    }

    #[test]
    fn every_string_type_is_read_as_characters() {
        for (tag, bytes, expected) in [
            (Tag::BmpString, &[0x00, 0x4d, 0x00, 0xfc][..], Some("Mü")),
            (Tag::BmpString, &[0x00, 0x4d, 0x00], None),
            (Tag::UniversalString, &[0, 1, 0xf6, 0x00], Some("😀")),
            (Tag::T61String, &[0x4d, 0xfc], Some("Mü")),
            (Tag::Utf8String, &[0xff], None),
            (Tag::Integer, &[1], None),
        ] {
            assert_eq!(
                text(&Any::from_tag_and_data(tag, bytes)).as_deref(),
                expected,
                "{tag:?}"
            );
        }
    }

    #[test]
    fn a_type_without_a_short_name_is_dotted_and_its_value_hex() {
        let email = Any::from_tag_and_data(Tag::Ia5String, b"a@b");
        let email = AttributeTypeAndValue::new(oid::OID_PKCS9_EMAIL_ADDRESS, email);
        assert_eq!(attribute(&email, text), "1.2.840.113549.1.9.1=#1603614062");
    }
}
