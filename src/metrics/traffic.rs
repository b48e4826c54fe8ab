//! What goes by each route, for whoever is about to change something: how many requests, and when the last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

/// What went by a route since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteTraffic {
    /// Requests that ended, however.
    pub requests: u64,
    /// How long ago the last one did; `None`: there was none.
    pub since_last: Option<Duration>,
}

pub(super) struct Traffic {
    began: Instant,
    routes: RwLock<BTreeMap<String, Tally>>,
}

#[derive(Default)]
struct Tally {
    requests: AtomicU64,
    /// Milliseconds since the start.
    last: AtomicU64,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            routes: RwLock::default(),
        }
    }

    /// Routes are few and stay; so the lock is taken for writing once for each.
    pub(super) fn count(&self, route: &str) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(tally) = self
            .routes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(route)
        {
            return tally.count(since);
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.to_owned()).or_default().count(since);
    }

    pub(super) fn of(&self, route: &str) -> RouteTraffic {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = routes.get(route) else {
            return RouteTraffic::default();
        };
        let last = Duration::from_millis(tally.last.load(Ordering::Relaxed));
        RouteTraffic {
            requests: tally.requests.load(Ordering::Relaxed),
            since_last: Some(self.began.elapsed().saturating_sub(last)),
        }
    }
}

impl Tally {
    fn count(&self, since: u64) {
        self.last.fetch_max(since, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}
