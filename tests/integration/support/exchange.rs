//! A proxy between flows and a partner that trusts one key, with the next key pending.

use std::sync::Arc;

use countersign::keys::audit::Author;
use countersign::keys::lifecycle::Gate;
use countersign::keys::{AfterImport, Fingerprint, KeyMaterial, Operator, Renewal};
use tokio::task::JoinHandle;

use super::client::{Answer, Flow, SOAP11, posted};
use super::clock::now;
use super::load::message;
use super::partner::{Partner, Said, Seen};
use super::proxy::{self, ALIAS, Setup, TestProxy, new_key};
use super::{eventually, within};

/// All of it.
pub(crate) struct Exchange {
    pub(crate) proxy: TestProxy,
    pub(crate) partner: Partner,
    /// The active key, which the partner trusts.
    pub(crate) old: Fingerprint,
    /// The pending one.
    pub(crate) new: Fingerprint,
    /// To start the proxy once more.
    set_up: SetUp,
}

type SetUp = Box<dyn Fn(Setup) -> Setup>;

impl Exchange {
    /// The partner answers as usual.
    pub(crate) async fn start(set_up: impl Fn(Setup) -> Setup + 'static) -> Self {
        Self::scripted(set_up, |_, _, seen| seen.usual()).await
    }

    /// The partner answers as it is told; the script knows the old and the new key.
    pub(crate) async fn scripted(
        set_up: impl Fn(Setup) -> Setup + 'static,
        script: impl Fn(&Fingerprint, &Fingerprint, &Seen) -> Said + Send + Sync + 'static,
    ) -> Self {
        let (first, second) = (new_key(), new_key());
        let known = [first.certificate.clone(), second.certificate.clone()];
        let [old, new] = known.each_ref().map(|key| key.fingerprint().clone());
        let named = (old.clone(), new.clone());
        let partner = Partner::scripted(&known, move |seen| script(&named.0, &named.1, seen)).await;
        let setup = set_up(proxy::to(partner.receiver.url("/")));
        let exchange = Self {
            proxy: setup.key(first).start().await,
            partner,
            old,
            new,
            set_up: Box::new(set_up),
        };
        exchange.import(second);
        exchange
    }

    /// One more pending key.
    pub(crate) fn import(&self, key: KeyMaterial) {
        let imported = self
            .operator()
            .import(ALIAS, key, AfterImport::StayPending, now());
        imported.expect("a key that may sign");
    }

    /// Stops the proxy, and starts it again with what it has stored.
    pub(crate) async fn restart(mut self) -> Self {
        let state = self.proxy.leave().await;
        let setup = (self.set_up)(proxy::to(self.partner.receiver.url("/")));
        self.proxy = setup.without_key().state(state).start().await;
        self
    }

    /// Reads the configuration that it has once more.
    pub(crate) async fn reload(&self) {
        let setup = (self.set_up)(proxy::to(self.partner.receiver.url("/")));
        self.proxy.reload(&setup).await.expect("the same");
    }

    /// Sends the message of this id on a connection of its own.
    pub(crate) async fn send(&self, id: &str) -> Answer {
        let mut flow = self.proxy.flow().await;
        flow.post("/orders", SOAP11, message(id)).await
    }

    /// The same, and goes on meanwhile. Dropped, the flow goes away.
    pub(crate) fn sending(&self, id: &str) -> Sending {
        let (proxy, id) = (self.proxy.address(), id.to_owned());
        Sending(Some(tokio::spawn(async move {
            let mut flow = Flow::connect(proxy).await;
            flow.try_send(posted(SOAP11, &[], message(&id))).await
        })))
    }

    /// Messages of these ids, each sent when the one before waits.
    pub(crate) async fn hold(&self, ids: &[&str]) -> Vec<Sending> {
        let mut sending = Vec::new();
        for id in ids {
            let before = self.held();
            sending.push(self.sending(id));
            eventually(id, || self.held() == before + 1).await;
        }
        sending
    }

    /// The messages that wait.
    pub(crate) fn held(&self) -> usize {
        self.metric("countersign_held_messages{alias=\"orders\"}")
    }

    /// What a series says; 0, where it is not there yet.
    pub(crate) fn metric(&self, series: &str) -> usize {
        let metrics = self.proxy.metrics();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a number"))
    }

    /// How often the active key was exchanged, by what.
    pub(crate) fn switches(&self, trigger: &str) -> usize {
        self.metric(&format!(
            "countersign_key_switches_total{{alias=\"orders\",trigger=\"{trigger}\"}}"
        ))
    }

    /// The keys that a message came with to the partner, time by time, by their names here.
    pub(crate) fn keys_of(&self, id: &str) -> Vec<&'static str> {
        let names = [(&self.old, "old"), (&self.new, "new")];
        let name = |key| {
            names
                .iter()
                .find(|(named, _)| **named == key)
                .map(|(_, name)| *name)
        };
        let keys = self.partner.keys_of(id).into_iter();
        keys.map(|key| name(key).expect("one of them")).collect()
    }

    /// The key that signs.
    pub(crate) fn active(&self) -> Fingerprint {
        let ring = self.proxy.keys().ring();
        let active = ring.alias(ALIAS).and_then(|keys| keys.active()).expect("a key");
        active.fingerprint().clone()
    }

    /// The renewal that goes on.
    pub(crate) fn renewal(&self) -> Option<Arc<Renewal>> {
        self.proxy.keys().ring().alias(ALIAS)?.open_renewal().cloned()
    }

    /// Begins to hold its messages.
    pub(crate) fn begin_hold(&self) -> Arc<Renewal> {
        let receivers = vec![self.partner.receiver.url("")];
        let held = self.operator().hold(ALIAS, receivers, now());
        held.expect("there is a key to change to")
    }

    /// Waits until the receiver may switch.
    pub(crate) async fn may_switch(&self) {
        eventually("it may switch", || matches!(self.gate(), Gate::Holding { .. })).await;
    }

    /// Whether messages go on their way.
    pub(crate) fn gate(&self) -> Gate {
        let ring = self.proxy.keys().ring();
        ring.alias(ALIAS).expect("the alias").gate()
    }

    /// Whoever operates.
    pub(crate) fn operator(&self) -> Operator<'_> {
        self.proxy.keys().by(Author::cli())
    }

    /// The partner gets no more than it has got.
    pub(crate) fn came(&self) -> usize {
        self.partner.seen().len()
    }
}

/// A flow that waits for its answer.
pub(crate) struct Sending(Option<JoinHandle<hyper::Result<Answer>>>);

impl Sending {
    pub(crate) async fn answer(mut self) -> Answer {
        let answered = self.0.take().expect("asked once");
        within(answered).await.expect("it sends").expect("an answer")
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(flow) = self.0.take() {
            flow.abort();
        }
    }
}
