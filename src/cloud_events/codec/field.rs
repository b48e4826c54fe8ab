//! Values of attributes in header fields (HTTP protocol binding, section 3.1.3.2): quoted strings first, then one round
//! of percent-decoding.

/// The attribute's value; `None` if it was not encoded as it should be.
pub(super) fn decode(field: &[u8]) -> Option<String> {
    let field = std::str::from_utf8(field).ok().filter(|field| field.is_ascii())?;
    let unquoted = unquote(field.trim())?;
    let mut bytes = unquoted.bytes();
    let mut decoded = Vec::with_capacity(unquoted.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (hex(bytes.next()?)? << 4) | hex(bytes.next()?)?,
            plain => plain,
        });
    }
    // What is overlong or cut is no UTF-8.
    String::from_utf8(decoded).ok()
}

/// RFC 9110, section 5.6.4: older senders quote spaces.
fn unquote(field: &str) -> Option<String> {
    let Some(inner) = field.strip_prefix('"') else {
        return (!field.contains('"')).then(|| field.to_owned());
    };
    let mut characters = inner.strip_suffix('"')?.chars();
    let mut plain = String::with_capacity(inner.len());
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => characters.next()?,
            '"' => return None,
            other => other,
        });
    }
    Some(plain)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_as_the_binding_says() {
        for (field, value) in [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", Some("Euro € 😀")),
            ("plain", Some("plain")),
            ("%e2%82%ac", Some("€")),
            ("%41", Some("A")),
            (r#""two words""#, Some("two words")),
            (r#""a \"b\" \\ c""#, Some(r#"a "b" \ c"#)),
            (r#""%25""#, Some("%")),
            ("%2541", Some("%41")),
            ("%C0%A0", None),
            ("%E2%82", None),
            ("%4", None),
            ("%zz", None),
            ("€", None),
            (r#""open"#, None),
            (r#"a"b"#, None),
            (r#""a"b""#, None),
            (r#"""#, None),
        ] {
            assert_eq!(decode(field.as_bytes()).as_deref(), value, "{field}");
        }
    }
}
