//! The operator: imports keys, activates them, rolls back, through the admin API of the running proxy.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use tokio::time::{Instant, sleep_until};

use super::ledger::Switch;
use super::scene::{self, DemoKey};
use crate::admin::view::{ActivateRequest, PEM};
use crate::cli::CliError;
use crate::cli::keys::client::AdminClient;
use crate::keys::Fingerprint;

pub(super) struct Operator {
    client: AdminClient,
    /// What has been done, in the order of time.
    switches: Vec<Switch>,
}

impl Operator {
    pub(super) fn new(client: AdminClient) -> Self {
        Self {
            client,
            switches: Vec::new(),
        }
    }

    /// Imports and activates one key.
    pub(super) async fn swap(&mut self, key: &DemoKey) -> Result<(), CliError> {
        let alias = scene::alias(key.alias);
        let import = self
            .client
            .request(Method::POST, &format!("aliases/{alias}/keys"));
        self.client
            .send(import.header(CONTENT_TYPE, PEM), Bytes::copy_from_slice(&key.pem))
            .await?;
        let begun = Instant::now();
        let path = format!("aliases/{alias}/keys/{}/activate", key.fingerprint);
        self.client.post_json(&path, &ActivateRequest::default()).await?;
        self.switched(key.alias, &key.fingerprint, begun);
        Ok(())
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
            sleep_until(due.next().unwrap_or(begin)).await;
            self.swap(key).await?;
            if index == keys.len() / 2 {
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
