//! What somebody may do to renewals. Each call returns when it is done and durable, or says why not; what was so already
//! is no mistake.

use std::sync::Arc;

use time::OffsetDateTime;

use super::Operator;
use crate::keys::lifecycle::{
    Command, Drain, Hold, LinkHash, LinkToken, Refusal, Renewal, RenewalCommand, RenewalId,
};
use crate::keys::store::StoreError;
use crate::keys::{CommandError, Fingerprint};

impl Operator<'_> {
    /// Begins to exchange the active key for this pending one; for the only one, where none is named.
    ///
    /// # Errors
    /// When it is not pending, or a renewal to another key goes on.
    pub fn start_renewal(
        &self,
        alias: &str,
        key: Option<Fingerprint>,
        receivers: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Arc<Renewal>, CommandError> {
        let id = new_id()?;
        self.renew(alias, RenewalCommand::Start { id, key, receivers }, now)?;
        self.open_renewal(alias)
    }

    /// The certificate was handed over.
    ///
    /// # Errors
    /// When the renewal does not go on.
    pub fn publish(&self, alias: &str, renewal: &RenewalId, now: OffsetDateTime) -> Result<(), CommandError> {
        let renewal = renewal.clone();
        self.renew(alias, RenewalCommand::Publish { renewal }, now)
    }

    /// Makes a link by which the receiver's administrator can confirm, once; an earlier one is good no more.
    ///
    /// # Errors
    /// When the renewal does not go on, or does not concern the receiver.
    pub fn link(
        &self,
        alias: &str,
        renewal: &RenewalId,
        receiver: &str,
        now: OffsetDateTime,
    ) -> Result<LinkToken, CommandError> {
        let token = LinkToken::random().map_err(|_| StoreError::NoRandomness)?;
        let link = RenewalCommand::Link {
            renewal: renewal.clone(),
            receiver: receiver.to_owned(),
            hash: token.hash(),
        };
        self.renew(alias, link, now)?;
        Ok(token)
    }

    /// A receiver has the new certificate. While messages are held, the last confirmation lets them go on their way.
    ///
    /// # Errors
    /// When the renewal does not go on, does not concern the receiver, or that one cannot have exchanged it yet.
    pub fn confirm(
        &self,
        alias: &str,
        renewal: &RenewalId,
        receiver: &str,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let confirm = RenewalCommand::Confirm {
            renewal: renewal.clone(),
            receiver: receiver.to_owned(),
            link: None,
        };
        self.renew(alias, confirm, now)
    }

    /// As [`Self::confirm`], by a receiver's link, which is spent by it.
    ///
    /// # Errors
    /// As there; and when there is no such link, or it is not good any more.
    pub fn confirm_by_link(&self, token: &str, now: OffsetDateTime) -> Result<(), CommandError> {
        let link = self
            .keys
            .find_link(token, now)
            .ok_or(CommandError::Refused(Refusal::LinkReplaced))?;
        let confirm = RenewalCommand::Confirm {
            renewal: link.renewal.id.clone(),
            receiver: link.receiver,
            link: Some(LinkHash::of(token)),
        };
        self.renew(&link.alias, confirm, now)
    }

    /// The receivers have removed the old certificate.
    ///
    /// # Errors
    /// When the new key is not the active one.
    pub fn complete(
        &self,
        alias: &str,
        renewal: &RenewalId,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let renewal = renewal.clone();
        self.renew(alias, RenewalCommand::Complete { renewal }, now)
    }

    /// Gives the renewal up. Messages that are held go on their way with the key that signed before, which signs again.
    ///
    /// # Errors
    /// When it is completed; and when the new key signs, or a receiver that trusts one key has confirmed it, and messages are
    /// not held: then nobody can know which key is to sign, and whoever gives up says so.
    pub fn abort(&self, alias: &str, renewal: &RenewalId, now: OffsetDateTime) -> Result<(), CommandError> {
        let renewal = renewal.clone();
        let back = false;
        self.renew(alias, RenewalCommand::Abort { renewal, back }, now)
    }

    /// The same, and the key that signed before the new one does again in any case.
    ///
    /// # Errors
    /// When it is completed, or that key may not sign.
    pub fn abort_back(
        &self,
        alias: &str,
        renewal: &RenewalId,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let renewal = renewal.clone();
        let back = true;
        self.renew(alias, RenewalCommand::Abort { renewal, back }, now)
    }

    /// A hold ends then, unless somebody acts before. One that is another one by now is not told of.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn hold_ends(
        &self,
        alias: &str,
        hold: Hold,
        at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        self.renew(alias, RenewalCommand::HoldEnds { hold, at }, now)
    }

    /// A hold has lasted for too long. Where the key before is to sign again and may not, messages are refused. One that is
    /// another one by now goes on.
    ///
    /// # Errors
    /// When it cannot be stored; then the messages wait on.
    pub fn hold_over(&self, alias: &str, hold: Hold, now: OffsetDateTime) -> Result<(), CommandError> {
        let over = self.renew(alias, RenewalCommand::HoldOver(hold.clone()), now);
        match over {
            Err(problem @ (CommandError::Refused(_) | CommandError::Unsuitable(_))) => {
                let reason = problem.to_string();
                self.renew(alias, RenewalCommand::RefuseHeld { hold, reason }, now)
            }
            over => over,
        }
    }

    /// New messages wait while those under way come to their end. Begins the renewal to the only pending key, where none
    /// goes on.
    ///
    /// # Errors
    /// When the alias's strategy is another one, there is no such key, or it may not sign.
    pub fn hold(
        &self,
        alias: &str,
        receivers: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Arc<Renewal>, CommandError> {
        let id = new_id()?;
        self.renew(alias, RenewalCommand::Hold { id, receivers }, now)?;
        self.open_renewal(alias)
    }

    /// As [`Self::hold`], for this renewal and no other one.
    ///
    /// # Errors
    /// As there; and when it does not go on.
    pub fn hold_for(
        &self,
        alias: &str,
        renewal: &RenewalId,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let renewal = renewal.clone();
        self.renew(alias, RenewalCommand::HoldFor { renewal }, now)
    }

    /// Nothing is under way any more that this drain waits for: the new key is activated. Where it cannot be, the messages
    /// go on their way with the old one, which the receiver trusts still. A drain that is over changes nothing.
    ///
    /// # Errors
    /// When the new key may not sign now, or the switch cannot be stored; in the latter case the messages wait on.
    pub fn drained(&self, alias: &str, drain: Drain, now: OffsetDateTime) -> Result<(), CommandError> {
        let drained = self.renew(alias, RenewalCommand::Drained(drain.clone()), now);
        if let Err(problem @ (CommandError::Refused(_) | CommandError::Unsuitable(_))) = &drained {
            let reason = problem.to_string();
            self.renew(alias, RenewalCommand::GiveUpHold { drain, reason }, now)?;
        }
        drained
    }

    /// Held messages go on their way.
    ///
    /// # Errors
    /// When those under way have not come to their end yet.
    pub fn resume(&self, alias: &str, now: OffsetDateTime) -> Result<(), CommandError> {
        self.renew(alias, RenewalCommand::Resume, now)
    }

    /// As [`Self::resume`], for this renewal and no other one.
    ///
    /// # Errors
    /// As there; and when it does not go on.
    pub fn resume_for(
        &self,
        alias: &str,
        renewal: &RenewalId,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let renewal = renewal.clone();
        self.renew(alias, RenewalCommand::ResumeFor { renewal }, now)
    }

    /// The receiver has accepted a held message that was sent ahead, signed with this key: the others go on their way. Late,
    /// when they are held for another key or not at all, it changes nothing.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn probe_accepted(
        &self,
        alias: &str,
        key: Fingerprint,
        receiver: &str,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let receiver = receiver.to_owned();
        self.renew(alias, RenewalCommand::ProbeAccepted { key, receiver }, now)
    }

    /// A receiver that refused `replaces` has accepted `key`, which is activated; unless things have changed meanwhile, or
    /// the alias is settling. Whether it was.
    ///
    /// # Errors
    /// When the key may not sign, or the switch cannot be stored.
    pub fn accepted(
        &self,
        alias: &str,
        key: Fingerprint,
        replaces: Fingerprint,
        receiver: &str,
        now: OffsetDateTime,
    ) -> Result<bool, CommandError> {
        let accepted = RenewalCommand::Accepted {
            id: new_id()?,
            key,
            replaces,
            receiver: receiver.to_owned(),
        };
        let events = self
            .keys
            .execute(alias, Command::Renewal(accepted), &self.author, now)?;
        Ok(!events.is_empty())
    }

    fn renew(&self, alias: &str, command: RenewalCommand, now: OffsetDateTime) -> Result<(), CommandError> {
        self.run(alias, Command::Renewal(command), now)
    }

    /// That of a moment ago.
    fn open_renewal(&self, alias: &str) -> Result<Arc<Renewal>, CommandError> {
        let ring = self.keys.ring();
        let renewal = ring.alias(alias).and_then(|keys| keys.renewals().last());
        renewal
            .cloned()
            .ok_or_else(|| CommandError::UnknownAlias(alias.to_owned()))
    }
}

fn new_id() -> Result<RenewalId, CommandError> {
    Ok(RenewalId::random().map_err(|_| StoreError::NoRandomness)?)
}
