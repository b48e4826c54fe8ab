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
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Proxy;
use super::reply::ReplyBody;
use crate::{listener, open_files};

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
    let (mut connections, graceful) = (JoinSet::new(), GracefulShutdown::new());
    let slots = Arc::new(Semaphore::new(open_files::connections()));
    let patience = loop {
        tokio::select! {
            patience = &mut stop => break patience.unwrap_or_default(),
            Some(_ended) = connections.join_next() => {}
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, address, slot)) => {
                    let settings = current().connections.clone();
                    let served = listener::serve(stream, address, settings, service(current.clone()), graceful.watcher());
                    connections.spawn(async move {
                        served.await;
                        drop(slot);
                    });
                }
                Err(error) => not_accepted(&error).await,
            },
        }
    };
    drop(listener);
    current().end_waits(patience);
    let under_way = current().requests_under_way();
    let _late = timeout(patience, graceful.shutdown()).await;
    // Connections that are left without a request only wait for their clients to close, too.
    let cut = current().requests_under_way();
    connections.shutdown().await;
    Drained {
        ended: under_way.saturating_sub(cut),
        cut,
    }
}

/// The next connection, once there is room for it; until then the kernel queues it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address, slot))
}

/// Answers the requests of one connection.
fn service(
    current: impl Fn() -> Arc<Proxy> + Send + 'static,
) -> impl Service<Request<Incoming>, Response = Response<ReplyBody>, Error = Infallible, Future: Send> {
    service_fn(move |request| {
        let proxy = current();
        async move { Ok(proxy.answer(request).await) }
    })
}

async fn not_accepted(error: &io::Error) {
    tracing::warn!(%error, "a connection was not accepted; if files ran out, raise the limit of open files");
    sleep(ACCEPT_PAUSE).await;
}
