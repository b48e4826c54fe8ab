//! Every default of the configuration that is not a [`crate::wss::Profile`]'s, with its unit.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Loopback: whoever reaches the port gets messages signed.
pub(super) const PROXY_LISTEN: SocketAddr = loopback(8080);
pub(super) const ADMIN_LISTEN: SocketAddr = loopback(9090);

/// Bytes of one message; a larger one is refused.
pub(super) const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// Bytes of all messages together; over it they are refused, to be sent again later.
pub(super) const MAX_BUFFERED: usize = 512 * 1024 * 1024;

/// Requests under way; a thousand a second to receivers that take four.
pub(super) const MAX_REQUESTS: usize = 4096;
/// A flow sends the next bytes, or takes those of its answer, within this time.
pub(super) const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Exchanges under way end within this time when we stop; orchestrators kill after 30 s.
pub(super) const DRAIN: Duration = Duration::from_secs(25);

pub(super) const STATE_DIRECTORY: &str = "state";
/// Within the state directory.
pub(super) const ADMIN_TOKEN_FILE: &str = "admin-token";

/// The profile of a route that names none; always there.
pub(super) const PROFILE: &str = "default";

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(90);
/// An answer that has begun goes on within this time.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer's body; four times the largest message.
pub(super) const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Messages that wait at one alias while its receiver exchanges its certificate.
pub(super) const HOLD_COUNT: usize = 1000;
/// Bytes of all of them; over either they are refused, to be sent again later.
pub(super) const HOLD_BYTES: usize = 256 * 1024 * 1024;
/// Each waits for as long; most clients wait for a minute.
pub(super) const HOLD_TIME: Duration = Duration::from_secs(45);
/// On their way at a time, once they may go: the receiver has just been restarted.
pub(super) const HOLD_RELEASE: usize = 8;

/// Of all signed messages, those that the second engine looks at.
pub(super) const SELF_CHECK: f64 = 0.01;
/// Bytes; libxml2's tree takes ten times as many, for as long as it looks.
pub(super) const SELF_CHECK_MAX: usize = 8 * 1024 * 1024;
/// What the largest takes on a machine that is slow, or busy.
pub(super) const SELF_CHECK_TIMEOUT: Duration = Duration::from_secs(5);

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}
