//! Messages that others wrote go through the running proxy. What arrives is what was sent with our insertions, and
//! both xmlsec1 and our second engine verify it.

use countersign::wss::names::SOAP12;
use http::StatusCode;
use memchr::memmem;

use crate::support::foreign::{Message, messages};
use crate::support::insertion::is_all_that_changed;
use crate::support::judges::Judges;
use crate::support::proxy;
use crate::support::receiver::Receiver;

/// What a message may be refused for, in the words of the fault.
const REASONS: [&str; 4] = [
    "DOCTYPE",
    "the Envelope has no Body",
    "relative namespace name",
    "Timestamp expired",
];

/// Larger ones take this test too long where nothing is optimised.
const LARGEST: usize = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn foreign_messages_arrive_signed_and_otherwise_as_they_were_sent() {
    let key = proxy::new_key();
    let mut judges = Judges::trusting(key.certificate.clone());
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).key(key).start().await;
    let mut flow = proxy.flow().await;
    let (mut arrived, mut refused) = (0, 0);
    for message in messages() {
        let Message { name, bytes } = &message;
        if bytes.len() > LARGEST {
            continue;
        }
        let soap12 = memmem::find(bytes, SOAP12.as_bytes()).is_some();
        let content_type = if soap12 {
            "application/soap+xml"
        } else {
            "text/xml"
        };
        let answer = flow.post("/orders", content_type, bytes.clone()).await;
        if answer.status == StatusCode::OK {
            let signed = receiver.take_request().body;
            assert!(
                is_all_that_changed(&message.in_utf8(), std::str::from_utf8(&signed).unwrap()),
                "{name} was changed"
            );
            judges.judge(name, &signed);
            arrived += 1;
        } else {
            let sentence = answer.sentence();
            assert!(
                REASONS.iter().any(|reason| sentence.contains(reason)),
                "{name}: {sentence}"
            );
            refused += 1;
        }
    }
    judges.conclude();
    assert_eq!(receiver.requests().len(), 0, "a refused message was forwarded");
    println!("{arrived} foreign messages arrived, {refused} were refused");
    assert!(arrived > 9 * refused);
}
