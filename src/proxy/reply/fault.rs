//! Our own SOAP faults, in the version of the request (SOAP 1.1, section 4.4; SOAP 1.2 part 1, section 5.4).

use crate::wss::SoapVersion;
use crate::wss::names::{SOAP11, SOAP12};
use crate::xml::text::Text;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The sender must change the request.
    Sender,
    /// The same request may do later.
    Receiver,
}

/// A fault envelope with this sentence.
pub(super) fn envelope(version: SoapVersion, blame: Blame, sentence: &str) -> String {
    let sentence = Text(sentence);
    match version {
        SoapVersion::Soap11 => {
            let code = match blame {
                Blame::Sender => "Client",
                Blame::Receiver => "Server",
            };
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
                 <soap:Envelope xmlns:soap=\"{SOAP11}\"><soap:Body><soap:Fault>\
                 <faultcode>soap:{code}</faultcode><faultstring>{sentence}</faultstring>\
                 </soap:Fault></soap:Body></soap:Envelope>\n"
            )
        }
        SoapVersion::Soap12 => {
            let code = match blame {
                Blame::Sender => "Sender",
                Blame::Receiver => "Receiver",
            };
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
                 <soap:Envelope xmlns:soap=\"{SOAP12}\"><soap:Body><soap:Fault>\
                 <soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>\
                 <soap:Reason><soap:Text xml:lang=\"en\">{sentence}</soap:Text></soap:Reason>\
                 </soap:Fault></soap:Body></soap:Envelope>\n"
            )
        }
    }
}

/// The `Content-Type` that goes with it.
pub(super) const fn content_type(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::Soap11 => "text/xml; charset=utf-8",
        SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_speaks_the_requests_version() {
        let soap11 = envelope(SoapVersion::Soap11, Blame::Sender, "no");
        assert!(
            soap11.contains("<faultcode>soap:Client</faultcode><faultstring>no</faultstring>"),
            "{soap11}"
        );
        let soap12 = envelope(SoapVersion::Soap12, Blame::Receiver, "no");
        assert!(
            soap12.contains("<soap:Value>soap:Receiver</soap:Value>"),
            "{soap12}"
        );
        assert!(
            soap12.contains("<soap:Text xml:lang=\"en\">no</soap:Text>"),
            "{soap12}"
        );
    }
}
