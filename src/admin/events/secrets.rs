//! Events never carry private keys or passwords: one that does is refused before anything of it is stored, logged or
//! answered. A secret that was sent in the clear to whoever relays events has to be exchanged.

use serde_json::{Map, Value};

use crate::cloud_events::codec::{CloudEvent, Data};

/// What names of secrets have in them, written together and in lower case.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "privatekey",
    "secret",
    "pkcs12",
    "pkcs8",
    "keystore",
    "credential",
];
/// And names that are just that.
const SHORT_NAMES: [&str; 5] = ["pin", "pwd", "pass", "pfx", "p12"];
/// RFC 7468: the label of every private key in PEM ends so.
const PEM: &str = "PRIVATE KEY-----";
/// RFC 7518: the private parts of a JSON Web Key, symmetric ones among them.
const JWK_PARTS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// Whether there is something in it that looks like a secret.
pub(super) fn are_in(event: &CloudEvent) -> bool {
    let data = match &event.data {
        Data::Absent | Data::Other => false,
        Data::Json(data) => in_value(data),
    };
    let own = [&event.id, &event.source, &event.kind]
        .into_iter()
        .chain(&event.subject);
    let mut extensions = event.extensions.iter();
    data || own.into_iter().any(|text| in_text(text))
        || names_a_user(&event.source)
        || extensions.any(|(name, value)| is_name(name) || in_text(value))
}

/// Values are as deep as the JSON reader lets them be.
fn in_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => in_text(text),
        Value::Array(elements) => elements.iter().any(in_value),
        Value::Object(members) => {
            is_private_jwk(members)
                || members
                    .iter()
                    .any(|(name, value)| is_name(name) || in_text(name) || in_value(value))
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    NAMES.iter().any(|part| plain.contains(part)) || SHORT_NAMES.contains(&plain.as_str())
}

fn in_text(text: &str) -> bool {
    text.to_ascii_uppercase().contains(PEM)
}

fn is_private_jwk(members: &Map<String, Value>) -> bool {
    members.contains_key("kty") && JWK_PARTS.iter().any(|part| members.contains_key(*part))
}

/// `https://user:password@host/`, or the same without a scheme: a source is stored and logged.
fn names_a_user(source: &str) -> bool {
    let authority = source.split_once("//");
    let authority = authority.filter(|(before, _)| before.is_empty() || before.ends_with(':'));
    authority.is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#'])
            .next()
            .is_some_and(|host| host.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn event(data: Value) -> CloudEvent {
        CloudEvent {
            id: "1".to_owned(),
            source: "https://hr.example.com/keys".to_owned(),
            kind: "io.countersign.key.import".to_owned(),
            subject: Some("orders".to_owned()),
            time: None,
            extensions: BTreeMap::new(),
            data: Data::Json(data),
        }
    }

    #[test]
    fn secrets_are_told_by_name_at_any_depth_and_by_what_they_look_like() {
        for data in [
            json!({"password": ""}),
            json!({"Pkcs12-Password": "x"}),
            json!({"a": [{"b": {"privateKey": null}}]}),
            json!({"client_secret": 1}),
            json!({"PIN": "1234"}),
            json!({"reason": "-----BEGIN PRIVATE KEY-----\nMII"}),
            json!({"reason": "x -----begin rsa private key-----"}),
            json!({"-----BEGIN EC PRIVATE KEY-----": 1}),
            json!(["-----BEGIN ENCRYPTED PRIVATE KEY-----"]),
            json!({"jwk": {"kty": "EC", "d": "x"}}),
            json!({"keystore": "MII"}),
        ] {
            assert!(are_in(&event(data.clone())), "{data}");
        }
        let mut named = event(json!({}));
        named.extensions.insert("mypassword".to_owned(), "x".to_owned());
        assert!(are_in(&named));
        for authority in ["https://me:x@hr.example.com/", "//me:x@hr.example.com"] {
            let mut source = event(json!({}));
            source.source = authority.to_owned();
            assert!(are_in(&source), "{authority}");
        }
    }

    #[test]
    fn what_events_do_carry_is_no_secret() {
        let mut source = event(json!({}));
        source.source = "/hr//me@example.com".to_owned();
        assert!(!are_in(&source), "a path is no authority");
        for data in [
            json!(null),
            json!({}),
            json!({"fingerprint": "00", "replaces": "11", "at": "2030-01-31T22:00:00Z"}),
            json!({"reason": "the private key was stolen", "successor": "22"}),
            json!({"certificate": "-----BEGIN CERTIFICATE-----"}),
            json!({"jwk": {"kty": "EC", "x": "1", "y": "2"}}),
            json!({"pinned": true, "passage": 1}),
        ] {
            assert!(!are_in(&event(data.clone())), "{data}");
        }
    }
}
