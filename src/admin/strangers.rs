//! Failed logins, for the audit: who showed a token or a certificate that nobody here knows, from where, how often.
//! They are answered one after the other, so that who tries without end takes no cores from messages.
//!
//! Whoever reaches the port can cause them, and each record stays for good and costs a write to the disk. So an address has
//! its first one at once, and what follows it within a minute as one more with a count; and all have a bound of records an
//! hour, past which only the sum is told at the hour's end.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::field;

use super::problem::Problem;
use crate::clock::Clock;
use crate::keys::Keys;
use crate::keys::audit::Author;
use crate::listener::{Peer, Refused};
use crate::logging::Seldom;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Records an hour; of some hundred bytes each.
const MOST: u32 = 100;
/// Addresses that are told apart within a minute.
const ADDRESSES: usize = 50;

/// What they have tried. Cheap to clone.
#[derive(Clone)]
pub(super) struct Strangers(Arc<Inner>);

struct Inner {
    keys: Keys,
    clock: Clock,
    tried: Mutex<Tried>,
    refused: Refused,
}

#[derive(Default)]
struct Tried {
    /// Within this minute, after the first time.
    again: HashMap<IpAddr, u64>,
    /// When the hour began; records since; and what was not told apart any more.
    hour: Option<Instant>,
    records: u32,
    others: u64,
}

/// A record to write: from one address, or from those that are not told apart.
type Told = (Option<IpAddr>, u64);

impl Strangers {
    pub(super) fn new(keys: Keys, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            keys,
            clock,
            tried: Mutex::default(),
            refused: Refused::default(),
        }))
    }

    /// A request was not let in. Whoever reaches the port can have that said in the log; the audit is told of those who
    /// showed something. Returns when it may be answered.
    pub(super) async fn not_let_in(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        problem: &Problem,
    ) {
        static NOT_LET_IN: Seldom = Seldom::new(20);
        let from = peer.map(|peer| peer.address);
        if let Some(omitted) = NOT_LET_IN.due() {
            let from = from.map(field::display);
            tracing::warn!(%method, path, from, omitted, "not let in: {problem}");
        }
        let shown = headers.contains_key(AUTHORIZATION) || peer.is_some_and(|peer| peer.subject.is_some());
        if let Some(from) = from.filter(|_| shown) {
            self.tried(from);
        }
        self.0.refused.turn().await;
    }

    /// Somebody there showed what nobody knows. Returns at once; it is written beside.
    fn tried(&self, from: IpAddr) {
        let mut tried = self.0.tried();
        let begins = tried.again.is_empty();
        let told = tried.first(from, Instant::now());
        drop(tried);
        let strangers = self.clone();
        if told.is_some() || begins {
            tokio::spawn(async move {
                strangers.write(told.into_iter().collect()).await;
                if begins {
                    sleep(MINUTE).await;
                    let minute = strangers.0.tried().minute(Instant::now());
                    strangers.write(minute).await;
                }
            });
        }
    }

    async fn write(&self, told: Vec<Told>) {
        let inner = self.0.clone();
        let written = spawn_blocking(move || {
            for (from, times) in told {
                let author = Author::stranger();
                let author = match from {
                    Some(address) => author.at(address),
                    None => author.at("several addresses"),
                };
                let detail = BTreeMap::from([("times".to_owned(), times.to_string())]);
                let written = inner
                    .keys
                    .by(author)
                    .note("login-failed", None, detail, inner.clock.now());
                if let Err(problem) = written {
                    tracing::warn!(%problem, times, "a failed login is not in the audit");
                }
            }
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "a failed login was not told to the audit");
        }
    }
}

impl Inner {
    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tried {
    /// The record for an address that was not seen this minute.
    fn first(&mut self, from: IpAddr, now: Instant) -> Option<Told> {
        if let Some(again) = self.again.get_mut(&from) {
            *again += 1;
            return None;
        }
        if self.again.len() >= ADDRESSES {
            self.others += 1;
            return None;
        }
        self.again.insert(from, 0);
        if self.may_write(now) {
            return Some((Some(from), 1));
        }
        self.others += 1;
        None
    }

    /// The records of a minute that is over.
    fn minute(&mut self, now: Instant) -> Vec<Told> {
        let mut told = Vec::new();
        for (from, times) in std::mem::take(&mut self.again) {
            if times > 0 && self.may_write(now) {
                told.push((Some(from), times));
            } else {
                self.others += times;
            }
        }
        if self.others > 0 && self.may_write(now) {
            told.push((None, std::mem::take(&mut self.others)));
        }
        told
    }

    fn may_write(&mut self, now: Instant) -> bool {
        if self
            .hour
            .is_none_or(|begun| now.saturating_duration_since(begun) >= HOUR)
        {
            (self.hour, self.records) = (Some(now), 0);
        }
        self.records += 1;
        self.records <= MOST
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn one_address_has_two_records_a_minute() {
        let (mut tried, now) = (Tried::default(), Instant::now());
        let first: Vec<_> = (0..1000).filter_map(|_| tried.first(address(1), now)).collect();
        assert_eq!(first, [(Some(address(1)), 1)]);
        assert_eq!(tried.minute(now), [(Some(address(1)), 999)]);
        assert_eq!(tried.minute(now), []);
    }

    #[test]
    fn a_flood_has_a_bound_of_records_and_loses_no_count() {
        let (mut tried, begun) = (Tried::default(), Instant::now());
        let (mut records, mut times) = (0, 0);
        let mut tell = |told: Vec<Told>| {
            records += told.len();
            times += told.iter().map(|(_, times)| times).sum::<u64>();
        };
        for minute in 0..120 {
            let now = begun + minute * MINUTE;
            for number in 0..1000 {
                tell(tried.first(address(number), now).into_iter().collect());
            }
            tell(tried.minute(now));
        }
        tell(tried.minute(begun + 3 * HOUR));
        assert_eq!(times, 120 * 1000);
        assert!(records <= 201, "{records}");
    }
}
