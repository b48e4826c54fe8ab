//! What messages may take at a time: requests that are under way, bytes that have not left, places in the line for a core.
//! Where there are several aliases, those of one take three quarters at most of what the others leave: however its receiver
//! hangs or its flows flood it, something is left for the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::load::{Limit, Portion};
use crate::config::{Config, ProxyConfig};
use crate::cores::cores;
use crate::listener::Refused;
use crate::open_files;

/// Messages that may wait for a core, for each core: at 5 ms for an RSA-4096 signature, the last one waits about a
/// second. More would only be late, and hold memory meanwhile.
const WAITING_PER_CORE: usize = 256;

/// Of all messages.
pub(super) struct Room {
    requests: Limit,
    bytes: Limit,
    waiting: Limit,
}

/// Of the messages of one alias. Cheap to clone.
#[derive(Clone)]
pub(super) struct AliasRoom {
    pub(super) requests: Portion,
    pub(super) bytes: Portion,
    /// Messages that wait for a core.
    pub(super) waiting: Portion,
    /// To wait for a core beside other aliases.
    pub(super) turns: Arc<Semaphore>,
    /// Where messages wait that are refused.
    pub(super) refused: Arc<Refused>,
}

/// Of the aliases of one configuration.
pub(super) struct AliasRooms<'a> {
    earlier: BTreeMap<&'a str, &'a AliasRoom>,
    /// Of each of them.
    bounds: AliasRoom,
    by_alias: BTreeMap<String, AliasRoom>,
}

impl AliasRooms<'_> {
    /// Of this one. All its routes have the same.
    pub(super) fn of(&mut self, alias: &str) -> AliasRoom {
        let room = self.by_alias.entry(alias.to_owned());
        let room = room.or_insert_with(|| match self.earlier.get(alias) {
            Some(earlier) => earlier.within(&self.bounds),
            None => AliasRoom::default().within(&self.bounds),
        });
        room.clone()
    }
}

impl AliasRoom {
    /// The same with other bounds; what is taken counts on.
    fn within(&self, bounds: &Self) -> Self {
        Self {
            requests: self.requests.within(&bounds.requests),
            bytes: self.bytes.within(&bounds.bytes),
            waiting: self.waiting.within(&bounds.waiting),
            turns: self.turns.clone(),
            refused: self.refused.clone(),
        }
    }
}

impl Default for AliasRoom {
    /// Of which nothing has been taken, for there is none.
    fn default() -> Self {
        Self {
            requests: Portion::default(),
            bytes: Portion::default(),
            waiting: Portion::default(),
            turns: Arc::new(Semaphore::new(cores())),
            refused: Arc::default(),
        }
    }
}

impl Room {
    /// Before any configuration.
    pub(super) fn none() -> Self {
        Self {
            requests: Limit::default(),
            bytes: Limit::default(),
            waiting: Limit::new(cores() * WAITING_PER_CORE),
        }
    }

    /// Within the configuration's bounds; what is taken counts on.
    pub(super) fn successor(&self, config: &ProxyConfig) -> Self {
        Self {
            requests: self.requests.with_most(most_requests(config.max_requests)),
            bytes: self.bytes.with_most(config.max_buffered),
            waiting: self.waiting.clone(),
        }
    }

    /// That of each alias, where what is taken of `earlier` counts on.
    pub(super) fn of_aliases<'a>(
        &self,
        config: &Config,
        earlier: impl Iterator<Item = (&'a str, &'a AliasRoom)>,
    ) -> AliasRooms<'a> {
        let aliases: BTreeSet<_> = config.routes.iter().map(|route| &route.alias).collect();
        let portion = |least: usize, all: &Limit| match aliases.len() {
            0 | 1 => Portion::new(all.most(), all),
            _ => Portion::beside_others(least, all),
        };
        let bounds = AliasRoom {
            requests: portion(1, &self.requests),
            // Each message that may be sent may be sent alone.
            bytes: portion(config.proxy.max_message, &self.bytes),
            waiting: portion(1, &self.waiting),
            ..AliasRoom::default()
        };
        AliasRooms {
            earlier: earlier.collect(),
            bounds,
            by_alias: BTreeMap::new(),
        }
    }

    /// Requests that are not answered to their end.
    pub(super) fn requests_under_way(&self) -> usize {
        self.requests.taken()
    }

    /// Bytes of messages that have not left.
    pub(super) fn bytes_buffered(&self) -> usize {
        self.bytes.taken()
    }
}

/// Each may need a connection to its receiver, and so a file.
fn most_requests(wanted: usize) -> usize {
    let possible = open_files::connections();
    if possible < wanted {
        tracing::warn!(
            max_requests = wanted,
            possible,
            "the limit of open files allows fewer requests at a time; raise it"
        );
    }
    wanted.min(possible)
}
