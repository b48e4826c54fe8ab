//! What becomes of one event. It is a command like every other, given once: an answer is remembered with what it did, in
//! one transaction, and given again to whoever repeats the event.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::StatusCode;
use time::OffsetDateTime;

use super::instruction::{EventType, Instruction};
use super::secrets;
use crate::admin::draining::drains_towards_another;
use crate::admin::problem::Problem;
use crate::admin::{Admin, Caller};
use crate::clock::rfc3339;
use crate::cloud_events::codec::{CloudEvent, Data};
use crate::keys::answer::{Answer, Cause, Remembered, Verdict};
use crate::keys::audit::Author;
use crate::keys::store::StoreError;
use crate::keys::{CommandError, Fingerprint, Refusal};

/// What became of an event.
pub(super) enum Ruling {
    /// It came for the first time.
    New(Answer),
    /// It was answered before.
    Repeated(Answer),
    /// Messages under way of this alias come to their end, so that the key that it activates is: it is decided then.
    Later(String, Fingerprint),
}

/// An event that is for an alias, and understood.
struct Case {
    cause: Cause,
    /// By the sender's clock.
    time: Option<OffsetDateTime>,
    alias: String,
    instruction: Instruction,
}

/// # Errors
/// When it was not decided: it is to be sent again.
pub(super) fn rule(
    admin: &Admin,
    caller: &Caller,
    author: Author,
    event: CloudEvent,
) -> Result<Ruling, Problem> {
    // What cannot be an instruction does nothing however often it comes, so there is nothing to remember.
    let case = match understand(admin, caller, event) {
        Ok(case) => case,
        Err(answer) => return Ok(Ruling::New(answer)),
    };
    if let Some(remembered) = admin.keys.answer(&case.cause, &case.alias)? {
        return Ok(case.repeated(remembered));
    }
    if let Some(restored) = admin.keys.store_status().events_after()
        && case.time.is_none_or(|time| time < restored)
    {
        // What was done before the restoration is not remembered, so it may be a repetition.
        return Ok(Ruling::New(refused(before_restoration(restored))));
    }
    case.decide(admin, author)
}

fn before_restoration(restored: OffsetDateTime) -> String {
    format!(
        "a backup was restored at {}, and what was done by events before is not all remembered: this event is of before, or has \
         no time, and may have been done already; if it was not, send it with an id and the time of now",
        rfc3339(restored)
    )
}

fn understand(admin: &Admin, caller: &Caller, event: CloudEvent) -> Result<Case, Answer> {
    if secrets::are_in(&event) {
        tracing::warn!("an event with something like a private key or a password was refused and not kept");
        return Err(refused(SECRET));
    }
    let kind: EventType = event.kind.parse().map_err(|_| Answer {
        verdict: Verdict::Ignored,
        reason: format!(
            "nothing is done here for events of this type, but for {}",
            known_types()
        ),
    })?;
    let alias = event.subject.ok_or_else(|| refused(NO_SUBJECT))?;
    // One that is hidden from the caller is told from one that does not exist by nobody.
    if !caller.sees(&alias) || admin.keys.ring().alias(&alias).is_none() {
        return Err(refused(CommandError::UnknownAlias(alias).to_string()));
    }
    let instruction = Instruction::of(kind, &event.data).map_err(refused)?;
    let cause = Cause {
        digest: digest_of(&event.data),
        caller: caller.actor().name.to_string(),
        source: event.source,
        id: event.id,
        kind: event.kind,
    };
    Ok(Case {
        cause,
        time: event.time,
        alias,
        instruction,
    })
}

const SECRET: &str = "the event has a field that looks like a private key or a password: events never carry them, so it was not \
    kept; exchange the secret, for it may have been seen on its way here";
const NO_SUBJECT: &str = "the event has no subject: it is the alias that is meant";
const ANOTHER_EVENT: &str = "another event of this source, with another type, subject or data, had this id: \
    give each event an id of its own, and send this one again with it";

/// SHA-256 of what an event says. The members of a JSON object have one order here, whatever order they came in.
fn digest_of(data: &Data) -> [u8; 32] {
    let text = match data {
        Data::Absent => String::new(),
        Data::Json(value) => value.to_string(),
        Data::Other => "other".to_owned(),
    };
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .try_into()
        .unwrap_or_default() // SHA-256 has 32 bytes
}

fn known_types() -> String {
    let types: Vec<_> = EventType::ALL.iter().map(|kind| kind.name()).collect();
    types.join(", ")
}

impl Case {
    fn repeated(&self, remembered: Remembered) -> Ruling {
        if remembered.is_of(&self.cause, &self.alias) {
            Ruling::Repeated(remembered.answer)
        } else {
            Ruling::New(refused(ANOTHER_EVENT))
        }
    }

    fn decide(&self, admin: &Admin, author: Author) -> Result<Ruling, Problem> {
        let done = self.carry_out(admin, author.because_of(self.cause.clone()));
        if let (Err(CommandError::Refused(Refusal::Draining)), Some(key)) =
            (&done, self.instruction.activated_key())
            && !drains_towards_another(&admin.keys, &self.alias, key)
        {
            return Ok(Ruling::Later(self.alias.clone(), key.clone()));
        }
        let now = admin.clock.now();
        let answer = match done {
            Err(CommandError::Repeated(remembered)) => return Ok(self.repeated(remembered)),
            Err(CommandError::Store(undecided)) => return Err(again(&undecided)),
            Err(refusal) => refused(refusal.to_string()),
            // What changed something was remembered with it.
            Ok(()) => match admin.keys.answer(&self.cause, &self.alias)? {
                Some(remembered) => return Ok(Ruling::New(remembered.answer)),
                None => Answer {
                    verdict: Verdict::Ignored,
                    reason: self.instruction.nothing_to_do().to_owned(),
                },
            },
        };
        let remembered = admin.keys.remember(&self.cause, &self.alias, &answer, now);
        remembered.map_err(|error| again(&error))?;
        Ok(Ruling::New(answer))
    }

    fn carry_out(&self, admin: &Admin, author: Author) -> Result<(), CommandError> {
        let (alias, now) = (self.alias.as_str(), admin.clock.now());
        match self.instruction.clone() {
            Instruction::Import => (admin.look)(alias, author),
            Instruction::Activate(key, replaces, false) => {
                admin.keys.by(author).activate(alias, key, replaces, now)
            }
            Instruction::Activate(key, replaces, true) => {
                let operator = admin.keys.by(author);
                operator.activate_unconfirmed(alias, key, replaces, now)
            }
            Instruction::ActivateAt(key, schedule, unconfirmed) => {
                let operator = admin.keys.by(author);
                operator.activate_at(alias, key, schedule, unconfirmed, now)
            }
            Instruction::Rollback(None) => admin.keys.by(author).rollback(alias, now),
            Instruction::Rollback(Some(key)) => admin.keys.by(author).rollback_from(alias, key, now),
            Instruction::Revoke(key, reason, successor) => {
                admin.keys.by(author).revoke(alias, key, reason, successor, now)
            }
            Instruction::Confirm(renewal, receiver) => {
                admin.keys.by(author).confirm(alias, &renewal, &receiver, now)
            }
            Instruction::StartHold => {
                let receivers = admin.config.receivers_of(alias);
                admin.keys.by(author).hold(alias, receivers, now).map(drop)
            }
            Instruction::EndHold => admin.keys.by(author).resume(alias, now),
        }
    }
}

/// Even where it is not known whether it was done: its answer is stored with what it does, so it is done once, however
/// often it comes.
fn again(error: &StoreError) -> Problem {
    let sentence = format!("the event was not answered, send it again: it is done once; {error}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
}

fn refused(reason: impl Into<String>) -> Answer {
    Answer {
        verdict: Verdict::Refused,
        reason: reason.into(),
    }
}
