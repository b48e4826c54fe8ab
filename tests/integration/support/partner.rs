//! A receiver that trusts the keys it is told to, verifies every message, and refuses the others; it knows each message by
//! its `wsa:MessageID` and remembers what it has processed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use countersign::keys::{Certificate, Fingerprint};
use countersign::wss::SoapVersion;
use countersign::wss::names::{SOAP11, SOAP12, WSA, WSSE};
use countersign::wss::policy::Policy;
use countersign::wss::verify::{Trust, Verifier};
use countersign::xml::Limits;
use countersign::xml::libxml::Tree;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::clock::now;
use super::receiver::{ACKNOWLEDGED, Receiver, Recorded};

/// What the set `countersign` of `key_refused` looks for.
pub(crate) const NOT_TRUSTED: &str = "the signing key is not trusted: it is not the one";

/// A message as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) key: Fingerprint,
    pub(crate) version: SoapVersion,
    /// The how manyth it was to come.
    pub(crate) number: usize,
    pub(crate) trusted: bool,
}

/// What becomes of a message.
pub(crate) struct Said {
    pub(crate) processed: bool,
    pub(crate) answer: Response<Full<Bytes>>,
}

/// A running one.
pub(crate) struct Partner {
    pub(crate) receiver: Receiver,
    book: Arc<Book>,
}

struct Book {
    verifier: Verifier,
    trusted: Mutex<BTreeSet<Fingerprint>>,
    seen: Mutex<Vec<Seen>>,
    processed: Mutex<BTreeMap<String, usize>>,
}

impl Partner {
    /// Knows these certificates, and trusts the first one; answers as it is told.
    pub(crate) async fn scripted(
        known: &[Certificate],
        script: impl Fn(&Seen) -> Said + Send + Sync + 'static,
    ) -> Self {
        let trusted = known.iter().take(1).map(|key| key.fingerprint().clone());
        let book = Arc::new(Book {
            verifier: Verifier {
                trust: Trust::new(known.to_vec()),
                policy: Policy::outbound(),
                actor: None,
            },
            trusted: Mutex::new(trusted.collect()),
            seen: Mutex::default(),
            processed: Mutex::default(),
        });
        let kept = book.clone();
        let receiver = Receiver::answering(move |recorded| {
            let seen = kept.enter(recorded);
            let said = script(&seen);
            if said.processed {
                *kept.processed.lock().unwrap().entry(seen.id).or_default() += 1;
            }
            said.answer
        });
        Self {
            receiver: receiver.await,
            book,
        }
    }

    /// From now on it trusts these keys and no others.
    pub(crate) fn trust(&self, keys: &[&Fingerprint]) {
        *self.book.trusted.lock().unwrap() = keys.iter().copied().cloned().collect();
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.book.seen.lock().unwrap().clone()
    }

    /// The messages that came, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.id).collect()
    }

    /// The keys that a message was signed with, time by time.
    pub(crate) fn keys_of(&self, id: &str) -> Vec<Fingerprint> {
        let seen = self.seen().into_iter();
        seen.filter(|seen| seen.id == id).map(|seen| seen.key).collect()
    }

    /// What it processed: each message at most once, and no signed message came twice.
    pub(crate) fn processed(&self) -> Vec<String> {
        let processed = self.book.processed.lock().unwrap().clone();
        assert!(processed.values().all(|times| *times == 1), "{processed:?}");
        let requests = self.receiver.requests();
        let distinct: BTreeSet<_> = requests.iter().map(|request| &request.body).collect();
        assert_eq!(distinct.len(), requests.len(), "the same bytes were sent twice");
        processed.into_keys().collect()
    }
}

impl Book {
    /// Whatever comes is signed, and by a key that is known.
    fn enter(&self, recorded: &Recorded) -> Seen {
        let tree = Tree::parse(&recorded.body, &Limits::default()).expect("a message");
        let message = self.verifier.verify(&tree, now()).expect("a signed message");
        let key = message.body_signature().certificate.fingerprint().clone();
        let header = tree.root().children().next().expect("a header");
        let id = header.children().find(|block| block.is(WSA, "MessageID"));
        let mut seen = self.seen.lock().unwrap();
        let came = Seen {
            id: id.and_then(|id| id.text()).expect("an id"),
            trusted: self.trusted.lock().unwrap().contains(&key),
            key,
            version: message.soap_version(),
            number: seen.len(),
        };
        seen.push(came.clone());
        came
    }
}

impl Seen {
    /// Processed where its key is trusted, refused otherwise.
    pub(crate) fn usual(&self) -> Said {
        match self.trusted {
            true => self.processed(),
            false => self.refused(),
        }
    }

    pub(crate) fn processed(&self) -> Said {
        let answer = Response::builder().header(CONTENT_TYPE, "text/xml; charset=utf-8");
        Said {
            processed: true,
            answer: answer.body(Full::from(ACKNOWLEDGED)).unwrap(),
        }
    }

    /// As the set `countersign` of `key_refused` knows it.
    pub(crate) fn refused(&self) -> Said {
        self.fault("wsse:FailedCheck", NOT_TRUSTED)
    }

    /// A fault of the message's own SOAP version; without processing it.
    pub(crate) fn fault(&self, code: &str, text: &str) -> Said {
        let status = match self.version {
            SoapVersion::Soap11 => StatusCode::INTERNAL_SERVER_ERROR,
            SoapVersion::Soap12 => StatusCode::BAD_REQUEST,
        };
        self.fault_with(status, code, text)
    }

    /// The same by another status.
    pub(crate) fn fault_with(&self, status: StatusCode, code: &str, text: &str) -> Said {
        self.whole_fault(status, "", code, text)
    }

    /// A refusal that is secured, so that it comes from somewhere behind.
    pub(crate) fn secured_refusal(&self) -> Said {
        let header = "<soap:Header><wsse:Security/></soap:Header>";
        self.whole_fault(
            StatusCode::INTERNAL_SERVER_ERROR,
            header,
            "wsse:FailedCheck",
            NOT_TRUSTED,
        )
    }

    fn whole_fault(&self, status: StatusCode, header: &str, code: &str, text: &str) -> Said {
        let (fault, soap, content_type) = match self.version {
            SoapVersion::Soap11 => (
                format!("<faultcode>{code}</faultcode><faultstring>{text}</faultstring>"),
                SOAP11,
                "text/xml; charset=utf-8",
            ),
            SoapVersion::Soap12 => (
                format!(
                    "<soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value>{code}</soap:Value></soap:Subcode>\
                     </soap:Code><soap:Reason><soap:Text xml:lang=\"en\">{text}</soap:Text></soap:Reason>"
                ),
                SOAP12,
                "application/soap+xml; charset=utf-8",
            ),
        };
        let envelope = format!(
            "<soap:Envelope xmlns:soap=\"{soap}\" xmlns:wsse=\"{WSSE}\">{header}<soap:Body><soap:Fault>{fault}</soap:Fault>\
             </soap:Body></soap:Envelope>"
        );
        let answer = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, content_type);
        Said {
            processed: false,
            answer: answer.body(Full::from(envelope)).unwrap(),
        }
    }
}

impl Said {
    /// No XML: something went wrong before the receiver's own code.
    pub(crate) fn outage(status: StatusCode) -> Self {
        let answer = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, "text/html");
        Self {
            processed: false,
            answer: answer.body(Full::from("<p>out of order</p>")).unwrap(),
        }
    }

    /// It processed the message first.
    pub(crate) fn after_processing(mut self) -> Self {
        self.processed = true;
        self
    }
}
