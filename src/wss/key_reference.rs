//! How a receiver finds the certificate: the token in the header, and `KeyInfo` that refers to it or names it
//! (X.509 Certificate Token Profile 1.1.1, section 3; WSS 1.1.1, section 7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::error::SignError;
use super::names::{BASE64_BINARY, THUMBPRINT_SHA1, WSSE, WSSE11, WSU, X509_PKI_PATH, X509_SKI, X509_V3};
use super::profile::{KeyIdentifier, Part, Profile};
use crate::keys::{Certificate, Signer};
use crate::xml::text::Exact;

/// What is prepared once for a key and a profile.
pub(super) struct KeyReference {
    /// Travels in the header, where the profile wants it.
    pub(super) token: Option<Token>,
    kind: Kind,
    /// What STR-Transform puts in the place of a reference to no token in the message.
    referred: Token,
}

/// A certificate, or a path, as a BinarySecurityToken holds it.
#[derive(Clone)]
pub(super) struct Token {
    value_type: &'static str,
    base64: String,
}

enum Kind {
    /// `wsse:Reference` to the token.
    Direct(&'static str),
    /// Within the SecurityTokenReference.
    Named(String),
    /// Within KeyInfo; outside BSP (R5417).
    Bare(String),
}

impl KeyReference {
    pub(super) fn prepare(profile: &Profile, signer: &Signer) -> Result<Self, SignError> {
        let certificate = signer.certificate();
        let single = Token {
            value_type: X509_V3,
            base64: BASE64.encode(certificate.der()),
        };
        let kind = match profile.key_identifier {
            KeyIdentifier::BinarySecurityToken => Kind::Direct(X509_V3),
            KeyIdentifier::PkiPath => Kind::Direct(X509_PKI_PATH),
            KeyIdentifier::IssuerSerial => Kind::Named(issuer_serial(certificate)),
            KeyIdentifier::SubjectKeyIdentifier => Kind::Named(match certificate.subject_key_identifier() {
                Some(identifier) => key_identifier(X509_SKI, identifier),
                // BSP R5210
                None => key_identifier(THUMBPRINT_SHA1, &certificate.thumbprint()),
            }),
            KeyIdentifier::Thumbprint => {
                Kind::Named(key_identifier(THUMBPRINT_SHA1, &certificate.thumbprint()))
            }
            KeyIdentifier::X509Data => Kind::Bare(format!(
                "<ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>",
                single.base64
            )),
        };
        let token = match profile.key_identifier {
            KeyIdentifier::BinarySecurityToken => Some(single.clone()),
            KeyIdentifier::PkiPath => Some(Token {
                value_type: X509_PKI_PATH,
                base64: pki_path(signer),
            }),
            KeyIdentifier::IssuerSerial | KeyIdentifier::SubjectKeyIdentifier | KeyIdentifier::Thumbprint => {
                profile.include_token.then(|| single.clone())
            }
            KeyIdentifier::X509Data => None,
        };
        if matches!(kind, Kind::Bare(_)) && profile.sign.contains(&Part::Token) {
            return Err(SignError::Profile(
                "`sign` names \"token\", but with key_identifier \"x509-data\" there is none that can be signed; \
                 choose another key_identifier or leave \"token\" out"
                    .into(),
            ));
        }
        Ok(Self {
            token,
            kind,
            referred: single,
        })
    }

    /// `ds:KeyInfo`. `token` is the id of the token in the header; `own` that of the SecurityTokenReference.
    pub(super) fn key_info(&self, token: Option<&str>, own: Option<&str>) -> String {
        let id = own.map_or_else(String::new, |id| format!(r#" xmlns:wsu="{WSU}" wsu:Id="{id}""#));
        let (kind, inner) = match &self.kind {
            Kind::Bare(data) => return format!("<ds:KeyInfo>{data}</ds:KeyInfo>"),
            Kind::Named(named) => (String::new(), named.clone()),
            Kind::Direct(value_type) => {
                let reference = format!(
                    r##"<wsse:Reference URI="#{}" ValueType="{value_type}"></wsse:Reference>"##,
                    token.unwrap_or_default()
                );
                // WSS 1.1.1, section 7: a path must say that it is one.
                let is_path = *value_type == X509_PKI_PATH;
                let kind = format!(r#" xmlns:wsse11="{WSSE11}" wsse11:TokenType="{value_type}""#);
                (if is_path { kind } else { String::new() }, reference)
            }
        };
        format!(
            r#"<ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="{WSSE}"{kind}{id}>{inner}</wsse:SecurityTokenReference></ds:KeyInfo>"#
        )
    }

    /// The canonical octets that STR-Transform makes of the reference (WSS 1.1.1, section 8.3): the token rebuilt
    /// from the certificate, without EncodingType, since it has none to copy; and `xmlns=""`, since no default
    /// namespace is rendered on it.
    pub(super) fn dereferenced(&self) -> String {
        let Token { value_type, base64 } = &self.referred;
        format!(
            r#"<wsse:BinarySecurityToken xmlns="" xmlns:wsse="{WSSE}" ValueType="{value_type}">{base64}</wsse:BinarySecurityToken>"#
        )
    }
}

impl Token {
    pub(super) fn element(&self, id: &str) -> String {
        let Self { value_type, base64 } = self;
        format!(
            r#"<wsse:BinarySecurityToken xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" EncodingType="{BASE64_BINARY}" ValueType="{value_type}" wsu:Id="{id}">{base64}</wsse:BinarySecurityToken>"#
        )
    }
}

fn key_identifier(value_type: &str, identifier: &[u8]) -> String {
    format!(
        r#"<wsse:KeyIdentifier EncodingType="{BASE64_BINARY}" ValueType="{value_type}">{}</wsse:KeyIdentifier>"#,
        BASE64.encode(identifier)
    )
}

fn issuer_serial(certificate: &Certificate) -> String {
    format!(
        "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{}</ds:X509IssuerName>\
         <ds:X509SerialNumber>{}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>",
        Exact(certificate.issuer_in_messages()),
        certificate.serial()
    )
}

/// Base64 of a PkiPath (ITU-T X.509, section 9): SEQUENCE OF Certificate, CA first, signer last, without the root.
fn pki_path(signer: &Signer) -> String {
    let issuers = signer
        .chain()
        .iter()
        .filter(|certificate| !certificate.is_self_issued());
    let path: Vec<&Certificate> = std::iter::once(signer.certificate()).chain(issuers).collect();
    let contents: Vec<u8> = path
        .iter()
        .rev()
        .flat_map(|certificate| certificate.der())
        .copied()
        .collect();
    let length = contents.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![0x30];
    match (significant.as_slice(), u8::try_from(significant.len())) {
        ([short @ ..=0x7F], _) => der.push(*short),
        (long, Ok(octets)) => {
            der.push(0x80 | octets);
            der.extend_from_slice(long);
        }
        (_, Err(_)) => {}
    }
    der.extend_from_slice(&contents);
    BASE64.encode(der)
}
