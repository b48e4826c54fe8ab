//! A listener beside the proxy's, as it runs: for operators, or for receivers.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Core;
use super::running::Running;
use crate::listener::{Serving, serve_router};

/// One that runs until it is told to end, or dropped.
pub(super) struct Side {
    section: &'static str,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Side {
    /// Serves each request by the configuration in force; `section` of it is the listener's.
    pub(super) fn start(
        section: &'static str,
        listener: TcpListener,
        core: &Arc<Core>,
        part: impl Fn(&Running) -> Serving + Clone + Send + 'static,
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let served = core.clone();
        let current = move || part(&served.running.load());
        Self {
            section,
            stop,
            serving: tokio::spawn(serve_router(section, listener, current, stopped)),
        }
    }

    /// Accepts no more, and waits for requests under way, within bounds.
    pub(super) async fn end(self) {
        drop(self.stop);
        if let Err(error) = self.serving.await {
            tracing::error!(section = self.section, %error, "the listener had stopped before");
        }
    }
}
