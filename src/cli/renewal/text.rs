//! Renewals as people read them: how far each has come, whom it waits for, and what to type next.

use crate::admin::view::{ConfirmationView, Duty, LinkView, OldKeyView, PublishedView, RenewalView};
use crate::cli::keys::text::{gate, signs};

/// One with all that is known of it.
pub(super) fn details(renewal: &RenewalView) -> String {
    let RenewalView {
        id,
        alias,
        key,
        strategy,
        step,
        since,
        waiting_for,
        ..
    } = renewal;
    let steps: String = renewal
        .steps
        .iter()
        .map(|taken| format!("    {:10} {} by {}\n", taken.step, taken.at, taken.by))
        .collect();
    let rolled_back = if renewal.rolled_back { ", rolled back" } else { "" };
    let signs = renewal.signs.as_ref().map(|key| {
        let (fingerprint, since) = (&key.fingerprint, &key.since);
        format!("  signs     {fingerprint} ({}), since {since}\n", key.subject)
    });
    let signs = signs.unwrap_or_else(|| "  signs     no key: messages are refused\n".to_owned());
    let receivers: String = renewal.receivers.iter().map(receiver).collect();
    let old_key = renewal.old_key.as_ref().map(old_key).unwrap_or_default();
    format!(
        "{id}\n  alias     {alias}, {strategy}\n  new key   {key}\n  step      {step}{rolled_back} since {since}\n{signs}  waits for {}\n{}{}\
         \n  steps\n{steps}{receivers}{old_key}",
        waiting_for.sentence,
        gate(&renewal.gate),
        next(renewal),
    )
}

/// A line each.
pub(super) fn list(renewals: &[RenewalView]) -> String {
    if renewals.is_empty() {
        return "No renewal goes on. Start one with\n  countersign renewal start ALIAS\n".to_owned();
    }
    let line = |renewal: &RenewalView| {
        let RenewalView {
            id,
            alias,
            step,
            waiting_for,
            ..
        } = renewal;
        format!("{id}  {alias}: {step}, waits for {}\n", waiting_for.sentence)
    };
    renewals.iter().map(line).collect()
}

/// After a command.
pub(super) fn taken(renewal: &RenewalView) -> String {
    let RenewalView {
        id,
        alias,
        step,
        waiting_for,
        ..
    } = renewal;
    let waits = if renewal.open {
        format!("It waits for {}.\n", waiting_for.sentence)
    } else {
        String::new()
    };
    format!(
        "{alias}: renewal {id} is {step}.\n{}{waits}{}{}",
        signs(alias, renewal.signs.as_ref()),
        gate(&renewal.gate),
        next(renewal)
    )
}

pub(super) fn started(renewal: &RenewalView, new: bool) -> String {
    if !new {
        return format!("It went on already; nothing was changed.\n{}", taken(renewal));
    }
    let look = format!(
        "What would break is told by\n  countersign renewal preflight {} {}\n",
        renewal.alias, renewal.key
    );
    taken(renewal) + &look
}

pub(super) fn published(published: &PublishedView) -> String {
    let PublishedView { renewal, links } = published;
    let (alias, key) = (&renewal.alias, &renewal.key);
    let export = format!("The certificate is printed by\n  countersign keys export {alias} {key} --chain\n");
    if links.is_empty() {
        return taken(renewal) + &export;
    }
    let links: String = links.iter().map(link).collect();
    format!(
        "Give each receiver's administrator its address. It is shown only now, and is good for one confirmation:\n{links}{}{export}",
        taken(renewal)
    )
}

/// At the end of a wait for a drain.
pub(super) fn held(renewal: &RenewalView) -> String {
    let may_switch = match renewal.gate.state.as_str() {
        "holding" => "You may switch now: the receiver may exchange its certificate.\n",
        _ => "",
    };
    format!("{may_switch}{}", taken(renewal))
}

fn link(link: &LinkView) -> String {
    let LinkView {
        receiver,
        url,
        expires,
    } = link;
    format!("  {receiver}, until {expires}\n    {url}\n")
}

fn receiver(confirmation: &ConfirmationView) -> String {
    let ConfirmationView {
        receiver,
        confirmed,
        by,
        link_expires,
    } = confirmation;
    let said = match (confirmed, link_expires) {
        (Some(at), _) => format!("confirmed {at} by {}", by.as_deref().unwrap_or("somebody")),
        (None, Some(expires)) => format!("has not confirmed; its link is good until {expires}"),
        (None, None) => "has not confirmed".to_owned(),
    };
    format!("  receiver  {receiver} {said}\n")
}

fn old_key(old: &OldKeyView) -> String {
    format!("  old key   {} is {}; {}\n", old.key, old.state, old.sentence)
}

/// What an operator types, if it is an operator's turn, or could be.
fn next(renewal: &RenewalView) -> String {
    let RenewalView {
        id,
        alias,
        key,
        receivers,
        ..
    } = renewal;
    let open = receivers.iter().find(|one| one.confirmed.is_none());
    let receiver = open
        .filter(|_| receivers.len() > 1)
        .map(|one| format!(" --receiver {}", one.receiver))
        .unwrap_or_default();
    let holding = matches!(renewal.gate.state.as_str(), "holding" | "refusing");
    let command = match renewal.waiting_for.to.parse() {
        Ok(Duty::Publish) => format!("countersign renewal publish {id}"),
        Ok(Duty::Hold) => format!("countersign renewal hold {id} --wait"),
        Ok(Duty::Drain) => format!("countersign renewal show {id}"),
        Ok(Duty::Exchange) if !holding => {
            return "Nothing is to be typed: the proxy notices when the receiver refuses the old key.\n"
                .to_owned();
        }
        Ok(Duty::Exchange | Duty::Confirm) => format!("countersign renewal confirm {id}{receiver}"),
        Ok(Duty::Activate) => format!("countersign keys activate {alias} {key}"),
        Ok(Duty::Complete) => format!("countersign renewal complete {id}"),
        Ok(Duty::StartAgain) => format!("countersign renewal start {alias} --key {key}"),
        Ok(Duty::Abort) => format!("countersign renewal abort {id}"),
        Ok(Duty::Nothing) | Err(_) => return String::new(),
    };
    let when = match renewal.waiting_for.to.parse() {
        Ok(Duty::Confirm | Duty::Exchange) => "Where it has told you so, type",
        Ok(Duty::Complete) => "Then type",
        _ => "Next, type",
    };
    let back = match holding {
        true => format!("To go back to the old key, type\n  countersign renewal abort {id}\n"),
        false => String::new(),
    };
    format!("{when}\n  {command}\n{back}")
}
