//! The operators on both sides: keys are imported and exchanged through the admin API of the running proxy, and where the
//! receiver trusts one key, it is told of the next.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use tokio::time::{Instant, sleep, sleep_until};

use super::ledger::Switch;
use super::receiver::Receiver;
use super::scene::{self, DemoKey};
use crate::admin::view::{ActivateRequest, AliasView, PEM, RenewalView};
use crate::cli::CliError;
use crate::cli::keys::client::AdminClient;
use crate::keys::Fingerprint;
use crate::keys::lifecycle::Strategy;

/// A swap takes milliseconds, one with a hold as long as the slowest message under way.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks; a swap seems to take that much longer at most.
const POLL: Duration = Duration::from_millis(2);

pub(super) struct Operator<'a> {
    client: AdminClient,
    receiver: &'a Receiver,
    strategy: Strategy,
    /// What has been done, in the order of time.
    switches: Vec<Switch>,
}

impl<'a> Operator<'a> {
    pub(super) fn new(client: AdminClient, receiver: &'a Receiver, strategy: Strategy) -> Self {
        Self {
            client,
            receiver,
            strategy,
            switches: Vec::new(),
        }
    }

    /// Gives an alias its first key.
    pub(super) async fn begin(&mut self, key: &DemoKey) -> Result<(), CliError> {
        self.import(key).await?;
        let begun = Instant::now();
        self.activate(key).await?;
        self.switched(key.alias, &key.fingerprint, begun);
        Ok(())
    }

    /// Exchanges an alias's key for this one, which is pending, by the strategy.
    async fn swap(&mut self, key: &DemoKey) -> Result<(), CliError> {
        let begun = Instant::now();
        match self.strategy {
            Strategy::PrePublish => self.activate(key).await?,
            Strategy::Hold => self.hold(key).await?,
            Strategy::ReceiverLed => {
                self.receiver.trust(&key.certificate).await?;
                self.until_active(key).await?;
            }
        }
        self.switched(key.alias, &key.fingerprint, begun);
        Ok(())
    }

    async fn import(&self, key: &DemoKey) -> Result<(), CliError> {
        let path = format!("aliases/{}/keys", scene::alias(key.alias));
        let import = self.client.request(Method::POST, &path).header(CONTENT_TYPE, PEM);
        self.client
            .send(import, Bytes::copy_from_slice(&key.pem))
            .await
            .map(drop)
    }

    async fn activate(&self, key: &DemoKey) -> Result<(), CliError> {
        let path = format!(
            "aliases/{}/keys/{}/activate",
            scene::alias(key.alias),
            key.fingerprint
        );
        let request = ActivateRequest::default();
        self.client.post_json(&path, &request).await.map(drop)
    }

    /// Holds messages while the receiver exchanges the key.
    async fn hold(&self, key: &DemoKey) -> Result<(), CliError> {
        let alias = scene::alias(key.alias);
        let renewal = self.client.post(&format!("aliases/{alias}/renewals")).await?;
        let renewal = renewal.read::<RenewalView>()?.id;
        self.client.post(&format!("renewals/{renewal}/hold")).await?;
        // The receiver may switch as soon as the new key is the active one.
        self.until_active(key).await?;
        self.receiver.trust(&key.certificate).await?;
        self.client
            .post(&format!("renewals/{renewal}/resume"))
            .await
            .map(drop)
    }

    /// Waits until the proxy signs with the key.
    async fn until_active(&self, key: &DemoKey) -> Result<(), CliError> {
        let path = format!("aliases/{}", scene::alias(key.alias));
        let (fingerprint, late) = (key.fingerprint.to_string(), Instant::now() + PATIENCE);
        while Instant::now() < late {
            let alias = self.client.get(&path).await?.read::<AliasView>()?;
            let mut keys = alias.keys.iter();
            if keys.any(|key| key.fingerprint == fingerprint && key.state == "active") {
                return Ok(());
            }
            sleep(POLL).await;
        }
        Err(CliError::Failed(format!(
            "{} did not become the active key",
            key.name
        )))
    }

    /// Each alias that has had another key before goes back to it.
    async fn roll_back(&mut self) -> Result<(), CliError> {
        let mut previous: BTreeMap<_, [Option<Fingerprint>; 2]> = BTreeMap::new();
        for switch in &self.switches {
            let keys = previous.entry(switch.alias).or_default();
            *keys = [Some(switch.key.clone()), keys[0].take()];
        }
        for (alias, [_, previous]) in previous {
            let Some(previous) = previous else { continue };
            let begun = Instant::now();
            let path = format!("aliases/{}/rollback", scene::alias(alias));
            self.client.post(&path).await?;
            self.switched(alias, &previous, begun);
        }
        Ok(())
    }

    /// Swaps to each key in turn, spread evenly over the time, with one rollback of each alias half way.
    pub(super) async fn exchange(
        mut self,
        keys: &[DemoKey],
        begin: Instant,
        time: Duration,
    ) -> Result<Vec<Switch>, CliError> {
        let steps = u32::try_from(keys.len() + 1).map_err(CliError::failed)?;
        let mut due = (1..=steps).map(|step| begin + time * step / (steps + 1));
        for (index, key) in keys.iter().enumerate() {
            self.import(key).await?;
            sleep_until(due.next().unwrap_or(begin)).await;
            self.swap(key).await?;
            if index == keys.len() / 2 && self.strategy == Strategy::PrePublish {
                sleep_until(due.next().unwrap_or(begin)).await;
                self.roll_back().await?;
            }
        }
        Ok(self.switches)
    }

    fn switched(&mut self, alias: usize, key: &Fingerprint, begun: Instant) {
        self.switches.push(Switch {
            alias,
            key: key.clone(),
            begun,
            done: Instant::now(),
        });
    }
}
