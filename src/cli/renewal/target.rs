//! Which renewal a command is about: one by its name, or the one that goes on under an alias.

use std::str::FromStr;

use crate::admin::view::{AliasView, RenewalView};
use crate::cli::CliError;
use crate::cli::keys::alias_name;
use crate::cli::keys::client::AdminClient;
use crate::keys::RenewalId;

/// As it is typed.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Renewal(RenewalId),
    Alias(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(renewal) => Ok(Self::Renewal(renewal)),
            Err(_) => alias_name(text).map(Self::Alias),
        }
    }
}

impl Target {
    /// The one that is meant.
    pub(super) async fn find(&self, client: &AdminClient) -> Result<String, CliError> {
        match self {
            Self::Renewal(id) => Ok(id.to_string()),
            Self::Alias(alias) => {
                let open = self.open(client, alias).await?;
                open.map(|renewal| renewal.id).ok_or_else(|| none_goes_on(alias))
            }
        }
    }

    /// The same for whoever looks: the last one, where none goes on.
    pub(super) async fn find_last(&self, client: &AdminClient) -> Result<String, CliError> {
        let Self::Alias(alias) = self else {
            return self.find(client).await;
        };
        let all: Vec<RenewalView> = client.get(&format!("renewals?alias={alias}")).await?.read()?;
        match all.first() {
            Some(last) => Ok(last.id.clone()),
            // It says so where there is no such alias.
            None => self.find(client).await,
        }
    }

    async fn open(&self, client: &AdminClient, alias: &str) -> Result<Option<RenewalView>, CliError> {
        let alias: AliasView = client.get(&format!("aliases/{alias}")).await?.read()?;
        Ok(alias.renewal)
    }
}

fn none_goes_on(alias: &str) -> CliError {
    CliError::Failed(format!(
        "no renewal goes on under {alias}; start one with `countersign renewal start {alias}`"
    ))
}
