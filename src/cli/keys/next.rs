//! What to do with a key that has just come: the step that fits the way in which its alias exchanges keys, and how far that is.

use crate::admin::view::{AliasView, KeyView};
use crate::keys::Strategy;

/// In words, with what to type.
pub(super) fn step(alias: &AliasView, key: &KeyView) -> String {
    if alias.unreviewed_since.is_some() {
        return typed(
            "The alias is stopped since a backup was restored. Look at all its keys; then it signs again with",
            &format!("countersign keys reviewed {}", alias.alias),
        );
    }
    match (key.state.as_str(), &key.activate_at, &alias.signs) {
        ("active", ..) => "Every new message is signed with it.\n".to_owned(),
        ("pending", Some(at), _) if *at == key.validity.not_before => {
            format!("It is not valid yet, and will be activated when it is: at {at}.\n")
        }
        ("pending", Some(at), _) => format!("It will be activated at {at}.\n"),
        ("pending", None, None) => typed("No key signs, so switch to it with", &activate(alias, key)),
        ("pending", None, Some(_)) => exchanged(alias, key),
        _ if key.rolled_back => typed("It can be the next one's again; begin with", &start(alias, key)),
        _ => String::new(),
    }
}

/// For the one that signs.
fn exchanged(alias: &AliasView, key: &KeyView) -> String {
    if let Some(renewal) = alias.renewal.as_ref().filter(|renewal| !is_over(renewal, key)) {
        let id = &renewal.id;
        if renewal.key == key.fingerprint {
            return typed(
                "Its renewal goes on; see",
                &format!("countersign renewal show {id}"),
            );
        }
        let first =
            format!("Renewal {id} to another key goes on. Bring it to its end, or abort it; then begin with");
        return typed(&first, &start(alias, key));
    }
    if alias.given_up_candidates.contains(&key.fingerprint) {
        return typed(
            "Its renewal was aborted, so nothing switches to it; begin again with",
            &start(alias, key),
        );
    }
    let only = alias.keys.iter().filter(|key| key.state == "pending").count() == 1;
    match alias.strategy.parse() {
        Ok(Strategy::Hold) if only => typed(
            "The receiver trusts one key: hold messages while it exchanges its certificate, with",
            &format!("countersign renewal hold {} --wait", alias.alias),
        ),
        Ok(Strategy::Hold) => typed(
            "The receiver trusts one key, so messages are held while it exchanges its certificate. Begin with",
            &start(alias, key),
        ),
        Ok(Strategy::ReceiverLed) if only => {
            "Nothing is to be typed: hand its certificate to the receiver. The proxy switches by \
             itself when the receiver refuses the key that signs now.\n"
                .to_owned()
        }
        Ok(Strategy::ReceiverLed) => typed(
            "The proxy switches by itself when the receiver refuses the key that signs now. Of several pending keys, say that \
             it is this one with",
            &start(alias, key),
        ),
        Ok(Strategy::PrePublish) | Err(_) => {
            typed(
                "Begin to hand its certificate to the receivers with",
                &start(alias, key),
            ) + &typed(
                "or, where all of them trust it already, switch to it with",
                &activate(alias, key),
            )
        }
    }
}

/// It does not stand in the way of the next one.
fn is_over(renewal: &crate::admin::view::RenewalView, key: &KeyView) -> bool {
    let activated = renewal.steps.iter().any(|taken| taken.step == "activated");
    activated && renewal.gate.state == "open" && renewal.key != key.fingerprint
}

fn start(alias: &AliasView, key: &KeyView) -> String {
    format!(
        "countersign renewal start {} --key {}",
        alias.alias, key.fingerprint
    )
}

fn activate(alias: &AliasView, key: &KeyView) -> String {
    format!("countersign keys activate {} {}", alias.alias, key.fingerprint)
}

fn typed(words: &str, command: &str) -> String {
    format!("{words}\n  {command}\n")
}
