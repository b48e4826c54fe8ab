//! What all listeners do with a connection that they accepted: TLS where it is set, HTTP/1.1 or HTTP/2, and
//! who is on the other side.
//!
//! A connection has its own task, so nothing here keeps others from being accepted. Accepting, and how many
//! connections there may be, is the listeners' own business.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

mod impatient;
mod linger;
mod opening;
mod peer;
mod serving;

pub use peer::Peer;
pub use serving::{Serving, serve_router};

use impatient::Impatient;
use linger::Lingering;
use opening::Opening;

/// A TLS handshake is over within this time.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Bytes of a head by HTTP/2; by HTTP/1.1 hyper's own bound holds, some 400 KiB.
const MAX_HEAD: u32 = 64 * 1024;
/// Requests side by side on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Streams that a client opened and took back before we looked at them: beyond it the connection ends
/// (CVE-2023-44487, rapid reset).
const MAX_PENDING_RESETS: usize = 32;
/// Streams that we reset because of a client's errors: beyond it the connection ends (CVE-2025-8671, MadeYouReset).
const MAX_OWN_RESETS: usize = 128;
/// A silent HTTP/2 connection is asked whether anybody is there, and has this long to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIME: Duration = Duration::from_secs(20);

/// How connections are served that are accepted from now on.
#[derive(Clone, Default)]
pub struct Settings {
    /// `None`: they are not encrypted.
    pub tls: Option<Arc<ServerConfig>>,
    /// A request's head comes within this time, and what a connection begins with; and for so long a client may take
    /// nothing of its answer.
    pub client_timeout: Duration,
}

/// Serves one connection to its end, which `watcher` may ask for. Each request carries its [`Peer`] as an extension.
pub async fn serve<S, B>(
    stream: TcpStream,
    address: SocketAddr,
    settings: Settings,
    service: S,
    watcher: Watcher,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small packets of a connection may be late");
    }
    let Settings { tls, client_timeout } = settings;
    let protocols = protocols(client_timeout);
    let ended = match tls {
        None => {
            let stream = Impatient::new(stream, client_timeout);
            http(
                stream,
                protocols,
                client_timeout,
                Peer::new(address),
                service,
                watcher,
            )
            .await
        }
        Some(tls) => match handshake(stream, client_timeout, tls).await {
            Ok(Some(stream)) => {
                let peer = Peer::verified(address, stream.get_ref().1.peer_certificates());
                let protocols = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => protocols.http2_only(),
                    _ => protocols.http1_only(),
                };
                http(stream, protocols, client_timeout, peer, service, watcher).await
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a connection ended early");
    }
}

type Protocols = auto::Builder<TokioExecutor>;

/// HTTP/1.1, or HTTP/2 where a connection begins with its preface, within bounds.
fn protocols(client_timeout: Duration) -> Protocols {
    let mut protocols = Protocols::new(TokioExecutor::new());
    protocols
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(client_timeout)
        .preserve_header_case(true);
    protocols
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_OWN_RESETS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIME);
    protocols
}

async fn http<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    protocols: Protocols,
    client_timeout: Duration,
    peer: Peer,
    service: S,
    watcher: Watcher,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        service.call(request)
    });
    let stream = TokioIo::new(Opening::new(Lingering::new(stream), client_timeout));
    let connection = protocols.serve_connection(stream, service).into_owned();
    watcher.watch(connection).await
}

/// `None` for a client that spoke plain HTTP and was told so.
async fn handshake(
    mut stream: TcpStream,
    client_timeout: Duration,
    tls: Arc<ServerConfig>,
) -> io::Result<Option<TlsStream<Impatient<TcpStream>>>> {
    let shaking = async {
        let mut first = [0];
        stream.peek(&mut first).await?;
        // A method's first letter; TLS begins with the record type 22 (RFC 8446, section 5.1).
        if first.is_ascii() && first[0].is_ascii_alphabetic() {
            stream.write_all(PLAIN_HTTP).await?;
            Lingering::new(stream).shutdown().await?;
            return Ok(None);
        }
        let stream = Impatient::new(stream, client_timeout);
        TlsAcceptor::from(tls).accept(stream).await.map(Some)
    };
    timeout(HANDSHAKE_TIME, shaking).await.unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no TLS handshake in time",
        ))
    })
}

/// How the answer begins that plain HTTP gets from a port of TLS.
pub const SPEAKS_TLS: &[u8] = b"this port speaks TLS";

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 56\r\n\
    Connection: close\r\n\r\n\
    this port speaks TLS; write https:// instead of http://\n";
