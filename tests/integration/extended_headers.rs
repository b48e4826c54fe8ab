//! What the signer takes along of a message's own Security header: nothing that every receiver refuses.

use countersign::keys::generate::KeyAlgorithm;
use countersign::wss::Profile;
use countersign::wss::names::{SOAP11, WSSE, WSU};
use countersign::wss::profile::ExistingSecurityHeader;
use time::Duration;
use time::format_description::well_known::Rfc3339;

use crate::support::signing::{NOW, key, try_sign};

fn envelope(security: &str, after: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{SOAP11}\" xmlns:w=\"{WSSE}\" xmlns:u=\"{WSU}\"><s:Header><w:Security>{security}</w:Security></s:Header>\
         <s:Body><pay/></s:Body>{after}</s:Envelope>"
    )
}

fn signed(message: &str, existing_security_header: ExistingSecurityHeader) -> Result<(), String> {
    let profile = Profile {
        existing_security_header,
        ..Profile::default()
    };
    try_sign(message.as_bytes(), profile, &key(KeyAlgorithm::P256)).map(drop)
}

fn extended(security: &str) -> Result<(), String> {
    signed(&envelope(security, ""), ExistingSecurityHeader::Extend)
}

fn after(duration: Duration) -> String {
    (NOW + duration).format(&Rfc3339).unwrap()
}

fn created(text: &str) -> String {
    format!("<u:Created>{text}</u:Created>")
}

fn expires(text: &str) -> String {
    format!("<u:Expires>{text}</u:Expires>")
}

#[test]
fn a_timestamp_that_some_receiver_may_take_is_signed_as_it_is() {
    let (now, soon) = (after(Duration::ZERO), after(Duration::MINUTE));
    for within in [
        created(&now),
        created(&now) + &expires(&soon),
        format!("\n {}\r\n {}\n", created(&format!("\n{now} ")), expires(&soon)),
        created(&after(4 * Duration::MINUTE)) + &expires(&after(9 * Duration::MINUTE)),
        created("2026-05-04T14:00:00+02:00") + &expires(&soon),
        // Of what zone it is, is not known.
        created("2026-05-04T14:00:00") + &expires("2026-05-04T14:05:00"),
    ] {
        let timestamp = format!("<u:Timestamp>{within}</u:Timestamp>");
        assert_eq!(extended(&timestamp), Ok(()), "{timestamp}");
    }
}

#[test]
fn a_timestamp_that_every_receiver_refuses_is_refused_here_and_replaced_by_setting() {
    let (now, soon) = (after(Duration::ZERO), after(Duration::MINUTE));
    let structure = "has not just one Created and after it at most one Expires";
    let no_time = "holds what is no time";
    for (within, words) in [
        (String::new(), structure),
        (expires(&soon), structure),
        (expires(&soon) + &created(&now), structure),
        (created(&now) + &created(&now), structure),
        (created(&now) + &expires(&soon) + &expires(&soon), structure),
        (created(&now) + "<Expires/>", structure),
        (created(&format!("<x/>{now}")), structure),
        ("x".to_owned() + &created(&now), structure),
        (created("tomorrow"), no_time),
        (created(""), no_time),
        (created(&now.replace('T', " ")), no_time),
        (created(&now.to_lowercase()), no_time),
        (created("2026-05-03T24:00:00Z"), no_time),
        (created(&now) + &expires("2026-05-04T12:00:60Z"), no_time),
        (
            created(&after(6 * Duration::MINUTE)),
            "was created in the future, at 2026-05-04T12:06:00Z",
        ),
        (
            created(&now) + &expires(&now),
            "Timestamp expired at 2026-05-04T12:00:00Z",
        ),
        (
            created(&after(2 * Duration::MINUTE)) + &expires(&soon),
            "expires before it was created",
        ),
    ] {
        let timestamp = format!("<u:Timestamp>{within}</u:Timestamp>");
        let refused = extended(&timestamp).unwrap_err();
        assert!(refused.contains("the message's own Timestamp"), "{refused}");
        assert!(refused.contains(words), "{timestamp}: {refused}");
        assert!(refused.starts_with("line 1, column "), "{refused}");
        let message = envelope(&timestamp, "");
        assert_eq!(
            signed(&message, ExistingSecurityHeader::Replace),
            Ok(()),
            "{timestamp}"
        );
    }
}

#[test]
fn an_element_after_the_body_is_refused() {
    let refused = signed(&envelope("", "<x/>"), ExistingSecurityHeader::Extend).unwrap_err();
    assert!(refused.contains("an element after the Body"), "{refused}");
    for passes in [
        envelope("\r\n\t ", "\n<!-- x -->\n"),
        // What else is read here is the receiver's to judge.
        envelope("x", "x"),
    ] {
        assert_eq!(
            signed(&passes, ExistingSecurityHeader::Extend),
            Ok(()),
            "{passes}"
        );
    }
}

#[test]
fn an_id_of_a_signed_part_with_white_space_around_it_elsewhere_is_refused() {
    for other in ["xml:id=\" b \"", "u:Id=\"b \"", "id=\"&#9;b\"", "ID='b&#xD;'"] {
        let message = envelope("", "")
            .replace("<s:Body>", "<s:Body u:Id=\"b\">")
            .replace("<pay/>", &format!("<pay {other}/>"));
        let refused = signed(&message, ExistingSecurityHeader::Extend).unwrap_err();
        assert!(
            refused.contains("stands on another element too"),
            "{other}: {refused}"
        );
    }
}
