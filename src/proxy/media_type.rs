//! `Content-Type`: the media type of a message and its charset (RFC 9110, section 8.3.1).
//!
//! Only these two matter here. Everything else in the field is between sender and receiver, and many write it otherwise
//! than the standard has it (`action=http://…` without quotes, `text/xml; utf-8`): it is skipped, and goes on as it was
//! written.

use http::HeaderValue;

/// A media type with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// `type/subtype`, lower case.
    essence: String,
    charset: Option<String>,
    /// The other parameters as they were written, in their order.
    others: Vec<Vec<u8>>,
}

/// Why a field's value is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MediaTypeError {
    /// It does not begin with a type and a subtype.
    #[error("is not a media type")]
    NoType,
    /// One reader would take one of them, another reader the other.
    #[error("names two charsets")]
    TwoCharsets,
}

impl MediaType {
    /// Reads a header field's value.
    pub(crate) fn parse(value: &HeaderValue) -> Result<Self, MediaTypeError> {
        let text = value.as_bytes().trim_ascii();
        // Some leave the first semicolon out.
        let end = text.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t'));
        let (essence, mut rest) = text.split_at(end.unwrap_or(text.len()));
        if !is_type(essence) || rest.trim_ascii_start().starts_with(b",") {
            return Err(MediaTypeError::NoType);
        }
        let (mut charset, mut others) = (None::<String>, Vec::new());
        while !rest.is_empty() {
            let (parameter, after) = next_parameter(rest);
            rest = after;
            match charset_of(parameter) {
                Some(own) if own.is_empty() => {}
                Some(own)
                    if charset
                        .as_ref()
                        .is_some_and(|first| !own.eq_ignore_ascii_case(first)) =>
                {
                    return Err(MediaTypeError::TwoCharsets);
                }
                Some(own) => charset = Some(own),
                None if parameter.is_empty() => {}
                None => others.push(parameter.to_vec()),
            }
        }
        Ok(Self {
            essence: String::from_utf8_lossy(essence).to_ascii_lowercase(),
            charset,
            others,
        })
    }

    /// `type/subtype`, lower case.
    pub(crate) fn essence(&self) -> &str {
        &self.essence
    }

    /// A document of XML, by the conventions for its types (RFC 7303, section 4.2).
    pub(crate) fn is_xml(&self) -> bool {
        matches!(self.essence.as_str(), "text/xml" | "application/xml") || self.essence.ends_with("+xml")
    }

    /// The `charset` parameter.
    pub(crate) fn charset(&self) -> Option<&str> {
        self.charset.as_deref()
    }

    /// The same type for a message that is in UTF-8 now.
    pub(crate) fn in_utf8(self) -> Option<HeaderValue> {
        let mut text = self.essence.into_bytes();
        for parameter in &self.others {
            text.extend_from_slice(b"; ");
            text.extend_from_slice(parameter);
        }
        text.extend_from_slice(b"; charset=utf-8");
        HeaderValue::from_bytes(&text).ok()
    }
}

/// One parameter without the white space around it, perhaps none, and what follows its semicolon. A semicolon within
/// quotes is part of it; quotes are those that begin a value.
fn next_parameter(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped, mut value_begins) = (false, false, false);
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if quoted || value_begins => quoted = !quoted,
            b';' if !quoted => {
                let (parameter, after) = text.split_at(index);
                return (parameter.trim_ascii(), after.get(1..).unwrap_or_default());
            }
            _ => {}
        }
        value_begins = !quoted && (byte == b'=' || (value_begins && byte.is_ascii_whitespace()));
    }
    (text.trim_ascii(), &[])
}

/// What the parameter says, if it is a charset; perhaps nothing.
fn charset_of(parameter: &[u8]) -> Option<String> {
    let mut parts = parameter.splitn(2, |&byte| byte == b'=');
    let (name, value) = (parts.next()?, parts.next()?);
    if !name.trim_ascii().eq_ignore_ascii_case(b"charset") {
        return None;
    }
    let value = String::from_utf8_lossy(value.trim_ascii());
    Some(match value.strip_prefix('"') {
        Some(quoted) => unescaped(quoted),
        None => value.trim_matches('\'').to_owned(),
    })
}

/// What a quoted-string says whose opening quote has been read.
fn unescaped(text: &str) -> String {
    let (mut value, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    value.trim().to_owned()
}

/// `type/subtype`, both of them tokens (RFC 9110, section 5.6.2).
fn is_type(text: &[u8]) -> bool {
    let mut tokens = text.split(|&byte| byte == b'/');
    let is_token = |token: &[u8]| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        !token.is_empty() && token.iter().all(allowed)
    };
    tokens.next().is_some_and(is_token) && tokens.next().is_some_and(is_token) && tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> HeaderValue {
        HeaderValue::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn type_and_charset_are_read_however_they_are_written() {
        for text in [
            "Text/XML;charset=ISO-8859-1",
            "text/xml ; Charset=\"ISO-8859-1\"",
            "text/xml;;charset=ISO-8859-1;",
            "text/xml; ;charset = ISO-8859-1 ; ",
            "text/xml; charset='ISO-8859-1'",
            "text/xml charset=ISO-8859-1",
            "text/xml\t; charset=\" ISO-8859-1\" ; a",
            "text/xml; charset=\"ISO-8859-1",
            "text/xml; charset=\"ISO\\-8859-1\"",
            "text/xml; charset=ISO-8859-1; CHARSET=\"ISO-8859-1\"",
            "text/xml; charset=; charset=ISO-8859-1",
            "text/xml; a=\"; charset=utf-8\"; charset=ISO-8859-1",
        ] {
            let media_type = MediaType::parse(&field(text)).unwrap();
            assert_eq!(
                (media_type.essence(), media_type.charset()),
                ("text/xml", Some("ISO-8859-1")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_else_is_in_the_field_is_skipped_whatever_it_is() {
        for text in [
            "text/xml",
            "text/xml;",
            "text/xml; utf-8",
            "text/xml; charset",
            "text/xml; charset=",
            "text/xml; charset=\"\"",
            "text/xml; charset*=utf-8",
            "text/xml; =; a=; =b; ü=ü",
            "text/xml; action=http://example.com/a?b=\"c\",d",
            "text/xml; action=\"urn:a; charset=utf-8",
        ] {
            let media_type = MediaType::parse(&field(text)).unwrap();
            assert_eq!(
                (media_type.essence(), media_type.charset()),
                ("text/xml", None),
                "{text}"
            );
        }
    }

    #[test]
    fn other_parameters_survive_a_change_of_the_charset_as_they_were_written() {
        for (before, after) in [
            (
                r#"application/soap+xml; charset=utf-16; action="urn:a;\"b\"""#,
                r#"application/soap+xml; action="urn:a;\"b\""; charset=utf-8"#,
            ),
            (
                "application/soap+xml; action=http://example.com/ä/b; charset = utf-16 ;A = b",
                "application/soap+xml; action=http://example.com/ä/b; A = b; charset=utf-8",
            ),
            ("text/xml", "text/xml; charset=utf-8"),
        ] {
            let written = MediaType::parse(&field(before)).unwrap().in_utf8().unwrap();
            assert_eq!(written.as_bytes(), after.as_bytes());
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            ";",
            "xml",
            "text/",
            "/xml",
            "text/xml/a",
            "text/xml, text/xml",
            "text/xml , text/xml",
            "text/xml,text/plain; charset=utf-8",
        ] {
            assert_eq!(
                MediaType::parse(&field(text)),
                Err(MediaTypeError::NoType),
                "{text}"
            );
        }
    }

    #[test]
    fn two_charsets_that_differ_are_refused() {
        assert_eq!(
            MediaType::parse(&field("text/xml; charset=utf-8; charset=iso-8859-1")),
            Err(MediaTypeError::TwoCharsets)
        );
    }
}
