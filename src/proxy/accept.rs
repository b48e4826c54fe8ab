//! Step 1: connections are accepted, served side by side, and drained at the end. What is spoken on them is
//! [`crate::listener`]'s.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Proxy;
use super::forward::Companion;
use super::reply::ReplyBody;
use crate::listener::{self, Place, Places, Yielding};
use crate::logging::Seldom;
use crate::open_files;

/// After a failed accept, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the exchanges ended that were under way when we stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// They came to their end.
    pub ended: usize,
    /// They were cut because they were not over in time.
    pub cut: usize,
}

/// Serves until `stop` resolves; then accepts no more, closes idle connections, lets the exchanges under way end within
/// the time that `stop` brings, and cuts the rest. Each request is carried by what `current` returns as it comes.
pub async fn serve(
    listener: TcpListener,
    current: impl Fn() -> Arc<Proxy> + Clone + Send + 'static,
    mut stop: oneshot::Receiver<Duration>,
) -> Drained {
    let mut connections = JoinSet::new();
    let (going, stopped) = watch::channel(());
    let places = Places::new("[proxy]", open_files::connections(), Yielding::Quiet);
    let patience = loop {
        tokio::select! {
            patience = &mut stop => break patience.unwrap_or_default(),
            Some(_ended) = connections.join_next() => {}
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, address, place)) => {
                    let (settings, service) = (current().connections.clone(), service(current.clone()));
                    let mut stopped = stopped.clone();
                    connections.spawn(async move {
                        let ending = async move { drop(stopped.changed().await) };
                        listener::serve(stream, address, settings, service, ending, &place).await;
                    });
                }
                Err(error) => not_accepted(&error).await,
            },
        }
    };
    drop((listener, going));
    current().end_waits(patience);
    let under_way = current().requests_under_way();
    let all = async { while connections.join_next().await.is_some() {} };
    let _late = timeout(patience, all).await;
    // Connections that are left without a request only wait for their clients to close, too.
    let cut = current().requests_under_way();
    connections.shutdown().await;
    Drained {
        ended: under_way.saturating_sub(cut),
        cut,
    }
}

/// The next connection, once there is room for it; until then the kernel queues it.
async fn accept(listener: &TcpListener, places: &Places) -> io::Result<(TcpStream, SocketAddr, Place)> {
    places.room().await;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address, places.take(address.ip())))
}

/// Answers the requests of one connection. What it has towards receivers ends with it.
fn service(
    current: impl Fn() -> Arc<Proxy> + Send + 'static,
) -> impl Service<Request<Incoming>, Response = Response<ReplyBody>, Error = Infallible, Future: Send> {
    let companion = Companion::default();
    service_fn(move |mut request: Request<Incoming>| {
        let proxy = current();
        request.extensions_mut().insert(companion.clone());
        async move { Ok(proxy.answer(request).await) }
    })
}

async fn not_accepted(error: &io::Error) {
    static NOT_ACCEPTED: Seldom = Seldom::new(5);
    if let Some(omitted) = NOT_ACCEPTED.due() {
        tracing::warn!(%error, omitted, "a connection was not accepted; if files ran out, raise the limit of open files");
    }
    sleep(ACCEPT_PAUSE).await;
}
