//! Connections to a listener beside the proxy's: a bounded number, each for a bounded time, ended gracefully. Few clients
//! are meant to be there; whoever else comes takes nothing from messages, and keeps nobody out: where all places are
//! taken, somebody gives way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Bounds, Place, Places, Yielding};
use crate::logging::Seldom;

/// Connections at a time.
const MAX_CONNECTIONS: usize = 128;
/// Then a connection ends, so that clients that never read do not hold all of them; others have a new one at once.
const CONNECTION_TIME: Duration = Duration::from_secs(600);
/// For a head, and for taking some of an answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// What is under way at the end may take this long.
const GRACE: Duration = Duration::from_secs(5);
/// After a failed accept, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections are served by. Cheap to clone.
#[derive(Clone)]
pub struct Serving {
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Answers every request.
    pub router: Router,
}

/// Serves until `stop` resolves; then accepts no more, and lets the requests under way end, within bounds. Each connection,
/// and each request, is served by what `current` returns as it comes. `section` of the configuration names the listener in
/// the log.
pub async fn serve_router(
    section: &'static str,
    listener: TcpListener,
    current: impl Fn() -> Serving + Clone + Send + 'static,
    stop: impl Future<Output = ()>,
) {
    let places = Places::new(section, MAX_CONNECTIONS, Yielding::Everybody);
    let (going, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_ended) = connections.join_next() => {}
            (accepted, place) = accept(section, &listener, &places) => {
                connections.spawn(connection(section, accepted, current.clone(), stopped.clone(), place));
            }
        }
    }
    drop((listener, going));
    while connections.join_next().await.is_some() {}
}

/// The next connection, and its place.
async fn accept(
    section: &'static str,
    listener: &TcpListener,
    places: &Places,
) -> ((TcpStream, SocketAddr), Place) {
    static NOT_ACCEPTED: Seldom = Seldom::new(5);
    loop {
        places.room().await;
        match listener.accept().await {
            Ok((stream, address)) => return ((stream, address), places.take(address.ip())),
            Err(error) => {
                if let Some(omitted) = NOT_ACCEPTED.due() {
                    tracing::warn!(%section, %error, omitted, "a connection was not accepted");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves until the client closes, its place is another's, its time is over or the sender of `stopped` is gone.
async fn connection(
    section: &'static str,
    (stream, address): (TcpStream, SocketAddr),
    current: impl Fn() -> Serving + Send + 'static,
    mut stopped: watch::Receiver<()>,
    place: Place,
) {
    let settings = super::Settings {
        tls: current().tls,
        client_timeout: CLIENT_TIMEOUT,
        bounds: Bounds::FEW,
    };
    let service = service_fn(move |request| TowerToHyperService::new(current().router).call(request));
    let (end, ending) = oneshot::channel::<()>();
    let ending = async move { drop(ending.await) };
    let mut served = std::pin::pin!(super::serve(stream, address, settings, service, ending, &place));
    tokio::select! {
        () = &mut served => return,
        _ = timeout(CONNECTION_TIME, stopped.changed()) => drop(end),
    }
    if timeout(GRACE, served).await.is_err() {
        tracing::warn!(%section, %address, "a request was cut before it was over");
    }
}
