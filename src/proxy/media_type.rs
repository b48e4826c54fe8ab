//! `Content-Type`: the media type of a message and its parameters (RFC 9110, section 8.3.1).

use http::HeaderValue;

/// A media type with its parameters, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// `type/subtype`, lower case.
    essence: String,
    /// Names in lower case, values without quotes.
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads a header value; `None` if it is not a media type.
    pub(crate) fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let (essence, mut rest) = match text.split_once(';') {
            Some((essence, rest)) => (essence, rest),
            None => (text, ""),
        };
        let (kind, subtype) = essence.trim().split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters = Vec::new();
        while !rest.trim().is_empty() {
            let (parameter, after) = parameter(rest)?;
            parameters.extend(parameter);
            rest = after;
        }
        Some(Self {
            essence: essence.trim().to_ascii_lowercase(),
            parameters,
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
        self.parameters
            .iter()
            .find(|(name, _)| name == "charset")
            .map(|(_, value)| value.as_str())
    }

    /// The same type for a message that is in UTF-8 now.
    pub(crate) fn in_utf8(mut self) -> Option<HeaderValue> {
        self.parameters.retain(|(name, _)| name != "charset");
        self.parameters.push(("charset".to_owned(), "utf-8".to_owned()));
        let mut text = self.essence;
        for (name, value) in &self.parameters {
            text.push_str("; ");
            text.push_str(name);
            text.push('=');
            push_value(&mut text, value);
        }
        HeaderValue::try_from(text).ok()
    }
}

/// One `name=value`, and what follows its semicolon. An empty parameter is allowed (RFC 9110, section 5.6.6).
fn parameter(text: &str) -> Option<(Option<(String, String)>, &str)> {
    let text = text.trim_start();
    if let Some(after) = text.strip_prefix(';') {
        return Some((None, after));
    }
    let (name, value) = text.split_once('=')?;
    let (value, after) = match value.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => {
            let (value, after) = value.split_once(';').unwrap_or((value, ""));
            let value = value.trim_end();
            return (is_token(name) && is_token(value))
                .then(|| (Some((name.to_ascii_lowercase(), value.to_owned())), after));
        }
    };
    let after = after.trim_start();
    let after = if after.is_empty() {
        after
    } else {
        after.strip_prefix(';')?
    };
    is_token(name).then(|| (Some((name.to_ascii_lowercase(), value)), after))
}

/// The rest of a quoted-string whose opening quote has been read, and what follows it.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

fn push_value(text: &mut String, value: &str) {
    if is_token(value) {
        text.push_str(value);
        return;
    }
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<MediaType> {
        MediaType::parse(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn type_and_charset_are_read_whatever_the_case_and_quoting() {
        for text in [
            "Text/XML;charset=ISO-8859-1",
            "text/xml ; Charset=\"ISO-8859-1\"",
            "text/xml;;charset=ISO-8859-1;",
        ] {
            let media_type = parse(text).unwrap();
            assert_eq!(
                (media_type.essence(), media_type.charset()),
                ("text/xml", Some("ISO-8859-1")),
                "{text}"
            );
        }
        assert_eq!(parse("text/xml").unwrap().charset(), None);
    }

    #[test]
    fn other_parameters_survive_a_change_of_the_charset() {
        let soap12 = parse(r#"application/soap+xml; charset=utf-16; action="urn:a;\"b\"""#).unwrap();
        assert_eq!(
            soap12.in_utf8().unwrap(),
            r#"application/soap+xml; action="urn:a;\"b\""; charset=utf-8"#
        );
        assert_eq!(
            parse("text/xml").unwrap().in_utf8().unwrap(),
            "text/xml; charset=utf-8"
        );
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            "xml",
            "text/",
            "/xml",
            "text/xml; charset",
            "text/xml; charset=\"utf-8",
            "text/xml, text/xml",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
