//! Step 1: TCP and HTTP/1.1. Connections are accepted, served side by side, and drained at the end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Proxy;

mod linger;

use linger::Lingering;

/// A request's head comes within this time.
const HEAD_TIME: Duration = Duration::from_secs(30);
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
                Ok((stream, _peer)) => { connections.spawn(connection(stream, proxy.clone(), &graceful)); }
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

/// Serves one connection.
fn connection(
    stream: TcpStream,
    proxy: Arc<Proxy>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.answer(request).await) }
    });
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small packets of a connection may be late");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service);
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

async fn not_accepted(error: &io::Error) {
    tracing::warn!(%error, "a connection was not accepted; if files ran out, raise the limit of open files");
    sleep(ACCEPT_PAUSE).await;
}
