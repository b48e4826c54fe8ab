//! What the receiver says, in the SOAP version of the message.

use super::judge::Accepted;
use crate::wss::SoapVersion;
use crate::wss::key_refused::KEY_NOT_TRUSTED;
use crate::wss::names::WSSE;
use crate::wss::verify::VerifyError;
use crate::xml::text::Text;

/// The namespace of our own answers.
const NAMESPACE: &str = "urn:countersign:receiver";

/// One HTTP response.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) envelope: String,
}

impl Answer {
    /// `<Accepted key="…" duplicate="…" number="…">` names the key by the SHA-256 of its certificate, counts what has been
    /// accepted, and has as text the parts that were signed.
    pub(super) fn accepted(version: SoapVersion, accepted: &Accepted) -> Self {
        let Accepted {
            key,
            duplicate,
            number,
            parts,
        } = accepted;
        let parts = Text(parts);
        let content = format!(
            "<Accepted xmlns=\"{NAMESPACE}\" key=\"{key}\" duplicate=\"{duplicate}\" number=\"{number}\">{parts}</Accepted>"
        );
        Self::new(version, 200, &content)
    }

    /// A fault with the code of WSS 1.1.1, section 12. It is unsecured, as a refusal has to be.
    pub(super) fn refused(version: SoapVersion, error: &VerifyError) -> Self {
        let code = error.fault_code();
        let sentence = match error.blames_key() {
            true => format!("{KEY_NOT_TRUSTED}: {error}"),
            false => error.to_string(),
        };
        let sentence = Text(&sentence);
        match version {
            SoapVersion::Soap11 => {
                let fault = format!(
                    "<soap:Fault><faultcode xmlns:wsse=\"{WSSE}\">wsse:{code}</faultcode>\
                     <faultstring>{sentence}</faultstring></soap:Fault>"
                );
                Self::new(version, 500, &fault)
            }
            SoapVersion::Soap12 => {
                let fault = format!(
                    "<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value>\
                     <soap:Subcode><soap:Value xmlns:wsse=\"{WSSE}\">wsse:{code}</soap:Value></soap:Subcode></soap:Code>\
                     <soap:Reason><soap:Text xml:lang=\"en\">{sentence}</soap:Text></soap:Reason></soap:Fault>"
                );
                Self::new(version, 400, &fault)
            }
        }
    }

    fn new(version: SoapVersion, status: u16, content: &str) -> Self {
        let soap = version.namespace();
        Self {
            status,
            content_type: match version {
                SoapVersion::Soap11 => "text/xml; charset=utf-8",
                SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
            },
            envelope: format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
                 <soap:Envelope xmlns:soap=\"{soap}\"><soap:Body>{content}</soap:Body></soap:Envelope>\n"
            ),
        }
    }
}
