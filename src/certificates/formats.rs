//! Certificates in the forms that receivers take: PEM, PKCS#7 and JWK Set.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::keys::PublicNumbers;
use crate::keys::lifecycle::Entry;
use crate::spelling::vocabulary;

/// Text; several certificates.
pub(crate) const PEM: &str = "application/x-pem-file";
/// Certificates and nothing else (RFC 8551, section 3.8).
pub(crate) const PKCS7: &str = "application/pkcs7-mime";
/// RFC 7517.
pub(crate) const JWK_SET: &str = "application/jwk-set+json";

vocabulary! {
    /// A form.
    pub(crate) enum Format {
        /// Text; several certificates.
        Pem = "pem",
        /// Certificates and nothing else.
        Pkcs7 = "pkcs7",
        /// JSON, with states.
        JwkSet = "jwks",
    }
}

const MEDIA_TYPES: [(&str, Format); 3] = [
    (PEM, Format::Pem),
    (PKCS7, Format::Pkcs7),
    (JWK_SET, Format::JwkSet),
];

impl Format {
    /// The one of ours that an Accept header wants most (RFC 9110, section 12.5.1), of equals the first that it names; PEM
    /// where it takes anything.
    pub(crate) fn accepted(header: Option<&str>) -> Option<Self> {
        let Some(header) = header else {
            return Some(Self::Pem);
        };
        let ranges = header.split(',').filter_map(|range| {
            let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = weight(parameters);
            Self::of_range(name.trim()).map(|format| (weight, format))
        });
        let mut wanted: Vec<_> = ranges.filter(|(weight, _)| *weight > 0.0).collect();
        wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        wanted.first().map(|(_, format)| *format)
    }

    fn of_range(range: &str) -> Option<Self> {
        let ours = MEDIA_TYPES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(range));
        let anything = ["*/*", "application/*"].contains(&range).then_some(Self::Pem);
        ours.map(|(_, format)| *format).or(anything)
    }

    pub(crate) fn media_types() -> Vec<&'static str> {
        MEDIA_TYPES.iter().map(|(name, _)| *name).collect()
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Pem => PEM,
            Self::Pkcs7 => "application/pkcs7-mime; smime-type=certs-only",
            Self::JwkSet => JWK_SET,
        }
    }

    /// Of a file.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Pkcs7 => "p7c",
            Self::JwkSet => "jwks.json",
        }
    }

    pub(crate) fn write(self, keys: &[Entry<'_>]) -> Vec<u8> {
        match self {
            Self::Pem => keys.iter().map(pem).collect::<String>().into_bytes(),
            Self::Pkcs7 => certs_only(keys.iter().map(|key| key.identity.certificate().der())),
            Self::JwkSet => {
                let keys: Vec<_> = keys.iter().map(jwk).collect();
                json!({ "keys": keys }).to_string().into_bytes()
            }
        }
    }
}

/// Of a media range's parameters; one that cannot be read weighs like none.
fn weight(parameters: &str) -> f32 {
    let quality = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("q")
            .then(|| value.trim().parse().ok())?
    });
    quality.unwrap_or(1.0)
}

/// RFC 7468.
pub(crate) fn certificate(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line))
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// Text around is explanatory (RFC 7468, section 2); readers skip it.
fn pem(key: &Entry<'_>) -> String {
    let facts = key.identity.certificate();
    format!(
        "state={} subject={}\n{}",
        key.state.name(),
        facts.subject(),
        certificate(facts.der())
    )
}

/// With the state, which RFC 7517, section 4, allows as a member of our own.
fn jwk(key: &Entry<'_>) -> Value {
    let facts = key.identity.certificate();
    let chain = key.identity.chain().iter();
    let chain: Vec<_> = std::iter::once(facts)
        .chain(chain)
        .map(|certificate| STANDARD.encode(certificate.der()))
        .collect();
    let mut jwk = json!({
        "kid": facts.fingerprint().to_string(),
        "use": "sig",
        "state": key.state.name(),
        "x5c": chain,
        "x5t": URL_SAFE_NO_PAD.encode(facts.thumbprint()),
    });
    let text = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
    let members = match facts.public_numbers() {
        Some(PublicNumbers::Rsa { modulus, exponent }) => {
            vec![
                ("kty", "RSA".into()),
                ("n", text(&modulus)),
                ("e", text(&exponent)),
            ]
        }
        Some(PublicNumbers::Curve { name, x, y }) => vec![
            ("kty", "EC".into()),
            ("crv", name.into()),
            ("x", text(&x)),
            ("y", text(&y)),
        ],
        Some(PublicNumbers::Ed25519(x)) => {
            vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", text(&x))]
        }
        None => Vec::new(),
    };
    if let Some(object) = jwk.as_object_mut() {
        object.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    jwk
}

/// A SignedData that nobody signed (RFC 5652, section 5.1), in DER. The certificates are put in as they are.
fn certs_only<'a>(certificates: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    const SIGNED_DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    const DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
    const VERSION_1: &[u8] = &[0x02, 0x01, 0x01];
    const NONE: &[u8] = &[0x31, 0x00];
    // A SET OF in DER is in the order of its elements' bytes.
    let mut certificates: Vec<_> = certificates.collect();
    certificates.sort_unstable();
    let content = [
        VERSION_1,
        NONE,
        &element(0x30, DATA),
        &element(0xa0, &certificates.concat()),
        NONE,
    ];
    let signed_data = element(0x30, &content.concat());
    element(0x30, &[SIGNED_DATA, &element(0xa0, &signed_data)].concat())
}

/// Tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<_> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![tag];
    match significant.as_slice() {
        [] => der.push(0),
        [short @ 0..0x80] => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_is_wanted_most_and_pem_where_nothing_is_said() {
        for (header, format) in [
            (None, Some(Format::Pem)),
            (Some("*/*"), Some(Format::Pem)),
            (
                Some("text/html, application/pkcs7-mime;q=0.5"),
                Some(Format::Pkcs7),
            ),
            (
                Some("Application/JWK-Set+JSON, application/x-pem-file"),
                Some(Format::JwkSet),
            ),
            (
                Some("application/x-pem-file;q=0.2, application/jwk-set+json; q=0.9, */*;q=0.1"),
                Some(Format::JwkSet),
            ),
            (
                Some("application/x-pem-file;q=0, application/pkcs7-mime"),
                Some(Format::Pkcs7),
            ),
            (Some("text/html"), None),
            (Some("*/*;q=0"), None),
        ] {
            assert_eq!(Format::accepted(header), format, "{header:?}");
        }
    }

    #[test]
    fn lengths_are_in_der() {
        assert_eq!(element(0x30, &[]), [0x30, 0]);
        assert_eq!(element(0x30, &[7; 127])[..2], [0x30, 127]);
        assert_eq!(element(0x30, &[7; 128])[..3], [0x30, 0x81, 128]);
        assert_eq!(element(0x30, &[7; 300])[..4], [0x30, 0x82, 1, 44]);
    }
}
