//! What all listeners do with a connection that they accepted: TLS where it is set, HTTP/1.1 or HTTP/2, and
//! who is on the other side.
//!
//! A connection has its own task, so nothing here keeps others from being accepted. Accepting, and how many
//! connections there may be, is the listeners' own business.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

mod host;
mod impatient;
mod linger;
mod opening;
mod peer;
mod places;
mod refused;
mod serving;
mod standing;

pub use host::{NotOneHost, host};
pub use peer::Peer;
pub use places::{Place, Places, Yielding};
pub(crate) use refused::Refused;
pub use serving::{Serving, serve_router};

use impatient::Impatient;
use linger::Lingering;
use opening::Opening;
use standing::{Answer, Standing};

/// A TLS handshake is over within this time.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Bytes of a head by HTTP/2.
const MAX_HEAD: u32 = 64 * 1024;
/// Streams that a client opened and took back before we looked at them: beyond it the connection ends
/// (CVE-2023-44487, rapid reset).
const MAX_PENDING_RESETS: usize = 32;
/// Streams that we reset because of a client's errors: beyond it the connection ends (CVE-2025-8671, MadeYouReset).
const MAX_OWN_RESETS: usize = 128;
/// A silent HTTP/2 connection is asked whether anybody is there, and has this long to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIME: Duration = Duration::from_secs(20);
/// For the farewell of a connection whose place is another's already.
const FAREWELL: Duration = Duration::from_millis(10);

/// How connections are served that are accepted from now on.
#[derive(Clone, Default)]
pub struct Settings {
    /// `None`: they are not encrypted.
    pub tls: Option<Arc<ServerConfig>>,
    /// A request's head comes within this time, and what a connection begins with; and for so long a client may take
    /// nothing of its answer.
    pub client_timeout: Duration,
    /// What one connection may take.
    pub bounds: Bounds,
}

/// What one connection may take, beside time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Requests side by side, by HTTP/2.
    streams: u32,
    /// Bytes of bodies, by HTTP/2, that have come and that nobody has read: of a request, and of all.
    windows: (u32, u32),
    /// Bytes of a head, by HTTP/1.1.
    head: usize,
}

impl Bounds {
    /// For those who send messages; hyper's own but for the requests.
    pub const FLOWS: Self = Self {
        streams: 128,
        windows: (1024 * 1024, 1024 * 1024),
        head: 400 * 1024,
    };
    /// For those who send little.
    const FEW: Self = Self {
        streams: 32,
        windows: (64 * 1024, 256 * 1024),
        head: 64 * 1024,
    };
}

impl Default for Bounds {
    fn default() -> Self {
        Self::FLOWS
    }
}

/// Serves one connection to its end, which comes early when `ending` resolves, then as soon as nothing is under way, or
/// when its place is needed. Each request carries its [`Peer`] as an extension.
pub async fn serve<S, B>(
    stream: TcpStream,
    address: SocketAddr,
    settings: Settings,
    service: S,
    ending: impl Future<Output = ()> + Send,
    place: &Place,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small packets of a connection may be late");
    }
    let (client_timeout, standing) = (settings.client_timeout, place.standing());
    let mut ending = pin!(ending);
    let protocols = protocols(&settings);
    let ended = match settings.tls {
        None => {
            let stream = Impatient::new(stream, client_timeout);
            let peer = Peer::new(address);
            http(stream, protocols, client_timeout, peer, service, ending, standing).await
        }
        Some(tls) => {
            let shaken = tokio::select! {
                shaken = handshake(stream, client_timeout, tls) => shaken,
                () = &mut ending => return,
                () = standing.must_go() => return,
            };
            match shaken {
                Ok(Some(stream)) => {
                    let peer = Peer::verified(address, stream.get_ref().1.peer_certificates());
                    let protocols = match stream.get_ref().1.alpn_protocol() {
                        Some(b"h2") => protocols.http2_only(),
                        _ => protocols.http1_only(),
                    };
                    http(stream, protocols, client_timeout, peer, service, ending, standing).await
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a connection ended early");
    }
}

type Protocols = auto::Builder<TokioExecutor>;

/// HTTP/1.1, or HTTP/2 where a connection begins with its preface, within bounds.
fn protocols(settings: &Settings) -> Protocols {
    let Bounds {
        streams,
        windows,
        head,
    } = settings.bounds;
    let mut protocols = Protocols::new(TokioExecutor::new());
    protocols
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.client_timeout)
        .max_buf_size(head)
        .preserve_header_case(true);
    protocols
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .initial_stream_window_size(windows.0)
        .initial_connection_window_size(windows.1)
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
    mut ending: Pin<&mut (impl Future<Output = ()> + Send)>,
    standing: &Arc<Standing>,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static,
{
    let busy = standing.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let under_way = busy.request();
        let answered = service.call(request);
        async move { Ok::<_, Infallible>(answered.await?.map(|body| Answer::new(body, under_way))) }
    });
    let stream = TokioIo::new(Opening::new(Lingering::new(stream), client_timeout));
    let mut connection = pin!(protocols.serve_connection(stream, service).into_owned());
    let mut is_ending = false;
    loop {
        tokio::select! {
            ended = &mut connection => return ended,
            () = &mut ending, if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = standing.neglected(client_timeout) => return Err("the client took nothing of an answer".into()),
            () = standing.must_go() => {
                // So that a client of HTTP/2 learns which of its requests were not looked at.
                connection.as_mut().graceful_shutdown();
                return timeout(FAREWELL, connection).await.unwrap_or(Ok(()));
            }
        }
    }
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
