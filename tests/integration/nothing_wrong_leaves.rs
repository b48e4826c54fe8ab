//! The self-check at its place in the proxy: which messages it looks at, and that what it finds wrong never leaves.

use countersign::keys::AfterImport;
use countersign::keys::audit::Author;
use http::StatusCode;

use crate::support::client::SOAP11;
use crate::support::clock::now;
use crate::support::proxy::{self, ALIAS, TestProxy};
use crate::support::receiver::Receiver;

const MESSAGE: &str = include_str!("../messages/comments.xml");

#[tokio::test]
async fn the_first_message_of_each_key_is_looked_at_and_then_a_share() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .route("self_check = 0.25")
        .start()
        .await;
    let mut flow = proxy.flow().await;
    let mut looked_at = Vec::new();
    for message in 0..9 {
        if message == 6 {
            let key =
                proxy
                    .keys()
                    .by(Author::cli())
                    .import(ALIAS, proxy::new_key(), AfterImport::Activate, now());
            key.unwrap();
        }
        assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
        looked_at.push(count(&proxy, "passed"));
    }
    assert_eq!(looked_at, [1, 1, 1, 1, 2, 2, 3, 3, 3]);
    assert_eq!(count(&proxy, "failed") + count(&proxy, "skipped"), 0);
}

#[tokio::test]
async fn a_message_over_the_bound_is_skipped_and_counted() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .route("self_check_max = \"1KiB\"")
        .start()
        .await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((count(&proxy, "passed"), count(&proxy, "skipped")), (0, 1));
}

#[tokio::test]
async fn a_look_that_takes_too_long_is_given_up_and_the_setting_says_what_becomes_of_the_message() {
    let receiver = Receiver::start().await;
    for (late, status, left) in [
        ("", StatusCode::OK, 1),
        ("self_check_late = \"send\"", StatusCode::OK, 2),
        ("self_check_late = \"refuse\"", StatusCode::SERVICE_UNAVAILABLE, 2),
    ] {
        let proxy = proxy::to(receiver.url("/"))
            .route("self_check_timeout = \"1ns\"")
            .also_route(late)
            .start()
            .await;
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.status, status, "{late}");
        if status != StatusCode::OK {
            let sentence = answer.sentence();
            assert!(
                sentence.contains("could not be checked in time and was not sent"),
                "{sentence}"
            );
        }
        assert_eq!(
            (count(&proxy, "passed"), count(&proxy, "given-up")),
            (0, 1),
            "{late}"
        );
        assert_eq!(receiver.requests().len(), left, "{late}");
    }
}

/// Self-checks of the route that ended so.
fn count(proxy: &TestProxy, outcome: &str) -> u32 {
    let counter = format!("countersign_self_checks_total{{outcome=\"{outcome}\",route=\"orders\"}} ");
    let metrics = proxy.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&counter));
    line.map_or(0, |count| count.parse().unwrap())
}

/// Something for every sabotage: comments and instructions that no signature covers, attributes in need of order and of
/// normalisation, a carriage return, prefixes in scope that only content uses.
#[cfg(feature = "sabotage")]
const TEMPTING: &str = concat!(
    "<?before the envelope?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:t=\"urn:trace\">",
    "<s:Header><t:Trace>urn:trace:1</t:Trace></s:Header>",
    "<s:Body><o:Order xmlns:o=\"urn:orders\" number=\"4711\" kind=\"two\nwords\"><!-- not signed -->",
    "<o:Text xsi:type=\"t:Text\">two words&#13;\n</o:Text></o:Order></s:Body></s:Envelope>",
);

#[cfg(feature = "sabotage")]
#[tokio::test]
async fn every_error_that_the_signer_makes_is_found_before_the_message_leaves() {
    use countersign::wss::sabotage::Sabotage;

    for &sabotage in Sabotage::ALL {
        let receiver = Receiver::start().await;
        let proxy = proxy::to(receiver.url("/")).sabotage(sabotage).start().await;
        let mut flow = proxy.flow().await;
        for _ in 0..2 {
            let answer = flow.post("/orders", SOAP11, TEMPTING).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{sabotage}");
            let sentence = answer.sentence();
            assert!(
                sentence.starts_with("the signed message did not pass the self-check and was not sent: "),
                "{sabotage}: {sentence}"
            );
            assert!(
                sentence.contains(found(sabotage)),
                "{sabotage} is found for another reason: {sentence}"
            );
        }
        assert_eq!(
            (count(&proxy, "failed"), count(&proxy, "passed")),
            (2, 0),
            "{sabotage}"
        );
        assert_eq!(receiver.connections(), 0, "{sabotage}");
    }
}

#[cfg(feature = "sabotage")]
#[tokio::test]
async fn the_same_message_leaves_when_nothing_is_wrong() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let answer = proxy.flow().await.post("/orders", SOAP11, TEMPTING).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((count(&proxy, "passed"), receiver.requests().len()), (1, 1));
}

/// What the self-check says of it.
#[cfg(feature = "sabotage")]
fn found(sabotage: countersign::wss::sabotage::Sabotage) -> &'static str {
    use countersign::wss::sabotage::Sabotage as S;

    match sabotage {
        S::DroppedOctet
        | S::AttributeOrder
        | S::LostCarriageReturn
        | S::LostNamespace
        | S::UnnormalizedValue
        | S::PrefixList
        | S::SwappedDigests
        | S::SwappedIds => "was changed after it was signed",
        S::UnknownId => "nothing has the id",
        S::BodyNotCovered | S::TimestampNotCovered => "the profile demands",
        S::CoveredTwice => "two References to #",
        S::TokenOfAnotherKey | S::SignatureOfAnotherKey => "does not verify with the key of",
        S::AnotherKey => "signed by CN=Another in place of CN=Orders",
        S::AlteredPayload | S::LostComment | S::LostInstruction | S::AlteredHeader => {
            "what is left without the insertions differs"
        }
        S::DoubledHeader => "two for the same actor",
        S::CutOff => "line ",
        S::LostMustUnderstand => "profile demands: Security has other attributes than it should have",
        S::AnotherActor => "no Security header for this receiver",
        S::LongerLifetime | S::AnotherMoment => "profile demands: the Timestamp is not from",
        S::AnotherKeyIdentifier => "profile demands: there is a KeyIdentifier in place of Reference",
        S::LostPrefixLists => "profile demands: CanonicalizationMethod holds more or less than it should",
        S::LostEncodingType => "profile demands: BinarySecurityToken has other attributes",
        S::ForeignAttribute => "profile demands: Signature has other attributes",
        S::ForeignComment => "profile demands: KeyInfo holds more or less",
        S::ForeignSpace => "profile demands: Security holds more or less",
    }
}
