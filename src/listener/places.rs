//! Places for connections: a bounded number, and none is kept by who asks for nothing. Where all are taken, a connection
//! without a request under way gives way to the one that comes.
//!
//! It knows when a connection is busy, never with what. How many places there are, and whether somebody who is busy may
//! have to go, is the listeners' own business.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::pending;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::standing::Standing;
use crate::logging::Seldom;

/// Whoever was answered or has come within this time may be about to ask.
const YOUNG: Duration = Duration::from_secs(1);

/// Who gives way where all places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yielding {
    /// Who has been quiet for a while; nobody else, for a message would break off.
    Quiet,
    /// Everybody, who is busy last: somebody new always gets in, and at once.
    Everybody,
}

/// All of a listener. Cheap to clone.
#[derive(Clone)]
pub struct Places(Arc<Shared>);

struct Shared {
    section: &'static str,
    most: usize,
    yielding: Yielding,
    taken: Mutex<Taken>,
    /// One is free, or somebody has become quiet.
    changed: Arc<Notify>,
}

enum Due {
    At(Instant),
    /// Unless something changes.
    Never,
}

#[derive(Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Arc<Standing>>,
    /// How many each network has.
    networks: HashMap<IpAddr, usize>,
}

impl Places {
    /// So many; `section` of the configuration names the listener in the log.
    #[must_use]
    pub fn new(section: &'static str, most: usize, yielding: Yielding) -> Self {
        Self(Arc::new(Shared {
            section,
            most,
            yielding,
            taken: Mutex::default(),
            changed: Arc::default(),
        }))
    }

    /// Waits until there is a place for a connection that comes. Until then, the kernel queues it.
    pub async fn room(&self) {
        loop {
            let changed = self.0.changed.notified();
            let Some(due) = self.due() else { return };
            let somebody_is_due = async {
                match due {
                    Due::At(time) => sleep_until(time).await,
                    Due::Never => pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = somebody_is_due => {}
            }
        }
    }

    /// When somebody will give way; `None`: there is a place now.
    fn due(&self) -> Option<Due> {
        let taken = self.0.taken();
        if taken.connections.len() < self.0.most || self.0.yielding == Yielding::Everybody {
            return None;
        }
        let quiet = taken.connections.values().filter(|standing| standing.is_quiet());
        match quiet.map(|standing| standing.since() + YOUNG).min() {
            Some(due) if due <= Instant::now() => None,
            Some(due) => Some(Due::At(due)),
            None => Some(Due::Never),
        }
    }

    /// The place of a connection that has come; where there was [room](Self::room), at most one too many.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> Place {
        let network = network(address.to_canonical());
        let standing = Arc::new(Standing::new(network, self.0.changed.clone()));
        let mut taken = self.0.taken();
        if taken.connections.len() >= self.0.most {
            self.make_room(&mut taken);
        }
        taken.next += 1;
        let number = taken.next;
        taken.connections.insert(number, standing.clone());
        *taken.networks.entry(network).or_default() += 1;
        drop(taken);
        Place {
            shared: self.0.clone(),
            number,
            standing,
        }
    }

    fn make_room(&self, taken: &mut Taken) {
        static FULL: Seldom = Seldom::new(1);
        let Some(gone) = taken.next_to_go(self.0.yielding, Instant::now()) else {
            return;
        };
        if let Some(standing) = taken.remove(gone) {
            standing.give_way();
        }
        if let Some(omitted) = FULL.due() {
            let (section, most) = (self.0.section, self.0.most);
            tracing::warn!(
                section,
                most,
                omitted,
                "all connections that are served at a time are taken; those that have no request under way give way"
            );
        }
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// First who has asked for nothing, then who asks for nothing more: of the network that has most connections, for the
    /// longest time.
    fn next_to_go(&self, yielding: Yielding, now: Instant) -> Option<u64> {
        let goes = |(number, standing): (&u64, &Arc<Standing>)| {
            let since = standing.since();
            let class = match (standing.is_quiet(), now.saturating_duration_since(since) >= YOUNG) {
                (true, true) => usize::from(standing.has_asked()),
                _ if yielding == Yielding::Quiet => return None,
                (true, false) => 2,
                (false, _) => 3,
            };
            let others = self
                .networks
                .get(&standing.network())
                .copied()
                .unwrap_or_default();
            Some((class, Reverse(others), since, *number))
        };
        let next = self.connections.iter().filter_map(goes).min();
        next.map(|(.., number)| number)
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Standing>> {
        let standing = self.connections.remove(&number)?;
        if let Some(count) = self.networks.get_mut(&standing.network()) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&standing.network());
            }
        }
        Some(standing)
    }
}

/// One that is taken; free when dropped.
pub struct Place {
    shared: Arc<Shared>,
    number: u64,
    standing: Arc<Standing>,
}

impl Place {
    pub(super) fn standing(&self) -> &Arc<Standing> {
        &self.standing
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.taken().remove(self.number);
        self.shared.changed.notify_waiters();
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;

    use tokio::time::{advance, timeout};

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn must_go(place: &Place) -> bool {
        let gone = AtomicBool::new(false);
        let told = async {
            place.standing.must_go().await;
            gone.store(true, Ordering::Relaxed);
        };
        let _ = timeout(Duration::ZERO, told).await;
        gone.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_silent_for_longest_gives_way() {
        let places = Places::new("[admin]", 2, Yielding::Quiet);
        let first = places.take(address("192.0.2.1"));
        advance(YOUNG).await;
        let second = places.take(address("192.0.2.2"));
        advance(YOUNG).await;
        places.room().await;
        let _third = places.take(address("192.0.2.3"));
        assert_eq!((must_go(&first).await, must_go(&second).await), (true, false));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_answered_gives_way_after_who_never_asked() {
        let places = Places::new("[admin]", 2, Yielding::Quiet);
        let answered = places.take(address("192.0.2.1"));
        drop(answered.standing.request());
        advance(YOUNG).await;
        let silent = places.take(address("192.0.2.2"));
        advance(YOUNG).await;
        let _third = places.take(address("192.0.2.3"));
        assert_eq!((must_go(&answered).await, must_go(&silent).await), (false, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flow_that_may_be_about_to_send_keeps_its_place() {
        let places = Places::new("[proxy]", 1, Yielding::Quiet);
        let flow = places.take(address("192.0.2.1"));
        let (begun, room) = (Instant::now(), timeout(9 * YOUNG, places.room()).await);
        assert!(room.is_ok() && begun.elapsed() >= YOUNG);
        drop(flow.standing.request());
        assert!(
            timeout(YOUNG / 2, places.room()).await.is_err(),
            "it was answered just now"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_network_that_has_most_gives_way_first() {
        let places = Places::new("[admin]", 3, Yielding::Quiet);
        let alone = places.take(address("192.0.2.1"));
        advance(YOUNG).await;
        let older = places.take(address("2001:db8::1"));
        advance(YOUNG).await;
        let _newer = places.take(address("2001:db8::ffff"));
        advance(YOUNG).await;
        let _fourth = places.take(address("192.0.2.2"));
        assert_eq!((must_go(&alone).await, must_go(&older).await), (false, true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_just_come_goes_after_who_has_had_time_to_ask() {
        let places = Places::new("[admin]", 2, Yielding::Everybody);
        let idle = places.take(address("192.0.2.1"));
        advance(YOUNG).await;
        let [one, _two] = ["198.51.100.1", "198.51.100.1"].map(|own| places.take(address(own)));
        assert!(must_go(&idle).await, "though the other network has more by now");
        assert!(!must_go(&one).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_busy_keeps_its_place_or_goes_last() {
        for yielding in [Yielding::Quiet, Yielding::Everybody] {
            let places = Places::new("[admin]", 1, yielding);
            let busy = places.take(address("192.0.2.1"));
            let request = busy.standing.request();
            advance(2 * YOUNG).await;
            let room = timeout(YOUNG, places.room()).await.is_ok();
            assert_eq!(room, yielding == Yielding::Everybody);
            let _next = room.then(|| places.take(address("192.0.2.2")));
            assert_eq!(must_go(&busy).await, room);
            drop(request);
            assert!(
                timeout(2 * YOUNG, places.room()).await.is_ok(),
                "it is quiet again"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_connection_ends() {
        let places = Places::new("[admin]", 1, Yielding::Quiet);
        let place = places.take(address("192.0.2.1"));
        let busy = place.standing.request();
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.room().await }
        });
        tokio::task::yield_now().await;
        drop((place, busy));
        timeout(YOUNG, waiting).await.unwrap().unwrap();
        assert!(places.0.taken().networks.is_empty());
    }
}
