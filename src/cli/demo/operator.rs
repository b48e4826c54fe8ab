//! The operator: imports keys, activates them, rolls back, through the admin API of the running proxy.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use tokio::time::{Instant, sleep_until};

use super::ledger::Switch;
use super::scene::{ALIAS, DemoKey};
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
        let import = self
            .client
            .request(Method::POST, &format!("aliases/{ALIAS}/keys"));
        self.client
            .send(import.header(CONTENT_TYPE, PEM), Bytes::copy_from_slice(&key.pem))
            .await?;
        let begun = Instant::now();
        let path = format!("aliases/{ALIAS}/keys/{}/activate", key.fingerprint);
        self.client.post_json(&path, &ActivateRequest::default()).await?;
        self.switched(&key.fingerprint, begun);
        Ok(())
    }

    /// Goes back to the key before the active one.
    async fn roll_back(&mut self) -> Result<(), CliError> {
        let previous = self.switches.iter().rev().nth(1).map(|switch| switch.key.clone());
        let previous =
            previous.ok_or_else(|| CliError::Usage("a rollback needs a swap before it".to_owned()))?;
        let begun = Instant::now();
        self.client.post(&format!("aliases/{ALIAS}/rollback")).await?;
        self.switched(&previous, begun);
        Ok(())
    }

    /// Swaps to each key in turn, spread evenly over the time, with one rollback half way.
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

    fn switched(&mut self, key: &Fingerprint, begun: Instant) {
        self.switches.push(Switch {
            key: key.clone(),
            begun,
            done: Instant::now(),
        });
    }
}
