//! Step 1: connections are accepted, served side by side, and drained at the end. What is spoken on them is
//! [`crate::listener`]'s.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Proxy;
use super::reply::ReplyBody;
use crate::listener;

/// After a failed accept, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the last exchanges ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because they were not over in time.
    pub cut: usize,
}

/// Serves until `stop` resolves; then accepts no more, lets the exchanges under way end within `patience`, and cuts
/// the rest.
pub async fn serve(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    stop: impl Future<Output = ()>,
    patience: Duration,
) -> Drained {
    let (mut connections, graceful) = (JoinSet::new(), GracefulShutdown::new());
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let tls = proxy.tls.clone();
                    connections.spawn(listener::serve(stream, address, tls, service(&proxy), graceful.watcher()));
                }
                Err(error) => not_accepted(&error).await,
            },
        }
    }
    drop(listener);
    let over = timeout(patience, graceful.shutdown()).await.is_ok();
    while connections.try_join_next().is_some() {}
    let cut = if over { 0 } else { connections.len() };
    connections.shutdown().await;
    Drained { cut }
}

/// Answers the requests of one connection.
fn service(
    proxy: &Arc<Proxy>,
) -> impl Service<Request<Incoming>, Response = Response<ReplyBody>, Error = Infallible, Future: Send> + use<>
{
    let proxy = proxy.clone();
    service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok(proxy.answer(request).await) }
    })
}

async fn not_accepted(error: &io::Error) {
    tracing::warn!(%error, "a connection was not accepted; if files ran out, raise the limit of open files");
    sleep(ACCEPT_PAUSE).await;
}
