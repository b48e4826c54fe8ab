//! Every rule of the states has a test here; the random sequences of commands are in `keys/model`.

mod beginning;
mod candidates;
mod crossing;
mod giving_up;
mod holding;
mod noticing;
mod renewing;
mod retention;
mod switching;
mod timing;
mod withdrawal;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use time::OffsetDateTime;

use super::*;
use crate::keys::Signer;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn day(number: u32) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + DAY * number
}

fn on(number: u32) -> Moment {
    Moment::new(day(number), day(number))
}

/// Keys that become valid one after the other and expire likewise, each after 40 days.
static KEYS: LazyLock<Vec<Arc<Signer>>> = LazyLock::new(|| (0..6).map(|number| key(number * 10)).collect());

fn key(valid_from: u32) -> Arc<Signer> {
    let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", day(valid_from), DAY * 40)
        .and_then(SelfSigned::into_material)
        .unwrap();
    Arc::new(
        Signer::new(material, day(valid_from))
            .map_err(|refused| refused.to_string())
            .unwrap(),
    )
}

fn fingerprint(number: usize) -> Fingerprint {
    KEYS[number].certificate().fingerprint().clone()
}

/// The keys of an alias under test, on a day when keys 0 to 3 are valid unless another is said.
#[derive(Clone, Default)]
struct Life {
    state: Lifecycle,
    policy: Policy,
}

const TODAY: u32 = 30;

impl Life {
    /// After commands that all are allowed.
    fn of(commands: impl IntoIterator<Item = Command>) -> Self {
        let mut life = Self::default();
        for command in commands {
            life.run(command, TODAY);
        }
        life
    }

    fn run(&mut self, command: Command, day: u32) -> Vec<Event> {
        self.run_at(command, on(day))
    }

    fn run_at(&mut self, command: Command, moment: Moment) -> Vec<Event> {
        let (next, events) = self.state.apply(command, &self.policy, moment, "a test").unwrap();
        self.state = next;
        events
    }

    fn refusal(&self, command: Command, day: u32) -> Refusal {
        let refused = self.state.apply(command, &self.policy, on(day), "a test");
        refused.err().unwrap()
    }

    /// Number and state of each key.
    fn names(&self) -> Vec<(usize, &'static str)> {
        let number = |entry: &Entry<'_>| {
            KEYS.iter()
                .position(|known| known.certificate() == entry.identity.certificate())
                .unwrap()
        };
        let entries = self.state.keys();
        entries
            .map(|entry| (number(&entry), entry.state.name()))
            .collect()
    }

    fn kept_until(&self, number: usize) -> Option<OffsetDateTime> {
        self.state.key(&fingerprint(number))?.state.kept_until()
    }
}

/// What happened to which key, by the events' names.
fn story(events: &[Event]) -> Vec<(usize, String)> {
    let number = |event: &Event| {
        let known = KEYS
            .iter()
            .position(|key| key.certificate() == event.certificate());
        known.unwrap()
    };
    let what = |event: &Event| match event {
        Event::KeyImported { .. } => "imported".to_owned(),
        Event::ActivationScheduled { .. } => "scheduled".to_owned(),
        Event::ActivationCancelled { reason, .. } => format!("cancelled: {reason}"),
        Event::KeyActivated { trigger, .. } => format!("activated by {trigger}"),
        Event::KeyRetired {
            rolled_back: false, ..
        } => "retired".to_owned(),
        Event::KeyRetired {
            rolled_back: true, ..
        } => "rolled back".to_owned(),
        Event::RetentionExtended { .. } => "extended".to_owned(),
        Event::KeyRevoked { stopped: false, .. } => "revoked".to_owned(),
        Event::KeyRevoked { stopped: true, .. } => "revoked and stopped".to_owned(),
        Event::KeyDiscarded { .. } => "discarded".to_owned(),
        Event::KeyPurged {
            compromised: false, ..
        } => "purged".to_owned(),
        Event::KeyPurged {
            compromised: true, ..
        } => "purged early".to_owned(),
        Event::ActivatedUnconfirmed { receivers, .. } if receivers.is_empty() => {
            "unconfirmed by nobody".to_owned()
        }
        Event::ActivatedUnconfirmed { receivers, .. } => format!("unconfirmed by {}", receivers.join(", ")),
        Event::KeyExpiring { notice, .. } => format!("expires within {notice}"),
        Event::KeyPurgeable { .. } => "purgeable".to_owned(),
        Event::Renewal { news, .. } => news.words(),
    };
    events.iter().map(|event| (number(event), what(event))).collect()
}

fn told<const N: usize>(expected: [(usize, &str); N]) -> Vec<(usize, String)> {
    expected.map(|(number, what)| (number, what.to_owned())).to_vec()
}

fn import(number: usize, then: AfterImport) -> Command {
    brought(number, Origin::Command, then)
}

fn brought(number: usize, origin: Origin, then: AfterImport) -> Command {
    Command::Import {
        signer: KEYS[number].clone(),
        origin,
        then,
    }
}

fn pending(number: usize) -> Command {
    import(number, AfterImport::StayPending)
}

fn active(number: usize) -> Command {
    import(number, AfterImport::Activate)
}

fn activate(number: usize, replaces: Option<usize>) -> Command {
    Command::Activate {
        fingerprint: fingerprint(number),
        replaces: replaces.map(fingerprint),
        trigger: Trigger::Activate,
        unconfirmed: false,
    }
}

/// Though nobody has confirmed it.
fn activate_unconfirmed(number: usize) -> Command {
    Command::Activate {
        fingerprint: fingerprint(number),
        replaces: None,
        trigger: Trigger::Activate,
        unconfirmed: true,
    }
}

fn roll_back() -> Command {
    Command::Rollback { replaces: None }
}

fn roll_back_from(number: usize) -> Command {
    Command::Rollback {
        replaces: Some(fingerprint(number)),
    }
}

fn schedule(number: usize, at: u32, replaces: Option<usize>) -> Command {
    Command::Schedule {
        fingerprint: fingerprint(number),
        schedule: Schedule {
            at: day(at),
            replaces: replaces.map(fingerprint),
            first: false,
        },
        unconfirmed: false,
    }
}

fn revoke(number: usize, replacement: Option<Replacement>) -> Command {
    Command::Revoke {
        fingerprint: fingerprint(number),
        reason: "the laptop was stolen".parse().unwrap(),
        replacement,
    }
}

fn successor(number: usize) -> Option<Replacement> {
    Some(Replacement::Successor(fingerprint(number)))
}

fn discard(number: usize) -> Command {
    Command::Discard {
        fingerprint: fingerprint(number),
    }
}

fn purge(number: usize, compromised: bool) -> Command {
    Command::Purge {
        fingerprint: fingerprint(number),
        compromised,
    }
}

/// The renewal of a given number; they are told apart by nothing else.
fn id(number: usize) -> RenewalId {
    format!("r-{number:016x}").parse().unwrap()
}

const ERP: &str = "https://erp.example.com:443";
const CRM: &str = "https://crm.example.com:443";

fn start(renewal: usize, key: usize, receivers: &[&str]) -> Command {
    Command::Renewal(RenewalCommand::Start {
        id: id(renewal),
        key: Some(fingerprint(key)),
        receivers: receivers.iter().map(ToString::to_string).collect(),
    })
}

fn publish(renewal: usize) -> Command {
    Command::Renewal(RenewalCommand::Publish { renewal: id(renewal) })
}

fn confirm(renewal: usize, receiver: &str) -> Command {
    Command::Renewal(RenewalCommand::Confirm {
        renewal: id(renewal),
        receiver: receiver.to_owned(),
        link: None,
    })
}

fn link(renewal: usize, receiver: &str, token: &str) -> Command {
    Command::Renewal(RenewalCommand::Link {
        renewal: id(renewal),
        receiver: receiver.to_owned(),
        hash: LinkHash::of(token),
    })
}

fn confirm_by(token: &str, renewal: usize, receiver: &str) -> Command {
    Command::Renewal(RenewalCommand::Confirm {
        renewal: id(renewal),
        receiver: receiver.to_owned(),
        link: Some(LinkHash::of(token)),
    })
}

fn complete(renewal: usize) -> Command {
    Command::Renewal(RenewalCommand::Complete { renewal: id(renewal) })
}

fn abort(renewal: usize) -> Command {
    Command::Renewal(RenewalCommand::Abort {
        renewal: id(renewal),
        back: false,
    })
}

fn abort_back(renewal: usize) -> Command {
    Command::Renewal(RenewalCommand::Abort {
        renewal: id(renewal),
        back: true,
    })
}

fn hold(renewal: usize) -> Command {
    Command::Renewal(RenewalCommand::Hold {
        id: id(renewal),
        receivers: vec![ERP.to_owned()],
    })
}

/// Of a hold that began today.
fn drain(renewal: usize) -> Drain {
    Drain {
        renewal: id(renewal),
        since: day(TODAY),
    }
}

fn drained() -> Command {
    Command::Renewal(RenewalCommand::Drained(drain(1)))
}

/// The receiver accepted a message that was sent ahead.
fn probe_accepted(key: usize) -> Command {
    Command::Renewal(RenewalCommand::ProbeAccepted {
        key: fingerprint(key),
        receiver: ERP.to_owned(),
    })
}

fn resume() -> Command {
    Command::Renewal(RenewalCommand::Resume)
}

/// The receiver refused one key and accepted the other.
fn accepted(renewal: usize, key: usize, replaces: usize) -> Command {
    Command::Renewal(RenewalCommand::Accepted {
        id: id(renewal),
        key: fingerprint(key),
        replaces: fingerprint(replaces),
        receiver: ERP.to_owned(),
    })
}

impl Life {
    /// The same keys by another procedure.
    fn by(mut self, strategy: Strategy) -> Self {
        self.policy.strategy = strategy;
        self
    }

    fn renewal(&self) -> &Renewal {
        self.state.renewals().last().unwrap()
    }

    fn candidate(&self, on: u32) -> Option<usize> {
        let candidate = self.state.candidate(self.policy.strategy, day(on))?;
        (0..KEYS.len()).find(|number| fingerprint(*number) == *candidate.fingerprint())
    }

    /// Nothing happens.
    fn is_left_alone_by(&mut self, command: Command) {
        let before = (self.names(), self.state.renewals().to_vec());
        assert_eq!(story(&self.run(command, TODAY)), told([]));
        assert_eq!((self.names(), self.state.renewals().to_vec()), before);
    }
}
